//! Conditional requests (RFC 9110 section 13): whether a client already has what it asks for. Pure.
//!
//! Precedence is that of section 13.2.2: `If-Match`, or else `If-Unmodified-Since`; then `If-None-Match`, or else
//! `If-Modified-Since`. A document's ETags differ by coding; one counts only where the client takes that coding now.

use std::time::SystemTime;

use hyper::HeaderMap;
use hyper::header::{HeaderName, IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_UNMODIFIED_SINCE};

use super::negotiate::{Codings, members};
use crate::entry::Timestamp;
use crate::rendition::{Coding, ETag, Validators};

/// What caches and proxies append to an ETag when they change the coding on the way.
const SUFFIXES: [&[u8]; 10] =
    [b"--gzip", b"-gzip", b";gzip", b"-br", b";br", b"-zstd", b";zstd", b"-deflate", b"-df", b";gz"];

/// What the preconditions of a request come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Answer as if there were none.
    Proceed,
    /// 304; with the coding whose ETag the client named, if it named one.
    NotModified(Option<Coding>),
    /// 412.
    Failed,
}

/// Evaluates the preconditions of a GET or HEAD on a document that exists.
pub fn evaluate(headers: &HeaderMap, validators: &Validators, codings: &Codings) -> Verdict {
    let modified = modified(validators).map(|time| time.timestamp());
    let unmodified_since = |date: i64| modified.is_none_or(|modified| modified <= date);
    if headers.contains_key(IF_MATCH) {
        if matched(headers, &IF_MATCH, Comparison::Strong, validators, codings) == Match::None {
            return Verdict::Failed;
        }
    } else if date(headers, &IF_UNMODIFIED_SINCE).is_some_and(|date| !unmodified_since(date)) {
        return Verdict::Failed;
    }
    if headers.contains_key(IF_NONE_MATCH) {
        return match matched(headers, &IF_NONE_MATCH, Comparison::Weak, validators, codings) {
            Match::None => Verdict::Proceed,
            Match::Any => Verdict::NotModified(None),
            Match::Coding(coding) => Verdict::NotModified(Some(coding)),
        };
    }
    // It means nothing for a document without a date (section 13.1.3).
    if modified.is_some() && date(headers, &IF_MODIFIED_SINCE).is_some_and(unmodified_since) {
        return Verdict::NotModified(None);
    }
    Verdict::Proceed
}

/// When a document was last modified; what belongs to the release, such as the style sheet, has no date.
fn modified(validators: &Validators) -> Option<Timestamp> {
    Some(validators.modified).filter(|time| time.timestamp() > 0)
}

/// The `Last-Modified` to send at a time, if any (RFC 9110 section 8.8.2).
///
/// Within the very second of a change it is sent less one second, so that a second change in the same second is not
/// missed; it is never later than now.
pub fn last_modified(validators: &Validators, now: Timestamp) -> Option<Timestamp> {
    let modified = modified(validators)?;
    Some(if modified.timestamp() < now.timestamp() { modified } else { now - chrono::TimeDelta::seconds(1) })
}

/// How ETags are compared (RFC 9110 section 8.8.3.2).
#[derive(Clone, Copy, PartialEq, Eq)]
enum Comparison {
    Strong,
    Weak,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Match {
    None,
    /// `*`.
    Any,
    Coding(Coding),
}

fn matched(
    headers: &HeaderMap,
    name: &HeaderName,
    comparison: Comparison,
    validators: &Validators,
    codings: &Codings,
) -> Match {
    let tags =
        Coding::ALL.map(|coding| codings.accepts(coding).then(|| (coding, ETag::new(&validators.stamp, coding))));
    let mut any = false;
    for member in members(headers, name) {
        if member == "*" {
            any = true;
            continue;
        }
        let (weak, tag) = match member.strip_prefix("W/").or_else(|| member.strip_prefix("w/")) {
            Some(tag) => (true, tag),
            None => (false, member),
        };
        if weak && comparison == Comparison::Strong {
            continue;
        }
        if let Some(coding) =
            tags.iter().flatten().find(|(_, ours)| names(tag.as_bytes(), ours)).map(|&(coding, _)| coding)
        {
            return Match::Coding(coding);
        }
    }
    if any { Match::Any } else { Match::None }
}

/// Whether a client's tag is ours, quotes lost or a proxy's suffix added on the way.
fn names(tag: &[u8], ours: &ETag) -> bool {
    if tag == ours.as_bytes() {
        return true;
    }
    let mut tag = bare(tag);
    // Each proxy on the way may have added one; a suffix may also stand behind the closing quote.
    for _ in 0..3 {
        if tag == ours.opaque() {
            return true;
        }
        let Some(shorter) = SUFFIXES.iter().find_map(|suffix| tag.strip_suffix(*suffix)) else { return false };
        tag = bare(shorter);
    }
    tag == ours.opaque()
}

fn bare(tag: &[u8]) -> &[u8] {
    let tag = tag.strip_prefix(b"\"").unwrap_or(tag);
    tag.strip_suffix(b"\"").unwrap_or(tag)
}

/// A date in any of the three forms of RFC 9110 section 5.6.7, in seconds since 1970; `None` where the field is
/// absent, stands twice or holds no date.
fn date(headers: &HeaderMap, name: &HeaderName) -> Option<i64> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?;
    if values.next().is_some() {
        return None;
    }
    let time = httpdate::parse_http_date(value.to_str().ok()?.trim()).ok()?;
    let since = time.duration_since(SystemTime::UNIX_EPOCH).ok()?;
    i64::try_from(since.as_secs()).ok()
}

