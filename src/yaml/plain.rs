//! The short cut for plain front matter: `key: value` lines and flat lists.
//!
//! Almost every article is written so, and this reading costs a tenth of the crate's. Whatever could mean anything
//! else in YAML makes it step back: it answers only where both readings are the same.

use super::{Entry, Value};

/// Line ends and marks that only some parsers see.
const ODD: [char; 6] = ['\u{feff}', '\u{85}', '\u{2028}', '\u{2029}', '\u{fffe}', '\u{ffff}'];

/// Most keys. A longer text is then over the budget of the crate too: long values are harmless, many keys are not.
const MAX_KEYS: usize = 4_000;

/// Reads a text of plain lines; `None` where the crate has to look.
pub(super) fn read(text: &str) -> Option<Value> {
    let mut entries: Vec<Entry> = Vec::new();
    // The indent of the list under the last key, once it has an item.
    let mut list: Option<usize> = None;
    for (index, line) in text.split('\n').enumerate() {
        if line.bytes().any(|b| b < 0x20 || b == 0x7f) || !line.is_ascii() && line.contains(ODD) {
            return None;
        }
        let content = line.trim_start_matches(' ');
        if content.is_empty() || content.starts_with('#') {
            continue;
        }
        let indent = line.len() - content.len();
        if content == "-" || content.starts_with("- ") {
            let last = entries.last_mut()?;
            match &mut last.value {
                Value::Null if list.is_none() && last.line != u32::try_from(index + 1).ok() => {
                    list = Some(indent);
                    last.value = Value::List(vec![item(content)?]);
                }
                Value::List(items) if list == Some(indent) => items.push(item(content)?),
                _ => return None,
            }
            continue;
        }
        if indent != 0 {
            return None;
        }
        let (key, rest) = content.split_once(':')?;
        if !is_key(key) || !(rest.is_empty() || rest.starts_with(' ')) {
            return None;
        }
        // Only a key without a value may be followed by a list.
        let (value, open) = scalar(rest, false)?;
        list = if open { None } else { Some(usize::MAX) };
        if entries.len() == MAX_KEYS {
            return None;
        }
        entries.push(Entry { key: key.to_owned(), line: u32::try_from(index + 1).ok(), value });
    }
    if entries.is_empty() { None } else { Some(Value::Map(entries)) }
}

fn is_key(key: &str) -> bool {
    let mut bytes = key.bytes();
    bytes.next().is_some_and(|b| b.is_ascii_alphabetic())
        && bytes.all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.'))
        && !matches!(key.to_ascii_lowercase().as_str(), "true" | "false" | "null")
}

fn item(content: &str) -> Option<Value> {
    let rest = &content[1..];
    // `- - x` and `- k: v` open collections of their own; `scalar` refuses both.
    scalar(rest, false).map(|(value, _)| value)
}

/// A scalar or flat flow list up to the end of the line; and whether nothing was written at all.
fn scalar(rest: &str, flow: bool) -> Option<(Value, bool)> {
    let text = rest.trim_matches(' ');
    let Some(first) = text.bytes().next() else { return Some((Value::Null, true)) };
    match first {
        b'#' => rest.starts_with(' ').then_some((Value::Null, true)),
        b'\'' => {
            let (value, tail) = single(&text[1..])?;
            nothing_after(tail).then_some((Value::text(value), false))
        }
        b'"' => {
            let end = text[1..].find('"')? + 1;
            let value = &text[1..end];
            (!value.contains('\\') && nothing_after(&text[end + 1..])).then(|| (Value::text(value), false))
        }
        b'[' if !flow => flow_list(text).map(|value| (value, false)),
        _ => {
            let text = text.split_once(" #").map_or(text, |(value, _)| value.trim_end_matches(' '));
            is_plain(text).then(|| (Value::plain(text), false))
        }
    }
}

/// The content of a single-quoted scalar and what follows it.
fn single(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut rest = text;
    loop {
        let end = rest.find('\'')?;
        value.push_str(&rest[..end]);
        rest = &rest[end + 1..];
        match rest.strip_prefix('\'') {
            Some(more) => {
                value.push('\'');
                rest = more;
            }
            None => return Some((value, rest)),
        }
    }
}

