//! Relative addresses that nothing can be made of: a reader cannot follow them, so they are dropped, and that is said.
//!
//! Only asked where neither the article nor the settings give a base; what is written as code is none.

use std::ops::Range;

use memchr::memmem;
use pulldown_cmark::{Event, Options, Parser, Tag};

use super::body::{Token, Tokens, attribute};
use super::{Article, Field, Markup, Parsed, address, charset, repair};
use crate::diagnostic::{Code, Diagnostic};

/// Warns of the first relative address and counts the others.
pub(super) fn report(article: &Article, text: &str, parsed: &mut Parsed) {
    let mut found = Found::default();
    if let Some(image) = article.image.as_deref().filter(|image| is_relative(image)) {
        let line = parsed.origins.get(&Field::Image).and_then(|origin| origin.line);
        found.add(image, || line.map(|line| (line, 1)));
    }
    for media in article.media.iter().filter(|media| is_relative(&media.url)) {
        let line = parsed.origins.get(&Field::Media).and_then(|origin| origin.line);
        found.add(&media.url, || line.map(|line| (line, 1)));
    }
    let body = &text[article.body.start..];
    each(body, article.body.markup, |address, at| {
        if is_relative(address) {
            found.add(address, || Some(charset::place(text, article.body.start + at.start)));
        }
    });
    let Some((first, place)) = found.first else { return };
    let more = match found.count {
        1 => String::new(),
        count => format!(", as were {} more", count - 1),
    };
    let message = format!(
        "the relative address `{}` has nothing to resolve against; it was dropped{more}",
        repair::short(&first)
    );
    let problem = Diagnostic::new(Code::LinkDropped, message)
        .help("set `site.assets_url` or `articles.link`, or give the article its `link`");
    parsed.problems.push(match place {
        Some((line, column)) => problem.at(line, column),
        None => problem,
    });
}

#[derive(Default)]
struct Found {
    first: Option<(String, Option<(u32, u32)>)>,
    count: usize,
}

impl Found {
    fn add(&mut self, address: &str, place: impl FnOnce() -> Option<(u32, u32)>) {
        self.count += 1;
        self.first.get_or_insert_with(|| (address.to_owned(), place()));
    }
}

/// Whether an address needs a base. One that leads into its own page does not; one with template code is the engine's.
fn is_relative(written: &str) -> bool {
    let address = written.trim_start();
    !address.starts_with(['#', '{'])
        && !address.starts_with("//")
        && match address::read(address) {
            address::Address::Relative(_) => true,
            address::Address::Absolute(_) | address::Address::Invalid => false,
        }
}

/// Whether there is any address that may be relative: a cheap look, which spares most bodies the reading.
fn may_be_there(body: &str, markup: Markup) -> bool {
    let is_open = |rest: &str| {
        let address = rest.trim_start_matches([' ', '"', '\'', '<']);
        let whole = ["http:", "https:", "//", "#", "mailto:", "{"];
        !whole.iter().any(|start| address.get(..start.len()).is_some_and(|found| found.eq_ignore_ascii_case(start)))
    };
    let after = |mark: &str, is_found: &dyn Fn(&str) -> bool| {
        memmem::find_iter(body.as_bytes(), mark).any(|at| is_found(&body[at + mark.len()..]))
    };
    let attribute = |rest: &str| rest.trim_start().strip_prefix('=').is_some_and(|value| is_open(value.trim_start()));
    ["href", "src", "HREF", "SRC"].into_iter().any(|name| after(name, &attribute))
        || markup == Markup::Markdown && ["](", "]:"].into_iter().any(|mark| after(mark, &is_open))
}

/// Calls with each address of links and pictures in a body, and where it, or the element that it is of, stands.
fn each(body: &str, markup: Markup, mut found: impl FnMut(&str, Range<usize>)) {
    match markup {
        Markup::Text => {}
        _ if !may_be_there(body, markup) => {}
        Markup::Html => in_html(body, 0, &mut found),
        Markup::Markdown => {
            let options = Options::ENABLE_TABLES | Options::ENABLE_FOOTNOTES;
            for (event, at) in Parser::new_ext(body, options).into_offset_iter() {
                match event {
                    Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => found(&dest_url, at),
                    Event::Html(html) | Event::InlineHtml(html) => in_html(&html, at.start, &mut found),
                    _ => {}
                }
            }
        }
    }
}

fn in_html(html: &str, offset: usize, found: &mut impl FnMut(&str, Range<usize>)) {
    for (token, at) in Tokens::of(html).with_places() {
        let Token::Start { name, attributes, .. } = token else { continue };
        let wanted = match name.to_ascii_lowercase().as_str() {
            "a" => "href",
            "img" | "audio" | "video" | "source" => "src",
            _ => continue,
        };
        if let Some(value) = attribute(attributes, wanted) {
            found(value, offset + at.start..offset + at.end);
        }
    }
}
