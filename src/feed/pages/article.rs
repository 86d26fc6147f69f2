//! An article as a page: where an item leads whose author named no other address.

use maud::{Markup, PreEscaped, html};

use super::words::Words;
use super::{Page, Time, local_key, outline};
use crate::entry::{ArticleMaterial, Document, Key, Kind, normal_title};
use crate::feed::channel::{self, Item};
use crate::feed::text::{self, XmlText};
use crate::feed::{RenderError, Renderer, Settings, summary};

/// The longest description for search engines and previews, in graphemes.
const DESCRIPTION: usize = 160;

/// The page.
pub(in crate::feed) fn article(renderer: &Renderer, material: &ArticleMaterial) -> Result<Vec<u8>, RenderError> {
    let settings = renderer.settings();
    let words = Words::of(settings);
    let item = channel::item(renderer, &material.entry)?;
    let body = without_title(item.cleaned.html.as_str(), &item.title);
    let own = settings.address(&Document::Article(item.entry.uuid));
    let language = item.language.as_ref().map(XmlText::as_str);
    let content = html! {
        article .article lang=[language] {
            header {
                (categories(&material.keys, settings))
                h1 { (item.title) }
                (byline(&item, settings))
            }
            // The head image again, where the body begins with it, would be seen twice.
            @if let Some(image) = item.image.as_deref().filter(|image| !holds(body, image)) {
                img .head src=(image) alt="" referrerpolicy="no-referrer";
            }
            div .body { (PreEscaped(outline::fitted(body))) }
            (attachments(&item, words))
            (tags(&item, &material.keys, settings))
            @if item.link != own {
                p .source { a href=(item.link) rel="noopener" { (words.source) } }
            }
        }
        aside {
            @if !material.keys.is_empty() {
                h2 { (words.in_feeds) }
                ul .row {
                    @for key in &material.keys {
                        li { a href=(local_key(settings, key)) { (name(key, settings)) } }
                    }
                }
            }
        }
    };
    let summary = item.summary().map(|text| summary::shortened(text, DESCRIPTION));
    let page = Page {
        settings,
        title: item.title.clone(),
        description: summary,
        canonical: item.link.clone(),
        feeds: feeds(&material.keys, settings),
        properties: properties(&item),
        kind: "article",
    };
    Ok(page.around(&content))
}

/// A body without a heading at its start that only says the title again.
fn without_title<'a>(body: &'a str, title: &XmlText) -> &'a str {
    let heading = body.strip_prefix("<h1>").and_then(|rest| rest.split_once("</h1>"));
    match heading {
        Some((heading, rest)) if normal_title(&crate::feed::html::text_of(heading)) == normal_title(title.as_str()) => {
            rest.trim_start()
        }
        _ => body,
    }
}

/// The name of a feed among others of all kinds.
fn name(key: &Key, settings: &Settings) -> Markup {
    let words = Words::of(settings);
    match key.kind() {
        Kind::All => html! { (words.everything) },
        Kind::Mix => html! { (channel::name(key, settings)) },
        kind => html! { (words.kind_of_one(kind)) (words.colon) (channel::description(key, settings)) },
    }
}

fn byline(item: &Item<'_>, settings: &Settings) -> Markup {
    let words = Words::of(settings);
    let entry = item.entry;
    html! {
        p .meta {
            @for author in &item.authors {
                @if let Some(url) = &author.url {
                    a rel="author noopener" href=(url) { (author.name) }
                } @else {
                    span { (author.name) }
                }
                " · "
            }
            (words.published) " " (Time(entry.published, settings))
            @if entry.updated > entry.published { " · " (words.changed) " " (Time(entry.updated, settings)) }
        }
    }
}

/// The category paths, each name a link to its feed.
fn categories(keys: &[Key], settings: &Settings) -> Markup {
    let words = Words::of(settings);
    // A feed's ancestors are in the list too: a path is shown once, by its narrowest.
    let is_leaf = |key: &Key| !keys.iter().any(|other| other.parent().as_ref() == Some(key));
    html! {
        @for key in keys.iter().filter(|key| key.kind() == Kind::Category && is_leaf(key)) {
            nav .path aria-label={ (words.kind(Kind::Category)) ": " (channel::description(key, settings)) } {
                ol {
                    @let mut path: Vec<Key> = std::iter::successors(Some(key.clone()), Key::parent).collect();
                    @let () = path.reverse();
                    @for key in &path { li { a href=(local_key(settings, key)) { (channel::name(key, settings)) } } }
                }
            }
        }
    }
}

/// The tags, each a link where it has a feed.
fn tags(item: &Item<'_>, keys: &[Key], settings: &Settings) -> Markup {
    let words = Words::of(settings);
    let tags: Vec<_> = item.terms.iter().filter(|term| term.kind == Kind::Tag).collect();
    html! {
        @if !tags.is_empty() {
            p .tags {
                (words.tags) (words.colon)
                @for tag in tags {
                    " "
                    @match keys.iter().find(|key| key.kind() == Kind::Tag && key.names() == tag.names) {
                        Some(key) => a rel="tag" href=(local_key(settings, key)) { (tag.last()) },
                        None => span { (tag.last()) },
                    }
                }
            }
        }
    }
}

fn attachments(item: &Item<'_>, words: &Words) -> Markup {
    html! {
        @if !item.media.is_empty() {
            section {
                h2 { (words.attachments) }
                ul {
                    @for media in &item.media {
                        li { a href=(media.url) type=(media.media_type) rel="noopener" { (file_name(&media.url)) } }
                    }
                }
            }
        }
    }
}

/// The last name in an address, for people.
fn file_name(url: &str) -> String {
    let path = url.split(['?', '#']).next().unwrap_or(url);
    let name = path.rsplit('/').find(|name| !name.is_empty()).unwrap_or(path);
    XmlText::line(&percent_encoding::percent_decode_str(name).decode_utf8_lossy()).to_string()
}

/// Whether a body shows a picture.
fn holds(body: &str, image: &str) -> bool {
    let mut escaped = String::new();
    text::push_escaped(image, &mut escaped);
    body.contains(&format!("src=\"{escaped}\""))
}

/// The feeds that the page names: the narrowest categories, else everything.
fn feeds(keys: &[Key], settings: &Settings) -> Vec<(Key, XmlText)> {
    let is_leaf = |key: &Key| !keys.iter().any(|other| other.parent().as_ref() == Some(key));
    let mut feeds: Vec<_> = keys
        .iter()
        .filter(|key| key.kind() == Kind::Category && is_leaf(key))
        .map(|key| (key.clone(), channel::title(key, settings)))
        .collect();
    feeds.push((Key::all(), channel::title(&Key::all(), settings)));
    feeds
}

fn properties(item: &Item<'_>) -> Vec<(&'static str, String)> {
    let mut properties = vec![
        ("article:published_time", text::rfc3339(item.entry.published)),
        ("article:modified_time", text::rfc3339(item.entry.updated.max(item.entry.published))),
    ];
    properties.extend(item.image.iter().map(|url| ("og:image", url.clone())));
    properties.extend(item.authors.iter().map(|author| ("article:author", author.name.to_string())));
    let tags = item.terms.iter().filter(|term| term.kind == Kind::Tag);
    properties.extend(tags.map(|tag| ("article:tag", tag.last().to_string())));
    properties
}
