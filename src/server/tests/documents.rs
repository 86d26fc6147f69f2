//! Documents: headers, conditions, codings, negotiation, wrong requests.

use std::io::Read;
use std::sync::PoisonError;
use std::sync::atomic::Ordering;

use uuid::Uuid;

use super::{Site, ask, large, settings};
use crate::entry::{Document, Format, Key, Kind};

fn key(text: &str) -> Key {
    Key::parse(text).expect("a key")
}

#[tokio::test]
async fn a_feed_has_all_its_headers() {
    let site = Site::with_all().await;
    let reply = site.get("/all.rss?utm=x", &[]).await;
    assert_eq!((reply.status, reply.text()), (200, &*large("rss")));
    for (name, value) in [
        ("content-type", "application/rss+xml; charset=utf-8"),
        ("content-length", &*large("rss").len().to_string()),
        ("last-modified", "Mon, 11 Apr 2022 13:01:53 GMT"),
        ("cache-control", "max-age=60, stale-while-revalidate=60, stale-if-error=86400"),
        ("vary", "Accept-Encoding"),
        ("accept-ranges", "none"),
        ("x-content-type-options", "nosniff"),
        ("access-control-allow-origin", "*"),
    ] {
        assert_eq!(reply.field(name), Some(value), "{name}");
    }
    assert!(reply.field("etag").is_some_and(|tag| tag.starts_with('"')) && reply.field("date").is_some());
    assert_eq!(reply.field("content-encoding"), None);
    assert_eq!(reply.field("content-security-policy"), None);

    let head = ask(&site.http, "HEAD", "/all.rss", &[]).await;
    assert_eq!((head.status, head.body.len()), (200, 0));
    for name in ["etag", "last-modified", "content-length", "content-type", "cache-control", "vary"] {
        assert_eq!(head.field(name), reply.field(name), "{name}");
    }

    let page = site.get("/all/", &[]).await;
    assert_eq!(page.field("content-type"), Some("text/html; charset=utf-8"));
    assert!(page.field("content-security-policy").is_some_and(|policy| policy.starts_with("default-src 'none'")));
    assert_eq!(page.field("access-control-allow-origin"), None);
    site.stop().await;
}

#[tokio::test]
async fn archives_live_longer() {
    let site = Site::start(settings()).await;
    site.memory.put(Document::Archive(Key::all(), 1, Format::Rss), "archive");
    let reply = site.get("/archive/all/1.rss", &[]).await;
    assert_eq!(reply.field("cache-control"), Some("max-age=3600, stale-while-revalidate=3600, stale-if-error=86400"));
    assert_eq!(site.get("/archive/all/2.rss", &[]).await.status, 404);
    site.stop().await;
}

#[tokio::test]
async fn a_client_that_has_it_gets_a_304() {
    let site = Site::with_all().await;
    let full = site.get("/all.rss", &[("Accept-Encoding", "gzip")]).await;
    let tag = full.field("etag").expect("an ETag").to_owned();
    let (heads, renders) = (&site.memory.heads, &site.memory.renders);
    let before = (heads.load(Ordering::SeqCst), renders.load(Ordering::SeqCst));
    let same = site.get("/all.rss", &[("Accept-Encoding", "gzip, br"), ("If-None-Match", &tag)]).await;
    assert_eq!((same.status, same.body.len()), (304, 0));
    for name in ["etag", "last-modified", "cache-control", "vary", "access-control-allow-origin"] {
        assert_eq!(same.field(name), full.field(name), "{name}");
    }
    let head = ask(&site.http, "HEAD", "/all.rss", &[("Accept-Encoding", "gzip"), ("If-None-Match", &tag)]).await;
    assert_eq!(head.status, 304);
    let since = [("If-Modified-Since", "Mon, 11 Apr 2022 13:01:53 GMT")];
    assert_eq!(site.get("/all.rss", &since).await.status, 304);
    let before_that = [("If-Modified-Since", "Mon, 11 Apr 2022 13:01:52 GMT")];
    assert_eq!(site.get("/all.rss", &before_that).await.status, 200);
    assert_eq!(site.get("/all.rss", &[("If-None-Match", "\"x\""), since[0]]).await.status, 200);
    let failed = site.get("/all.rss", &[("If-Match", "\"x\"")]).await;
    assert_eq!((failed.status, failed.field("vary")), (412, Some("Accept, Accept-Encoding")));
    assert_eq!(site.get("/nothing.rss", &[("If-Match", "\"x\"")]).await.status, 404);
    // No table was read for any of them, and nothing made.
    assert_eq!((heads.load(Ordering::SeqCst), renders.load(Ordering::SeqCst)), before);

    site.memory.put(Document::Feed(Key::all(), Format::Rss), &large("other"));
    let renditions = site.state.renditions.read().unwrap_or_else(PoisonError::into_inner).clone().expect("there");
    renditions.changed(&crate::catalog::Delta { keys: [Key::all()].into(), ..Default::default() });
    let changed = site.get("/all.rss", &[("Accept-Encoding", "gzip"), ("If-None-Match", &tag)]).await;
    assert_eq!(changed.status, 200);
    assert_ne!(changed.field("etag"), Some(&*tag));
    site.stop().await;
}

