//! What a document is made from, as one read of the catalog gives it: a head, known before any bytes are made, and
//! the material that is rendered.

use uuid::Uuid;

use super::key::Key;
use super::{Entry, EntryId};
use crate::article::{Hash, Timestamp};

/// What is known of a document without rendering it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// Hash of the document's name and of everything in the catalog that its bytes depend on; no settings of the
    /// renderer are in it.
    pub digest: Hash,
    /// The newest change that the document shows: `updated` in it.
    pub updated: Timestamp,
    /// When the document last changed: for `Last-Modified` only.
    pub modified: Timestamp,
}

/// Whether a document exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// It does.
    Here(Head),
    /// It was an article's page, and the article was withdrawn.
    Gone,
    /// It never did.
    Never,
}

/// A withdrawn entry (RFC 6721).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tombstone {
    /// Its id.
    pub id: EntryId,
    /// When it was withdrawn.
    pub at: Timestamp,
}

/// One row of a list of feeds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FeedRow {
    /// The feed.
    pub key: Key,
    /// How many entries it has; all of them, not only those that the live feed shows.
    pub count: u64,
    /// The newest change shown in it.
    pub updated: Timestamp,
}

/// What a document is rendered from.
#[derive(Clone, Debug)]
pub enum Material {
    /// A live feed or its page.
    Feed(FeedMaterial),
    /// An archive document.
    Archive(ArchiveMaterial),
    /// An article's page.
    Article(ArticleMaterial),
    /// A page that lists feeds.
    List(ListMaterial),
    /// Nothing from the catalog: style sheet, icon, robots.
    Fixed,
}

/// A live feed: the candidates from which the limits choose.
#[derive(Clone, Debug)]
pub struct FeedMaterial {
    /// The feed.
    pub key: Key,
    /// `updated` of the feed.
    pub updated: Timestamp,
    /// Newest first, at most `feeds.items`.
    pub entries: Vec<Entry>,
    /// How many entries the feed has in all.
    pub count: u64,
    /// Newest first.
    pub tombstones: Vec<Tombstone>,
    /// The newest archive page, if the feed has archives.
    pub newest_archive: Option<u32>,
    /// Feeds one level below (categories and folders), by name.
    pub children: Vec<FeedRow>,
}

/// One archive document.
#[derive(Clone, Debug)]
pub struct ArchiveMaterial {
    /// The feed.
    pub key: Key,
    /// The page, from 1.
    pub number: u32,
    /// Whether a newer page exists.
    pub has_next: bool,
    /// `updated` of the page: of its newest change.
    pub updated: Timestamp,
    /// Newest first.
    pub entries: Vec<Entry>,
}

/// An article with the feeds it is in.
#[derive(Clone, Debug)]
pub struct ArticleMaterial {
    /// The article.
    pub entry: Box<Entry>,
    /// Its feeds.
    pub keys: Vec<Key>,
}

/// Feeds of one or more kinds.
#[derive(Clone, Debug)]
pub struct ListMaterial {
    /// Rows in the order of [`super::Kind::ALL`], then by key; of trees parents come before their children.
    pub rows: Vec<FeedRow>,
    /// How many feeds each listed kind has in all, where `rows` are a part of them.
    pub totals: Vec<(super::Kind, u64)>,
    /// This page, from 1.
    pub page: u32,
    /// How many pages there are.
    pub pages: u32,
    /// The newest entries, for the index page.
    pub newest: Vec<NewestRow>,
}

/// An entry as the index page shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewestRow {
    /// The entry's page.
    pub uuid: Uuid,
    /// Its title.
    pub title: String,
    /// When it was published.
    pub published: Timestamp,
}
