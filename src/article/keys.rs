//! The block of a front matter → its keys, in whatever dialect they are written.
//!
//! Each dialect is read by its own parser first. What that refuses is read line by line and reported, but for what a
//! budget stops: that was written to cost, not to be read.

use toml::de::{DeTable, DeValue};

use super::front::{self, Dialect, Front};
use super::repair;
use crate::diagnostic::{Code, Diagnostic};
use crate::yaml::{self, Entry, Value};

/// Longest block of TOML or JSON; YAML has its own guard.
const MAX_BYTES: usize = 64 * 1024;
/// Most opening brackets of TOML or JSON: nesting costs stack.
const MAX_OPENERS: usize = 2_000;

/// The keys of a block. The lines of entries are those of the file.
#[derive(Default)]
pub(super) struct Keys {
    pub entries: Vec<Entry>,
    pub problems: Vec<Diagnostic>,
}

/// What came of a block.
pub(super) enum Outcome {
    Keys(Keys),
    /// The block is prose: there is no front matter, which is said.
    Prose(Diagnostic),
    /// More than the budget; the file is refused.
    Refused(Diagnostic),
}

/// Reads the keys of a cut file.
pub(super) fn read(front: &Front<'_>) -> Outcome {
    match front.dialect {
        Dialect::None => Outcome::Keys(Keys::default()),
        Dialect::Yaml => yaml(front),
        Dialect::Toml => bounded(front, toml),
        Dialect::Json | Dialect::JsonLines => bounded(front, json),
        Dialect::Headers => bounded(front, headers),
    }
}

fn refused(front: &Front<'_>, message: &str) -> Outcome {
    Outcome::Refused(
        Diagnostic::new(Code::FrontMatterBudget, format!("the front matter was not read: {message}"))
            .at(front.first_line, 1)
            .help("keep only what describes the article, and close the front matter above the body"),
    )
}

fn prose(front: &Front<'_>) -> Outcome {
    Outcome::Prose(
        Diagnostic::new(
            Code::YamlRepaired,
            "there is no key between the lines `---`; everything was taken for the body",
        )
        .at(front.first_line, front.indent + 1)
        .help("write keys, such as `title: …`, or begin the file with a blank line and `***` if a rule is meant"),
    )
}

fn bounded(front: &Front<'_>, read: fn(&Front<'_>) -> Outcome) -> Outcome {
    let openers = front.block.bytes().filter(|b| matches!(b, b'[' | b'{')).count();
    if front.block.len() > MAX_BYTES {
        return refused(
            front,
            &format!("it has {} KiB where {} KiB are taken", front.block.len().div_ceil(1024), MAX_BYTES / 1024),
        );
    }
    if openers > MAX_OPENERS {
        return refused(front, &format!("it has {openers} opening brackets where {MAX_OPENERS} are taken"));
    }
    read(front)
}

fn yaml(front: &Front<'_>) -> Outcome {
    let mut problems = Vec::new();
    let value = match yaml::parse(&front.block) {
        Ok(value) if repair::is_misread(&front.block, &value) => {
            let error = yaml::Error { line: 1, column: 1, message: "it means something else".into(), budget: false };
            return Outcome::Keys(repair::lines(front, &error));
        }
        Ok(value) => value,
        Err(error) if error.budget => return refused(front, &error.message),
        Err(error) => match without_tabs(front) {
            Some((value, problem)) => {
                problems.push(problem);
                value
            }
            None => {
                let repaired = repair::lines(front, &error);
                if repaired.entries.is_empty() && repair::is_prose(&front.block) {
                    return prose(front);
                }
                return Outcome::Keys(repaired);
            }
        },
    };
    match value {
        Value::Map(mut entries) => {
            shift(&mut entries, front.first_line - 1);
            Outcome::Keys(Keys { entries, problems })
        }
        Value::Null if front.block.lines().all(|line| line.trim().is_empty()) => {
            Outcome::Keys(Keys { entries: Vec::new(), problems })
        }
        // Comments or a sentence between two rules are Markdown's.
        Value::Null => prose(front),
        Value::Scalar(scalar) => {
            let error =
                yaml::Error { line: 1, column: 1, message: "it is a text, not a list of keys".into(), budget: false };
            let repaired = repair::lines(front, &error);
            if repaired.entries.is_empty() && !scalar.text.is_empty() { prose(front) } else { Outcome::Keys(repaired) }
        }
        Value::List(_) => {
            problems.push(
                Diagnostic::new(
                    Code::YamlRepaired,
                    "the front matter is a list where keys were expected; it was ignored",
                )
                .at(front.first_line, 1)
                .help("write keys, such as `title: …`"),
            );
            Outcome::Keys(Keys { entries: Vec::new(), problems })
        }
    }
}

