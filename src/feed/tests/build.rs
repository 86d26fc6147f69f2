//! Builds entries and settings without a catalog: a description with everything at its plainest, to be changed.

use std::path::PathBuf;

use uuid::Uuid;

use crate::entry::{
    Article, Author, Body, Entry, EntryId, FeedMaterial, FeedRow, Format, Hash, Kept, Key, Kind, Markup, Namespace,
    Timestamp,
};
use crate::feed::{Content, Settings};

/// Settings as the defaults of the config give them.
pub(super) fn settings() -> Settings {
    Settings {
        title: "Feedmill".to_owned(),
        base_url: "http://127.0.0.1:8080".to_owned(),
        namespace: Namespace::new(None),
        language: "en".to_owned(),
        author: None,
        timezone: chrono_tz::UTC,
        assets_url: None,
        formats: Format::ALL.to_vec(),
        archives: vec![Kind::All, Kind::Category, Kind::Mix],
        bytes: 512 * 1024,
        content: Content::Full,
        link: None,
        mix_titles: [].into(),
        hubs: Vec::new(),
    }
}

/// A point in time, from RFC 3339.
pub(super) fn at(text: &str) -> Timestamp {
    chrono::DateTime::parse_from_rfc3339(text).expect("RFC 3339").to_utc()
}

/// A key, from its text.
pub(super) fn key(text: &str) -> Key {
    Key::parse(text).expect("a key")
}

/// The `number`th entry: an article with a title and this body.
pub(super) fn entry(number: u32, title: &str, markup: Markup, body: &str) -> Entry {
    // As a file's text is read: no byte order mark, line feeds alone.
    let body = &body.trim_start_matches('\u{feff}').replace("\r\n", "\n").replace('\r', "\n");
    let published = at("2022-04-11T13:01:53Z") + chrono::TimeDelta::hours(i64::from(number));
    let uuid = Uuid::new_v5(&Uuid::NAMESPACE_URL, format!("test {number}").as_bytes());
    let rev: Hash = *blake3::hash(format!("{number} {title} {body}").as_bytes()).as_bytes();
    Entry {
        id: EntryId::from_stored(uuid.urn().to_string()),
        uuid,
        sequence: u64::from(number),
        position: published,
        published,
        updated: published,
        rev,
        path: format!("{number}.md"),
        article: Article {
            title: title.to_owned(),
            published: Some(published),
            updated: None,
            expires: None,
            explicit_id: None,
            authors: Vec::new(),
            categories: Vec::new(),
            tags: Vec::new(),
            language: None,
            summary: None,
            image: None,
            link: None,
            slug: None,
            media: Vec::new(),
            draft: false,
            body: Body { encoding: "UTF-8".to_owned(), start: 0, end: body.len(), markup, hash: rev, text_bytes: 0 },
            content: rev,
        },
        kept: Kept::new(body.as_bytes()),
    }
}

/// An author of whom only the name is known.
pub(super) fn author(name: &str) -> Author {
    Author { name: name.to_owned(), email: None, url: None }
}

/// A live feed of these entries.
pub(super) fn feed(name: &str, entries: Vec<Entry>) -> FeedMaterial {
    let updated = entries.iter().map(|entry| entry.updated).max().unwrap_or_else(|| at("2022-04-11T13:01:53Z"));
    FeedMaterial {
        key: key(name),
        updated,
        count: entries.len() as u64,
        entries,
        tombstones: Vec::new(),
        newest_archive: None,
        children: Vec::new(),
    }
}

/// A row of a list.
pub(super) fn row(name: &str, count: u64) -> FeedRow {
    FeedRow { key: key(name), count, updated: at("2022-04-11T13:01:53Z") }
}

/// The data that lies beside the repository on some machines; tests that want it are skipped elsewhere.
pub(super) fn shared(name: &str) -> Option<PathBuf> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared").join(name);
    if path.exists() {
        return Some(path);
    }
    // The one thing that must be seen in a run of the tests.
    #[allow(clippy::print_stderr, reason = "a skipped test says so")]
    {
        eprintln!("skipped: there is no ../shared/{name}");
    }
    None
}
