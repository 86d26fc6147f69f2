//! The rules of the W3C feed validator, written anew from its documentation: what it would say of a feed.
//!
//! Messages have the validator's own names (<https://validator.w3.org/feed/docs/>), so that each can be looked up.

mod atom;
mod html;
mod rss;
mod values;

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
}

fn pattern(text: &str) -> Regex {
    Regex::new(text).expect("a pattern in this file is well formed")
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
