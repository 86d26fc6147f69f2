//! Where the front matter ends: which dialect a file is written in, and the cut between its keys and its body.
//!
//! Only the first block counts, and a fence counts only on a line of its own: `---` in the body, or indented in a
//! scalar, ends nothing. What the block says is not decided here.

use std::borrow::Cow;

use super::fields;
use crate::diagnostic::{Code, Diagnostic};

/// How the keys are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dialect {
    /// Between `---` lines; Hexo leaves out the first.
    Yaml,
    /// Between `+++` lines.
    Toml,
    /// An object at the start of the file.
    Json,
    /// An object without its braces, up to `;;;`.
    JsonLines,
    /// `Key: value` lines up to a blank line, without fences.
    Headers,
    /// No keys at all.
    None,
}

/// A cut file.
#[derive(Debug)]
pub(super) struct Front<'t> {
    pub dialect: Dialect,
    /// The keys, without fences.
    pub block: Cow<'t, str>,
    /// The line of the file on which the block begins, from 1.
    pub first_line: u32,
    /// Blanks taken from the start of each line of the block.
    pub indent: u32,
    /// Where the block begins in the text.
    pub block_start: usize,
    /// Where the body begins in the text.
    pub body_start: usize,
    pub problems: Vec<Diagnostic>,
}

/// A line without its end, and where it stands.
#[derive(Clone, Copy)]
struct Line<'t> {
    text: &'t str,
    start: usize,
    /// Where the next one begins.
    next: usize,
}

fn lines(text: &str, from: usize) -> impl Iterator<Item = Line<'_>> {
    text[from..].split_inclusive('\n').scan(from, |at, line| {
        let start = *at;
        *at += line.len();
        Some(Line { text: line.strip_suffix('\n').unwrap_or(line), start, next: *at })
    })
}

/// Cuts a text.
pub(super) fn cut(text: &str) -> Front<'_> {
    let Some(first) = lines(text, 0).find(|line| !line.text.trim().is_empty()) else {
        return none(text);
    };
    // Directives of YAML may stand before the fence.
    let first = match lines(text, first.start).find(|line| !line.text.starts_with('%')) {
        Some(fence) if first.text.starts_with('%') && dashes(fence.text) => fence,
        _ => first,
    };
    let bare = first.text.trim_end();
    let indent = bare.len() - bare.trim_start_matches(' ').len();
    let found = if bare == "<!--" {
        comment(text, first)
    } else if dashes(bare.trim_start_matches(' ')) && indent < 4 {
        yaml(text, first, indent)
    } else if let Some(dialect) = labelled(bare) {
        // Eleventy and others that use the same library.
        fenced(text, first, dialect, dashes)
    } else if bare == "+++" {
        fenced(text, first, Dialect::Toml, |line| line == "+++")
    } else if bare == ";;;" {
        fenced(text, first, Dialect::JsonLines, |line| line == ";;;")
    } else if bare.starts_with('{') {
        object(text, first)
    } else if bare.starts_with('"') {
        without_opening(text, first, Dialect::JsonLines).or_else(|| without_opening(text, first, Dialect::Yaml))
    } else {
        without_opening(text, first, Dialect::Yaml).or_else(|| headers(text, first))
    };
    found.unwrap_or_else(|| none(text))
}

/// A body only.
pub(super) fn none(text: &str) -> Front<'_> {
    front(text, Dialect::None, 0..0, 0)
}

fn front(text: &str, dialect: Dialect, block: std::ops::Range<usize>, body_start: usize) -> Front<'_> {
    let first_line = u32::try_from(text[..block.start].bytes().filter(|b| *b == b'\n').count() + 1).unwrap_or(u32::MAX);
    let block_start = block.start;
    Front {
        dialect,
        block: Cow::Borrowed(&text[block]),
        first_line,
        indent: 0,
        block_start,
        body_start,
        problems: Vec::new(),
    }
}

/// An opening fence that names its dialect: `---toml`.
fn labelled(line: &str) -> Option<Dialect> {
    match line.strip_prefix("---")?.trim_start().to_ascii_lowercase().as_str() {
        "yaml" | "yml" => Some(Dialect::Yaml),
        "toml" => Some(Dialect::Toml),
        "json" => Some(Dialect::Json),
        _ => None,
    }
}

