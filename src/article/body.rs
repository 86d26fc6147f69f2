//! The body: how it is written, its first heading, where its summary ends, and its hash.
//!
//! Nothing is rendered here. Each look at the body is one pass over its bytes, because every article pays for it.

use std::sync::LazyLock;

use memchr::{memchr, memmem};
use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};
use regex::Regex;

use super::{Markup, Noise, text};

/// How far `text_bytes` counts.
const MAX_TEXT_BYTES: u32 = 1024;
/// How far a heading is looked for.
const MAX_HEADING_BYTES: usize = 64 * 1024;

/// The markup by the file's suffix; `.md` holds HTML where an exporter wrote it.
pub(super) fn markup(path: &str, body: &str) -> Markup {
    let name = path.rsplit('/').next().unwrap_or(path);
    let suffix = name.rsplit_once('.').map_or("", |(_, suffix)| suffix).to_ascii_lowercase();
    match suffix.as_str() {
        "html" | "htm" | "xhtml" => Markup::Html,
        "txt" | "text" => Markup::Text,
        _ if is_html(body) => Markup::Html,
        _ => Markup::Markdown,
    }
}

/// Whether a body is HTML through and through: it begins with a tag, and no text stands outside of all elements.
///
/// CommonMark would end such HTML at its first blank line and take what is indented below it for code.
fn is_html(body: &str) -> bool {
    let mut open: Vec<&str> = Vec::new();
    let mut tags = 0_u32;
    for token in Tokens::of(body) {
        match token {
            Token::Text(text) => {
                if open.is_empty() && !text.trim().is_empty() {
                    return false;
                }
            }
            Token::Comment => {}
            Token::Start { name, closed, attributes } => {
                // kramdown: Markdown inside of an element that asks for it.
                if attributes.contains("markdown=") {
                    return false;
                }
                tags += 1;
                if closed || VOID.iter().any(|void| void.eq_ignore_ascii_case(name)) {
                    continue;
                }
                if name.eq_ignore_ascii_case("p") && open.last().is_some_and(|last| last.eq_ignore_ascii_case("p")) {
                    open.pop();
                }
                // So deep no prose is nested; what it may cost to look for an end is bounded with it.
                if open.len() < 64 {
                    open.push(name);
                }
            }
            Token::End(name) => {
                tags += 1;
                if let Some(at) = open.iter().rposition(|other| other.eq_ignore_ascii_case(name)) {
                    open.truncate(at);
                }
            }
        }
    }
    tags > 0
}

const VOID: &[&str] =
    &["area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param", "source", "track", "wbr"];

pub(super) enum Token<'t> {
    Text(&'t str),
    /// A comment, declaration or element without tags inside.
    Comment,
    Start {
        name: &'t str,
        attributes: &'t str,
        closed: bool,
    },
    End(&'t str),
}

/// HTML cut into tags, comments and text: good enough to count by, not to publish by.
pub(super) struct Tokens<'t> {
    rest: &'t str,
    /// Where no closing mark is ahead any more, none is looked for again: a flood of openings stays linear.
    no_comment_end: bool,
    no_tag_end: bool,
}

