//! Who asks, where a proxy asks for others: `Forwarded` (RFC 7239) and `X-Forwarded-For`. Pure.
//!
//! Only what a trusted proxy says is believed, and what it says of another trusted proxy: the fields are read from
//! their end, where the nearest proxy wrote, up to the first address that is not a proxy of ours. What stands before
//! it, anybody may have written. The result is for logs alone; nothing is granted or refused by it.

use std::net::{IpAddr, SocketAddr};

use hyper::HeaderMap;
use hyper::header::{FORWARDED, HeaderName};
use ipnet::IpNet;

use super::negotiate::split;

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// `http.trusted_proxies`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Proxies {
    networks: Vec<IpNet>,
    unix: bool,
}

impl Proxies {
    /// Adds an address, a network such as `10.0.0.0/8`, or `unix` for whoever comes through a unix socket; whether it
    /// was one of these.
    pub fn add(&mut self, text: &str) -> bool {
        if text == "unix" {
            self.unix = true;
            return true;
        }
        let network = text.parse().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from));
        self.networks.extend(network);
        network.is_some()
    }

    /// Whether somebody is trusted: by address, `None` over a unix socket.
    pub fn trust(&self, address: Option<IpAddr>) -> bool {
        match address {
            Some(address) => self.networks.iter().any(|network| network.contains(&address)),
            None => self.unix,
        }
    }

    /// The address of the client behind a connection from `peer`: the last one that is vouched for.
    pub fn client(&self, headers: &HeaderMap, peer: Option<IpAddr>) -> Option<IpAddr> {
        if !self.trust(peer) {
            return peer;
        }
        let standard = self.behind(headers, &FORWARDED, peer, by_forwarded);
        let customary = self.behind(headers, &X_FORWARDED_FOR, peer, address);
        match (headers.contains_key(FORWARDED), headers.contains_key(X_FORWARDED_FOR)) {
            // A proxy that knows one of them passes the other one on as the client wrote it.
            (true, true) if standard != customary => peer,
            (true, _) => standard,
            (false, _) => customary,
        }
    }

    /// Follows a field from its end.
    fn behind(
        &self,
        headers: &HeaderMap,
        name: &HeaderName,
        peer: Option<IpAddr>,
        read: fn(&str) -> Option<IpAddr>,
    ) -> Option<IpAddr> {
        // A line that is not text is one member that cannot be read.
        let lines = headers.get_all(name).iter().map(|line| line.to_str().unwrap_or("?"));
        let members: Vec<&str> = lines.flat_map(split).collect();
        let mut client = peer;
        for member in members.into_iter().rev() {
            let Some(before) = read(member).filter(|_| self.trust(client)) else { break };
            client = Some(before);
        }
        client
    }
}

/// The address in `for=` of a member of `Forwarded` (RFC 7239 section 4); `None` where it has none, or a name that says
/// nothing.
fn by_forwarded(member: &str) -> Option<IpAddr> {
    // What follows a quote that does not close may be somebody else's member.
    if !member.matches('"').count().is_multiple_of(2) {
        return None;
    }
    let mut nodes = member.split(';').filter_map(|pair| {
        let (name, value) = pair.split_once('=')?;
        name.trim().eq_ignore_ascii_case("for").then_some(value.trim())
    });
    let (node, None) = (nodes.next()?, nodes.next()) else { return None };
    address(node.strip_prefix('"').and_then(|node| node.strip_suffix('"')).unwrap_or(node))
}

