//! One file's bytes → an [`Article`] and [`Diagnostic`]s.
//!
//! Everything here is pure: the same bytes, path and [`Rules`] always read the same. Nothing here fails: whatever
//! the file holds, the result says what could be read and what had to be guessed.

mod address;
mod body;
mod charset;
mod clock;
mod content;
#[cfg(test)]
mod corpus_tests;
mod cursor;
mod date;
mod fields;
mod front;
mod keys;
mod names;
mod repair;
mod terms;
#[cfg(test)]
mod tests;
mod text;
mod unrooted;
mod values;

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use self::front::Front;
use crate::diagnostic::{Code, Diagnostic};

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

/// What one file says. As JSON it is kept for every article: what says nothing is left out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Article {
    /// Plain text, one line, never empty.
    pub title: String,
    /// When it says it was published; `None` where it says nothing that can be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub published: Option<Timestamp>,
    /// When it says it was last changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub updated: Option<Timestamp>,
    /// When it says it ends (`expiryDate`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<Timestamp>,
    /// `guid`, `uuid`, or an `id` that is a UUID or an absolute IRI, as written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub explicit_id: Option<String>,
    /// In the order of the file.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub authors: Vec<Author>,
    /// Category paths, from broad to narrow; already by [`Rules::categories`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub categories: Vec<Vec<String>>,
    /// In the order of the file.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// BCP 47, as written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
    /// What the author gave as a summary.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub summary: Option<Summary>,
    /// The head image as written; may be relative. Only http(s) or relative addresses.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// The article's own address, absolute http(s).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<String>,
    /// `slug`, for `articles.link`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slug: Option<String>,
    /// Enclosures.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub media: Vec<Media>,
    /// `draft: true`, `published: false` or a `_drafts` folder.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub draft: bool,
    /// Where the body is.
    pub body: Body,
    /// Hash of everything but the dates, after [`Rules::ignore_changes`].
    #[serde(with = "hex")]
    pub content: Hash,
}

/// A person or body that wrote an article.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Author {
    /// Plain text, never empty.
    pub name: String,
    /// An address, if given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// An absolute http(s) URL, if given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
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
    #[serde(default, skip_serializing_if = "Option::is_none")]
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
    #[serde(with = "hex")]
    pub hash: Hash,
    /// Bytes of text outside of tags, up to a limit: enough to tell whether the hash can identify an article.
    pub text_bytes: u32,
}

/// Hashes as text; catalogs of earlier builds have them as lists of numbers.
mod hex {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    use super::Hash;

    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Written<'a> {
        Hex(&'a str),
        Bytes(Hash),
    }

    pub(super) fn serialize<S: Serializer>(hash: &Hash, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&blake3::Hash::from_bytes(*hash).to_hex())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Hash, D::Error> {
        match Written::deserialize(deserializer)? {
            Written::Hex(hex) => blake3::Hash::from_hex(hex).map(|hash| *hash.as_bytes()).map_err(D::Error::custom),
            Written::Bytes(hash) => Ok(hash),
        }
    }
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
    /// Whether the settings give relative addresses a base (`site.assets_url`, `articles.link`).
    pub rooted: bool,
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
            rooted: false,
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
    let mut parsed = Parsed { article: None, problems: Vec::new(), origins: BTreeMap::new() };
    if file.bytes.iter().all(u8::is_ascii_whitespace) {
        parsed.problems.push(empty());
        return parsed;
    }
    match charset::read(file.path, file.bytes, rules.charset) {
        Ok(decoded) => {
            parsed.problems = decoded.problems;
            read(file.path, &decoded.text, decoded.encoding, rules, &mut parsed);
            quote(&decoded.text, &mut parsed.problems);
        }
        Err(problem) => parsed.problems.push(problem),
    }
    // Those without a place, about the whole file, go first.
    parsed.problems.sort_by_key(|problem| (problem.line, problem.column));
    parsed
}

/// Decodes kept bytes as [`parse`] did: the byte order mark dropped, line ends made `\n`, bad bytes left out.
///
/// `encoding` is [`Body::encoding`].
pub fn decode(bytes: &[u8], encoding: &str) -> String {
    charset::decode(bytes, encoding).into_owned()
}

/// Gives problems the lines that they are about, up to a length.
fn quote(text: &str, problems: &mut [Diagnostic]) {
    const LONGEST: usize = 160;
    for problem in problems {
        let line = problem.line.and_then(|line| text.lines().nth((line as usize).checked_sub(1)?));
        problem.source = line.map(|line| line[..line.floor_char_boundary(LONGEST)].trim_end().to_owned());
    }
}

fn empty() -> Diagnostic {
    Diagnostic::new(Code::Empty, "withheld: the file is empty")
}

