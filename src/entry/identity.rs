//! Identity: which id an article gets, by what it says of itself and never by where or when it was found.
//!
//! The *seed* is the explicit id; else date and title; for the undated, title and file stem. Ids are version 5
//! UUIDs (RFC 9562 section 5.5) of the seed in the site's namespace, so a lost catalog gives the same ids again.

use std::borrow::Cow;
use std::fmt;

use chrono::SecondsFormat;
use unicode_normalization::{IsNormalized, UnicodeNormalization, is_nfc_quick};
use url::Url;
use uuid::Uuid;

use super::key::Key;
use crate::article::Article;

/// The namespace of sites that configure no `site.id`.
const DEFAULT_SITE: Uuid = Uuid::from_u128(0x6d1f_55b2_7a0c_5c7e_9d38_0f4c_8a2e_6b91);

/// An item's id as every format writes it: `urn:uuid:…` or the author's own absolute IRI.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EntryId(String);

impl EntryId {
    /// An id as it stands in the catalog.
    pub fn from_stored(text: String) -> EntryId {
        EntryId(text)
    }

    /// The id that is a UUID's name (RFC 9562, section 4).
    pub fn of_uuid(uuid: Uuid) -> EntryId {
        EntryId(uuid.urn().to_string())
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for EntryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What an id is made from.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Seed {
    /// An absolute IRI from the front matter, used verbatim.
    Iri(String),
    /// A UUID or another string from `guid` or `uuid`.
    Explicit(String),
    /// Published in UTC, newline, title.
    Dated(String),
    /// Title, newline, file stem.
    Undated(String),
}

impl Seed {
    /// The seed of an article in a file of this name.
    pub fn of(article: &Article, path: &str) -> Seed {
        if let Some(id) = &article.explicit_id {
            return match Url::parse(id) {
                Ok(_) if !id.starts_with("urn:uuid:") && is_plain_iri(id) => Seed::Iri(id.clone()),
                _ => Seed::Explicit(id.clone()),
            };
        }
        let title = normal_title(&article.title);
        match article.published {
            Some(at) => Seed::Dated(format!("{}\n{title}", at.to_rfc3339_opts(SecondsFormat::Secs, true))),
            None => Seed::Undated(format!("{title}\n{}", stem(path))),
        }
    }

    /// The seed for an article whose own seed is taken by another one.
    pub fn with_path(&self, path: &str) -> Seed {
        let text = format!("{}\n{path}", self.text());
        match self {
            Seed::Undated(_) => Seed::Undated(text),
            _ => Seed::Dated(text),
        }
    }

    /// The text that is hashed.
    pub fn text(&self) -> &str {
        match self {
            Seed::Iri(text) | Seed::Explicit(text) | Seed::Dated(text) | Seed::Undated(text) => text,
        }
    }

    /// The id itself, where the author wrote one that is no UUID's name.
    pub fn iri(&self) -> Option<&str> {
        match self {
            Seed::Iri(iri) => Some(iri),
            Seed::Explicit(_) | Seed::Dated(_) | Seed::Undated(_) => None,
        }
    }

    /// Whether the author chose the id.
    pub fn is_explicit(&self) -> bool {
        matches!(self, Seed::Iri(_) | Seed::Explicit(_))
    }

    /// The name of this kind of seed in `explain`.
    pub fn name(&self) -> &'static str {
        match self {
            Seed::Iri(_) | Seed::Explicit(_) => "explicit",
            Seed::Dated(_) => "date+title",
            Seed::Undated(_) => "title+stem",
        }
    }
}

/// Under which all ids of a site are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Namespace(Uuid);

impl Namespace {
    /// The namespace of `site.id`.
    pub fn new(site_id: Option<&str>) -> Namespace {
        Namespace(site_id.map_or(DEFAULT_SITE, |id| Uuid::new_v5(&DEFAULT_SITE, id.as_bytes())))
    }

    /// The UUID in the address of the entry's page, and its id unless that is an IRI.
    ///
    /// A UUID that the author wrote is kept as it is.
    pub fn uuid(&self, seed: &Seed) -> Uuid {
        if let Seed::Explicit(text) = seed
            && let Ok(uuid) = Uuid::try_parse(text)
        {
            return uuid;
        }
        Uuid::new_v5(&self.0, seed.text().as_bytes())
    }

    /// The entry's id.
    pub fn entry_id(&self, seed: &Seed) -> EntryId {
        match seed.iri() {
            Some(iri) => EntryId(iri.to_owned()),
            None => EntryId::of_uuid(self.uuid(seed)),
        }
    }

    /// The feed's own id (RFC 4287 section 4.2.6).
    pub fn feed_id(&self, key: &Key) -> String {
        Uuid::new_v5(&self.0, format!("feed\n{key}").as_bytes()).urn().to_string()
    }
}

/// The title as seeds and comparisons see it: NFC, white space collapsed.
pub fn normal_title(title: &str) -> String {
    // Nearly every title is in that form already, and to see it is cheaper than to make it.
    let nfc: Cow<'_, str> = match is_nfc_quick(title.chars()) {
        IsNormalized::Yes => Cow::Borrowed(title),
        _ => Cow::Owned(title.nfc().collect()),
    };
    nfc.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The file name without its folder and its last suffix.
pub fn stem(path: &str) -> &str {
    let name = path.rsplit_once('/').map_or(path, |(_, name)| name);
    match name.rsplit_once('.') {
        Some((stem, _)) if !stem.is_empty() => stem,
        _ => name,
    }
}

fn is_plain_iri(text: &str) -> bool {
    !text.chars().any(|c| c.is_whitespace() || c.is_control() || "<>\"{}|\\^`".contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stems() {
        assert_eq!(stem("a/b/c.md"), "c");
        assert_eq!(stem(".md"), ".md");
        assert_eq!(stem(" .md"), " ");
        assert_eq!(stem("a.tar.md"), "a.tar");
    }

    #[test]
    fn ids_depend_on_site_and_seed_alone() {
        let seed = Seed::Dated("2022-04-11T13:01:53Z\nt".to_owned());
        let site = Namespace::new(None);
        assert_eq!(site.entry_id(&seed), site.entry_id(&seed));
        assert_ne!(site.entry_id(&seed), Namespace::new(Some("other")).entry_id(&seed));
        assert_ne!(site.entry_id(&seed), site.entry_id(&seed.with_path("a.md")));
        let iri = Seed::Iri("https://blog.example/1".to_owned());
        assert_eq!(site.entry_id(&iri).as_str(), "https://blog.example/1");
        let uuid = Seed::Explicit("6F0D7B5E-5F0A-5D5E-9C1F-3F1C2B7A9E10".to_owned());
        assert_eq!(site.entry_id(&uuid).as_str(), "urn:uuid:6f0d7b5e-5f0a-5d5e-9c1f-3f1c2b7a9e10");
    }
}
