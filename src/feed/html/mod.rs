//! Cleaning: an article's body in its own markup → HTML that is safe in every reader and on our pages.
//!
//! Markdown is rendered, template code of blog engines is resolved, the result is tidied and then judged by an
//! allow-list sanitiser that works on the tree a browser would build. What it would still change is tidied and given
//! to it again, until it has nothing to change: so the published HTML means the same after it was parsed and
//! serialised once more, and nothing in it comes to life then.

mod allow;
mod embed;
mod image;
mod refs;
mod tidy;
mod token;

use pulldown_cmark::{CowStr, Event, Options, Parser, Tag, TagEnd};

use super::link::Base;
use super::text::XmlText;
use super::{template, text};
use crate::entry::Markup;

pub(super) use refs::plain as without_references;
pub(super) use token::{Token, Tokens};

/// How often the sanitiser may find something to change.
const ROUNDS: usize = 6;

/// HTML that the sanitiser has nothing to change in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct CleanHtml(XmlText);

impl CleanHtml {
    /// The HTML.
    pub(super) fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// The HTML as text of a document; it is for the writers to escape it.
    pub(super) fn as_text(&self) -> &XmlText {
        &self.0
    }

    /// Whether there is nothing in it.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Cleans a body.
pub(super) fn clean(body: &str, markup: Markup, base: &Base) -> CleanHtml {
    let html = to_html(body, markup);
    let mut html = tidy::tidy(&html, base);
    for _ in 0..ROUNDS {
        let judged = XmlText::new(&allow::SANITISER.clean(&html).to_string());
        if judged.as_str() == html {
            return CleanHtml(judged);
        }
        html = tidy::tidy(judged.as_str(), base);
    }
    // Never seen; but if two readings of it never agree, its text is all that is safe.
    let mut words = String::from("<p>");
    text::push_escaped(&text_of(&html), &mut words);
    words.push_str("</p>");
    CleanHtml(XmlText::new(&words))
}

/// The text of HTML, each block on a line of its own, references read.
pub(super) fn text_of(html: &str) -> String {
    let mut out = String::new();
    for token in Tokens::new(html) {
        match token {
            Token::Text(text) => out.push_str(&refs::plain(text)),
            Token::Start(name, _) | Token::End(name) if !is_within_a_line(name) => out.push('\n'),
            _ => {}
        }
    }
    out
}

/// Elements that do not break the line.
pub(super) fn is_within_a_line(name: &str) -> bool {
    const INLINE: [&str; 32] = [
        "a", "abbr", "b", "bdi", "bdo", "cite", "code", "del", "dfn", "em", "font", "i", "img", "ins", "kbd", "mark",
        "q", "rp", "rt", "ruby", "s", "samp", "small", "span", "strike", "strong", "sub", "sup", "time", "tt", "u",
        "wbr",
    ];
    INLINE.iter().any(|inline| inline.eq_ignore_ascii_case(name))
}

/// A body as HTML, whatever is in it.
fn to_html(body: &str, markup: Markup) -> String {
    let body = XmlText::new(body);
    match markup {
        Markup::Html => template::resolve(body.as_str(), Markup::Html).into_owned(),
        Markup::Markdown => markdown(&template::resolve(body.as_str(), Markup::Markdown)),
        Markup::Text => paragraphs(body.as_str()),
    }
}

fn markdown(source: &str) -> String {
    let options = Options::ENABLE_TABLES
        | Options::ENABLE_FOOTNOTES
        | Options::ENABLE_STRIKETHROUGH
        | Options::ENABLE_TASKLISTS
        | Options::ENABLE_HEADING_ATTRIBUTES;
    // Footnotes are numbered here: links between them would need ids, which no feed may hold.
    let mut notes: Vec<CowStr<'_>> = Vec::new();
    let mut number = |label: CowStr<'_>| {
        let known = notes.iter().position(|note| **note == *label);
        known.unwrap_or_else(|| {
            notes.push(label.into_string().into());
            notes.len() - 1
        }) + 1
    };
    let events = Parser::new_ext(source, options).map(|event| match event {
        // A box to tick is a form control, which no feed may hold either.
        Event::TaskListMarker(done) => Event::Text(if done { "☑ " } else { "☐ " }.into()),
        Event::FootnoteReference(label) => Event::InlineHtml(format!("<sup>[{}]</sup>", number(label)).into()),
        Event::Start(Tag::FootnoteDefinition(label)) => {
            Event::Html(format!("<div><sup>[{}]</sup>\n", number(label)).into())
        }
        Event::End(TagEnd::FootnoteDefinition) => Event::Html("</div>\n".into()),
        event => event,
    });
    let mut html = String::with_capacity(source.len() * 5 / 4);
    pulldown_cmark::html::push_html(&mut html, events);
    html
}

/// Plain text: paragraphs at blank lines, lines as they are.
fn paragraphs(source: &str) -> String {
    let mut html = String::with_capacity(source.len() + source.len() / 16);
    let mut within = false;
    for line in source.lines() {
        if line.trim().is_empty() {
            if std::mem::take(&mut within) {
                html.push_str("</p>\n");
            }
            continue;
        }
        html.push_str(if std::mem::replace(&mut within, true) { "<br>\n" } else { "<p>" });
        text::push_escaped(line.trim_end(), &mut html);
    }
    if within {
        html.push_str("</p>");
    }
    html
}

/// What the sanitiser makes of HTML, for tests.
#[cfg(test)]
pub(super) fn judged(html: &str) -> String {
    XmlText::new(&allow::SANITISER.clean(html).to_string()).into()
}
