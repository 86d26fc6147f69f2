//! Summaries: a few lines of plain text that say what an article is about.
//!
//! The author's own summary comes first; else it is the beginning of the body. Text is cut before it is escaped, and
//! between graphemes, so that neither a reference nor a character is ever halved.

use unicode_segmentation::UnicodeSegmentation;

use super::html::{self, CleanHtml, Token, Tokens};
use super::link::Base;
use super::text::XmlText;
use crate::entry::{Article, Summary};

/// The longest summary taken from a body, in graphemes.
const DERIVED: usize = 280;

/// The longest summary that an author wrote, in graphemes.
const WRITTEN: usize = 1000;

/// The most bytes of a summary of so many graphemes: some are long, but only hostile text has none but long ones.
const fn most_bytes(graphemes: usize) -> usize {
    graphemes * 16 + 64
}

/// The summary of an article whose source is `body` and whose cleaned body is `clean`.
pub(super) fn of(article: &Article, body: &str, clean: &CleanHtml, base: &Base) -> XmlText {
    let written = match &article.summary {
        // Where it has a tag it is HTML as it was written, else its references are read already.
        Some(Summary::Text(text)) if text.contains('<') => cut(&html::text_of(text), WRITTEN),
        Some(Summary::Text(text)) => cut(text, WRITTEN),
        Some(Summary::BodyUntil(end)) => {
            let end = body.floor_char_boundary(*end);
            let start = html::clean(&body[..end], article.body.markup, base);
            cut(&prose(&start), WRITTEN)
        }
        None => String::new(),
    };
    let text = if written.is_empty() { cut(&prose(clean), DERIVED) } else { written };
    XmlText::line(&text)
}

/// Cuts a summary to a number of graphemes, for lists.
pub(super) fn shortened(summary: &XmlText, graphemes: usize) -> XmlText {
    XmlText::line(&cut(summary.as_str(), graphemes))
}

/// The text of a body without what is no prose: headings, code, and readings above characters. Where there is nothing
/// else, all of its text.
fn prose(clean: &CleanHtml) -> String {
    let mut out = String::new();
    let mut skipped = 0_usize;
    for token in Tokens::new(clean.as_str()) {
        match token {
            Token::Start(name, _) if is_skipped(name) => skipped += 1,
            Token::End(name) if is_skipped(name) => skipped = skipped.saturating_sub(1),
            _ if skipped > 0 => {}
            Token::Text(text) => out.push_str(&html::without_references(text)),
            Token::Start(name, _) | Token::End(name) if !html::is_within_a_line(name) => out.push('\n'),
            _ => {}
        }
        if out.len() > 2 * most_bytes(WRITTEN) {
            break;
        }
    }
    if out.trim().is_empty() { html::text_of(clean.as_str()) } else { out }
}

fn is_skipped(name: &str) -> bool {
    matches!(name, "pre" | "rt" | "rp" | "h1" | "h2" | "h3" | "h4" | "h5" | "h6")
}

/// The text in one line, cut after a sentence or else between graphemes, with an ellipsis.
fn cut(text: &str, graphemes: usize) -> String {
    let mut line = String::new();
    for word in text.split_whitespace() {
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
        if line.len() > 2 * most_bytes(graphemes) {
            break;
        }
    }
    let mut end = 0;
    let mut sentence = 0;
    let mut word = 0;
    for (count, (at, grapheme)) in line.grapheme_indices(true).enumerate() {
        if count >= graphemes || at + grapheme.len() > most_bytes(graphemes) {
            // A sentence that ends in the last half of it is the better end; then a word.
            let end = if sentence > end / 2 {
                return line[..sentence].trim_end().to_owned();
            } else if word > end * 4 / 5 {
                word
            } else {
                end
            };
            return format!("{}…", line[..end].trim_end());
        }
        if grapheme == " " {
            word = at;
            if line[..at].ends_with(['.', '!', '?']) {
                sentence = at;
            }
        }
        end = at + grapheme.len();
        if grapheme.starts_with(['。', '！', '？', '…']) {
            sentence = end;
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cuts_fall_between_graphemes() {
        assert_eq!(cut(" a \n b ", 10), "a b");
        assert_eq!(cut("很长的一句话没有停顿", 4), "很长的一…");
        assert_eq!(cut("一二三。四五六七八九", 6), "一二三。");
        assert_eq!(cut("One two. Three four five", 12), "One two.");
        assert_eq!(cut("wonderful adventures of", 21), "wonderful adventures…");
        assert_eq!(cut("👨‍👩‍👧‍👦👨‍👩‍👧‍👦👨‍👩‍👧‍👦", 2), "👨‍👩‍👧‍👦👨‍👩‍👧‍👦…");
        let zalgo = format!("a{}b", "\u{301}".repeat(600));
        assert!(cut(&zalgo, 20).len() <= most_bytes(20) + "…".len());
    }
}
