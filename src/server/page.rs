//! What is said in words: errors, redirections and lists of choices, as a tiny page, as problem details (RFC 9457) or
//! as plain text. Pure.

use hyper::{HeaderMap, StatusCode};
use maud::{DOCTYPE, Markup, html};

use super::negotiate::{Prose, prose};

/// An answer in words.
#[derive(Clone, Debug)]
pub struct Problem<'a> {
    /// Its status.
    pub status: StatusCode,
    /// One sentence, without a full stop.
    pub detail: &'a str,
    /// Where to go instead: references and what to call them.
    pub links: Vec<(String, String)>,
}

impl<'a> Problem<'a> {
    /// A problem without advice.
    pub fn new(status: StatusCode, detail: &'a str) -> Problem<'a> {
        Problem { status, detail, links: Vec::new() }
    }

    /// The same with places to go to instead.
    pub fn links(mut self, links: impl IntoIterator<Item = (String, String)>) -> Problem<'a> {
        self.links.extend(links);
        self
    }

    /// The media type and the body, in the form that the client prefers.
    pub fn write(&self, request: &HeaderMap) -> (&'static str, String) {
        match prose(request) {
            Prose::Html => ("text/html; charset=utf-8", self.html()),
            Prose::Problem => ("application/problem+json", self.json()),
            Prose::Text => ("text/plain; charset=utf-8", self.text()),
        }
    }

    fn title(&self) -> &'static str {
        self.status.canonical_reason().unwrap_or("Error")
    }

    fn html(&self) -> String {
        let body = html! {
            p { (self.detail) "." }
            @if !self.links.is_empty() {
                ul {
                    @for (reference, name) in &self.links {
                        li { a href=(reference) { (name) } }
                    }
                }
            }
        };
        page(&format!("{} {}", self.status.as_u16(), self.title()), &body)
    }

    fn json(&self) -> String {
        let mut problem = serde_json::json!({
            "type": "about:blank",
            "title": self.title(),
            "status": self.status.as_u16(),
            "detail": self.detail,
        });
        if !self.links.is_empty() {
            problem["links"] = self.links.iter().map(|(reference, _)| reference.as_str()).collect();
        }
        problem.to_string()
    }

    fn text(&self) -> String {
        let mut text = format!("{} {}\n{}.\n", self.status.as_u16(), self.title(), self.detail);
        for (reference, _) in &self.links {
            text.push_str(reference);
            text.push('\n');
        }
        text
    }
}

/// A page that loads nothing, its title as its heading.
pub fn page(title: &str, body: &Markup) -> String {
    headed(title, &html! {}, body)
}

/// A page for operators: with their style sheet, its title as its heading.
pub fn operators_page(title: &str, body: &Markup) -> String {
    headed(title, &operators_style(), body)
}

fn headed(title: &str, head: &Markup, body: &Markup) -> String {
    let body = html! {
        h1 { (title) }
        (body)
    };
    document(title, head, &body)
}

/// The style sheet of the operators' pages, which lie side by side.
pub fn operators_style() -> Markup {
    html! { link rel="stylesheet" href="status.css"; }
}

/// A whole page: its title, what else stands in its head, its body.
pub fn document(title: &str, head: &Markup, body: &Markup) -> String {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (title) }
                (head)
            }
            body { main { (body) } }
        }
    };
    page.into_string()
}

#[cfg(test)]
mod tests {
    use hyper::header::{ACCEPT, HeaderValue};

    use super::*;

    fn written(accept: &'static str) -> (&'static str, String) {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_static(accept));
        Problem::new(StatusCode::NOT_FOUND, "there is no feed <x>")
            .links([("../tag/a.rss".to_owned(), "tag/a & b".to_owned())])
            .write(&headers)
    }

    #[test]
    fn each_form_says_the_same() {
        let (media_type, body) = written("text/html");
        assert_eq!(media_type, "text/html; charset=utf-8");
        assert!(body.contains("<p>there is no feed &lt;x&gt;.</p>"), "{body}");
        assert!(body.contains("<a href=\"../tag/a.rss\">tag/a &amp; b</a>"), "{body}");

        let (media_type, body) = written("application/json");
        assert_eq!(media_type, "application/problem+json");
        let value: serde_json::Value = serde_json::from_str(&body).expect("JSON");
        assert_eq!(value["status"], 404);
        assert_eq!(value["title"], "Not Found");
        assert_eq!(value["links"][0], "../tag/a.rss");

        let (media_type, body) = written("*/*");
        assert_eq!(media_type, "text/plain; charset=utf-8");
        assert_eq!(body, "404 Not Found\nthere is no feed <x>.\n../tag/a.rss\n");
    }
}
