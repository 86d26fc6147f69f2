//! What feed readers, browsers and operators get over HTTP.

use std::io::{Read, Write};
use std::process::{Command, Stdio};

use crate::driver::{Daemon, PATIENCE, Place, article, skipped};

const DATE: &str = "Mon, 11 Apr 2022 13:01:53 GMT";

fn place() -> Place {
    let place = Place::new();
    let body = "<p>A body that is long enough to be worth a content coding.</p>".repeat(60);
    place.write("one.md", article("One", DATE, &["news"], &body));
    place
}

#[test]
fn conditional_requests_are_honest() {
    let place = place();
    let daemon = place.serve_articles("", 1);
    // Within the second of a change the header says the second before it, so that nobody misses a second change.
    daemon.until("a later second", |daemon| {
        let modified = daemon.get("/category/news.rss").header("last-modified").to_owned();
        daemon.ask("GET", "/category/news.rss", &[("If-Modified-Since", &modified)]).status == 304
    });
    let full = daemon.get("/category/news.rss");
    let (etag, modified) = (full.header("etag").to_owned(), full.header("last-modified").to_owned());
    assert!(etag.starts_with('"') && etag.ends_with('"'), "{etag}");
    let weak = format!("\"other\", W/{etag}");
    for headers in [
        vec![("If-None-Match", etag.as_str())],
        vec![("If-None-Match", weak.as_str())],
        vec![("If-None-Match", "*")],
        vec![("If-Modified-Since", modified.as_str())],
        vec![("If-Modified-Since", "Mon, 01 Jan 2035 00:00:00 GMT")],
    ] {
        let answer = daemon.ask("GET", "/category/news.rss", &headers);
        assert_eq!((answer.status, answer.body.len()), (304, 0), "{headers:?}");
        for name in ["etag", "last-modified", "cache-control", "vary"] {
            assert_eq!(answer.header(name), full.header(name), "{name} for {headers:?}");
        }
    }
    for headers in [
        vec![("If-None-Match", "\"other\""), ("If-Modified-Since", modified.as_str())],
        vec![("If-Modified-Since", "Mon, 01 Jan 2001 00:00:00 GMT")],
        vec![("If-Modified-Since", "yesterday")],
    ] {
        assert_eq!(daemon.ask("GET", "/category/news.rss", &headers).body, full.body, "{headers:?}");
    }
    assert_eq!(daemon.ask("GET", "/category/news.rss", &[("If-Match", "\"other\"")]).status, 412);
}

#[test]
fn head_is_get_without_the_body() {
    let place = place();
    let daemon = place.serve_articles("", 1);
    let full = daemon.get("/all.atom");
    let head = daemon.ask("HEAD", "/all.atom", &[]);
    assert_eq!((head.status, head.body.len()), (200, 0));
    for name in ["etag", "last-modified", "content-length", "content-type", "cache-control"] {
        assert_eq!(head.header(name), full.header(name), "{name}");
    }
}

#[test]
fn gzip_holds_the_same_bytes_and_has_an_etag_of_its_own() {
    let place = place();
    let daemon = place.serve_articles("", 1);
    let plain = daemon.get("/all.rss");
    let packed = daemon.ask("GET", "/all.rss", &[("Accept-Encoding", "gzip")]);
    assert_eq!(packed.header("content-encoding"), "gzip");
    assert!(packed.body.len() < plain.body.len() / 2);
    assert_ne!(packed.header("etag"), plain.header("etag"));
    assert!(packed.header("vary").to_ascii_lowercase().contains("accept-encoding"));
    let mut bytes = Vec::new();
    flate2::read::GzDecoder::new(packed.body.as_slice()).read_to_end(&mut bytes).expect("gzip");
    assert_eq!(bytes, plain.body);
}

