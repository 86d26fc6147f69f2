//! Which elements and attributes are published: one list, for the tidying before and for the sanitiser after it.

use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

use ammonia::{Builder, UrlRelative};

/// Elements with the attributes that they may have besides [`ANYWHERE`], sorted by name.
const ELEMENTS: [(&str, &[&str]); 73] = [
    ("a", &["href", "hreflang"]),
    ("abbr", &[]),
    ("article", &[]),
    ("audio", &["src", "controls"]),
    ("b", &[]),
    ("bdi", &[]),
    ("bdo", &[]),
    ("blockquote", &["cite"]),
    ("br", &[]),
    ("caption", &[]),
    ("center", &[]),
    ("cite", &[]),
    ("code", &[]),
    ("col", &["span"]),
    ("colgroup", &["span"]),
    ("dd", &[]),
    ("del", &["cite", "datetime"]),
    ("details", &[]),
    ("dfn", &[]),
    ("div", &[]),
    ("dl", &[]),
    ("dt", &[]),
    ("em", &[]),
    ("figcaption", &[]),
    ("figure", &[]),
    ("footer", &[]),
    ("h1", &[]),
    ("h2", &[]),
    ("h3", &[]),
    ("h4", &[]),
    ("h5", &[]),
    ("h6", &[]),
    ("header", &[]),
    ("hr", &[]),
    ("i", &[]),
    ("img", &["src", "srcset", "sizes", "alt", "width", "height", "referrerpolicy"]),
    ("ins", &["cite", "datetime"]),
    ("kbd", &[]),
    ("li", &["value"]),
    ("mark", &[]),
    ("ol", &["start"]),
    ("p", &[]),
    ("picture", &[]),
    ("pre", &[]),
    ("q", &["cite"]),
    ("rp", &[]),
    ("rt", &[]),
    ("ruby", &[]),
    ("s", &[]),
    ("samp", &[]),
    ("section", &[]),
    ("small", &[]),
    ("source", &["src", "srcset", "sizes", "type", "media"]),
    ("span", &[]),
    ("strike", &[]),
    ("strong", &[]),
    ("sub", &[]),
    ("summary", &[]),
    ("sup", &[]),
    ("table", &[]),
    ("tbody", &[]),
    ("td", &["colspan", "rowspan", "align"]),
    ("tfoot", &[]),
    ("th", &["colspan", "rowspan", "align", "scope"]),
    ("thead", &[]),
    ("time", &["datetime"]),
    ("tr", &[]),
    ("tt", &[]),
    ("u", &[]),
    ("ul", &[]),
    ("var", &[]),
    ("video", &["src", "poster", "controls", "width", "height"]),
    ("wbr", &[]),
];

/// Attributes that every element may have.
const ANYWHERE: [&str; 3] = ["lang", "dir", "title"];

/// An element that may be published.
#[derive(Clone, Copy, Debug)]
pub(super) struct Element {
    /// In lower case.
    pub(super) name: &'static str,
    attributes: &'static [&'static str],
}

impl Element {
    /// The element of a name in any case.
    pub(super) fn of(name: &str) -> Option<Element> {
        let mut buffer = [0; 16];
        let lower = buffer.get_mut(..name.len())?;
        lower.copy_from_slice(name.as_bytes());
        lower.make_ascii_lowercase();
        let at = ELEMENTS.binary_search_by(|(known, _)| known.as_bytes().cmp(lower)).ok()?;
        let (name, attributes) = ELEMENTS[at];
        Some(Element { name, attributes })
    }

    /// The name of an attribute in lower case, if the element may have it.
    pub(super) fn attribute(self, name: &str) -> Option<&'static str> {
        ANYWHERE.iter().chain(self.attributes).find(|known| known.eq_ignore_ascii_case(name)).copied()
    }
}

/// The sanitiser. It has nothing to change in what the tidying wrote, or the result is tidied again.
pub(super) static SANITISER: LazyLock<Builder<'static>> = LazyLock::new(|| {
    let mut builder = Builder::empty();
    builder
        .tags(ELEMENTS.iter().map(|(name, _)| *name).collect())
        .tag_attributes(
            ELEMENTS
                .iter()
                .map(|(name, attributes)| (*name, attributes.iter().copied().collect::<HashSet<_>>()))
                .collect::<HashMap<_, _>>(),
        )
        .generic_attributes(ANYWHERE.into_iter().collect())
        .clean_content_tags(["script", "style"].into_iter().collect())
        .url_schemes(["http", "https", "mailto", "tel"].into_iter().collect())
        .url_relative(UrlRelative::Deny)
        // The sanitiser looks at the schemes of `href` and `src`, but not at these.
        .attribute_filter(|_, attribute, value| {
            let sound = match attribute {
                "href" => ["http://", "https://", "mailto:", "tel:"].iter().any(|scheme| value.starts_with(scheme)),
                "src" | "cite" | "poster" => is_web(value),
                "srcset" => value.split(", ").all(is_web),
                _ => true,
            };
            sound.then_some(value.into())
        })
        .link_rel(Some("noopener noreferrer"))
        .strip_comments(true);
    builder
});

fn is_web(value: &str) -> bool {
    value.starts_with("https://") || value.starts_with("http://")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_are_sorted() {
        assert!(ELEMENTS.is_sorted_by_key(|(name, _)| *name));
        assert_eq!(Element::of("BlockQuote").map(|e| e.name), Some("blockquote"));
        assert!(Element::of("script").is_none() && Element::of("averyveryverylongname").is_none());
    }
}
