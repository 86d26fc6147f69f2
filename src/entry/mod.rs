//! The vocabulary that catalog and feed share: what is published, under which id, in which feeds, at which address.
//!
//! Pure: no SQL, no formats, no files. An [`Entry`] is an article as published; a [`Key`] names a feed; a
//! [`Document`] is anything that can be served.

mod document;
mod identity;
mod kept;
mod key;
mod material;
mod segment;

use uuid::Uuid;

pub use crate::article::{Article, Author, Body, Hash, Markup, Media, Summary, Timestamp};
pub use document::{Document, Format, key_from_path, key_path};
pub use identity::{EntryId, Namespace, Seed, normal_title, stem};
pub use kept::{Codec, Kept};
pub use key::{Key, Kind, Mix, Taxonomies, Term, terms};
pub use material::{
    ArchiveMaterial, ArticleMaterial, FeedMaterial, FeedRow, Head, ListMaterial, Material, NewestRow, Status, Tombstone,
};
pub use segment::{Segment, is_xml_char};

/// An article as published.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The id that every format writes.
    pub id: EntryId,
    /// In the address of its page.
    pub uuid: Uuid,
    /// Arrival.
    pub sequence: u64,
    /// Its place in the order of feeds, together with `sequence`.
    pub position: Timestamp,
    /// When it was published.
    pub published: Timestamp,
    /// When it last changed.
    pub updated: Timestamp,
    /// Changes whenever what is published changes.
    pub rev: Hash,
    /// The file that leads, relative to the inbox.
    pub path: String,
    /// What the file says.
    pub article: Article,
    /// The file itself.
    pub kept: Kept,
}

impl Entry {
    /// The body, in its own markup.
    ///
    /// # Errors
    ///
    /// Where the kept bytes are damaged.
    pub fn body(&self) -> std::io::Result<String> {
        let bytes = self.kept.open()?;
        let body = &self.article.body;
        let text = crate::article::decode(&bytes, &body.encoding);
        text.get(body.start..body.end)
            .map(str::to_owned)
            .ok_or_else(|| std::io::Error::other("the body does not fit the kept bytes"))
    }

    /// The article's terms, in the order of the file.
    pub fn terms(&self) -> Vec<Term> {
        terms(&self.article, &self.path)
    }
}
