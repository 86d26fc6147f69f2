//! Proactive negotiation (RFC 9110 section 12): which media type and which content coding a client prefers. Pure.
//!
//! Members that cannot be read are ignored, as if they were not there. Weights are kept in thousandths, the precision
//! that RFC 9110 gives them.

use hyper::HeaderMap;
use hyper::header::{ACCEPT, ACCEPT_ENCODING, HeaderName};

use crate::entry::Format;
use crate::rendition::Coding;

/// A weight of 1.
const ONE: u16 = 1000;

/// What `/KEY` answers with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Media {
    /// The page for people.
    Html,
    /// A feed.
    Feed(Format),
}

/// Chooses for `/KEY` by `Accept`; `None` where nothing is acceptable (406).
///
/// HTML is chosen only where its weight is above that of every feed type. Ties go to the first of `formats`.
pub fn media(headers: &HeaderMap, formats: &[Format]) -> Option<Media> {
    let ranges = Ranges::of(headers);
    let mut best: Option<(Format, u16)> = None;
    for &format in formats {
        let weight = ranges.of_format(format);
        if weight > best.map_or(0, |(_, weight)| weight) {
            best = Some((format, weight));
        }
    }
    let html = ranges.weight("text/html", &[]);
    match best {
        Some((format, weight)) if weight >= html => Some(Media::Feed(format)),
        _ => (html > 0).then_some(Media::Html),
    }
}

/// In which form an error is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Prose {
    /// `text/html`.
    Html,
    /// `application/problem+json` (RFC 9457).
    Problem,
    /// `text/plain`.
    Text,
}

/// Chooses the form of an error: a page only for who names HTML, JSON only for who names JSON, else plain text.
pub fn prose(headers: &HeaderMap) -> Prose {
    let ranges = Ranges::of(headers);
    let named = |names: &[&str]| ranges.named(names).unwrap_or(0);
    let html = named(&["text/html", "application/xhtml+xml"]);
    let json = named(&["application/problem+json", "application/json", "application/feed+json"]);
    let text = named(&["text/plain"]);
    if html > 0 && html >= json && html >= text {
        Prose::Html
    } else if json > 0 && json >= text {
        Prose::Problem
    } else {
        Prose::Text
    }
}

/// Whether a client of `/metrics` asks for OpenMetrics before the text format.
pub fn wants_open_metrics(headers: &HeaderMap) -> bool {
    let ranges = Ranges::of(headers);
    ranges
        .named(&["application/openmetrics-text"])
        .is_some_and(|weight| weight > 0 && weight >= ranges.named(&["text/plain"]).unwrap_or(0))
}

/// The codings that a client takes (RFC 9110 section 12.5.3), with their weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Codings {
    identity: u16,
    gzip: u16,
    brotli: u16,
    zstd: u16,
}

impl Codings {
    /// Reads `Accept-Encoding`. Without it, bytes are sent as they are.
    pub fn of(headers: &HeaderMap) -> Codings {
        let mut star = None;
        let mut identity = None;
        let mut named = [None; 3];
        for member in members(headers, &ACCEPT_ENCODING) {
            let Some((name, weight)) = weighted(member) else { continue };
            let place = match () {
                () if name == "*" => &mut star,
                () if name.eq_ignore_ascii_case("identity") => &mut identity,
                () if name.eq_ignore_ascii_case("gzip") || name.eq_ignore_ascii_case("x-gzip") => &mut named[0],
                () if name.eq_ignore_ascii_case("br") => &mut named[1],
                () if name.eq_ignore_ascii_case("zstd") => &mut named[2],
                () => continue,
            };
            *place = Some(place.map_or(weight, |before: u16| before.max(weight)));
        }
        let weight = |name: Option<u16>| name.or(star).unwrap_or(0);
        Codings {
            // Acceptable unless excluded, but after everything that is named.
            identity: identity.or(star).unwrap_or(1),
            gzip: weight(named[0]),
            brotli: weight(named[1]),
            zstd: weight(named[2]),
        }
    }

    /// Whether a client takes a coding.
    pub fn accepts(&self, coding: Coding) -> bool {
        self.weight(coding) > 0
    }

