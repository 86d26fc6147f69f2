//! A list of all feeds of a kind, page by page.

use maud::{Markup, html};

use super::index::{branches, link, row_list};
use super::words::Words;
use super::{Page, Time, local};
use crate::entry::{Document, FeedRow, Key, Kind, ListMaterial};
use crate::feed::Settings;
use crate::feed::text::XmlText;
use crate::feed::tree;

/// The page.
pub(in crate::feed) fn list(kind: Kind, material: &ListMaterial, settings: &Settings) -> Vec<u8> {
    let words = Words::of(settings);
    let name = words.kind(kind);
    let title = if material.page > 1 { format!("{name} ({})", material.page) } else { name.to_owned() };
    let rows: Vec<&FeedRow> = material.rows.iter().filter(|row| row.key.kind() == kind).collect();
    let content = html! {
        nav .path aria-label=(words.path) {
            ol {
                li { a href=(local(settings, &Document::Index)) { (words.home) } }
                li aria-current="page" { (name) }
            }
        }
        h1 { (title) }
        @if kind.is_tree() { (trees(rows, settings)) } @else if rows.len() > 40 { (row_list(&rows, settings)) } @else {
            ul .list {
                @for row in rows {
                    li { (link(row, &super::channel::name(&row.key, settings), settings)) " " (Time(row.updated, settings)) }
                }
            }
        }
        (turn(kind, material, settings))
    };
    let page = Page {
        settings,
        title: XmlText::line(&title),
        description: None,
        canonical: settings.address(&Document::List(kind, material.page)),
        feeds: vec![(Key::all(), XmlText::line(&settings.title))],
        properties: Vec::new(),
        kind: "website",
    };
    page.around(&content)
}

/// Trees; a branch whose broader feed stands on another page is named by its whole path.
fn trees(rows: Vec<&FeedRow>, settings: &Settings) -> Markup {
    html! {
        ul .tree {
            @for branch in tree::grow(rows) {
                li {
                    (link(branch.row, &XmlText::line(&branch.row.key.path_text(" › ")), settings))
                    @if !branch.below.is_empty() { (branches(&branch.below, settings)) }
                }
            }
        }
    }
}

/// Links to the pages before and after.
fn turn(kind: Kind, material: &ListMaterial, settings: &Settings) -> Markup {
    let words = Words::of(settings);
    let to = |page| local(settings, &Document::List(kind, page));
    html! {
        @if material.pages > 1 {
            nav .pages aria-label=(words.pages) {
                @if material.page > 1 { a rel="prev" href=(to(material.page - 1)) { (words.previous) } }
                span { (material.page) " / " (material.pages) }
                @if material.page < material.pages { a rel="next" href=(to(material.page + 1)) { (words.next) } }
            }
        }
    }
}
