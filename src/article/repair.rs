//! Front matter that its own parser refuses, read line by line.
//!
//! A title with a colon must not cost an article. The block is cut at its top-level keys; each piece that is valid by
//! itself is read as what it is, and only the broken ones are read as they stand, with a word on each: what is wrong,
//! what was taken, and how to quote it.

use super::fields;
use super::front::{self, Front};
use super::keys::Keys;
use super::text;
use crate::diagnostic::{Code, Diagnostic};
use crate::yaml::{self, Entry, Value};

/// Most diagnostics of one block: the first ones show what is wrong.
const MAX_PROBLEMS: usize = 20;

/// So many broken pieces are no slips any more; the rest is not worth asking the parser about.
const MAX_LOOSE: usize = 100;

/// A top-level key with the lines below it.
struct Piece<'b> {
    /// Counted from 0 in the block.
    line: usize,
    lines: Vec<&'b str>,
}

/// Reads a block that is not valid YAML.
pub(super) fn lines(front: &Front<'_>, error: &yaml::Error) -> Keys {
    let mut keys = Keys::default();
    for piece in pieces(&front.block) {
        read_piece(&piece, front, &mut keys);
    }
    if keys.problems.is_empty() {
        // Each piece is fine by itself: an alias, or keys that do not stand together.
        keys.problems.push(
            Diagnostic::new(
                Code::YamlRepaired,
                format!("the front matter is not valid YAML: {}; its lines were read one by one", error.message),
            )
            .at(front.first_line + error.line - 1, front.indent + error.column)
            .help("write each key on a line of its own: title: \"…\""),
        );
    }
    keys.problems.truncate(MAX_PROBLEMS);
    keys
}

/// Whether valid YAML says what no author means: `"\alpha"` is a bell and `lpha`, `&#8220;A&#8221; b` an anchor and
/// `b`, `!Hola amigo` a tag and `amigo`.
pub(super) fn is_misread(block: &str, value: &Value) -> bool {
    block.contains('\\') && has_lost_letter(value)
        || block.contains(['&', '!'])
            && block.lines().any(|line| {
                let known = split(line).filter(|(key, _)| fields::is_known(&key.to_lowercase()));
                let Some((_, at)) = known else { return false };
                let value = line[at..].trim_end();
                match value.as_bytes() {
                    [b'&', ..] => {
                        let anchor = value.split(' ').next().unwrap_or_default();
                        text::decode_entities(anchor) != anchor
                    }
                    [b'!', letter, ..] => letter.is_ascii_alphabetic() && value.contains(' '),
                    _ => false,
                }
            })
}

/// Whether a text has a control character right before a letter, as the escapes of double quotes make them out of a
/// backslash and a letter.
fn has_lost_letter(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Scalar(scalar) => {
            let escaped = |c| {
                matches!(
                    c,
                    '\0' | '\u{7}' | '\u{8}' | '\u{b}' | '\u{c}' | '\u{1b}' | '\u{85}' | '\u{2028}' | '\u{2029}'
                )
            };
            let follows =
                |(at, c): (usize, &str)| scalar.text[at + c.len()..].starts_with(|c: char| c.is_ascii_alphabetic());
            scalar.text.match_indices(escaped).any(follows)
        }
        Value::List(items) => items.iter().any(has_lost_letter),
        Value::Map(entries) => entries.iter().any(|entry| has_lost_letter(&entry.value)),
    }
}

/// Whether a block has no key at all, but text.
pub(super) fn is_prose(block: &str) -> bool {
    !block.trim().is_empty() && !block.lines().any(|line| front::key_of(line).is_some())
}

/// Cuts a block at its top-level keys.
fn pieces(block: &str) -> Vec<Piece<'_>> {
    let mut pieces: Vec<Piece<'_>> = Vec::new();
    for (at, line) in block.lines().enumerate() {
        let starts = !line.starts_with([' ', '\t', '#', '-']) && front::key_of(line).is_some();
        match pieces.last_mut() {
            Some(piece) if !starts => piece.lines.push(line),
            _ if line.trim().is_empty() || line.starts_with('#') => {}
            _ => pieces.push(Piece { line: at, lines: vec![line] }),
        }
    }
    pieces
}

