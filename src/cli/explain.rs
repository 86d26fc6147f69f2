//! `feedmill explain`: how one file is read, which key gave what, its id and its feeds.
//!
//! It reads the file alone: what only the catalog knows (an id kept through an edit of the title, the time when an
//! undated article was first seen) is not in it.

use serde_json::{Map, Value as Json, json};

use super::args::{self, Report};
use super::check::{rfc3339, shown, text_of, timely};
use super::console::{BOLD, Console};
use super::inbox::{Found, Root};
use super::report::{self, Finding};
use super::{Exit, World};
use crate::article::{self, Article, Field, Parsed, SourceFile, Summary};
use crate::config::{Config, FIELDS};
use crate::daemon::Named;
use crate::diagnostic::{Code, Diagnostic, Severity};
use crate::entry::{Key, Seed};

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
        Report::Json => console.result(&format!("{:#}\n", explained.json())),
        Report::Human => console.result(&explained.human(&world.around.cwd)),
    }
    Exit::Fine
}

/// What becomes of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Published,
    Held,
    Ignored,
    Broken,
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
    fields: Vec<(&'static str, Json, String, Option<u32>)>,
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
        let waits = |code| matches!(code, Code::Draft | Code::Future | Code::Expired | Code::Empty);
        let outcome = match &parsed.article {
            _ if diagnostics.iter().any(|problem| waits(problem.code)) => Outcome::Held,
            Some(_) => Outcome::Published,
            None => Outcome::Broken,
        };
        let base = Explained { diagnostics, text, ..blank(outcome, file) };
        let Some(article) = &parsed.article else { return base };

        let seed = Seed::of(article, &base.file.path);
        // As at acceptance: an update in the future is not believed.
        let updated = article.updated.filter(|&at| at <= world.now).or(article.published);
        Explained {
            id: Some(config.setup.catalog.namespace.entry_id(&seed).as_str().to_owned()),
            id_from: Some(seed.name()),
            published: article.published.map(rfc3339),
            updated: updated.map(rfc3339),
            fields: fields(article, &parsed, &base.text),
            feeds: config.setup.catalog.taxonomies.keys(article, &base.file.path),
            ..base
        }
    }

    fn json(&self) -> Json {
        let fields: Map<String, Json> = self
            .fields
            .iter()
            .map(|(name, value, from, line)| {
                ((*name).to_owned(), json!({ "value": value, "from": from, "line": line }))
            })
            .collect();
        let mut object = json!({
            "path": self.file.path,
            "outcome": self.outcome.as_str(),
            "id": self.id,
            "id_from": self.id_from,
            "published": self.published,
            "updated": self.updated,
            "fields": fields,
            "feeds": self.feeds.iter().map(ToString::to_string).collect::<Vec<_>>(),
            "diagnostics":
                self.diagnostics.iter().map(|problem| report::object(&self.file.path, problem)).collect::<Vec<_>>(),
        });
        if let Some(because) = &self.because {
            object["because"] = json!(because);
        }
        object
    }

    fn human(&self, cwd: &std::path::Path) -> String {
        let mut rows: Vec<(&str, String)> = vec![("path", self.file.path.clone())];
        let why = match self.outcome {
            Outcome::Ignored => self.because.clone(),
            Outcome::Held => self.diagnostics.iter().find(|d| d.severity == Severity::Note).map(|d| d.message.clone()),
            Outcome::Broken => {
                self.diagnostics.iter().find(|d| d.severity == Severity::Error).map(|d| d.message.clone())
            }
            Outcome::Published => None,
        };
        rows.push(("outcome", beside(self.outcome.as_str(), why.as_deref())));
        if let (Some(id), Some(from)) = (&self.id, self.id_from) {
            rows.push(("id", beside(id, Some(&format!("from {from}")))));
            let undated = "when it is first seen";
            rows.push(("published", self.published.clone().unwrap_or_else(|| undated.to_owned())));
            rows.push(("updated", self.updated.clone().unwrap_or_else(|| undated.to_owned())));
        }
        for (name, value, from, line) in &self.fields {
            let place = line.map(|line| format!(", line {line}")).unwrap_or_default();
            rows.push((name, beside(&plain(value), Some(&format!("from {from}{place}")))));
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
fn fields(article: &Article, parsed: &Parsed, text: &str) -> Vec<(&'static str, Json, String, Option<u32>)> {
    let named = FIELDS.iter().filter_map(|(name, field)| {
        let origin = parsed.origins.get(field)?;
        let value = value(article, *field, text)?;
        Some((*name, value, origin.from.clone(), origin.line))
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
