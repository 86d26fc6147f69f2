//! `feedmill explain`: how one file is read, which key gave what, its id and its feeds.
//!
//! It reads the file, and looks at the catalog, if there is one of this inbox: only that knows an id that was kept
//! through an edit of the title, the time when an undated article was first seen, and when it last changed.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Serialize;
use serde_json::{Value as Json, json};

use super::args::{self, Report};
use super::check::{rfc3339, shown, text_of, timely};
use super::console::{BOLD, Console};
use super::inbox::{Found, Root};
use super::report::{self, Finding};
use super::{Exit, World};
use crate::article::{self, Article, Field, Parsed, SourceFile, Summary};
use crate::catalog::{self, Catalog, Publication, Readers};
use crate::config::{Config, FIELDS};
use crate::daemon::Named;
use crate::diagnostic::{Code, Diagnostic, Severity};
use crate::entry::{Key, Seed};

/// Where an id is from that the file alone would not give.
const FROM_CATALOG: &str = "catalog";

/// Prints how a file is read.
pub fn run(args: &args::Explain, config: &Config, world: &World, console: &mut Console) -> Exit {
    let full = world.around.cwd.join(&args.file);
    let (root, real) = match Root::of(&full, &config.setup.daemon.inbox) {
        Ok(found) => found,
        Err(error) => {
            console.message(&format!("error: {} cannot be read: {error}", args.file.display()));
            return Exit::Problems;
        }
    };
    if real.is_dir() {
        console.message(&format!("error: {} is a folder; explain takes one file", args.file.display()));
        return Exit::Usage;
    }
    let explained = Explained::of(&root, Found { path: root.relative(&real), full: real }, config, world);
    match args.output {
        Report::Json => console.result(&report::json(&explained.object(), true)),
        Report::Human => console.result(&explained.human(&world.around.cwd)),
    }
    Exit::Fine
}

/// What becomes of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Outcome {
    Published,
    Held,
    Ignored,
    Broken,
}

/// The object of the contract.
#[derive(Debug, Serialize)]
struct Object<'a> {
    path: &'a str,
    outcome: Outcome,
    /// Why it is ignored.
    #[serde(skip_serializing_if = "Option::is_none")]
    because: Option<&'a str>,
    id: Option<&'a str>,
    id_from: Option<&'static str>,
    published: Option<&'a str>,
    updated: Option<&'a str>,
    fields: BTreeMap<&'static str, &'a Given>,
    feeds: Vec<String>,
    diagnostics: Vec<report::Object<'a>>,
}

/// A field's value and the key that gave it.
#[derive(Debug, Serialize)]
struct Given {
    value: Json,
    from: String,
    line: Option<u32>,
}

impl Given {
    fn place(&self) -> String {
        let line = self.line.map(|line| format!(", line {line}")).unwrap_or_default();
        format!("from {}{line}", self.from)
    }
}

impl Outcome {
    fn as_str(self) -> &'static str {
        match self {
            Outcome::Published => "published",
            Outcome::Held => "held",
            Outcome::Ignored => "ignored",
            Outcome::Broken => "broken",
        }
    }
}

struct Explained {
    file: Found,
    outcome: Outcome,
    /// Why it is ignored.
    because: Option<String>,
    id: Option<String>,
    id_from: Option<&'static str>,
    published: Option<String>,
    updated: Option<String>,
    /// In the order of the contract.
    fields: Vec<(&'static str, Given)>,
    feeds: Vec<Key>,
    diagnostics: Vec<Diagnostic>,
    text: String,
}

impl Explained {
    fn of(root: &Root, file: Found, config: &Config, world: &World) -> Explained {
        let blank = |outcome, file| Explained {
            file,
            outcome,
            because: None,
            id: None,
            id_from: None,
            published: None,
            updated: None,
            fields: Vec::new(),
            feeds: Vec::new(),
            diagnostics: Vec::new(),
            text: String::new(),
        };
        let because = match config.setup.daemon.names.of_file(&file.path) {
            Named::Article => None,
            Named::Excluded(pattern) => Some(format!("inbox.exclude has {pattern}")),
            Named::Other => Some("no pattern of inbox.include names it".to_owned()),
        };
        if because.is_some() {
            return Explained { because, ..blank(Outcome::Ignored, file) };
        }
        let bytes = match root.read(&file, config.setup.daemon.max_file_size) {
            Ok(bytes) => bytes,
            Err(problem) => return Explained { diagnostics: vec![problem], ..blank(Outcome::Broken, file) },
        };
        let parsed = article::parse(SourceFile { path: &file.path, bytes: &bytes }, &config.setup.catalog.rules);
        let text = text_of(&bytes, &parsed);
        let mut diagnostics = parsed.problems.clone();
        diagnostics.extend(timely(&parsed, config, world.now));
        let outcome = match &parsed.article {
            _ if diagnostics.iter().any(|problem| waits(problem.code)) => Outcome::Held,
            Some(_) => Outcome::Published,
            None => Outcome::Broken,
        };
        let base = Explained { diagnostics, text, ..blank(outcome, file) };
        let known = Known::of(root, &base.file.path, &bytes, config);
        let Some(article) = &parsed.article else { return base.with_older(known) };

        let seed = Seed::of(article, &base.file.path);
        // As at acceptance: an update in the future is not believed.
        let updated = article.updated.filter(|&at| at <= world.now).or(article.published);
        let explained = Explained {
            id: Some(config.setup.catalog.namespace.entry_id(&seed).as_str().to_owned()),
            id_from: Some(seed.name()),
            published: article.published.map(rfc3339),
            updated: updated.map(rfc3339),
            fields: fields(article, &parsed, &base.text),
            feeds: config.setup.catalog.taxonomies.keys(article, &base.file.path),
            ..base
        };
        explained.with_version(known)
    }

