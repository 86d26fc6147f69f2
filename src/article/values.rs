//! What a value means where a field may be written in several shapes: a flag, an address, an enclosure.

use super::{Media, text};
use crate::yaml::{Kind, Value};

/// Most enclosures of an article.
pub(super) const MAX_MEDIA: usize = 16;

/// What a flag says; `None` where it says neither.
pub(super) fn truth(value: &Value) -> Option<bool> {
    match value.as_str()?.trim().to_ascii_lowercase().as_str() {
        "true" | "yes" | "on" | "1" | "y" => Some(true),
        "false" | "no" | "off" | "0" | "n" | "" => Some(false),
        _ => None,
    }
}

pub(super) fn one_text(value: &Value) -> Option<String> {
    match value {
        Value::Scalar(scalar) => Some(text::one_line(&scalar.text)),
        Value::List(items) => items.first().and_then(one_text),
        Value::Null | Value::Map(_) => None,
    }
}

/// The addresses of an image: a text, the first of a list, or what a mapping has under its usual names.
pub(super) fn addresses(value: &Value) -> Vec<&str> {
    match value {
        Value::Null => Vec::new(),
        // `image: false` switches a theme's picture off.
        Value::Scalar(scalar) if scalar.text.trim().is_empty() || scalar.kind != Kind::Text => Vec::new(),
        Value::Scalar(scalar) => vec![&scalar.text],
        Value::List(items) => items.iter().flat_map(addresses).collect(),
        Value::Map(entries) => ["url", "src", "path", "href", "image", "feature"]
            .iter()
            .filter_map(|name| entries.iter().find(|entry| entry.key.eq_ignore_ascii_case(name)))
            .flat_map(|entry| addresses(&entry.value))
            .collect(),
    }
}

/// The enclosures of a value: texts, mappings with `url`, `length` and `type`, WordPress's three lines, lists of these.
pub(super) fn enclosures(value: &Value, out: &mut Vec<Media>) {
    match value {
        Value::Null => {}
        Value::Scalar(scalar) if scalar.kind != Kind::Text => {}
        Value::Scalar(scalar) => {
            let mut lines = scalar.text.lines().map(str::trim).filter(|line| !line.is_empty());
            let Some(url) = lines.next() else { return };
            let length = lines.next().and_then(|line| line.parse().ok()).unwrap_or(0);
            let media_type = lines.next().map(str::to_owned).filter(|line| is_media_type(line));
            out.push(Media { url: url.to_owned(), media_type, length });
        }
        Value::List(items) => items.iter().take(MAX_MEDIA * 2).for_each(|item| enclosures(item, out)),
        Value::Map(entries) => {
            let under = |names: &[&str]| {
                names.iter().find_map(|name| {
                    entries
                        .iter()
                        .find(|entry| entry.key.eq_ignore_ascii_case(name))
                        .and_then(|entry| entry.value.as_str())
                })
            };
            let Some(url) = under(&["url", "src", "href", "file", "path"]) else { return };
            out.push(Media {
                url: url.trim().to_owned(),
                media_type: under(&["type", "mime", "media_type", "mimetype"])
                    .map(|text| text.trim().to_ascii_lowercase())
                    .filter(|text| is_media_type(text)),
                length: under(&["length", "size", "bytes"]).and_then(|text| text.trim().parse().ok()).unwrap_or(0),
            });
        }
    }
}

fn is_media_type(text: &str) -> bool {
    let fine =
        |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&b));
    text.split_once('/').is_some_and(|(kind, subtype)| fine(kind) && fine(subtype))
}

/// An absolute IRI, by its scheme.
pub(super) fn is_iri(id: &str) -> bool {
    let Some((scheme, rest)) = id.split_once(':') else { return false };
    let known = ["http", "https", "urn", "tag"].iter().any(|known| known.eq_ignore_ascii_case(scheme));
    known && rest.len() > 2 && !id.contains([' ', '<', '>', '"'])
}

/// Year, month and day of an address such as `/2022/04/11/name/`.
pub(super) fn dated_path(path: &str) -> Option<(i32, u32, u32)> {
    let parts: Vec<&str> = path.split('/').collect();
    parts.windows(3).find_map(|window| {
        let number = |text: &str, widths: std::ops::RangeInclusive<usize>| {
            (widths.contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit()))
                .then(|| text.parse::<u32>().ok())
                .flatten()
        };
        let year = number(window[0], 4..=4)?;
        let (month, day) = (number(window[1], 1..=2)?, number(window[2], 1..=2)?);
        chrono::NaiveDate::from_ymd_opt(i32::try_from(year).ok()?, month, day)?;
        Some((i32::try_from(year).ok()?, month, day))
    })
}
