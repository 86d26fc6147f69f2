//! `publish.disk`: the folder holds what the server serves, whatever happens to the inbox, to itself and to the daemon.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read as _;
use std::path::Path;

use crate::driver::{Daemon, Place, article};

const CONFIG: &str = "site: { base_url: \"https://feeds.example\" }\ninbox: { withdraw_after: 1s }\n\
                      publish: { disk: public }\n";
const DATE: &str = "Mon, 11 Apr 2022 13:01:53 GMT";

fn text(title: &str, category: &str) -> String {
    article(title, DATE, &["news", category], &format!("<p>A body about {title}.</p>"))
}

/// The files of a folder by the paths at which they are served, without what is not a document.
fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    for entry in walkdir::WalkDir::new(folder).into_iter().flatten().filter(|entry| entry.file_type().is_file()) {
        let name = entry.path().strip_prefix(folder).expect("below it").to_string_lossy().into_owned();
        let is_other = [".tmp", ".gz", ".br", ".zst"].iter().any(|suffix| name.ends_with(suffix));
        let is_document = name != ".feedmill-manifest" && name != "mine.txt" && !is_other;
        // A file may be replaced or removed while we look.
        if let Some(bytes) = fs::read(entry.path()).ok().filter(|_| is_document) {
            files.insert(format!("/{}", name.strip_suffix("index.html").unwrap_or(&name)), bytes);
        }
    }
    files
}

/// Every path that the server has a document at, as far as its own feeds tell.
fn documents(daemon: &Daemon, keys: &[&str]) -> Vec<String> {
    let mut paths: Vec<String> =
        ["/", "/feeds.opml", "/robots.txt", "/favicon.svg", "/-/feedmill.css", "/category/"].map(str::to_owned).into();
    for key in keys {
        paths.push(format!("/{key}/"));
        for format in ["rss", "atom", "json"] {
            paths.push(format!("/{key}.{format}"));
            let archives = (1..).map(|page| format!("/archive/{key}/{page}.{format}"));
            paths.extend(archives.take_while(|path| daemon.get(path).status == 200));
        }
    }
    for item in daemon.json("/all.json")["items"].as_array().expect("items") {
        let url = item["url"].as_str().expect("our own page");
        paths.push(url.trim_start_matches("https://feeds.example").to_owned());
    }
    paths
}

/// Waits until the folder has all of these documents, and nothing that the server does not serve just so.
fn until_equal(daemon: &Daemon, folder: &Path, keys: &[&str]) {
    daemon.until(&format!("{} is what is served", folder.display()), |daemon| {
        let files = files(folder);
        documents(daemon, keys).iter().all(|path| files.contains_key(path))
            && files.iter().all(|(path, bytes)| {
                let served = daemon.get(path);
                served.status == 200 && served.body == *bytes
            })
    });
}

#[test]
fn the_folder_follows_the_inbox() {
    let place = Place::new();
    let folder = place.path("public");
    for n in 0..3 {
        place.write(&format!("{n}.md"), text(&format!("Number {n}"), "local"));
    }
    fs::create_dir_all(folder.join("tag")).expect("a writable folder");
    fs::write(folder.join("mine.txt"), "mine").expect("a writable folder");
    let daemon = place.serve_articles(CONFIG, 3);
    let keys = ["all", "category/news", "category/news/local", "author/李明"];
    until_equal(&daemon, &folder, &keys);

    // An edit, a new category, and a file that goes.
    let page =
        daemon.json("/all.json")["items"].as_array().expect("items")[0]["url"].as_str().expect("ours").to_owned();
    place.rename_in("1.md", text("Number 1, edited", "world"));
    place.rename_in("3.md", text("Number 3", "world"));
    daemon.until("the edit and the new one", |daemon| {
        let titles = daemon.titles("category/news/world");
        titles.len() == 2
    });
    until_equal(&daemon, &folder, &["all", "category/news", "category/news/local", "category/news/world"]);
    for n in 0..4 {
        fs::remove_file(place.inbox(&format!("{n}.md"))).expect("it is there");
    }
    daemon.until_titles("all", &[]);
    let gone = format!("{}index.html", page.trim_start_matches("https://feeds.example/"));
    daemon.until("the withdrawn page is removed", |_| !folder.join(&gone).exists());
    until_equal(&daemon, &folder, &["all", "category/news", "category/news/local", "category/news/world"]);
    assert!(!folder.join("article").exists(), "empty folders go, too");
    assert_eq!(fs::read(folder.join("mine.txt")).expect("still there"), b"mine");

    // What changed while it was down, in the inbox and in the folder.
    assert!(daemon.stop().success());
    place.write("4.md", text("Number 4", "local"));
    fs::write(folder.join("all.rss"), "somebody wrote into it").expect("a writable folder");
    let daemon = place.serve_articles(CONFIG, 1);
    until_equal(&daemon, &folder, &keys);
}

