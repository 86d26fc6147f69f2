//! Values of elements and attributes: dates, languages, addresses, media types.

use super::*;

impl Check {
    pub(super) fn not_blank(&mut self, node: Node<'_, '_>) {
        if value(node).trim().is_empty() {
            self.say("NotBlank", name(node), "");
        }
    }

    pub(super) fn no_html(&mut self, node: Node<'_, '_>, message: &'static str) {
        self.html_in_text(&name(node), value(node), message);
    }

    pub(super) fn language(&mut self, element: impl Into<String>, tag: &str) {
        let language = tag.split('-').next().unwrap_or_default();
        // Three letters are ISO 639-2 and -3, too many to list.
        let known = match language.len() {
            2 => ISO_639_1.split(' ').any(|known| known.eq_ignore_ascii_case(language)),
            3 => language.bytes().all(|b| b.is_ascii_alphabetic()),
            _ => false,
        };
        if !known {
            self.say("InvalidLanguage", element, tag);
        }
    }

    pub(super) fn media_type(&mut self, node: Node<'_, '_>, message: &'static str) {
        static MIME: LazyLock<Regex> = LazyLock::new(|| {
            pattern(r#"^[^\s()<>,;:\\"/\[\]?=]+/[^\s()<>,;:\\"/\[\]?=]+(\s*;\s*[^\s()<>,;:\\"/\[\]?=]+=[^\s;]+)*$"#)
        });
        if let Some(media_type) = node.attribute("type").filter(|text| !MIME.is_match(text)) {
            self.say(message, name(node), media_type);
        }
    }

    pub(super) fn full_uri(&mut self, node: Node<'_, '_>, uri: &str) {
        static UUID: LazyLock<Regex> =
            LazyLock::new(|| pattern(r"^(?i)urn:uuid:[a-f0-9]{8}(-[a-f0-9]{4}){3}-[a-f0-9]{12}$"));
        if uri.to_ascii_lowercase().starts_with("urn:uuid:") {
            if !UUID.is_match(uri) {
                self.say("InvalidUUID", name(node), uri);
            }
        } else if !is_uri(uri) || !uri.contains(':') {
            self.say("InvalidFullLink", name(node), uri);
        }
    }

    pub(super) fn rfc822(&mut self, node: Node<'_, '_>) {
        static RFC_2822: LazyLock<Regex> = LazyLock::new(|| {
            pattern(concat!(
                r"^((Mon|Tue|Wed|Thu|Fri|Sat|Sun), )?\d\d? (Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) ",
                r"\d{4} \d\d:\d\d(:\d\d)? ([+-]\d\d[03]0|UT|GMT|EST|EDT|CST|CDT|MST|MDT|PST|PDT|Z)$"
            ))
        });
        let text = value(node);
        // The crate refuses a wrong day of the week too.
        match DateTime::parse_from_rfc2822(text) {
            Ok(at) if RFC_2822.is_match(text) => self.plausible(node, at.to_utc()),
            _ => self.say("InvalidRFC2822Date", name(node), text),
        }
    }

    pub(super) fn rfc3339(&mut self, node: Node<'_, '_>) {
        match DateTime::parse_from_rfc3339(value(node)) {
            Ok(at) => self.plausible(node, at.to_utc()),
            Err(_) => self.say("InvalidRFC3339Date", name(node), value(node)),
        }
    }

    pub(super) fn w3c_date(&mut self, node: Node<'_, '_>) {
        let text = value(node);
        match DateTime::parse_from_str(text, "%Y-%m-%dT%H:%M%:z") {
            Ok(at) => self.plausible(node, at.to_utc()),
            Err(_) => self.say("InvalidW3CDTFDate", name(node), text),
        }
    }

    pub(super) fn plausible(&mut self, node: Node<'_, '_>, at: DateTime<Utc>) {
        if at.year() < 1990 || at > self.now + chrono::TimeDelta::minutes(10) {
            self.say("ImplausibleDate", name(node), value(node));
        }
    }
}

/// An absolute URI of RFC 2396 characters alone.
pub(super) fn is_uri(text: &str) -> bool {
    static URI: LazyLock<Regex> = LazyLock::new(|| {
        pattern(r"^[a-zA-Z][0-9a-zA-Z+.-]*:(//)?(\[[0-9A-Fa-f:]+\])?[0-9a-zA-Z;/?:@&=+$.\-_!~*'()%,#]+$")
    });
    URI.is_match(text)
}

/// ISO 639-1.
const ISO_639_1: &str = "aa ab ae af ak am an ar as av ay az ba be bg bh bi bm bn bo br bs ca ce ch co cr cs cu cv cy \
    da de dv dz ee el en eo es et eu fa ff fi fj fo fr fy ga gd gl gn gu gv ha he hi ho hr ht hu hy hz ia id ie ig ii \
    ik in io is it iu iw ja ji jv jw ka kg ki kj kk kl km kn ko kr ks ku kv kw ky la lb lg li ln lo lt lu lv mg mh mi \
    mk ml mn mo mr ms mt my na nb nd ne ng nl nn no nr nv ny oc oj om or os pa pi pl ps pt qu rm rn ro ru rw sa sc sd \
    se sg sh si sk sl sm sn so sq sr ss st su sv sw ta te tg th ti tk tl tn to tr ts tt tw ty ug uk ur uz ve vi vo wa \
    wo xh yi yo za zh zu";
