//! A segment: one name in a path of names, made safe for URLs, for file names and for XML.
//!
//! Two articles that mean the same name write the same segment; a name that could be taken for something else
//! (`..`, `index.html`, `a.rss`) or is too long gets a tail of its own hash.

use std::fmt;

use unicode_normalization::UnicodeNormalization;

/// The longest segment in bytes before its tail.
const LONGEST: usize = 180;

/// Endings that mean a format or a coding in an address.
const RESERVED_ENDINGS: [&str; 8] = [".rss", ".atom", ".json", ".opml", ".html", ".gz", ".br", ".zst"];

/// One name of a key: NFC, trimmed, inner white space collapsed, never empty, never reserved.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Segment(String);

impl Segment {
    /// The segment of a name; `None` where nothing is left of it.
    pub fn new(name: &str) -> Option<Segment> {
        let legal: String = name.chars().filter(|&c| is_xml_char(c)).nfc().collect();
        let mut words = legal.split_whitespace();
        let mut text = words.next()?.to_owned();
        for word in words {
            text.push(' ');
            text.push_str(word);
        }
        if is_reserved(&text) {
            let hash = blake3::hash(text.as_bytes()).to_hex();
            let mut end = text.len().min(LONGEST);
            while !text.is_char_boundary(end) {
                end -= 1;
            }
            text.truncate(end);
            text.push('~');
            text.push_str(&hash[..8]);
        }
        Some(Segment(text))
    }

    /// A segment that was made by [`Segment::new`] before, as it stands in the catalog or in an address.
    ///
    /// `None` where it could not have been.
    pub fn from_shaped(text: &str) -> Option<Segment> {
        let plain = !text.is_empty()
            && text.chars().all(is_xml_char)
            && unicode_normalization::is_nfc(text)
            && text.split_whitespace().map(str::len).sum::<usize>() + text.matches(' ').count() == text.len()
            && !text.starts_with(' ')
            && !text.ends_with(' ')
            && !text.contains("  ");
        (plain && (!is_reserved(text) || has_tail(text))).then(|| Segment(text.to_owned()))
    }

    /// The name as it is shown.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name in keys of the catalog and of the config, and on disk: `%` before `2F`, `2f` or `25` is `%25`,
    /// then `/` is `%2F`.
    pub fn to_key_text(&self) -> String {
        let mut text = String::with_capacity(self.0.len());
        let bytes = self.0.as_bytes();
        for (at, c) in self.0.char_indices() {
            let after = bytes.get(at + 1..at + 3);
            match c {
                '%' if matches!(after, Some(b"2F" | b"2f" | b"25")) => text.push_str("%25"),
                '/' => text.push_str("%2F"),
                _ => text.push(c),
            }
        }
        text
    }

    /// The reverse of [`Segment::to_key_text`]; takes any name (it is shaped as [`Segment::new`] does).
    pub fn from_key_text(text: &str) -> Option<Segment> {
        Segment::from_shaped(&key_text_decoded(text))
    }
}

/// Undoes the escapes of a key's text.
pub(super) fn key_text_decoded(text: &str) -> String {
    let mut name = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('%') {
        name.push_str(&rest[..at]);
        let (c, skip) = match rest.as_bytes().get(at + 1..at + 3) {
            Some(b"2F" | b"2f") => ('/', 3),
            _ if rest[at..].starts_with("%25") => ('%', 3),
            _ => ('%', 1),
        };
        name.push(c);
        rest = &rest[at + skip..];
    }
    name.push_str(rest);
    name
}

impl fmt::Display for Segment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The `Char` production of XML 1.0.
pub fn is_xml_char(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | '\u{20}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..)
}

fn is_reserved(text: &str) -> bool {
    text.len() > LONGEST
        || matches!(text, "." | ".." | "index.html")
        || text.starts_with('~')
        || text.ends_with('~')
        || RESERVED_ENDINGS.iter().any(|ending| text.ends_with(ending))
}

/// Whether a text ends as [`Segment::new`] makes reserved names end.
fn has_tail(text: &str) -> bool {
    text.rsplit_once('~').is_some_and(|(head, tail)| {
        tail.len() == 8
            && head.len() <= LONGEST
            && !head.is_empty()
            && tail.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shaped(name: &str) -> String {
        Segment::new(name).map(|s| s.0).unwrap_or_default()
    }

    #[test]
    fn names_are_normalised() {
        assert_eq!(shaped("  a \t b\n"), "a b");
        assert_eq!(shaped("e\u{301}"), "é");
        assert_eq!(shaped("新浪财经－国內"), "新浪财经－国內");
        assert_eq!(shaped("a\u{0}b"), "ab");
        assert_eq!(shaped("\u{1} "), "");
        assert_eq!(shaped("\u{3000}"), "");
    }

    #[test]
    fn reserved_names_get_a_tail() {
        for name in [".", "..", "index.html", "a.rss", "x.JSON.json", "~2", "a~", "v.html", "a.gz"] {
            let text = shaped(name);
            assert!(text.starts_with(name) && has_tail(&text), "{name} became {text}");
        }
        assert_eq!(shaped("A.RSS"), "A.RSS");
        let long = "很".repeat(80);
        let text = shaped(&long);
        assert!(text.len() <= LONGEST + 9 && has_tail(&text), "{text}");
        assert_ne!(shaped(&(long.clone() + "a")), text);
    }

    proptest::proptest! {
        #[test]
        fn shaping_is_stable(name in "\\PC{0,60}|[%/25Ff .~a-z]{0,12}") {
            if let Some(segment) = Segment::new(&name) {
                assert_eq!(Segment::from_shaped(segment.as_str()).as_ref(), Some(&segment));
                assert_eq!(Segment::from_key_text(&segment.to_key_text()), Some(segment));
            }
        }
    }
}