#[test]
fn wrong_requests_get_the_right_answer() {
    let place = place();
    let daemon = place.serve_articles("", 1);
    for path in ["/nothing", "/tag/none.rss", "/category/", "/hub", "/article/00000000-0000-0000-0000-000000000000/"] {
        let status = daemon.get(path).status;
        assert_eq!(status, if path == "/category/" { 200 } else { 404 }, "{path}");
    }
    for path in [
        "/../etc/passwd",
        "/%2e%2e/%2e%2e/etc/passwd",
        "/category/%00.rss",
        "/category/..%2f..%2f.rss",
        "/-/../all.rss",
    ] {
        assert!(matches!(daemon.get(path).status, 400 | 404), "{path}");
    }
    let refused = daemon.ask("POST", "/all.rss", &[("Content-Length", "0")]);
    assert_eq!(refused.status, 405);
    assert!(refused.header("allow").contains("GET") && refused.header("allow").contains("HEAD"));
    assert_eq!(daemon.get("/metrics").status, 404, "never on the public address");
    assert_eq!(daemon.get("/healthz").status, 404, "never on the public address");
}

#[test]
fn the_address_to_share_negotiates() {
    let place = place();
    let daemon = place.serve_articles("", 1);
    let asked = |accept: &str| daemon.ask("GET", "/category/news", &[("Accept", accept)]);
    assert_eq!(daemon.get("/category/news").header("content-type"), "application/rss+xml; charset=utf-8");
    for (accept, media) in [
        ("application/atom+xml", "application/atom+xml; charset=utf-8"),
        ("application/feed+json, application/json;q=0.9", "application/feed+json"),
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", "text/html; charset=utf-8"),
        ("*/*", "application/rss+xml; charset=utf-8"),
        ("application/rss+xml, text/html", "application/rss+xml; charset=utf-8"),
    ] {
        let answer = asked(accept);
        assert_eq!((answer.status, answer.header("content-type")), (200, media), "{accept}");
        assert!(answer.header("vary").to_ascii_lowercase().contains("accept"), "{accept}");
    }
    assert_eq!(asked("image/png").status, 406);
}

#[test]
fn operators_have_an_address_of_their_own() {
    let place = place();
    place.write("bad.md", "---\ntitle: a: b\ndate: 2022-01-01\n---\nx\n");
    let daemon = place.serve_articles("", 2);
    daemon.get("/all.rss");
    assert_eq!(daemon.admin("/healthz").status, 200);
    let ready: serde_json::Value = serde_json::from_slice(&daemon.admin("/readyz").body).expect("JSON");
    assert_eq!(ready["status"], "ok");
    let problems = daemon.json("/problems.json");
    let problem = &problems["problems"][0];
    assert_eq!((problem["path"].as_str(), problem["line"].as_u64()), (Some("bad.md"), Some(2)));
    for name in ["severity", "code", "column", "message", "help", "since"] {
        assert!(!problem[name].is_null(), "{name} in {problem}");
    }
    let status = daemon.json("/status.json");
    assert_eq!(
        (status["ready"].as_bool(), status["articles"].as_u64(), status["problems"].as_u64()),
        (Some(true), Some(2), Some(1))
    );
    assert_eq!(status["pid"].as_u64(), Some(u64::from(daemon.pid())));
    let metrics = daemon.admin("/metrics");
    for line in [
        "feedmill_articles 2",
        "feedmill_problems 1",
        "feedmill_renders_total{format=\"rss\"} 1",
        "feedmill_http_requests_total{class=\"feed\",status=\"200\"} 1",
        "feedmill_config_last_reload_successful 1",
    ] {
        assert!(metrics.text().lines().any(|found| found == line), "{line} in {}", metrics.text());
    }
}

#[test]
fn a_feed_is_rendered_once_however_often_it_is_asked_for() {
    let place = place();
    let daemon = place.serve_articles("", 1);
    for _ in 0..50 {
        daemon.ask("GET", "/all.rss", &[("Accept-Encoding", "gzip")]);
    }
    let metrics = daemon.admin("/metrics");
    for line in ["feedmill_renders_total{format=\"rss\"} 1", "feedmill_encodes_total{encoding=\"gzip\"} 1"] {
        assert!(metrics.text().lines().any(|found| found == line), "{line} in {}", metrics.text());
    }
}

