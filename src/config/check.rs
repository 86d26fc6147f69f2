//! The config file against the table of keys: every unknown key and every wrong value, with its place.

use super::keys::{self, SETTINGS, Setting};
use super::near::{distance, nearest};
use super::place::{Lines, Place};
use super::values::Wrong;
use super::{File, Origin, Problem, Reading};
use crate::diagnostic::{Code, Diagnostic};
use crate::yaml::{self, Entry, Value};

/// Reads a file into the settings.
pub(super) fn file(file: &File, reading: &mut Reading) {
    let lines = Lines::new(&file.text);
    let mut check = Check { file, lines, reading };
    match yaml::parse(&file.text) {
        Ok(Value::Null) => {}
        Ok(Value::Map(entries)) => check.root(&entries),
        Ok(other) => {
            let message = format!("expected sections such as `site:` and `inbox:`, found {}", other.kind_name());
            check.report(Code::ConfigSyntax, message, None, (1, 1));
        }
        Err(error) => {
            let help = "YAML is indented with blanks; texts with a colon or a bracket in them are quoted".to_owned();
            check.report(Code::ConfigSyntax, error.message, Some(help), (error.line, error.column));
        }
    }
}

struct Check<'a> {
    file: &'a File,
    lines: Lines<'a>,
    reading: &'a mut Reading,
}

impl Check<'_> {
    fn root(&mut self, entries: &[Entry]) {
        let mut after = (1, 1);
        let mut seen = Vec::new();
        for entry in entries {
            let place = self.lines.key(&entry.key, entry.line, after);
            after = (place.0, place.1 + 1);
            if !keys::sections().contains(&entry.key.as_str()) {
                self.unknown("", &entry.key, place);
            } else if !self.again(&entry.key, place, &mut seen) {
                self.section(entry, place);
            }
        }
    }

    fn section(&mut self, section: &Entry, place: Place) {
        let entries = match &section.value {
            Value::Map(entries) => entries,
            Value::Null => return,
            other => {
                let message = format!("expected keys below `{}:`, found {}", section.key, other.kind_name());
                let value = self.lines.value(&section.key, place);
                return self.report(Code::ConfigValue, message, None, value);
            }
        };
        let mut after = (place.0, place.1 + 1);
        let mut seen = Vec::new();
        for entry in entries {
            let place = self.lines.key(&entry.key, entry.line, after);
            after = (place.0, place.1 + 1);
            let name = format!("{}.{}", section.key, entry.key);
            match keys::setting(&name) {
                Some(setting) if !self.again(&name, place, &mut seen) => self.value(setting, entry, place),
                Some(_) => {}
                None => self.unknown(&section.key, &entry.key, place),
            }
        }
    }

    fn value(&mut self, setting: &'static Setting, entry: &Entry, place: Place) {
        let base = self.file.base.clone();
        let origin = Origin::File { path: self.file.name.clone(), line: place.0 };
        let value_place = self.lines.value(&entry.key, place);
        let text = self.lines.text(value_place.0).unwrap_or_default().to_owned();
        self.reading.places.insert(setting.key, (value_place.0, value_place.1, text));
        for wrong in self.reading.take(setting, &entry.value, &base, origin) {
            let Wrong { message, mut help, part } = wrong;
            if help.is_none() && entry.value.is_null() {
                help = Some(format!("remove the line for the default, {}", setting.default));
            }
            let at = part.and_then(|part| self.lines.part(&part, value_place)).unwrap_or(value_place);
            self.report(Code::ConfigValue, format!("{}: {message}", setting.key), help, at);
        }
    }

    /// Reports a key that stands a second time.
    fn again(&mut self, name: &str, place: Place, seen: &mut Vec<(String, u32)>) -> bool {
        if let Some((_, line)) = seen.iter().find(|(other, _)| other == name) {
            let message = format!("`{name}` stands twice, first on line {line}");
            self.report(Code::ConfigValue, message, Some("keep one of them".to_owned()), place);
            return true;
        }
        seen.push((name.to_owned(), place.0));
        false
    }

    fn unknown(&mut self, section: &str, name: &str, place: Place) {
        let whole = if section.is_empty() { name.to_owned() } else { format!("{section}.{name}") };
        let help = if section.is_empty() { meant_at_root(name) } else { meant_in(section, name) };
        self.report(Code::ConfigUnknownKey, format!("unknown key `{whole}`"), Some(help), place);
    }

    fn report(&mut self, code: Code, message: String, help: Option<String>, (line, column): Place) {
        let mut diagnostic = Diagnostic::new(code, message).at(line, column);
        diagnostic.help = help;
        let text = self.lines.text(line).map(str::to_owned);
        self.reading.problems.push(Problem { source: self.file.name.clone(), diagnostic, text, misuse: false });
    }
}

/// A section is meant, or a key that stands outside of its section.
fn meant_at_root(name: &str) -> String {
    if let Some((section, key)) = name.split_once('.')
        && keys::setting(name).is_some()
    {
        return format!("write it as `{section}: {{ {key}: … }}`");
    }
    let section = nearest(name, keys::sections()).unwrap_or_default();
    match SETTINGS.iter().min_by_key(|setting| distance(name, setting.parts().1)) {
        Some(setting) if distance(name, setting.parts().1) < distance(name, section) => {
            format!("did you mean `{}`, below `{}:`?", setting.key, setting.parts().0)
        }
        _ => format!("did you mean `{section}`?"),
    }
}

/// The nearest key of the section, unless another section has one that is nearer.
fn meant_in(section: &str, name: &str) -> String {
    let far = |setting: &&Setting| {
        let (other, key) = setting.parts();
        (distance(name, key) + usize::from(other != section), usize::from(other != section))
    };
    match SETTINGS.iter().min_by_key(far) {
        Some(setting) => format!("did you mean `{}`?", setting.key),
        None => String::new(),
    }
}
