//! What YAML forbids and the crate lets pass.
//!
//! The crate takes several invalid documents for valid ones and then reads something that nobody wrote. Such a text is
//! refused here, so that it is repaired and reported like any other broken one. These are looks at single lines, made
//! only for texts that are not plain.

use super::Error;

/// Refuses texts that the crate would misread.
pub(super) fn check(text: &str) -> Result<(), Error> {
    let mut seen_content = false;
    let mut lines = text.lines().enumerate();
    while let Some((index, line)) = lines.next() {
        if line.trim().is_empty() {
            continue;
        }
        // A flow collection may stand behind a tab where nothing stands before it.
        if line.starts_with('\t') && seen_content {
            return Err(Error::syntax(index + 1, 1, "a tab where blanks are expected"));
        }
        seen_content = true;
        if let Some(at) = glued_comment(line) {
            let column = line[..at].chars().count() + 1;
            return Err(Error::syntax(index + 1, column, "a comment without a blank before it"));
        }
        if opens_block(line) {
            let indent = indent_of(line);
            let mut widest = 0;
            let mut ahead = lines.clone();
            while let Some((at, below)) = ahead.next() {
                let spaces = indent_of(below);
                if below.trim_matches(' ').is_empty() {
                    widest = widest.max(spaces);
                    lines = ahead.clone();
                    continue;
                }
                if spaces > indent && spaces < widest && !explicit_indent(line) {
                    return Err(Error::syntax(
                        at + 1,
                        spaces + 1,
                        "the text is indented less than the blank lines above it",
                    ));
                }
                break;
            }
            // What is indented deeper is text, whatever it looks like.
            let mut ahead = lines.clone();
            while let Some((_, below)) = ahead.next() {
                if !below.trim().is_empty() && indent_of(below) <= indent {
                    break;
                }
                lines = ahead.clone();
            }
        }
    }
    Ok(())
}

fn indent_of(line: &str) -> usize {
    line.len() - line.trim_start_matches(' ').len()
}

/// Whether a line ends with `|` or `>` and what may follow these.
fn opens_block(line: &str) -> bool {
    let line = line.split(" #").next().unwrap_or(line).trim_end();
    let header = line.rsplit([' ', '\t']).next().unwrap_or(line);
    line.len() > header.len()
        && header.starts_with(['|', '>'])
        && header.len() <= 3
        && header[1..].bytes().all(|b| b.is_ascii_digit() || matches!(b, b'+' | b'-'))
}

fn explicit_indent(line: &str) -> bool {
    line.trim_end().trim_end_matches(['+', '-']).ends_with(|c: char| c.is_ascii_digit())
}

/// Where a `#` stands right behind a quoted value or a block's header.
fn glued_comment(line: &str) -> Option<usize> {
    let value_at = line.find(": ").map(|at| at + 2)?;
    let value = line[value_at..].trim_start();
    let start = line.len() - value.len();
    if let Some(rest) = value.strip_prefix(['|', '>']) {
        return rest.starts_with('#').then_some(start + 1);
    }
    let quote = value.chars().next().filter(|c| matches!(c, '"' | '\''))?;
    let inner = &value[1..];
    if inner.contains('\\') {
        return None;
    }
    let close = inner.find(quote)?;
    inner[close + 1..].starts_with('#').then_some(start + close + 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_crate_lets_pass_is_refused_here() {
        for (text, place) in [
            ("a: \"b\"# c\n", Some((1, 7))),
            ("a: |# c\n  b\n", Some((1, 5))),
            ("a: \"b\n\tc\"\n", Some((2, 1))),
            ("a: >\n \n  \n   \n b\n", Some((5, 2))),
            ("a: >\n   \nb: c\n", None),
            ("a: b >\n   \nb: c\n", None),
            ("a: |2\n    \n  b\n", None),
            ("a: |\n  b\n  \"c\"#d: \"e\"#f\n", None),
            ("a: \"b\" # c\n", None),
            ("\t{a: b}\n", None),
        ] {
            let found = check(text).err().map(|error| (error.line, error.column));
            assert_eq!(found, place, "{text:?}");
        }
    }
}
