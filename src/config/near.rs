//! Which known name somebody may have meant.
//!
//! Used for the keys and the words of the config; what is near is decided in one place so that hints agree.

/// The known name with the fewest edits, whatever their number.
pub fn nearest<'n>(name: &str, known: impl IntoIterator<Item = &'n str>) -> Option<&'n str> {
    known.into_iter().min_by_key(|other| distance(name, other))
}

/// The nearest known name, if so few edits lead to it that it was probably meant.
pub fn near<'n>(name: &str, known: impl IntoIterator<Item = &'n str>) -> Option<&'n str> {
    let nearest = nearest(name, known)?;
    (distance(name, nearest) <= 1 + name.chars().count() / 4).then_some(nearest)
}

/// Insertions, deletions, substitutions and swaps of neighbours that turn one name into the other; case is free.
pub fn distance(a: &str, b: &str) -> usize {
    let a: Vec<char> = a.to_lowercase().chars().collect();
    let b: Vec<char> = b.to_lowercase().chars().collect();
    let mut rows = vec![(0..=b.len()).collect::<Vec<usize>>()];
    for (i, &x) in a.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, &y) in b.iter().enumerate() {
            let mut best = (rows[i][j] + usize::from(x != y)).min(rows[i][j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && x == b[j - 1] && a[i - 1] == y {
                best = best.min(rows[i - 1][j - 1] + 1);
            }
            row.push(best);
        }
        rows.push(row);
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edits_are_counted() {
        for (a, b, edits) in
            [("", "abc", 3), ("settle", "setle", 1), ("form", "from", 1), ("kitten", "sitting", 3), ("A", "a", 0)]
        {
            assert_eq!(distance(a, b), edits, "{a} {b}");
        }
        assert_eq!(near("imge", ["image", "title"]), Some("image"));
        assert_eq!(near("zzzz", ["image", "title"]), None);
    }
}