fn read_piece(piece: &Piece<'_>, front: &Front<'_>, keys: &mut Keys) {
    let text = piece.lines.join("\n");
    let offset = front.first_line - 1 + u32::try_from(piece.line).unwrap_or(u32::MAX);
    if keys.problems.len() > MAX_LOOSE {
        return loose_piece(piece, (1, 1), offset, front, keys);
    }
    match yaml::parse(&text).map(|value| (is_misread(&text, &value), value)) {
        Ok((false, Value::Map(entries))) => {
            keys.entries
                .extend(entries.into_iter().map(|entry| Entry { line: entry.line.map(|line| line + offset), ..entry }));
        }
        result => {
            let at = result.err().map_or((1, 1), |error| (error.line, error.column));
            loose_piece(piece, at, offset, front, keys);
        }
    }
}

/// A piece that is no YAML: key, value, and what stands below.
fn loose_piece<'b>(piece: &Piece<'b>, at: (u32, u32), offset: u32, front: &Front<'_>, keys: &mut Keys) {
    let first = piece.lines[0];
    let Some((key, value_at)) = split(first) else {
        report(
            keys,
            offset + 1,
            front.indent + 1,
            format!("the line is neither a key nor belongs to one; `{}` was ignored", short(first)),
            None,
        );
        return;
    };
    let value = first[value_at..].trim();
    if let Some(at) = misplaced_key(piece).filter(|_| !value.is_empty()) {
        let (above, below) = piece.lines.split_at(at);
        let indent = below[0].len() - below[0].trim_start().len();
        let strip = |line: &&'b str| &line[line.bytes().take(indent).take_while(u8::is_ascii_whitespace).count()..];
        report(
            keys,
            offset + index32(at) + 1,
            front.indent + 1,
            format!(
                "the key `{}` is indented below another one; it was read as a key of its own",
                front::key_of(below[0].trim_start()).unwrap_or("")
            ),
            Some("start the line in the first column".to_owned()),
        );
        read_piece(&Piece { line: piece.line, lines: above.to_vec() }, front, keys);
        read_piece(&Piece { line: piece.line + at, lines: below.iter().map(strip).collect() }, front, keys);
        return;
    }
    let column = |line: &str, at: usize| front.indent + u32::try_from(line[..at].chars().count()).unwrap_or(0) + 1;
    let below: Vec<(usize, &str)> = piece
        .lines
        .iter()
        .enumerate()
        .skip(1)
        .filter(|(_, line)| !line.trim().is_empty() && !line.trim_start().starts_with('#'))
        .map(|(at, line)| (at, *line))
        .collect();

    let has_items = below.iter().any(|(_, line)| is_item(line));
    if value.is_empty() && has_items {
        let mut items = Vec::new();
        for (index, line) in below {
            let trimmed = line.trim_start();
            let Some(item) = trimmed.strip_prefix('-').filter(|_| is_item(line)) else {
                // A line of its own below an item goes on with it, unless it is no part of the list at all.
                if line.starts_with([' ', '\t'])
                    && let Some(Value::Scalar(last)) = items.last_mut()
                {
                    last.text.push(' ');
                    last.text.push_str(trimmed.trim_end());
                }
                if index + 1 >= at.0 as usize {
                    report(
                        keys,
                        offset + index32(index) + 1,
                        column(line, line.len() - trimmed.len()),
                        format!("the line below `{key}` is not valid YAML; it was read as it stands"),
                        Some(format!("remove the line, or write it as an item: - {}", quote(trimmed.trim()))),
                    );
                }
                continue;
            };
            let start = line.len() - item.trim_start().len();
            let parsed =
                yaml::parse(trimmed).ok().filter(|value| !has_lost_letter(value)).and_then(|value| match value {
                    Value::List(mut items) if items.len() == 1 => items.pop(),
                    _ => None,
                });
            items.push(parsed.filter(|item| !matches!(item, Value::Map(_)) || !item_was_text(trimmed)).unwrap_or_else(
                || {
                    let text = loose_scalar(item.trim());
                    report(
                        keys,
                        offset + index32(index) + 1,
                        column(line, start),
                        format!(
                            "an item of `{key}` is not valid YAML: {}; it was read as `{}`",
                            why(item.trim()).unwrap_or_else(|| "it could not be read".to_owned()),
                            short(&text)
                        ),
                        Some(format!("quote it: - {}", quote(&text))),
                    );
                    Value::text(text)
                },
            ));
        }
        if keys.problems.is_empty() {
            let (line, col) = (offset + at.0, front.indent + at.1);
            report(
                keys,
                line,
                col,
                format!("the list of `{key}` is not valid YAML; its items were read line by line"),
                Some("indent all items alike".to_owned()),
            );
        }
        keys.entries.push(Entry { key: key.to_owned(), line: Some(offset + 1), value: Value::List(items) });
        return;
    }

    let mut text = value.to_owned();
    for (_, line) in &below {
        text.push(' ');
        text.push_str(line.trim());
    }
    let value = loose_value(key, &text);
    let mended = match &value {
        Value::List(items) => {
            Some(format!("[{}]", items.iter().filter_map(Value::as_str).map(quote).collect::<Vec<_>>().join(", ")))
        }
        value => value.as_str().map(quote),
    };
    let goes_on = below.iter().any(|(_, line)| !line.starts_with([' ', '\t']));
    let reason = match why_key(first, &text) {
        None if goes_on => "its text goes on in the first column".to_owned(),
        None => "it could not be read".to_owned(),
        Some(reason) => reason,
    };
    let verb = if is_list(key) { "are" } else { "is" };
    let taken = mended.as_deref().unwrap_or("nothing");
    let shown = value.as_str().map_or_else(|| taken.to_owned(), short);
    report(
        keys,
        offset + 1,
        column(first, value_at),
        format!("the {key} {verb} not valid YAML: {reason}; it was read as `{shown}`"),
        mended.as_ref().map(|mended| format!("quote it: {key}: {mended}")),
    );
    keys.entries.push(Entry { key: key.to_owned(), line: Some(offset + 1), value });
}