impl<'t> Tokens<'t> {
    pub(super) fn of(text: &'t str) -> Tokens<'t> {
        Tokens { rest: text, no_comment_end: false, no_tag_end: false }
    }

    /// The same, with where each stands.
    pub(super) fn with_places(mut self) -> impl Iterator<Item = (Token<'t>, std::ops::Range<usize>)> {
        let length = self.rest.len();
        std::iter::from_fn(move || {
            let start = length - self.rest.len();
            let token = self.next()?;
            Some((token, start..length - self.rest.len()))
        })
    }

    fn tag(&mut self) -> Option<Token<'t>> {
        let inner = self.rest.strip_prefix('<')?;
        if let Some(comment) = inner.strip_prefix("!--") {
            if self.no_comment_end {
                return None;
            }
            let Some(end) = comment.find("-->") else {
                self.no_comment_end = true;
                return None;
            };
            self.rest = &comment[end + 3..];
            return Some(Token::Comment);
        }
        let is_end = inner.starts_with('/');
        let named = &inner[usize::from(is_end)..];
        if !named.starts_with(|c: char| c.is_ascii_alphabetic() || (!is_end && matches!(c, '!' | '?')))
            || self.no_tag_end
        {
            return None;
        }
        let Some(end) = tag_end(named) else {
            self.no_tag_end = true;
            return None;
        };
        let name_end = named[1..end].find(|c: char| !c.is_ascii_alphanumeric() && c != '-').map_or(end, |at| at + 1);
        let name = &named[..name_end];
        // `<https://…>` and `<a@b.example>` are Markdown's links.
        if named[name_end..].starts_with([':', '@', '.']) {
            return None;
        }
        self.rest = &named[end + 1..];
        if named.starts_with(['!', '?']) {
            return Some(Token::Comment);
        }
        if is_end {
            return Some(Token::End(name));
        }
        let closed = named[..end].ends_with('/');
        let attributes = &named[name_end..end];
        if ["script", "style", "textarea"].iter().any(|raw| raw.eq_ignore_ascii_case(name)) && !closed {
            self.skip_raw(name);
            return Some(Token::Comment);
        }
        Some(Token::Start { name, attributes, closed })
    }

    /// The content of an element that holds no tags.
    fn skip_raw(&mut self, name: &str) {
        let mut from = 0;
        while let Some(at) = self.rest[from..].find("</") {
            let at = from + at;
            let end = at + 2 + name.len();
            if self.rest.get(at + 2..end).is_some_and(|found| found.eq_ignore_ascii_case(name)) {
                self.rest = self.rest[end..].find('>').map_or("", |close| &self.rest[end + close + 1..]);
                return;
            }
            from = at + 2;
        }
        self.rest = "";
    }
}

/// Where a tag ends; a `>` in quotes does not end it.
fn tag_end(tag: &str) -> Option<usize> {
    let mut quote = None;
    let mut after_equals = false;
    for (at, byte) in tag.bytes().enumerate() {
        match (quote, byte) {
            (Some(open), _) if byte == open => quote = None,
            (Some(_), _) => {}
            (None, b'"' | b'\'') if after_equals => quote = Some(byte),
            (None, b'>') => return Some(at),
            (None, _) => {}
        }
        if !byte.is_ascii_whitespace() {
            after_equals = byte == b'=';
        }
    }
    // A quote that never ends was none.
    quote.and_then(|_| tag.find('>'))
}

impl<'t> Iterator for Tokens<'t> {
    type Item = Token<'t>;

    fn next(&mut self) -> Option<Token<'t>> {
        if self.rest.is_empty() {
            return None;
        }
        if let Some(tag) = self.tag() {
            return Some(tag);
        }
        let skip = usize::from(self.rest.starts_with('<'));
        let end = memchr(b'<', &self.rest.as_bytes()[skip..]).map_or(self.rest.len(), |at| at + skip);
        let (text, rest) = self.rest.split_at(end);
        self.rest = rest;
        Some(Token::Text(text))
    }
}

/// Bytes of text outside of tags that are no white space, up to a limit.
pub(super) fn text_bytes(body: &str, markup: Markup) -> u32 {
    let visible = |text: &str| text.bytes().filter(|b| !b.is_ascii_whitespace()).count();
    let mut sum = 0;
    if markup == Markup::Text {
        sum = visible(&body[..body.floor_char_boundary(2 * MAX_TEXT_BYTES as usize)]);
    } else {
        for token in Tokens::of(body) {
            if let Token::Text(text) = token {
                sum += visible(text);
                if sum >= MAX_TEXT_BYTES as usize {
                    break;
                }
            }
        }
    }
    u32::try_from(sum).unwrap_or(MAX_TEXT_BYTES).min(MAX_TEXT_BYTES)
}

