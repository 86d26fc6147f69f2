//! Categories, tags and authors: names out of texts, lists, nested lists and mappings, and how many of them.

use super::{Author, Categories, address, text};
use crate::diagnostic::{Code, Diagnostic};
use crate::yaml::Value;

/// Most terms of an article.
const MAX_TERMS: usize = 64;
/// Most levels of a category path.
const MAX_LEVELS: usize = 16;
/// How deep lists in lists are looked into.
const MAX_DEPTH: u32 = 8;

/// Category paths: a list is one path from broad to narrow, a list of lists several, as Hexo means it; or each name
/// is a category of its own.
pub(super) fn categories(value: &Value, meaning: Categories, at_blanks: bool) -> Vec<Vec<String>> {
    let nested = matches!(value, Value::List(items) if items.iter().any(|item| matches!(item, Value::List(_))));
    let mut paths: Vec<Vec<String>> = match (meaning, value) {
        (Categories::Flat, _) => names(value, at_blanks).into_iter().map(|name| vec![name]).collect(),
        (Categories::Path, Value::List(items)) if nested => items.iter().map(|item| path(item, at_blanks, 1)).collect(),
        (Categories::Path, _) => vec![path(value, at_blanks, 0)],
    };
    paths.retain(|path| !path.is_empty());
    let mut seen = Vec::new();
    paths.retain(|path| {
        // Few enough to look through; the rest is cut anyway.
        let new = seen.len() > MAX_TERMS || !seen.contains(path);
        seen.push(path.clone());
        new
    });
    paths
}

/// The names of one path; here a name may come again.
fn path(value: &Value, at_blanks: bool, depth: u32) -> Vec<String> {
    let mut path = Vec::new();
    collect(value, at_blanks, depth, &mut path);
    path
}

/// Names, each once.
pub(super) fn names(value: &Value, at_blanks: bool) -> Vec<String> {
    let mut found = Vec::new();
    collect(value, at_blanks, 0, &mut found);
    let mut seen = std::collections::HashSet::new();
    found.retain(|name| seen.insert(name.clone()));
    found
}

fn collect(value: &Value, at_blanks: bool, depth: u32, out: &mut Vec<String>) {
    match value {
        Value::Null => {}
        Value::Scalar(scalar) if depth == 0 => split(&scalar.text, at_blanks, out),
        Value::Scalar(scalar) => push(&scalar.text, out),
        Value::List(items) if depth < MAX_DEPTH => {
            items.iter().for_each(|item| collect(item, at_blanks, depth + 1, out))
        }
        Value::Map(_) => {
            if let Some(name) = ["name", "title"].iter().find_map(|key| value.get(key)).and_then(Value::as_str) {
                push(name, out);
            } else if depth > 0
                && let Some([only]) = value.as_map()
                && let Some(text) = only.value.as_str()
            {
                // `- Rust: a book` was meant as a name with a colon in it.
                push(&format!("{}: {text}", only.key), out);
            }
        }
        Value::List(_) => {}
    }
}

/// A text of several names: split at commas, and at blanks only where Jekyll does.
fn split(text: &str, at_blanks: bool, out: &mut Vec<String>) {
    if text.contains([',', '，']) {
        text.split([',', '，']).for_each(|name| push(name, out));
    } else if at_blanks {
        text.split_whitespace().for_each(|name| push(name, out));
    } else {
        push(text, out);
    }
}

fn push(name: &str, out: &mut Vec<String>) {
    let name = text::one_line(name);
    if !name.is_empty() {
        out.push(name);
    }
}

