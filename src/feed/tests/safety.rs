//! Safety: nothing that is published runs a script, also after it was parsed and serialised once more.

use super::build::{entry, feed, settings, shared};
use crate::entry::{Document, Format, Markup, Material};
use crate::feed::Renderer;
use crate::feed::html::{self, Token, Tokens};
use crate::feed::link::Base;

/// What is wrong with cleaned HTML.
fn wrong(html: &str) -> Option<String> {
    // The sanitiser parses as a browser does. If it writes the same again, then what is allowed is all there is.
    let again = html::judged(html);
    if again != html {
        return Some(format!("changes when parsed again: {html:?} -> {again:?}"));
    }
    for token in Tokens::new(html) {
        let (name, attributes) = match token {
            Token::Start(name, attributes) => (name, attributes),
            Token::Raw(name, ..) => return Some(format!("<{name}> in {html:?}")),
            _ => continue,
        };
        if ["form", "input", "object", "embed", "svg", "math", "base", "meta", "link"].contains(&name) {
            return Some(format!("<{name}> in {html:?}"));
        }
        for (name, value) in attributes {
            let address = matches!(name, "href" | "src" | "poster" | "cite");
            let sound = ["http://", "https://", "mailto:", "tel:"].iter().any(|scheme| value.starts_with(scheme));
            if name.starts_with("on") || name == "style" || address && !sound {
                return Some(format!("{name}={value} in {html:?}"));
            }
        }
    }
    None
}

/// Payloads of our own: one for each way in that is known, and for what comes to life in the second reading alone.
const PAYLOADS: &str = include_str!("../../../tests/feeds/payloads.jsonl");

/// Our payloads, and those of others where they are on the machine.
fn payloads() -> String {
    let others = shared("hostile/xss.jsonl").map(|file| std::fs::read_to_string(file).expect("the payloads are read"));
    format!("{PAYLOADS}{}", others.unwrap_or_default())
}

#[test]
fn payloads_are_harmless() {
    let lines = payloads();
    let base = Base::none();
    let mut faults = Vec::new();
    for line in lines.lines() {
        let row: serde_json::Value = serde_json::from_str(line).expect("JSON");
        let (id, payload) = (row["id"].as_str().unwrap_or_default(), row["html"].as_str().unwrap_or_default());
        for markup in [Markup::Html, Markup::Markdown, Markup::Text] {
            let clean = html::clean(payload, markup, &base);
            if let Some(fault) = wrong(clean.as_str()) {
                faults.push(format!("{id} {markup:?}: {fault}"));
            }
        }
    }
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults[..faults.len().min(20)].join("\n"));
}

#[test]
fn payloads_in_feeds_and_titles_are_harmless() {
    let payloads: Vec<String> = payloads()
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).expect("JSON"))
        .map(|row| row["html"].as_str().unwrap_or_default().to_owned())
        .collect();
    let renderer = Renderer::new(settings());
    for (at, some) in payloads.chunks(100).enumerate() {
        let entries: Vec<_> = some
            .iter()
            .zip(1..)
            .map(|(payload, number)| {
                let mut entry = entry(number, payload, Markup::Html, payload);
                entry.article.tags = vec![payload.clone()];
                entry.article.image = Some(payload.clone());
                entry.article.link = Some(payload.clone());
                entry.article.authors = vec![super::build::author(payload)];
                entry.article.summary = Some(crate::entry::Summary::Text(payload.clone()));
                entry
            })
            .collect();
        let material = feed("all", entries.clone());
        let count = entries.len();
        for format in [Format::Rss, Format::Atom] {
            let document = Document::Feed(material.key.clone(), format);
            let bytes = renderer.render(&document, &Material::Feed(material.clone())).expect("renders");
            let text = String::from_utf8(bytes).expect("UTF-8");
            let xml = roxmltree::Document::parse(&text).unwrap_or_else(|error| panic!("chunk {at}: {error}"));
            let items = xml.descendants().filter(|node| matches!(node.tag_name().name(), "item" | "entry"));
            assert_eq!(items.count(), count, "an item broke out in chunk {at}");
            let bodies = xml
                .descendants()
                .filter(|node| matches!(node.tag_name().name(), "encoded" | "content") && node.text().is_some());
            for body in bodies {
                assert_eq!(wrong(body.text().unwrap_or_default()), None);
            }
            for node in xml.descendants().filter(|node| node.tag_name().name() == "link") {
                let href = node.attribute("href").or_else(|| node.text()).unwrap_or_default();
                assert!(href.starts_with("http://") || href.starts_with("https://"), "{href}");
            }
            for node in xml.descendants().filter(|node| node.tag_name().name() == "description") {
                // HTML by the specification: plain text, so without a single tag.
                let tags = Tokens::new(node.text().unwrap_or_default()).any(|token| !matches!(token, Token::Text(_)));
                assert!(!tags, "{:?}", node.text());
            }
        }
        for document in [Document::Page(material.key.clone())] {
            let bytes = renderer.render(&document, &Material::Feed(material.clone())).expect("renders");
            let text = String::from_utf8(bytes).expect("UTF-8");
            for token in Tokens::new(&text) {
                match token {
                    Token::Raw(name, ..) => assert_eq!(name, "title"),
                    Token::Start(_, attributes) => {
                        for (name, value) in attributes {
                            assert!(!name.starts_with("on"), "{name}={value}");
                            let address = matches!(name, "href" | "src") && value != "#content";
                            assert!(!address || value.starts_with("http") || value.starts_with('/'), "{name}={value}");
                        }
                    }
                    _ => {}
                }
            }
        }
    }
}

