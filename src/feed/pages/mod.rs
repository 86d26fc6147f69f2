//! Pages for people: the index, lists of feeds, each feed and each article.
//!
//! Plain HTML with one small style sheet; no script anywhere, and no request to another host but for the articles'
//! own pictures. Every page says by `rel=alternate` which feeds go with it.

mod article;
mod feed;
mod index;
mod list;
mod outline;
mod words;

use maud::{DOCTYPE, Markup, Render, html};

use super::Settings;
use super::channel;
use super::text::{self, XmlText};
use crate::entry::{Document, Format, Key, Kind, Timestamp, key_path};

pub(super) use article::article;
pub(super) use feed::feed;
pub(super) use index::index;
pub(super) use list::list;
use words::Words;

/// The style sheet.
pub(super) const STYLE: &str = include_str!("style.css");

/// The icon.
pub(super) const ICON: &str = include_str!("favicon.svg");

/// What crawlers may read: everything. Where an index of all feeds is, is said too.
pub(super) fn robots() -> String {
    "User-agent: *\nAllow: /\n".to_owned()
}

/// What stands in the head of a page and around its content.
struct Page<'a> {
    settings: &'a Settings,
    /// Of the page itself.
    title: XmlText,
    description: Option<XmlText>,
    /// The page's own address, or the better one of another site.
    canonical: String,
    /// Feeds of which this is a page, with their names.
    feeds: Vec<(Key, XmlText)>,
    /// Open Graph properties besides the usual ones.
    properties: Vec<(&'static str, String)>,
    /// `website` or `article`.
    kind: &'static str,
}

impl Page<'_> {
    /// The whole document.
    fn around(&self, content: &Markup) -> Vec<u8> {
        let settings = self.settings;
        let words = Words::of(settings);
        let site = XmlText::line(&settings.title);
        let home = local(settings, &Document::Index);
        let language = text::language(&settings.language);
        let page = html! {
            (DOCTYPE)
            html lang=(language.as_ref().map_or("en", XmlText::as_str)) {
                head {
                    meta charset="utf-8";
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    title {
                        (self.title)
                        @if self.title != site && !self.title.as_str().ends_with(&format!("· {site}")) { " · " (site) }
                    }
                    @if let Some(description) = &self.description {
                        meta name="description" content=(description);
                    }
                    meta name="color-scheme" content="light dark";
                    meta name="theme-color" content="#fffdf8" media="(prefers-color-scheme: light)";
                    meta name="theme-color" content="#16181d" media="(prefers-color-scheme: dark)";
                    meta name="generator" content="feedmill";
                    link rel="canonical" href=(self.canonical);
                    @for (key, name) in &self.feeds {
                        @for &format in &settings.formats {
                            link rel="alternate" type=(format.link_type()) title={ (name) " (" (label(format)) ")" }
                                href=(settings.address(&Document::Feed(key.clone(), format)));
                        }
                    }
                    link rel="icon" type="image/svg+xml" href=(local(settings, &Document::Icon));
                    link rel="stylesheet" href=(local(settings, &Document::Style));
                    meta property="og:site_name" content=(site);
                    meta property="og:title" content=(self.title);
                    meta property="og:type" content=(self.kind);
                    meta property="og:url" content=(self.canonical);
                    @if let Some(description) = &self.description {
                        meta property="og:description" content=(description);
                    }
                    @for (property, value) in &self.properties {
                        meta property=(property) content=(value);
                    }
                }
                body {
                    a .skip href="#content" { (words.skip) }
                    header .site {
                        a href=(home) { (site) }
                        nav aria-label=(words.site) {
                            a href=(local_key(settings, &Key::all())) { (words.everything) }
                            a href=(local(settings, &Document::Opml)) { "OPML" }
                        }
                    }
                    main #content { (content) }
                    footer .site {
                        p { (words.made_by) }
                    }
                }
            }
        };
        page.into_string().into_bytes()
    }
}

/// The address of a document for links from page to page: without the host, so that a site is whole also under
/// another name than `site.base_url` has.
fn local(settings: &Settings, document: &Document) -> String {
    format!("{}{}", base_path(settings), document.path())
}

/// A feed's address for links from page to page; it negotiates.
fn local_key(settings: &Settings, key: &Key) -> String {
    format!("{}{}", base_path(settings), key_path(key))
}

/// The path of `site.base_url`.
fn base_path(settings: &Settings) -> &str {
    let rest = settings.base_url.split_once("://").map_or("", |(_, rest)| rest);
    rest.find('/').map_or("", |at| &rest[at..])
}

/// A feed's address to share: it negotiates, and so serves people and readers.
fn address(settings: &Settings, key: &Key) -> String {
    format!("{}{}", settings.base_url, key_path(key))
}

/// The name of a format.
fn label(format: Format) -> &'static str {
    match format {
        Format::Rss => "RSS",
        Format::Atom => "Atom",
        Format::Json => "JSON Feed",
    }
}

/// A point in time, in the site's zone.
struct Time<'a>(Timestamp, &'a Settings);

impl Render for Time<'_> {
    fn render_to(&self, buffer: &mut String) {
        let at = text::clamped(self.0);
        let shown = at.with_timezone(&self.1.timezone).format("%Y-%m-%d %H:%M").to_string();
        html! { time datetime=(text::rfc3339(at)) { (shown) } }.render_to(buffer);
    }
}

/// Where a feed stands: links to the broader ones.
fn path(settings: &Settings, key: &Key) -> Markup {
    let words = Words::of(settings);
    let mut broader: Vec<Key> = std::iter::successors(key.parent(), Key::parent).collect();
    broader.reverse();
    html! {
        nav .path aria-label=(words.path) {
            ol {
                li { a href=(local(settings, &Document::Index)) { (words.home) } }
                @if key.kind() != Kind::All && key.kind() != Kind::Mix {
                    li { a href=(local(settings, &Document::List(key.kind(), 1))) { (words.kind(key.kind())) } }
                }
                @for above in &broader {
                    li { a href=(local_key(settings, above)) { (channel::name(above, settings)) } }
                }
                li aria-current="page" { (heading(settings, key)) }
            }
        }
    }
}

/// What a feed's page is headed with: the site's name stands above it already.
fn heading(settings: &Settings, key: &Key) -> XmlText {
    match key.kind() {
        Kind::All => XmlText::line(Words::of(settings).everything),
        _ => channel::name(key, settings),
    }
}

/// The field with a feed's address to copy, and its formats.
fn subscribe(settings: &Settings, key: &Key, explanation: &str) -> Markup {
    let words = Words::of(settings);
    let address = address(settings, key);
    html! {
        div .subscribe {
            p { (explanation) }
            p { label for="address" { (words.address) } }
            input #address type="url" readonly value=(address);
            p .formats {
                (words.formats)
                @for &format in &settings.formats {
                    " "
                    a type=(format.link_type()) href=(local(settings, &Document::Feed(key.clone(), format))) {
                        (label(format))
                    }
                }
            }
        }
    }
}
