//! Tidying: HTML as authors and exporters write it → the same HTML, balanced, absolute and in one spelling.
//!
//! It drops what is not on the list of [`allow`](super::allow), closes what is left open, bounds how deep elements
//! nest, makes addresses absolute, brings back pictures that a script would have loaded, turns players into links and
//! leaves out wrappers with nothing in them. It spells everything as the HTML standard's serialiser does, so that the
//! sanitiser after it, which has the last word, seldom finds a thing to change.

use super::allow::Element;
use super::refs;
use super::token::{Attributes, Token, Tokens};
use super::{embed, image};
use crate::feed::link::Base;
use crate::feed::text;

/// Elements nest no deeper; the tags of deeper ones are dropped, their content stays.
const DEEPEST: usize = 100;

/// Tidies a fragment.
pub(super) fn tidy(html: &str, base: &Base) -> String {
    let mut tidy = Tidy {
        out: String::with_capacity(html.len()),
        open: Vec::new(),
        base,
        unwritten: Vec::new(),
        dropping: None,
        revived: false,
    };
    for token in Tokens::new(html) {
        tidy.token(token);
    }
    tidy.close_to(0);
    let blank = |c: char| c.is_ascii_whitespace();
    let end = tidy.out.trim_end_matches(blank).len();
    tidy.out.truncate(end);
    let start = tidy.out.len() - tidy.out.trim_start_matches(blank).len();
    tidy.out.drain(..start);
    tidy.out
}

/// An element that is open.
struct Open {
    name: &'static str,
    /// Where its start tag begins in what was written.
    start: usize,
    /// Where its content begins.
    content: usize,
}

struct Tidy<'a> {
    out: String,
    open: Vec<Open>,
    base: &'a Base,
    /// Names of elements, open for the author but not written: their end tags must end nothing else.
    unwritten: Vec<&'static str>,
    /// An element that is dropped with its content, and how often it is open.
    dropping: Option<(String, usize)>,
    /// The last thing written was a picture that only a script would have shown; a `noscript` after it is its double.
    revived: bool,
}

