//! Near names: what somebody may have meant who asks for a feed that does not exist. Pure.

use crate::entry::Key;

/// How many names are suggested.
const SUGGESTIONS: usize = 5;

/// Longer names are not compared letter by letter.
const LONGEST: usize = 64;

/// Those of `keys` whose last name is nearest to that of `wanted`, the nearest first; none that is far.
pub(super) fn nearest(wanted: &Key, keys: impl Iterator<Item = Key>) -> Vec<Key> {
    let Some(name) = wanted.last().map(|name| letters(name.as_str())) else { return Vec::new() };
    let mut found: Vec<(usize, Key)> = keys
        .filter_map(|key| {
            let other = letters(key.last()?.as_str());
            Some((distance(&name, &other)?, key))
        })
        .collect();
    found.sort();
    found.truncate(SUGGESTIONS);
    found.into_iter().map(|(_, key)| key).collect()
}

fn letters(name: &str) -> Vec<char> {
    name.chars().flat_map(char::to_lowercase).collect()
}

/// How many letters differ (Levenshtein); `None` where it is more than a third of them, unless one name is a part of
/// the other.
fn distance(a: &[char], b: &[char]) -> Option<usize> {
    let (short, long) = if a.len() <= b.len() { (a, b) } else { (b, a) };
    if short.is_empty() || long.len() > LONGEST {
        return None;
    }
    let most = (long.len() / 3).max(1);
    if long.windows(short.len()).any(|part| part == short) && 2 * short.len() >= long.len() {
        return Some(long.len() - short.len());
    }
    if long.len() - short.len() > most {
        return None;
    }
    let mut row: Vec<usize> = (0..=short.len()).collect();
    for (at, &c) in long.iter().enumerate() {
        let mut diagonal = at;
        row[0] = at + 1;
        for (column, &d) in short.iter().enumerate() {
            let changed = diagonal + usize::from(c != d);
            diagonal = row[column + 1];
            row[column + 1] = changed.min(diagonal + 1).min(row[column] + 1);
        }
    }
    // A name that has no letter in its place is another name, however short.
    let distance = row[short.len()];
    (distance <= most && distance < long.len()).then_some(distance)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(wanted: &str, keys: &[&str]) -> Vec<String> {
        let key = |text: &&str| Key::parse(text).expect("a key");
        nearest(&key(&wanted), keys.iter().map(key)).iter().map(Key::to_string).collect()
    }

    #[test]
    fn misspelt_names_are_found() {
        let keys = ["category/news", "category/a/rust", "category/金融", "category/金融/新浪财经", "category/x"];
        assert_eq!(near("category/new", &keys), ["category/news"]);
        assert_eq!(near("category/NEWS", &keys), ["category/news"]);
        assert_eq!(near("category/rsut", &keys), Vec::<String>::new());
        assert_eq!(near("category/ruest", &keys), ["category/a/rust"]);
        assert_eq!(near("category/新浪财金", &keys), ["category/金融/新浪财经"]);
        assert_eq!(near("category/新浪", &keys), ["category/金融/新浪财经"]);
        assert_eq!(near("category/y", &keys), Vec::<String>::new());
        assert_eq!(near("category/entirely-else", &keys), Vec::<String>::new());
    }

    #[test]
    fn the_nearest_come_first_and_not_too_many() {
        let keys: Vec<String> = (0..20).map(|n| format!("category/section-{n:02}")).collect();
        let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
        let found = near("category/section-07", &keys);
        assert_eq!((found.len(), found[0].as_str()), (SUGGESTIONS, "category/section-07"));
    }
}
