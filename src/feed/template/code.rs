//! Where a body is code: nothing there is a template tag, whatever it looks like.

use crate::entry::Markup;

/// Elements whose content is code or no text at all.
const ELEMENTS: [&str; 5] = ["pre", "code", "script", "style", "textarea"];

/// How far away the end of a code span may be.
const FARTHEST: usize = 10_000;

/// A piece of code, or the two characters that may open a tag.
pub(super) struct Piece {
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) is_code: bool,
}

/// Walks a body and tells code from the rest.
pub(super) struct Code<'a> {
    source: &'a str,
    markdown: bool,
    /// Within a list, indented text is a part of an item.
    in_list: bool,
    /// The line before was blank, or there was none.
    after_blank: bool,
    /// Up to where lines have been looked at.
    line: usize,
    /// Elements that are known to have no end tag from some place on.
    unclosed: [bool; ELEMENTS.len()],
    /// Every comment up to here had an end.
    comments_end: bool,
}

impl<'a> Code<'a> {
    pub(super) fn new(source: &'a str, markup: Markup) -> Code<'a> {
        Code {
            source,
            markdown: markup == Markup::Markdown,
            in_list: false,
            after_blank: true,
            line: 0,
            unclosed: [false; ELEMENTS.len()],
            comments_end: true,
        }
    }

    /// What was resolved goes up to here.
    pub(super) fn moved_to(&mut self, at: usize) {
        self.line = self.line.max(at);
    }

    /// The next code or opening of a tag; an empty piece at the end of the source where there is none.
    pub(super) fn next_from(&mut self, from: usize) -> Piece {
        let bytes = self.source.as_bytes();
        let mut at = from;
        while at < bytes.len() {
            if self.markdown
                && at >= self.line
                && (at == 0 || bytes[at - 1] == b'\n')
                && let Some(end) = self.code_lines(at)
            {
                return Piece { start: at, end, is_code: true };
            }
            match bytes[at] {
                b'{' if matches!(bytes.get(at + 1), Some(b'{' | b'%' | b':')) => {
                    return Piece { start: at, end: at + 2, is_code: false };
                }
                b'[' if super::is_wordpress(&self.source[at..]) => {
                    return Piece { start: at, end: at + 1, is_code: false };
                }
                b'`' if self.markdown => {
                    let end = self.code_span(at);
                    return Piece { start: at, end, is_code: true };
                }
                b'<' => {
                    if let Some(end) = self.element(at) {
                        return Piece { start: at, end, is_code: true };
                    }
                    at += 1;
                }
                b'\\' if self.markdown && matches!(bytes.get(at + 1), Some(b'{' | b'`')) => at += 2,
                _ => at += 1,
            }
        }
        Piece { start: bytes.len(), end: bytes.len(), is_code: true }
    }

    /// Where the code ends that begins with the line at `start`: a fence, or an indented line.
    fn code_lines(&mut self, start: usize) -> Option<usize> {
        let rest = &self.source[start..];
        let end = rest.find('\n').map_or(rest.len(), |end| end + 1);
        let line = &rest[..end];
        self.line = start + 1;
        let text = line.trim_start_matches([' ', '\t']);
        if text.trim().is_empty() {
            self.after_blank = true;
            return None;
        }
        let indent = line.len() - text.len();
        let item = item_mark(text);
        let inner = text[item..].trim_start_matches(['>', ' ']);
        if let Some((mark, count)) = fence(inner) {
            self.after_blank = false;
            self.in_list |= item > 0;
            return Some(start + end + fenced(&rest[end..], mark, count));
        }
        let after_blank = std::mem::replace(&mut self.after_blank, false);
        if (indent >= 4 || line.starts_with('\t')) && after_blank && !self.in_list {
            self.after_blank = true;
            return Some(start + end);
        }
        if item > 0 {
            self.in_list = true;
        } else if indent == 0 && after_blank {
            self.in_list = false;
        }
        None
    }

    /// The end of a code span, or of the backticks where it has none.
    fn code_span(&self, start: usize) -> usize {
        let rest = &self.source[start..];
        let near = &rest.as_bytes()[..rest.len().min(FARTHEST)];
        let paragraph = near.windows(2).position(|pair| pair == b"\n\n").unwrap_or(near.len());
        let bytes = &near[..paragraph];
        let run = |from: usize| bytes[from..].iter().take_while(|&&b| b == b'`').count();
        let opening = run(0);
        let mut at = opening;
        while at < bytes.len() {
            let count = run(at);
            if count == opening {
                return start + at + count;
            }
            at += count.max(1);
        }
        start + opening
    }

    /// The end of an element whose content is code, or of a comment.
    fn element(&mut self, start: usize) -> Option<usize> {
        let rest = &self.source[start..];
        if rest.starts_with("<!--") {
            let end = if self.comments_end { rest.find("-->") } else { None };
            self.comments_end &= end.is_some();
            return end.map(|end| start + end + 3);
        }
        let at = ELEMENTS.iter().position(|name| {
            let name_end = 1 + name.len();
            rest.get(1..name_end).is_some_and(|text| text.eq_ignore_ascii_case(name))
                && rest.as_bytes().get(name_end).is_some_and(|&b| b.is_ascii_whitespace() || b == b'>')
        })?;
        if self.unclosed[at] {
            return None;
        }
        let name = ELEMENTS[at];
        let mut from = 0;
        while let Some(found) = rest[from..].find("</") {
            let close = from + found + 2;
            if rest.get(close..close + name.len()).is_some_and(|text| text.eq_ignore_ascii_case(name)) {
                return Some(start + close + name.len());
            }
            from = close;
        }
        self.unclosed[at] = true;
        None
    }
}

/// The length of the mark of a list item.
fn item_mark(text: &str) -> usize {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let mark = match text.as_bytes().get(digits) {
        Some(b'-' | b'*' | b'+') if digits == 0 => 1,
        Some(b'.' | b')') if (1..=9).contains(&digits) => digits + 1,
        _ => return 0,
    };
    let blanks = text[mark..].bytes().take_while(|&b| b == b' ' || b == b'\t').count();
    if blanks == 0 { 0 } else { mark + blanks }
}

/// The character and the length of an opening fence.
fn fence(text: &str) -> Option<(u8, usize)> {
    let mark = *text.as_bytes().first().filter(|&&b| b == b'`' || b == b'~')?;
    let count = text.bytes().take_while(|&b| b == mark).count();
    (count >= 3 && !(mark == b'`' && text[count..].contains('`'))).then_some((mark, count))
}

/// The length of what a fence encloses, with the closing one.
fn fenced(text: &str, mark: u8, count: usize) -> usize {
    let mut length = 0;
    for line in text.split_inclusive('\n') {
        length += line.len();
        let inner = line.trim_start_matches([' ', '\t', '>']).trim_end();
        if inner.len() >= count && inner.bytes().all(|b| b == mark) {
            break;
        }
    }
    length
}