/// Authors: names, `name <email>`, `email (name)`, mappings, and lists of these.
pub(super) fn authors(value: &Value) -> Vec<Author> {
    match value {
        Value::Null => Vec::new(),
        Value::Scalar(scalar) => author(&scalar.text).into_iter().collect(),
        Value::List(items) => items.iter().flat_map(authors).collect(),
        Value::Map(entries) => {
            let under = |names: &[&str]| {
                names.iter().find_map(|name| {
                    entries
                        .iter()
                        .find(|entry| entry.key.eq_ignore_ascii_case(name))
                        .and_then(|entry| entry.value.as_str())
                })
            };
            let email = under(&["email", "mail"]).map(text::one_line).filter(|email| is_email(email));
            let url = under(&["url", "link", "website", "homepage", "uri", "web"]).and_then(address::absolute);
            let name = under(&["name", "title", "nick", "nickname", "display_name", "author"])
                .map(text::one_line)
                .filter(|name| !name.is_empty());
            match name.or_else(|| email.clone()) {
                Some(name) => vec![Author { name, email, url }],
                // `authors: {ann: {…}, bob: {…}}`.
                None => entries
                    .iter()
                    .filter(|entry| matches!(entry.value, Value::Map(_)))
                    .flat_map(|entry| {
                        let inner = authors(&entry.value);
                        if inner.is_empty() { author(&entry.key).into_iter().collect() } else { inner }
                    })
                    .collect(),
            }
        }
    }
}

fn author(written: &str) -> Option<Author> {
    let line = text::one_line(written);
    if line.is_empty() {
        return None;
    }
    for (open, close) in [('<', '>'), ('(', ')')] {
        let Some((before, inside)) = line.strip_suffix(close).and_then(|rest| rest.split_once(open)) else { continue };
        let (before, inside) = (before.trim(), inside.trim());
        for (name, email) in [(before, inside), (inside, before)] {
            if !name.is_empty() && is_email(email) {
                return Some(Author {
                    name: name.trim_matches('"').to_owned(),
                    email: Some(email.to_owned()),
                    url: None,
                });
            }
        }
    }
    // `Ann Other https://ann.example/`.
    if let Some((name, last)) = line.rsplit_once(' ')
        && let Some(url) = address::absolute(last)
    {
        return Some(Author {
            name: name.trim_end_matches([',', '-', '–', ' ']).to_owned(),
            email: None,
            url: Some(url),
        });
    }
    Some(Author { name: line, email: None, url: None })
}

fn is_email(text: &str) -> bool {
    let Some((local, domain)) = text.split_once('@') else { return false };
    !local.is_empty() && domain.contains('.') && !text.contains(char::is_whitespace) && !domain.contains('@')
}

/// How many terms an article has taken.
#[derive(Default)]
pub(super) struct Budget {
    taken: usize,
    cut: Option<(Option<u32>, String)>,
}

impl Budget {
    /// Takes paths, each at most 16 levels deep.
    pub(super) fn categories(&mut self, mut paths: Vec<Vec<String>>, line: Option<u32>) -> Vec<Vec<String>> {
        if let Some(long) = paths.iter().map(Vec::len).find(|levels| *levels > MAX_LEVELS) {
            self.over(line, format!("a category has {long} levels where {MAX_LEVELS} are taken"));
        }
        paths.iter_mut().for_each(|path| path.truncate(MAX_LEVELS));
        self.take(&mut paths, line, "categories");
        paths
    }

    /// Takes names.
    pub(super) fn names(&mut self, mut names: Vec<String>, line: Option<u32>) -> Vec<String> {
        self.take(&mut names, line, "tags");
        names
    }

    /// Takes authors.
    pub(super) fn authors(&mut self, mut authors: Vec<Author>, line: Option<u32>) -> Vec<Author> {
        self.take(&mut authors, line, "authors");
        authors
    }

    fn take<T>(&mut self, terms: &mut Vec<T>, line: Option<u32>, what: &str) {
        let room = MAX_TERMS - self.taken;
        if terms.len() > room {
            self.over(
                line,
                format!("the article names {} {what} where {MAX_TERMS} terms are taken in all", terms.len()),
            );
            terms.truncate(room);
        }
        self.taken += terms.len();
    }

    fn over(&mut self, line: Option<u32>, what: String) {
        self.cut.get_or_insert((line, what));
    }

    /// What was cut, said once.
    pub(super) fn problem(self) -> Option<Diagnostic> {
        let (line, what) = self.cut?;
        let problem = Diagnostic::new(Code::TermsCut, format!("{what}; the rest was left out")).help("name fewer");
        Some(Diagnostic { line, column: line.map(|_| 1), ..problem })
    }
}
