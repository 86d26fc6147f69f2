//! Addresses that authors write: what of them may reach a reader.
//!
//! Only http and https, or relative ones; nothing that a browser would take for a script, whatever is hidden in it.

use super::text;

/// What an address is good for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Address {
    /// Absolute http or https, as written.
    Absolute(String),
    /// Relative to something that is not known here, as written.
    Relative(String),
    /// Nothing.
    Invalid,
}

/// Longest address that is taken.
const MAX_BYTES: usize = 4096;

/// Reads an address.
pub(super) fn read(written: &str) -> Address {
    // Exporters write references even here: `&#123;` for a brace, `&amp;` as in HTML.
    let decoded = text::decode_entities(written);
    let address = decoded.trim();
    if address.is_empty()
        || address.len() > MAX_BYTES
        || address.chars().any(|c| c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}' | '\u{feff}' | '\u{fffd}'))
    {
        return Address::Invalid;
    }
    match scheme(address) {
        Some(scheme) if scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https") => {
            match url::Url::parse(address) {
                Ok(parsed) if parsed.has_host() && address[scheme.len() + 1..].starts_with("//") => {
                    Address::Absolute(address.to_owned())
                }
                _ => Address::Invalid,
            }
        }
        Some(_) => Address::Invalid,
        None if address.starts_with("//") => match url::Url::parse(&format!("https:{address}")) {
            Ok(_) => Address::Relative(address.to_owned()),
            Err(_) => Address::Invalid,
        },
        // Template code, of which nobody knows what it would give.
        None if address.contains("{{") => Address::Invalid,
        // Words are no address, and a quote would end the attribute that an old reader puts it in.
        None if address.contains([' ', '\u{3000}', '"', '<', '>', '\\']) && !address.contains(['/', '.']) => {
            Address::Invalid
        }
        None => Address::Relative(address.to_owned()),
    }
}

/// An absolute address.
pub(super) fn absolute(written: &str) -> Option<String> {
    match read(written) {
        Address::Absolute(address) => Some(address),
        Address::Relative(_) | Address::Invalid => None,
    }
}

/// An absolute or relative address.
pub(super) fn any(written: &str) -> Option<String> {
    match read(written) {
        Address::Absolute(address) | Address::Relative(address) => Some(address),
        Address::Invalid => None,
    }
}

/// What stands before the first colon, if that makes it a scheme. Blanks in it are a trick that browsers fall for.
pub(super) fn scheme(address: &str) -> Option<&str> {
    let (scheme, _) = address.split_once(':')?;
    let is_scheme = scheme.chars().next().is_some_and(|c| c.is_ascii_alphabetic())
        && scheme.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.' | ' ' | '\\'));
    is_scheme.then_some(scheme)
}

/// The media type that a suffix stands for.
pub(super) fn media_type(address: &str) -> Option<&'static str> {
    let path = address.split(['?', '#']).next().unwrap_or(address);
    let name = path.rsplit('/').next().unwrap_or(path);
    let (_, suffix) = name.rsplit_once('.')?;
    let suffix = suffix.to_ascii_lowercase();
    MEDIA_TYPES.iter().find(|(known, _)| *known == suffix).map(|(_, media_type)| *media_type)
}

const MEDIA_TYPES: &[(&str, &str)] = &[
    ("mp3", "audio/mpeg"),
    ("m4a", "audio/mp4"),
    ("m4b", "audio/mp4"),
    ("aac", "audio/aac"),
    ("ogg", "audio/ogg"),
    ("oga", "audio/ogg"),
    ("opus", "audio/opus"),
    ("flac", "audio/flac"),
    ("wav", "audio/wav"),
    ("weba", "audio/webm"),
    ("mp4", "video/mp4"),
    ("m4v", "video/mp4"),
    ("mov", "video/quicktime"),
    ("webm", "video/webm"),
    ("ogv", "video/ogg"),
    ("mkv", "video/x-matroska"),
    ("avi", "video/x-msvideo"),
    ("m3u8", "application/vnd.apple.mpegurl"),
    ("pdf", "application/pdf"),
    ("epub", "application/epub+zip"),
    ("zip", "application/zip"),
    ("torrent", "application/x-bittorrent"),
    ("jpg", "image/jpeg"),
    ("jpeg", "image/jpeg"),
    ("png", "image/png"),
    ("gif", "image/gif"),
    ("webp", "image/webp"),
    ("avif", "image/avif"),
    ("svg", "image/svg+xml"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_http_and_relative_addresses_survive() {
        for (input, expect) in [
            ("https://x.example/a.jpg", Some("https://x.example/a.jpg")),
            (" HTTPS://x.example/a b.jpg ", Some("HTTPS://x.example/a b.jpg")),
            ("https://x.example/?a=1&amp;b=&#123;2&#125;", Some("https://x.example/?a=1&b={2}")),
            ("../img/a.jpg", Some("../img/a.jpg")),
            ("//x.example/a.jpg", Some("//x.example/a.jpg")),
            ("/a:b.jpg", Some("/a:b.jpg")),
            ("javascript:alert(1)", None),
            (" java\tscript:alert(1)", None),
            ("java script:alert(1)", None),
            ("JaVaScRiPt&#58;alert(1)", None),
            ("vbscript:x", None),
            ("data:text/html,x", None),
            ("file:///etc/passwd", None),
            ("https://x.example:99999/a.jpg", None),
            ("https:x.example", None),
            ("http://", None),
            ("https://x.example/a\r\nX: y", None),
            ("not a url", None),
            ("{{ site.cdn }}/a.jpg", None),
            ("", None),
        ] {
            assert_eq!(any(input).as_deref(), expect, "{input:?}");
        }
    }

    #[test]
    fn suffixes_tell_the_media_type() {
        assert_eq!(media_type("https://x.example/a.MP3?x=.jpg"), Some("audio/mpeg"));
        assert_eq!(media_type("https://x.example/a"), None);
    }
}
