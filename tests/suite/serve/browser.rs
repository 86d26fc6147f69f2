//! What a browser makes of the pages: axe-core finds no barrier on them, and no article runs a script.
//!
//! Pages are looked at as files, so that neither the headers of the server nor its absence of scripts protect them; the
//! browser may talk to this machine alone.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::driver::{Daemon, Place, article, ask, scale, shared, skipped};

/// The page's own tree after its scripts have run; `None`, visibly, where there is no browser.
fn tree(dir: &Path, page: &str, scheme: Scheme) -> Option<String> {
    let file = dir.join("page.html");
    fs::write(&file, page).expect("a writable folder");
    let output = Command::new("chromium")
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--dump-dom"])
        .args(["--virtual-time-budget=20000", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"])
        .arg(format!("--blink-settings=preferredColorScheme={}", scheme as u8))
        .arg(format!("--user-data-dir={}", dir.join("profile").display()))
        .arg(format!("file://{}", file.display()))
        .stderr(Stdio::null())
        .output();
    match output {
        Ok(output) => Some(String::from_utf8(output.stdout).expect("UTF-8")),
        Err(_) => {
            skipped("chromium is not installed");
            None
        }
    }
}

/// As the browser's setting numbers them.
#[derive(Clone, Copy, Debug)]
enum Scheme {
    Dark = 0,
    Light = 1,
}

/// The text that a script of ours left in the page.
fn left(tree: &str) -> Value {
    let (_, rest) = tree.split_once("<pre id=\"left\">").expect("the script ran to its end");
    let (text, _) = rest.split_once("</pre>").expect("an end");
    let text = text.replace("&lt;", "<").replace("&gt;", ">").replace("&nbsp;", "\u{a0}").replace("&amp;", "&");
    serde_json::from_str(&text).expect("JSON")
}

/// Leaves the value of an expression, a promise of JSON, in the page.
fn leaving(expression: &str) -> String {
    format!(
        "<script>addEventListener('load', () => ({expression}).then(value => {{
            const left = document.createElement('pre');
            left.id = 'left';
            left.textContent = JSON.stringify(value);
            document.body.append(left);
        }}));</script>"
    )
}

fn axe() -> Option<String> {
    let path: PathBuf = [env!("CARGO_MANIFEST_DIR"), "target/axe/node_modules/axe-core/axe.min.js"].iter().collect();
    let found = fs::read_to_string(path).ok();
    if found.is_none() {
        skipped("axe-core is not installed: npm install --prefix target/axe axe-core");
    }
    found
}

/// A served page with axe in it, its addresses as they were.
fn with_axe(page: &str, address: &str, axe: &str) -> String {
    let report = leaving(
        "axe.run(document, {resultTypes: ['violations']}).then(found => found.violations.map(violation =>
            violation.id + ': ' + violation.nodes.map(node => node.html.slice(0, 120)).join(' | ')))",
    );
    let head = format!("<head><base href=\"http://{address}\">");
    page.replacen("<head>", &head, 1).replacen("</body>", &format!("<script>{axe}</script>{report}</body>"), 1)
}

fn violations(dir: &Path, page: &str, address: &str, axe: &str, scheme: Scheme) -> Option<Vec<String>> {
    let found = left(&tree(dir, &with_axe(page, address, axe), scheme)?);
    Some(serde_json::from_value(found).expect("a list of words"))
}

/// A site with every kind of page: pictures, code, tables, right-to-left text, a problem, a draft.
fn site() -> (Place, Daemon) {
    let place = Place::new();
    let long = "<p>Some words of a paragraph, so that there is a summary.</p>\n".repeat(30);
    place.write(
        "1.md",
        article("A picture", "2022-04-11 08:00:00", &["news"], &format!("<img src=\"https://i.example/a.png\">{long}")),
    );
    place.write(
        "2.md",
        article(
            "Code and a table",
            "2022-04-12 08:00:00",
            &["news"],
            "# One\n\n### Three\n\n```rust\nfn main() {}\n```\n\n| a | b |\n|---|---|\n| 1 | 2 |\n",
        ),
    );
    place.write("3.md", "---\ntitle: 金融新闻\ndate: 2022-04-13\ncategories: [金融, 银行]\ntags: [甲, 乙]\nauthor: 某人\nlang: zh\n---\n\n正文。\n");
    place.write("4.md", "---\ntitle: مرحبا\ndate: 2022-04-14\nlang: ar\n---\n\nنص.\n");
    place.write("5.md", "---\ntitle: a: b\ndate: 2022-01-99\n---\n\nA problem.\n");
    let daemon = place.serve_articles("", 5);
    (place, daemon)
}

