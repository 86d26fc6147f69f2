//! Real and hostile articles, from the bytes of a file to the bytes of a feed.
//!
//! The files lie beside the repository on some machines; elsewhere these tests say that they are skipped.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use feedmill::article::{self, Rules, SourceFile};
use feedmill::entry::{
    Article, ArticleMaterial, Document, Entry, FeedMaterial, Format, Kept, Key, Material, Namespace, Seed,
};
use feedmill::feed::{Content, Renderer, Settings};

mod corpora;
mod determinism;
mod validator;

use crate::driver::shared;

fn settings() -> Settings {
    Settings {
        title: "Site".to_owned(),
        base_url: "https://feeds.example".to_owned(),
        namespace: Namespace::new(None),
        language: "en".to_owned(),
        author: None,
        timezone: chrono_tz::UTC,
        assets_url: Some("https://assets.example/".to_owned()),
        formats: Format::ALL.to_vec(),
        archives: Vec::new(),
        bytes: 64 << 20,
        content: Content::Full,
        link: None,
        mix_titles: BTreeMap::new(),
        hubs: Vec::new(),
    }
}

/// The article of a file as an entry, if it is one.
fn entry(folder: &Path, file: &Path) -> Option<Entry> {
    let path = file.strip_prefix(folder).ok()?.to_string_lossy().into_owned();
    let bytes = std::fs::read(file).ok()?;
    let article: Article = article::parse(SourceFile { path: &path, bytes: &bytes }, &Rules::default()).article?;
    let namespace = Namespace::new(None);
    let seed = Seed::of(&article, &path);
    let published = article.published.unwrap_or_default();
    Some(Entry {
        id: namespace.entry_id(&seed),
        uuid: namespace.uuid(&seed),
        sequence: 0,
        position: published,
        published,
        updated: published,
        rev: *blake3::hash(&bytes).as_bytes(),
        kept: Kept::new(&bytes),
        path,
        article,
    })
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = walkdir::WalkDir::new(folder)
        .into_iter()
        .filter_map(Result::ok)
        .filter(|found| found.file_type().is_file())
        .map(walkdir::DirEntry::into_path)
        .filter(|path| path.extension().is_some_and(|suffix| suffix == "md" || suffix == "html" || suffix == "txt"))
        .filter(|path| path.file_name().is_some_and(|name| name != "README.md"))
        .collect();
    files.sort();
    files
}

fn feed(entries: Vec<Entry>) -> FeedMaterial {
    FeedMaterial {
        key: Key::all(),
        updated: entries.iter().map(|entry| entry.updated).max().unwrap_or_default(),
        count: entries.len() as u64,
        entries,
        tombstones: Vec::new(),
        newest_archive: None,
        children: Vec::new(),
    }
}

/// Renders a feed in every form and reads it back; the items of the JSON Feed.
fn read_back(renderer: &Renderer, material: &FeedMaterial) -> Vec<serde_json::Value> {
    let mut items = Vec::new();
    for format in Format::ALL {
        let document = Document::Feed(Key::all(), format);
        let bytes = renderer.render(&document, &Material::Feed(material.clone())).expect("renders");
        let text = std::str::from_utf8(&bytes).expect("UTF-8");
        let paths = || material.entries.iter().map(|entry| entry.path.as_str()).collect::<Vec<_>>();
        if format == Format::Json {
            let feed: serde_json::Value = serde_json::from_str(text).expect("JSON");
            items = feed["items"].as_array().expect("items").clone();
            continue;
        }
        let xml = roxmltree::Document::parse(text).unwrap_or_else(|error| panic!("{format:?}: {error}: {:?}", paths()));
        let found = xml.descendants().filter(|node| matches!(node.tag_name().name(), "item" | "entry"));
        assert_eq!(found.count(), material.entries.len(), "{format:?}: {:?}", paths());
        let feed = feed_rs::parser::parse(bytes.as_slice()).unwrap_or_else(|error| panic!("{error}: {:?}", paths()));
        for (item, entry) in feed.entries.iter().zip(&material.entries) {
            assert_eq!(item.id, entry.id.as_str(), "{}", entry.path);
        }
    }
    renderer.render(&Document::Page(Key::all()), &Material::Feed(material.clone())).expect("renders");
    for entry in &material.entries {
        let material = ArticleMaterial { entry: Box::new(entry.clone()), keys: vec![Key::all()] };
        renderer.render(&Document::Article(entry.uuid), &Material::Article(material)).expect("renders");
    }
    items
}

#[test]
fn hostile_articles_harm_nobody() {
    let Some(folder) = shared("hostile/articles") else { return };
    let renderer = Renderer::new(settings());
    let index = std::fs::read_to_string(folder.join("index.json")).expect("the index");
    let index: Vec<serde_json::Value> = serde_json::from_str(&index).expect("JSON");
    let mut faults = Vec::new();
    for row in &index {
        let name = row["file"].as_str().unwrap_or_default();
        let Some(entry) = entry(&folder, &folder.join(name)) else { continue };
        let items = read_back(&renderer, &feed(vec![entry]));
        let body = items[0]["content_html"].as_str().or(items[0]["content_text"].as_str()).unwrap_or_default();
        if let Some(has) = row["checks"]["body_has"].as_str()
            && !body.contains(has)
        {
            faults.push(format!("{name}: {has:?} is missing in {:?}", body.chars().take(200).collect::<String>()));
        }
        if let Some(lacks) = row["checks"]["body_lacks"].as_str()
            && serde_json::to_string(&items[0]).expect("JSON").contains(lacks)
        {
            faults.push(format!("{name}: has {lacks:?}"));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn real_articles_become_feeds() {
    let Some(folder) = shared("corpus") else { return };
    let renderer = Renderer::new(settings());
    let all = files(&folder);
    // A part of them, unless all are asked for.
    let step = if std::env::var_os("FEEDMILL_ALL").is_some() { 1 } else { 8 };
    let all: Vec<PathBuf> = all.into_iter().step_by(step).collect();
    for some in all.chunks(40) {
        let entries: Vec<_> = some.iter().filter_map(|file| entry(&folder, file)).collect();
        let items = read_back(&renderer, &feed(entries));
        for item in items {
            let body = item["content_html"].as_str().unwrap_or_default();
            for bad in ["<script", "<style", "<iframe", "<form", "javascript:void", "\u{fffe}"] {
                assert!(!body.contains(bad), "{}: {bad}", item["title"]);
            }
        }
    }
}