/// The text of the first heading, on one line.
pub(super) fn first_heading(body: &str, markup: Markup) -> Option<String> {
    let head = &body[..body.floor_char_boundary(MAX_HEADING_BYTES)];
    let found = match markup {
        Markup::Html => html_heading(head),
        Markup::Markdown => markdown_heading(head),
        Markup::Text => None,
    }?;
    let line = text::one_line(&found);
    (!line.is_empty()).then_some(line)
}

/// The first words of the text, cut to a line.
pub(super) fn first_words(body: &str, markup: Markup) -> Option<String> {
    let head = &body[..body.floor_char_boundary(MAX_HEADING_BYTES)];
    let mut words = String::new();
    if markup == Markup::Text {
        words.push_str(head);
    } else {
        for token in Tokens::of(head) {
            if let Token::Text(text) = token {
                words.push_str(text);
                if words.trim().len() > 512 {
                    break;
                }
            }
        }
    }
    let words = text::one_line(&without_templates(&words));
    let words = text::cut(&words, 60).unwrap_or(words);
    (!words.is_empty()).then_some(words)
}

/// The first heading, else the document's title.
fn html_heading(html: &str) -> Option<String> {
    element_text(html, is_heading).or_else(|| element_text(html, |name| name.eq_ignore_ascii_case("title")))
}

/// The text of the first element of such a name that has any.
fn element_text(html: &str, wanted: fn(&str) -> bool) -> Option<String> {
    let mut inside: Option<(&str, String)> = None;
    for token in Tokens::of(html) {
        match (token, &mut inside) {
            (Token::Start { name, .. }, None) if wanted(name) => inside = Some((name, String::new())),
            (Token::Text(text), Some((_, found))) => found.push_str(text),
            (Token::End(name), Some((open, found))) if name.eq_ignore_ascii_case(open) => {
                if !text::is_blank(&text::decode_entities(found)) {
                    return Some(without_templates(found));
                }
                inside = None;
            }
            _ => {}
        }
    }
    None
}

fn is_heading(name: &str) -> bool {
    matches!(name.as_bytes(), [b'h' | b'H', b'1'..=b'6'])
}

fn markdown_heading(markdown: &str) -> Option<String> {
    let mut heading: Option<String> = None;
    let mut html = String::new();
    for event in Parser::new_ext(markdown, Options::ENABLE_STRIKETHROUGH | Options::ENABLE_HEADING_ATTRIBUTES) {
        match event {
            Event::Start(Tag::Heading { .. }) => heading = Some(String::new()),
            Event::End(TagEnd::Heading(_)) => {
                let found = without_templates(heading.as_deref().unwrap_or(""));
                if !text::is_blank(&found) {
                    // What the parser has decoded is not to be decoded again.
                    return Some(found.replace('&', "&amp;"));
                }
                heading = None;
            }
            Event::Text(text) | Event::Code(text) => {
                if let Some(heading) = &mut heading {
                    heading.push_str(&text);
                }
            }
            Event::SoftBreak | Event::HardBreak => {
                if let Some(heading) = &mut heading {
                    heading.push(' ');
                }
            }
            Event::Html(part) => html.push_str(&part),
            Event::End(TagEnd::HtmlBlock) => {
                if let Some(found) = html_heading(&html) {
                    return Some(found);
                }
                html.clear();
            }
            _ => {}
        }
    }
    None
}

/// A heading without the code of template engines.
fn without_templates(heading: &str) -> String {
    static TEMPLATE: LazyLock<Regex> = LazyLock::new(|| expression(r"\{%.*?%\}|\{\{.*?\}\}"));
    TEMPLATE.replace_all(heading, "").into_owned()
}

