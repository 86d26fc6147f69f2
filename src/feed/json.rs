//! JSON Feed 1.1.
//!
//! The structs are the format: their fields stand in the order of the specification, and what is not there is left
//! out.

use std::collections::BTreeSet;

use serde::Serialize;

use super::channel::{Channel, Item, Person};
use super::text;
use crate::entry::Kind;

#[derive(Serialize)]
struct Feed<'a> {
    version: &'static str,
    title: &'a str,
    home_page_url: &'a str,
    feed_url: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
    /// Older items.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_url: Option<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    authors: Vec<Author<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    language: Option<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    hubs: Vec<Hub<'a>>,
    items: Vec<JsonItem<'a>>,
}

#[derive(Serialize)]
struct Hub<'a> {
    #[serde(rename = "type")]
    protocol: &'static str,
    url: &'a str,
}

#[derive(Serialize)]
struct Author<'a> {
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<&'a str>,
}

#[derive(Serialize)]
struct JsonItem<'a> {
    id: &'a str,
    url: &'a str,
    title: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    content_html: Option<&'a str>,
    /// Every item has to have a content; one that goes as its summary has this.
    #[serde(skip_serializing_if = "Option::is_none")]
    content_text: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    summary: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    image: Option<&'a str>,
    date_published: String,
    date_modified: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    authors: Vec<Author<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tags: Vec<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    language: Option<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    attachments: Vec<Attachment<'a>>,
}

#[derive(Serialize)]
struct Attachment<'a> {
    url: &'a str,
    mime_type: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    size_in_bytes: Option<u64>,
}

/// The feed as JSON.
pub(super) fn render(channel: &Channel<'_>) -> Vec<u8> {
    let feed = Feed {
        version: "https://jsonfeed.org/version/1.1",
        title: channel.title.as_str(),
        home_page_url: &channel.page,
        feed_url: &channel.own,
        description: Some(channel.description.as_str()).filter(|text| *text != channel.title.as_str()),
        next_url: channel.prev_archive.as_deref(),
        authors: channel.has_author.then(|| Author { name: channel.author.as_str(), url: None }).into_iter().collect(),
        language: channel.language.as_ref().map(text::XmlText::as_str),
        hubs: channel.hubs.iter().map(|hub| Hub { protocol: "WebSub", url: hub.as_str() }).collect(),
        items: channel.items.iter().map(item).collect(),
    };
    // Strings and numbers always serialise.
    let mut bytes = serde_json::to_vec(&feed).unwrap_or_default();
    bytes.push(b'\n');
    bytes
}

fn item<'a>(item: &'a Item<'_>) -> JsonItem<'a> {
    let body = item.body().map(text::XmlText::as_str);
    let text = body.is_none().then(|| item.summary().map_or("", text::XmlText::as_str));
    JsonItem {
        id: item.id.as_str(),
        url: &item.link,
        title: item.title.as_str(),
        content_html: body,
        content_text: text,
        summary: item.summary().map(text::XmlText::as_str),
        image: item.image.as_deref(),
        date_published: text::rfc3339(item.entry.published),
        date_modified: text::rfc3339(item.entry.updated.max(item.entry.published)),
        authors: item.authors.iter().map(author).collect(),
        tags: tags(item),
        language: item.language.as_ref().map(text::XmlText::as_str),
        attachments: item
            .media
            .iter()
            .map(|media| Attachment {
                url: &media.url,
                mime_type: media.media_type.as_str(),
                size_in_bytes: Some(media.length).filter(|&length| length > 0),
            })
            .collect(),
    }
}

fn author(person: &Person) -> Author<'_> {
    Author { name: person.name.as_str(), url: person.url.as_deref() }
}

/// The names of the category paths, then the tags, each once.
fn tags<'a>(item: &'a Item<'_>) -> Vec<&'a str> {
    let mut seen = BTreeSet::new();
    let names = |kind| item.terms.iter().filter(move |term| term.kind == kind).flat_map(|term| &term.names);
    let all = names(Kind::Category).chain(names(Kind::Tag));
    all.map(crate::entry::Segment::as_str).filter(|name| seen.insert(*name)).collect()
}
