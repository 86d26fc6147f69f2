//! Routing: a method and a target → what is asked for. Pure.
//!
//! The only addresses are the paths of [`Document`]s, `/KEY`, which negotiates, and the paths of pages without their
//! slash. Query strings mean nothing. HEAD is routed as GET (RFC 9110 section 9.3.2).

use hyper::{Method, Uri};

use crate::entry::{Document, Key};

/// The longest target that is looked at (RFC 9110 section 15.5.15).
const LONGEST_TARGET: usize = 8 * 1024;

/// What a request asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Route {
    /// A document.
    Document(Document),
    /// `/KEY`: whichever of the feed's documents the client prefers.
    Negotiate(Key),
    /// A page's address without its slash (308).
    Slash(Document),
    /// A known path with another method (405).
    MethodNotAllowed,
    /// No such path (404).
    NotFound,
    /// Not a target of this server at all (400).
    BadRequest,
    /// A target beyond the limit (414).
    TooLong,
}

/// Routes a request on the public address.
pub fn route(method: &Method, uri: &Uri) -> Route {
    if uri.path().len() + uri.query().map_or(0, str::len) > LONGEST_TARGET {
        return Route::TooLong;
    }
    let path = uri.path();
    if !path.starts_with('/') {
        // `OPTIONS *` is about the server as a whole, which takes GET and HEAD.
        return if method == Method::OPTIONS && path == "*" { Route::MethodNotAllowed } else { Route::BadRequest };
    }
    let route = match Document::from_path(path) {
        Some(document) => Route::Document(document),
        None => match Document::from_path(&format!("{path}/")) {
            Some(Document::Page(key)) => Route::Negotiate(key),
            Some(document @ (Document::List(..) | Document::Article(_))) => Route::Slash(document),
            _ => return Route::NotFound,
        },
    };
    if matches!(*method, Method::GET | Method::HEAD) { route } else { Route::MethodNotAllowed }
}

