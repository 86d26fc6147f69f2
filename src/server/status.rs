//! The operator's page: how things stand, how they went in the last day, who reads what, what happened, what is wrong.
//!
//! Plain HTML with charts as SVG; a small script of its own puts what is new into it. Pure.

use std::fmt::Write as _;
use std::time::Duration;

use maud::{Markup, html};

use super::admin::rfc3339;
use super::page::{document, operators_style};
use super::problems;
use super::readership::Feed;
use crate::entry::Timestamp;
use crate::metrics::{Event, Minute, Moved, Updates, What};
use crate::rendition::Problem;

/// The script that keeps the page fresh.
pub const SCRIPT: &str = include_str!("status.js");
/// Its style sheet.
pub const STYLE: &str = include_str!("status.css");

/// Rows of each list that are shown.
const ROWS: usize = 20;
/// Points of a chart at most.
const POINTS: i64 = 240;
/// The width and height of a chart in its own units.
const CHART: (f64, f64) = (720.0, 80.0);

/// What the page shows.
#[derive(Debug)]
pub struct Status<'a> {
    /// `ok`, `starting` or `degraded`.
    pub state: &'a str,
    /// What is not as it should be.
    pub why: Vec<String>,
    /// Names and values.
    pub facts: Vec<(&'a str, String)>,
    /// From old to new.
    pub minutes: Vec<Minute>,
    /// Of the newest changes.
    pub updates: Option<Updates>,
    /// The busiest first.
    pub feeds: Vec<Feed>,
    /// Clients that never send validators, with their requests.
    pub careless: Vec<(String, u64)>,
    /// The newest first.
    pub events: Vec<Event>,
    /// The newest first.
    pub problems: Vec<Problem>,
}

/// The page.
pub fn page(status: &Status<'_>) -> String {
    let body = html! {
        h1 { "feedmill" }
        p { "State: " span class={ "state " (status.state) } { (status.state) } }
        @if !status.why.is_empty() { ul { @for why in &status.why { li { (why) } } } }
        dl class="facts" {
            @for (name, value) in &status.facts { div { dt { (name) } dd { (value) } } }
        }
        h2 { "The last day" }
        (chart("Articles that are shown, and changes", &status.minutes, |minute| minute.articles, |minute| minute.moved.sum()))
        (chart("Files with problems", &status.minutes, |minute| minute.problems, |_| 0))
        h2 { "Updates" }
        @match status.updates {
            Some(updates) => p {
                "From the close of a file until its feeds can be served, of the newest " (updates.count) ": half within "
                (seconds(updates.median)) ", 99 of 100 within " (seconds(updates.p99)) "."
            },
            None => p { "None since the start." },
        }
        h2 { "Feeds" }
        (feeds(&status.feeds))
        @if !status.careless.is_empty() {
            h2 { "Clients that never send validators" }
            p { "Each of their requests costs a whole feed; their makers may not know." }
            (table(&["client", "requests"], status.careless.iter().take(ROWS).map(|(name, count)| vec![name.clone(), count.to_string()])))
        }
        h2 { "Newest events" }
        @if status.events.is_empty() { p { "None since the start." } }
        ul {
            @for event in status.events.iter().take(ROWS) {
                li { (moment(event.at)) " " (words(&event.what)) }
            }
        }
        h2 { "Open problems" }
        @if status.problems.is_empty() { p { "None." } } @else {
            ul class="problems" { @for problem in status.problems.iter().take(ROWS) { li { (problems::item(problem)) } } }
            p { a href="problems" { "All " (status.problems.len()) " problems" } }
        }
        p { a href="metrics" { "metrics" } " · " a href="status.json" { "JSON" } " · " a href="problems.atom" { "problems as a feed" } }
    };
    let head = html! {
        (operators_style())
        script src="status.js" defer {}
        noscript { meta http-equiv="refresh" content="60"; }
    };
    document(&format!("{} · feedmill", status.state), &head, &body)
}

