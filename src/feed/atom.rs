//! Atom 1.0 (RFC 4287), with feed history (RFC 5005) and tombstones (RFC 6721).
//!
//! `published` and `updated` are apart; every entry names its own authors, and where one has none the feed names
//! somebody, as RFC 4287 section 4.1.1 demands.

use std::collections::BTreeMap;

use atom_syndication::extension::{Extension, ExtensionMap};
use atom_syndication::{Category, Content, Entry, Feed, Generator, Link, Person, Text, WriteConfig};
use chrono::FixedOffset;

use super::channel::{self, Channel, Item};
use super::text::{self, XmlText};
use crate::entry::{Format, Timestamp};

/// The feed as Atom.
pub(super) fn render(channel: &Channel<'_>) -> Vec<u8> {
    let mut namespaces = BTreeMap::new();
    let mut declare = |prefix: &str, uri: &str| drop(namespaces.insert(prefix.to_owned(), uri.to_owned()));
    declare("media", "http://search.yahoo.com/mrss/");
    if channel.archive {
        declare("fh", "http://purl.org/syndication/history/1.0");
    }
    if !channel.tombstones.is_empty() {
        declare("at", "http://purl.org/atompub/tombstones/1.0");
    }
    let everybody_named = !channel.items.is_empty() && channel.items.iter().all(|item| !item.authors.is_empty());
    let somebody = Person { name: channel.author.to_string(), ..Person::default() };
    let feed = Feed {
        title: Text::plain(channel.title.as_str()),
        id: channel.id.to_string(),
        updated: date(channel.updated),
        authors: (channel.has_author || !everybody_named).then_some(somebody).into_iter().collect(),
        generator: Some(Generator { value: "feedmill".to_owned(), ..Generator::default() }),
        links: links(channel),
        subtitle: Some(&channel.description)
            .filter(|description| **description != channel.title)
            .map(|description| Text::plain(description.as_str())),
        entries: channel.items.iter().map(entry).collect(),
        extensions: extensions(channel),
        namespaces,
        lang: channel.language.as_ref().map(ToString::to_string),
        ..Feed::default()
    };
    let config = WriteConfig { write_document_declaration: false, indent_size: Some(0) };
    // Writing into memory does not fail.
    let xml = feed.write_with_config(Vec::new(), config).unwrap_or_default();
    let xml = text::close_empty(String::from_utf8(xml).unwrap_or_default());
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"utf-8\"?>\n");
    push_extensions_first(&xml, &mut out);
    out.into_bytes()
}

/// Appends the feed with its extension elements before the entries: the crate writes them after, where the schema of
/// RFC 4287 (appendix B) has no place for them. All text is escaped, so tags are found by their look.
fn push_extensions_first(xml: &str, out: &mut String) {
    // UTC as `Z`, like everywhere else.
    let xml = xml.replace("+00:00</updated>", "Z</updated>").replace("+00:00</published>", "Z</published>");
    const END: &str = "</entry>\n";
    match (xml.find("<entry>"), xml.rfind(END), xml.rfind("</feed>")) {
        (Some(first), Some(last), Some(end)) => {
            let last = last + END.len();
            out.push_str(&xml[..first]);
            out.push_str(&xml[last..end]);
            out.push_str(&xml[first..last]);
            out.push_str(&xml[end..]);
        }
        _ => out.push_str(&xml),
    }
    out.push('\n');
}

fn links(channel: &Channel<'_>) -> Vec<Link> {
    let link = |rel: &str, mime_type: Option<&str>, href: &str| Link {
        href: href.to_owned(),
        rel: rel.to_owned(),
        mime_type: mime_type.map(str::to_owned),
        ..Link::default()
    };
    let mut links = vec![
        link("self", Some(Format::Atom.link_type()), &channel.own),
        link("alternate", Some("text/html"), &channel.page),
    ];
    let others = [
        ("current", &channel.current),
        ("prev-archive", &channel.prev_archive),
        ("next-archive", &channel.next_archive),
    ];
    for (rel, href) in others {
        links.extend(href.iter().map(|href| link(rel, Some(Format::Atom.link_type()), href)));
    }
    links.extend(channel.hubs.iter().map(|hub| link("hub", None, hub.as_str())));
    links
}

