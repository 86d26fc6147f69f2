//! The rules of the W3C feed validator, written anew from its documentation: what it would say of a feed.
//!
//! Messages have the validator's own names (<https://validator.w3.org/feed/docs/>), so that each can be looked up.
//! HTML is judged on the tree that a browser builds, with the errors that its parser sees.

use std::collections::{BTreeMap, HashSet};
use std::sync::LazyLock;

use chrono::{DateTime, Datelike, Utc};
use html5ever::tendril::TendrilSink;
use markup5ever_rcdom::{Handle, NodeData, RcDom};
use regex::Regex;
use roxmltree::{Document, Node};

const ATOM: &str = "http://www.w3.org/2005/Atom";
const CONTENT: &str = "http://purl.org/rss/1.0/modules/content/";
const DC: &str = "http://purl.org/dc/elements/1.1/";
const FH: &str = "http://purl.org/syndication/history/1.0";
const MEDIA: &str = "http://search.yahoo.com/mrss/";
const SY: &str = "http://purl.org/rss/1.0/modules/syndication/";
const XML: &str = "http://www.w3.org/XML/1998/namespace";

/// What the validator would say.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Message {
    /// The validator's name of it.
    pub name: &'static str,
    /// The element that it is about.
    pub element: String,
    /// What is wrong with it.
    pub what: String,
}

/// Names that are mere warnings to the validator; every other one is an error.
const WARNINGS: &[&str] = &[
    "BadCharacters",
    "ContainsHTML",
    "ContainsRelRef",
    "ContainsUndeclaredHTML",
    "DuplicateEnclosure",
    "DuplicateEntries",
    "DuplicateItemSemantics",
    "DuplicateUpdated",
    "ImplausibleDate",
    "MisplacedItem",
    "MissingAtomSelfLink",
    "MissingCurrentInArchive",
    "MissingGuid",
    "MissingSelf",
    "MissingTextualContent",
    "NeedDescriptionBeforeContent",
    "NotBlank",
    "NotHtml",
    "NotSufficientlyUnique",
    "ProblematicalRFC822Date",
    "RelativeSelf",
    "SecurityRisk",
    "SecurityRiskAttr",
    "SelfNotAtom",
    "UnknownNamespace",
    "UnregisteredAtomLinkRel",
];

impl Message {
    /// Whether it is a warning; else it is an error.
    pub fn is_warning(&self) -> bool {
        WARNINGS.contains(&self.name)
    }
}

/// What the validator would say of an RSS or Atom document.
pub fn messages(text: &str, now: DateTime<Utc>) -> Vec<Message> {
    let mut check = Check { now, found: Vec::new() };
    match Document::parse(text) {
        Ok(document) => check.document(&document),
        Err(error) => check.say("SAXError", "document", error.to_string()),
    }
    check.found
}

struct Check {
    now: DateTime<Utc>,
    found: Vec<Message>,
}

/// How a name is written here: with the prefix that everybody uses.
fn name(node: Node<'_, '_>) -> String {
    let tag = node.tag_name();
    let prefix = match tag.namespace() {
        Some(CONTENT) => "content:",
        Some(DC) => "dc:",
        Some(FH) => "fh:",
        Some(MEDIA) => "media:",
        Some(SY) => "sy:",
        Some(ATOM) if node.document().root_element().tag_name().name() == "rss" => "atom:",
        Some(ATOM) | None => "",
        Some(_) => "?:",
    };
    format!("{prefix}{}", tag.name())
}

fn value<'a>(node: Node<'a, '_>) -> &'a str {
    node.text().unwrap_or_default()
}

fn elements<'a, 'i>(node: Node<'a, 'i>) -> impl Iterator<Item = Node<'a, 'i>> {
    node.children().filter(Node::is_element)
}

impl Check {
    fn say(&mut self, name: &'static str, element: impl Into<String>, what: impl Into<String>) {
        self.found.push(Message { name, element: element.into(), what: what.into() });
    }

    fn document(&mut self, document: &Document<'_>) {
        let root = document.root_element();
        let known = [ATOM, CONTENT, DC, FH, MEDIA, SY, XML];
        for namespace in root.descendants().flat_map(|node| node.namespaces()) {
            if !known.contains(&namespace.uri()) {
                self.say("UnknownNamespace", namespace.name().unwrap_or_default(), namespace.uri());
            }
        }
        for node in root.descendants().filter(Node::is_element) {
            let texts = node.text().into_iter().chain(node.attributes().map(|attribute| attribute.value()));
            if let Some(c) = texts.flat_map(str::chars).find(|c| matches!(c, '\u{80}'..='\u{9f}' | '\u{fffd}')) {
                self.say("BadCharacters", name(node), format!("U+{:04X}", u32::from(c)));
            }
        }
        match (root.tag_name().namespace(), root.tag_name().name()) {
            (None, "rss") => self.rss(root),
            (Some(ATOM), "feed") => self.feed(root),
            (namespace, other) => self.say("UndefinedElement", other, namespace.unwrap_or_default()),
        }
    }