/// Minutes put together, so that no more than [`POINTS`] are drawn, and how many make one.
fn thinned(minutes: &[Minute]) -> (Vec<Minute>, i64) {
    let span = minutes.first().zip(minutes.last()).map_or(0, |(first, last)| last.number - first.number);
    let step = span / POINTS + 1;
    let mut points: Vec<Minute> = Vec::new();
    for minute in minutes {
        match points.last_mut() {
            Some(point) if point.number / step == minute.number / step => {
                *point = Minute { moved: point.moved.and(minute.moved), ..*minute };
            }
            _ => points.push(*minute),
        }
    }
    (points, step)
}

/// A line over time with bars behind it; both scaled to their own greatest value, which the caption tells.
fn chart(caption: &str, minutes: &[Minute], line: fn(&Minute) -> u64, bar: fn(&Minute) -> u64) -> Markup {
    let (points, step) = thinned(minutes);
    let minutes = &points;
    let Some((first, last)) = minutes.first().zip(minutes.last()) else {
        return html! { figure { figcaption { (caption) ": the first minute is not over." } } };
    };
    let (least, most) = (minutes.iter().map(line).min().unwrap_or(0), minutes.iter().map(line).max().unwrap_or(0));
    let highest = minutes.iter().map(bar).max().unwrap_or(0);
    let span = (last.number - first.number).max(1) as f64;
    let x = |minute: &Minute| (minute.number - first.number) as f64 / span * CHART.0;
    // A flat line stands in the middle.
    let y = |value: u64| match most - least {
        0 => CHART.1 / 2.0,
        range => CHART.1 - 4.0 - (value - least) as f64 / range as f64 * (CHART.1 - 8.0),
    };
    let mut points = String::new();
    for minute in minutes {
        let _ = write!(points, "{:.1},{:.1} ", x(minute), y(line(minute)));
    }
    let width = (CHART.0 / span * step as f64).clamp(1.0, 12.0);
    let words = format!(
        "{caption}: now {}, least {least}, most {most}{}; from {} to {}",
        line(last),
        match (highest, step) {
            (0, _) => String::new(),
            (_, 1) => format!("; at most {highest} changes in a minute"),
            _ => format!("; at most {highest} changes in {step} minutes"),
        },
        rfc3339(at(first)),
        rfc3339(at(last)),
    );
    html! {
        figure {
            svg viewBox=(format!("0 0 {} {}", CHART.0, CHART.1)) preserveAspectRatio="none" role="img" aria-label=(words) {
                @for minute in minutes.iter().filter(|minute| bar(minute) > 0) {
                    @let height = bar(minute) as f64 / highest as f64 * (CHART.1 - 4.0);
                    rect x=(format!("{:.1}", x(minute))) y=(format!("{:.1}", CHART.1 - height))
                        width=(format!("{width:.1}")) height=(format!("{height:.1}")) {}
                }
                polyline points=(points.trim_end()) {}
            }
            figcaption { (words) "." }
        }
    }
}

fn at(minute: &Minute) -> Timestamp {
    Timestamp::from_timestamp(minute.number * 60, 0).unwrap_or_default()
}

fn feeds(feeds: &[Feed]) -> Markup {
    if feeds.is_empty() {
        return html! { p { "Nobody has asked for one since the start." } };
    }
    let rows = feeds.iter().take(ROWS).map(|feed| {
        let share = format!("{:.0} %", 100.0 * feed.not_modified as f64 / feed.requests.max(1) as f64);
        let subscribers = feed.subscribers.map_or_else(|| "–".to_owned(), |count| count.to_string());
        vec![feed.path.clone(), feed.requests.to_string(), share, subscribers]
    });
    html! {
        p { "Since the start. Subscribers are what readers' services state for all their people." }
        (table(&["feed", "requests", "not modified", "subscribers"], rows))
    }
}

fn table(heads: &[&str], rows: impl Iterator<Item = Vec<String>>) -> Markup {
    let class = |column: usize| (column > 0).then_some("number");
    html! {
        div class="wide" tabindex="0" {
            table {
                thead { tr { @for (column, head) in heads.iter().enumerate() { th scope="col" class=[class(column)] { (head) } } } }
                tbody {
                    @for row in rows {
                        tr { @for (column, cell) in row.iter().enumerate() { td class=[class(column)] { (cell) } } }
                    }
                }
            }
        }
    }
}

