//! Rows of feeds as a tree: a row hangs below the nearest broader one that is in the list.

use crate::entry::FeedRow;

/// A row with the rows below it.
#[derive(Debug)]
pub(super) struct Branch<'a> {
    pub(super) row: &'a FeedRow,
    pub(super) below: Vec<Branch<'a>>,
}

/// Grows the trees of a list in which broader rows come first.
pub(super) fn grow<'a>(rows: impl IntoIterator<Item = &'a FeedRow>) -> Vec<Branch<'a>> {
    let mut top: Vec<Branch<'a>> = Vec::new();
    // From broad to narrow, the branches that the next row may hang below.
    let mut open: Vec<Branch<'a>> = Vec::new();
    for row in rows {
        while open.last().is_some_and(|above| !is_below(row, above.row)) {
            hang(&mut open, &mut top);
        }
        open.push(Branch { row, below: Vec::new() });
    }
    while !open.is_empty() {
        hang(&mut open, &mut top);
    }
    top
}

fn is_below(row: &FeedRow, above: &FeedRow) -> bool {
    row.key.kind() == above.key.kind() && row.key.names().starts_with(above.key.names())
}

/// Hangs the narrowest open branch below the next broader one, or among the tops.
fn hang<'a>(open: &mut Vec<Branch<'a>>, top: &mut Vec<Branch<'a>>) {
    let Some(branch) = open.pop() else { return };
    match open.last_mut() {
        Some(above) => above.below.push(branch),
        None => top.push(branch),
    }
}
