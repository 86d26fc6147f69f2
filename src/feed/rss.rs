//! RSS 2.0 with the modules that readers know: Atom links, content, Dublin Core, Media RSS, syndication, feed history.
//!
//! The summary stands before the body. Both are HTML, so a summary that is plain text is escaped once more; titles
//! are plain text, escaped once by the writer.

use std::collections::BTreeMap;

use rss::extension::dublincore::DublinCoreExtension;
use rss::extension::syndication::{SyndicationExtension, UpdatePeriod};
use rss::extension::{Extension, ExtensionMap};
use rss::{Category, Enclosure, Guid};

use super::channel::{Channel, Item};
use super::text;
use crate::entry::Format;

/// Minutes for which a reader may keep a feed.
const TTL: &str = "15";

/// How often an hour a reader may look again: the same.
const FREQUENCY: u32 = 4;

/// The feed as RSS.
pub(super) fn render(channel: &Channel<'_>) -> Vec<u8> {
    let mut namespaces = BTreeMap::new();
    let mut declare = |prefix: &str, uri: &str| drop(namespaces.insert(prefix.to_owned(), uri.to_owned()));
    declare("atom", "http://www.w3.org/2005/Atom");
    declare("content", "http://purl.org/rss/1.0/modules/content/");
    declare("dc", "http://purl.org/dc/elements/1.1/");
    declare("media", "http://search.yahoo.com/mrss/");
    declare("sy", "http://purl.org/rss/1.0/modules/syndication/");
    if channel.archive {
        declare("fh", "http://purl.org/syndication/history/1.0");
    }
    let schedule = SyndicationExtension {
        period: UpdatePeriod::Hourly,
        frequency: FREQUENCY,
        // Any full hour; validators find dates before 1990 implausible.
        base: "2000-01-01T00:00+00:00".to_owned(),
    };
    let rss = rss::Channel {
        title: channel.title.to_string(),
        link: channel.page.clone(),
        description: channel.description.to_string(),
        language: channel.language.as_ref().map(ToString::to_string),
        last_build_date: Some(text::rfc822(channel.updated)),
        generator: Some("feedmill".to_owned()),
        ttl: Some(TTL.to_owned()),
        items: channel.items.iter().map(item).collect(),
        extensions: extensions(channel),
        syndication_ext: Some(schedule),
        namespaces,
        ..rss::Channel::default()
    };
    // Writing into memory does not fail.
    let xml = rss.pretty_write_to(Vec::new(), b' ', 0).unwrap_or_default();
    let mut xml = text::close_empty(String::from_utf8(xml).unwrap_or_default());
    xml.push('\n');
    xml.into_bytes()
}

/// The links of the channel, and that an archive is one.
fn extensions(channel: &Channel<'_>) -> ExtensionMap {
    let mut links =
        vec![extension("atom:link", &[("rel", "self"), ("type", Format::Rss.link_type()), ("href", &channel.own)])];
    let others = [
        ("current", &channel.current),
        ("prev-archive", &channel.prev_archive),
        ("next-archive", &channel.next_archive),
    ];
    let others = others.into_iter().filter_map(|(rel, href)| Some((rel, href.as_deref()?)));
    for (rel, href) in others.chain(channel.hubs.iter().map(|hub| ("hub", hub.as_str()))) {
        links.push(extension("atom:link", &[("rel", rel), ("href", href)]));
    }
    let mut map = ExtensionMap::new();
    put(&mut map, "atom", "link", links);
    if channel.archive {
        put(&mut map, "fh", "archive", vec![extension("fh:archive", &[])]);
    }
    map
}

fn item(item: &Item<'_>) -> rss::Item {
    let mut enclosures = item.media.iter();
    let creators = item.authors.iter().map(|author| author.name.as_str()).collect::<Vec<_>>().join(", ");
    rss::Item {
        title: Some(item.title.to_string()),
        link: Some(item.link.clone()),
        // Validators want one before the content. A body of pictures alone has no words but those of the title.
        description: item.summary().or_else(|| item.body().map(|_| &item.title)).map(|summary| {
            let mut html = String::new();
            text::push_escaped(summary.as_str(), &mut html);
            html
        }),
        categories: item
            .terms
            .iter()
            .map(|term| Category { name: term.path().into(), domain: Some(term.scheme.clone()) })
            .collect(),
        // RSS has one enclosure an item; the others follow as `media:content`.
        enclosure: enclosures.next().map(|media| Enclosure {
            url: media.url.clone(),
            length: media.length.to_string(),
            mime_type: media.media_type.to_string(),
        }),
        guid: Some(Guid { value: item.id.to_string(), permalink: false }),
        pub_date: Some(text::rfc822(item.entry.published)),
        content: item.body().map(ToString::to_string),
        extensions: media(item, enclosures),
        // One element: many readers show the first and no other.
        dublin_core_ext: Some(DublinCoreExtension {
            creators: Some(creators).filter(|names| !names.is_empty()).into_iter().collect(),
            languages: item.language.iter().map(ToString::to_string).collect(),
            ..DublinCoreExtension::default()
        })
        .filter(|dc| *dc != DublinCoreExtension::default()),
        ..rss::Item::default()
    }
}

/// The picture and what did not fit into the enclosure, as Media RSS.
fn media<'a>(item: &Item<'_>, enclosures: impl Iterator<Item = &'a super::channel::Enclosure>) -> ExtensionMap {
    let mut contents: Vec<Extension> =
        item.image.iter().map(|url| extension("media:content", &[("medium", "image"), ("url", url)])).collect();
    for media in enclosures {
        let length = media.length.to_string();
        let mut attributes = vec![("type", media.media_type.as_str()), ("url", &media.url)];
        if media.length > 0 {
            attributes.push(("fileSize", &length));
        }
        contents.push(extension("media:content", &attributes));
    }
    let mut map = ExtensionMap::new();
    put(&mut map, "media", "content", contents);
    let thumbnail = item.image.iter().map(|url| extension("media:thumbnail", &[("url", url)])).collect();
    put(&mut map, "media", "thumbnail", thumbnail);
    map
}

fn put(map: &mut ExtensionMap, prefix: &str, name: &str, elements: Vec<Extension>) {
    if !elements.is_empty() {
        map.entry(prefix.to_owned()).or_default().insert(name.to_owned(), elements);
    }
}

fn extension(name: &str, attributes: &[(&str, &str)]) -> Extension {
    Extension {
        name: name.to_owned(),
        attrs: attributes.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
        ..Extension::default()
    }
}