impl Tidy<'_> {
    fn token(&mut self, token: Token<'_>) {
        if let Some((dropped, depth)) = &mut self.dropping {
            match token {
                Token::Start(name, _) if name.eq_ignore_ascii_case(dropped) => *depth += 1,
                Token::End(name) if name.eq_ignore_ascii_case(dropped) => *depth -= 1,
                _ => {}
            }
            if *depth == 0 {
                self.dropping = None;
            }
            return;
        }
        match token {
            Token::Text(text) => self.text(text),
            Token::Start(name, attributes) => self.start(name, attributes),
            Token::End(name) => self.end(name),
            Token::Raw(name, attributes, content) => self.raw(name, attributes, content),
        }
    }

    fn text(&mut self, text: &str) {
        self.revived &= text.trim().is_empty();
        let at = self.out.len();
        refs::respell(text, &mut self.out);
        // A parser drops a line feed right after the start tag of `pre`, so one there would vanish at each reading.
        if self.open.last().is_some_and(|open| open.name == "pre" && open.content == at) {
            let lines = self.out[at..].len() - self.out[at..].trim_start_matches('\n').len();
            self.out.replace_range(at..at + lines, "");
        }
    }

    fn raw(&mut self, name: &str, attributes: Attributes<'_>, content: &str) {
        let mut escaped = String::new();
        if name.eq_ignore_ascii_case("iframe") {
            self.player(attributes);
        } else if name.eq_ignore_ascii_case("textarea") {
            self.text(content);
        } else if ["xmp", "plaintext"].iter().any(|raw| raw.eq_ignore_ascii_case(name)) {
            text::push_escaped(content, &mut escaped);
            self.start("pre", Attributes::default());
            self.text(&escaped);
            self.end("pre");
        }
    }

    /// A player in a frame becomes a link to what it plays.
    fn player(&mut self, attributes: Attributes<'_>) {
        let mut title = "";
        let mut page = None;
        for (name, value) in attributes {
            match name.to_ascii_lowercase().as_str() {
                "src" | "data-src" | "data-lazy-src" => page = page.or_else(|| embed::page(refs::plain(value).trim())),
                "title" => title = value,
                _ => {}
            }
        }
        let Some(page) = page else { return };
        if self.open.iter().any(|open| open.name == "a") {
            return;
        }
        self.out.push_str("<a href=\"");
        text::push_escaped(&page, &mut self.out);
        self.out.push_str("\" rel=\"noopener noreferrer\">");
        let before = self.out.len();
        refs::respell(title.trim(), &mut self.out);
        if self.out.len() == before {
            text::push_escaped(&page, &mut self.out);
        }
        self.out.push_str("</a>");
    }

    fn start(&mut self, name: &str, attributes: Attributes<'_>) {
        let Some(element) = Element::of(name) else { return self.foreign_start(name, attributes) };
        let name = element.name;
        match name {
            "img" => return self.image(element, attributes),
            "source" if !self.open.iter().any(|open| matches!(open.name, "picture" | "video" | "audio")) => return,
            "br" | "hr" | "wbr" | "col" | "source" => {
                self.imply_ends(name);
                self.write_start(element, attributes);
                return;
            }
            _ => {}
        }
        self.revived = false;
        self.imply_ends(name);
        // The start tag of `tbody` may be left out; a parser puts it in.
        if name == "tr" && self.open.last().is_some_and(|open| open.name == "table") {
            self.start("tbody", Attributes::default());
        }
        if self.open.len() >= DEEPEST {
            self.unwritten.push(name);
            return;
        }
        let start = self.out.len();
        if !self.write_start(element, attributes) {
            self.unwritten.push(name);
            return;
        }
        self.open.push(Open { name, start, content: self.out.len() });
    }

    /// A start tag of an element that is not published.
    fn foreign_start(&mut self, name: &str, attributes: Attributes<'_>) {
        let name = name.to_ascii_lowercase();
        match name.as_str() {
            "image" => self.start("img", attributes),
            name if is_block(name) => self.start("div", Attributes::default()),
            "embed" => self.player(attributes),
            "annotation" | "annotation-xml" | "button" | "canvas" | "head" | "object" | "select" | "svg"
            | "template" => self.dropping = Some((name, 1)),
            "noscript" if self.revived => self.dropping = Some((name, 1)),
            _ => {}
        }
    }

    fn image(&mut self, element: Element, attributes: Attributes<'_>) {
        let picture = image::Picture::of(attributes, self.base);
        if picture.src.is_none() && picture.srcset.is_none() {
            // A browser, too, shows the words for a picture that it cannot have.
            let alt = picture.alt.unwrap_or_default();
            self.text(alt);
            return;
        }
        self.out.push_str("<img");
        if let Some(src) = &picture.src {
            self.push_attribute("src", src);
        }
        if let Some(srcset) = &picture.srcset {
            self.push_attribute("srcset", srcset);
        }
        let mut seen = vec!["src", "srcset"];
        for (name, value) in attributes {
            if let Some(name) = element.attribute(name).filter(|name| !seen.contains(name)) {
                seen.push(name);
                self.attribute(name, value);
            }
        }
        // Without it, readers aloud spell the address.
        if !seen.contains(&"alt") {
            self.push_attribute("alt", "");
        }
        self.out.push('>');
        self.revived = picture.revived;
    }

    /// Writes a start tag; `false` (and nothing written) where the element means nothing without an attribute that it
    /// has not got.
    fn write_start(&mut self, element: Element, attributes: Attributes<'_>) -> bool {
        let start = self.out.len();
        self.out.push('<');
        self.out.push_str(element.name);
        let mut addressed = false;
        let mut seen = Vec::new();
        for (name, value) in attributes {
            if let Some(name) = element.attribute(name) {
                let before = self.out.len();
                // The first of two of one name counts.
                if seen.contains(&name) {
                    continue;
                }
                seen.push(name);
                self.attribute(name, value);
                addressed |= self.out.len() > before && matches!(name, "href" | "src" | "srcset");
            } else if name.eq_ignore_ascii_case("style") && matches!(element.name, "td" | "th") {
                self.alignment(value);
            }
        }
        match element.name {
            "a" | "source" if !addressed => {
                self.out.truncate(start);
                return false;
            }
            "a" => self.out.push_str(" rel=\"noopener noreferrer\""),
            // Without controls, only a script could play it.
            "video" | "audio" if !seen.contains(&"controls") => self.push_attribute("controls", ""),
            _ => {}
        }
        self.out.push('>');
        true
    }

    /// Writes an attribute, if its value is a sound one.
    fn attribute(&mut self, name: &'static str, value: &str) {
        match name {
            "href" => {
                let address = self.base.link(&refs::plain(value));
                self.push_found("href", address);
            }
            "src" | "cite" | "poster" => {
                let address = self.base.web(&refs::plain(value));
                self.push_found(name, address);
            }
            "srcset" => {
                let set = image::srcset(&refs::plain(value), self.base);
                self.push_found("srcset", set);
            }
            "width" | "height" | "colspan" | "rowspan" | "span" | "start" | "value" => {
                let digits = value.trim().trim_end_matches("px");
                let number = digits.strip_prefix('-').filter(|_| name == "start").unwrap_or(digits);
                if (1..=5).contains(&number.len()) && number.bytes().all(|b| b.is_ascii_digit()) {
                    self.push_attribute(name, digits);
                }
            }
            "align" | "scope" | "dir" | "referrerpolicy" => {
                let lower = value.trim().to_ascii_lowercase();
                let known = match name {
                    "align" => &["left", "center", "right"][..],
                    "scope" => &["row", "col", "rowgroup", "colgroup"],
                    "dir" => &["ltr", "rtl", "auto"],
                    _ => &[
                        "no-referrer",
                        "no-referrer-when-downgrade",
                        "origin",
                        "origin-when-cross-origin",
                        "same-origin",
                        "strict-origin",
                        "strict-origin-when-cross-origin",
                        "unsafe-url",
                    ],
                };
                if known.contains(&lower.as_str()) {
                    self.push_attribute(name, &lower);
                }
            }
            "lang" | "hreflang" => {
                if let Some(language) = text::language(value) {
                    self.push_attribute(name, language.as_str());
                }
            }
            "controls" => self.push_attribute(name, ""),
            _ => self.push_respelled(name, value),
        }
    }

    /// The one thing of a cell's style that matters.
    fn alignment(&mut self, style: &str) {
        for rule in style.split(';') {
            if let Some((name, value)) = rule.split_once(':')
                && name.trim().eq_ignore_ascii_case("text-align")
            {
                self.attribute("align", value);
            }
        }
    }

    fn push_found(&mut self, name: &str, value: Option<String>) {
        if let Some(value) = value {
            self.push_attribute(name, &value);
        }
    }

    fn push_attribute(&mut self, name: &str, value: &str) {
        self.out.push(' ');
        self.out.push_str(name);
        self.out.push_str("=\"");
        text::push_escaped(value, &mut self.out);
        self.out.push('"');
    }

    fn push_respelled(&mut self, name: &str, value: &str) {
        self.out.push(' ');
        self.out.push_str(name);
        self.out.push_str("=\"");
        refs::respell_attribute(value, &mut self.out);
        self.out.push('"');
    }

    fn end(&mut self, name: &str) {
        let div = Element::of("div").filter(|_| is_block(&name.to_ascii_lowercase()));
        let Some(element) = Element::of(name).or(div) else { return };
        let name = element.name;
        if let Some(at) = self.unwritten.iter().rposition(|&unwritten| unwritten == name) {
            self.unwritten.remove(at);
            return;
        }
        // Inside of a cell nothing outside of it can be ended, but the table's own parts.
        let in_table = matches!(name, "table" | "tbody" | "thead" | "tfoot" | "tr" | "td" | "th" | "caption");
        for at in (0..self.open.len()).rev() {
            let open = self.open[at].name;
            if open == name {
                return self.close_to(at);
            }
            if !in_table && matches!(open, "td" | "th" | "caption" | "table") {
                return;
            }
            if in_table && open == "table" {
                return;
            }
        }
    }

    /// Ends the elements that the start of another one ends (HTML standard, "optional tags" and "in body").
    fn imply_ends(&mut self, name: &str) {
        if ends_paragraph(name) {
            self.end_within(&["p"], &["table", "td", "th", "caption"]);
        }
        match name {
            "li" => self.end_within(&["li"], &["ul", "ol", "table", "td", "th", "caption", "blockquote", "section"]),
            "dt" | "dd" => self.end_within(&["dt", "dd"], &["dl", "table", "td", "th", "caption", "blockquote"]),
            "td" | "th" => self.end_within(&["td", "th", "caption", "colgroup"], &["table", "tr"]),
            "tr" => self.end_within(&["tr", "caption", "colgroup"], &["table", "tbody", "thead", "tfoot"]),
            "tbody" | "thead" | "tfoot" => {
                self.end_within(&["tbody", "thead", "tfoot", "caption", "colgroup"], &["table"]);
            }
            "a" => self.end_within(&["a"], &["table", "td", "th", "caption"]),
            "rt" | "rp" => self.end_within(&["rt", "rp"], &["ruby"]),
            name if is_heading(name) && self.open.last().is_some_and(|open| is_heading(open.name)) => {
                self.close_to(self.open.len() - 1);
            }
            _ => {}
        }
    }

    /// Ends the nearest open element of these names, unless one of the borders is nearer.
    fn end_within(&mut self, names: &[&str], borders: &[&str]) {
        for at in (0..self.open.len()).rev() {
            let open = self.open[at].name;
            if names.contains(&open) {
                return self.close_to(at);
            }
            if borders.contains(&open) {
                return;
            }
        }
    }

    /// Closes all elements from the `depth`th on.
    fn close_to(&mut self, depth: usize) {
        while self.open.len() > depth {
            if let Some(open) = self.open.pop() {
                self.close(&open);
            }
        }
        self.unwritten.clear();
    }

    /// A link that has neither text nor a title, but a picture without words, is called after where it leads.
    fn name_link(&mut self, open: &Open) {
        let silent = |token: Token<'_>| match token {
            Token::Text(text) => is_blank(text),
            Token::Start("img", attributes) => {
                !attributes.into_iter().any(|(name, alt)| name == "alt" && !is_blank(alt))
            }
            _ => true,
        };
        let start_tag = &self.out[open.start..open.content];
        if start_tag.contains(" title=\"") || !Tokens::new(&self.out[open.content..]).all(silent) {
            return;
        }
        let href = start_tag.split_once("href=\"").and_then(|(_, rest)| rest.split_once('"'));
        let Some((href, _)) = href else { return };
        let title = format!(" title=\"{}\"", last_name(href));
        let end = " rel=\"noopener noreferrer\">".len();
        self.out.insert_str(open.content - end, &title);
    }

    fn close(&mut self, open: &Open) {
        let content = &self.out[open.content..];
        if is_wrapper(open.name) && is_blank(content) {
            // The blank between two words may be inside of an element.
            let blank = if is_inline(open.name) { content.to_owned() } else { String::new() };
            self.out.truncate(open.start);
            self.out.push_str(&blank);
            return;
        }
        if open.name == "a" {
            self.name_link(open);
        }
        let content = &self.out[open.content..];
        let start_tag = &self.out[open.start..open.content];
        let empty = match open.name {
            "video" | "audio" => !start_tag.contains(" src=\"") && !content.contains("<source"),
            "picture" => !content.contains("<img"),
            _ => false,
        };
        if empty {
            self.out.replace_range(open.start..open.content, "");
            return;
        }
        self.out.push_str("</");
        self.out.push_str(open.name);
        self.out.push('>');
    }
}