    /// The coding to answer with: by weight, then by size. Brotli takes long to make: it is offered where it `is_ready`,
    /// or where the client takes no other coding. `None` where nothing is acceptable (406).
    pub fn choose(&self, is_ready: impl Fn(Coding) -> bool) -> Option<Coding> {
        let others = self.gzip > 0 || self.zstd > 0;
        // From the smallest result to the largest.
        [Coding::Brotli, Coding::Zstd, Coding::Gzip, Coding::Identity]
            .into_iter()
            .filter(|&coding| self.accepts(coding))
            .filter(|&coding| coding != Coding::Brotli || !others || is_ready(coding))
            // The first of those with the greatest weight.
            .rev()
            .max_by_key(|&coding| self.weight(coding))
    }

    fn weight(&self, coding: Coding) -> u16 {
        match coding {
            Coding::Identity => self.identity,
            Coding::Gzip => self.gzip,
            Coding::Brotli => self.brotli,
            Coding::Zstd => self.zstd,
        }
    }
}

/// The media ranges of `Accept` (RFC 9110 section 12.5.1), parameters other than the weight left out.
struct Ranges<'a>(Vec<(&'a str, u16)>);

impl<'a> Ranges<'a> {
    /// Without the field, or where nothing in it can be read, everything is acceptable.
    fn of(headers: &'a HeaderMap) -> Ranges<'a> {
        let mut ranges: Vec<_> = members(headers, &ACCEPT)
            .filter_map(weighted)
            .filter(|(range, _)| range.split_once('/').is_some_and(|(kind, sub)| !kind.is_empty() && !sub.is_empty()))
            .collect();
        if ranges.is_empty() {
            ranges.push(("*/*", ONE));
        }
        Ranges(ranges)
    }

    fn of_format(&self, format: Format) -> u16 {
        match format {
            Format::Rss => self.weight("application/rss+xml", &["application/xml", "text/xml"]),
            Format::Atom => self.weight("application/atom+xml", &["application/xml", "text/xml"]),
            Format::Json => self.weight("application/feed+json", &["application/json"]),
        }
    }

    /// The weight of a type: its own name before the names it also goes by, before `type/*`, before `*/*`.
    fn weight(&self, name: &str, aliases: &[&str]) -> u16 {
        let kind = name.split('/').next().unwrap_or_default();
        self.named(&[name])
            .or_else(|| self.named(aliases))
            .or_else(|| self.find(|range| range.strip_suffix("/*").is_some_and(|r| r.eq_ignore_ascii_case(kind))))
            .or_else(|| self.named(&["*/*"]))
            .unwrap_or(0)
    }

    fn named(&self, names: &[&str]) -> Option<u16> {
        self.find(|range| names.iter().any(|name| range.eq_ignore_ascii_case(name)))
    }

    fn find(&self, fits: impl Fn(&str) -> bool) -> Option<u16> {
        self.0.iter().filter(|(range, _)| fits(range)).map(|&(_, weight)| weight).max()
    }
}

/// The members of a list field (RFC 9110 section 5.6.1), over all its lines; commas in quoted strings do not split.
pub(super) fn members<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a str> {
    headers.get_all(name).iter().filter_map(|value| value.to_str().ok()).flat_map(split)
}

/// The members of one line of a list field.
pub(super) fn split(text: &str) -> impl Iterator<Item = &str> {
    // A backslash escapes nothing in an ETag, and quoted parameters of media types hold none.
    let mut quoted = false;
    text.split(move |c| {
        quoted ^= c == '"';
        c == ',' && !quoted
    })
    .map(str::trim)
    .filter(|member| !member.is_empty())
}

/// A name with its weight (RFC 9110 section 12.4.2), other parameters left out; `None` where the weight is none.
fn weighted(member: &str) -> Option<(&str, u16)> {
    let mut parts = member.split(';').map(str::trim);
    let name = parts.next()?;
    let weight = parts.find_map(|part| {
        let (name, value) = part.split_once('=')?;
        name.trim().eq_ignore_ascii_case("q").then_some(value.trim())
    });
    Some((name, weight.map_or(Some(ONE), thousandths)?))
}

fn thousandths(text: &str) -> Option<u16> {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    if !part.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    match whole {
        "1" => Some(ONE),
        "0" | "" if !text.is_empty() => {
            let digit = |at: usize| u16::from(part.as_bytes().get(at).map_or(0, |digit| digit - b'0'));
            let weight = 100 * digit(0) + 10 * digit(1) + digit(2);
            // Smaller than can be told, but not nothing.
            let more = part.bytes().any(|digit| digit != b'0');
            Some(if more { weight.max(1) } else { weight })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use hyper::header::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    const FORMATS: [Format; 3] = [Format::Rss, Format::Atom, Format::Json];

    fn with(name: &HeaderName, values: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(name, HeaderValue::from_str(value).expect("a value"));
        }
        headers
    }

    fn accept(value: &str) -> Option<Media> {
        media(&with(&ACCEPT, &[value]), &FORMATS)
    }

    #[test]
    fn media_types_are_chosen_by_weight() {
        use Format::{Atom, Json, Rss};
        let table = [
            ("*/*", Some(Media::Feed(Rss))),
            ("", Some(Media::Feed(Rss))),
            ("nonsense", Some(Media::Feed(Rss))),
            ("text/html", Some(Media::Html)),
            ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", Some(Media::Html)),
            ("text/html, application/xml", Some(Media::Feed(Rss))),
            ("text/html;q=0.5, application/atom+xml;q=0.5", Some(Media::Feed(Atom))),
            ("text/html;q=0.6, application/atom+xml;q=0.5", Some(Media::Html)),
            ("application/atom+xml", Some(Media::Feed(Atom))),
            ("APPLICATION/ATOM+XML", Some(Media::Feed(Atom))),
            ("application/feed+json", Some(Media::Feed(Json))),
            ("application/json", Some(Media::Feed(Json))),
            ("application/json;q=0.1, application/atom+xml;q=0.2", Some(Media::Feed(Atom))),
            ("application/xml", Some(Media::Feed(Rss))),
            ("text/xml", Some(Media::Feed(Rss))),
            ("application/rss+xml;q=0.2, application/xml;q=0.9", Some(Media::Feed(Atom))),
            ("application/rss+xml;q=0, */*", Some(Media::Feed(Atom))),
            ("application/*;q=0, text/html;q=0.1", Some(Media::Html)),
            ("application/rss+xml;version=2.0;q=0.3, application/feed+json;q=0.31", Some(Media::Feed(Json))),
            ("text/*", Some(Media::Html)),
            ("text/*, */*", Some(Media::Feed(Rss))),
            ("image/png", None),
            ("*/*;q=0", None),
            ("text/html;q=0, application/*;q=0", None),
            ("x/y;a=\"b,application/atom+xml\", application/feed+json", Some(Media::Feed(Json))),
        ];
        for (value, expected) in table {
            assert_eq!(accept(value), expected, "{value}");
        }
        assert_eq!(media(&HeaderMap::new(), &FORMATS), Some(Media::Feed(Rss)));
        assert_eq!(media(&HeaderMap::new(), &[Json, Rss]), Some(Media::Feed(Json)));
        assert_eq!(media(&with(&ACCEPT, &["application/rss+xml"]), &[Json]), None);
        assert_eq!(media(&with(&ACCEPT, &["image/png", "application/atom+xml"]), &FORMATS), Some(Media::Feed(Atom)));
    }

    #[test]
    fn codings_are_chosen_by_weight_then_size() {
        use Coding::{Brotli, Gzip, Identity, Zstd};
        // The coding without brotli at hand, and with it.
        let table = [
            ("", Some(Identity), Some(Identity)),
            ("gzip", Some(Gzip), Some(Gzip)),
            ("x-gzip", Some(Gzip), Some(Gzip)),
            ("GZIP", Some(Gzip), Some(Gzip)),
            ("gzip, deflate, br, zstd", Some(Zstd), Some(Brotli)),
            ("gzip, br", Some(Gzip), Some(Brotli)),
            ("br", Some(Brotli), Some(Brotli)),
            ("br, identity", Some(Brotli), Some(Brotli)),
            ("gzip;q=0.5, zstd;q=0.4", Some(Gzip), Some(Gzip)),
            ("gzip;q=0, br;q=0.001", Some(Brotli), Some(Brotli)),
            ("deflate", Some(Identity), Some(Identity)),
            ("identity, gzip;q=0.5", Some(Identity), Some(Identity)),
            ("*", Some(Zstd), Some(Brotli)),
            ("*;q=0", None, None),
            ("*;q=0, gzip", Some(Gzip), Some(Gzip)),
            ("identity;q=0", None, None),
            ("identity;q=0, gzip;q=0.000", None, None),
            ("identity;q=0, *", Some(Zstd), Some(Brotli)),
            ("*;q=0, identity", Some(Identity), Some(Identity)),
            ("gzip;q=nonsense, zstd;q=0.1", Some(Zstd), Some(Zstd)),
        ];
        for (value, cold, warm) in table {
            let codings = Codings::of(&with(&ACCEPT_ENCODING, &[value]));
            assert_eq!(codings.choose(|_| false), cold, "{value}");
            assert_eq!(codings.choose(|_| true), warm, "{value}");
        }
        assert_eq!(Codings::of(&HeaderMap::new()).choose(|_| true), Some(Identity));
    }

    #[test]
    fn errors_are_told_in_the_form_that_is_named() {
        for (value, expected) in [
            ("text/html,application/xhtml+xml,*/*;q=0.8", Prose::Html),
            ("application/json", Prose::Problem),
            ("*/*", Prose::Text),
            ("application/rss+xml", Prose::Text),
            ("text/plain, application/json", Prose::Problem),
            ("text/plain, application/json;q=0.5", Prose::Text),
        ] {
            assert_eq!(prose(&with(&ACCEPT, &[value])), expected, "{value}");
        }
    }

    #[test]
    fn a_scraper_gets_the_format_it_prefers() {
        let open = "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3,*/*;q=0.1";
        assert!(wants_open_metrics(&with(&ACCEPT, &[open])));
        assert!(!wants_open_metrics(&with(&ACCEPT, &["text/plain;version=0.0.4;q=0.5,*/*;q=0.1"])));
        assert!(!wants_open_metrics(&HeaderMap::new()));
    }

    #[test]
    fn weights_have_three_digits() {
        for (text, expected) in [
            ("1", Some(1000)),
            ("1.000", Some(1000)),
            ("0", Some(0)),
            ("0.", Some(0)),
            ("0.5", Some(500)),
            (".5", Some(500)),
            ("0.1234", Some(123)),
            ("0.0001", Some(1)),
            ("2", None),
            ("-1", None),
            ("", None),
            ("0.x", None),
        ] {
            assert_eq!(thousandths(text), expected, "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_chosen_is_accepted(value in "((gzip|br|zstd|identity|\\*)(;q=[01](\\.[0-9]{0,3})?)?,? ?){0,5}", ready: bool) {
            let codings = Codings::of(&with(&ACCEPT_ENCODING, &[&value]));
            match codings.choose(|_| ready) {
                Some(coding) => prop_assert!(codings.accepts(coding)),
                None => prop_assert!(Coding::ALL.into_iter().all(|coding| !codings.accepts(coding))),
            }
        }

        #[test]
        fn any_field_is_read(value in "[ -~]{0,60}") {
            let headers = with(&ACCEPT, &[&value]);
            let _ = media(&headers, &FORMATS);
            let _ = prose(&headers);
            let _ = Codings::of(&with(&ACCEPT_ENCODING, &[&value]));
        }

        #[test]
        fn html_wins_only_above_every_feed(html in 0u16..=1000, feeds in prop::array::uniform3(0u16..=1000)) {
            let q = |n: u16| format!("{}.{:03}", n / 1000, n % 1000);
            let value = format!(
                "text/html;q={}, application/rss+xml;q={}, application/atom+xml;q={}, application/feed+json;q={}",
                q(html), q(feeds[0]), q(feeds[1]), q(feeds[2])
            );
            let best = *feeds.iter().max().expect("three");
            let expected = if html > best {
                Some(Media::Html)
            } else if best > 0 {
                FORMATS.into_iter().zip(feeds).find(|(_, n)| *n == best).map(|(format, _)| Media::Feed(format))
            } else {
                None
            };
            prop_assert_eq!(accept(&value), expected);
        }
    }
}
