//! How much of a live feed is shown: candidates are added until the bodies would exceed `feeds.bytes`.
//!
//! At least one is shown. A body that alone is above the limit goes as its summary, wherever it stands: it would
//! otherwise end the feed for all that come after it. Archives know no such limit.

use super::Content;

/// What one candidate weighs.
#[derive(Clone, Copy, Debug)]
pub(super) struct Weight {
    /// Bytes of its cleaned body.
    pub(super) body: usize,
    /// Bytes of its summary.
    pub(super) summary: usize,
}

/// For each candidate that is shown, whether it is shown with its body.
pub(super) fn shown(weights: impl IntoIterator<Item = Weight>, bytes: usize, content: Content) -> Vec<bool> {
    let mut total = 0_usize;
    let mut shown = Vec::new();
    for weight in weights {
        let whole = content == Content::Full && weight.body <= bytes;
        total = total.saturating_add(if whole { weight.body } else { weight.summary });
        if total > bytes && !shown.is_empty() {
            break;
        }
        shown.push(whole);
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(bodies: &[usize], bytes: usize) -> Vec<bool> {
        shown(bodies.iter().map(|&body| Weight { body, summary: 10 }), bytes, Content::Full)
    }

    #[test]
    fn candidates_are_added_until_the_next_would_exceed() {
        assert_eq!(of(&[40, 40, 20, 1], 100), [true; 3]);
        assert_eq!(of(&[40, 61, 1], 100), [true]);
        assert_eq!(of(&[100], 100), [true]);
        assert_eq!(of(&[], 100), Vec::<bool>::new());
    }

    #[test]
    fn a_body_above_the_limit_goes_as_summary() {
        assert_eq!(of(&[101, 50], 100), [false, true]);
        assert_eq!(of(&[50, 101, 20], 100), [true, false, true]);
        assert_eq!(of(&[50], 0), [false]);
        assert_eq!(of(&[50, 50], 5), [false]);
    }

    #[test]
    fn summaries_alone() {
        let weights = [Weight { body: 90, summary: 10 }; 20];
        assert_eq!(shown(weights, 100, Content::Summary), [false; 10]);
    }
}
