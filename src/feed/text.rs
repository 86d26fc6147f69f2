//! Text that may stand in a document: [`XmlText`] cannot hold a character that XML 1.0 forbids, nor one of the control
//! characters that it lets pass and nobody can read (U+0080 to U+009F).
//!
//! Neither of the XML writers filters characters, and one U+0001 makes a whole feed unreadable. So every string that
//! reaches a writer goes through this type; JSON and pages use it too, that all formats say the same. Escaping is
//! left to the writers. Dates are here as well, in the two forms that formats want.

use std::fmt;

use chrono::Datelike;

use crate::entry::{Timestamp, is_xml_char};

/// Text without characters that XML 1.0 forbids, and without carriage returns (a parser would turn them into line
/// feeds).
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct XmlText(String);

impl XmlText {
    /// The text with forbidden characters left out and line ends made `\n`.
    pub(super) fn new(text: &str) -> XmlText {
        let mut legal = String::with_capacity(text.len());
        push_legal(text, &mut legal);
        XmlText(legal)
    }

    /// One line of text, as titles and names are: white space collapsed, direction marks closed.
    pub(super) fn line(text: &str) -> XmlText {
        let mut line = String::with_capacity(text.len());
        for word in text.split(|c: char| c.is_whitespace() && c != '\u{3000}' && c != '\u{a0}') {
            if word.is_empty() {
                continue;
            }
            if !line.is_empty() {
                line.push(' ');
            }
            line.extend(word.chars().filter(|&c| is_xml_char(c) && !c.is_control()));
        }
        close_directions(&mut line);
        XmlText(line)
    }

    /// The text.
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether there is nothing in it.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Display for XmlText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<XmlText> for String {
    fn from(text: XmlText) -> String {
        text.0
    }
}

impl maud::Render for XmlText {
    fn render_to(&self, buffer: &mut String) {
        self.0.as_str().render_to(buffer);
    }
}

/// Appends the legal characters of a text, line ends made `\n`.
pub(super) fn push_legal(text: &str, out: &mut String) {
    let mut rest = text;
    // Nearly all text is legal, and only these bytes can begin what is not.
    while let Some(at) = rest.bytes().position(|b| b < b' ' && b != b'\n' && b != b'\t' || b == 0xc2 || b == 0xef) {
        out.push_str(&rest[..at]);
        let mut tail = rest[at..].chars();
        match tail.next() {
            Some('\r') if tail.as_str().starts_with('\n') => {}
            Some('\r') => out.push('\n'),
            Some(c) if is_xml_char(c) && !matches!(c, '\u{80}'..='\u{9f}') => out.push(c),
            _ => {}
        }
        rest = tail.as_str();
    }
    out.push_str(rest);
}

/// Ends every bidirectional embedding, override and isolate that a line leaves open (Unicode Standard Annex 9), that
/// one title cannot turn the rest of a list around.
fn close_directions(line: &mut String) {
    let mut open = Vec::new();
    for c in line.chars() {
        match c {
            '\u{202a}' | '\u{202b}' | '\u{202d}' | '\u{202e}' => open.push('\u{202c}'),
            '\u{2066}'..='\u{2068}' => open.push('\u{2069}'),
            '\u{202c}' if open.last() == Some(&c) => drop(open.pop()),
            // The end of an isolate ends the embeddings within it too.
            '\u{2069}' => {
                if let Some(at) = open.iter().rposition(|&end| end == c) {
                    open.truncate(at);
                }
            }
            _ => {}
        }
    }
    line.extend(open.iter().rev());
}

/// ISO 639-1, with the codes that it has given up.
const LANGUAGES: &str = "aa ab ae af ak am an ar as av ay az ba be bg bh bi bm bn bo br bs ca ce ch co cr cs cu cv cy \
    da de dv dz ee el en eo es et eu fa ff fi fj fo fr fy ga gd gl gn gu gv ha he hi ho hr ht hu hy hz ia id ie ig ii \
    ik in io is it iu iw ja ji jv jw ka kg ki kj kk kl km kn ko kr ks ku kv kw ky la lb lg li ln lo lt lu lv mg mh mi \
    mk ml mn mo mr ms mt my na nb nd ne ng nl nn no nr nv ny oc oj om or os pa pi pl ps pt qu rm rn ro ru rw sa sc sd \
    se sg sh si sk sl sm sn so sq sr ss st su sv sw ta te tg th ti tk tl tn to tr ts tt tw ty ug uk ur uz ve vi vo wa \
    wo xh yi yo za zh zu";

/// A language tag as RFC 5646 and the schema of Atom want it: `zh_CN` is mended, what is no tag is none. Codes of two
/// letters are looked up; those of three are thousands, and are believed.
pub(super) fn language(tag: &str) -> Option<XmlText> {
    let tag = tag.trim().replace('_', "-");
    let mut parts = tag.split('-');
    let first = parts.next()?;
    let known = match first.len() {
        2 => LANGUAGES.split(' ').any(|code| code.eq_ignore_ascii_case(first)),
        3 => first.bytes().all(|b| b.is_ascii_alphabetic()),
        _ => false,
    };
    let sound =
        known && parts.all(|part| (1..=8).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_alphanumeric()));
    sound.then_some(XmlText(tag))
}