#[cfg(test)]
mod tests {
    use hyper::header::{ACCEPT_ENCODING, HeaderValue};
    use proptest::prelude::*;

    use super::*;

    const MODIFIED: &str = "Mon, 11 Apr 2022 13:01:53 GMT";
    const EARLIER: &str = "Mon, 11 Apr 2022 13:01:52 GMT";
    const LATER: &str = "Monday, 11-Apr-22 13:01:54 GMT";

    fn validators() -> Validators {
        Validators { stamp: [7; 32], modified: Timestamp::from_timestamp(1_649_682_113, 0).expect("a time") }
    }

    fn verdict(fields: &[(HeaderName, &str)]) -> Verdict {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(name, HeaderValue::from_str(value).expect("a value"));
        }
        evaluate(&headers, &validators(), &Codings::of(&headers))
    }

    fn tag(coding: Coding) -> String {
        String::from_utf8(ETag::new(&validators().stamp, coding).as_bytes().to_vec()).expect("ASCII")
    }

    #[test]
    fn if_none_match_compares_weakly_and_takes_lists() {
        let plain = tag(Coding::Identity);
        let bare = plain.trim_matches('"').to_owned();
        let same = Verdict::NotModified(Some(Coding::Identity));
        for (value, expected) in [
            (plain.clone(), same),
            (format!("W/{plain}"), same),
            (format!("\"a,b\", \"x\", {plain}"), same),
            (bare.clone(), same),
            (format!("\"{bare}-gzip\""), same),
            (format!("W/\"{bare};br\""), same),
            (format!("\"{bare}\"-gzip"), same),
            (format!("\"{bare}-gzip-gzip\""), same),
            ("*".to_owned(), Verdict::NotModified(None)),
            ("\"x\"".to_owned(), Verdict::Proceed),
            (format!("\"{bare}x\""), Verdict::Proceed),
            (String::new(), Verdict::Proceed),
            ("\"".to_owned(), Verdict::Proceed),
        ] {
            assert_eq!(verdict(&[(IF_NONE_MATCH, &value)]), expected, "{value}");
        }
        assert_eq!(verdict(&[(IF_NONE_MATCH, "\"x\""), (IF_NONE_MATCH, &plain)]), same);
    }

    #[test]
    fn an_etag_counts_only_in_a_coding_that_is_taken() {
        let gzip = tag(Coding::Gzip);
        assert_eq!(verdict(&[(IF_NONE_MATCH, &gzip)]), Verdict::Proceed);
        assert_eq!(
            verdict(&[(IF_NONE_MATCH, &gzip), (ACCEPT_ENCODING, "br, gzip")]),
            Verdict::NotModified(Some(Coding::Gzip))
        );
        assert_eq!(
            verdict(&[(IF_NONE_MATCH, &tag(Coding::Identity)), (ACCEPT_ENCODING, "gzip, identity;q=0")]),
            Verdict::Proceed
        );
        let bare = gzip.trim_matches('"');
        assert_eq!(
            verdict(&[(IF_NONE_MATCH, &format!("\"{bare}-gzip\"")), (ACCEPT_ENCODING, "gzip")]),
            Verdict::NotModified(Some(Coding::Gzip))
        );
    }

    #[test]
    fn if_modified_since_compares_by_order() {
        for (value, expected) in [
            (MODIFIED, Verdict::NotModified(None)),
            (LATER, Verdict::NotModified(None)),
            ("Mon Apr 11 13:01:53 2022", Verdict::NotModified(None)),
            (EARLIER, Verdict::Proceed),
            ("Mon, 11 Apr 2022 13:01:53 +0000", Verdict::Proceed),
            ("yesterday", Verdict::Proceed),
            ("", Verdict::Proceed),
        ] {
            assert_eq!(verdict(&[(IF_MODIFIED_SINCE, value)]), expected, "{value}");
        }
    }

    #[test]
    fn dates_mean_nothing_for_a_document_without_one() {
        let validators = Validators { stamp: [7; 32], modified: Timestamp::default() };
        for name in [IF_MODIFIED_SINCE, IF_UNMODIFIED_SINCE] {
            let headers = [(name, HeaderValue::from_static(LATER))].into_iter().collect();
            assert_eq!(evaluate(&headers, &validators, &Codings::of(&headers)), Verdict::Proceed);
        }
    }

    #[test]
    fn precedence_is_that_of_the_rfc() {
        let plain = tag(Coding::Identity);
        let same = Verdict::NotModified(Some(Coding::Identity));
        // A tag that does not match is not saved by a date.
        assert_eq!(verdict(&[(IF_NONE_MATCH, "\"x\""), (IF_MODIFIED_SINCE, LATER)]), Verdict::Proceed);
        assert_eq!(verdict(&[(IF_NONE_MATCH, &plain), (IF_MODIFIED_SINCE, EARLIER)]), same);
        assert_eq!(verdict(&[(IF_MATCH, "\"x\""), (IF_NONE_MATCH, &plain)]), Verdict::Failed);
        assert_eq!(verdict(&[(IF_MATCH, &plain), (IF_NONE_MATCH, &plain)]), same);
        assert_eq!(verdict(&[(IF_MATCH, &plain), (IF_UNMODIFIED_SINCE, EARLIER)]), Verdict::Proceed);
        assert_eq!(verdict(&[(IF_MATCH, "*")]), Verdict::Proceed);
        assert_eq!(verdict(&[(IF_MATCH, &format!("W/{plain}"))]), Verdict::Failed);
        assert_eq!(verdict(&[(IF_UNMODIFIED_SINCE, EARLIER)]), Verdict::Failed);
        assert_eq!(verdict(&[(IF_UNMODIFIED_SINCE, MODIFIED)]), Verdict::Proceed);
        assert_eq!(verdict(&[(IF_UNMODIFIED_SINCE, "nonsense")]), Verdict::Proceed);
        assert_eq!(verdict(&[]), Verdict::Proceed);
    }

    #[test]
    fn last_modified_is_before_the_present_second() {
        let at = |second| Timestamp::from_timestamp(second, 0).expect("a time");
        let sent = |modified, now| last_modified(&Validators { stamp: [0; 32], modified: at(modified) }, at(now));
        assert_eq!(sent(100, 200), Some(at(100)));
        assert_eq!(sent(100, 101), Some(at(100)));
        assert_eq!(sent(100, 100), Some(at(99)));
        assert_eq!(sent(100, 50), Some(at(49)));
        assert_eq!(sent(0, 50), None);
    }

    proptest! {
        #[test]
        fn any_field_is_read(value in "[ -~]{0,60}") {
            for name in [IF_MATCH, IF_NONE_MATCH, IF_MODIFIED_SINCE, IF_UNMODIFIED_SINCE] {
                let _ = verdict(&[(name, &value)]);
            }
        }

        #[test]
        fn a_sent_date_that_comes_back_is_fresh_once_the_second_is_over(modified in 1i64..4_000_000_000, later in 1i64..1000) {
            let modified = Timestamp::from_timestamp(modified, 0).expect("a time");
            let now = modified + chrono::TimeDelta::seconds(later);
            let validators = Validators { stamp: [0; 32], modified };
            let sent = httpdate::fmt_http_date(last_modified(&validators, now).expect("a date").into());
            let mut headers = HeaderMap::new();
            headers.insert(IF_MODIFIED_SINCE, HeaderValue::from_str(&sent).expect("a value"));
            prop_assert_eq!(evaluate(&headers, &validators, &Codings::of(&headers)), Verdict::NotModified(None));
        }
    }
}