    /// The file is broken, but an older version of it may be published.
    fn with_older(self, known: Option<Known>) -> Explained {
        let Some(known) = known.filter(|known| known.publication.shown) else { return self };
        let id_from = known.publication.id.as_ref().map(|_| FROM_CATALOG);
        Explained { outcome: Outcome::Published, id_from, ..self.with_all(known.publication) }
    }

    /// What the catalog knows of an article goes before what the file says.
    fn with_version(self, known: Option<Known>) -> Explained {
        let Some(Known { publication, is_read }) = known else { return self };
        let id = publication.id.as_ref().map(|id| id.as_str().to_owned());
        let id_from = if id.is_none() || id == self.id { self.id_from } else { Some(FROM_CATALOG) };
        if is_read && publication.shown {
            // A shown article is not held again, whatever its date says now.
            return Explained { outcome: Outcome::Published, id_from, ..self.with_all(publication) };
        }
        // The next look at the file will change the rest.
        let published = self.published.clone().or(publication.published.map(rfc3339));
        Explained { id: id.or(self.id.clone()), id_from, published, ..self }
    }

    fn with_all(self, publication: Publication) -> Explained {
        Explained {
            id: publication.id.map(|id| id.as_str().to_owned()),
            published: publication.published.map(rfc3339),
            updated: publication.updated.map(rfc3339),
            feeds: publication.keys,
            ..self
        }
    }

    fn object(&self) -> Object<'_> {
        Object {
            path: &self.file.path,
            outcome: self.outcome,
            because: self.because.as_deref(),
            id: self.id.as_deref(),
            id_from: self.id_from,
            published: self.published.as_deref(),
            updated: self.updated.as_deref(),
            fields: self.fields.iter().map(|(name, given)| (*name, given)).collect(),
            feeds: self.feeds.iter().map(Key::to_string).collect(),
            diagnostics: self.diagnostics.iter().map(|found| report::Object::new(&self.file.path, found)).collect(),
        }
    }

    /// Why it is not published.
    fn why(&self) -> Option<&str> {
        let message = |fits: &dyn Fn(&Diagnostic) -> bool| {
            self.diagnostics.iter().find(|diagnostic| fits(diagnostic)).map(|diagnostic| diagnostic.message.as_str())
        };
        match self.outcome {
            Outcome::Published => None,
            Outcome::Ignored => self.because.as_deref(),
            Outcome::Held => message(&|diagnostic| waits(diagnostic.code)),
            Outcome::Broken => message(&|diagnostic| diagnostic.severity == Severity::Error),
        }
    }

    fn human(&self, cwd: &Path) -> String {
        let mut rows: Vec<(&str, String)> = vec![("path", self.file.path.clone())];
        rows.push(("outcome", beside(self.outcome.as_str(), self.why())));
        if let (Some(id), Some(from)) = (&self.id, self.id_from) {
            rows.push(("id", beside(id, Some(&format!("from {from}")))));
            for (name, time) in [("published", &self.published), ("updated", &self.updated)] {
                let given = self.fields.iter().find(|(field, _)| *field == name).map(|(_, given)| given.place());
                let time = time.as_deref().unwrap_or("when it is first seen");
                rows.push((name, beside(time, given.as_deref())));
            }
        }
        for (name, given) in self.fields.iter().filter(|(name, _)| !matches!(*name, "published" | "updated")) {
            rows.push((name, beside(&plain(&given.value), Some(&given.place()))));
        }
        for (at, key) in self.feeds.iter().enumerate() {
            rows.push((if at == 0 { "feeds" } else { "" }, key.to_string()));
        }
        let wide = rows.iter().map(|(name, _)| name.len()).max().unwrap_or_default();
        let mut text: String =
            rows.iter().map(|(name, value)| format!("{BOLD}{name:wide$}{BOLD:#}  {value}\n")).collect();
        if !self.diagnostics.is_empty() {
            text.push('\n');
        }
        let shown = shown(&self.file.full, cwd);
        let lines: Vec<&str> = self.text.split('\n').collect();
        for diagnostic in &self.diagnostics {
            let line = diagnostic.line.and_then(|line| lines.get((line as usize).checked_sub(1)?).copied());
            text.push_str(&report::human(&Finding { path: &self.file.path, shown: &shown, diagnostic, line }));
        }
        text
    }
}