/// Three dashes or more and nothing else.
fn dashes(line: &str) -> bool {
    let line = line.trim_end_matches([' ', '\t']);
    line.len() >= 3 && line.bytes().all(|b| b == b'-')
}

/// After an opening `---`.
fn yaml<'t>(text: &'t str, opening: Line<'t>, indent: usize) -> Option<Front<'t>> {
    if indent > 0 {
        return indented(text, opening, indent);
    }
    let ends = |line: &Line<'_>| dashes(line.text) || line.text.trim_end_matches([' ', '\t']) == "...";
    let close = lines(text, opening.next).find(ends);
    let Some(close) = close else { return unclosed(text, opening.next, Dialect::Yaml, "---") };
    if text[opening.next..close.start].trim().is_empty() {
        // A doubled opening fence: the keys stand below the second one.
        let rest = lines(text, close.next).take_while(|line| !ends(line));
        if let Some(end) = lines(text, close.next).find(ends)
            && has_known_key(rest.map(|line| line.text))
        {
            let mut found = front(text, Dialect::Yaml, close.next..end.start, end.next);
            found.problems.push(
                Diagnostic::new(
                    Code::YamlRepaired,
                    "the opening line `---` stands twice; the keys below the second one were taken",
                )
                .at(found.first_line - 1, 1)
                .help("remove one of the two lines"),
            );
            return Some(found);
        }
    }
    Some(front(text, Dialect::Yaml, opening.next..close.start, close.next))
}

/// Keys of which somebody indented even the fences.
fn indented<'t>(text: &'t str, opening: Line<'t>, indent: usize) -> Option<Front<'t>> {
    let close = lines(text, opening.next).find(|line| {
        dashes(line.text.trim_start_matches(' ')) && line.text.len() - line.text.trim_start_matches(' ').len() <= indent
    })?;
    let block = opening.next..close.start;
    if !has_known_key(text[block.clone()].lines().map(|line| line.trim_start_matches(' '))) {
        return None;
    }
    let mut found = front(text, Dialect::Yaml, block.clone(), close.next);
    let strip = |line: &'t str| &line[line.bytes().take(indent).take_while(|b| *b == b' ').count()..];
    found.block = Cow::Owned(text[block].split_inclusive('\n').map(strip).collect());
    found.indent = u32::try_from(indent).unwrap_or(0);
    found.problems.push(
        Diagnostic::new(
            Code::YamlRepaired,
            "the lines `---` are indented; they were taken for the fences of the front matter",
        )
        .at(found.first_line - 1, found.indent + 1)
        .help("start the front matter in the first column"),
    );
    Some(found)
}

/// After an opening fence that has one exact twin.
fn fenced<'t>(text: &'t str, opening: Line<'t>, dialect: Dialect, ends: impl Fn(&str) -> bool) -> Option<Front<'t>> {
    match lines(text, opening.next).find(|line| ends(line.text.trim_end())) {
        Some(close) => Some(front(text, dialect, opening.next..close.start, close.next)),
        None => unclosed(text, opening.next, dialect, opening.text.trim_end()),
    }
}

/// No closing fence: the keys end before the first line that can be none.
fn unclosed<'t>(text: &'t str, from: usize, dialect: Dialect, fence: &str) -> Option<Front<'t>> {
    let end = from + keys_end(&text[from..]);
    if !has_known_key(text[from..end].lines()) {
        return None;
    }
    let mut found = front(text, dialect, from..end, end);
    found.problems.push(missing_fence(&found, fence));
    Some(found)
}

fn missing_fence(found: &Front<'_>, fence: &str) -> Diagnostic {
    let lines = u32::try_from(found.block.trim_end().lines().count()).unwrap_or(u32::MAX);
    Diagnostic::new(
        Code::FenceMissing,
        format!(
            "the front matter has no closing line `{fence}`; it was taken to end after line {}",
            found.first_line + lines - 1
        ),
    )
    .at(found.first_line + lines, 1)
    .help(format!("write `{fence}` on a line of its own below the last key"))
}