/// Tabs as indent, which YAML forbids and Hexo takes for two blanks.
fn without_tabs(front: &Front<'_>) -> Option<(Value, Diagnostic)> {
    let tabbed = |line: &&str| line.trim_start_matches(' ').starts_with('\t') && !line.trim().is_empty();
    let first = front.block.lines().position(|line| tabbed(&line))?;
    let mended: String = front
        .block
        .split_inclusive('\n')
        .map(|line| {
            let blanks = line.len() - line.trim_start_matches([' ', '\t']).len();
            line[..blanks].replace('\t', "  ") + &line[blanks..]
        })
        .collect();
    let value = yaml::parse(&mended).ok().filter(|value| matches!(value, Value::Map(_)))?;
    let line = front.block.lines().nth(first)?;
    let column = line.chars().take_while(|c| *c == ' ').count() + 1;
    let problem =
        Diagnostic::new(Code::YamlRepaired, "a tab indents the line, which YAML forbids; it was read as two blanks")
            .at(front.first_line + u32::try_from(first).ok()?, u32::try_from(column).ok()?)
            .help("indent with blanks");
    Some((value, problem))
}

/// Makes lines of the block lines of the file.
fn shift(entries: &mut [Entry], by: u32) {
    for entry in entries {
        entry.line = entry.line.map(|line| line + by);
        if let Value::Map(inner) = &mut entry.value {
            shift(inner, by);
        }
    }
}

fn toml(front: &Front<'_>) -> Outcome {
    let (table, errors) = DeTable::parse_recoverable(&front.block);
    let table = table.into_inner();
    let Some(error) = errors.first() else {
        return Outcome::Keys(Keys { entries: toml_entries(&table, front), problems: Vec::new() });
    };
    let (line, column) = super::charset::place(&front.block, error.span().map_or(0, |span| span.start));
    let mut keys = repair::toml_lines(front);
    keys.problems.push(
        Diagnostic::new(
            Code::TomlBroken,
            format!(
                "the front matter is not valid TOML ({}); its lines were read one by one",
                error.message().lines().next().unwrap_or("").to_lowercase()
            ),
        )
        .at(front.first_line + line - 1, column)
        .help("mend the line; a text stands in quotes: title = \"…\""),
    );
    Outcome::Keys(keys)
}

fn toml_entries(table: &DeTable<'_>, front: &Front<'_>) -> Vec<Entry> {
    let mut found: Vec<(usize, Entry)> = table
        .iter()
        .map(|(key, value)| {
            let start = key.span().start;
            let line = front.block[..start.min(front.block.len())].bytes().filter(|b| *b == b'\n').count();
            let line = u32::try_from(line).ok().map(|line| line + front.first_line);
            (start, Entry { key: key.get_ref().to_string(), line, value: toml_value(value.get_ref(), front) })
        })
        .collect();
    // The table sorts by name; people read by place.
    found.sort_by_key(|(start, _)| *start);
    found.into_iter().map(|(_, entry)| entry).collect()
}

/// A value that stands by itself; the lines of keys below it are not known.
pub(super) fn toml_scalar(value: &DeValue<'_>) -> Value {
    toml_value(value, &front::none(""))
}

fn toml_value(value: &DeValue<'_>, front: &Front<'_>) -> Value {
    match value {
        DeValue::String(text) => Value::text(text.as_ref()),
        DeValue::Integer(number) => Value::plain(number.as_str()),
        DeValue::Float(number) => Value::plain(number.as_str()),
        DeValue::Boolean(value) => Value::plain(if *value { "true" } else { "false" }),
        DeValue::Datetime(at) => Value::text(at.to_string()),
        DeValue::Array(items) => Value::List(items.iter().map(|item| toml_value(item.get_ref(), front)).collect()),
        DeValue::Table(table) => Value::Map(toml_entries(table, front)),
    }
}

