//! Addresses: which are sound enough to be published, what relative ones mean, and where an item leads.
//!
//! Only absolute http(s) addresses that are legal by RFC 3986 reach a document. A relative one is resolved against
//! the article's own link, else against `site.assets_url` and the file's folder, else against the address that
//! `articles.link` gives; where there is none of these it is dropped.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use url::Url;

use super::Settings;
use crate::entry::{Document, Entry, stem};

/// Longer addresses are dropped: no reader follows them, and one of them could fill a feed.
const LONGEST: usize = 4096;

/// Everything but RFC 3986's unreserved characters.
const NAME: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// What relative addresses of one article mean.
#[derive(Clone, Debug)]
pub(super) struct Base(Option<Url>);

impl Base {
    /// The base of an entry.
    pub(super) fn of(entry: &Entry, settings: &Settings) -> Base {
        let own = entry.article.link.as_deref().and_then(|link| Url::parse(link).ok()).filter(is_web);
        let base = own
            .or_else(|| settings.assets_url.as_deref().and_then(|assets| folder_of(assets, &entry.path)))
            .or_else(|| templated(entry, settings).and_then(|link| Url::parse(&link).ok()));
        Base(base)
    }

    /// No base: relative addresses mean nothing.
    pub(super) fn none() -> Base {
        Base(None)
    }

    /// The sound absolute http(s) address that is meant.
    pub(super) fn web(&self, address: &str) -> Option<String> {
        self.parse(address).filter(is_web).and_then(sound)
    }

    /// As [`Base::web`], but mail and telephone addresses may be linked to as well.
    pub(super) fn link(&self, address: &str) -> Option<String> {
        let url = self.parse(address)?;
        match url.scheme() {
            "http" | "https" => sound(url),
            "mailto" | "tel" => Some(legal(url.as_str(), 0)).filter(|url| url.len() <= LONGEST),
            _ => None,
        }
    }

    fn parse(&self, address: &str) -> Option<Url> {
        let address = address.trim();
        if address.is_empty() || address.len() > LONGEST * 2 {
            return None;
        }
        match &self.0 {
            Some(base) => base.join(address).ok(),
            None if address.starts_with("//") => Url::parse(&format!("https:{address}")).ok(),
            None => Url::parse(address).ok(),
        }
    }
}

/// Where an entry's item leads: its own link, else by the template, else its page here.
pub(super) fn item(entry: &Entry, settings: &Settings) -> String {
    own(entry)
        .or_else(|| templated(entry, settings))
        .unwrap_or_else(|| settings.address(&Document::Article(entry.uuid)))
}

/// The link that the author wrote.
pub(super) fn own(entry: &Entry) -> Option<String> {
    entry.article.link.as_deref().and_then(|link| Base::none().web(link))
}

/// The address that `articles.link` gives.
fn templated(entry: &Entry, settings: &Settings) -> Option<String> {
    let template = settings.link.as_deref()?;
    let day = entry.published.with_timezone(&settings.timezone);
    let stem = stem(&entry.path);
    let mut link = String::with_capacity(template.len() + stem.len());
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        link.push_str(before);
        let Some((name, tail)) = after.split_once('}') else {
            link.push('{');
            rest = after;
            continue;
        };
        match name {
            "year" => link.push_str(&day.format("%Y").to_string()),
            "month" => link.push_str(&day.format("%m").to_string()),
            "day" => link.push_str(&day.format("%d").to_string()),
            // A slug may be a path of its own.
            "slug" => push_names(entry.article.slug.as_deref().unwrap_or_else(|| undated(stem)), &mut link),
            "stem" => push_names(stem, &mut link),
            "dir" => push_names(folder(&entry.path), &mut link),
            // The config has been checked; a word that is not known stands as it is written.
            _ => {
                link.push('{');
                link.push_str(name);
                link.push('}');
            }
        }
        rest = tail;
    }
    link.push_str(rest);
    Base::none().web(&link)
}

/// Appends a path, each name percent-encoded.
fn push_names(path: &str, out: &mut String) {
    for (at, name) in path.trim_matches('/').split('/').filter(|name| !matches!(*name, "" | "." | "..")).enumerate() {
        if at > 0 {
            out.push('/');
        }
        out.extend(utf8_percent_encode(name, NAME));
    }
}

/// A file stem without the date that Jekyll puts before it.
fn undated(stem: &str) -> &str {
    let mut parts = stem.splitn(4, '-');
    let mut number = |digits: std::ops::RangeInclusive<usize>| {
        parts.next().is_some_and(|part| digits.contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit()))
    };
    if number(4..=4) && number(1..=2) && number(1..=2) {
        return parts.next().filter(|name| !name.is_empty()).unwrap_or(stem);
    }
    stem
}