#[tokio::test]
async fn codings_are_negotiated() {
    let site = Site::with_all().await;
    let gzip = site.get("/all.rss", &[("Accept-Encoding", "gzip")]).await;
    assert_eq!(gzip.field("content-encoding"), Some("gzip"));
    let mut text = String::new();
    flate2::read::GzDecoder::new(&*gzip.body).read_to_string(&mut text).expect("gzip");
    assert_eq!(text, large("rss"));
    let zstd = site.get("/all.rss", &[("Accept-Encoding", "zstd")]).await;
    assert_eq!(zstd.field("content-encoding"), Some("zstd"));
    assert_eq!(zstd::stream::decode_all(&*zstd.body).expect("zstd"), large("rss").as_bytes());
    assert_ne!(gzip.field("etag"), zstd.field("etag"));
    // Who takes brotli alone gets it at once; then it is offered to all.
    let all = "gzip, br, zstd";
    assert_eq!(site.get("/all/", &[("Accept-Encoding", all)]).await.field("content-encoding"), Some("zstd"));
    assert_eq!(site.get("/all.rss", &[("Accept-Encoding", "br")]).await.field("content-encoding"), Some("br"));
    assert_eq!(site.get("/all.rss", &[("Accept-Encoding", all)]).await.field("content-encoding"), Some("br"));
    let none = site.get("/all.rss", &[("Accept-Encoding", "identity;q=0, deflate")]).await;
    assert_eq!((none.status, none.field("vary")), (406, Some("Accept, Accept-Encoding")));
    // The second to ask makes it worth the time.
    loop {
        let reply = site.get("/all/", &[("Accept-Encoding", all)]).await;
        if reply.field("content-encoding") == Some("br") {
            break;
        }
    }
    site.stop().await;
}

#[tokio::test]
async fn a_small_document_is_not_encoded_unless_it_must() {
    let site = Site::start(settings()).await;
    site.memory.put(Document::Robots, "User-agent: *\n");
    let plain = site.get("/robots.txt", &[("Accept-Encoding", "gzip")]).await;
    assert_eq!((plain.status, plain.field("content-encoding")), (200, None));
    let tag = plain.field("etag").expect("an ETag");
    let fields = [("Accept-Encoding", "gzip"), ("If-None-Match", tag)];
    assert_eq!(site.get("/robots.txt", &fields).await.status, 304);
    let forced = site.get("/robots.txt", &[("Accept-Encoding", "gzip, identity;q=0")]).await;
    assert_eq!(forced.field("content-encoding"), Some("gzip"));
    site.stop().await;
}

#[tokio::test]
async fn a_key_is_negotiated() {
    let site = Site::with_all().await;
    for (accept, media_type, place) in [
        ("*/*", "application/rss+xml; charset=utf-8", "./all.rss"),
        ("application/atom+xml", "application/atom+xml; charset=utf-8", "./all.atom"),
        ("text/html,application/xhtml+xml,application/xml;q=0.9", "text/html; charset=utf-8", "./all/"),
    ] {
        let reply = site.get("/all", &[("Accept", accept)]).await;
        assert_eq!(reply.status, 200, "{accept}");
        assert_eq!(reply.field("content-type"), Some(media_type));
        assert_eq!(reply.field("content-location"), Some(place));
        assert_eq!(reply.field("vary"), Some("Accept, Accept-Encoding"));
        let tag = reply.field("etag").expect("an ETag");
        let same = site.get("/all", &[("Accept", accept), ("If-None-Match", tag)]).await;
        assert_eq!((same.status, same.field("vary")), (304, Some("Accept, Accept-Encoding")));
    }
    let none = site.get("/all", &[("Accept", "image/png")]).await;
    assert_eq!((none.status, none.field("vary")), (406, Some("Accept, Accept-Encoding")));
    for place in ["./all.rss", "./all.atom", "./all/"] {
        assert!(none.text().contains(place), "{}", none.text());
    }
    assert_eq!(site.get("/tag/none", &[("Accept", "image/png")]).await.status, 404);
    assert_eq!(site.get("/all.json", &[]).await.status, 404);
    site.stop().await;
}

