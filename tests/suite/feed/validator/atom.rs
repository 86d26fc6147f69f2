//! Atom (RFC 4287) and its archives (RFC 5005).

use super::values::is_uri;
use super::*;

impl Check {
    pub(super) fn feed(&mut self, feed: Node<'_, '_>) {
        self.attributes(feed, &[]);
        let once = ["id", "title", "subtitle", "updated", "generator", "icon", "logo", "rights", "fh:archive"];
        self.children(feed, &once, &["author", "category", "contributor", "link", "entry"]);
        let names: Vec<String> = elements(feed).map(name).collect();
        for needed in ["id", "title", "updated"] {
            if !names.iter().any(|name| name == needed) {
                self.say("MissingElement", "feed", needed);
            }
        }
        let named = names.iter().any(|name| name == "author");
        let (mut ids, mut dates, mut own) = (HashSet::new(), HashSet::new(), false);
        for child in elements(feed) {
            match name(child).as_str() {
                "id" => self.full_uri(child, value(child)),
                "title" | "subtitle" | "rights" => self.text(child),
                "updated" => self.rfc3339(child),
                "author" | "contributor" => self.person(child),
                "category" => self.category(child),
                "link" => {
                    own |= child.attribute("rel") == Some("self");
                    self.link(child, false);
                }
                "entry" => {
                    self.entry(child, named);
                    for part in elements(child) {
                        match name(part).as_str() {
                            "id" if !ids.insert(value(part)) => self.say("DuplicateEntries", "id", value(part)),
                            "updated" if !dates.insert(value(part)) => {
                                self.say("DuplicateUpdated", "updated", value(part));
                            }
                            _ => {}
                        }
                    }
                }
                _ => {}
            }
        }
        if !own {
            self.say("MissingSelf", "feed", "link");
        }
        self.archive(feed, "link");
    }

    pub(super) fn entry(&mut self, entry: Node<'_, '_>, named: bool) {
        let once = ["id", "title", "updated", "published", "summary", "content", "rights", "source"];
        let often = ["author", "category", "contributor", "link", "media:content", "media:thumbnail"];
        self.children(entry, &once, &often);
        let names: Vec<String> = elements(entry).map(name).collect();
        let has = |wanted: &str| names.iter().any(|name| name == wanted);
        for needed in ["id", "title", "updated"] {
            if !has(needed) {
                self.say("MissingElement", "entry", needed);
            }
        }
        if !named && !has("author") {
            self.say("MissingElement", "entry", "author");
        }
        if !has("content") && !has("summary") {
            self.say("MissingTextualContent", "entry", "");
        }
        let mut alternates = HashSet::new();
        for child in elements(entry) {
            match name(child).as_str() {
                "id" => self.full_uri(child, value(child)),
                "title" | "summary" | "content" | "rights" => self.text(child),
                "updated" | "published" => self.rfc3339(child),
                "author" | "contributor" => self.person(child),
                "category" => self.category(child),
                "media:content" | "media:thumbnail" => self.media(child),
                "link" => {
                    self.link(child, true);
                    if child.attribute("rel").unwrap_or("alternate") == "alternate"
                        && !alternates.insert((child.attribute("type"), child.attribute("hreflang")))
                    {
                        self.say("DuplicateAtomLink", "link", child.attribute("href").unwrap_or_default());
                    }
                }
                _ => {}
            }
        }
        if !has("content") && alternates.is_empty() {
            self.say("MissingContentOrAlternate", "entry", "");
        }
    }

    pub(super) fn text(&mut self, node: Node<'_, '_>) {
        self.attributes(node, &["type", "src"]);
        self.not_blank(node);
        match node.attribute("type").unwrap_or("text") {
            "text" => self.no_html(node, "ContainsUndeclaredHTML"),
            "html" => self.html(node),
            other => self.say("InvalidTextType", name(node), other),
        }
    }

    pub(super) fn person(&mut self, node: Node<'_, '_>) {
        self.children(node, &["name", "email", "uri"], &[]);
        if !elements(node).any(|child| name(child) == "name") {
            self.say("MissingElement", name(node), "name");
        }
        for child in elements(node) {
            let text = value(child);
            match name(child).as_str() {
                "name" => {
                    self.not_blank(child);
                    self.no_html(child, "ContainsHTML");
                }
                "uri" if !is_uri(text) => self.say("InvalidLink", "uri", text),
                "email" => {
                    static EMAIL: LazyLock<Regex> = LazyLock::new(|| {
                        pattern(r"^(?i)[A-Z0-9_+.'-]+@((([0-9]{1,3}\.){3})|([A-Z0-9-]+\.)+)[A-Z0-9][-A-Z0-9]*$")
                    });
                    if !EMAIL.is_match(text) {
                        self.say("InvalidContact", "email", text);
                    }
                }
                _ => {}
            }
        }
    }

    pub(super) fn category(&mut self, node: Node<'_, '_>) {
        self.attributes(node, &["term", "scheme", "label"]);
        if node.attribute("term").is_none_or(str::is_empty) {
            self.say("MissingAttribute", "category", "term");
        }
        if let Some(scheme) = node.attribute("scheme") {
            self.full_uri(node, scheme);
        }
        if let Some(label) = node.attribute("label") {
            self.html_in_text("category", label, "ContainsHTML");
        }
    }

    // --- both ---

    pub(super) fn link(&mut self, node: Node<'_, '_>, in_entry: bool) {
        self.attributes(node, &["href", "rel", "type", "title", "length", "hreflang"]);
        let registered = [
            "alternate",
            "current",
            "enclosure",
            "hub",
            "next-archive",
            "prev-archive",
            "related",
            "replies",
            "self",
            "via",
        ];
        let rel = node.attribute("rel").unwrap_or("alternate");
        if !registered.contains(&rel) {
            self.say("UnregisteredAtomLinkRel", name(node), rel);
        }
        if in_entry && ["current", "next-archive", "prev-archive"].contains(&rel) {
            self.say("FeedHistoryRelInEntry", name(node), rel);
        }
        match node.attribute("href") {
            Some(href) if !is_uri(href) => self.say("InvalidLink", name(node), href),
            Some(href) if rel == "self" && !href.contains("://") => self.say("RelativeSelf", name(node), href),
            Some(_) => {}
            None => self.say("MissingHref", name(node), rel),
        }
        if rel == "self"
            && node.attribute("type").is_some_and(|t| !["application/atom+xml", "application/rss+xml"].contains(&t))
        {
            self.say("SelfNotAtom", name(node), node.attribute("type").unwrap_or_default());
        }
        if node.attribute("length").is_some_and(|length| length.parse::<u64>().is_err()) {
            self.say("InvalidNonNegativeInteger", name(node), node.attribute("length").unwrap_or_default());
        }
        self.media_type(node, "InvalidMIMEType");
        if node.text().is_some_and(|text| !text.trim().is_empty()) || node.has_children() {
            self.say("AtomLinkNotEmpty", name(node), value(node));
        }
    }

    /// RFC 5005 as the validator knows it.
    pub(super) fn archive(&mut self, node: Node<'_, '_>, link: &str) {
        let archive = elements(node).any(|child| name(child) == "fh:archive");
        let current = elements(node).any(|child| name(child) == link && child.attribute("rel") == Some("current"));
        if archive && !current {
            self.say("MissingCurrentInArchive", name(node), "");
        }
    }
}