#[test]
fn precompressed_twins_hold_what_their_files_hold() {
    let place = Place::new();
    let folder = place.path("public");
    for n in 0..15 {
        place.write(&format!("{n}.md"), text(&format!("Number {n}"), "local"));
    }
    let config = CONFIG.replace("disk: public", "disk: public, precompressed: [gzip, br, zstd]");
    let daemon = place.serve_articles(&config, 15);
    until_equal(&daemon, &folder, &["all", "category/news", "category/news/local"]);
    let twins = |of: &str| ["gz", "br", "zst"].map(|suffix| folder.join(format!("{of}.{suffix}")));
    let decoded = |of: &str| -> Option<[Vec<u8>; 3]> {
        let [gzip, br, zstd] = twins(of).map(|path| fs::read(path).ok());
        let (mut from_gzip, mut from_br) = (Vec::new(), Vec::new());
        flate2::read::GzDecoder::new(gzip?.as_slice()).read_to_end(&mut from_gzip).expect("gzip");
        brotli::BrotliDecompress(&mut br?.as_slice(), &mut from_br).expect("br");
        Some([from_gzip, from_br, zstd::stream::decode_all(zstd?.as_slice()).expect("zstd")])
    };
    let is_whole = |of: &str| {
        let bytes = fs::read(folder.join(of)).ok();
        bytes.is_some_and(|bytes| decoded(of).is_some_and(|twins| twins.iter().all(|twin| *twin == bytes)))
    };
    daemon
        .until("the twins", |_| ["all.rss", "all.json", "index.html", "category/news.atom"].into_iter().all(is_whole));
    assert!(twins("robots.txt").iter().all(|path| !path.exists()), "too small for a coding");

    place.rename_in("1.md", text("Number 1, edited", "local"));
    daemon.until("the edit", |daemon| daemon.titles("all").contains(&"Number 1, edited".to_owned()));
    until_equal(&daemon, &folder, &["all"]);
    daemon.until("the edit in the twins", |_| is_whole("all.rss"));
    let page = daemon.json("/all.json")["items"][0]["url"].as_str().expect("ours").to_owned();
    let page = format!("{}index.html", page.trim_start_matches("https://feeds.example/"));
    daemon.until("twins of an article", |_| is_whole(&page));
    for n in 0..15 {
        fs::remove_file(place.inbox(&format!("{n}.md"))).expect("it is there");
    }
    daemon.until("the page goes with its twins", |_| {
        !folder.join(&page).exists() && twins(&page).iter().all(|path| !path.exists())
    });

    // Without the option the next start removes them.
    assert!(daemon.stop().success());
    let daemon = place.serve(CONFIG);
    daemon.until("no twins any more", |_| twins("all.rss").iter().all(|path| !path.exists()));
    until_equal(&daemon, &folder, &["all"]);
}

#[test]
fn a_file_of_another_is_left_alone_and_told_of() {
    let place = Place::new();
    let folder = place.path("public");
    place.write("1.md", text("One", "local"));
    fs::create_dir_all(&folder).expect("a writable folder");
    fs::write(folder.join("all.rss"), "theirs").expect("a writable folder");
    let daemon = place.serve_articles(CONFIG, 1);
    let why = |daemon: &Daemon| daemon.json("/status.json")["why"].to_string();
    daemon.until("it is told of", |daemon| why(daemon).contains("all.rss"));
    daemon.until("the others are written", |_| folder.join("category/news/local.json").exists());
    assert_eq!(fs::read(folder.join("all.rss")).expect("still there"), b"theirs");
    fs::remove_file(folder.join("all.rss")).expect("it is there");
    until_equal(&daemon, &folder, &["all", "category/news", "category/news/local"]);
    daemon.until("all is well again", |daemon| why(daemon) == "[]");
}

#[test]
fn a_folder_that_cannot_be_is_refused() {
    let place = Place::new();
    let refused = |config: &str| match place.try_serve(config) {
        Err(output) => output,
        Ok(_) => panic!("it started with {config}"),
    };
    let inside = refused("publish: { disk: inbox/public }\n");
    assert!(inside.code == Some(1) && inside.stderr.contains("inside the inbox"), "{inside:?}");
    fs::write(place.path("file"), "").expect("a writable folder");
    let file = refused("publish: { disk: file/public }\n");
    assert!(file.code == Some(1) && file.stderr.contains("publish.disk"), "{file:?}");
}
