//! YAML with a guard in front; the only user of the YAML crate.
//!
//! Two things here are not the crate's: a budget that no input can evade, because the parser's work grows with the
//! square of open brackets; and scalars that keep their text, because `title: 1.10` is a title and not a number.
//! Plain front matter takes a short cut that reads the same ([`plain`]); what is left is for the crate.

mod load;
mod plain;
mod strict;

use std::fmt;

/// A node of a document. Scalars keep the text as written, quotes and escapes resolved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// Nothing, `~` or `null`.
    Null,
    /// A string, number or truth value.
    Scalar(Scalar),
    /// A sequence.
    List(Vec<Value>),
    /// A mapping, in the order of the document. Keys may stand twice.
    Map(Vec<Entry>),
}

/// A scalar and what YAML's core schema takes it for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scalar {
    /// The text as written, quotes and escapes resolved.
    pub text: String,
    /// What the core schema takes it for.
    pub kind: Kind,
}

/// What YAML's core schema takes a scalar for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A string.
    Text,
    /// `true` or `false`.
    Bool(bool),
    /// An integer or a decimal number.
    Number,
}

/// One key of a mapping with its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The key's text.
    pub key: String,
    /// The line of the key, from 1, where it could be told.
    pub line: Option<u32>,
    /// What stands under the key.
    pub value: Value,
}

/// Why a text could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    /// From 1.
    pub line: u32,
    /// From 1, in characters.
    pub column: u32,
    /// Lower case, without a full stop and without the place.
    pub message: String,
    /// Whether the budget stopped it, not the syntax.
    pub budget: bool,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at line {} column {}", self.message, self.line, self.column)
    }
}

impl std::error::Error for Error {}

/// Longest text that the crate is given. Its work may grow with the square of the length.
pub const MAX_BYTES: usize = 16 * 1024;
/// Longest text of plain lines, which are read in linear time.
pub const MAX_PLAIN_BYTES: usize = 512 * 1024;
/// Most bytes of `[` and `{`. A count cannot be evaded by quotes or comments; a measured depth can.
pub const MAX_OPENERS: usize = 128;

/// Reads one document. An empty text is [`Value::Null`].
///
/// The short cut is taken where the text is plain; it never reads anything differently.
pub fn parse(text: &str) -> Result<Value, Error> {
    if text.len() > MAX_PLAIN_BYTES {
        return Err(Error::budget(format!(
            "{} KiB of YAML where {} KiB are taken",
            text.len().div_ceil(1024),
            MAX_PLAIN_BYTES / 1024
        )));
    }
    if let Some(value) = plain::read(text) {
        return Ok(value);
    }
    guard(text)?;
    strict::check(text)?;
    load::document(text)
}

/// The budget, before the crate sees the text.
fn guard(text: &str) -> Result<(), Error> {
    if text.len() > MAX_BYTES {
        let kib = text.len().div_ceil(1024);
        return Err(Error::budget(format!("{kib} KiB of YAML where {} KiB are taken", MAX_BYTES / 1024)));
    }
    let openers = text.bytes().filter(|b| matches!(b, b'[' | b'{')).count();
    if openers > MAX_OPENERS {
        return Err(Error::budget(format!("{openers} opening brackets where {MAX_OPENERS} are taken")));
    }
    Ok(())
}

impl Error {
    fn budget(message: String) -> Error {
        Error { line: 1, column: 1, message, budget: true }
    }

    fn syntax(line: usize, column: usize, message: impl Into<String>) -> Error {
        let place = |n: usize| u32::try_from(n).unwrap_or(u32::MAX).max(1);
        Error { line: place(line), column: place(column), message: message.into(), budget: false }
    }
}

impl Value {
    /// A string scalar.
    pub fn text(text: impl Into<String>) -> Value {
        Value::Scalar(Scalar { text: text.into(), kind: Kind::Text })
    }

    /// A plain scalar, typed by the core schema.
    pub fn plain(text: &str) -> Value {
        match text {
            "" | "~" | "null" | "Null" | "NULL" => Value::Null,
            "true" | "True" | "TRUE" => Value::Scalar(Scalar { text: text.into(), kind: Kind::Bool(true) }),
            "false" | "False" | "FALSE" => Value::Scalar(Scalar { text: text.into(), kind: Kind::Bool(false) }),
            _ if is_number(text) => Value::Scalar(Scalar { text: text.into(), kind: Kind::Number }),
            _ => Value::text(text),
        }
    }