/// A block that is no valid YAML may hold the beginning of the body, where its fence is missing and a rule further
/// down was taken for it. Cuts again at the first blank line below which prose begins.
pub(super) fn cut_before_prose<'t>(text: &'t str, found: &Front<'t>) -> Option<Front<'t>> {
    if found.dialect != Dialect::Yaml || found.indent > 0 {
        return None;
    }
    let end = keys_end(&found.block);
    let rest = found.block.get(end..)?.trim_start();
    let before = found.block[..end].trim_end();
    let apart =
        found.block[before.len()..].bytes().take_while(u8::is_ascii_whitespace).filter(|b| *b == b'\n').count() > 1;
    if rest.is_empty() || !apart || !has_known_key(before.lines()) {
        return None;
    }
    let end = found.block_start + end;
    let mut shorter = front(text, Dialect::Yaml, found.block_start..end, end);
    shorter.problems.push(missing_fence(&shorter, "---"));
    Some(shorter)
}

/// Where lines stop to look like keys, lists, comments or the inside of a value.
fn keys_end(block: &str) -> usize {
    let mut end = 0;
    let mut after_blank = false;
    let mut in_scalar = false;
    for line in lines(block, 0) {
        let trimmed = line.text.trim();
        if trimmed.is_empty() {
            after_blank = true;
            continue;
        }
        // Blank lines part the paragraphs of a block scalar.
        let inside = line.text.starts_with([' ', '\t']) && (!after_blank || in_scalar);
        if !(inside
            || key_of(line.text).is_some()
            || (trimmed.starts_with("- ") || trimmed == "-") && !after_blank
            || trimmed.starts_with('#') && !after_blank)
        {
            break;
        }
        after_blank = false;
        in_scalar &= inside;
        in_scalar |= matches!(trimmed.rsplit(' ').next(), Some("|" | ">" | "|-" | ">-" | "|+" | ">+"));
        end = line.next;
    }
    end
}

/// Hexo's shape: keys, then the first fence of the file.
fn without_opening<'t>(text: &'t str, first: Line<'t>, dialect: Dialect) -> Option<Front<'t>> {
    let json = dialect == Dialect::JsonLines;
    // A line that is a key of no dialect ends the search early: nearly every file without front matter.
    let mut previous_blank = false;
    for line in lines(text, first.start) {
        let trimmed = line.text.trim_end();
        if if json { trimmed == ";;;" } else { dashes(trimmed) } {
            let block = first.start..line.start;
            // `Note: something` above a row of dashes is a heading of Markdown.
            return has_known_key(text[block.clone()].lines()).then(|| front(text, dialect, block, line.next));
        }
        let plausible = trimmed.is_empty()
            || key_of(trimmed).is_some()
            || line.text.starts_with([' ', '\t', '#', ']', '}', '"'])
            || trimmed.starts_with("- ")
            || trimmed == "-"
            || !previous_blank && line.start != first.start;
        if !plausible || line.start == first.start && key_of(trimmed).is_none() {
            return None;
        }
        previous_blank = trimmed.is_empty();
    }
    None
}

/// Pelican's and MultiMarkdown's headers, and reference definitions in the manner of `[#]: subject: "…"`.
fn headers<'t>(text: &'t str, first: Line<'t>) -> Option<Front<'t>> {
    let mut end = first.start;
    let mut next = first.start;
    for line in lines(text, first.start) {
        let trimmed = line.text.trim();
        let continues = line.text.starts_with([' ', '\t']) && line.start != first.start;
        if trimmed.is_empty() || trimmed == "---" {
            next = line.next;
            break;
        }
        if !continues && header_key(line.text).is_none() {
            // References may be followed by the text at once; headers may not.
            if first.text.starts_with("[#]:") {
                next = line.start;
                break;
            }
            return None;
        }
        end = line.next;
        next = line.next;
    }
    let block = first.start..end;
    let keys: Vec<String> = text[block.clone()].lines().filter_map(header_key).map(str::to_lowercase).collect();
    let known = keys.iter().filter(|key| fields::is_known(key)).count();
    let titled = keys.iter().any(|key| matches!(key.as_str(), "title" | "subject"));
    (known >= 2 || titled).then(|| front(text, Dialect::Headers, block, next))
}