/// Reads the log until a line of the access log speaks of a path.
fn access_line(daemon: &Daemon, path: &str) -> String {
    loop {
        let line = daemon.log.recv_timeout(PATIENCE).expect("the request is logged");
        if line.contains("answered") && line.contains(&format!("path=\"{path}\"")) {
            return line;
        }
    }
}

#[test]
fn the_access_log_names_the_client_behind_a_trusted_proxy_and_no_secret() {
    let place = place();
    let log = |config: &str, headers: &[(&str, &str)]| {
        let daemon = place.serve_articles(config, 1);
        daemon.ask("GET", "/category/news.rss?token=sesame", headers);
        access_line(&daemon, "/category/news.rss")
    };
    let forwarded = [
        ("X-Forwarded-For", "198.51.100.1, 203.0.113.9"),
        ("User-Agent", "Reader/1"),
        ("Referer", "http://x/?token=sesame"),
        ("Authorization", "Bearer sesame"),
        ("Cookie", "token=sesame"),
    ];
    let believed = log("http: { access_log: true, trusted_proxies: [127.0.0.0/8] }\n", &forwarded);
    assert!(believed.contains("client=203.0.113.9") && believed.contains("status=200"), "{believed}");
    assert!(believed.contains("agent=\"Reader/1\""), "{believed}");
    let not_believed = log("http: { access_log: true }\n", &forwarded);
    assert!(not_believed.contains("client=127.0.0.1"), "{not_believed}");
    for line in [believed, not_believed] {
        assert!(!line.contains("sesame"), "{line}");
    }
}

/// Everything that REDbot finds wrong or doubtful with an address, from its report (HTTP Archive with its notes).
fn faults(report: &serde_json::Value) -> Vec<String> {
    let within = match report {
        serde_json::Value::Object(fields) => {
            let level = fields.get("level").and_then(serde_json::Value::as_str).unwrap_or_default();
            if ["BAD", "WARN"].contains(&level.to_ascii_uppercase().as_str()) {
                return vec![format!("{level} {}", fields.get("summary").unwrap_or(report))];
            }
            fields.values().collect::<Vec<_>>()
        }
        serde_json::Value::Array(items) => items.iter().collect(),
        _ => Vec::new(),
    };
    within.into_iter().flat_map(faults).collect()
}

#[test]
fn redbot_finds_no_fault() {
    let place = place();
    let daemon = place.serve_articles("", 1);
    let article = daemon.json("/all.json")["items"][0]["url"].as_str().expect("an address").to_owned();
    let article = article.split_once(&daemon.http).expect("a page of this server").1.to_owned();
    let paths = [
        "/all.rss",
        "/all.json",
        "/category/news",
        "/all/",
        "/archive/all/1.atom",
        &article,
        "/nothing",
        "/feeds.opml",
    ];
    let asked = paths.map(|path| {
        let url = format!("http://{}{path}", daemon.http);
        let mut command = Command::new("redbot");
        (path, command.args(["-o", "har", &url]).stdout(Stdio::piped()).stderr(Stdio::null()).spawn())
    });
    for (path, running) in asked {
        let Ok(running) = running else { return skipped("redbot is not installed") };
        let output = running.wait_with_output().expect("our child");
        let report: serde_json::Value = serde_json::from_slice(&output.stdout).expect("a report");
        assert!(report.to_string().contains("\"GOOD\""), "{path} was not looked at: {report}");
        assert_eq!(faults(&report), Vec::<String>::new(), "{path}");
    }
}

#[test]
fn prometheus_can_read_the_metrics() {
    let place = place();
    let daemon = place.serve_articles("", 1);
    daemon.ask("GET", "/all.rss", &[("Accept-Encoding", "gzip"), ("User-Agent", "A/1 (3 subscribers)")]);
    let spawned =
        Command::new("promtool").args(["check", "metrics"]).stdin(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let Ok(mut promtool) = spawned else { return skipped("promtool is not installed") };
    let text = daemon.admin("/metrics");
    promtool.stdin.take().expect("piped").write_all(&text.body).expect("it reads");
    let output = promtool.wait_with_output().expect("our child");
    assert!(output.status.success(), "{}\n{}", String::from_utf8_lossy(&output.stderr), text.text());
}
