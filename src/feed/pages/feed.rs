//! A feed as a page: what it is, the address to copy, and its newest articles.

use maud::{Markup, html};

use super::index::row_list;
use super::words::Words;
use super::{Page, Time, heading, local, path, subscribe};
use crate::entry::{Document, FeedMaterial, FeedRow};
use crate::feed::channel::{self, Item};
use crate::feed::text::XmlText;
use crate::feed::{RenderError, Renderer, summary};

/// The most articles on a page.
const ENTRIES: usize = 30;

/// The longest summary of one of them, in graphemes.
const SUMMARY: usize = 140;

/// The page.
pub(in crate::feed) fn feed(renderer: &Renderer, material: &FeedMaterial) -> Result<Vec<u8>, RenderError> {
    let settings = renderer.settings();
    let words = Words::of(settings);
    let key = &material.key;
    let title = channel::title(key, settings);
    let items = material.entries.iter().take(ENTRIES).map(|entry| channel::item(renderer, entry));
    let items = items.collect::<Result<Vec<_>, _>>()?;
    let children: Vec<&FeedRow> = material.children.iter().collect();
    let content = html! {
        (path(settings, key))
        h1 { (heading(settings, key)) }
        p .count { (words.count(material.count)) " · " (Time(material.updated, settings)) }
        (subscribe(settings, key, words.what_is_a_feed))
        @if !children.is_empty() {
            section {
                h2 { (words.narrower) }
                (row_list(&children, settings))
            }
        }
        section {
            h2 { (words.newest) }
            @if items.is_empty() { p { (words.no_articles) } }
            @for item in &items { (entry(item, renderer)) }
        }
        @if let Some(newest) = material.newest_archive.filter(|_| settings.archives.contains(&key.kind())) {
            p .archives {
                (words.older)
                @for &format in &settings.formats {
                    " "
                    a type=(format.link_type())
                        href=(local(settings, &Document::Archive(key.clone(), newest, format))) {
                        (super::label(format)) " " (newest)
                    }
                }
            }
        }
    };
    let page = Page {
        settings,
        description: Some(channel::description(key, settings)),
        canonical: settings.address(&Document::Page(key.clone())),
        feeds: vec![(key.clone(), title.clone())],
        properties: Vec::new(),
        kind: "website",
        title,
    };
    Ok(page.around(&content))
}

/// An article in the list.
fn entry(item: &Item<'_>, renderer: &Renderer) -> Markup {
    let settings = renderer.settings();
    let language = item.language.as_ref().map(XmlText::as_str);
    html! {
        article .entry lang=[language] {
            @if let Some(image) = &item.image {
                img src=(image) alt="" width="112" height="84" loading="lazy" referrerpolicy="no-referrer";
            }
            h3 { a href=(local(settings, &Document::Article(item.entry.uuid))) { (item.title) } }
            p .meta {
                (Time(item.entry.published, settings))
                @for author in &item.authors { " · " (author.name) }
            }
            @if let Some(text) = item.summary() { p { (summary::shortened(text, SUMMARY)) } }
        }
    }
}