    /// Which elements may stand in another one, and how often.
    fn children(&mut self, node: Node<'_, '_>, once: &[&str], often: &[&str]) {
        let mut seen = HashSet::new();
        for child in elements(node) {
            let child_name = name(child);
            // What is in no known namespace is not judged.
            if child_name.starts_with("?:") {
                continue;
            }
            let is_once = once.contains(&child_name.as_str());
            if !is_once && !often.contains(&child_name.as_str()) {
                self.say("UndefinedElement", child_name, name(node));
            } else if is_once && !seen.insert(child_name.clone()) {
                let duplicate = if child_name == "enclosure" { "DuplicateEnclosure" } else { "DuplicateElement" };
                self.say(duplicate, child_name, name(node));
            }
        }
    }

    fn attributes(&mut self, node: Node<'_, '_>, allowed: &[&str]) {
        for attribute in node.attributes().filter(|attribute| attribute.namespace() != Some(XML)) {
            if !allowed.contains(&attribute.name()) {
                self.say("UnexpectedAttribute", name(node), attribute.name());
            }
        }
        if let Some(language) = node.attribute((XML, "lang")) {
            self.language(name(node), language);
        }
    }

    // --- RSS 2.0 ---

    fn rss(&mut self, root: Node<'_, '_>) {
        if root.attribute("version") != Some("2.0") {
            self.say("InvalidRSSVersion", "rss", root.attribute("version").unwrap_or_default());
        }
        self.children(root, &["channel"], &[]);
        match elements(root).next() {
            Some(channel) => self.channel(channel),
            None => self.say("MissingElement", "channel", "rss"),
        }
    }

