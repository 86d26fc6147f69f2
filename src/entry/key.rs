//! A key: the name of a feed, such as `all`, `category/金融/银行` or `tag/rust`.
//!
//! An article belongs to the keys of its terms and of their ancestors. Mixes are made of other keys.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::segment::Segment;
use crate::article::Article;

/// The taxonomies by which feeds are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Every article.
    All,
    /// A category path; parents include their children.
    Category,
    /// One tag.
    Tag,
    /// One author.
    Author,
    /// One language code.
    Lang,
    /// A folder below the inbox; parents include their children.
    Dir,
    /// A configured combination of other keys.
    Mix,
}

impl Kind {
    /// Every kind, in the order in which lists show them.
    pub const ALL: [Kind; 7] = [Kind::All, Kind::Category, Kind::Tag, Kind::Author, Kind::Lang, Kind::Dir, Kind::Mix];

    /// The first part of the key.
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::All => "all",
            Kind::Category => "category",
            Kind::Tag => "tag",
            Kind::Author => "author",
            Kind::Lang => "lang",
            Kind::Dir => "dir",
            Kind::Mix => "mix",
        }
    }

    /// The kind that a key begins with.
    pub fn from_name(name: &str) -> Option<Kind> {
        Kind::ALL.into_iter().find(|kind| kind.as_str() == name)
    }

    /// Whether keys of this kind may have more than one segment.
    pub fn is_tree(self) -> bool {
        matches!(self, Kind::Category | Kind::Dir)
    }
}

/// The name of a feed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    kind: Kind,
    names: Vec<Segment>,
}

impl Key {
    /// The feed of everything.
    pub fn all() -> Key {
        Key { kind: Kind::All, names: Vec::new() }
    }

    /// A key; `None` where the kind does not take this many names.
    pub fn new(kind: Kind, names: Vec<Segment>) -> Option<Key> {
        let fits = match kind {
            Kind::All => names.is_empty(),
            kind if kind.is_tree() => !names.is_empty(),
            _ => names.len() == 1,
        };
        fits.then_some(Key { kind, names })
    }

    /// The taxonomy.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The names from broad to narrow; empty for `all`.
    pub fn names(&self) -> &[Segment] {
        &self.names
    }

    /// The narrowest name; `None` for `all`.
    pub fn last(&self) -> Option<&Segment> {
        self.names.last()
    }

    /// The next broader key of the same kind.
    pub fn parent(&self) -> Option<Key> {
        let (_, broader) = self.names.split_last()?;
        Key::new(self.kind, broader.to_vec())
    }

    /// The names joined by `sep`, for people.
    pub fn path_text(&self, sep: &str) -> String {
        self.names.iter().map(Segment::as_str).collect::<Vec<_>>().join(sep)
    }

    /// Reads the form of the catalog and of the config (`Display` writes it).
    pub fn parse(text: &str) -> Option<Key> {
        let (kind, rest) = match text.split_once('/') {
            Some((kind, rest)) => (kind, Some(rest)),
            None => (text, None),
        };
        let names = match rest {
            None => Vec::new(),
            Some(rest) => rest.split('/').map(Segment::from_key_text).collect::<Option<_>>()?,
        };
        Key::new(Kind::from_name(kind)?, names)
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind.as_str())?;
        for name in &self.names {
            write!(f, "/{}", name.to_key_text())?;
        }
        Ok(())
    }
}

/// A term: one value of a taxonomy as an article names it, without its ancestors.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Term(pub Key);

/// The terms of an article, in the order of the file, each once: categories, tags, authors, language, folder.
pub fn terms(article: &Article, path: &str) -> Vec<Term> {
    let one = |kind, name: &str| Segment::new(name).and_then(|name| Key::new(kind, vec![name]));
    let tree = |kind, names: &mut dyn Iterator<Item = &str>| Key::new(kind, names.filter_map(Segment::new).collect());
    let folders = path.rsplit_once('/').map_or("", |(folders, _)| folders);
    let mut terms = Vec::new();
    let found = article
        .categories
        .iter()
        .map(|names| tree(Kind::Category, &mut names.iter().map(String::as_str)))
        .chain(article.tags.iter().map(|name| one(Kind::Tag, name)))
        .chain(article.authors.iter().map(|author| one(Kind::Author, &author.name)))
        .chain(article.language.iter().map(|code| one(Kind::Lang, &code.to_lowercase())))
        .chain([tree(Kind::Dir, &mut folders.split('/'))]);
    for key in found.flatten() {
        let term = Term(key);
        if !terms.contains(&term) {
            terms.push(term);
        }
    }
    terms
}

/// A configured mix: the entries that are in any of `any` (where it is not empty), in all of `all` and in none of
/// `none`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mix {
    /// The segment after `mix/`.
    pub name: Segment,
    /// What its feed is called.
    pub title: Option<String>,
    /// Keys of which one is enough.
    pub any: Vec<Key>,
    /// Keys that are all needed.
    pub all: Vec<Key>,
    /// Keys that exclude.
    pub none: Vec<Key>,
}

impl Mix {
    /// The feed's key.
    pub fn key(&self) -> Key {
        Key { kind: Kind::Mix, names: vec![self.name.clone()] }
    }
}

/// Which feeds there are: `feeds.by` and `feeds.mix`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Taxonomies {
    /// Kinds that have feeds; `all` and `mix` always do.
    pub by: Vec<Kind>,
    /// Configured mixes.
    pub mixes: Vec<Mix>,
}

impl Default for Taxonomies {
    fn default() -> Taxonomies {
        Taxonomies { by: vec![Kind::Category, Kind::Tag, Kind::Author], mixes: Vec::new() }
    }
}

impl Taxonomies {
    /// The keys of all feeds that an article belongs to: `all` first, ancestors before their children, each once.
    pub fn keys(&self, article: &Article, path: &str) -> Vec<Key> {
        let every = self.every_key(article, path);
        let mut keys: Vec<Key> =
            every.iter().filter(|key| key.kind == Kind::All || self.by.contains(&key.kind)).cloned().collect();
        // A mix may name keys of kinds that have no feeds of their own.
        for mix in &self.mixes {
            let fits = (mix.any.is_empty() || mix.any.iter().any(|key| every.contains(key)))
                && mix.all.iter().all(|key| every.contains(key))
                && !mix.none.iter().any(|key| every.contains(key));
            if fits {
                keys.push(mix.key());
            }
        }
        keys
    }

    fn every_key(&self, article: &Article, path: &str) -> Vec<Key> {
        let mut keys = vec![Key::all()];
        for Term(term) in terms(article, path) {
            for depth in 1..=term.names.len() {
                let key = Key { kind: term.kind, names: term.names[..depth].to_vec() };
                if !keys.contains(&key) {
                    keys.push(key);
                }
            }
        }
        keys
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_read_back() {
        for text in ["all", "category/金融/新浪财经", "tag/a%2Fb", "tag/100%", "author/%252F", "lang/zh-cn", "dir/a b"]
        {
            let key = Key::parse(text).unwrap_or_else(|| panic!("{text} is a key"));
            assert_eq!(key.to_string(), text);
        }
        for text in ["", "all/x", "category", "tag/a/b", "tag/", "nothing/x", "category//x", "tag/.."] {
            assert_eq!(Key::parse(text), None, "{text}");
        }
    }

    #[test]
    fn parents_end_before_the_kind() {
        let key = Key::parse("category/a/b").expect("a key");
        assert_eq!(key.parent(), Key::parse("category/a"));
        assert_eq!(key.parent().and_then(|k| k.parent()), None);
        assert_eq!(Key::all().parent(), None);
    }
}
