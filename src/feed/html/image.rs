//! Pictures: the address that is meant, also where a script would have put it in place.

use super::refs;
use super::token::Attributes;
use crate::feed::link::Base;

/// Attributes in which lazy loaders keep the address, the surest first.
const LAZY: [&str; 10] = [
    "data-original",
    "data-src",
    "data-lazy-src",
    "data-actualsrc",
    "data-lazyload",
    "data-lazy",
    "data-echo",
    "data-url",
    "zoomfile",
    "file",
];

/// Words in the address of a picture that only holds a place.
const PLACEHOLDERS: [&str; 9] =
    ["placeholder", "loading", "spacer", "blank.", "lazy", "grey.gif", "gray.gif", "1x1", "transparent"];

/// Where a picture comes from.
#[derive(Debug, Default)]
pub(super) struct Picture<'a> {
    pub(super) src: Option<String>,
    pub(super) srcset: Option<String>,
    /// As written.
    pub(super) alt: Option<&'a str>,
    /// The address was found where only a script would have looked.
    pub(super) revived: bool,
}

impl<'a> Picture<'a> {
    /// Reads the attributes of an `img`.
    pub(super) fn of(attributes: Attributes<'a>, base: &Base) -> Picture<'a> {
        let mut picture = Picture::default();
        let mut src = None;
        let mut lazy: [Option<&str>; LAZY.len()] = [None; LAZY.len()];
        let mut sets = [None; 2];
        for (name, value) in attributes {
            let name = name.to_ascii_lowercase();
            match name.as_str() {
                "src" => src = src.or(Some(value)),
                "alt" => picture.alt = picture.alt.or(Some(value)),
                "srcset" => sets[0] = sets[0].or(Some(value)),
                "data-srcset" | "data-lazy-srcset" => sets[1] = sets[1].or(Some(value)),
                name => {
                    if let Some(at) = LAZY.iter().position(|known| *known == name) {
                        lazy[at] = lazy[at].or(Some(value));
                    }
                }
            }
        }
        let web = |value: &str| base.web(&refs::plain(value));
        let own = src.and_then(web);
        let later = lazy.into_iter().flatten().find_map(web);
        let holds_place = own.as_deref().is_none_or(|own| {
            let lower = own.to_ascii_lowercase();
            PLACEHOLDERS.iter().any(|word| lower.contains(word))
        });
        picture.srcset = sets.into_iter().flatten().find_map(|set| srcset(&refs::plain(set), base));
        picture.revived = holds_place && (later.is_some() || sets[0].is_none() && picture.srcset.is_some());
        picture.src = if holds_place { later.or(own) } else { own };
        picture
    }
}

/// A `srcset` with absolute addresses; `None` where no candidate is left.
pub(super) fn srcset(set: &str, base: &Base) -> Option<String> {
    let blank = |c: char| c.is_ascii_whitespace();
    let mut out = String::new();
    let mut rest = set;
    loop {
        rest = rest.trim_start_matches(|c| blank(c) || c == ',');
        if rest.is_empty() {
            return Some(out).filter(|out| !out.is_empty());
        }
        let end = rest.find(blank).unwrap_or(rest.len());
        let (address, after) = rest.split_at(end);
        let bare = address.trim_end_matches(',');
        let (descriptor, after) = if bare.len() < address.len() {
            ("", after)
        } else {
            let end = after.find(',').unwrap_or(after.len());
            (after[..end].trim(), &after[end..])
        };
        rest = after;
        let sound = descriptor.is_empty()
            || descriptor.len() <= 12
                && descriptor.ends_with(['w', 'x', 'h'])
                && descriptor[..descriptor.len() - 1].bytes().all(|b| b.is_ascii_digit() || b == b'.');
        if let Some(url) = base.web(bare).filter(|_| sound) {
            if !out.is_empty() {
                out.push_str(", ");
            }
            // A comma at its end would be taken for the end of the candidate.
            out.push_str(&url.replace(',', "%2C"));
            if !descriptor.is_empty() {
                out.push(' ');
                out.push_str(descriptor);
            }
        }
    }
}