/// Whether a key's value is usually a list.
fn is_list(key: &str) -> bool {
    matches!(key, "tags" | "categories" | "authors" | "keywords")
}

/// A value that its dialect's parser refuses: a list where it looks like one, else a text.
fn loose_value(key: &str, text: &str) -> Value {
    let text = text.trim();
    if is_list(key)
        && let Some(items) = text.strip_prefix("- ")
    {
        return Value::List(items.split(" - ").map(|item| Value::text(loose_scalar(item))).collect());
    }
    match open_list(text).filter(|_| key != "title") {
        Some(items) => Value::List(items.into_iter().map(Value::text).collect()),
        None if text.is_empty() => Value::Null,
        None => Value::text(loose_scalar(text)),
    }
}

/// The items of a list in brackets that are not closed, or of one with broken items.
fn open_list(text: &str) -> Option<Vec<String>> {
    let inner = text.strip_prefix('[')?.trim();
    let inner = inner.strip_suffix(']').unwrap_or(inner);
    // `[pinned] text` is a text.
    if inner.contains(['[', ']']) {
        return None;
    }
    Some(inner.split(',').map(loose_scalar).filter(|item| !item.is_empty()).collect())
}

/// The first line below a key that is a known key itself, only indented.
fn misplaced_key(piece: &Piece<'_>) -> Option<usize> {
    piece
        .lines
        .iter()
        .skip(1)
        .position(|line| front::key_of(line.trim_start()).is_some_and(|key| fields::is_known(&key.to_lowercase())))
        .map(|at| at + 1)
}

fn index32(index: usize) -> u32 {
    u32::try_from(index).unwrap_or(u32::MAX / 2)
}

fn report(keys: &mut Keys, line: u32, column: u32, message: String, help: Option<String>) {
    let problem = Diagnostic::new(Code::YamlRepaired, message).at(line, column);
    keys.problems.push(Diagnostic { help, ..problem });
}

fn is_item(line: &str) -> bool {
    let trimmed = line.trim();
    trimmed == "-" || trimmed.starts_with("- ") || trimmed.starts_with("-\t")
}

/// An item such as `- foo: bar` in a list of plain texts is a text.
fn item_was_text(item: &str) -> bool {
    !item.contains(['{', '\n'])
}

