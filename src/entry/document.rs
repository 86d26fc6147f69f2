//! A document: anything that can be served, and its one path.
//!
//! Documents and paths map one to one. Routing, links, OPML, `build` and publishing all use this mapping, so an
//! address that is written anywhere is an address that answers.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use uuid::Uuid;

use super::key::{Key, Kind};
use super::segment::Segment;

/// Everything but RFC 3986's unreserved characters.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A feed format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Format {
    /// RSS 2.0.
    Rss,
    /// Atom 1.0 (RFC 4287).
    Atom,
    /// JSON Feed 1.1.
    Json,
}

impl Format {
    /// Every format, in the default order.
    pub const ALL: [Format; 3] = [Format::Rss, Format::Atom, Format::Json];

    /// The name in config, metrics and, after a dot, in paths.
    pub fn as_str(self) -> &'static str {
        match self {
            Format::Rss => "rss",
            Format::Atom => "atom",
            Format::Json => "json",
        }
    }

    /// The format of a name.
    pub fn from_name(name: &str) -> Option<Format> {
        Format::ALL.into_iter().find(|format| format.as_str() == name)
    }

    /// The media type with parameters.
    pub fn media_type(self) -> &'static str {
        match self {
            Format::Rss => "application/rss+xml; charset=utf-8",
            Format::Atom => "application/atom+xml; charset=utf-8",
            Format::Json => "application/feed+json",
        }
    }

    /// The media type as `type` attributes write it.
    pub fn link_type(self) -> &'static str {
        self.media_type().split(';').next().unwrap_or_default()
    }
}

/// Anything that can be served.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Document {
    /// `/`: the category tree and the top of each other kind.
    Index,
    /// `/category/`, `/tag/~2/`: the keys of a kind; pages count from 1. Never of `all`.
    List(Kind, u32),
    /// `/KEY.rss`: a feed.
    Feed(Key, Format),
    /// `/KEY/`: a feed as a page for people.
    Page(Key),
    /// `/archive/KEY/N.rss`: an archive document, from 1 (oldest) (RFC 5005 section 4).
    Archive(Key, u32, Format),
    /// `/article/UUID/`: an article as a page.
    Article(Uuid),
    /// `/feeds.opml`.
    Opml,
    /// `/-/feedmill.css`.
    Style,
    /// `/favicon.svg`.
    Icon,
    /// `/robots.txt`.
    Robots,
}

impl Document {
    /// The path in URLs, percent-encoded, from the leading slash on.
    pub fn path(&self) -> String {
        self.write(&|name: &Segment, out: &mut String| {
            out.extend(utf8_percent_encode(name.as_str(), SEGMENT));
        })
    }

    /// The path of the file below a folder that `build` writes, without a leading slash.
    pub fn file(&self) -> String {
        let path = self.write(&|name: &Segment, out: &mut String| out.push_str(&name.to_key_text()));
        let file = path.trim_start_matches('/');
        if path.ends_with('/') { format!("{file}index.html") } else { file.to_owned() }
    }

    fn write(&self, name: &dyn Fn(&Segment, &mut String)) -> String {
        let key = |key: &Key, out: &mut String| {
            out.push('/');
            out.push_str(key.kind().as_str());
            for segment in key.names() {
                out.push('/');
                name(segment, out);
            }
        };
        let mut out = String::new();
        match self {
            Document::Index => out.push('/'),
            Document::List(kind, 1) => out = format!("/{}/", kind.as_str()),
            Document::List(kind, page) => out = format!("/{}/~{page}/", kind.as_str()),
            Document::Feed(feed, format) => {
                key(feed, &mut out);
                out.push('.');
                out.push_str(format.as_str());
            }
            Document::Page(feed) => {
                key(feed, &mut out);
                out.push('/');
            }
            Document::Archive(feed, number, format) => {
                out.push_str("/archive");
                key(feed, &mut out);
                out.push_str(&format!("/{number}.{}", format.as_str()));
            }
            Document::Article(uuid) => out = format!("/article/{uuid}/"),
            Document::Opml => out.push_str("/feeds.opml"),
            Document::Style => out.push_str("/-/feedmill.css"),
            Document::Icon => out.push_str("/favicon.svg"),
            Document::Robots => out.push_str("/robots.txt"),
        }
        out
    }

    /// The document at a path; any equivalent percent-encoding is accepted. `None` where there can be none.
    pub fn from_path(path: &str) -> Option<Document> {
        match path {
            "/" => return Some(Document::Index),
            "/feeds.opml" => return Some(Document::Opml),
            "/-/feedmill.css" => return Some(Document::Style),
            "/favicon.svg" => return Some(Document::Icon),
            "/robots.txt" => return Some(Document::Robots),
            _ => {}
        }
        let rest = path.strip_prefix('/')?;
        if let Some(rest) = rest.strip_prefix("article/") {
            let text = rest.strip_suffix('/')?;
            let uuid = Uuid::try_parse(text).ok()?;
            // One spelling only: the hyphenated one, in lower case.
            return (uuid.hyphenated().to_string() == text).then_some(Document::Article(uuid));
        }
        if let Some(rest) = rest.strip_prefix("archive/") {
            let (feed, file) = rest.rsplit_once('/')?;
            let (number, format) = file.split_once('.')?;
            return Some(Document::Archive(key_from_path(feed)?, count(number)?, Format::from_name(format)?));
        }
        if let Some(rest) = rest.strip_suffix('/') {
            let mut parts = rest.split('/');
            let kind = parts.next().and_then(Kind::from_name).filter(|&kind| kind != Kind::All);
            return match (kind, parts.next(), parts.next()) {
                (Some(kind), None, _) => Some(Document::List(kind, 1)),
                (Some(kind), Some(name), None) => match name.strip_prefix('~').and_then(count) {
                    Some(1) => None,
                    Some(page) => Some(Document::List(kind, page)),
                    None => Some(Document::Page(key_from_path(rest)?)),
                },
                _ => Some(Document::Page(key_from_path(rest)?)),
            };
        }
        let (feed, format) = rest.rsplit_once('.')?;
        Some(Document::Feed(key_from_path(feed)?, Format::from_name(format)?))
    }

