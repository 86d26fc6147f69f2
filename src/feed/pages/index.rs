//! The index: what this site has, and how to subscribe to it.

use maud::{Markup, html};

use super::words::Words;
use super::{Page, Time, local, local_key, subscribe};
use crate::entry::{Document, FeedRow, Key, Kind, ListMaterial};
use crate::feed::Settings;
use crate::feed::channel;
use crate::feed::text::XmlText;
use crate::feed::tree::{self, Branch};

/// What a first file may look like.
const FIRST_FILE: &str = "---\ntitle: Hello\ncategories: [News]\n---\nMy first article.\n";

/// The page.
pub(in crate::feed) fn index(material: &ListMaterial, settings: &Settings) -> Vec<u8> {
    let words = Words::of(settings);
    let title = XmlText::line(&settings.title);
    let empty = material.newest.is_empty() && material.rows.iter().all(|row| row.count == 0);
    let content = html! {
        h1 { (title) }
        (subscribe(settings, &Key::all(), words.what_is_here))
        @if empty {
            section .empty {
                h2 { (words.empty) }
                p { (words.first_file) }
                p { code { (words.file_name) } }
                pre { code { (FIRST_FILE) } }
            }
        }
        @for kind in Kind::ALL.into_iter().filter(|&kind| kind != Kind::All) {
            (section(kind, material, settings))
        }
        @if !material.newest.is_empty() {
            section {
                h2 { (words.newest) }
                ul .newest {
                    @for row in &material.newest {
                        li {
                            a href=(local(settings, &Document::Article(row.uuid))) { (XmlText::line(&row.title)) }
                            " " (Time(row.published, settings))
                        }
                    }
                }
            }
        }
    };
    let page = Page {
        settings,
        description: None,
        canonical: settings.address(&Document::Index),
        feeds: vec![(Key::all(), title.clone())],
        properties: Vec::new(),
        kind: "website",
        title,
    };
    page.around(&content)
}

/// The feeds of a kind, and where the rest of them are.
fn section(kind: Kind, material: &ListMaterial, settings: &Settings) -> Markup {
    let words = Words::of(settings);
    let rows: Vec<&FeedRow> = material.rows.iter().filter(|row| row.key.kind() == kind).collect();
    let total = material.totals.iter().find(|(of, _)| *of == kind).map_or(0, |(_, total)| *total);
    html! {
        @if !rows.is_empty() {
            section {
                h2 { (words.kind(kind)) }
                @let shown = rows.len();
                @if kind.is_tree() { (branches(&tree::grow(rows), settings)) } @else { (row_list(&rows, settings)) }
                @if total > shown as u64 {
                    p { a href=(local(settings, &Document::List(kind, 1))) { (words.all_of) " " (total) } }
                }
            }
        }
    }
}

/// A tree of feeds as nested lists.
pub(super) fn branches(branches: &[Branch<'_>], settings: &Settings) -> Markup {
    html! {
        ul .tree {
            @for branch in branches {
                li {
                    (link(branch.row, &channel::name(&branch.row.key, settings), settings))
                    @if !branch.below.is_empty() { (self::branches(&branch.below, settings)) }
                }
            }
        }
    }
}

/// Feeds in a row.
pub(super) fn row_list(rows: &[&FeedRow], settings: &Settings) -> Markup {
    html! {
        ul .row {
            @for row in rows { li { (link(row, &channel::name(&row.key, settings), settings)) } }
        }
    }
}

/// A feed and how many articles it has.
pub(super) fn link(row: &FeedRow, name: &XmlText, settings: &Settings) -> Markup {
    let words = Words::of(settings);
    html! {
        a href=(local_key(settings, &row.key)) { (name) }
        " " span .count title=(words.count(row.count)) { (row.count) }
    }
}
