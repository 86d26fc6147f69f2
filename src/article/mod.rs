//! One file's bytes → an [`Article`] and [`Diagnostic`]s.
//!
//! Everything here is pure: the same bytes, path and [`Rules`] always read the same. Nothing here fails: whatever
//! the file holds, the result says what could be read and what had to be guessed.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::diagnostic::Diagnostic;

/// Changes whenever the same bytes may read differently than in the release before.
pub const PARSER_REVISION: u32 = 1;

/// A point in time; whole seconds are all that is kept.
pub type Timestamp = DateTime<Utc>;

/// A 32-byte BLAKE3 hash.
pub type Hash = [u8; 32];

/// A file as it was found.
#[derive(Clone, Copy, Debug)]
pub struct SourceFile<'a> {
    /// Relative to the inbox, with `/` between names.
    pub path: &'a str,
    /// The whole content.
    pub bytes: &'a [u8],
}

/// What one file says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Article {
    /// Plain text, one line, never empty.
    pub title: String,
    /// When it says it was published; `None` where it says nothing that can be read.
    pub published: Option<Timestamp>,
    /// When it says it was last changed.
    pub updated: Option<Timestamp>,
    /// When it says it ends (`expiryDate`).
    pub expires: Option<Timestamp>,
    /// `guid`, `uuid`, or an `id` that is a UUID or an absolute IRI, as written.
    pub explicit_id: Option<String>,
    /// In the order of the file.
    pub authors: Vec<Author>,
    /// Category paths, from broad to narrow; already by [`Rules::categories`].
    pub categories: Vec<Vec<String>>,
    /// In the order of the file.
    pub tags: Vec<String>,
    /// BCP 47, as written.
    pub language: Option<String>,
    /// What the author gave as a summary.
    pub summary: Option<Summary>,
    /// The head image as written; may be relative. Only http(s) or relative addresses.
    pub image: Option<String>,
    /// The article's own address, absolute http(s).
    pub link: Option<String>,
    /// `slug`, for `articles.link`.
    pub slug: Option<String>,
    /// Enclosures.
    pub media: Vec<Media>,
    /// `draft: true`, `published: false` or a `_drafts` folder.
    pub draft: bool,
    /// Where the body is.
    pub body: Body,
    /// Hash of everything but the dates, after [`Rules::ignore_changes`].
    pub content: Hash,
}

/// A person or body that wrote an article.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Author {
    /// Plain text, never empty.
    pub name: String,
    /// An address, if given.
    pub email: Option<String>,
    /// An absolute http(s) URL, if given.
    pub url: Option<String>,
}

/// The author's own summary.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Summary {
    /// The body up to this byte of it, in the body's markup (`<!-- more -->`).
    BodyUntil(usize),
    /// Text of `description`, `excerpt` or `summary`: plain text, or HTML where it has tags.
    Text(String),
}

/// Something to download or play.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Media {
    /// As written; may be relative.
    pub url: String,
    /// Media type as written, or by the suffix.
    pub media_type: Option<String>,
    /// Bytes; 0 where unknown.
    pub length: u64,
}

/// Where the body stands in the decoded text, and how it is written.
///
/// The text itself is not kept here: it is `decode(bytes, encoding)[start..end]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Body {
    /// The WHATWG name of the encoding that [`decode`] takes.
    pub encoding: String,
    /// First byte in the decoded text.
    pub start: usize,
    /// One past the last byte.
    pub end: usize,
    /// How it is written.
    pub markup: Markup,
    /// Hash of the body after [`Rules::ignore_changes`].
    pub hash: Hash,
    /// Bytes of text outside of tags, up to a limit: enough to tell whether the hash can identify an article.
    pub text_bytes: u32,
}

/// The language of a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Markup {
    /// HTML as it stands.
    Html,
    /// CommonMark with tables, footnotes and strikethrough; may hold HTML.
    Markdown,
    /// Plain text (`.txt`).
    Text,
}

/// What [`parse`] found.
#[derive(Clone, Debug)]
pub struct Parsed {
    /// `None` where nothing can be published from this file.
    pub article: Option<Article>,
    /// In the order of the file.
    pub problems: Vec<Diagnostic>,
    /// Which key gave which field, for `explain`.
    pub origins: BTreeMap<Field, Origin>,
}

/// The fields that rule "which key gives what" names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs, reason = "the names are the field names of the contract")]
pub enum Field {
    Title,
    Published,
    Updated,
    Summary,
    Image,
    Author,
    Link,
    Categories,
    Tags,
    Language,
    Draft,
    Expiry,
    Id,
    Slug,
    Media,
}

/// Where a field's value came from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// A key as written, or words such as `file name`, `first heading`.
    pub from: String,
    /// The line of the key, from 1.
    pub line: Option<u32>,
}

/// How files are to be read: the settings of `articles` and `site.timezone`.
#[derive(Clone, Debug)]
pub struct Rules {
    /// For dates without a zone.
    pub timezone: chrono_tz::Tz,
    /// What a list of categories means.
    pub categories: Categories,
    /// `None`: detect. Else the label's encoding for files that are not UTF-8.
    pub charset: Option<&'static encoding_rs::Encoding>,
    /// Keys that are tried first for a field (`articles.fields`).
    pub fields: BTreeMap<Field, Vec<String>>,
    /// What does not count as a change (`articles.ignore_changes`).
    pub ignore_changes: Vec<Noise>,
}

/// What a list of categories means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Categories {
    /// One path from broad to narrow (Hexo).
    Path,
    /// Each name is a category of its own.
    Flat,
}

/// One rule of `articles.ignore_changes`.
#[derive(Clone, Debug)]
pub enum Noise {
    /// The habits that feedmill knows: random numbers of placeholder pictures.
    Default,
    /// The whole field.
    Field(Field),
    /// What the expression matches in the field; `None` as field: the body.
    Pattern(Option<Field>, regex::Regex),
}

impl Default for Rules {
    fn default() -> Rules {
        Rules {
            timezone: chrono_tz::UTC,
            categories: Categories::Path,
            charset: None,
            fields: BTreeMap::new(),
            ignore_changes: vec![Noise::Default],
        }
    }
}

impl Rules {
    /// A hash of the parser revision and of all settings: what was read under another value must be read again.
    pub fn digest(&self) -> Hash {
        *blake3::hash(format!("{PARSER_REVISION} {self:?}").as_bytes()).as_bytes()
    }
}

/// Reads one file.
pub fn parse(file: SourceFile<'_>, rules: &Rules) -> Parsed {
    let _ = (file, rules);
    unimplemented!()
}

/// Decodes kept bytes as [`parse`] did: the byte order mark dropped, line ends made `\n`, bad bytes left out.
///
/// `encoding` is [`Body::encoding`].
pub fn decode(bytes: &[u8], encoding: &str) -> String {
    let _ = (bytes, encoding);
    unimplemented!()
}
