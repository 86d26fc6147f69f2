//! A feed as every format sees it: a channel with items, all text legal, all addresses absolute and sound.
//!
//! The formats differ only in how they write this. What depends on the settings (titles, links, which archives are
//! named) is decided here, once for all of them.

use std::sync::Arc;

use url::Url;

use super::body::Cleaned;
use super::link::{self, Base};
use super::text::{self, XmlText};
use super::{Content, RenderError, Renderer, Settings, limit};
use crate::entry::{
    ArchiveMaterial, Document, Entry, FeedMaterial, Format, Key, Kind, Segment, Term, Timestamp, Tombstone,
};

/// A live feed or an archive document.
#[derive(Debug)]
pub(super) struct Channel<'a> {
    /// `urn:uuid:…`, of the feed: its archives have the same.
    pub(super) id: XmlText,
    pub(super) title: XmlText,
    pub(super) description: XmlText,
    pub(super) language: Option<XmlText>,
    /// Where a feed has to name somebody: `site.author`, else the site's title.
    pub(super) author: XmlText,
    /// Whether `site.author` is set.
    pub(super) has_author: bool,
    pub(super) updated: Timestamp,
    /// This document.
    pub(super) own: String,
    /// The feed as a page.
    pub(super) page: String,
    /// Whether this is an archive document.
    pub(super) archive: bool,
    /// The live feed, where this is an archive.
    pub(super) current: Option<String>,
    pub(super) prev_archive: Option<String>,
    pub(super) next_archive: Option<String>,
    /// Where one can subscribe to this document (WebSub section 4).
    pub(super) hubs: &'a [Url],
    pub(super) items: Vec<Item<'a>>,
    pub(super) tombstones: &'a [Tombstone],
}

/// An entry as every format sees it.
#[derive(Debug)]
pub(super) struct Item<'a> {
    pub(super) entry: &'a Entry,
    pub(super) id: XmlText,
    pub(super) title: XmlText,
    /// Where it leads.
    pub(super) link: String,
    /// The address that the author gave as its source.
    pub(super) via: Option<String>,
    pub(super) authors: Vec<Person>,
    pub(super) language: Option<XmlText>,
    pub(super) terms: Vec<Label>,
    pub(super) image: Option<String>,
    pub(super) media: Vec<Enclosure>,
    pub(super) cleaned: Arc<Cleaned>,
    /// Whether the body goes with it.
    pub(super) whole: bool,
}

impl Item<'_> {
    /// The body, if it goes with the item and there is one.
    pub(super) fn body(&self) -> Option<&XmlText> {
        (self.whole && !self.cleaned.html.is_empty()).then(|| self.cleaned.html.as_text())
    }

    /// The summary, if there is one.
    pub(super) fn summary(&self) -> Option<&XmlText> {
        Some(&self.cleaned.summary).filter(|summary| !summary.is_empty())
    }
}

/// An author.
#[derive(Debug)]
pub(super) struct Person {
    pub(super) name: XmlText,
    pub(super) email: Option<XmlText>,
    pub(super) url: Option<String>,
}

/// A category or tag of an item.
#[derive(Debug)]
pub(super) struct Label {
    pub(super) kind: Kind,
    /// The names from broad to narrow.
    pub(super) names: Vec<Segment>,
    /// The address of the list that it is from.
    pub(super) scheme: String,
}

impl Label {
    /// The path with slashes between names.
    pub(super) fn path(&self) -> XmlText {
        XmlText::new(&self.names.iter().map(Segment::as_str).collect::<Vec<_>>().join("/"))
    }

    /// The narrowest name.
    pub(super) fn last(&self) -> XmlText {
        XmlText::new(self.names.last().map_or("", Segment::as_str))
    }
}

/// Something to download or play.
#[derive(Debug)]
pub(super) struct Enclosure {
    pub(super) url: String,
    pub(super) media_type: XmlText,
    pub(super) length: u64,
}