/// Reads a file's text.
fn read(path: &str, text: &str, encoding: &str, rules: &Rules, parsed: &mut Parsed) {
    if text.trim().is_empty() {
        parsed.problems.push(empty());
        return;
    }
    let Some((mut front, keys)) = cut(text, parsed) else { return };
    parsed.problems.append(&mut front.problems);
    parsed.problems.extend(keys.problems);

    let body = &text[front.body_start..];
    let markup = body::markup(path, body);
    let mut reader = fields::Reader::new(&keys.entries, path, rules);
    let found = reader.fields();
    parsed.problems.append(&mut reader.problems);
    parsed.origins = reader.origins;

    // A fence alone is what a file begins with while it is being written.
    let has_body = !text::is_blank(body) && !body.trim().bytes().all(|b| b == b'-');
    if found.title.is_none() && !has_body {
        parsed.problems.retain(|problem| problem.code != Code::DateMissing);
        let problem = Diagnostic::new(Code::NoArticle, "the file has neither a title nor a body; it was not published");
        parsed.problems.push(problem.help("add a title to the front matter, or text below it"));
        return;
    }
    let title = found.title.unwrap_or_else(|| substitute_title(path, body, markup, parsed));

    let summary = match body::summary_end(body, markup, found.separator.as_deref()) {
        Some(end) => {
            parsed.origins.insert(Field::Summary, Origin { from: "text before <!-- more -->".to_owned(), line: None });
            Some(Summary::BodyUntil(end))
        }
        None => found.summary,
    };
    let body = Body {
        encoding: encoding.to_owned(),
        start: front.body_start,
        end: text.len(),
        markup,
        hash: body::hash(body, &rules.ignore_changes),
        text_bytes: body::text_bytes(body, markup),
    };
    let mut article = Article {
        title,
        published: found.published,
        updated: found.updated,
        expires: found.expires,
        explicit_id: found.explicit_id,
        authors: found.authors,
        categories: found.categories,
        tags: found.tags,
        language: found.language,
        summary,
        image: found.image,
        link: found.link,
        slug: found.slug,
        media: found.media,
        draft: found.draft,
        body,
        content: Hash::default(),
    };
    if !rules.rooted && article.link.is_none() {
        unrooted::report(&article, text, parsed);
    }
    article.content = content::hash(&article, &text[front.body_start..], &rules.ignore_changes);
    parsed.article = Some(article);
}

/// Cuts a text and reads its keys. `None` where the file is refused.
fn cut<'t>(text: &'t str, parsed: &mut Parsed) -> Option<(Front<'t>, keys::Keys)> {
    let front = front::cut(text);
    match keys::read(&front) {
        keys::Outcome::Refused(problem) => {
            // The body may have been taken for keys, where the closing fence is missing.
            if let Some(shorter) = front::cut_before_prose(text, &front)
                && let keys::Outcome::Keys(keys) = keys::read(&shorter)
            {
                return Some((shorter, keys));
            }
            parsed.problems.push(problem);
            None
        }
        keys::Outcome::Prose(problem) => {
            parsed.problems.push(problem);
            Some((front::none(text), keys::Keys::default()))
        }
        keys::Outcome::Keys(keys) => {
            // Broken lines may be the body's, where the closing fence is missing.
            if !keys.problems.is_empty()
                && let Some(shorter) = front::cut_before_prose(text, &front)
                && let keys::Outcome::Keys(keys) = keys::read(&shorter)
            {
                return Some((shorter, keys));
            }
            Some((front, keys))
        }
    }
}

/// A title for an article that has none: its first heading, the file's stem, or its first words.
fn substitute_title(path: &str, body: &str, markup: Markup, parsed: &mut Parsed) -> String {
    let heading = body::first_heading(body, markup).map(|text| (text, "first heading"));
    let stem = || Some((text::one_line(stem(path)), "file name")).filter(|(text, _)| !text.is_empty());
    let words = || body::first_words(body, markup).map(|text| (text, "first words"));
    let (title, from) =
        heading.or_else(stem).or_else(words).unwrap_or_else(|| ("untitled".to_owned(), "lack of words"));
    let title = text::cut(&title, fields::MAX_TITLE).unwrap_or(title);
    parsed.problems.push(
        Diagnostic::new(
            Code::TitleMissing,
            format!("the article has no title; it was called `{}` by its {from}", repair::short(&title)),
        )
        .help(format!("add a line to the front matter: title: {}", repair::quote(&title))),
    );
    parsed.origins.insert(Field::Title, Origin { from: from.to_owned(), line: None });
    title
}

/// The name of a file without its suffix.
fn stem(path: &str) -> &str {
    let name = path.rsplit('/').next().unwrap_or(path);
    match name.rsplit_once('.') {
        Some((stem, _)) if !stem.is_empty() => stem,
        _ => name,
    }
}

/// The date at the start of a file's name, or of its folder's where the file is called `index`.
fn file_date(path: &str) -> Option<(i32, u32, u32)> {
    let stem = stem(path);
    if stem.eq_ignore_ascii_case("index") {
        return path.rsplit('/').nth(1).and_then(leading_date);
    }
    leading_date(stem)
}

/// Whether a file is named like a post of Jekyll: `2017-01-20-slug.md`.
fn has_dated_name(path: &str) -> bool {
    leading_date(stem(path)).is_some()
}

/// `2017-01-20` or `2017-1-2`, up to the end or anything that is no digit.
fn leading_date(name: &str) -> Option<(i32, u32, u32)> {
    let mut rest = name.trim_start();
    let mut number = |widths: std::ops::RangeInclusive<usize>, last: bool| {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let number: u32 = rest[..digits].parse().ok().filter(|_| widths.contains(&digits))?;
        rest = &rest[digits..];
        if !last {
            rest = rest.strip_prefix('-')?;
        }
        Some(number)
    };
    let year = i32::try_from(number(4..=4, false)?).ok()?;
    let (month, day) = (number(1..=2, false)?, number(1..=2, true)?);
    chrono::NaiveDate::from_ymd_opt(year, month, day).map(|_| (year, month, day))
}