#[test]
fn bodies_of_many_shapes_are_stable() {
    for source in [
        "<p>a<p>b<div>c<p>d</div>e",
        "<b><p>x</b>y</p>",
        "<a href=https://x.example/>a<a href=https://y.example/>b</a></a>",
        "<table><tr><td>a<td>b<tr><td>c</table>",
        "<table>text<tr><td>a</td></tr></table>",
        "<table><td><table><td>x</table></table>",
        "<ul><li>a<li>b<ul><li>c</ul><li>d</ul>",
        "<dl><dt>a<dd>b<dt>c</dl>",
        "<pre>\n\n\nx</pre>",
        "<ruby>漢<rp>(<rt>kan<rp>)</ruby>",
        "<h1>a<h2>b</h1>c",
        "<p><table><tr><td><p>x</table>y",
        "</p></br></div>x",
        "<details><summary>a</summary><p>b</details>",
        "<td>x</td><tr>y",
        "<select><option>a<option>b</select>c",
        "<svg><style><img src=x onerror=alert(1)></style></svg>d",
        "<math><mtext><table><mglyph><style><!--</style><img title=\"--&gt;&lt;img src=1 onerror=alert(1)&gt;\">",
        "<noscript><p title=\"</noscript><img src=x onerror=alert(1)>\">",
        "<form><form></form><p></form>x",
        "<img src=https://x.example/a.png srcset='https://x.example/b.png 2x, javascript:x 3x' onerror=x>",
        "<video src=https://x.example/a.mp4 autoplay poster=javascript:x><source src=javascript:y></video>",
        "<q cite='vbscript:x'>a</q><del cite=javascript:x>b</del>",
        "&notin;&nosuch;&amp;lt;&#150;&#0;&#xD800;&copy d",
    ] {
        let clean = html::clean(source, Markup::Html, &Base::none());
        assert_eq!(wrong(clean.as_str()), None, "{source}");
    }
}

#[test]
fn hostile_bodies_take_no_time_and_no_room() {
    let formatting: String = (0..4000).map(|n| format!("<b title={n}><p>")).collect();
    let attributes: String = (0..20_000).map(|n| format!(" a{n}=x")).collect();
    for (name, source) in [
        ("deep", "<div>".repeat(10_000)),
        ("deep inline", "<b><i>".repeat(20_000)),
        ("formatting", formatting),
        ("attributes", format!("<p{attributes}>x</p>")),
        ("ampersands", "&".repeat(20_000)),
        ("open tags", "<a href=\"".repeat(10_000)),
        ("open comments", "<!--".repeat(50_000)),
        ("comments", "<!-- a -->".repeat(50_000)),
        ("instructions", "<?".repeat(50_000)),
        ("doctypes", "<!doctype [".repeat(50_000)),
        ("raw", "<iframe>".repeat(50_000)),
        ("lists", "<li>".repeat(10_000)),
        ("cells", format!("<table>{}", "<td>x".repeat(10_000))),
        ("tables", "<table>".repeat(20_000)),
        ("stars", "*a ".repeat(100_000)),
        ("brackets", "[".repeat(50_000)),
        ("templates", "{% raw %}".repeat(10_000)),
        ("braces", "{{".repeat(10_000)),
        ("backticks", (1..700).map(|n| "`".repeat(n) + " ").collect()),
        ("quotes", ">".repeat(10_000)),
        ("emphasis", format!("{}a", "**_".repeat(10_000))),
    ] {
        for markup in [Markup::Html, Markup::Markdown] {
            let clean = html::clean(&source, markup, &Base::none());
            assert!(clean.as_str().len() <= source.len() * 8 + 1000, "{name} {markup:?}: {}", clean.as_str().len());
        }
    }
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(400))]

    #[test]
    fn any_html_is_clean_and_stable(
        source in "(<(/?)(p|a|b|div|table|tr|td|li|ul|pre|svg|math|style|img|h1|ruby|rt|form|select)( (href|src|title|onclick|style)=(\"[^\"]{0,6}\"|'x'|javascript:x))?>|[ a-z&;<>\"'\n\u{a0}]{0,4}|&lt;|&nbsp;|<!--|-->){0,24}"
    ) {
        let clean = html::clean(&source, Markup::Html, &Base::none());
        proptest::prop_assert_eq!(wrong(clean.as_str()), None);
    }
}