/// Blocks that are not published, but whose content must not run into what stands beside them.
fn is_block(name: &str) -> bool {
    matches!(
        name,
        "address"
            | "aside"
            | "dialog"
            | "dir"
            | "fieldset"
            | "form"
            | "hgroup"
            | "listing"
            | "main"
            | "menu"
            | "nav"
            | "search"
    )
}

/// The last name in an address, else its host; still percent-encoded.
fn last_name(address: &str) -> &str {
    let path = address.split(['?', '#']).next().unwrap_or(address);
    path.trim_end_matches('/').rsplit('/').next().unwrap_or(path)
}

fn is_heading(name: &str) -> bool {
    matches!(name, "h1" | "h2" | "h3" | "h4" | "h5" | "h6")
}

/// Blocks: a paragraph that is open ends before them.
fn ends_paragraph(name: &str) -> bool {
    is_heading(name)
        || matches!(
            name,
            "article"
                | "blockquote"
                | "center"
                | "dd"
                | "details"
                | "div"
                | "dl"
                | "dt"
                | "figcaption"
                | "figure"
                | "footer"
                | "header"
                | "hr"
                | "li"
                | "ol"
                | "p"
                | "pre"
                | "section"
                | "summary"
                | "table"
                | "ul"
        )
}

fn is_inline(name: &str) -> bool {
    matches!(
        name,
        "a" | "abbr"
            | "b"
            | "bdi"
            | "bdo"
            | "cite"
            | "code"
            | "del"
            | "dfn"
            | "em"
            | "i"
            | "ins"
            | "kbd"
            | "mark"
            | "q"
            | "s"
            | "samp"
            | "small"
            | "span"
            | "strike"
            | "strong"
            | "sub"
            | "sup"
            | "time"
            | "tt"
            | "u"
            | "var"
    )
}

/// Elements that mean nothing without content.
fn is_wrapper(name: &str) -> bool {
    is_inline(name)
        || is_heading(name)
        || matches!(
            name,
            "article"
                | "blockquote"
                | "center"
                | "details"
                | "div"
                | "dl"
                | "figcaption"
                | "figure"
                | "footer"
                | "header"
                | "ol"
                | "p"
                | "picture"
                | "pre"
                | "ruby"
                | "section"
                | "summary"
                | "table"
                | "tbody"
                | "tfoot"
                | "thead"
                | "ul"
        )
}

/// White space alone, also the kinds that HTML does not collapse.
fn is_blank(content: &str) -> bool {
    let mut rest = content;
    loop {
        rest = rest.trim_start();
        match rest.strip_prefix("&nbsp;") {
            Some(after) => rest = after,
            None => return rest.is_empty(),
        }
    }
}
