//! Open problems as a page, as JSON and as an Atom feed (RFC 4287), so that an author can subscribe to them. Pure.

use std::fmt::Write as _;

use maud::{Markup, PreEscaped, html};
use serde::Serialize;
use uuid::Uuid;

use super::admin::rfc3339;
use super::page::operators_page;
use crate::entry::{Timestamp, is_xml_char};
use crate::rendition::Problem;

/// The namespace of the ids of problems.
const NAMESPACE: Uuid = Uuid::from_u128(0x0d5e_9e1b_62c4_5a52_8f3c_5f1b_94c0_7d36);

/// One problem, in the order of the contract.
#[derive(Debug, Serialize)]
struct Row<'a> {
    severity: &'a str,
    code: &'a str,
    path: &'a str,
    line: Option<u32>,
    column: Option<u32>,
    message: &'a str,
    help: Option<&'a str>,
    since: String,
}

#[derive(Debug, Serialize)]
struct Rows<'a> {
    problems: Vec<Row<'a>>,
}

/// `/problems.json`.
pub fn json(open: &[Problem]) -> String {
    let problems = open.iter().map(|problem| {
        let found = &problem.diagnostic;
        Row {
            severity: found.severity.as_str(),
            code: found.code.as_str(),
            path: &problem.path,
            line: found.line,
            column: found.column,
            message: &found.message,
            help: found.help.as_deref(),
            since: rfc3339(problem.since),
        }
    });
    // Strings and numbers always serialise.
    serde_json::to_string(&Rows { problems: problems.collect() }).unwrap_or_default()
}

/// `/problems`.
pub fn html(open: &[Problem]) -> String {
    let body = html! {
        p { a href="status" { "status" } }
        h2 { (open.len()) " open" }
        @for problem in open { (item(problem)) }
        p { a href="problems.json" { "JSON" } " " a href="problems.atom" { "Atom" } }
    };
    operators_page("Problems", &body)
}

/// One problem as a part of a page.
pub fn item(problem: &Problem) -> Markup {
    let found = &problem.diagnostic;
    html! {
        h3 { (place(problem)) }
        p {
            span class=(found.severity.as_str()) { (found.severity.as_str()) } " " code { (found.code.as_str()) } ": "
            (found.message)
            @if let Some(help) = &found.help { br; (help) }
            br;
            "since " (rfc3339(problem.since))
        }
        (snippet(problem))
    }
}

/// A problem's line of text with a caret below its place; nothing where there is no line.
fn snippet(problem: &Problem) -> Markup {
    let found = &problem.diagnostic;
    let Some((line, source)) = found.line.zip(found.source.as_deref()) else { return PreEscaped(String::new()) };
    let mut text = format!("{line} | {source}");
    if let Some(column) = found.column.filter(|&column| column as usize <= source.chars().count() + 1) {
        let gutter = line.to_string().len();
        // A tab stays one, so that the caret stands below its place.
        let before: String =
            source.chars().take(column as usize - 1).map(|c| if c == '\t' { c } else { ' ' }).collect();
        let _ = write!(text, "\n{:gutter$} | {before}^", "");
    }
    html! { pre tabindex="0" { code { (text) } } }
}

/// `/problems.atom`.
pub fn atom(open: &[Problem]) -> String {
    let newest = open.iter().map(|problem| problem.since).max().unwrap_or(Timestamp::UNIX_EPOCH);
    let mut xml = Xml(String::with_capacity(512 + 512 * open.len()));
    xml.0.push_str("<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<feed xmlns=\"http://www.w3.org/2005/Atom\">\n");
    xml.element("title", "feedmill: problems");
    xml.element("id", &urn("problems"));
    xml.element("updated", &rfc3339(newest));
    xml.0.push_str("<author><name>feedmill</name></author>\n");
    for problem in open {
        let found = &problem.diagnostic;
        let (code, since) = (found.code.as_str(), rfc3339(problem.since));
        let id = format!("{}\n{code}\n{:?}\n{since}", problem.path, (found.line, found.column));
        let help = found.help.as_deref().map(|help| format!("\n{help}")).unwrap_or_default();
        xml.0.push_str("<entry>\n");
        xml.element("title", &format!("{}: {code}", problem.path));
        xml.element("id", &urn(&id));
        xml.element("updated", &since);
        xml.element("content", &format!("{}: {}: {}{help}", place(problem), found.severity.as_str(), found.message));
        xml.0.push_str("</entry>\n");
    }
    xml.0.push_str("</feed>\n");
    xml.0
}

/// `PATH:LINE:COLUMN`, as compilers and editors write it.
fn place(problem: &Problem) -> String {
    let mut place = problem.path.clone();
    for number in [problem.diagnostic.line, problem.diagnostic.column].into_iter().flatten() {
        place.push(':');
        place.push_str(&number.to_string());
    }
    place
}

fn urn(name: &str) -> String {
    Uuid::new_v5(&NAMESPACE, name.as_bytes()).urn().to_string()
}

/// Elements with text, nothing else.
struct Xml(String);

impl Xml {
    fn element(&mut self, name: &str, text: &str) {
        self.0.extend(["<", name, ">"]);
        for c in text.chars() {
            match c {
                '&' => self.0.push_str("&amp;"),
                '<' => self.0.push_str("&lt;"),
                '>' => self.0.push_str("&gt;"),
                c if is_xml_char(c) => self.0.push(c),
                _ => self.0.push('\u{fffd}'),
            }
        }
        self.0.extend(["</", name, ">\n"]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::{Code, Diagnostic};

    fn problem() -> Problem {
        Problem {
            path: "金融/银行/旧闻.md".to_owned(),
            diagnostic: Diagnostic::new(
                Code::YamlRepaired,
                "the title is not valid YAML: ':' inside an unquoted value",
            )
            .at(3, 8)
            .help("quote it: title: \"旧闻: 一\""),
            since: Timestamp::from_timestamp(1_795_507_200, 0).expect("a time"),
        }
    }

    #[test]
    fn json_is_the_contracts() {
        assert_eq!(
            json(&[problem()]),
            r#"{"problems":[{"severity":"warning","code":"yaml-repaired","path":"金融/银行/旧闻.md","line":3,"column":8,"message":"the title is not valid YAML: ':' inside an unquoted value","help":"quote it: title: \"旧闻: 一\"","since":"2026-11-24T08:00:00Z"}]}"#
        );
        assert_eq!(json(&[]), r#"{"problems":[]}"#);
    }

    #[test]
    fn atom_is_read_back() {
        let mut odd = problem();
        odd.diagnostic.message = "a <b> & \u{1}".to_owned();
        for open in [vec![], vec![problem(), odd]] {
            let text = atom(&open);
            roxmltree::Document::parse(&text).expect("well-formed XML");
            let feed = feed_rs::parser::parse(text.as_bytes()).expect("a feed");
            assert_eq!(feed.entries.len(), open.len());
        }
    }

    #[test]
    fn the_page_escapes() {
        let mut odd = problem();
        odd.path = "<script>.md".to_owned();
        let text = html(&[odd]);
        assert!(text.contains("&lt;script&gt;.md:3:8"), "{text}");
    }
}