/// A line's key, and where its value begins.
fn split(line: &str) -> Option<(&str, usize)> {
    let key = front::key_of(line)?;
    let after = line.find(key)? + key.len();
    let mut rest = line[after..].char_indices();
    let (at, sign) = rest.find(|(_, c)| matches!(c, ':' | '：' | '='))?;
    let start = after + at + sign.len_utf8();
    let blanks = line[start..].len() - line[start..].trim_start().len();
    Some((key, start + blanks))
}

/// What was wrong with the value of a key.
fn why_key(line: &str, value: &str) -> Option<String> {
    let key_end = front::key_of(line).map_or(0, |key| line.find(key).unwrap_or(0) + key.len());
    let separator = line[key_end..].trim_start_matches(['"', '\'', ' ']);
    if separator.starts_with('：') {
        return Some("a full-width colon is no colon".to_owned());
    }
    if separator.starts_with(':') && !separator[1..].is_empty() && !separator[1..].starts_with([' ', '\t']) {
        return Some("there is no blank after the colon".to_owned());
    }
    why(value)
}

/// What is wrong with a value.
fn why(value: &str) -> Option<String> {
    let first = value.chars().next()?;
    Some(match first {
        '"' | '\'' => {
            let inner = &value[1..];
            let closes = closing(inner, first);
            match closes {
                None => format!("the quote {first} is never closed"),
                Some(end) if !inner[end + 1..].trim().is_empty() && !inner[end + 1..].trim_start().starts_with('#') => {
                    "text after a closing quote".to_owned()
                }
                Some(_) if first == '"' && value.contains('\\') => {
                    "a backslash in double quotes begins an escape".to_owned()
                }
                Some(_) => "the quoted text holds characters that YAML forbids".to_owned(),
            }
        }
        '&' if value[1..].contains(';') => "an unquoted value may not begin with a character reference".to_owned(),
        '@' | '`' | '%' | '*' | '&' | '!' | '|' | '>' | ',' | ']' | '}' => {
            format!("an unquoted value may not begin with '{first}'")
        }
        '[' | '{' => format!("'{first}' begins a list or mapping, and that is not closed or has text after it"),
        _ if value.contains(": ") || value.ends_with(':') => "':' inside an unquoted value".to_owned(),
        _ if value.contains('\t') => "a tab in the wrong place".to_owned(),
        _ => return None,
    })
}

/// Where the closing quote stands.
fn closing(inner: &str, quote: char) -> Option<usize> {
    let mut chars = inner.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        match c {
            '\\' if quote == '"' => {
                chars.next();
            }
            _ if c == quote => {
                if quote == '\'' && chars.peek().is_some_and(|(_, next)| *next == '\'') {
                    chars.next();
                } else {
                    return Some(at);
                }
            }
            _ => {}
        }
    }
    None
}

/// The text of a value that is no YAML: comment cut, block indicator and quotes taken off.
fn loose_scalar(value: &str) -> String {
    let value = value.trim();
    if !value.starts_with(['"', '\'']) {
        let value = value.split_once(" #").map_or(value, |(value, _)| value.trim_end());
        // `| x` was written by an exporter that thought the sign a bullet.
        let value = value.strip_prefix("| ").or_else(|| value.strip_prefix("> ")).unwrap_or(value);
        return value.trim().to_owned();
    }
    peel(value)
}

/// Takes quotes off that enclose a text, however many there are.
pub(super) fn peel(value: &str) -> String {
    let value = value.trim();
    let Some(quote) = value.chars().next().filter(|c| matches!(c, '"' | '\'')) else { return value.to_owned() };
    let leading = value.bytes().take_while(|b| char::from(*b) == quote).count();
    let trailing = value.bytes().rev().take_while(|b| char::from(*b) == quote).count();
    if leading == value.len() {
        return String::new();
    }
    if trailing == 0 {
        // Never closed; a quote further on means that it was, and text follows. An apostrophe is no quote.
        let rest = &value[1..];
        return if closes_somewhere(rest, quote) { value.to_owned() } else { unescape(rest.trim(), quote) };
    }
    if is_two_quotations(&value[1..value.len() - 1], quote) {
        return value.to_owned();
    }
    let run = leading.min(trailing);
    let core = &value[run..value.len() - run];
    if run > 1 && !core.contains(quote) {
        // Quotes around quotes around quotes: the text is in the middle.
        return peel(core);
    }
    unescape(&value[1..value.len() - 1], quote)
}