fn json(front: &Front<'_>) -> Outcome {
    let text = match front.dialect {
        Dialect::JsonLines => format!("{{{}}}", front.block.trim_end().trim_end_matches(',')),
        _ => front.block.to_string(),
    };
    let error = match serde_json::from_str::<serde_json::Value>(&text) {
        Ok(serde_json::Value::Object(map)) => {
            let mut entries: Vec<Entry> =
                map.into_iter().map(|(key, value)| Entry { key, line: None, value: json_value(value) }).collect();
            for entry in &mut entries {
                let quoted = format!("\"{}\"", entry.key);
                let at = front
                    .block
                    .lines()
                    .position(|line| line.trim_start_matches(['{', ' ', '\t', ',']).starts_with(&quoted));
                entry.line = at.and_then(|at| u32::try_from(at).ok()).map(|at| at + front.first_line);
            }
            entries.sort_by_key(|entry| entry.line);
            return Outcome::Keys(Keys { entries, problems: Vec::new() });
        }
        Ok(_) => "it is no object".to_owned(),
        Err(error) if error.to_string().contains("recursion limit") => {
            return refused(front, "it is nested too deeply");
        }
        Err(error) => {
            let message = error.to_string();
            let column = u32::try_from(error.column()).unwrap_or(1).max(1);
            let line = u32::try_from(error.line()).unwrap_or(1).max(1) + front.first_line - 1;
            let mut keys = repair::json_lines(front);
            keys.problems.push(json_broken(message.split(" at line ").next().unwrap_or(&message)).at(line, column));
            return Outcome::Keys(keys);
        }
    };
    Outcome::Keys(Keys { entries: Vec::new(), problems: vec![json_broken(&error).at(front.first_line, 1)] })
}

fn json_broken(message: &str) -> Diagnostic {
    Diagnostic::new(
        Code::JsonBroken,
        format!("the front matter is not valid JSON ({message}); its lines were read one by one"),
    )
    .help("mend the line; keys and texts stand in double quotes, with a comma between them")
}

fn json_value(value: serde_json::Value) -> Value {
    match value {
        serde_json::Value::Null => Value::Null,
        serde_json::Value::Bool(value) => Value::plain(if value { "true" } else { "false" }),
        serde_json::Value::Number(number) => Value::plain(&number.to_string()),
        serde_json::Value::String(text) => Value::text(text),
        serde_json::Value::Array(items) => Value::List(items.into_iter().map(json_value).collect()),
        serde_json::Value::Object(map) => Value::Map(
            map.into_iter().map(|(key, value)| Entry { key, line: None, value: json_value(value) }).collect(),
        ),
    }
}

/// Header lines: the value is the rest of the line and of the indented ones below it.
fn headers(front: &Front<'_>) -> Outcome {
    let mut entries: Vec<Entry> = Vec::new();
    for (at, line) in front.block.lines().enumerate() {
        let number = u32::try_from(at).ok().map(|at| at + front.first_line);
        if let Some(key) = front::header_key(line) {
            let body = line.strip_prefix("[#]:").or_else(|| line.strip_prefix("..")).unwrap_or(line);
            let value = body.split_once(':').map_or("", |(_, value)| value.trim());
            let value = match line.starts_with("[#]:") {
                true => value.strip_prefix('(').and_then(|v| v.strip_suffix(')')).unwrap_or(value).trim(),
                false => value,
            };
            entries.push(Entry { key: key.to_owned(), line: number, value: Value::text(repair::peel(value)) });
        } else if let Some(Entry { value: Value::Scalar(scalar), .. }) = entries.last_mut() {
            scalar.text.push('\n');
            scalar.text.push_str(line.trim());
        }
    }
    for entry in &mut entries {
        if let Some(text) = entry.value.as_str().map(str::to_owned) {
            entry.value = header_value(&entry.key.to_lowercase(), &text);
        }
    }
    Outcome::Keys(Keys { entries, problems: Vec::new() })
}

/// Several authors stand in one header, with semicolons where a name has a comma.
fn header_value(key: &str, text: &str) -> Value {
    if text.is_empty() {
        return Value::Null;
    }
    if key == "authors" {
        let separator = if text.contains(';') { ';' } else { ',' };
        return Value::List(text.split(separator).map(|name| Value::text(name.trim())).collect());
    }
    Value::text(text)
}