/// An address, perhaps in brackets, perhaps with a port.
fn address(text: &str) -> Option<IpAddr> {
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    let address = bare.parse().or_else(|_| text.parse::<SocketAddr>().map(|with_port| with_port.ip()));
    address.ok().map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use hyper::header::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    fn proxies(texts: &[&str]) -> Proxies {
        let mut proxies = Proxies::default();
        for text in texts {
            assert!(proxies.add(text), "{text}");
        }
        proxies
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    fn headers(fields: &[(&HeaderName, &[u8])]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(*name, HeaderValue::from_bytes(value).expect("a value"));
        }
        headers
    }

    #[test]
    fn addresses_networks_and_unix_sockets_can_be_trusted() {
        let proxies = proxies(&["192.0.2.1", "10.0.0.0/8", "2001:db8::/32", "unix"]);
        for (address, expected) in [
            (Some("192.0.2.1"), true),
            (Some("192.0.2.2"), false),
            (Some("10.255.0.1"), true),
            (Some("11.0.0.1"), false),
            (Some("2001:db8::9"), true),
            (Some("2001:db9::9"), false),
            (None, true),
        ] {
            assert_eq!(proxies.trust(address.map(ip)), expected, "{address:?}");
        }
        assert!(!Proxies::default().trust(None));
        for wrong in ["", "x", "10.0.0.0/33", "10.0.0/8", "example.org", "unix:/run/x"] {
            assert!(!Proxies::default().add(wrong), "{wrong}");
        }
    }

    #[test]
    fn the_rightmost_untrusted_address_is_the_client() {
        let proxies = proxies(&["192.0.2.1", "10.0.0.0/8"]);
        let table: [(&[u8], &str); 16] = [
            (b"203.0.113.9", "203.0.113.9"),
            (b"203.0.113.9:4711", "203.0.113.9"),
            (b"2001:db8::7", "2001:db8::7"),
            (b"[2001:db8::7]", "2001:db8::7"),
            (b"[2001:db8::7]:4711", "2001:db8::7"),
            (b"::ffff:203.0.113.9", "203.0.113.9"),
            (b"203.0.113.9, 10.0.0.7", "203.0.113.9"),
            // Whatever the client claimed stands further left.
            (b"198.51.100.1, 203.0.113.9", "203.0.113.9"),
            (b"127.0.0.1, 203.0.113.9, 10.0.0.7, 192.0.2.1", "203.0.113.9"),
            (b"203.0.113.9,, ", "203.0.113.9"),
            // Inside, everybody is a proxy.
            (b"10.0.0.8, 10.0.0.7", "10.0.0.8"),
            // What cannot be read ends the search at the one who said it.
            (b"203.0.113.9, unknown", "192.0.2.1"),
            (b"203.0.113.9, nonsense, 10.0.0.7", "10.0.0.7"),
            (b"203.0.113.9, \xff, 198.51.100.1", "192.0.2.1"),
            (b"203.0.113.9, \"", "192.0.2.1"),
            (b"", "192.0.2.1"),
        ];
        for (value, expected) in table {
            let found = proxies.client(&headers(&[(&X_FORWARDED_FOR, value)]), Some(ip("192.0.2.1")));
            assert_eq!(found, Some(ip(expected)), "{}", String::from_utf8_lossy(value));
        }
        let lines = headers(&[(&X_FORWARDED_FOR, b"198.51.100.1"), (&X_FORWARDED_FOR, b"203.0.113.9")]);
        assert_eq!(proxies.client(&lines, Some(ip("192.0.2.1"))), Some(ip("203.0.113.9")));
        let hidden = headers(&[(&X_FORWARDED_FOR, b"198.51.100.1"), (&X_FORWARDED_FOR, b"\xff, 203.0.113.9")]);
        assert_eq!(proxies.client(&hidden, Some(ip("192.0.2.1"))), Some(ip("192.0.2.1")));
    }

    #[test]
    fn the_standard_field_is_read_as_its_rfc_says() {
        let proxies = proxies(&["192.0.2.1", "10.0.0.0/8"]);
        let table: [(&[u8], &str); 13] = [
            (b"for=203.0.113.9", "203.0.113.9"),
            (b"For=\"203.0.113.9:4711\"", "203.0.113.9"),
            (b"for=\"[2001:db8:cafe::17]:4711\"", "2001:db8:cafe::17"),
            (b"by=10.0.0.7; for=203.0.113.9;proto=https", "203.0.113.9"),
            (b"for=198.51.100.1, for=203.0.113.9;host=\"a,b\", for=10.0.0.7", "203.0.113.9"),
            (b"for=_hidden", "192.0.2.1"),
            (b"for=unknown", "192.0.2.1"),
            (b"proto=https", "192.0.2.1"),
            (b"for=203.0.113.9;for=198.51.100.1", "192.0.2.1"),
            // A quote that the client opened must not swallow what the proxy appended.
            (b"for=198.51.100.1;x=\", for=203.0.113.9", "192.0.2.1"),
            (b"for=198.51.100.1;x=\", for=\"[2001:db8::7]\"", "192.0.2.1"),
            (b"for=\"198.51.100.1, for=203.0.113.9", "192.0.2.1"),
            (b"for=\"\\\", for=203.0.113.9", "203.0.113.9"),
        ];
        for (value, expected) in table {
            let found = proxies.client(&headers(&[(&FORWARDED, value)]), Some(ip("192.0.2.1")));
            assert_eq!(found, Some(ip(expected)), "{}", String::from_utf8_lossy(value));
        }
    }

    #[test]
    fn two_fields_that_disagree_are_not_believed() {
        let proxies = proxies(&["192.0.2.1"]);
        let both = |standard: &[u8], customary: &[u8]| {
            let headers = headers(&[(&FORWARDED, standard), (&X_FORWARDED_FOR, customary)]);
            proxies.client(&headers, Some(ip("192.0.2.1")))
        };
        assert_eq!(both(b"for=203.0.113.9", b"203.0.113.9"), Some(ip("203.0.113.9")));
        assert_eq!(both(b"for=198.51.100.1", b"203.0.113.9"), Some(ip("192.0.2.1")));
    }

    #[test]
    fn nobody_else_is_believed() {
        let field = headers(&[(&X_FORWARDED_FOR, b"198.51.100.1"), (&FORWARDED, b"for=198.51.100.1")]);
        for peer in [Some(ip("203.0.113.9")), Some(ip("127.0.0.1")), None] {
            assert_eq!(proxies(&["192.0.2.1"]).client(&field, peer), peer);
        }
        assert_eq!(proxies(&["unix"]).client(&field, None), Some(ip("198.51.100.1")));
    }

    proptest! {
        #[test]
        fn whatever_a_client_writes_before_the_proxy_changes_nothing(
            claimed in "[ -~]{0,40}", quoted: bool, standard: bool
        ) {
            let real = if quoted { "2001:db8::7" } else { "203.0.113.9" };
            let node = if quoted { "\"[2001:db8::7]\"" } else { real };
            let (name, line) = if standard {
                (&FORWARDED, format!("{claimed}, for={node}"))
            } else {
                (&X_FORWARDED_FOR, format!("{claimed}, {real}"))
            };
            let found = proxies(&["192.0.2.1"]).client(&headers(&[(name, line.as_bytes())]), Some(ip("192.0.2.1")));
            prop_assert!([Some(ip(real)), Some(ip("192.0.2.1"))].contains(&found), "{line}: {found:?}");
        }
    }
}
