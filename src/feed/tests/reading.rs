//! Reading back: what independent readers make of the golden feeds.

use super::build::{at, entry, feed, settings, shared};
use super::golden::rendered;
use crate::entry::{Document, Format, Markup, Material};
use crate::feed::{Renderer, Settings};

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("UTF-8")
}

#[test]
fn every_document_is_well_formed() {
    for (case, document, bytes) in rendered() {
        let name = format!("{case} {}", document.path());
        let text = text(&bytes);
        assert!(!text.contains('\r'), "{name} has a carriage return");
        match &document {
            Document::Feed(_, Format::Rss | Format::Atom)
            | Document::Archive(_, _, Format::Rss | Format::Atom)
            | Document::Opml => {
                roxmltree::Document::parse(text).unwrap_or_else(|error| panic!("{name}: {error}"));
            }
            Document::Feed(_, Format::Json) | Document::Archive(_, _, Format::Json) => {
                let feed: serde_json::Value = serde_json::from_str(text).expect("JSON");
                for item in feed["items"].as_array().expect("items") {
                    assert!(item["id"].is_string() && item["url"].is_string(), "{name}");
                    assert!(item["content_html"].is_string() != item["content_text"].is_string(), "{name}");
                }
            }
            Document::Robots => {}
            _ => assert!(text.starts_with("<!DOCTYPE html><html lang=") && text.ends_with("</html>"), "{name}"),
        }
    }
}

#[test]
fn three_formats_say_the_same() {
    let mut entries: Vec<_> = (1..=5)
        .map(|number| entry(number, &format!("Title {number} & <co> “é”"), Markup::Markdown, "Some *text*."))
        .collect();
    entries[1].updated = at("2023-01-02T03:04:05Z");
    entries[2].article.link = Some("https://blog.example/a?b=1&c=2".to_owned());
    entries[3].id = crate::entry::EntryId::from_stored("https://blog.example/id?b=1&c=2".to_owned());
    let material = feed("all", entries.clone());
    let renderer = Renderer::new(settings());
    let mut read = Vec::new();
    for format in Format::ALL {
        let document = Document::Feed(material.key.clone(), format);
        let bytes = renderer.render(&document, &Material::Feed(material.clone())).expect("renders");
        let feed = feed_rs::parser::parse(bytes.as_slice()).unwrap_or_else(|error| panic!("{format:?}: {error}"));
        assert_eq!(feed.entries.len(), entries.len());
        let items: Vec<_> = feed
            .entries
            .into_iter()
            .map(|item| {
                let link = item.links.first().map(|link| link.href.clone());
                (item.id, item.title.map(|title| title.content), item.published, link)
            })
            .collect();
        read.push(items);
    }
    for items in &read {
        for (item, entry) in items.iter().zip(&entries) {
            assert_eq!(item.0, entry.id.as_str());
            assert_eq!(item.1.as_deref(), Some(entry.article.title.as_str()));
            assert_eq!(item.2, Some(entry.published));
            assert_eq!(item.3, Some(crate::feed::link::item(entry, renderer.settings())));
        }
    }
}

#[test]
fn the_crates_read_their_own() {
    for (case, document, bytes) in rendered() {
        let name = format!("{case} {}", document.path());
        match &document {
            Document::Feed(_, Format::Rss) | Document::Archive(_, _, Format::Rss) => {
                feed_rs::parser::parse(bytes.as_slice()).unwrap_or_else(|error| panic!("{name}: {error}"));
            }
            Document::Feed(_, Format::Atom) | Document::Archive(_, _, Format::Atom) => {
                let feed = feed_rs::parser::parse(bytes.as_slice()).unwrap_or_else(|error| panic!("{name}: {error}"));
                assert!(feed.id.starts_with("urn:uuid:"), "{name}");
                assert!(
                    !feed.authors.is_empty()
                        || !feed.entries.is_empty() && feed.entries.iter().all(|entry| !entry.authors.is_empty()),
                    "{name} names nobody"
                );
            }
            _ => {}
        }
    }
}

#[test]
fn archives_lead_to_each_other() {
    for (case, document, bytes) in rendered() {
        if let Document::Archive(_, number, Format::Atom) = &document
            && case == "archives"
        {
            let text = text(&bytes);
            assert!(text.contains("<fh:archive"));
            assert!(text.contains("rel=\"current\"") && text.contains("rel=\"next-archive\""));
            assert_eq!(text.contains("rel=\"prev-archive\""), *number > 1);
        }
    }
}

#[test]
fn atom_follows_its_schema() {
    let Some(schema) = shared("schemas/atom-rfc4287.rng") else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let mut files = Vec::new();
    for (at, (_, document, bytes)) in rendered().into_iter().enumerate() {
        if matches!(document, Document::Feed(_, Format::Atom) | Document::Archive(_, _, Format::Atom)) {
            let file = folder.path().join(format!("{at}.atom"));
            std::fs::write(&file, bytes).expect("written");
            files.push(file);
        }
    }
    let run = std::process::Command::new("xmllint")
        .args(["--noout", "--nonet", "--relaxng"])
        .arg(schema)
        .args(&files)
        .output();
    #[allow(clippy::print_stderr, reason = "a skipped test says so")]
    let Ok(run) = run else {
        eprintln!("skipped: there is no xmllint");
        return;
    };
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
}

#[test]
fn pages_are_small() {
    let text = "很长的文章，有很多字。".repeat(200);
    let entries: Vec<_> = (1..=100)
        .map(|number| {
            let mut entry = entry(number, &"标题".repeat(30), Markup::Text, &text);
            entry.article.image = Some(format!("https://img.example/{}.jpg", "a".repeat(80)));
            entry
        })
        .collect();
    let material = feed("category/金融/银行", entries);
    let renderer = Renderer::new(Settings { language: "zh".to_owned(), ..settings() });
    let page = renderer.render(&Document::Page(material.key.clone()), &Material::Feed(material)).expect("renders");
    assert!(page.len() < 60_000, "{} bytes", page.len());
    assert!(crate::feed::pages::STYLE.len() <= 8192);
}

#[test]
fn a_document_of_other_material_is_refused() {
    let renderer = Renderer::new(settings());
    let material = Material::Feed(feed("all", Vec::new()));
    for document in [Document::Opml, Document::Style, Document::from_path("/tag/a.rss").expect("a document")] {
        assert!(renderer.render(&document, &material).is_err(), "{document:?}");
    }
}

#[test]
fn one_new_article_cleans_one_body() {
    let mut entries: Vec<_> = (1..=3).map(|n| entry(n, "t", Markup::Text, "body")).collect();
    let renderer = Renderer::new(settings());
    let document = Document::Feed(crate::entry::Key::all(), Format::Rss);
    renderer.render(&document, &Material::Feed(feed("all", entries.clone()))).expect("renders");
    // Whoever is cached is not opened again: damage to what was kept is not seen.
    for entry in &mut entries {
        entry.kept.codec = crate::entry::Codec::Zstd;
    }
    renderer.render(&document, &Material::Feed(feed("all", entries.clone()))).expect("renders from the cache");
    entries[1].rev = [0; 32];
    let error = renderer.render(&document, &Material::Feed(feed("all", entries))).expect_err("is damaged");
    assert_eq!(error.to_string(), "the kept bytes of 2.md are damaged");
}