#[test]
fn axe_finds_no_barrier_on_any_page() {
    let Some(axe) = axe() else { return };
    let (place, daemon) = site();
    let page_of = daemon.json("/all.json")["items"].as_array().expect("items").clone();
    let articles = page_of.iter().filter_map(|item| item["url"].as_str()?.split_once(&daemon.http));
    let mut pages: Vec<(String, String)> =
        ["/", "/all/", "/category/%E9%87%91%E8%9E%8D/", "/tag/%E7%94%B2/", "/nothing"]
            .into_iter()
            .chain(articles.map(|(_, path)| path))
            .map(|path| (daemon.http.clone(), path.to_owned()))
            .collect();
    pages.extend(["/", "/status", "/problems"].map(|path| (daemon.admin.clone(), path.to_owned())));
    assert!(pages.len() >= 12, "{pages:?}");
    for (server, path) in pages {
        let answer = ask(&server, "GET", &path, &[("Accept", "text/html")]);
        let address = format!("{server}{path}");
        // Both style sheets and every kind of page; only colours differ.
        let schemes: &[Scheme] = if ["/", "/all/", "/status"].contains(&path.as_str()) {
            &[Scheme::Light, Scheme::Dark]
        } else {
            &[Scheme::Light]
        };
        for &scheme in schemes {
            let Some(found) = violations(place.dir.path(), answer.text(), &address, &axe, scheme) else { return };
            assert!(found.is_empty(), "{path}, {scheme:?}: {found:#?}");
        }
    }
    let faulty = "<html><head><title>x</title></head><body><img src=\"a.png\"></body></html>";
    let found = violations(place.dir.path(), faulty, "127.0.0.1:1/", &axe, Scheme::Light).unwrap_or_default();
    assert!(found.iter().any(|violation| violation.starts_with("image-alt")), "axe does not work: {found:?}");
}

/// One of so many attacks that others collected is tried by default.
const STEP: usize = 8;

#[test]
fn no_article_runs_a_script() {
    let own = include_str!("../../feeds/payloads.jsonl").to_owned();
    let others =
        shared("hostile/xss.jsonl").map(|path| fs::read_to_string(path).expect("readable")).unwrap_or_default();
    let payloads: Vec<Value> = own
        .lines()
        .chain(others.lines().step_by(STEP.div_ceil(scale())))
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    let place = Place::new();
    for (number, payload) in payloads.iter().enumerate() {
        let html = payload["html"].as_str().expect("HTML");
        let text = format!(
            "---\ntitle: {number}\nid: urn:uuid:00000000-0000-4000-8000-{number:012}\ndate: 2022-04-11\n---\n<p>\n{html}\n"
        );
        place.write(&format!("{number}.html"), text);
    }
    let count = payloads.len();
    let daemon = place.serve_articles(&format!("feeds: {{items: {count}, bytes: 64MiB}}"), count as u64);
    let feed = daemon.json("/all.json");
    let items = feed["items"].as_array().expect("items");
    assert_eq!(items.len(), count, "all are shown");
    let bodies: Vec<(&str, &str)> = items
        .iter()
        .map(|item| (item["title"].as_str().expect("a title"), item["content_html"].as_str().unwrap_or_default()))
        .collect();
    for bodies in bodies.chunks(FRAMES) {
        let Some(tree) = tree(place.dir.path(), &framed(bodies), Scheme::Light) else { return };
        assert_eq!(left(&tree), serde_json::json!(["control"]), "payloads by their number, from 0");
    }
}

/// Of a page; a browser loads a thousand at most.
const FRAMES: usize = 500;

/// A page with each body in a frame of its own, where what runs says so; the last one shows that it does.
fn framed(bodies: &[(&str, &str)]) -> String {
    let control = ("control", "<img src=x onerror=alert(1)>");
    let mut page = String::from("<!DOCTYPE html><html><head></head><body><script>var ran = [];</script>");
    for (title, body) in bodies.iter().chain([&control]) {
        let watched = format!(
            "<script>alert = confirm = prompt = () => parent.ran.push('{title}');
             addEventListener('load', () => {{ for (const a of document.links)
             if (!/^(https?|mailto|tel|ftp|xmpp|magnet):$/.test(a.protocol)) parent.ran.push('{title} ' + a.href); }});</script>{body}"
        );
        let escaped = watched.replace('&', "&amp;").replace('"', "&quot;");
        let _ = writeln!(page, "<iframe srcdoc=\"{escaped}\"></iframe>");
    }
    page.push_str(&leaving("new Promise(done => setTimeout(() => done(ran), 2000))"));
    page.push_str("</body></html>");
    page
}
