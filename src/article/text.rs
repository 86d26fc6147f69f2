//! Plain text out of what authors write: one line, entities decoded once, nothing that XML forbids.

use std::borrow::Cow;

use unicode_segmentation::UnicodeSegmentation;

/// A text on one line: entities decoded, forbidden characters out, white space collapsed and trimmed. Empty where
/// nothing can be seen of it.
pub(super) fn one_line(text: &str) -> String {
    let decoded = decode_entities(text);
    let mut out = String::with_capacity(decoded.len());
    let legal = legal(&decoded);
    // Whatever turns the direction of the text would turn that of its neighbours too.
    let straight = if legal.contains(turns) { Cow::Owned(legal.replace(turns, "")) } else { legal };
    for word in straight.split_whitespace() {
        if !out.is_empty() {
            out.push(' ');
        }
        out.push_str(word);
    }
    if is_blank(&out) { String::new() } else { out }
}

/// Without the characters that XML 1.0 forbids and the control characters that nobody means; tabs and newlines stay.
pub(super) fn legal(text: &str) -> Cow<'_, str> {
    if text.chars().any(is_forbidden) {
        Cow::Owned(text.chars().filter(|c| !is_forbidden(*c)).collect())
    } else {
        Cow::Borrowed(text)
    }
}

fn is_forbidden(c: char) -> bool {
    matches!(c, '\0'..='\u{8}' | '\u{b}' | '\u{c}' | '\u{e}'..='\u{1f}' | '\u{7f}'..='\u{84}' | '\u{86}'..='\u{9f}' | '\u{fffe}' | '\u{ffff}' | '\u{feff}')
}

fn turns(c: char) -> bool {
    matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Whether a text has nothing to see: blanks, zero-width and directional marks only.
pub(super) fn is_blank(text: &str) -> bool {
    text.chars().all(|c| {
        c.is_whitespace()
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2064}' | '\u{2066}'..='\u{206f}' | '\u{ad}' | '\u{34f}' | '\u{180e}' | '\u{feff}' | '\u{3164}' | '\u{2800}')
            || is_forbidden(c)
    })
}

/// At most so many characters, cut between two graphemes, with an ellipsis. `None` where it fits.
pub(super) fn cut(text: &str, max: usize) -> Option<String> {
    text.char_indices().nth(max)?;
    let mut end = 0;
    let mut count = 0;
    for (at, grapheme) in text.grapheme_indices(true) {
        count += grapheme.chars().count();
        if count >= max {
            break;
        }
        end = at + grapheme.len();
    }
    if end == 0 {
        // One grapheme of hundreds of marks.
        end = text.char_indices().nth(max - 1).map_or(text.len(), |(at, _)| at);
    }
    Some(format!("{}…", text[..end].trim_end()))
}

/// Decodes character references once. What is none stays as it is.
pub(super) fn decode_entities(text: &str) -> Cow<'_, str> {
    if !text.contains('&') {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        match reference(rest) {
            Some((decoded, length)) => {
                out.extend(decoded);
                rest = &rest[length..];
            }
            None => {
                out.push('&');
                rest = &rest[1..];
            }
        }
    }
    out.push_str(rest);
    Cow::Owned(out)
}

/// The character that a reference at the start of the text means, `None` inside where XML has none, and its length.
fn reference(text: &str) -> Option<(Option<char>, usize)> {
    let end = text.bytes().take(34).position(|b| b == b';')?;
    let name = &text[1..end];
    let decoded = if let Some(number) = name.strip_prefix('#') {
        let code = match number.strip_prefix(['x', 'X']) {
            Some(hex) if !hex.is_empty() && hex.bytes().all(|b| b.is_ascii_hexdigit()) => {
                u32::from_str_radix(hex, 16).unwrap_or(0)
            }
            None if !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()) => number.parse().unwrap_or(0),
            _ => return None,
        };
        match code {
            // HTML reads these as windows-1252.
            0x80..=0x9f => {
                let byte = [u8::try_from(code).ok()?];
                encoding_rs::WINDOWS_1252
                    .decode_without_bom_handling(&byte)
                    .0
                    .chars()
                    .next()
                    .filter(|c| !is_forbidden(*c))
            }
            _ => char::from_u32(code).filter(|c| !is_forbidden(*c)),
        }
    } else {
        Some(named(name)?)
    };
    Some((decoded, end + 1))
}

/// The names that people write in titles and exporters leave there.
fn named(name: &str) -> Option<char> {
    if let Ok(at) = NAMED.binary_search_by_key(&name, |(known, _)| known) { Some(NAMED[at].1) } else { None }
}