fn moment(at: Timestamp) -> Markup {
    html! { time datetime=(rfc3339(at)) { (at.format("%Y-%m-%d %H:%M:%S UTC").to_string()) } }
}

fn words(what: &What) -> String {
    match what {
        What::Words(words) => words.clone(),
        What::Articles(Moved { added, changed, withdrawn }) => {
            let parts = [(added, "added"), (changed, "changed"), (withdrawn, "withdrawn")];
            let parts: Vec<String> =
                parts.iter().filter(|(count, _)| **count > 0).map(|(count, word)| format!("{count} {word}")).collect();
            format!("articles: {}", parts.join(", "))
        }
    }
}

fn seconds(time: Duration) -> String {
    let millis = time.as_secs_f64() * 1000.0;
    if millis < 1000.0 { format!("{millis:.1} ms") } else { format!("{:.1} s", millis / 1000.0) }
}

/// Bytes, for people.
pub fn size(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];
    let (mut value, mut unit) = (bytes as f64 / 1024.0, UNITS[0]);
    for next in &UNITS[1..] {
        if value < 1024.0 {
            break;
        }
        (value, unit) = (value / 1024.0, next);
    }
    format!("{value:.1} {unit}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::{Code, Diagnostic};

    fn status() -> Status<'static> {
        let minute = |number, articles| Minute {
            number,
            articles,
            problems: 0,
            moved: Moved { added: articles % 3, changed: 0, withdrawn: 0 },
        };
        let mut diagnostic = Diagnostic::new(Code::YamlRepaired, "a `:` in a <title>").at(3, 8).help("quote it");
        diagnostic.source = Some("title: a: b".to_owned());
        let at = Timestamp::from_timestamp(1_795_507_200, 0).expect("a time");
        Status {
            state: "degraded",
            why: vec!["the inbox is <away>".to_owned()],
            facts: vec![("articles", "12".to_owned())],
            minutes: vec![minute(29_925_120, 10), minute(29_925_121, 12), minute(29_925_130, 11)],
            updates: Some(Updates { count: 3, median: Duration::from_micros(4500), p99: Duration::from_secs(2) }),
            feeds: vec![Feed { path: "/all.rss".to_owned(), requests: 8, not_modified: 6, subscribers: Some(15) }],
            careless: vec![("wget".to_owned(), 3)],
            events: vec![Event { at, what: What::Articles(Moved { added: 2, changed: 1, withdrawn: 0 }) }],
            problems: vec![Problem { path: "a/<b>.md".to_owned(), diagnostic, since: at }],
        }
    }

    #[test]
    fn the_page_says_all_and_escapes() {
        let page = page(&status());
        for expected in [
            "the inbox is &lt;away&gt;",
            "<dt>articles</dt><dd>12</dd>",
            "half within 4.5 ms, 99 of 100 within 2.0 s",
            "<td>/all.rss</td><td class=\"number\">8</td><td class=\"number\">75 %</td><td class=\"number\">15</td>",
            "articles: 2 added, 1 changed",
            "a/&lt;b&gt;.md:3:8",
            "3 | title: a: b\n  |        ^",
            "now 11, least 10, most 12; at most 2 changes in a minute",
        ] {
            assert!(page.contains(expected), "{expected}: {page}");
        }
        assert_eq!(page.matches("<polyline").count(), 2);
        assert!(page.len() < 60_000);
    }

    #[test]
    fn charts_of_a_day_stay_small_and_inside() {
        let mut status = status();
        status.minutes = (0..1440)
            .map(|number| Minute {
                number,
                articles: 100_000 + number as u64,
                problems: 7,
                moved: Moved { added: 1, ..Moved::default() },
            })
            .collect();
        let page = page(&status);
        assert!(page.len() < 60_000, "{}", page.len());
        assert!(page.contains("changes in 6 minutes"), "{page}");
        assert!(page.matches("<rect").count() <= 241, "each bar is one");
        status.minutes.clear();
        assert!(super::page(&status).contains("the first minute is not over"));
    }

    #[test]
    fn sizes_are_told_as_people_do() {
        assert_eq!(size(0), "0.0 KiB");
        assert_eq!(size(74_000), "72.3 KiB");
        assert_eq!(size(3 << 30), "3.0 GiB");
    }
}