/// Blank or a comment.
fn nothing_after(tail: &str) -> bool {
    let trimmed = tail.trim_start_matches(' ');
    trimmed.is_empty() || (trimmed.starts_with('#') && trimmed.len() < tail.len())
}

/// `[a, "b", 'c']` on one line, without anything nested.
fn flow_list(text: &str) -> Option<Value> {
    let mut items = Vec::new();
    let mut rest = text[1..].trim_start_matches(' ');
    loop {
        if let Some(tail) = rest.strip_prefix(']') {
            return nothing_after(tail).then_some(Value::List(items));
        }
        let (value, tail) = match rest.bytes().next()? {
            b'\'' => single(&rest[1..]).map(|(value, tail)| (Value::text(value), tail))?,
            b'"' => {
                let end = rest[1..].find('"')? + 1;
                let value = &rest[1..end];
                if value.contains('\\') {
                    return None;
                }
                (Value::text(value), &rest[end + 1..])
            }
            _ => {
                let end = rest.find([',', ']', '[', '{', '}', '"', '\'', ':', '#'])?;
                let text = rest[..end].trim_end_matches(' ');
                if text.is_empty() || !is_plain(text) {
                    return None;
                }
                (Value::plain(text), &rest[end..])
            }
        };
        items.push(value);
        let tail = tail.trim_start_matches(' ');
        rest = match tail.strip_prefix(',') {
            Some(more) => more.trim_start_matches(' '),
            None if tail.starts_with(']') => tail,
            None => return None,
        };
    }
}

/// Whether a text is a plain scalar and nothing else.
fn is_plain(text: &str) -> bool {
    let Some(first) = text.bytes().next() else { return false };
    let safe_start = match first {
        b'-' | b'?' | b':' => text.as_bytes().get(1).is_some_and(|b| *b != b' '),
        b',' | b'[' | b']' | b'{' | b'}' | b'#' | b'&' | b'*' | b'!' | b'|' | b'>' | b'\'' | b'"' | b'%' | b'@'
        | b'`' => false,
        _ => true,
    };
    safe_start && !text.contains(": ") && !text.ends_with(':') && text != "---" && text != "..."
}

#[cfg(test)]
mod tests {
    use super::super::load;
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn plain_lines_are_read() {
        let value = read(
            "title: 'It''s'\ntags: [a, \"b c\", 'd']\ncategories:\n - x\n - y # z\ndate: 2022-01-02 03:04:05\nempty:\n",
        )
        .unwrap();
        assert_eq!(value.get("title").unwrap().as_str(), Some("It's"));
        assert_eq!(value.get("categories").unwrap(), &Value::List(vec![Value::text("x"), Value::text("y")]));
        assert_eq!(value.get("empty"), Some(&Value::Null));
    }

    #[test]
    fn anything_else_is_left_to_the_crate() {
        for text in [
            "a: b: c\n",
            "a: 'x\n",
            "a: b\n  c\n",
            "a:\n  b: c\n",
            "a: |\n  x\n",
            "a: &x y\n",
            "\ta: b\n",
            "a: \"x\\n\"\n",
            "a: [b, [c]]\n",
            "- a\n",
            "a: 'x' y\n",
            "a:\n - - b\n",
            "a:\n - b: c\n",
            "a: b\n - c\n",
            "? a\n",
            "a: [a b: c]\n",
        ] {
            assert_eq!(read(text), None, "{text:?}");
        }
    }

    proptest! {
        /// Where the short cut answers, the crate says the same.
        #[test]
        fn the_short_cut_agrees_with_the_crate(lines in proptest::collection::vec("(a|b|key-1): ?[-a1 ':\",#.\\[\\]~]{0,8}| {0,2}- ?[-a1 ':\",#.\\[\\]~]{0,6}|#x|", 1..6)) {
            let text = lines.join("\n");
            if let Some(value) = read(&text) {
                let strip = |mut value: Value| { clear(&mut value); value };
                prop_assert_eq!(load::document(&text).map(strip), Ok(strip(value)), "{}", text);
            }
        }
    }

    fn clear(value: &mut Value) {
        if let Value::Map(entries) = value {
            entries.iter_mut().for_each(|entry| entry.line = None);
        }
    }
}
