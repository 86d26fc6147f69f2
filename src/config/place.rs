//! Where keys and values stand in the text of a config file.
//!
//! The YAML reader tells the line of most keys and no columns; what is missing is found by looking for the words.

/// A place, both counted from 1, the column in characters.
pub(super) type Place = (u32, u32);

/// The text as lines.
pub(super) struct Lines<'t>(Vec<&'t str>);

impl<'t> Lines<'t> {
    pub fn new(text: &'t str) -> Lines<'t> {
        Lines(text.lines().collect())
    }

    /// A line's text.
    pub fn text(&self, line: u32) -> Option<&'t str> {
        self.0.get((line as usize).checked_sub(1)?).copied()
    }

    /// Where a key stands: on the line that the reader told, else at the next place where it is followed by a colon.
    pub fn key(&self, key: &str, line: Option<u32>, after: Place) -> Place {
        let told = line.and_then(|line| {
            let from = if line == after.0 { after } else { (line, 1) };
            self.find(from, line, &|rest| is_key(rest, key)).filter(|place| *place >= after)
        });
        let found = told.or_else(|| self.find(after, u32::MAX, &|rest| is_key(rest, key)));
        found.unwrap_or_else(|| line.map_or(after, |line| (line, 1)))
    }

    /// Where the value of the key at a place begins.
    pub fn value(&self, key: &str, (line, column): Place) -> Place {
        let text: Vec<char> = self.text(line).unwrap_or_default().chars().collect();
        let mut at = column as usize - 1 + key.chars().count();
        while text.get(at).is_some_and(|c| matches!(c, '"' | '\'' | ' ' | '\t')) {
            at += 1;
        }
        at += usize::from(text.get(at) == Some(&':'));
        while text.get(at).is_some_and(|c| c.is_whitespace()) {
            at += 1;
        }
        if text.get(at).is_some_and(|&c| c != '#') {
            return (line, number(at + 1));
        }
        let below = self.0.iter().enumerate().skip(line as usize).find_map(|(index, text)| {
            let at = text.chars().position(|c| !matches!(c, ' ' | '-' | '\t'))?;
            (!text.trim_start().starts_with('#')).then(|| (number(index + 1), number(at + 1)))
        });
        below.unwrap_or((line, column))
    }

    /// Where a part of a value stands, from a place on.
    pub fn part(&self, part: &str, from: Place) -> Option<Place> {
        self.find(from, u32::MAX, &|rest| rest.starts_with(part))
    }

    fn find(&self, from: Place, last: u32, fits: &dyn Fn(&str) -> bool) -> Option<Place> {
        let first = from.0.max(1);
        for (index, text) in self.0.iter().enumerate().skip(first as usize - 1) {
            let line = number(index + 1);
            if line > last {
                return None;
            }
            let skip = if line == from.0 { from.1.max(1) as usize - 1 } else { 0 };
            let mut before = ' ';
            for (column, (at, c)) in text.char_indices().enumerate() {
                if c == '#' && before.is_whitespace() {
                    break;
                }
                // A word is not found inside of another.
                if column >= skip && !before.is_alphanumeric() && before != '_' && fits(&text[at..]) {
                    return Some((line, number(column + 1)));
                }
                before = c;
            }
        }
        None
    }
}

fn is_key(rest: &str, key: &str) -> bool {
    rest.strip_prefix(key)
        .is_some_and(|after| after.trim_start_matches(['"', '\'']).trim_start_matches([' ', '\t']).starts_with(':'))
}

fn number(index: usize) -> u32 {
    u32::try_from(index).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str =
        "# title: no\nsite: { title: 新闻, lang: x }\ninbox:\n  exclude:\n    # c\n    - \"a[\"\n  \"settle\" : 1s\n";

    #[test]
    fn keys_and_values_are_found() {
        let lines = Lines::new(TEXT);
        assert_eq!(lines.key("site", Some(2), (1, 1)), (2, 1));
        assert_eq!(lines.key("lang", None, (2, 1)), (2, 20));
        assert_eq!(lines.value("lang", (2, 20)), (2, 26));
        assert_eq!(lines.value("exclude", (4, 3)), (6, 7));
        assert_eq!(lines.key("settle", Some(7), (1, 1)), (7, 4));
        assert_eq!(lines.value("settle", (7, 4)), (7, 14));
        assert_eq!(lines.part("a[", (4, 3)), Some((6, 8)));
        assert_eq!(lines.part("nowhere", (4, 3)), None);
    }
}