/// Whether what stands between a value's first and last quote is the end of one quotation and the beginning of
/// another, as in `"A" and "B"`.
fn is_two_quotations(inner: &str, quote: char) -> bool {
    inner.matches(quote).count().is_multiple_of(2)
        && inner.find(quote).is_some_and(|at| {
            inner[..at].ends_with(|c: char| !c.is_whitespace() && c != '\\' && c != quote)
                && inner[at + 1..].starts_with(|c: char| c.is_whitespace() || c.is_ascii_punctuation() && c != quote)
        })
}

/// Whether a quote stands anywhere but between two letters.
fn closes_somewhere(text: &str, quote: char) -> bool {
    text.match_indices(quote).any(|(at, _)| {
        let inside = text[..at].ends_with(char::is_alphanumeric) && text[at + 1..].starts_with(char::is_alphanumeric);
        !inside
    })
}

/// What the quotes would have meant: the escapes of quotes only, because a backslash is why the value is here.
fn unescape(text: &str, quote: char) -> String {
    let text = if quote == '"' { text.replace("\\\"", "\"").replace("\\\\", "\\") } else { text.replace("''", "'") };
    text.trim().to_owned()
}

/// A text as YAML that is read back the same: in single quotes where the text has double quotes or backslashes.
pub(super) fn quote(text: &str) -> String {
    if text.contains(['"', '\\']) { format!("'{}'", text.replace('\'', "''")) } else { format!("\"{text}\"") }
}

/// A text for a message: at most 60 characters on one line.
pub(super) fn short(text: &str) -> String {
    let line: String = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(60) {
        Some((at, _)) => format!("{}…", &line[..at]),
        None => line,
    }
}

/// TOML line by line: `key = value` and section names.
pub(super) fn toml_lines(front: &Front<'_>) -> Keys {
    let mut entries: Vec<Entry> = Vec::new();
    let mut section = String::new();
    for (at, line) in front.block.lines().enumerate() {
        let trimmed = line.trim();
        if let Some(name) = trimmed.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            section = name.0.trim_matches(['[', ' ', '"']).to_owned();
            continue;
        }
        let Some((key, start)) = split(trimmed) else { continue };
        let number = u32::try_from(at).ok().map(|at| at + front.first_line);
        let value = toml::de::DeValue::parse(trimmed[start..].trim())
            .ok()
            .map_or_else(|| loose_value(key, &trimmed[start..]), |value| super::keys::toml_scalar(value.get_ref()));
        let entry = Entry { key: key.to_owned(), line: number, value };
        if section.is_empty() {
            entries.push(entry);
        } else if let Some(Entry { value: Value::Map(inner), .. }) =
            entries.iter_mut().find(|entry| entry.key == section)
        {
            inner.push(entry);
        } else {
            entries.push(Entry { key: section.clone(), line: number, value: Value::Map(vec![entry]) });
        }
    }
    Keys { entries, problems: Vec::new() }
}

/// JSON line by line: `"key": value,`.
pub(super) fn json_lines(front: &Front<'_>) -> Keys {
    let mut entries = Vec::new();
    for (at, line) in front.block.lines().enumerate() {
        let trimmed = line.trim().trim_start_matches('{').trim_start();
        let Some((key, start)) = split(trimmed) else { continue };
        if !fields::is_known(&key.to_lowercase()) {
            continue;
        }
        let value = trimmed[start..].trim().trim_end_matches(['}', ',', ' ']).trim();
        // A value of JSON is a value of YAML.
        let value = yaml::parse(value).unwrap_or_else(|_| Value::text(loose_scalar(value)));
        entries.push(Entry {
            key: key.to_owned(),
            line: u32::try_from(at).ok().map(|at| at + front.first_line),
            value,
        });
    }
    Keys { entries, problems: Vec::new() }
}