/// A relative reference (RFC 3986 section 4.2) from the path of a request to another path of this server, both with
/// their leading slash. It holds behind a proxy that serves us below a prefix.
pub fn relative(from: &str, to: &str) -> String {
    let depth = from.matches('/').count().saturating_sub(1);
    let up = if depth == 0 { "./".to_owned() } else { "../".repeat(depth) };
    up + to.trim_start_matches('/')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;
    use crate::entry::{Format, Kind, key_path};

    fn get(path: &str) -> Route {
        route(&Method::GET, &path.parse().expect("a URI"))
    }

    fn key(text: &str) -> Key {
        Key::parse(text).expect("a key")
    }

    #[test]
    fn paths_have_routes() {
        let article = Uuid::from_u128(7);
        let table = [
            ("/", Route::Document(Document::Index)),
            ("/all", Route::Negotiate(Key::all())),
            ("/all/", Route::Document(Document::Page(Key::all()))),
            ("/all.rss", Route::Document(Document::Feed(Key::all(), Format::Rss))),
            ("/all.rss?x=1", Route::Document(Document::Feed(Key::all(), Format::Rss))),
            ("/category/a/b", Route::Negotiate(key("category/a/b"))),
            ("/category/%E9%87%91%E8%9E%8D", Route::Negotiate(key("category/金融"))),
            ("/category", Route::Slash(Document::List(Kind::Category, 1))),
            ("/tag", Route::Slash(Document::List(Kind::Tag, 1))),
            ("/tag/", Route::Document(Document::List(Kind::Tag, 1))),
            ("/tag/~2", Route::Slash(Document::List(Kind::Tag, 2))),
            ("/tag/~2/", Route::Document(Document::List(Kind::Tag, 2))),
            ("/tag/.rss", Route::NotFound),
            ("/tag/x.atom", Route::Document(Document::Feed(key("tag/x"), Format::Atom))),
            ("/tag/x.opml", Route::NotFound),
            ("/archive/all/3.json", Route::Document(Document::Archive(Key::all(), 3, Format::Json))),
            ("/archive/all/0.json", Route::NotFound),
            ("/feeds.opml", Route::Document(Document::Opml)),
            ("/robots.txt", Route::Document(Document::Robots)),
            ("/hub", Route::NotFound),
            ("/hub/", Route::NotFound),
            ("/nothing", Route::NotFound),
            ("/metrics", Route::NotFound),
            ("/healthz", Route::NotFound),
            ("//", Route::NotFound),
            ("//all.rss", Route::NotFound),
            ("/all//", Route::NotFound),
            ("/all/.", Route::NotFound),
            ("/../all.rss", Route::NotFound),
            ("/category/../../etc/passwd", Route::NotFound),
            ("/category/%2e%2e/x.rss", Route::NotFound),
            ("/category/..%2f..%2fetc%2fpasswd", Route::Negotiate(key("category/..%2F..%2Fetc%2Fpasswd"))),
            ("/category/%00.rss", Route::NotFound),
            ("/category/%c0%ae%c0%ae/", Route::NotFound),
            ("/category/a\\b.rss", Route::Document(Document::Feed(key("category/a\\b"), Format::Rss))),
            ("http://elsewhere.example/all.rss", Route::Document(Document::Feed(Key::all(), Format::Rss))),
        ];
        for (path, expected) in table {
            assert_eq!(get(path), expected, "{path}");
        }
        assert_eq!(get(&format!("/article/{article}/")), Route::Document(Document::Article(article)));
        assert_eq!(get(&format!("/article/{article}")), Route::Slash(Document::Article(article)));
    }

    #[test]
    fn other_methods_are_told_what_is_allowed() {
        let uri: Uri = "/all.rss".parse().expect("a URI");
        for method in [Method::POST, Method::PUT, Method::DELETE, Method::OPTIONS, Method::TRACE, Method::PATCH] {
            assert_eq!(route(&method, &uri), Route::MethodNotAllowed);
            assert_eq!(route(&method, &"/nothing".parse().expect("a URI")), Route::NotFound);
        }
        assert_eq!(route(&Method::HEAD, &uri), get("/all.rss"));
        assert_eq!(route(&Method::OPTIONS, &"*".parse().expect("a URI")), Route::MethodNotAllowed);
        assert_eq!(get("*"), Route::BadRequest);
        assert_eq!(route(&Method::CONNECT, &"host:80".parse().expect("a URI")), Route::BadRequest);
    }

    #[test]
    fn targets_have_a_limit() {
        assert_eq!(get(&format!("/all.rss?{}", "x".repeat(9000))), Route::TooLong);
        assert_eq!(get(&format!("/{}", "x".repeat(9000))), Route::TooLong);
    }

    #[test]
    fn references_are_relative() {
        assert_eq!(relative("/tag", "/tag/"), "./tag/");
        assert_eq!(relative("/category/x.rss", "/category/a/x.rss"), "../category/a/x.rss");
        assert_eq!(relative("/category/x/", "/category/a/x/"), "../../category/a/x/");
    }

    proptest! {
        #[test]
        fn a_key_is_negotiated_at_its_path(names in prop::collection::vec("[a-z金%/. ]{1,8}", 1..4)) {
            let names = names.iter().filter_map(|name| crate::entry::Segment::new(name)).collect();
            if let Some(key) = Key::new(Kind::Category, names) {
                prop_assert_eq!(get(&key_path(&key)), Route::Negotiate(key));
            }
        }

        #[test]
        fn any_target_is_routed(path in "/[!-~]{0,40}") {
            if let Ok(uri) = path.parse() {
                let _ = route(&Method::GET, &uri);
                let _ = route(&Method::POST, &uri);
            }
        }

        #[test]
        fn relative_references_resolve(from in "(/[a-z]{1,5}){1,4}/?", to in "(/[a-z]{1,5}){1,4}/?") {
            let base = url::Url::parse(&format!("http://host{from}")).expect("a URL");
            let resolved = base.join(&relative(&from, &to)).expect("a URL");
            prop_assert_eq!(resolved.path(), to);
        }
    }
}
