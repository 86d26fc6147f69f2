//! A date as an author wrote it → an instant.
//!
//! One cursor walks the text: date, time, zone, nothing left over. Whatever does not fit to the last character is no
//! date: a wrong instant would put an article in the wrong place for ever, a missing one only costs a guess. What has
//! no zone is read in the configured one, never in the machine's.

use chrono::{DateTime, Duration, LocalResult, NaiveDate, NaiveDateTime, NaiveTime, TimeZone, Utc};
use chrono_tz::Tz;

use super::clock::{Time, Zone};
use super::cursor::{Cursor, is_cjk};
use super::{Timestamp, names};

/// Longest text that is looked at.
const MAX_CHARS: usize = 80;

/// Reads a date. The error says what is wrong, lower case and without a full stop.
pub(super) fn parse(text: &str, zone: Tz) -> Result<Timestamp, &'static str> {
    let text = tidy(text)?;
    let cursor = Cursor { rest: &text };
    let local = cursor.whole()?;
    let instant = match local.zone {
        Some(Zone::Offset(minutes)) => {
            local.at.checked_sub_signed(Duration::minutes(minutes.into())).map(|at| at.and_utc())
        }
        Some(Zone::Place(place)) => resolve(local.at, place),
        None => resolve(local.at, zone),
    };
    let instant = instant.ok_or("the time does not exist")?;
    in_range(instant).ok_or("years are taken from 1000 to 9999")
}

/// Midnight of a day in the zone.
pub(super) fn midnight(year: i32, month: u32, day: u32, zone: Tz) -> Option<Timestamp> {
    let at = NaiveDate::from_ymd_opt(year, month, day)?.and_time(NaiveTime::MIN);
    resolve(at, zone).and_then(in_range)
}

/// Every format that feeds know writes four digits of year, and Go's zero time is year 1.
fn in_range(instant: Timestamp) -> Option<Timestamp> {
    use chrono::Datelike;
    (1000..=9999).contains(&instant.year()).then_some(instant)
}

/// A local time that happens twice is the earlier one; one that is skipped is read with the offset before the gap.
fn resolve(local: NaiveDateTime, zone: Tz) -> Option<Timestamp> {
    match zone.from_local_datetime(&local) {
        LocalResult::Single(at) | LocalResult::Ambiguous(at, _) => Some(at.with_timezone(&Utc)),
        // A gap is at most a day long, where a country crossed the date line.
        LocalResult::None => (1..=26).find_map(|hours| {
            let back = Duration::hours(hours);
            let before = zone.from_local_datetime(&local.checked_sub_signed(back)?).latest()?;
            before.with_timezone(&Utc).checked_add_signed(back)
        }),
    }
}

/// Trims, peels quotes, folds full-width digits and signs, drops comments and weekdays of CJK.
fn tidy(text: &str) -> Result<String, &'static str> {
    let mut text = text.trim();
    for (open, close) in [('"', '"'), ('\'', '\''), ('“', '”'), ('‘', '’')] {
        if let Some(inner) = text.strip_prefix(open).and_then(|t| t.strip_suffix(close)) {
            text = inner.trim();
        }
    }
    if text.is_empty() {
        return Err("it is empty");
    }
    if text.chars().nth(MAX_CHARS).is_some() {
        return Err("it is too long");
    }
    let mut out = String::with_capacity(text.len());
    let mut depth = 0_u32;
    for c in text.chars() {
        match c {
            '(' | '（' | '[' => depth += 1,
            ')' | '）' | ']' if depth > 0 => depth -= 1,
            _ if depth > 0 => {}
            '０'..='９' => out.push(char::from_digit(u32::from(c) - u32::from('０'), 10).unwrap_or(c)),
            '：' => out.push(':'),
            '／' => out.push('/'),
            '－' | '‐' | '‑' | '–' | '−' => out.push('-'),
            '，' | '、' => out.push(','),
            '．' => out.push('.'),
            c if c.is_whitespace() => out.push(' '),
            c => out.push(c),
        }
    }
    if depth > 0 {
        return Err("a bracket is not closed");
    }
    for day in ["星期", "礼拜", "禮拜", "周", "週"] {
        if let Some(at) = out.find(day) {
            let end = at + day.len();
            if let Some(c) = out[end..].chars().next().filter(|c| "一二三四五六日天".contains(*c)) {
                out.replace_range(at..end + c.len_utf8(), " ");
            }
        }
    }
    Ok(out.trim().to_owned())
}

/// A date and time without its zone, and the zone if one is written.
struct Local {
    at: NaiveDateTime,
    zone: Option<Zone>,
}

/// A date, and what its notation tells about the rest.
#[derive(Clone, Copy, Default)]
struct Date {
    year: i32,
    month: u32,
    day: u32,
    /// A time in the middle of the date, as asctime has it.
    time: Option<Time>,
    zone: Option<Zone>,
    /// Whether digits of a time may follow without colons.
    basic: bool,
}