    /// The text of a scalar.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Value::Scalar(scalar) => Some(&scalar.text),
            _ => None,
        }
    }

    /// A truth value of the core schema.
    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Value::Scalar(Scalar { kind: Kind::Bool(value), .. }) => Some(*value),
            _ => None,
        }
    }

    /// The items of a sequence.
    pub fn as_list(&self) -> Option<&[Value]> {
        match self {
            Value::List(items) => Some(items),
            _ => None,
        }
    }

    /// The entries of a mapping.
    pub fn as_map(&self) -> Option<&[Entry]> {
        match self {
            Value::Map(entries) => Some(entries),
            _ => None,
        }
    }

    /// The first value under a key of a mapping.
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.as_map()?.iter().find(|entry| entry.key == key).map(|entry| &entry.value)
    }

    /// Whether this is [`Value::Null`].
    pub fn is_null(&self) -> bool {
        matches!(self, Value::Null)
    }

    /// A word for messages.
    pub fn kind_name(&self) -> &'static str {
        match self {
            Value::Null => "nothing",
            Value::Scalar(Scalar { kind: Kind::Text, .. }) => "a text",
            Value::Scalar(Scalar { kind: Kind::Bool(_), .. }) => "true or false",
            Value::Scalar(Scalar { kind: Kind::Number, .. }) => "a number",
            Value::List(_) => "a list",
            Value::Map(_) => "a mapping",
        }
    }
}

/// Whether the core schema takes a plain scalar for a number, as the crate does.
fn is_number(text: &str) -> bool {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let Some(first) = unsigned.bytes().next() else { return false };
    if !(first.is_ascii_digit() || first == b'.') {
        return false;
    }
    for (prefix, radix) in [("0x", 16), ("0o", 8), ("0b", 2)] {
        if let Some(digits) = unsigned.strip_prefix(prefix) {
            return !digits.is_empty() && digits.chars().all(|c| c.is_digit(radix));
        }
    }
    if unsigned.len() > 1 && first == b'0' && unsigned.bytes().all(|b| b.is_ascii_digit()) {
        return false;
    }
    let lower = unsigned.to_ascii_lowercase();
    matches!(lower.as_str(), ".inf" | ".nan") || (unsigned.parse::<f64>().is_ok_and(f64::is_finite))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn text_of(document: &str, key: &str, expect: &str) {
        let value = parse(document).unwrap();
        assert_eq!(value.get(key).and_then(Value::as_str), Some(expect), "{document}");
    }

    #[test]
    fn scalars_keep_their_text() {
        for text in ["2015", "1.10", "010", "1e3", "0xFF", ".inf", "yes", "no", "true", "1_000", "+1", "12:30:45"] {
            text_of(&format!("a: {text}\n"), "a", text);
            // The anchor forces the crate's path.
            text_of(&format!("x: &x y\na: {text}\nb: [{text}]\n"), "a", text);
        }
    }

    #[test]
    fn both_paths_type_scalars_alike() {
        for text in [
            "2015", "1.10", "010", "1e3", "0xFF", ".inf", "-.inf", ".nan", "yes", "true", "False", "~", "null",
            "1_000", "+1", "-1", "0o7", "0b1", "", "1e400", "-0x1f", "+.inf", "1.", ".5", "00", "0",
        ] {
            let short = plain::read(&format!("a: {text}\n")).unwrap();
            let long = load::document(&format!("a: {text}\n")).unwrap();
            assert_eq!(short, long, "{text:?}");
        }
    }

    #[test]
    fn a_budget_is_told_from_bad_syntax() {
        assert!(parse(&"[".repeat(200)).unwrap_err().budget);
        assert!(parse(&format!("a: &x '{}'", "x".repeat(20_000))).unwrap_err().budget);
        assert!(parse("title: &t [*t]\n").unwrap_err().budget);
        assert!(!parse("a: b: c\n").unwrap_err().budget);
    }

    #[test]
    fn alias_bombs_are_stopped() {
        let mut bomb = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
        for i in 1..10 {
            let alias = vec![format!("*a{}", i - 1); 10].join(", ");
            bomb.push_str(&format!("a{i}: &a{i} [{alias}]\n"));
        }
        assert!(parse(&bomb).unwrap_err().budget);
    }

    #[test]
    fn keys_have_lines() {
        let value = parse("# c\na: 1\nb:\n  c: &x 2\n  d: 3\n\"e\" : 4\n").unwrap();
        let lines: Vec<_> = value.as_map().unwrap().iter().map(|e| (e.key.as_str(), e.line)).collect();
        assert_eq!(lines, [("a", Some(2)), ("b", Some(3)), ("e", Some(6))]);
        let inner: Vec<_> = value.get("b").unwrap().as_map().unwrap().iter().map(|e| e.line).collect();
        assert_eq!(inner, [Some(4), Some(5)]);
    }

    #[test]
    fn errors_have_places() {
        let error = parse("a: 1\nb: c: d\n").unwrap_err();
        assert_eq!((error.line, error.column), (2, 5));
    }
}
