//! An article's body within a page: its headings below the page's own, and what is wide scrollable by keyboard.
//!
//! Only here, not in feeds: there the body stands alone. The HTML is clean, so its tags are found by their look.

use std::borrow::Cow;

/// The body for a page.
pub(super) fn fitted(body: &str) -> Cow<'_, str> {
    if !["<h", "<pre", "<table"].iter().any(|tag| body.contains(tag)) {
        return Cow::Borrowed(body);
    }
    let mut out = String::with_capacity(body.len() + 256);
    // The levels as written of the headings that the next one may stand below.
    let mut above: Vec<u8> = Vec::new();
    let mut rest = body;
    while let Some(at) = rest.find('<') {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let bytes = rest.as_bytes();
        match bytes {
            [b'<', b'h', level @ b'1'..=b'6', b'>' | b' ', ..] => {
                while above.last().is_some_and(|last| last >= level) {
                    above.pop();
                }
                above.push(*level);
                out.push_str("<h");
                out.push(shown(&above));
                rest = &rest[3..];
            }
            [b'<', b'/', b'h', b'1'..=b'6', b'>', ..] => {
                out.push_str("</h");
                out.push(shown(&above));
                rest = &rest[4..];
            }
            _ if rest.starts_with("<pre>") => {
                out.push_str("<pre tabindex=\"0\">");
                rest = &rest[5..];
            }
            _ if rest.starts_with("<table>") => {
                out.push_str("<div class=\"wide\" tabindex=\"0\"><table>");
                rest = &rest[7..];
            }
            _ if rest.starts_with("</table>") => {
                out.push_str("</table></div>");
                rest = &rest[8..];
            }
            _ => {
                out.push('<');
                rest = &rest[1..];
            }
        }
    }
    out.push_str(rest);
    Cow::Owned(out)
}

/// The level below the page's own heading, as a digit.
fn shown(above: &[u8]) -> char {
    ['1', '2', '3', '4', '5', '6'][above.len().min(5)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headings_stand_below_the_title_without_a_gap() {
        assert_eq!(
            fitted("<h4>a</h4><h1>b</h1><h3 lang=\"en\">c</h3><h6>d</h6><h2>e</h2><hr>"),
            "<h2>a</h2><h2>b</h2><h3 lang=\"en\">c</h3><h4>d</h4><h3>e</h3><hr>"
        );
    }

    #[test]
    fn what_is_wide_can_be_reached() {
        assert_eq!(fitted("<pre>a</pre>"), "<pre tabindex=\"0\">a</pre>");
        assert_eq!(fitted("<table>x</table>"), "<div class=\"wide\" tabindex=\"0\"><table>x</table></div>");
        assert_eq!(fitted("<p>a &lt;pre></p>"), "<p>a &lt;pre></p>");
    }
}