pub(super) const NOT_A_DATE: &str = "it is not a date that can be understood";

impl<'t> Cursor<'t> {
    fn whole(mut self) -> Result<Local, &'static str> {
        if let Some(at) = self.unix() {
            return Ok(Local { at, zone: Some(Zone::Offset(0)) });
        }
        let start = self;
        self.weekday();
        // `Mar. 5, 2022`: the short name of a weekday may be one of a month too.
        let mut date = match self.date() {
            Ok(date) => date,
            Err(error) => {
                let read = self.rest.len();
                self = start;
                self.date().map_err(|other| if read == self.rest.len() { other } else { error })?
            }
        };
        let day = NaiveDate::from_ymd_opt(date.year, date.month, date.day).ok_or("there is no such day")?;
        let time = match date.time {
            Some(time) => Some(time),
            None => self.time_after_date(&mut date)?,
        };
        if date.zone.is_none() {
            date.zone = self.zone(time.is_some())?;
        }
        self.spaces();
        if !self.rest.is_empty() {
            return Err(NOT_A_DATE);
        }
        Ok(Local { at: join(day, time.unwrap_or_default())?, zone: date.zone })
    }

    /// Seconds or milliseconds since 1970.
    fn unix(self) -> Option<NaiveDateTime> {
        let (whole, fraction) = self.rest.split_once('.').unwrap_or((self.rest, "0"));
        if ![whole, fraction].iter().all(|digits| !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit())) {
            return None;
        }
        let number: i64 = whole.parse().ok()?;
        match whole.len() {
            10 => DateTime::from_timestamp(number, 0).map(|at| at.naive_utc()),
            // Whole seconds are all that is kept.
            13 => DateTime::from_timestamp(number / 1000, 0).map(|at| at.naive_utc()),
            _ => None,
        }
    }

    fn date(&mut self) -> Result<Date, &'static str> {
        let start = *self;
        if let Some((number, width)) = self.number() {
            return match width {
                4 => self.year_first(number),
                8 | 12 | 14 => self.compact(start, width),
                1 | 2 => self.day_first(number),
                _ => Err(NOT_A_DATE),
            };
        }
        self.month_first()
    }

    /// `2022-04-11`, `2022/4/11`, `2022.4.11`, `2022年4月11日`, `2022-April-11`, `2022-W15-1`, `2022-101`, `2022-04`, `2022`.
    fn year_first(&mut self, year: u32) -> Result<Date, &'static str> {
        let mut date = Date { year: i32::try_from(year).map_err(|_| NOT_A_DATE)?, month: 1, day: 1, ..Date::default() };
        let mut ahead = *self;
        ahead.spaces();
        if ahead.eat_any(&["年", "년"]).is_some() {
            return ahead.cjk(date).inspect(|_| *self = ahead);
        }
        let Some(separator) = self.eat_any(&["-", "/", "."]) else {
            // `2022 Apr 11` and the year alone.
            let month = ahead.month_name();
            if let Some(month) = month
                && self.rest.starts_with(' ')
            {
                ahead.spaces();
                let (day, width) = ahead.number().ok_or(NOT_A_DATE)?;
                date.month = month;
                date.day = day;
                *self = ahead;
                return if width <= 2 { Ok(date) } else { Err(NOT_A_DATE) };
            }
            return if self.rest.is_empty() { Ok(date) } else { Err(NOT_A_DATE) };
        };
        if separator == "-" && self.eat_any(&["W", "w"]).is_some() {
            return self.week(date);
        }
        if let Some(month) = self.month_name() {
            date.month = month;
            self.eat_any(&[separator]).ok_or(NOT_A_DATE)?;
        } else {
            let (month, width) = self.number().ok_or(NOT_A_DATE)?;
            if separator == "-" && width == 3 && !self.rest.starts_with('-') {
                let day = NaiveDate::from_yo_opt(date.year, month).ok_or("there is no such day")?;
                return Ok(on(day));
            }
            if width > 2 {
                return Err(NOT_A_DATE);
            }
            date.month = month;
            if self.eat_any(&[separator]).is_none() {
                return if self.rest.is_empty() { Ok(date) } else { Err(NOT_A_DATE) };
            }
        }
        let (day, width) = self.number().ok_or(NOT_A_DATE)?;
        date.day = day;
        // `2013-01-27-01` and `2021-01-01-10:00` mean too many things.
        if width > 2 || self.rest.starts_with(['-', '/']) { Err(NOT_A_DATE) } else { Ok(date) }
    }

    /// `4月11日`, after the year.
    fn cjk(&mut self, mut date: Date) -> Result<Date, &'static str> {
        self.spaces();
        if self.rest.is_empty() {
            return Ok(date);
        }
        let (month, width) = self.number().ok_or(NOT_A_DATE)?;
        self.spaces();
        let unit = self.eat_any(&["月", "월"]).ok_or(NOT_A_DATE)?;
        date.month = month;
        if unit == "월" {
            date.zone = Some(KOREA);
        }
        self.spaces();
        if self.rest.is_empty() && width <= 2 {
            return Ok(date);
        }
        let (day, day_width) = self.number().ok_or(NOT_A_DATE)?;
        self.spaces();
        // The last unit is often left out.
        if self.eat_any(&["日", "号", "號", "일"]).is_none() && self.rest.starts_with(|c: char| !c.is_whitespace())
        {
            return Err(NOT_A_DATE);
        }
        date.day = day;
        if width > 2 || day_width > 2 { Err(NOT_A_DATE) } else { Ok(date) }
    }

    /// `2022-W15-1`, after the `W`.
    fn week(&mut self, date: Date) -> Result<Date, &'static str> {
        let (number, width) = self.number().ok_or(NOT_A_DATE)?;
        let (week, weekday) = match width {
            2 if self.eat_any(&["-"]).is_some() => match self.number() {
                Some((day, 1)) => (number, day),
                _ => return Err(NOT_A_DATE),
            },
            2 => (number, 1),
            3 => (number / 10, number % 10),
            _ => return Err(NOT_A_DATE),
        };
        let weekday = u8::try_from(weekday)
            .ok()
            .and_then(|day| chrono::Weekday::try_from(day.checked_sub(1)?).ok())
            .ok_or(NOT_A_DATE)?;
        NaiveDate::from_isoywd_opt(date.year, week, weekday).map(on).ok_or("there is no such week")
    }

    /// `20220411`, `202204111301`, `20220411130153`.
    fn compact(&mut self, start: Cursor<'t>, width: usize) -> Result<Date, &'static str> {
        let digits = &start.rest[..width];
        let part =
            |range: std::ops::Range<usize>| digits.get(range).and_then(|part| part.parse::<u32>().ok()).unwrap_or(0);
        let year = i32::try_from(part(0..4)).map_err(|_| NOT_A_DATE)?;
        let time = (width > 8).then(|| Time { hour: part(8..10), minute: part(10..12), second: part(12..14) });
        Ok(Date { year, month: part(4..6), day: part(6..8), time, zone: None, basic: true })
    }

    /// `11 Apr 2022`, `11-Apr-22`, `11th of April, 2022`, `11.4.2022`; `25/12/2022` where only one reading exists.
    fn day_first(&mut self, first: u32) -> Result<Date, &'static str> {
        if let Some(separator) = self.eat_any(&["/", "-", "."])
            && self.rest.starts_with(|c: char| c.is_ascii_digit())
        {
            return self.numeric(first, separator);
        }
        self.eat_any(&["st", "nd", "rd", "th"]);
        self.spaces();
        if self.word_is("of") || self.word_is("de") {
            self.spaces();
        }
        let month = self.month_name().ok_or(NOT_A_DATE)?;
        let year = self.year_after_month()?;
        Ok(Date { year, month, day: first, ..Date::default() })
    }

    /// Three numbers with the year last: only what has one reading.
    fn numeric(&mut self, first: u32, separator: &str) -> Result<Date, &'static str> {
        let (second, width) = self.number().ok_or(NOT_A_DATE)?;
        self.eat_any(&[separator]).ok_or(NOT_A_DATE)?;
        let (year, year_width) = self.number().ok_or(NOT_A_DATE)?;
        if width > 2 || year_width != 4 || self.rest.starts_with(['-', '/']) {
            return Err(NOT_A_DATE);
        }
        let (day, month) = match (first, second) {
            // Dots are written by people who put the day first.
            _ if separator == "." => (first, second),
            (day, 1..=12) if day > 12 => (day, second),
            (1..=12, day) if day > 12 => (day, first),
            (a, b) if a == b => (a, b),
            _ => return Err("day and month could be either way round"),
        };
        Ok(Date { year: i32::try_from(year).map_err(|_| NOT_A_DATE)?, month, day, ..Date::default() })
    }

    /// `April 11, 2022`, `Apr 11 13:01:53 2022`, `Apr 11 13:01:53 CEST 2022`.
    fn month_first(&mut self) -> Result<Date, &'static str> {
        let month = self.month_name().ok_or(NOT_A_DATE)?;
        if self.eat_any(&["-", "/"]).is_none() {
            self.spaces();
        }
        let (day, width) = self.number().ok_or(NOT_A_DATE)?;
        if width > 2 {
            return Err(NOT_A_DATE);
        }
        self.eat_any(&["st", "nd", "rd", "th"]);
        let mut date = Date { month, day, ..Date::default() };
        let mut ahead = *self;
        ahead.comma_or_spaces();
        if let Ok(Some(time)) = ahead.time(false) {
            // The year follows the time, behind the zone if there is one.
            date.time = Some(time);
            ahead.spaces();
            let year_next = ahead.rest.len() == 4 && ahead.number().is_some_and(|(_, width)| width == 4);
            let mut behind = *self;
            behind.comma_or_spaces();
            let _ = behind.time(false);
            if !year_next {
                date.zone = behind.zone(true)?;
            }
            behind.spaces();
            let (year, width) = behind.number().ok_or("it has no year")?;
            date.year = i32::try_from(year).map_err(|_| NOT_A_DATE)?;
            *self = behind;
            if date.zone.is_none() {
                date.zone = self.zone(true)?;
            }
            return if width == 4 { Ok(date) } else { Err(NOT_A_DATE) };
        }
        date.year = self.year_after_month()?;
        Ok(date)
    }

    /// The year of a date with a month's name: two digits as RFC 2822 has them.
    fn year_after_month(&mut self) -> Result<i32, &'static str> {
        if self.eat_any(&["-", "/", "."]).is_none() {
            self.comma_or_spaces();
        }
        if self.word_is("de") {
            self.spaces();
        }
        let (year, width) = self.number().ok_or("it has no year")?;
        let year = i32::try_from(year).map_err(|_| NOT_A_DATE)?;
        match width {
            4 => Ok(year),
            // That was the hour: `11 Apr 13:01` has no year.
            _ if self.rest.starts_with(':') => Err("it has no year"),
            3 => Ok(year + 1900),
            2 if year < 50 => Ok(year + 2000),
            2 => Ok(year + 1900),
            _ => Err(NOT_A_DATE),
        }
    }

    /// What separates a date from its time, and the time.
    fn time_after_date(&mut self, date: &mut Date) -> Result<Option<Time>, &'static str> {
        let mut ahead = *self;
        let joined = if ahead.eat_any(&["T", "t"]).is_some() {
            true
        } else {
            // The colon is the Common Log Format's.
            let colon = ahead.eat_any(&[":"]).is_some();
            let apart = ahead.comma_or_spaces() || colon;
            // `2022年4月11日13:01` has no blank.
            if !apart && !ahead.rest.starts_with(|c: char| c.is_ascii_digit() || is_cjk(c)) {
                return Ok(None);
            }
            if ahead.word_is("at") || ahead.word_is("um") || ahead.word_is("à") {
                ahead.spaces();
            } else {
                ahead.weekday();
            }
            false
        };
        match ahead.time(joined || date.basic)? {
            Some(time) => {
                if ahead.korean_half(self.rest) && date.zone.is_none() {
                    date.zone = Some(KOREA);
                }
                *self = ahead;
                Ok(Some(time))
            }
            None if joined => Err(NOT_A_DATE),
            None => Ok(None),
        }
    }

    /// A weekday, whatever day it names: people and exporters get it wrong.
    fn weekday(&mut self) {
        let mut ahead = *self;
        let word = ahead.word();
        if word.is_empty() {
            return;
        }
        let stopped = ahead.eat_any(&["."]).is_some();
        let mut behind = ahead;
        behind.spaces();
        let comma = behind.eat_any(&[","]).is_some();
        if comma {
            ahead = behind;
        }
        if names::is_weekday(word, comma || stopped) && (comma || stopped || ahead.rest.starts_with(' ')) {
            ahead.spaces();
            *self = ahead;
        }
    }

    fn month_name(&mut self) -> Option<u32> {
        let mut ahead = *self;
        let month = names::month(ahead.word())?;
        ahead.eat_any(&["."]);
        *self = ahead;
        Some(month)
    }
}

/// Korea has one zone and no summer time; its notation names it.
const KOREA: Zone = Zone::Offset(9 * 60);

fn on(day: NaiveDate) -> Date {
    use chrono::Datelike;
    Date { year: day.year(), month: day.month(), day: day.day(), ..Date::default() }
}

/// Midnight may be written as the end of a day, and a leap second counts as the next one.
fn join(day: NaiveDate, time: Time) -> Result<NaiveDateTime, &'static str> {
    let no_time = "there is no such time";
    if time.hour == 24 && time.minute == 0 && time.second == 0 {
        return day.succ_opt().map(|day| day.and_time(NaiveTime::MIN)).ok_or(no_time);
    }
    if time.second == 60 && time.minute == 59 {
        let last = day.and_hms_opt(time.hour, 59, 59).ok_or(no_time)?;
        return last.checked_add_signed(Duration::seconds(1)).ok_or(no_time);
    }
    day.and_hms_opt(time.hour, time.minute, time.second).ok_or(no_time)
}

#[cfg(test)]
mod tests;