/// RFC 822 with the four-digit year of RSS 2.0, always in GMT.
pub(super) fn rfc822(at: Timestamp) -> String {
    clamped(at).format("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

/// RFC 3339 in UTC.
pub(super) fn rfc3339(at: Timestamp) -> String {
    clamped(at).format("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// Years from 1 to 9999: neither date form can say another.
pub(super) fn clamped(at: Timestamp) -> Timestamp {
    match at.year() {
        year if year < 1 => chrono::NaiveDate::from_ymd_opt(1, 1, 1),
        year if year > 9999 => chrono::NaiveDate::from_ymd_opt(9999, 12, 31),
        _ => None,
    }
    .and_then(|day| day.and_hms_opt(0, 0, 0))
    .map_or(at, |day| day.and_utc())
}

/// Writes empty elements of extensions as such: the XML writers put a line break into them. No text can look like one,
/// for in text every `<` is escaped, and clean HTML has no element of these names.
pub(super) fn close_empty(mut xml: String) -> String {
    for name in ["atom:link", "fh:archive", "media:content", "media:thumbnail", "at:deleted-entry"] {
        let open = format!(">\n</{name}>");
        if xml.contains(&open) {
            xml = xml.replace(&open, "/>");
        }
    }
    xml
}

/// Escapes text for HTML, as the HTML standard's serialiser does.
pub(super) fn push_escaped(text: &str, out: &mut String) {
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            c => out.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forbidden_characters_cannot_be_held() {
        assert_eq!(
            XmlText::new("a\u{0}\u{1}\u{b}\u{fffe}\u{ffff}b\tc\r\nd\re\u{96}\u{a0}é").as_str(),
            "ab\tc\nd\ne\u{a0}é"
        );
        assert_eq!(XmlText::line(" a\r\n b\u{1b}[31m\u{2028}c\u{85}d ").as_str(), "a b[31m c d");
        assert_eq!(XmlText::line("　题").as_str(), "　题");
    }

    #[test]
    fn directions_are_closed() {
        assert_eq!(XmlText::line("\u{202e}evil").as_str(), "\u{202e}evil\u{202c}");
        assert_eq!(XmlText::line("\u{2067}a\u{202e}b\u{2069}").as_str(), "\u{2067}a\u{202e}b\u{2069}");
        assert_eq!(XmlText::line("\u{202e}evil\u{202c} x").as_str(), "\u{202e}evil\u{202c} x");
    }

    #[test]
    fn languages() {
        assert_eq!(language("zh_CN").map(String::from).as_deref(), Some("zh-CN"));
        assert_eq!(language("yue-Hant").map(String::from).as_deref(), Some("yue-Hant"));
        for tag in ["", "zh-", "中文", "toolongtobe", "a b", "zh-Hans!", "xx", "english", "q1"] {
            assert_eq!(language(tag), None, "{tag}");
        }
    }

    #[test]
    fn dates_have_four_digit_years() {
        let at = |year| chrono::NaiveDate::from_ymd_opt(year, 4, 1).and_then(|d| d.and_hms_opt(9, 5, 1));
        let at = |year| at(year).expect("a date").and_utc();
        assert_eq!(rfc822(at(2022)), "Fri, 01 Apr 2022 09:05:01 GMT");
        assert_eq!(rfc3339(at(2022)), "2022-04-01T09:05:01Z");
        assert_eq!(rfc822(at(12022)), "Fri, 31 Dec 9999 00:00:00 GMT");
        assert_eq!(rfc3339(at(-5)), "0001-01-01T00:00:00Z");
    }
}