fn entry(item: &Item<'_>) -> Entry {
    let language = item.language.as_ref();
    let text = |value: &XmlText| Text { lang: language.map(ToString::to_string), ..Text::plain(value.as_str()) };
    Entry {
        title: text(&item.title),
        id: item.id.to_string(),
        updated: date(item.entry.updated.max(item.entry.published)),
        published: Some(date(item.entry.published)),
        authors: item.authors.iter().map(person).collect(),
        categories: item
            .terms
            .iter()
            .map(|term| Category {
                term: term.path().into(),
                scheme: Some(term.scheme.clone()),
                label: Some(term.last().into()),
            })
            .collect(),
        links: entry_links(item),
        summary: item.summary().map(text),
        content: item.body().map(|html| Content {
            lang: language.map(ToString::to_string),
            value: Some(html.to_string()),
            content_type: Some("html".to_owned()),
            ..Content::default()
        }),
        extensions: media(item),
        ..Entry::default()
    }
}

fn person(author: &channel::Person) -> Person {
    Person {
        name: author.name.to_string(),
        email: author.email.as_ref().map(ToString::to_string),
        uri: author.url.clone(),
        ..Person::default()
    }
}

fn entry_links(item: &Item<'_>) -> Vec<Link> {
    let mut links = vec![Link {
        href: item.link.clone(),
        rel: "alternate".to_owned(),
        mime_type: Some("text/html".to_owned()),
        ..Link::default()
    }];
    links.extend(item.via.iter().map(|href| Link { href: href.clone(), rel: "via".to_owned(), ..Link::default() }));
    links.extend(item.media.iter().map(|media| Link {
        href: media.url.clone(),
        rel: "enclosure".to_owned(),
        mime_type: Some(media.media_type.to_string()),
        length: (media.length > 0).then(|| media.length.to_string()),
        ..Link::default()
    }));
    links
}

fn media(item: &Item<'_>) -> ExtensionMap {
    let mut map = ExtensionMap::new();
    if let Some(url) = &item.image {
        let elements = map.entry("media".to_owned()).or_default();
        elements.insert("content".to_owned(), vec![extension("media:content", &[("medium", "image"), ("url", url)])]);
        elements.insert("thumbnail".to_owned(), vec![extension("media:thumbnail", &[("url", url)])]);
    }
    map
}

/// That an archive is one, and what was withdrawn.
fn extensions(channel: &Channel<'_>) -> ExtensionMap {
    let mut map = ExtensionMap::new();
    if channel.archive {
        map.entry("fh".to_owned()).or_default().insert("archive".to_owned(), vec![extension("fh:archive", &[])]);
    }
    if !channel.tombstones.is_empty() {
        let deleted = channel.tombstones.iter().map(|tombstone| {
            let id = XmlText::line(tombstone.id.as_str());
            let attributes = [("ref", id.as_str()), ("when", &text::rfc3339(tombstone.at))];
            extension("at:deleted-entry", &attributes)
        });
        map.entry("at".to_owned()).or_default().insert("deleted-entry".to_owned(), deleted.collect());
    }
    map
}

/// An extension element. The crate escapes all attributes but those of extensions.
fn extension(name: &str, attributes: &[(&str, &str)]) -> Extension {
    let escaped = |value: &str| {
        let mut out = String::with_capacity(value.len());
        text::push_escaped(value, &mut out);
        out
    };
    Extension {
        name: name.to_owned(),
        attrs: attributes.iter().map(|(name, value)| ((*name).to_owned(), escaped(value))).collect(),
        ..Extension::default()
    }
}

fn date(at: Timestamp) -> chrono::DateTime<FixedOffset> {
    text::clamped(at).fixed_offset()
}
