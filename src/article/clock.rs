//! The time of day and the zone in a date's text.

use chrono_tz::Tz;

use super::cursor::Cursor;
use super::date::NOT_A_DATE;
use super::names;

/// A time of day, not yet checked.
#[derive(Clone, Copy, Default)]
pub(super) struct Time {
    pub hour: u32,
    pub minute: u32,
    pub second: u32,
}

/// What a date says about its zone.
#[derive(Clone, Copy)]
pub(super) enum Zone {
    /// Minutes east of UTC.
    Offset(i32),
    /// A place, whose offset depends on the day.
    Place(Tz),
}

#[derive(Clone, Copy)]
enum Half {
    Morning,
    Afternoon,
}

impl Cursor<'_> {
    /// Whether what was read since `before` names the halves of the day in Korean.
    pub(super) fn korean_half(self, before: &str) -> bool {
        let read = &before[..before.len() - self.rest.len()];
        read.contains("오전") || read.contains("오후")
    }

    /// `13:01[:53[.123]]`, `1:01 pm`, `1 pm`, `13时1分53秒`, `下午1:01`; `130153` where `basic`. `None` where no time begins.
    pub(super) fn time(&mut self, basic: bool) -> Result<Option<Time>, &'static str> {
        let mut ahead = *self;
        let mut half = ahead.eat_any(&["上午", "午前", "早上", "凌晨", "오전"]).map(|_| Half::Morning);
        if half.is_none() {
            half = ahead.eat_any(&["下午", "午後", "午后", "晚上", "오후"]).map(|_| Half::Afternoon);
        }
        ahead.spaces();
        let before = ahead;
        let Some((hour, width)) = ahead.number() else {
            return if half.is_some() { Err(NOT_A_DATE) } else { Ok(None) };
        };
        let mut time = Time { hour, ..Time::default() };
        if basic && matches!(width, 4 | 6) {
            let part = |at: usize| before.rest.get(at..at + 2).and_then(|part| part.parse().ok()).unwrap_or(0);
            time = Time { hour: part(0), minute: part(2), second: if width == 6 { part(4) } else { 0 } };
            ahead.fraction()?;
        } else if width > 2 {
            return Ok(None);
        } else if ahead.colon() {
            time.minute = ahead.two_digits()?;
            if ahead.colon() {
                time.second = ahead.two_digits()?;
                ahead.fraction()?;
            }
            if ahead.rest.starts_with(':') {
                return Err(NOT_A_DATE);
            }
        } else if ahead.eat_any(&["时", "時", "点", "點", "시"]).is_some() {
            ahead.spaces();
            if let Some((minute, 1 | 2)) = ahead.number() {
                ahead.spaces();
                ahead.eat_any(&["分", "분"]).ok_or(NOT_A_DATE)?;
                time.minute = minute;
                ahead.spaces();
                let mut seconds = ahead;
                if let Some((second, 1 | 2)) = seconds.number() {
                    seconds.spaces();
                    seconds.eat_any(&["秒", "초"]).ok_or(NOT_A_DATE)?;
                    time.second = second;
                    ahead = seconds;
                }
            }
        } else if half.is_none() && !ahead.half_follows() {
            return Ok(None);
        }
        let mut behind = ahead;
        behind.spaces();
        if half.is_none() {
            half = behind.half();
            if half.is_some() {
                ahead = behind;
            }
        }
        time.hour = match (half, time.hour) {
            (None, hour) => hour,
            (Some(Half::Morning), 12) => 0,
            (Some(Half::Morning), hour @ 0..=11) => hour,
            (Some(Half::Afternoon), hour @ 1..=11) => hour + 12,
            (Some(Half::Afternoon), hour @ 12..=23) => hour,
            _ => return Err("the hour does not fit its half of the day"),
        };
        *self = ahead;
        Ok(Some(time))
    }

    fn half(&mut self) -> Option<Half> {
        let mut ahead = *self;
        let word = ahead.word().to_ascii_lowercase();
        let half = match word.as_str() {
            "am" => Half::Morning,
            "pm" => Half::Afternoon,
            "a" | "p" if ahead.eat_any(&[".m.", ".M."]).is_some() => {
                if word == "a" {
                    Half::Morning
                } else {
                    Half::Afternoon
                }
            }
            _ => return None,
        };
        *self = ahead;
        Some(half)
    }

    pub(super) fn half_follows(mut self) -> bool {
        self.spaces();
        self.half().is_some()
    }

    /// A doubled colon is a slip of the finger that leaves one reading only.
    fn colon(&mut self) -> bool {
        self.eat_any(&["::", ":"]).is_some()
    }

    fn two_digits(&mut self) -> Result<u32, &'static str> {
        match self.number() {
            Some((number, 1 | 2)) => Ok(number),
            _ => Err(NOT_A_DATE),
        }
    }

    fn fraction(&mut self) -> Result<(), &'static str> {
        let mut ahead = *self;
        if ahead.eat_any(&[".", ","]).is_some() {
            let digits = ahead.rest.bytes().take_while(u8::is_ascii_digit).count();
            if digits > 0 {
                ahead.rest = &ahead.rest[digits..];
                *self = ahead;
            } else if self.rest.starts_with('.') {
                return Err(NOT_A_DATE);
            }
        }
        Ok(())
    }

    /// `Z`, `+08:00`, `GMT+8`, `CEST`, `Asia/Shanghai`, `+0800 CST`. Behind a date alone a minus sign means nothing.
    pub(super) fn zone(&mut self, after_time: bool) -> Result<Option<Zone>, &'static str> {
        let mut ahead = *self;
        let spaced = ahead.comma_or_spaces();
        if let Some(sign) = ahead.eat_any(&["+", "-"]) {
            if !after_time && !spaced && sign == "-" {
                return Err(NOT_A_DATE);
            }
            let zone = ahead.offset(sign)?;
            *self = ahead;
            // Go writes the name behind the offset; the offset is exact, whatever the name says.
            let apart = ahead.spaces();
            let name = ahead.word();
            let is_name = names::zone(name).is_some() || name.bytes().all(|b| b.is_ascii_uppercase());
            if apart && !name.is_empty() && is_name && ahead.rest.is_empty() {
                *self = ahead;
            }
            return Ok(Some(zone));
        }
        if ahead.eat_any(&["北京时间", "北京時間"]).is_some() {
            *self = ahead;
            return Ok(Some(Zone::Offset(8 * 60)));
        }
        let name = ahead.zone_name();
        if name.is_empty() {
            return Ok(None);
        }
        let zone = match names::zone(name) {
            Some(names::Zone::Minutes(minutes)) => Zone::Offset(minutes),
            Some(names::Zone::Place(place)) => Zone::Place(place),
            None => match name.parse::<Tz>() {
                Ok(place) if name.contains('/') => Zone::Place(place),
                _ => return Err("its zone is not known"),
            },
        };
        *self = ahead;
        if let Zone::Offset(0) = zone
            && !name.eq_ignore_ascii_case("z")
            && let Some(sign) = ahead.eat_any(&["+", "-"])
        {
            let zone = ahead.offset(sign)?;
            *self = ahead;
            return Ok(Some(zone));
        }
        Ok(Some(zone))
    }

    /// `08:00`, `0800`, `08`, `8`, behind the sign.
    fn offset(&mut self, sign: &str) -> Result<Zone, &'static str> {
        let (number, width) = self.number().ok_or("its zone is not known")?;
        let (hours, minutes) = match width {
            1 | 2 if self.eat_any(&[":"]).is_some() => match self.number() {
                Some((minutes, 2)) => (number, minutes),
                _ => return Err("its zone is not known"),
            },
            1 | 2 => (number, 0),
            3 | 4 => (number / 100, number % 100),
            _ => return Err("its zone is not known"),
        };
        if hours > 14 || minutes > 59 || self.rest.starts_with(':') {
            return Err("there is no such zone");
        }
        let east = i32::try_from(hours * 60 + minutes).map_err(|_| NOT_A_DATE)?;
        Ok(Zone::Offset(if sign == "-" { -east } else { east }))
    }
}
