//! RSS 2.0: channels, items, enclosures, and the modules that stand in them.

use super::values::is_uri;
use super::*;

impl Check {
    pub(super) fn rss(&mut self, root: Node<'_, '_>) {
        if root.attribute("version") != Some("2.0") {
            self.say("InvalidRSSVersion", "rss", root.attribute("version").unwrap_or_default());
        }
        self.children(root, &["channel"], &[]);
        match elements(root).next() {
            Some(channel) => self.channel(channel),
            None => self.say("MissingElement", "channel", "rss"),
        }
    }

    pub(super) fn channel(&mut self, channel: Node<'_, '_>) {
        let once = [
            "title",
            "link",
            "description",
            "language",
            "lastBuildDate",
            "pubDate",
            "generator",
            "ttl",
            "docs",
            "managingEditor",
            "copyright",
            "fh:archive",
            "fh:complete",
            "sy:updatePeriod",
            "sy:updateFrequency",
            "sy:updateBase",
        ];
        self.children(channel, &once, &["atom:link", "category", "item"]);
        let names: Vec<String> = elements(channel).map(name).collect();
        for (needed, missing) in
            [("title", "MissingTitle"), ("link", "MissingLink"), ("description", "MissingDescription")]
        {
            if !names.iter().any(|name| name == needed) {
                self.say(missing, "channel", needed);
            }
        }
        if let Some(first) = names.iter().position(|name| name == "item")
            && let Some(late) = names[first..].iter().find(|name| *name != "item")
        {
            self.say("MisplacedItem", "item", late.as_str());
        }
        let (mut own, mut ids) = (false, HashSet::new());
        for child in elements(channel) {
            let text = value(child);
            match name(child).as_str() {
                "title" => {
                    self.not_blank(child);
                    self.no_html(child, "ContainsHTML");
                }
                "description" | "copyright" | "category" => self.no_html(child, "ContainsHTML"),
                "link" | "docs" => self.full_uri(child, text),
                "language" => self.language("language", text),
                "lastBuildDate" | "pubDate" => self.rfc822(child),
                "ttl" | "sy:updateFrequency" if !text.parse::<u32>().is_ok_and(|number| number > 0) => {
                    self.say("InvalidPositiveInteger", name(child), text);
                }
                "sy:updatePeriod" if !["hourly", "daily", "weekly", "monthly", "yearly"].contains(&text) => {
                    self.say("InvalidUpdatePeriod", name(child), text);
                }
                "sy:updateBase" => self.w3c_date(child),
                "atom:link" => {
                    own |= child.attribute("rel") == Some("self");
                    self.link(child, false);
                }
                "item" => {
                    self.item(child);
                    if let Some(id) = elements(child).find(|node| name(*node) == "guid").map(value)
                        && !ids.insert(id.to_owned())
                    {
                        self.say("DuplicateValue", "guid", id);
                    }
                }
                _ => {}
            }
        }
        if !own {
            self.say("MissingAtomSelfLink", "channel", "atom:link");
        }
        self.archive(channel, "atom:link");
    }

    pub(super) fn item(&mut self, item: Node<'_, '_>) {
        let once = [
            "title",
            "link",
            "description",
            "author",
            "comments",
            "enclosure",
            "guid",
            "pubDate",
            "source",
            "content:encoded",
            "dc:language",
        ];
        self.children(item, &once, &["category", "dc:creator", "media:content", "media:thumbnail"]);
        let names: Vec<String> = elements(item).map(name).collect();
        let place = |wanted: &str| names.iter().position(|name| name == wanted);
        if place("title").is_none() && place("description").is_none() {
            self.say("ItemMustContainTitleOrDescription", "item", "");
        }
        if place("guid").is_none() {
            self.say("MissingGuid", "item", "");
        }
        if place("author").is_some() && place("dc:creator").is_some() {
            self.say("DuplicateItemSemantics", "author", "dc:creator");
        }
        if place("content:encoded").is_some_and(|body| place("description").is_none_or(|summary| summary > body)) {
            self.say("NeedDescriptionBeforeContent", "content:encoded", "");
        }
        for child in elements(item) {
            let text = value(child);
            match name(child).as_str() {
                "title" | "category" => {
                    self.not_blank(child);
                    self.no_html(child, "ContainsHTML");
                    self.attributes(child, if name(child) == "category" { &["domain"] } else { &[] });
                }
                "link" | "comments" => self.full_uri(child, text),
                "pubDate" => self.rfc822(child),
                "description" | "content:encoded" => self.html(child),
                "dc:language" => self.language("dc:language", text),
                "guid" => {
                    self.attributes(child, &["isPermaLink"]);
                    self.not_blank(child);
                    match child.attribute("isPermaLink") {
                        Some("false") if text.len() < 9 && text.bytes().all(|b| b.is_ascii_digit()) => {
                            self.say("NotSufficientlyUnique", "guid", text);
                        }
                        Some("false") => {}
                        Some("true") | None if is_uri(text) && text.starts_with("http") => {}
                        Some("true") | None => self.say("InvalidHttpGUID", "guid", text),
                        Some(other) => self.say("InvalidBooleanAttribute", "guid", other),
                    }
                }
                "enclosure" => self.enclosure(child),
                "media:content" | "media:thumbnail" => self.media(child),
                _ => {}
            }
        }
    }

    pub(super) fn enclosure(&mut self, node: Node<'_, '_>) {
        self.attributes(node, &["url", "length", "type"]);
        for needed in ["url", "length", "type"] {
            if node.attribute(needed).is_none() {
                self.say("MissingAttribute", "enclosure", needed);
            }
        }
        let url = node.attribute("url").unwrap_or_default();
        static HTTP: LazyLock<Regex> = LazyLock::new(|| {
            pattern(r"^(?i)https?://((([0-9]{1,3}\.){3})|([A-Z0-9-]+\.)+)[A-Z0-9][-A-Z0-9]*(:\d+)?(/|$)")
        });
        if !HTTP.is_match(url) || !is_uri(url) {
            self.say("InvalidURLAttribute", "enclosure", url);
        }
        if node.attribute("length").is_some_and(|length| length.parse::<u64>().is_err()) {
            self.say("InvalidIntegerAttribute", "enclosure", node.attribute("length").unwrap_or_default());
        }
        self.media_type(node, "InvalidMIMEAttribute");
    }

    pub(super) fn media(&mut self, node: Node<'_, '_>) {
        let content = name(node) == "media:content";
        self.attributes(
            node,
            if content {
                &["url", "type", "medium", "fileSize", "height", "width"]
            } else {
                &["url", "height", "width"]
            },
        );
        match node.attribute("url") {
            Some(url) => self.full_uri(node, url),
            None if content => {}
            None => self.say("MissingAttribute", name(node), "url"),
        }
        if node.attribute("medium").is_some_and(|medium| !["image", "audio", "video", "document"].contains(&medium)) {
            self.say("InvalidMediaMedium", name(node), node.attribute("medium").unwrap_or_default());
        }
        if node.attribute("fileSize").is_some_and(|size| !size.parse::<u64>().is_ok_and(|size| size > 0)) {
            self.say("InvalidPositiveInteger", name(node), node.attribute("fileSize").unwrap_or_default());
        }
        self.media_type(node, "InvalidMIMEAttribute");
    }

    // --- Atom ---
}