impl<'a> Channel<'a> {
    /// The live feed.
    pub(super) fn live(
        renderer: &'a Renderer,
        material: &'a FeedMaterial,
        format: Format,
    ) -> Result<Channel<'a>, RenderError> {
        let settings = renderer.settings();
        let key = &material.key;
        let candidates = items(renderer, &material.entries)?;
        let weights = candidates.iter().map(|item| limit::Weight {
            body: item.cleaned.html.as_str().len(),
            summary: item.cleaned.summary.as_str().len(),
        });
        let shown = limit::shown(weights, settings.bytes, settings.content);
        let items = candidates.into_iter().zip(shown).map(|(item, whole)| Item { whole, ..item }).collect();
        let newest = material.newest_archive.filter(|_| settings.archives.contains(&key.kind()));
        Ok(Channel {
            prev_archive: newest.map(|number| settings.address(&Document::Archive(key.clone(), number, format))),
            items,
            hubs: &settings.hubs,
            tombstones: &material.tombstones,
            ..Channel::of(settings, key, material.updated, settings.address(&Document::Feed(key.clone(), format)))
        })
    }

    /// An archive document.
    pub(super) fn archive(
        renderer: &Renderer,
        material: &'a ArchiveMaterial,
        format: Format,
    ) -> Result<Channel<'a>, RenderError> {
        let settings = renderer.settings();
        let page = |number| settings.address(&Document::Archive(material.key.clone(), number, format));
        let mut items = items(renderer, &material.entries)?;
        for item in &mut items {
            item.whole = settings.content == Content::Full;
        }
        Ok(Channel {
            archive: true,
            current: Some(settings.address(&Document::Feed(material.key.clone(), format))),
            prev_archive: material.number.checked_sub(1).filter(|&number| number > 0).map(page),
            next_archive: material.has_next.then(|| page(material.number + 1)),
            items,
            ..Channel::of(settings, &material.key, material.updated, page(material.number))
        })
    }

    fn of(settings: &Settings, key: &Key, updated: Timestamp, own: String) -> Channel<'a> {
        Channel {
            id: XmlText::new(&settings.namespace.feed_id(key)),
            title: title(key, settings),
            description: description(key, settings),
            language: text::language(&settings.language),
            author: XmlText::line(settings.author.as_deref().unwrap_or(&settings.title)),
            has_author: settings.author.is_some(),
            updated,
            own,
            page: settings.address(&Document::Page(key.clone())),
            archive: false,
            current: None,
            prev_archive: None,
            next_archive: None,
            hubs: &[],
            items: Vec::new(),
            tombstones: &[],
        }
    }
}

/// What a feed is called: the site's title for `all`, a mix's own, else the narrowest name and the site.
pub(super) fn title(key: &Key, settings: &Settings) -> XmlText {
    let Some(last) = key.last() else { return XmlText::line(&settings.title) };
    match settings.mix_titles.get(last).filter(|_| key.kind() == Kind::Mix) {
        Some(title) => XmlText::line(title),
        None => XmlText::line(&format!("{last} · {}", settings.title)),
    }
}

/// What a feed is called in a list of the site's feeds.
pub(super) fn name(key: &Key, settings: &Settings) -> XmlText {
    let Some(last) = key.last() else { return title(key, settings) };
    let mix = settings.mix_titles.get(last).filter(|_| key.kind() == Kind::Mix);
    XmlText::line(mix.map_or(last.as_str(), String::as_str))
}

/// What a feed holds: the path of its names.
pub(super) fn description(key: &Key, settings: &Settings) -> XmlText {
    match key.kind() {
        Kind::All | Kind::Mix => title(key, settings),
        _ => XmlText::line(&key.path_text(" › ")),
    }
}

fn items<'a>(renderer: &Renderer, entries: &'a [Entry]) -> Result<Vec<Item<'a>>, RenderError> {
    entries.iter().map(|entry| item(renderer, entry)).collect()
}

/// One entry.
pub(super) fn item<'a>(renderer: &Renderer, entry: &'a Entry) -> Result<Item<'a>, RenderError> {
    let settings = renderer.settings();
    let article = &entry.article;
    let base = Base::of(entry, settings);
    let authors = article.authors.iter().map(|author| Person {
        name: XmlText::line(&author.name),
        email: author.email.as_deref().filter(|email| is_mail(email)).map(XmlText::line),
        url: author.url.as_deref().and_then(|url| Base::none().web(url)),
    });
    let media = article.media.iter().filter_map(|media| {
        Some(Enclosure {
            url: base.web(&media.url)?,
            media_type: XmlText::line(media.media_type.as_deref().filter(|t| is_media_type(t)).unwrap_or(UNKNOWN_TYPE)),
            length: media.length,
        })
    });
    let terms = entry.terms().into_iter().map(|Term(key)| key).filter(|key| is_label(key.kind())).map(|key| Label {
        kind: key.kind(),
        scheme: settings.address(&Document::List(key.kind(), 1)),
        names: key.names().to_vec(),
    });
    Ok(Item {
        entry,
        id: XmlText::line(entry.id.as_str()),
        title: XmlText::line(&article.title),
        link: link::item(entry, settings),
        via: link::own(entry),
        authors: authors.filter(|author| !author.name.is_empty()).collect(),
        language: article.language.as_deref().and_then(text::language),
        terms: terms.collect(),
        image: article.image.as_deref().and_then(|image| base.web(image)),
        media: media.collect(),
        cleaned: renderer.cleaned(entry, &base)?,
        whole: true,
    })
}

/// Bytes of which nothing is known (RFC 2046 section 4.5.1).
const UNKNOWN_TYPE: &str = "application/octet-stream";

/// Terms that formats name as categories; authors and languages have elements of their own, folders are nobody's
/// business.
fn is_label(kind: Kind) -> bool {
    matches!(kind, Kind::Category | Kind::Tag)
}

fn is_mail(text: &str) -> bool {
    text.split_once('@').is_some_and(|(user, host)| !user.is_empty() && !host.is_empty())
        && !text.contains(|c: char| c.is_whitespace() || c == '<' || c == '>')
}

fn is_media_type(text: &str) -> bool {
    text.split_once('/').is_some_and(|(kind, name)| {
        let plain = |part: &str| {
            !part.is_empty()
                && part.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'+' | b'.' | b'_'))
        };
        plain(kind) && plain(name)
    })
}
