//! What is left of a date's text: numbers, words and signs are taken from its front.
//!
//! It knows nothing of dates.

/// What is left of the text. Copying it is how the parser goes back.
#[derive(Clone, Copy)]
pub(super) struct Cursor<'t> {
    pub rest: &'t str,
}

impl<'t> Cursor<'t> {
    /// Digits, or the numerals of Chinese; and how many there were.
    pub(super) fn number(&mut self) -> Option<(u32, usize)> {
        let digits = self.rest.bytes().take_while(u8::is_ascii_digit).count();
        if digits == 0 {
            return self.chinese_number();
        }
        let (number, rest) = self.rest.split_at(digits);
        self.rest = rest;
        // More digits than fit are no part of any date; the width tells.
        Some((number.parse().unwrap_or(u32::MAX), digits))
    }

    /// `二〇二二` and `十一`.
    pub(super) fn chinese_number(&mut self) -> Option<(u32, usize)> {
        let value =
            |c: char| "〇一二三四五六七八九".chars().position(|d| d == c).or((c == '零' || c == '○').then_some(0));
        let end = self.rest.find(|c: char| c != '十' && value(c).is_none()).unwrap_or(self.rest.len());
        let (text, rest) = self.rest.split_at(end);
        let count = text.chars().count();
        if !(1..=4).contains(&count) {
            return None;
        }
        let digit = |c: char| value(c).and_then(|v| u32::try_from(v).ok());
        let number = match text.split_once('十') {
            None => text.chars().try_fold(0, |sum, c| digit(c).map(|d| sum * 10 + d))?,
            Some((tens, ones)) => {
                let one = |part: &str, empty| match part.chars().count() {
                    0 => Some(empty),
                    1 => part.chars().next().and_then(digit),
                    _ => None,
                };
                one(tens, 1)? * 10 + one(ones, 0)?
            }
        };
        self.rest = rest;
        Some((number, if text.contains('十') { 2 } else { count }))
    }

    pub(super) fn word(&mut self) -> &'t str {
        let end = self.rest.find(|c: char| !c.is_alphabetic() || is_cjk(c)).unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest;
        word
    }

    /// Letters, or a name like `America/New_York`.
    pub(super) fn zone_name(&mut self) -> &'t str {
        let end =
            self.rest.find(|c: char| !(c.is_ascii_alphabetic() || matches!(c, '/' | '_'))).unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest;
        word
    }

    pub(super) fn word_is(&mut self, expect: &str) -> bool {
        let mut ahead = *self;
        if ahead.word().to_lowercase() == expect {
            *self = ahead;
            return true;
        }
        false
    }

    pub(super) fn eat_any<'s>(&mut self, options: &[&'s str]) -> Option<&'s str> {
        let found = options.iter().find(|option| self.rest.starts_with(**option))?;
        self.rest = &self.rest[found.len()..];
        Some(found)
    }

    pub(super) fn spaces(&mut self) -> bool {
        let trimmed = self.rest.trim_start_matches(' ');
        let any = trimmed.len() < self.rest.len();
        self.rest = trimmed;
        any
    }

    pub(super) fn comma_or_spaces(&mut self) -> bool {
        let before = self.spaces();
        let comma = self.eat_any(&[","]).is_some();
        self.spaces() || before || comma
    }
}

/// Characters of Chinese, Japanese and Korean.
pub(super) fn is_cjk(c: char) -> bool {
    matches!(c, '\u{2E80}'..='\u{9FFF}' | '\u{AC00}'..='\u{D7AF}')
}
