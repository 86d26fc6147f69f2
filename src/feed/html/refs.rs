//! Character references: read where they are known, and text spelt as the HTML standard's serialiser spells it.
//!
//! Of the more than two thousand names only the usual ones are known here. The others are left as they stand for the
//! sanitiser, which knows them all; in addresses they stay what they were, letters after an ampersand.

use std::borrow::Cow;

use crate::entry::is_xml_char;

/// The usual names; for two of one character either.
const NAMES: [(&str, char); 47] = [
    ("amp", '&'),
    ("lt", '<'),
    ("gt", '>'),
    ("quot", '"'),
    ("apos", '\''),
    ("nbsp", '\u{a0}'),
    ("ldquo", '“'),
    ("rdquo", '”'),
    ("lsquo", '‘'),
    ("rsquo", '’'),
    ("mdash", '—'),
    ("ndash", '–'),
    ("hellip", '…'),
    ("middot", '·'),
    ("bull", '•'),
    ("copy", '©'),
    ("reg", '®'),
    ("trade", '™'),
    ("times", '×'),
    ("divide", '÷'),
    ("laquo", '«'),
    ("raquo", '»'),
    ("lsaquo", '‹'),
    ("rsaquo", '›'),
    ("deg", '°'),
    ("plusmn", '±'),
    ("frac12", '½'),
    ("larr", '←'),
    ("rarr", '→'),
    ("uarr", '↑'),
    ("darr", '↓'),
    ("eacute", 'é'),
    ("egrave", 'è'),
    ("agrave", 'à'),
    ("auml", 'ä'),
    ("ouml", 'ö'),
    ("uuml", 'ü'),
    ("szlig", 'ß'),
    ("ccedil", 'ç'),
    ("euro", '€'),
    ("pound", '£'),
    ("yen", '¥'),
    ("sect", '§'),
    ("ensp", '\u{2002}'),
    ("emsp", '\u{2003}'),
    ("Tab", '\t'),
    ("NewLine", '\n'),
];

/// What stands at an ampersand.
enum Reference {
    /// A character, and the length of what stands for it.
    Char(char, usize),
    /// A character that may not be published, and the length of what stands for it.
    Forbidden(usize),
    /// Something that may be a reference.
    Unknown,
    /// An ampersand.
    Ampersand,
}

fn reference(text: &str) -> Reference {
    let bytes = text.as_bytes();
    match bytes.get(1) {
        Some(b'#') => {
            let hex = matches!(bytes.get(2), Some(b'x' | b'X'));
            let start = if hex { 3 } else { 2 };
            let digit = |b: &u8| if hex { b.is_ascii_hexdigit() } else { b.is_ascii_digit() };
            let count = bytes[start.min(bytes.len())..].iter().take_while(|b| digit(b)).count();
            if count == 0 {
                return Reference::Ampersand;
            }
            let end = start + count;
            let length = end + usize::from(bytes.get(end) == Some(&b';'));
            let Ok(code) = u32::from_str_radix(&text[start..end], if hex { 16 } else { 10 }) else {
                return Reference::Unknown;
            };
            match char::from_u32(code) {
                Some('\r') => Reference::Char('\n', length),
                // The standard gives these another meaning.
                Some('\0' | '\u{80}'..='\u{9f}') | None => Reference::Unknown,
                Some(c) if is_xml_char(c) => Reference::Char(c, length),
                Some(_) => Reference::Forbidden(length),
            }
        }
        Some(b) if b.is_ascii_alphabetic() => {
            let end = 1 + bytes[1..].iter().take(8).take_while(|b| b.is_ascii_alphanumeric()).count();
            let known = NAMES.iter().find(|(name, _)| *name == &text[1..end] && bytes.get(end) == Some(&b';'));
            known.map_or(Reference::Unknown, |(_, c)| Reference::Char(*c, end + 1))
        }
        _ => Reference::Ampersand,
    }
}

/// Text without references, as far as they are known.
pub(in crate::feed) fn plain(text: &str) -> Cow<'_, str> {
    if !text.contains('&') {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    walk(text, |piece| match piece {
        Piece::Text(run) => out.push_str(run),
        Piece::Char(c) => out.push(c),
        Piece::Unknown => out.push('&'),
    });
    Cow::Owned(out)
}

/// Appends text, every character spelt in the one way of the serialiser.
pub(super) fn respell(text: &str, out: &mut String) {
    spell(text, false, out);
}

/// Appends the value of an attribute likewise, without its quotes.
pub(super) fn respell_attribute(value: &str, out: &mut String) {
    spell(value, true, out);
}

fn spell(text: &str, attribute: bool, out: &mut String) {
    let push = |c: char, out: &mut String| match c {
        '&' => out.push_str("&amp;"),
        '<' => out.push_str("&lt;"),
        '>' => out.push_str("&gt;"),
        '\u{a0}' => out.push_str("&nbsp;"),
        '"' if attribute => out.push_str("&quot;"),
        c => out.push(c),
    };
    walk(text, |piece| match piece {
        Piece::Text(run) => {
            let mut rest = run;
            while let Some(at) = rest.find(['<', '>', '\u{a0}', '"', '&']) {
                out.push_str(&rest[..at]);
                let mut tail = rest[at..].chars();
                if let Some(c) = tail.next() {
                    push(c, out);
                }
                rest = tail.as_str();
            }
            out.push_str(rest);
        }
        Piece::Char(c) => push(c, out),
        Piece::Unknown => out.push('&'),
    });
}

enum Piece<'a> {
    /// No references, but maybe an ampersand at its start.
    Text(&'a str),
    /// What a reference stands for.
    Char(char),
    /// The ampersand of a reference that is not known.
    Unknown,
}

fn walk<'a>(text: &'a str, mut each: impl FnMut(Piece<'a>)) {
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        if at > 0 {
            each(Piece::Text(&rest[..at]));
        }
        rest = &rest[at..];
        let length = match reference(rest) {
            Reference::Char(c, length) => {
                each(Piece::Char(c));
                length
            }
            Reference::Forbidden(length) => length,
            Reference::Unknown => {
                each(Piece::Unknown);
                1
            }
            Reference::Ampersand => {
                each(Piece::Text("&"));
                1
            }
        };
        rest = &rest[length..];
    }
    if !rest.is_empty() {
        each(Piece::Text(rest));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spelt(text: &str) -> String {
        let mut out = String::new();
        respell(text, &mut out);
        out
    }

    #[test]
    fn references_are_read() {
        assert_eq!(plain("a&amp;b&#x41;&#65;&#65 &ldquo;&colon;&"), "a&bAAA “&colon;&");
        assert_eq!(plain("&#1;&#xfffe;x&#13;"), "x\n");
        assert_eq!(plain("?a=1&copy=2&amp;lt=3"), "?a=1&copy=2&lt=3");
    }

    #[test]
    fn text_has_one_spelling() {
        assert_eq!(
            spelt("a & b &amp; <c> \u{a0}&nbsp;&#160;\"&quot;"),
            "a &amp; b &amp; &lt;c&gt; &nbsp;&nbsp;&nbsp;\"\""
        );
        assert_eq!(spelt("&zwnj; &#150; &amp copy"), "&zwnj; &#150; &amp copy");
        assert_eq!(spelt("&lt;script&gt;"), "&lt;script&gt;");
    }
}
