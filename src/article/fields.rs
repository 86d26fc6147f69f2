//! Which key gives what: the keys of a front matter → the fields of an article.
//!
//! Of several keys for a field the first that is there and readable counts; what cannot be read is reported and the
//! next one is tried. Names of keys match without regard to case; one in small letters goes before its namesakes.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::values::{MAX_MEDIA, addresses, dated_path, enclosures, is_iri, one_text, truth};
use super::{Author, Field, Media, Origin, Rules, Summary, Timestamp, address, date, repair, terms, text};
use crate::diagnostic::{Code, Diagnostic};
use crate::yaml::{Entry, Kind, Value};

const TITLE: &[&str] = &["title", "subject"];
const PUBLISHED: &[&str] = &["date", "publishDate", "pubDate", "published"];
const UPDATED: &[&str] = &["updated", "lastmod", "modified", "last_modified_at", "updatedDate"];
const EXPIRY: &[&str] = &["expiryDate"];
const SUMMARY: &[&str] = &["description", "excerpt", "summary"];
const IMAGE: &[&str] = &["headimg", "image", "cover", "banner", "thumbnail"];
const AUTHOR: &[&str] = &["author", "authors"];
const LINK: &[&str] = &["link", "url", "permalink"];
const CATEGORIES: &[&str] = &["categories", "category", "taxonomies.categories"];
const TAGS: &[&str] = &["tags", "tag", "keywords", "taxonomies.tags"];
const LANGUAGE: &[&str] = &["lang", "language"];
const DRAFT: &[&str] = &["draft"];
const ID: &[&str] = &["guid", "uuid", "id"];
const SLUG: &[&str] = &["slug"];
const MEDIA: &[&str] = &["enclosure", "enclosures", "file", "audio", "video"];
/// Keys that say nothing to feedmill but show that a block is front matter.
const OTHER: &[&str] = &[
    "layout",
    "comments",
    "path",
    "aliases",
    "weight",
    "toc",
    "status",
    "type",
    "template",
    "taxonomies",
    "extra",
    "permalink",
    "via",
    "translator",
    "charset",
];

/// Longest title, in characters.
pub(super) const MAX_TITLE: usize = 300;
/// Longest summary, in bytes: more than any reader shows.
const MAX_SUMMARY: usize = 64 * 1024;

/// Whether a key, in small letters, is one that front matter has.
pub(super) fn is_known(key: &str) -> bool {
    [
        TITLE, PUBLISHED, UPDATED, EXPIRY, SUMMARY, IMAGE, AUTHOR, LINK, CATEGORIES, TAGS, LANGUAGE, DRAFT, ID, SLUG,
        MEDIA, OTHER,
    ]
    .iter()
    .any(|names| names.iter().any(|name| name.eq_ignore_ascii_case(key)))
}

/// Everything that the keys and the file's name say.
#[derive(Default)]
pub(super) struct Fields {
    pub title: Option<String>,
    pub published: Option<Timestamp>,
    pub updated: Option<Timestamp>,
    pub expires: Option<Timestamp>,
    pub explicit_id: Option<String>,
    pub authors: Vec<Author>,
    pub categories: Vec<Vec<String>>,
    pub tags: Vec<String>,
    pub language: Option<String>,
    pub summary: Option<Summary>,
    pub image: Option<String>,
    pub link: Option<String>,
    pub slug: Option<String>,
    pub media: Vec<Media>,
    pub draft: bool,
    /// `excerpt_separator` of Jekyll.
    pub separator: Option<String>,
}

/// A key for a field, with its value.
#[derive(Clone)]
pub(super) struct Found<'a> {
    /// As written; below another key with a dot.
    pub key: Cow<'a, str>,
    pub line: Option<u32>,
    pub value: &'a Value,
}