/// The folder of a path, without a slash at its end.
fn folder(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(folder, _)| folder)
}

/// The folder of a file below the address of the assets.
fn folder_of(assets: &str, path: &str) -> Option<Url> {
    let mut base = format!("{}/", assets.trim_end_matches('/'));
    let folder = folder(path);
    if !folder.is_empty() {
        push_names(folder, &mut base);
        base.push('/');
    }
    Url::parse(&base).ok().filter(is_web)
}

fn is_web(url: &Url) -> bool {
    matches!(url.scheme(), "http" | "https") && url.has_host()
}

/// A web address as it is published: no credentials, every character legal by RFC 3986.
fn sound(mut url: Url) -> Option<String> {
    // Nobody means to publish a password, and browsers refuse to load such pictures.
    url.set_username("").ok()?;
    url.set_password(None).ok()?;
    let text = url.as_str();
    let authority = text.find("://").map_or(0, |at| at + 3);
    let path = text[authority..].find(['/', '?', '#']).map_or(text.len(), |at| authority + at);
    let legal = legal(text, path);
    (legal.len() <= LONGEST).then_some(legal)
}

/// Percent-encodes from `start` on what RFC 3986 does not allow in a path, query or fragment, and `%` that encodes
/// nothing.
fn legal(url: &str, start: usize) -> String {
    let mut out = String::with_capacity(url.len());
    out.push_str(&url[..start]);
    let bytes = url.as_bytes();
    let mut fragment = false;
    for (at, c) in url[start..].char_indices().map(|(at, c)| (at + start, c)) {
        let plain = match c {
            'a'..='z' | 'A'..='Z' | '0'..='9' => true,
            '-' | '.' | '_' | '~' | ':' | '/' | '?' | '@' | '!' | '$' | '&' | '\'' | '(' | ')' => true,
            '*' | '+' | ',' | ';' | '=' => true,
            '#' => !std::mem::replace(&mut fragment, true),
            '%' => bytes.get(at + 1..at + 3).is_some_and(|hex| hex.iter().all(u8::is_ascii_hexdigit)),
            _ => false,
        };
        if plain {
            out.push(c);
        } else {
            out.extend(utf8_percent_encode(c.encode_utf8(&mut [0; 4]), NON_ALPHANUMERIC));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn web(address: &str) -> Option<String> {
        Base::none().web(address)
    }

    #[test]
    fn only_sound_addresses_pass() {
        for address in [
            "javascript:alert(1)",
            " java\tscript:alert(1)",
            "data:text/html,x",
            "vbscript:x",
            "file:///etc/passwd",
            "../img/a.jpg",
            "not a url",
            "",
            "https://x.example:99999/a.jpg",
            "http://",
        ] {
            assert_eq!(web(address), None, "{address}");
        }
        assert_eq!(web(&format!("https://x.example/{}", "a".repeat(5000))), None);
    }

    #[test]
    fn addresses_are_encoded_once() {
        for (address, expected) in [
            ("https://x.example/a b.jpg", "https://x.example/a%20b.jpg"),
            ("https://x.example/a%20b.jpg", "https://x.example/a%20b.jpg"),
            ("https://x.example/100%.jpg", "https://x.example/100%25.jpg"),
            ("https://x.example/a[1]{2}|^`.jpg?x=<y>", "https://x.example/a%5B1%5D%7B2%7D%7C%5E%60.jpg?x=%3Cy%3E"),
            ("https://x.example/a.jpg\" onerror=\"alert(1)", "https://x.example/a.jpg%22%20onerror=%22alert(1)"),
            ("https://user:pass@x.example/a.jpg", "https://x.example/a.jpg"),
            ("https://例え.jp/画像.jpg", "https://xn--r8jz45g.jp/%E7%94%BB%E5%83%8F.jpg"),
            ("//x.example/a.jpg", "https://x.example/a.jpg"),
            ("https://cors.example/?http://x.example/a b.jpg", "https://cors.example/?http://x.example/a%20b.jpg"),
            ("https://x.example/a#b#c", "https://x.example/a#b%23c"),
            ("http://[::1]:80/x", "http://[::1]/x"),
        ] {
            let once = web(address).unwrap_or_default();
            assert_eq!(once, expected);
            assert_eq!(web(&once).as_deref(), Some(expected), "stable");
        }
    }

    #[test]
    fn stems_lose_their_date() {
        assert_eq!(undated("2022-04-11-a-b"), "a-b");
        assert_eq!(undated("2022-04-11"), "2022-04-11");
        assert_eq!(undated("2022-04-11-"), "2022-04-11-");
        assert_eq!(undated("a-b-c-d"), "a-b-c-d");
        assert_eq!(undated("很-2022-04-11"), "很-2022-04-11");
    }
}
