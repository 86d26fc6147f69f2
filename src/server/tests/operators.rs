//! The admin address, and the public one before there is anything to show.

use std::sync::PoisonError;

use super::{Site, ask, settings};

#[tokio::test]
async fn before_the_first_state_clients_are_asked_to_come_again() {
    let site = Site::start(settings()).await;
    *site.state.renditions.write().unwrap_or_else(PoisonError::into_inner) = None;
    {
        let mut health = site.state.health.write().unwrap_or_else(PoisonError::into_inner);
        (health.ready, health.progress) = (false, Some("12 of 30 files".to_owned()));
    }
    for path in ["/", "/all.rss", "/nothing"] {
        let reply = site.get(path, &[]).await;
        assert_eq!((reply.status, reply.field("retry-after")), (503, Some("2")), "{path}");
        assert_eq!(reply.field("cache-control"), Some("no-store"));
    }
    assert_eq!(site.get_admin("/healthz").await.status, 200);
    let ready = site.get_admin("/readyz").await;
    assert_eq!((ready.status, ready.text()), (503, r#"{"status":"starting","why":["12 of 30 files"]}"#));
    assert_eq!(site.get_admin("/problems.json").await.text(), r#"{"problems":[]}"#);
    assert_eq!(site.get_admin("/status.json").await.status, 200);
    site.stop().await;
}

#[tokio::test]
async fn operators_are_answered_on_their_own_address() {
    let site = Site::with_all().await;
    site.get("/all.rss", &[]).await;
    for (path, media_type) in [
        ("/", "text/html; charset=utf-8"),
        ("/healthz", "text/plain; charset=utf-8"),
        ("/readyz", "application/json"),
        ("/metrics", "text/plain; version=0.0.4; charset=utf-8"),
        ("/status", "text/html; charset=utf-8"),
        ("/status.json", "application/json"),
        ("/problems", "text/html; charset=utf-8"),
        ("/problems.json", "application/json"),
        ("/problems.atom", "application/atom+xml; charset=utf-8"),
    ] {
        let reply = site.get_admin(path).await;
        assert_eq!((reply.status, reply.field("content-type")), (200, Some(media_type)), "{path}");
        assert_eq!(reply.field("cache-control"), Some("no-store"), "{path}");
    }
    assert_eq!(site.get_admin("/readyz").await.text(), r#"{"status":"ok","why":[]}"#);
    let metrics = site.get_admin("/metrics").await;
    for line in [
        "feedmill_articles 1",
        "feedmill_renders_total{format=\"rss\"} 1",
        "feedmill_http_requests_total{class=\"feed\",status=\"200\"} 1",
    ] {
        assert!(metrics.text().lines().any(|found| found == line), "{line} in\n{}", metrics.text());
    }
    for _ in 0..2 {
        site.get("/all.rss", &[("User-Agent", "Fetcher/1 (12 subscribers)")]).await;
    }
    let metrics = site.get_admin("/metrics").await;
    for line in ["feedmill_subscribers 12", "feedmill_clients_without_validators 1", "feedmill_files_held 1"] {
        assert!(metrics.text().lines().any(|found| found == line), "{line} in\n{}", metrics.text());
    }
    let open = ask(&site.admin, "GET", "/metrics", &[("Accept", "application/openmetrics-text;version=1.0.0")]).await;
    assert!(open.text().ends_with("# EOF\n"));
    let status: serde_json::Value = serde_json::from_str(site.get_admin("/status.json").await.text()).expect("JSON");
    assert_eq!(status["addresses"]["http"], site.http.as_str());
    assert_eq!(status["articles"], 1);

    assert_eq!(site.get_admin("/all.rss").await.status, 404);
    let post = ask(&site.admin, "POST", "/healthz", &[]).await;
    assert_eq!((post.status, post.field("allow")), (405, Some("GET, HEAD")));
    site.stop().await;
}