/// What the catalog has made of a file.
struct Known {
    publication: Publication,
    /// Whether the file's present bytes are the ones that it has read.
    is_read: bool,
}

impl Known {
    /// `None` where no catalog of this inbox knows the path, or none can be read: then the file speaks for itself.
    fn of(root: &Root, path: &str, bytes: &[u8], config: &Config) -> Option<Known> {
        let daemon = &config.setup.daemon;
        if !Catalog::exists(&daemon.state).ok()? || daemon.inbox.canonicalize().ok()? != root.path() {
            return None;
        }
        let look = || -> Result<Option<Known>, catalog::Error> {
            Readers::open(&daemon.state, &config.setup.catalog)?.read(|reader| {
                if reader.inbox()?.is_none_or(|inbox| inbox != root.path().display().to_string()) {
                    return Ok(None);
                }
                let Some(publication) = reader.publication(path)? else { return Ok(None) };
                Ok(Some(Known { publication, is_read: reader.has_read(path, bytes)? }))
            })
        };
        look().ok().flatten()
    }
}

/// Whether a note means that the article is withheld.
fn waits(code: Code) -> bool {
    matches!(code, Code::Draft | Code::Future | Code::Expired | Code::Empty)
}

fn beside(value: &str, note: Option<&str>) -> String {
    match note {
        Some(note) => format!("{value}   ({note})"),
        None => value.to_owned(),
    }
}

/// A value in a line of text.
fn plain(value: &Json) -> String {
    let text = match value {
        Json::String(text) => text.clone(),
        Json::Array(items) if items.iter().all(Json::is_array) => {
            items.iter().filter_map(Json::as_array).map(|path| joined(path, " / ")).collect::<Vec<_>>().join(", ")
        }
        Json::Array(items) => joined(items, ", "),
        other => other.to_string(),
    };
    let one_line: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(200).collect();
    if one_line.len() < text.len() { format!("{one_line}…") } else { one_line }
}

fn joined(items: &[Json], separator: &str) -> String {
    items.iter().map(plain).collect::<Vec<_>>().join(separator)
}

/// What was read, field by field, with the key that gave it.
fn fields(article: &Article, parsed: &Parsed, text: &str) -> Vec<(&'static str, Given)> {
    let named = FIELDS.iter().filter_map(|(name, field)| {
        let origin = parsed.origins.get(field)?;
        let value = value(article, *field, text)?;
        Some((*name, Given { value, from: origin.from.clone(), line: origin.line }))
    });
    named.collect()
}

fn value(article: &Article, field: Field, text: &str) -> Option<Json> {
    match field {
        Field::Title => Some(json!(article.title)),
        Field::Published => article.published.map(|at| json!(rfc3339(at))),
        Field::Updated => article.updated.map(|at| json!(rfc3339(at))),
        Field::Expiry => article.expires.map(|at| json!(rfc3339(at))),
        Field::Summary => match article.summary.as_ref()? {
            Summary::Text(text) => Some(json!(text)),
            Summary::BodyUntil(end) => {
                let start = article.body.start;
                text.get(start..start + end).map(|part| json!(part.trim()))
            }
        },
        Field::Image => article.image.as_ref().map(|image| json!(image)),
        Field::Author => Some(article.authors.iter().map(|author| json!(author.name)).collect()),
        Field::Link => article.link.as_ref().map(|link| json!(link)),
        Field::Categories => Some(json!(article.categories)),
        Field::Tags => Some(json!(article.tags)),
        Field::Language => article.language.as_ref().map(|language| json!(language)),
        Field::Draft => Some(json!(article.draft)),
        Field::Id => article.explicit_id.as_ref().map(|id| json!(id)),
        Field::Slug => article.slug.as_ref().map(|slug| json!(slug)),
        Field::Media => Some(article.media.iter().map(|media| json!(media.url)).collect()),
    }
}