    /// The feed that the document shows, if it shows one.
    pub fn key(&self) -> Option<&Key> {
        match self {
            Document::Feed(key, _) | Document::Page(key) | Document::Archive(key, ..) => Some(key),
            _ => None,
        }
    }

    /// The media type with parameters.
    pub fn media_type(&self) -> &'static str {
        match self {
            Document::Feed(_, format) | Document::Archive(_, _, format) => format.media_type(),
            Document::Index | Document::List(..) | Document::Page(_) | Document::Article(_) => {
                "text/html; charset=utf-8"
            }
            Document::Opml => "text/x-opml; charset=utf-8",
            Document::Style => "text/css; charset=utf-8",
            Document::Icon => "image/svg+xml",
            Document::Robots => "text/plain; charset=utf-8",
        }
    }
}

/// The key at a path without its leading slash, as in `/KEY`; any equivalent percent-encoding is accepted.
pub fn key_from_path(path: &str) -> Option<Key> {
    let mut parts = path.split('/');
    let kind = Kind::from_name(parts.next()?)?;
    let names = parts
        .map(|part| Segment::from_shaped(&percent_decode_str(part).decode_utf8().ok()?))
        .collect::<Option<Vec<_>>>()?;
    Key::new(kind, names)
}

/// The path of `/KEY`, the address that negotiates.
pub fn key_path(key: &Key) -> String {
    let page = Document::Page(key.clone()).path();
    page.trim_end_matches('/').to_owned()
}

/// A number from 1 without sign or leading zeros.
fn count(text: &str) -> Option<u32> {
    let number: u32 = text.parse().ok()?;
    (number > 0 && number.to_string() == text).then_some(number)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn keys() -> impl Strategy<Value = Key> {
        let name = "\\PC{1,12}|[%/25Ff.~a-z ]{1,10}|\\.\\.|index\\.html|[a-z]{1,3}\\.(rss|json|html|gz)";
        (prop::sample::select(Kind::ALL.to_vec()), prop::collection::vec(name, 0..4)).prop_filter_map(
            "a key",
            |(kind, names)| {
                let names = names.iter().filter_map(|n| Segment::new(n)).collect();
                Key::new(kind, names)
            },
        )
    }

    fn documents() -> impl Strategy<Value = Document> {
        let format = prop::sample::select(Format::ALL.to_vec());
        prop_oneof![
            (keys(), format.clone()).prop_map(|(k, f)| Document::Feed(k, f)),
            keys().prop_map(Document::Page),
            (keys(), 1..9999u32, format).prop_map(|(k, n, f)| Document::Archive(k, n, f)),
            (prop::sample::select(Kind::ALL[1..].to_vec()), 1..99u32).prop_map(|(k, n)| Document::List(k, n)),
            any::<u128>().prop_map(|n| Document::Article(Uuid::from_u128(n))),
            prop::sample::select(vec![Document::Index, Document::Opml, Document::Style, Document::Robots]),
        ]
    }

    proptest! {
        #[test]
        fn documents_and_paths_map_one_to_one(document in documents()) {
            let path = document.path();
            prop_assert!(path.bytes().all(|b| b.is_ascii_alphanumeric() || b"/-._~%".contains(&b)), "{path}");
            prop_assert_eq!(Document::from_path(&path), Some(document.clone()));
            let file = document.file();
            prop_assert!(file.split('/').all(|p| !p.is_empty() && p != "." && p != ".." && p.len() <= 255), "{file}");
        }

        #[test]
        fn two_documents_never_share_a_file(a in documents(), b in documents()) {
            prop_assert_eq!(a == b, a.file() == b.file());
        }

        #[test]
        fn any_path_is_read_without_panic(path in "/?(category|tag|archive|article|all)?[/%.~0-9a-fA-F]{0,20}|\\PC{0,30}") {
            if let Some(document) = Document::from_path(&path) {
                prop_assert_eq!(Document::from_path(&document.path()), Some(document));
            }
        }
    }

    #[test]
    fn equivalent_spellings_are_accepted() {
        let document = Document::from_path("/category/金融.rss");
        assert!(document.is_some());
        assert_eq!(document, Document::from_path("/category/%E9%87%91%e8%9e%8d.rss"));
        assert_eq!(Document::from_path("/tag/%61.rss"), Document::from_path("/tag/a.rss"));
        assert_eq!(Document::from_path("/tag/%2e%2e/"), None);
        assert_eq!(Document::from_path("/tag/%00/"), None);
        assert_eq!(Document::from_path("/tag/%c0%af/"), None);
        assert_eq!(Document::from_path("/all/"), Some(Document::Page(Key::all())));
        assert_eq!(Document::from_path("/archive/all/01.rss"), None);
    }
}