/// Reads fields and notes where each came from.
pub(super) struct Reader<'a> {
    entries: &'a [Entry],
    path: &'a str,
    rules: &'a Rules,
    pub problems: Vec<Diagnostic>,
    pub origins: BTreeMap<Field, Origin>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(entries: &'a [Entry], path: &'a str, rules: &'a Rules) -> Reader<'a> {
        Reader { entries, path, rules, problems: Vec::new(), origins: BTreeMap::new() }
    }

    /// Reads all fields.
    pub(super) fn fields(&mut self) -> Fields {
        self.duplicates();
        let title = self.title();
        let published = self.published();
        let updated = self.date(Field::Updated, UPDATED);
        let expires = self.date(Field::Expiry, EXPIRY);
        let mut terms = terms::Budget::default();
        let categories = self.categories(&mut terms);
        let authors = self.authors(&mut terms);
        let tags = self.tags(&mut terms);
        self.problems.extend(terms.problem());
        Fields {
            title,
            published,
            updated,
            expires,
            explicit_id: self.explicit_id(),
            authors,
            categories,
            tags,
            language: self.language(),
            summary: self.summary(),
            image: self.image(),
            link: self.link(),
            slug: self.slug(),
            media: self.media(),
            draft: self.draft(),
            separator: self.first("excerpt_separator").and_then(|found| found.value.as_str().map(str::to_owned)),
        }
    }

    /// The keys of a field in the order in which they count: those of the settings, then the names of the rule.
    fn found(&self, field: Field, names: &'static [&'static str]) -> impl Iterator<Item = Found<'a>> + use<'a> {
        let own = self.rules.fields.get(&field).into_iter().flatten().map(String::as_str);
        let entries = self.entries;
        own.chain(names.iter().copied()).flat_map(move |name| named(entries, name))
    }

    /// See [`named`].
    fn named(&self, name: &str) -> Vec<Found<'a>> {
        named(self.entries, name)
    }

    fn first(&self, name: &str) -> Option<Found<'a>> {
        self.named(name).into_iter().next()
    }

    fn origin(&mut self, field: Field, found: &Found<'_>) {
        self.origins.insert(field, Origin { from: found.key.clone().into_owned(), line: found.line });
    }

    fn report(&mut self, code: Code, found: &Found<'_>, message: String) -> &mut Diagnostic {
        let problem = Diagnostic { line: found.line, column: found.line.map(|_| 1), ..Diagnostic::new(code, message) };
        self.problems.push(problem);
        let last = self.problems.len() - 1;
        &mut self.problems[last]
    }

    fn field_invalid(&mut self, found: &Found<'_>, expected: &str) {
        let message =
            format!("`{}` holds {} where {expected} was expected; it was ignored", found.key, found.value.kind_name());
        self.report(Code::FieldInvalid, found, message).help =
            Some(format!("write {expected} behind `{}:`", found.key));
    }

    /// A key that stands twice, spelt alike. Spelt otherwise it is another key, and the small letters count.
    fn duplicates(&mut self) {
        let mut seen: BTreeMap<&str, Option<u32>> = BTreeMap::new();
        for entry in self.entries {
            let Some(first) = seen.insert(&entry.key, entry.line) else { continue };
            if entry.key.is_empty() {
                continue;
            }
            let first_line = first.map_or(String::new(), |line| format!(", first in line {line}"));
            let found = Found { key: Cow::Borrowed(&entry.key), line: entry.line, value: &entry.value };
            let message =
                format!("the key `{}` stands twice{first_line}; the first one with a value counts", entry.key);
            self.report(Code::KeyDuplicate, &found, message).help = Some("remove one of the two lines".to_owned());
            if self.problems.len() >= 20 {
                return;
            }
        }
    }

    fn title(&mut self) -> Option<String> {
        for found in self.found(Field::Title, TITLE) {
            let title = match found.value {
                Value::Null => continue,
                Value::Scalar(scalar) => text::one_line(&scalar.text),
                // A list of one is what a stray dash or bracket makes of a title.
                Value::List(items) if items.len() == 1 && items[0].as_str().is_some() => {
                    items[0].as_str().map(text::one_line).unwrap_or_default()
                }
                Value::List(_) | Value::Map(_) => {
                    self.field_invalid(&found, "a text");
                    continue;
                }
            };
            if title.is_empty() {
                continue;
            }
            self.origin(Field::Title, &found);
            if let Some(cut) = text::cut(&title, MAX_TITLE) {
                let message = format!(
                    "the title has {} characters where {MAX_TITLE} are shown; it was cut",
                    title.chars().count()
                );
                self.report(Code::TitleCut, &found, message).help =
                    Some("shorten it; a summary belongs in `description`".to_owned());
                return Some(cut);
            }
            return Some(title);
        }
        None
    }

    fn published(&mut self) -> Option<Timestamp> {
        let mut wrong: Vec<(Found<'a>, String, &'static str)> = Vec::new();
        let mut best = None;
        for found in self.found(Field::Published, PUBLISHED) {
            match self.instant(&found) {
                Instant::None => {}
                Instant::At(at) => {
                    best = Some((at, Origin { from: found.key.clone().into_owned(), line: found.line }));
                    break;
                }
                Instant::Wrong(text, why) => {
                    // `published: yes` is no date and no mistake.
                    if !(found.key.eq_ignore_ascii_case("published") && truth(found.value).is_some()) {
                        wrong.push((found, text, why));
                    }
                }
            }
        }
        let best = best.or_else(|| self.guessed_date());
        let missing = best.is_none() && wrong.is_empty();
        for (found, text, why) in wrong {
            let instead = match &best {
                Some((at, origin)) => {
                    format!("{} from {} was taken", at.format("%Y-%m-%d %H:%M:%S UTC"), said(&origin.from))
                }
                None => "the time when the article was first seen is used".to_owned(),
            };
            let message = format!("`{}` is no date in `{}`: {why}; {instead}", repair::short(&text), found.key);
            self.report(Code::DateInvalid, &found, message).help =
                Some(format!("write it as {}: 2022-04-11 13:01:53 +08:00", found.key));
        }
        if missing {
            self.problems.push(
                Diagnostic::new(Code::DateMissing, "the article has no date; the time when it was first seen is used")
                    .help("add a line to the front matter: date: 2022-04-11 13:01:53 +08:00"),
            );
        }
        let (at, origin) = best?;
        self.origins.insert(Field::Published, origin);
        Some(at)
    }

    /// The date of the file's name, or of an address with year, month and day in it.
    fn guessed_date(&self) -> Option<(Timestamp, Origin)> {
        let zone = self.rules.timezone;
        let dated = super::file_date(self.path).and_then(|(year, month, day)| date::midnight(year, month, day, zone));
        if let Some(at) = dated {
            return Some((at, Origin { from: "file name".to_owned(), line: None }));
        }
        ["path", "url", "permalink"].iter().flat_map(|name| self.named(name)).find_map(|found| {
            let (year, month, day) = dated_path(found.value.as_str()?)?;
            let at = date::midnight(year, month, day, zone)?;
            Some((at, Origin { from: found.key.into_owned(), line: found.line }))
        })
    }

    fn date(&mut self, field: Field, names: &'static [&'static str]) -> Option<Timestamp> {
        for found in self.found(field, names) {
            match self.instant(&found) {
                Instant::None => {}
                Instant::At(at) => {
                    self.origin(field, &found);
                    return Some(at);
                }
                Instant::Wrong(text, why) => {
                    let message =
                        format!("`{}` is no date in `{}`: {why}; it was ignored", repair::short(&text), found.key);
                    self.report(Code::DateInvalid, &found, message).help =
                        Some(format!("write it as {}: 2022-04-11 13:01:53 +08:00", found.key));
                }
            }
        }
        None
    }

    fn instant(&self, found: &Found<'_>) -> Instant {
        let written = match found.value {
            Value::Null => return Instant::None,
            Value::Scalar(scalar) => scalar.text.trim(),
            Value::List(items) if items.is_empty() => return Instant::None,
            Value::List(items) if items.len() == 1 => items[0].as_str().unwrap_or("").trim(),
            Value::List(_) | Value::Map(_) => {
                return Instant::Wrong(found.value.kind_name().to_owned(), "a date is one text");
            }
        };
        // Words for nothing, also in quotes.
        if matches!(written.to_ascii_lowercase().as_str(), "" | "null" | "none" | "nil" | "undefined" | "~" | "-") {
            return Instant::None;
        }
        match date::parse(written, self.rules.timezone) {
            Ok(at) => Instant::At(at),
            Err(why) => Instant::Wrong(written.to_owned(), why),
        }
    }

    fn categories(&mut self, budget: &mut terms::Budget) -> Vec<Vec<String>> {
        for found in self.found(Field::Categories, CATEGORIES) {
            let paths = terms::categories(found.value, self.rules.categories, self.splits_at_blanks());
            if !paths.is_empty() {
                self.origin(Field::Categories, &found);
                return budget.categories(paths, found.line);
            }
            if matches!(found.value, Value::Map(_)) {
                self.field_invalid(&found, "a list of names");
            }
        }
        Vec::new()
    }

    fn tags(&mut self, budget: &mut terms::Budget) -> Vec<String> {
        for found in self.found(Field::Tags, TAGS) {
            let tags = terms::names(found.value, self.splits_at_blanks());
            if !tags.is_empty() {
                self.origin(Field::Tags, &found);
                return budget.names(tags, found.line);
            }
            if matches!(found.value, Value::Map(_)) {
                self.field_invalid(&found, "a list of names");
            }
        }
        Vec::new()
    }

    /// Jekyll splits a string of names at blanks; nobody else does.
    fn splits_at_blanks(&self) -> bool {
        super::has_dated_name(self.path)
    }

    fn authors(&mut self, budget: &mut terms::Budget) -> Vec<Author> {
        for found in self.found(Field::Author, AUTHOR) {
            let mut authors: Vec<Author> = Vec::new();
            for author in terms::authors(found.value) {
                if !authors.iter().any(|known| known.name == author.name) {
                    authors.push(author);
                }
            }
            if !authors.is_empty() {
                self.origin(Field::Author, &found);
                return budget.authors(authors, found.line);
            }
        }
        Vec::new()
    }

    fn explicit_id(&mut self) -> Option<String> {
        for found in self.found(Field::Id, ID) {
            let Some(id) = found.value.as_str().map(text::one_line).filter(|id| !id.is_empty() && id.len() <= 1024)
            else {
                continue;
            };
            // A plain `id` is often a number that its engine counts, and repeats.
            if found.key.eq_ignore_ascii_case("id") && uuid::Uuid::parse_str(&id).is_err() && !is_iri(&id) {
                continue;
            }
            self.origin(Field::Id, &found);
            return Some(id);
        }
        None
    }

    fn language(&mut self) -> Option<String> {
        for found in self.found(Field::Language, LANGUAGE) {
            let Some(language) = one_text(found.value).filter(|text| !text.is_empty()) else { continue };
            let fine = (2..=35).contains(&language.len())
                && language
                    .split(['-', '_'])
                    .all(|part| (1..=8).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_alphanumeric()))
                && language.bytes().take(2).all(|b| b.is_ascii_alphabetic());
            if fine {
                self.origin(Field::Language, &found);
                return Some(language);
            }
            self.field_invalid(&found, "a language such as `en` or `zh-CN`");
        }
        None
    }

    fn summary(&mut self) -> Option<Summary> {
        for found in self.found(Field::Summary, SUMMARY) {
            let Some(written) = found.value.as_str() else { continue };
            let legal = text::legal(written);
            let mut summary = legal.trim();
            if text::is_blank(&text::decode_entities(summary)) {
                continue;
            }
            if summary.len() > MAX_SUMMARY {
                summary = &summary[..summary.floor_char_boundary(MAX_SUMMARY)];
            }
            self.origin(Field::Summary, &found);
            // Plain text is escaped by whoever shows it; with a tag in it the text is HTML and stays as it is.
            let decoded = text::decode_entities(summary);
            let plain = !decoded.contains('<');
            return Some(Summary::Text(if plain { decoded.into_owned() } else { summary.to_owned() }));
        }
        None
    }

    fn image(&mut self) -> Option<String> {
        for found in self.found(Field::Image, IMAGE) {
            let mut wrong = None;
            for written in addresses(found.value) {
                match address::any(written) {
                    Some(image) => {
                        self.origin(Field::Image, &found);
                        return Some(image);
                    }
                    None => wrong = Some(written),
                }
            }
            if let Some(written) = wrong {
                self.url_invalid(&found, written);
            }
        }
        None
    }

    fn url_invalid(&mut self, found: &Found<'_>, written: &str) {
        let message =
            format!("`{}` in `{}` is no http or https address; it was dropped", repair::short(written), found.key);
        let example = if found.key.eq_ignore_ascii_case("link") { "a-post/" } else { "a.jpg" };
        self.report(Code::UrlInvalid, found, message).help =
            Some(format!("write a whole address: {}: https://blog.example/{example}", found.key));
    }

    fn link(&mut self) -> Option<String> {
        for found in self.found(Field::Link, LINK) {
            let Some(written) = found.value.as_str().filter(|text| !text.trim().is_empty()) else { continue };
            if let Some(link) = address::absolute(written) {
                self.origin(Field::Link, &found);
                return Some(link);
            }
            // `url` and `permalink` are paths for most engines.
            let own = found.key.eq_ignore_ascii_case("url") || found.key.eq_ignore_ascii_case("permalink");
            let truth_value = matches!(found.value, Value::Scalar(scalar) if scalar.kind != Kind::Text);
            if !own && !truth_value {
                self.url_invalid(&found, written);
            }
        }
        None
    }

    fn slug(&mut self) -> Option<String> {
        let found = self
            .found(Field::Slug, SLUG)
            .find(|found| found.value.as_str().is_some_and(|text| !text::one_line(text).is_empty()))?;
        self.origin(Field::Slug, &found);
        found.value.as_str().map(text::one_line)
    }

    fn draft(&mut self) -> bool {
        let mut reason = None;
        for found in self.found(Field::Draft, DRAFT) {
            match truth(found.value) {
                Some(true) => {
                    reason = Some(found);
                    break;
                }
                Some(false) => break,
                // Nobody is harmed by an article that waits for its author's word.
                None if !found.value.is_null() => {
                    self.report(
                        Code::FieldInvalid,
                        &found,
                        format!("`{}` is neither true nor false; the article is withheld", found.key),
                    )
                    .help = Some(format!("write {}: true or {}: false", found.key, found.key));
                    reason = Some(found);
                    break;
                }
                None => {}
            }
        }
        let unpublished = || self.named("published").into_iter().find(|found| truth(found.value) == Some(false));
        let status = || {
            let states = ["draft", "hidden", "private", "unpublished"];
            self.named("status").into_iter().find(|found| {
                found.value.as_str().is_some_and(|text| states.contains(&text.trim().to_ascii_lowercase().as_str()))
            })
        };
        if let Some(found) = reason.or_else(unpublished).or_else(status) {
            let value = found.value.as_str().unwrap_or("");
            let note = Diagnostic::new(Code::Draft, format!("withheld: {}: {}", found.key, repair::short(value)));
            self.problems.push(Diagnostic { line: found.line, column: found.line.map(|_| 1), ..note });
            self.origin(Field::Draft, &found);
            return true;
        }
        let folder = self.path.split('/').rev().skip(1).find(|name| name.eq_ignore_ascii_case("_drafts"));
        if let Some(folder) = folder {
            self.problems.push(Diagnostic::new(Code::Draft, format!("withheld: it is in a folder `{folder}`")));
            self.origins.insert(Field::Draft, Origin { from: "folder".to_owned(), line: None });
        }
        folder.is_some()
    }

    fn media(&mut self) -> Vec<Media> {
        let mut media: Vec<Media> = Vec::new();
        for found in self.found(Field::Media, MEDIA) {
            // `video: dQw4w9WgXcQ` names a page's player, not a file.
            let needs_type = ["file", "audio", "video"].iter().any(|name| found.key.eq_ignore_ascii_case(name));
            let mut items = Vec::new();
            enclosures(found.value, &mut items);
            for mut item in items {
                let Some(url) = address::any(&item.url) else {
                    if address::scheme(&item.url).is_some() {
                        self.url_invalid(&found, &item.url.clone());
                    }
                    continue;
                };
                item.media_type = item.media_type.or_else(|| address::media_type(&url).map(str::to_owned));
                if found.key.eq_ignore_ascii_case("file") && item.length == 0 {
                    item.length =
                        self.first("length").and_then(|length| length.value.as_str()?.trim().parse().ok()).unwrap_or(0);
                }
                if needs_type && item.media_type.is_none()
                    || media.iter().any(|known| known.url == url)
                    || media.len() == MAX_MEDIA
                {
                    continue;
                }
                self.origins
                    .entry(Field::Media)
                    .or_insert_with(|| Origin { from: found.key.clone().into_owned(), line: found.line });
                media.push(Media { url, ..item });
            }
        }
        media
    }
}