    fn channel(&mut self, channel: Node<'_, '_>) {
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

    fn item(&mut self, item: Node<'_, '_>) {
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

    fn enclosure(&mut self, node: Node<'_, '_>) {
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

    fn media(&mut self, node: Node<'_, '_>) {
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

    fn feed(&mut self, feed: Node<'_, '_>) {
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

    fn entry(&mut self, entry: Node<'_, '_>, named: bool) {
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

    fn text(&mut self, node: Node<'_, '_>) {
        self.attributes(node, &["type", "src"]);
        self.not_blank(node);
        match node.attribute("type").unwrap_or("text") {
            "text" => self.no_html(node, "ContainsUndeclaredHTML"),
            "html" => self.html(node),
            other => self.say("InvalidTextType", name(node), other),
        }
    }

    fn person(&mut self, node: Node<'_, '_>) {
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

    fn category(&mut self, node: Node<'_, '_>) {
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

    fn link(&mut self, node: Node<'_, '_>, in_entry: bool) {
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
    fn archive(&mut self, node: Node<'_, '_>, link: &str) {
        let archive = elements(node).any(|child| name(child) == "fh:archive");
        let current = elements(node).any(|child| name(child) == link && child.attribute("rel") == Some("current"));
        if archive && !current {
            self.say("MissingCurrentInArchive", name(node), "");
        }
    }

    fn not_blank(&mut self, node: Node<'_, '_>) {
        if value(node).trim().is_empty() {
            self.say("NotBlank", name(node), "");
        }
    }

    fn no_html(&mut self, node: Node<'_, '_>, message: &'static str) {
        self.html_in_text(&name(node), value(node), message);
    }

    /// Text that looks like HTML that was escaped once too often.
    fn html_in_text(&mut self, element: &str, text: &str, message: &'static str) {
        static END_TAG: LazyLock<Regex> = LazyLock::new(|| pattern(r"</(\w+)>"));
        static ENTITY: LazyLock<Regex> = LazyLock::new(|| pattern(r"&(#?\w+)"));
        let tag = END_TAG.captures_iter(text).find(|tag| HTML.contains(&tag[1].to_ascii_lowercase().as_str()));
        if let Some(tag) = tag {
            self.say(message, element, &tag[0]);
        } else if let Some(entity) = ENTITY.captures_iter(text).find(|entity| is_entity(&entity[1])) {
            self.say(message, element, &entity[0]);
        }
    }

    fn language(&mut self, element: impl Into<String>, tag: &str) {
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

    fn media_type(&mut self, node: Node<'_, '_>, message: &'static str) {
        static MIME: LazyLock<Regex> = LazyLock::new(|| {
            pattern(r#"^[^\s()<>,;:\\"/\[\]?=]+/[^\s()<>,;:\\"/\[\]?=]+(\s*;\s*[^\s()<>,;:\\"/\[\]?=]+=[^\s;]+)*$"#)
        });
        if let Some(media_type) = node.attribute("type").filter(|text| !MIME.is_match(text)) {
            self.say(message, name(node), media_type);
        }
    }

    fn full_uri(&mut self, node: Node<'_, '_>, uri: &str) {
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

    fn rfc822(&mut self, node: Node<'_, '_>) {
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

    fn rfc3339(&mut self, node: Node<'_, '_>) {
        match DateTime::parse_from_rfc3339(value(node)) {
            Ok(at) => self.plausible(node, at.to_utc()),
            Err(_) => self.say("InvalidRFC3339Date", name(node), value(node)),
        }
    }

    fn w3c_date(&mut self, node: Node<'_, '_>) {
        let text = value(node);
        match DateTime::parse_from_str(text, "%Y-%m-%dT%H:%M%:z") {
            Ok(at) => self.plausible(node, at.to_utc()),
            Err(_) => self.say("InvalidW3CDTFDate", name(node), text),
        }
    }

    fn plausible(&mut self, node: Node<'_, '_>, at: DateTime<Utc>) {
        if at.year() < 1990 || at > self.now + chrono::TimeDelta::minutes(10) {
            self.say("ImplausibleDate", name(node), value(node));
        }
    }

    /// HTML: what its parser complains of, and what the validator does not trust.
    fn html(&mut self, node: Node<'_, '_>) {
        let element = name(node);
        let dom = html5ever::parse_fragment(
            RcDom::default(),
            html5ever::ParseOpts::default(),
            html5ever::QualName::new(None, html5ever::ns!(html), html5ever::local_name!("div")),
            Vec::new(),
            false,
        )
        .one(value(node));
        for error in dom.errors.borrow().iter() {
            self.say("NotHtml", element.as_str(), error.as_ref());
        }
        self.html_nodes(&element, &dom.document);
    }

    fn html_nodes(&mut self, element: &str, node: &Handle) {
        let mut nodes = vec![node.clone()];
        while let Some(node) = nodes.pop() {
            nodes.extend(node.children.borrow().iter().cloned());
            let NodeData::Element { name, attrs, .. } = &node.data else { continue };
            let tag = &*name.local;
            if tag == "html" && node.parent.take().is_some() {
                // The root that the parser makes.
                continue;
            }
            if !HTML.contains(&tag) {
                self.say("NotHtml", element, tag);
            } else if !TRUSTED.contains(&tag) {
                self.say("SecurityRisk", element, tag);
            }
            for attribute in attrs.borrow().iter() {
                let name = &*attribute.name.local;
                if !TRUSTED_ATTRIBUTES.contains(&name) && !name.starts_with("data-") {
                    self.say("SecurityRiskAttr", element, format!("{tag} {name}"));
                }
                static ABSOLUTE: LazyLock<Regex> = LazyLock::new(|| pattern(r"^\w+:"));
                if matches!((tag, name), ("img", "src") | ("a", "href")) && !ABSOLUTE.is_match(&attribute.value) {
                    self.say("ContainsRelRef", element, &*attribute.value);
                }
            }
        }
    }
}

fn pattern(text: &str) -> Regex {
    Regex::new(text).expect("a pattern in this file is well formed")
}

/// An absolute URI of RFC 2396 characters alone.
fn is_uri(text: &str) -> bool {
    static URI: LazyLock<Regex> = LazyLock::new(|| {
        pattern(r"^[a-zA-Z][0-9a-zA-Z+.-]*:(//)?(\[[0-9A-Fa-f:]+\])?[0-9a-zA-Z;/?:@&=+$.\-_!~*'()%,#]+$")
    });
    URI.is_match(text)
}

/// Whether `&` before this makes a character reference of it.
fn is_entity(name: &str) -> bool {
    if !name.bytes().all(|b| b.is_ascii_alphabetic()) {
        return true;
    }
    let dom = html5ever::parse_document(RcDom::default(), html5ever::ParseOpts::default()).one(format!("&{name};"));
    fn text(node: &Handle, out: &mut String) {
        if let NodeData::Text { contents } = &node.data {
            out.push_str(&contents.borrow());
        }
        node.children.borrow().iter().for_each(|child| text(child, out));
    }
    let mut decoded = String::new();
    text(&dom.document, &mut decoded);
    !decoded.contains(name)
}

/// How often each message is said of each element.
pub fn counted(messages: impl IntoIterator<Item = Message>) -> BTreeMap<(&'static str, String), (usize, String)> {
    let mut counts = BTreeMap::new();
    for message in messages {
        let what = message.what;
        counts.entry((message.name, message.element)).or_insert_with(|| (0, what)).0 += 1;
    }
    counts
}

/// ISO 639-1.
const ISO_639_1: &str = "aa ab ae af ak am an ar as av ay az ba be bg bh bi bm bn bo br bs ca ce ch co cr cs cu cv cy \
    da de dv dz ee el en eo es et eu fa ff fi fj fo fr fy ga gd gl gn gu gv ha he hi ho hr ht hu hy hz ia id ie ig ii \
    ik in io is it iu iw ja ji jv jw ka kg ki kj kk kl km kn ko kr ks ku kv kw ky la lb lg li ln lo lt lu lv mg mh mi \
    mk ml mn mo mr ms mt my na nb nd ne ng nl nn no nr nv ny oc oj om or os pa pi pl ps pt qu rm rn ro ru rw sa sc sd \
    se sg sh si sk sl sm sn so sq sr ss st su sv sw ta te tg th ti tk tl tn to tr ts tt tw ty ug uk ur uz ve vi vo wa \
    wo xh yi yo za zh zu";

/// Elements that the validator knows for HTML.
const HTML: &[&str] = &[
    "a",
    "abbr",
    "acronym",
    "address",
    "applet",
    "area",
    "article",
    "aside",
    "audio",
    "b",
    "base",
    "bdi",
    "bdo",
    "big",
    "blockquote",
    "body",
    "br",
    "button",
    "canvas",
    "caption",
    "center",
    "cite",
    "code",
    "col",
    "colgroup",
    "data",
    "dd",
    "del",
    "details",
    "dfn",
    "dialog",
    "dir",
    "div",
    "dl",
    "dt",
    "em",
    "embed",
    "fieldset",
    "figcaption",
    "figure",
    "font",
    "footer",
    "form",
    "frame",
    "frameset",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "head",
    "header",
    "hgroup",
    "hr",
    "html",
    "i",
    "iframe",
    "img",
    "input",
    "ins",
    "kbd",
    "label",
    "legend",
    "li",
    "link",
    "main",
    "map",
    "mark",
    "menu",
    "meta",
    "meter",
    "nav",
    "noframes",
    "noscript",
    "object",
    "ol",
    "optgroup",
    "option",
    "output",
    "p",
    "param",
    "picture",
    "plaintext",
    "pre",
    "progress",
    "q",
    "rp",
    "rt",
    "ruby",
    "s",
    "samp",
    "script",
    "section",
    "select",
    "small",
    "source",
    "span",
    "strike",
    "strong",
    "style",
    "sub",
    "summary",
    "sup",
    "table",
    "tbody",
    "td",
    "template",
    "textarea",
    "tfoot",
    "th",
    "thead",
    "time",
    "title",
    "tr",
    "track",
    "tt",
    "u",
    "ul",
    "var",
    "video",
    "wbr",
    "xmp",
];

/// Elements that the validator trusts.
const TRUSTED: &[&str] = &[
    "a",
    "abbr",
    "acronym",
    "address",
    "area",
    "article",
    "aside",
    "audio",
    "b",
    "bdi",
    "big",
    "blockquote",
    "br",
    "button",
    "canvas",
    "caption",
    "center",
    "cite",
    "code",
    "col",
    "colgroup",
    "data",
    "dd",
    "del",
    "details",
    "dfn",
    "dialog",
    "dir",
    "div",
    "dl",
    "dt",
    "em",
    "fieldset",
    "figcaption",
    "figure",
    "font",
    "footer",
    "form",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "header",
    "hgroup",
    "hr",
    "i",
    "img",
    "input",
    "ins",
    "kbd",
    "label",
    "legend",
    "li",
    "main",
    "map",
    "mark",
    "menu",
    "meter",
    "nav",
    "noscript",
    "ol",
    "optgroup",
    "option",
    "output",
    "p",
    "picture",
    "pre",
    "progress",
    "q",
    "rp",
    "rt",
    "ruby",
    "s",
    "samp",
    "section",
    "select",
    "small",
    "source",
    "span",
    "strike",
    "strong",
    "sub",
    "summary",
    "sup",
    "table",
    "tbody",
    "td",
    "template",
    "textarea",
    "tfoot",
    "th",
    "thead",
    "time",
    "tr",
    "track",
    "tt",
    "u",
    "ul",
    "var",
    "video",
    "wbr",
];

/// Attributes that the validator trusts, of those that we write.
const TRUSTED_ATTRIBUTES: &[&str] = &[
    "align",
    "alt",
    "cite",
    "colspan",
    "datetime",
    "dir",
    "height",
    "href",
    "hreflang",
    "lang",
    "media",
    "poster",
    "referrerpolicy",
    "rel",
    "rowspan",
    "scope",
    "sizes",
    "span",
    "src",
    "srcset",
    "start",
    "title",
    "type",
    "value",
    "width",
];