/// Nikola's headers: `.. title: …` in a comment at the start.
fn comment<'t>(text: &'t str, opening: Line<'t>) -> Option<Front<'t>> {
    let close = lines(text, opening.next)
        .find(|line| line.text.trim() == "-->" || !line.text.starts_with("..") && !line.text.trim().is_empty())?;
    let block = opening.next..close.start;
    let known = text[block.clone()].lines().filter_map(header_key).any(|key| fields::is_known(&key.to_lowercase()));
    (close.text.trim() == "-->" && known).then(|| front(text, Dialect::Headers, block, close.next))
}

/// The key of a header line.
pub(super) fn header_key(line: &str) -> Option<&str> {
    let line = line.strip_prefix("[#]:").or_else(|| line.strip_prefix(".. ")).map_or(line, str::trim_start);
    if line.starts_with([' ', '\t']) {
        return None;
    }
    let (key, _) = line.split_once(':')?;
    let fine = !key.is_empty()
        && key.len() <= 40
        && key.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | ' ' | '.'));
    fine.then(|| key.trim())
}

/// A JSON object, up to its closing brace; template code begins with a brace too.
fn object<'t>(text: &'t str, first: Line<'t>) -> Option<Front<'t>> {
    let start = first.start + (first.text.len() - first.text.trim_start().len());
    let inside = text[start + 1..].trim_start();
    if !inside.starts_with(['"', '}']) {
        return None;
    }
    match closing_brace(&text[start..]) {
        Some(length) => {
            let end = start + length;
            // The rest of the line belongs to nothing; with text on it, it is the body.
            let rest = &text[end..];
            let line_end = rest.find('\n').map_or(rest.len(), |at| at + 1);
            let body = if rest[..line_end].trim().trim_matches(';').is_empty() { end + line_end } else { end };
            Some(front(text, Dialect::Json, start..end, body))
        }
        None => {
            let end = start + text[start..].find("\n\n").map_or(text.len() - start, |at| at + 1);
            let mut found = front(text, Dialect::Json, start..end, end);
            if has_known_key(found.block.lines().map(str::trim)) {
                found.problems.push(missing_fence(&found, "}"));
                Some(found)
            } else {
                None
            }
        }
    }
}

/// The length of a JSON object, strings respected.
fn closing_brace(text: &str) -> Option<usize> {
    let (mut depth, mut quoted, mut escaped) = (0_usize, false, false);
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b'{' | b'[' if !quoted => depth += 1,
            b'}' | b']' if !quoted => {
                depth -= 1;
                if depth == 0 {
                    return Some(at + 1);
                }
            }
            _ => {}
        }
    }
    None
}

/// The key of a line of YAML, TOML or JSON that begins in the first column.
pub(super) fn key_of(line: &str) -> Option<&str> {
    let end =
        if line.starts_with(['"', '\'']) { line[1..].find(&line[..1])? + 2 } else { line.find([':', '=', '：'])? };
    let (key, rest) = line.split_at(end);
    let rest = rest.trim_start();
    let separated = match rest.chars().next()? {
        ':' => rest[1..].is_empty() || rest[1..].starts_with([' ', '\t']) || fields::is_known(&key.to_lowercase()),
        '=' => true,
        '：' => fields::is_known(&key.to_lowercase()),
        _ => false,
    };
    let key = key.trim().trim_matches(['"', '\'']);
    let fine = !key.is_empty() && key.len() <= 64 && key.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | ' ' | '/' | '@' | '$'))
        && key.chars().next().is_some_and(|c| c.is_alphanumeric() || matches!(c, '_' | '@' | '$'))
        // A sentence with a colon in it is no key.
        && key.split(' ').count() <= 4;
    (separated && fine).then_some(key)
}

fn has_known_key<'l>(mut lines: impl Iterator<Item = &'l str>) -> bool {
    lines.any(|line| key_of(line).is_some_and(|key| fields::is_known(&key.to_lowercase())))
}