enum Instant {
    None,
    At(Timestamp),
    Wrong(String, &'static str),
}

/// The keys of a name, the one in small letters first. `a.b` is also the key `b` below the key `a`.
fn named<'a>(entries: &'a [Entry], name: &str) -> Vec<Found<'a>> {
    let mut found = named_in(entries, name);
    if found.is_empty()
        && let Some((outer, inner)) = name.split_once('.')
    {
        for outer in named_in(entries, outer) {
            let Value::Map(entries) = outer.value else { continue };
            found.extend(named_in(entries, inner).into_iter().map(|inner| Found {
                key: Cow::Owned(format!("{}.{}", outer.key, inner.key)),
                line: inner.line.or(outer.line),
                value: inner.value,
            }));
        }
    }
    found
}

/// The entries of a name: small letters first, then as they come; those without a value last.
fn named_in<'a>(entries: &'a [Entry], name: &str) -> Vec<Found<'a>> {
    let named = entries.iter().filter(|entry| is_named(entry, name));
    let found =
        |entry: &'a Entry| Found { key: Cow::Borrowed(entry.key.trim()), line: entry.line, value: &entry.value };
    let mut found: Vec<Found<'a>> = named.map(found).collect();
    if found.len() > 1 {
        found.sort_by_key(|found| {
            (found.value.is_null(), *found.key != *name && found.key.bytes().any(|b| b.is_ascii_uppercase()))
        });
    }
    found
}

fn is_named(entry: &Entry, name: &str) -> bool {
    // Most are of another length: all names are asked of all keys of all files.
    entry.key.len() >= name.len() && entry.key.trim().eq_ignore_ascii_case(name)
}

fn said(origin: &str) -> String {
    if origin == "file name" { "the file name".to_owned() } else { format!("`{origin}`") }
}