#[rustfmt::skip]
const NAMED: &[(&str, char)] = &[
    ("AElig", 'Æ'), ("AMP", '&'), ("Aacute", 'Á'), ("Acirc", 'Â'), ("Agrave", 'À'), ("Aring", 'Å'), ("Atilde", 'Ã'), ("Auml", 'Ä'), ("Ccedil", 'Ç'),
    ("Dagger", '‡'), ("ETH", 'Ð'), ("Eacute", 'É'), ("Ecirc", 'Ê'), ("Egrave", 'È'), ("Euml", 'Ë'), ("GT", '>'), ("Iacute", 'Í'), ("Icirc", 'Î'),
    ("Igrave", 'Ì'), ("Iuml", 'Ï'), ("LT", '<'), ("Ntilde", 'Ñ'), ("OElig", 'Œ'), ("Oacute", 'Ó'), ("Ocirc", 'Ô'), ("Ograve", 'Ò'), ("Oslash", 'Ø'),
    ("Otilde", 'Õ'), ("Ouml", 'Ö'), ("QUOT", '"'), ("Scaron", 'Š'), ("THORN", 'Þ'), ("Uacute", 'Ú'), ("Ucirc", 'Û'), ("Ugrave", 'Ù'), ("Uuml", 'Ü'),
    ("Yacute", 'Ý'), ("Yuml", 'Ÿ'), ("aacute", 'á'), ("acirc", 'â'), ("acute", '´'), ("aelig", 'æ'), ("agrave", 'à'), ("alpha", 'α'), ("amp", '&'),
    ("apos", '\''), ("aring", 'å'), ("atilde", 'ã'), ("auml", 'ä'), ("bdquo", '„'), ("beta", 'β'), ("brvbar", '¦'), ("bull", '•'), ("ccedil", 'ç'),
    ("cedil", '¸'), ("cent", '¢'), ("circ", 'ˆ'), ("colon", ':'), ("comma", ','), ("copy", '©'), ("curren", '¤'), ("dagger", '†'), ("dash", '‐'),
    ("deg", '°'), ("delta", 'δ'), ("divide", '÷'), ("eacute", 'é'), ("ecirc", 'ê'), ("egrave", 'è'), ("emsp", '\u{2003}'), ("ensp", '\u{2002}'),
    ("equiv", '≡'), ("eth", 'ð'), ("euml", 'ë'), ("euro", '€'), ("excl", '!'), ("fnof", 'ƒ'), ("frac12", '½'), ("frac14", '¼'), ("frac34", '¾'),
    ("gamma", 'γ'), ("ge", '≥'), ("gt", '>'), ("harr", '↔'), ("hearts", '♥'), ("hellip", '…'), ("iacute", 'í'), ("icirc", 'î'), ("iexcl", '¡'),
    ("igrave", 'ì'), ("infin", '∞'), ("iquest", '¿'), ("iuml", 'ï'), ("lambda", 'λ'), ("laquo", '«'), ("larr", '←'), ("lbrace", '{'), ("lbrack", '['),
    ("lcub", '{'), ("ldquo", '“'), ("le", '≤'), ("lowbar", '_'), ("lpar", '('), ("lsaquo", '‹'), ("lsqb", '['), ("lsquo", '‘'), ("lt", '<'), ("macr", '¯'),
    ("mdash", '—'), ("micro", 'µ'), ("middot", '·'), ("minus", '−'), ("mu", 'μ'), ("nbsp", '\u{a0}'), ("ndash", '–'), ("ne", '≠'), ("not", '¬'),
    ("ntilde", 'ñ'), ("num", '#'), ("oacute", 'ó'), ("ocirc", 'ô'), ("oelig", 'œ'), ("ograve", 'ò'), ("omega", 'ω'), ("ordf", 'ª'), ("ordm", 'º'),
    ("oslash", 'ø'), ("otilde", 'õ'), ("ouml", 'ö'), ("para", '¶'), ("percnt", '%'), ("period", '.'), ("permil", '‰'), ("pi", 'π'), ("plus", '+'),
    ("plusmn", '±'), ("pound", '£'), ("prime", '′'), ("quest", '?'), ("quot", '"'), ("raquo", '»'), ("rarr", '→'), ("rbrace", '}'), ("rbrack", ']'),
    ("rcub", '}'), ("rdquo", '”'), ("reg", '®'), ("rpar", ')'), ("rsaquo", '›'), ("rsqb", ']'), ("rsquo", '’'), ("sbquo", '‚'), ("scaron", 'š'),
    ("sect", '§'), ("semi", ';'), ("shy", '\u{ad}'), ("sigma", 'σ'), ("sol", '/'), ("sup1", '¹'), ("sup2", '²'), ("sup3", '³'), ("szlig", 'ß'),
    ("thinsp", '\u{2009}'), ("thorn", 'þ'), ("tilde", '˜'), ("times", '×'), ("trade", '™'), ("uacute", 'ú'), ("uarr", '↑'), ("ucirc", 'û'), ("ugrave", 'ù'),
    ("uml", '¨'), ("uuml", 'ü'), ("vert", '|'), ("yacute", 'ý'), ("yen", '¥'), ("yuml", 'ÿ'), ("zwj", '\u{200d}'), ("zwnj", '\u{200c}'),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted() {
        assert!(NAMED.is_sorted_by_key(|(name, _)| *name));
    }

    #[test]
    fn titles_become_one_line() {
        for (input, expect) in [
            ("A &amp; B &#123;x&#125; &lt;b&gt;", "A & B {x} <b>"),
            ("&amp;amp;", "&amp;"),
            ("&nosuch; &#; &#x; & &", "&nosuch; &#; &#x; & &"),
            ("a\n\n  b\tc", "a b c"),
            ("a\u{1}b\u{7f}c", "abc"),
            ("&#xD800;&#0;&#1;x", "x"),
            ("&#150;", "–"),
            ("\u{200b}\u{200b} \u{feff}", ""),
            ("　　a　", "a"),
            ("\u{202e}abc\u{202c} \u{200f}d", "abc \u{200f}d"),
            ("👨\u{200d}👩", "👨\u{200d}👩"),
        ] {
            assert_eq!(one_line(input), expect, "{input:?}");
        }
    }

    #[test]
    fn cuts_fall_between_graphemes() {
        assert_eq!(cut("abc", 3), None);
        assert_eq!(cut("abcd", 3).as_deref(), Some("ab…"));
        assert_eq!(cut("e\u{301}e\u{301}e\u{301}", 4).as_deref(), Some("e\u{301}…"));
        let zalgo = format!("a{}", "\u{301}".repeat(600));
        assert_eq!(cut(&zalgo, 500).map(|t| t.chars().count()), Some(500));
    }
}