#[tokio::test]
async fn short_category_names_are_redirected() {
    let site = Site::start(settings()).await;
    for path in ["category/a/x", "category/b/x", "category/a/y"] {
        site.memory.put(Document::Feed(key(path), Format::Rss), "feed");
        site.memory.put(Document::Page(key(path)), "page");
    }
    for (from, to) in [
        ("/category/y", "../category/a/y"),
        ("/category/y.rss", "../category/a/y.rss"),
        ("/category/y/", "../../category/a/y/"),
    ] {
        let reply = site.get(from, &[]).await;
        assert_eq!((reply.status, reply.field("location")), (307, Some(to)), "{from}");
    }
    let several = site.get("/category/x.rss", &[]).await;
    assert_eq!((several.status, several.field("location")), (300, None));
    assert!(several.text().contains("../category/a/x.rss") && several.text().contains("../category/b/x.rss"));
    assert_eq!(site.get("/category/z.rss", &[]).await.status, 404);
    site.memory.put(Document::Feed(key("category/a/finance"), Format::Rss), "feed");
    let near = site.get("/category/fiance.rss", &[]).await;
    assert_eq!((near.status, near.field("location")), (404, None));
    assert!(near.text().contains("../category/a/finance.rss"), "{}", near.text());
    assert_eq!(site.get("/category/z/y.rss", &[]).await.status, 404);
    site.stop().await;
}

#[tokio::test]
async fn pages_have_their_slash() {
    let site = Site::start(settings()).await;
    site.memory.put(Document::List(Kind::Tag, 1), "tags");
    let reply = site.get("/tag", &[]).await;
    assert_eq!((reply.status, reply.field("location")), (308, Some("./tag/")));
    assert_eq!(site.get("/tag/", &[]).await.status, 200);
    assert_eq!(site.get("/author", &[]).await.status, 404);
    site.stop().await;
}

#[tokio::test]
async fn a_withdrawn_article_is_gone() {
    let site = Site::start(settings()).await;
    let article = Document::Article(Uuid::from_u128(1));
    site.memory.put(article.clone(), "article");
    assert_eq!(site.get(&article.path(), &[]).await.status, 200);
    site.memory.withdraw(&article);
    let renditions = site.state.renditions.read().unwrap_or_else(PoisonError::into_inner).clone().expect("there");
    renditions.changed(&crate::catalog::Delta { entries: [Uuid::from_u128(1)].into(), ..Default::default() });
    assert_eq!(site.get(&article.path(), &[]).await.status, 410);
    assert_eq!(site.get(&Document::Article(Uuid::from_u128(2)).path(), &[]).await.status, 404);
    site.stop().await;
}

#[tokio::test]
async fn wrong_requests_get_the_right_answer() {
    let site = Site::with_all().await;
    for method in ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "BREW"] {
        let reply = ask(&site.http, method, "/all.rss", &[]).await;
        assert_eq!((reply.status, reply.field("allow")), (405, Some("GET, HEAD")), "{method}");
    }
    let preflight = [("Origin", "https://reader.example"), ("Access-Control-Request-Method", "GET")];
    let reply = ask(&site.http, "OPTIONS", "/all.rss", &preflight).await;
    assert_eq!((reply.status, reply.field("access-control-allow-origin")), (204, Some("*")));
    for path in ["/healthz", "/metrics", "/status.json", "/hub", "/nothing", "/category/..%2f..%2fx", "/all.rss/"] {
        assert_eq!(site.get(path, &[]).await.status, 404, "{path}");
    }
    assert_eq!(site.get(&format!("/{}", "x".repeat(9000)), &[]).await.status, 414);
    let json = site.get("/nothing", &[("Accept", "application/json")]).await;
    assert_eq!(json.field("content-type"), Some("application/problem+json"));
    let page = site.get("/nothing", &[("Accept", "text/html")]).await;
    assert_eq!(page.field("content-type"), Some("text/html; charset=utf-8"));
    assert_eq!(page.field("vary"), Some("Accept"));
    site.stop().await;
}