/// Where the summary ends: before `<!-- more -->` and its like, if anything stands there.
pub(super) fn summary_end(body: &str, markup: Markup, separator: Option<&str>) -> Option<usize> {
    if let Some(separator) = separator.map(str::trim).filter(|text| !text.is_empty())
        && let Some(at) = body.find(separator)
    {
        return has_text(&body[..at]).then_some(at);
    }
    let mut from = 0;
    while let Some(at) = memmem::find(&body.as_bytes()[from..], b"<!--") {
        let start = from + at;
        let inner = &body[start + 4..];
        let end = memmem::find(inner.as_bytes(), b"-->")?;
        if is_more(&inner[..end]) && !(markup == Markup::Markdown && in_code(&body[..start])) {
            return has_text(&body[..start]).then_some(start);
        }
        from = start + 4 + end;
    }
    None
}

fn has_text(html: &str) -> bool {
    Tokens::of(html).any(|token| match token {
        Token::Text(text) => !text.trim().is_empty(),
        Token::Start { name, .. } => name.eq_ignore_ascii_case("img"),
        _ => false,
    })
}

/// `more` with whatever WordPress lets follow it, and the marks of other engines.
fn is_more(comment: &str) -> bool {
    let comment = comment.trim().to_ascii_lowercase();
    let more = comment.strip_prefix("more").is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '\n']));
    more || matches!(
        comment.as_str(),
        "read more"
            | "readmore"
            | "read-more"
            | "truncate"
            | "excerpt"
            | "end excerpt"
            | "pelican_end_summary"
            | "summary"
    )
}

/// Whether a place in Markdown is inside of a fenced code block.
fn in_code(before: &str) -> bool {
    before
        .lines()
        .filter(|line| {
            let line = line.trim_start();
            line.starts_with("```") || line.starts_with("~~~")
        })
        .count()
        % 2
        == 1
}

/// The hash of the body after what does not count as a change.
pub(super) fn hash(body: &str, noise: &[Noise]) -> super::Hash {
    *blake3::hash(quiet(body.trim(), None, noise).as_bytes()).as_bytes()
}

/// A text without what does not count as a change.
pub(super) fn quiet<'t>(text: &'t str, field: Option<super::Field>, noise: &[Noise]) -> std::borrow::Cow<'t, str> {
    let mut text = std::borrow::Cow::Borrowed(text);
    for rule in noise {
        let pattern = match rule {
            // A search for plain words takes a twentieth of the time.
            Noise::Default if PLACEHOLDER_HOST.is_match(&text) => &*PLACEHOLDER,
            Noise::Pattern(wanted, pattern) if *wanted == field => pattern,
            Noise::Default | Noise::Field(_) | Noise::Pattern(..) => continue,
        };
        if let std::borrow::Cow::Owned(changed) = pattern.replace_all(&text, "") {
            text = std::borrow::Cow::Owned(changed);
        }
    }
    text
}

/// Hosts of placeholder pictures.
const PLACEHOLDER_HOSTS: &str = r"(?:picsum\.photos|unsplash\.it|source\.unsplash\.com|loremflickr\.com|placeimg\.com|placekitten\.com|dummyimage\.com)/";

static PLACEHOLDER_HOST: LazyLock<Regex> = LazyLock::new(|| expression(PLACEHOLDER_HOSTS));

/// Placeholder pictures with a number that exporters draw anew each time.
static PLACEHOLDER: LazyLock<Regex> = LazyLock::new(|| {
    let query = r#"[^\s"'<>()?]*\?(?:[^\s"'<>()]*?(?:&amp;|&))?(?:random|sig|lock|rand|seed|t|v)(?:=[0-9A-Za-z.]*)?"#;
    expression(&format!(r"(?:https?:)?//(?:www\.)?{PLACEHOLDER_HOSTS}{query}"))
});

/// An expression that stands in this file; a test compiles each.
fn expression(pattern: &str) -> Regex {
    #[expect(clippy::expect_used, reason = "the patterns are constants and tested")]
    Regex::new(pattern).expect("a pattern in this file is well formed")
}
