//! OPML 2.0: every feed of the site, nested like the category tree.

use super::Settings;
use super::channel;
use super::text::{self, XmlText};
use super::tree::{self, Branch};
use crate::entry::{Document, FeedRow, Format, Kind, ListMaterial};

/// An `outline` element.
struct Outline {
    text: XmlText,
    /// The feed and its page; `None` for a heading.
    feed: Option<(String, String)>,
    children: Vec<Outline>,
}

/// The list of all feeds.
pub(super) fn render(material: &ListMaterial, settings: &Settings) -> Vec<u8> {
    let mut outlines = Vec::new();
    for kind in Kind::ALL {
        let rows: Vec<&FeedRow> = material.rows.iter().filter(|row| row.key.kind() == kind).collect();
        if kind == Kind::All {
            outlines.extend(rows.iter().map(|row| outline(row, settings)));
        } else if !rows.is_empty() {
            let children = tree::grow(rows).into_iter().map(|top| branch(top, settings)).collect();
            outlines.push(Outline { text: XmlText::line(kind.as_str()), feed: None, children });
        }
    }
    let mut xml = String::from("<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<opml version=\"2.0\">\n<head>\n<title>");
    text::push_escaped(XmlText::line(&settings.title).as_str(), &mut xml);
    xml.push_str("</title>\n</head>\n<body>\n");
    for outline in &outlines {
        outline.write(&mut xml);
    }
    xml.push_str("</body>\n</opml>\n");
    xml.into_bytes()
}

fn branch(branch: Branch<'_>, settings: &Settings) -> Outline {
    let children = branch.below.into_iter().map(|below| self::branch(below, settings)).collect();
    Outline { children, ..outline(branch.row, settings) }
}

fn outline(row: &FeedRow, settings: &Settings) -> Outline {
    let format = settings.formats.first().copied().unwrap_or(Format::Rss);
    let feed = settings.address(&Document::Feed(row.key.clone(), format));
    let page = settings.address(&Document::Page(row.key.clone()));
    Outline { text: channel::name(&row.key, settings), feed: Some((feed, page)), children: Vec::new() }
}

impl Outline {
    fn write(&self, xml: &mut String) {
        xml.push_str("<outline");
        if let Some((feed, page)) = &self.feed {
            push_attribute("type", "rss", xml);
            push_attribute("text", self.text.as_str(), xml);
            push_attribute("title", self.text.as_str(), xml);
            push_attribute("xmlUrl", feed, xml);
            push_attribute("htmlUrl", page, xml);
        } else {
            push_attribute("text", self.text.as_str(), xml);
            push_attribute("title", self.text.as_str(), xml);
        }
        if self.children.is_empty() {
            xml.push_str("/>\n");
            return;
        }
        xml.push_str(">\n");
        for child in &self.children {
            child.write(xml);
        }
        xml.push_str("</outline>\n");
    }
}

fn push_attribute(name: &str, value: &str, xml: &mut String) {
    xml.push(' ');
    xml.push_str(name);
    xml.push_str("=\"");
    text::push_escaped(value, xml);
    xml.push('"');
}
