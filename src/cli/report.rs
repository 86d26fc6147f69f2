//! Diagnostics as text: like a compiler's for people, one object a line for programs, annotations for GitHub.

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};
use serde::Serialize;

use super::args::Findings;
use super::console::{BOLD, CYAN, Console, RED, YELLOW};
use crate::diagnostic::{Code, Diagnostic, Severity};

/// Lines longer than this are cut around the place.
const WIDEST: usize = 140;

/// A diagnostic with the file that it is about.
pub struct Finding<'a> {
    /// As the contract names it: relative to the inbox.
    pub path: &'a str,
    /// As people at the terminal name it.
    pub shown: &'a str,
    /// What is wrong.
    pub diagnostic: &'a Diagnostic,
    /// The line that it is about.
    pub line: Option<&'a str>,
}

/// How many of each kind were printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Files or values not taken.
    pub errors: usize,
    /// Guesses.
    pub warnings: usize,
    /// Withheld as asked.
    pub notes: usize,
}

impl Tally {
    /// Counts one.
    pub fn add(&mut self, severity: Severity) {
        match severity {
            Severity::Error => self.errors += 1,
            Severity::Warning => self.warnings += 1,
            Severity::Note => self.notes += 1,
        }
    }
}

/// Prints one finding.
pub fn print(console: &mut Console, form: Findings, finding: &Finding<'_>) {
    let text = match form {
        Findings::Human => human(finding),
        Findings::Json => json(&Object::new(finding.path, finding.diagnostic), false),
        Findings::Github => github(finding),
    };
    console.result(&text);
}

/// A diagnostic as the contract writes it.
#[derive(Debug, Serialize)]
pub struct Object<'a> {
    severity: Severity,
    code: Code,
    path: &'a str,
    line: Option<u32>,
    column: Option<u32>,
    message: &'a str,
    help: Option<&'a str>,
}

impl<'a> Object<'a> {
    /// A diagnostic of a file.
    pub fn new(path: &'a str, diagnostic: &'a Diagnostic) -> Object<'a> {
        let Diagnostic { severity, code, line, column, message, help, source: _ } = diagnostic;
        Object { severity: *severity, code: *code, path, line: *line, column: *column, message, help: help.as_deref() }
    }
}

/// JSON in one line or, for people, in several.
pub fn json(value: &impl Serialize, pretty: bool) -> String {
    let text = if pretty { serde_json::to_string_pretty(value) } else { serde_json::to_string(value) };
    // Values with text as keys and no floats always have a form in JSON.
    text.unwrap_or_default() + "\n"
}

/// `path:line:column: severity[code]: message`, the line with a caret, the help.
pub fn human(finding: &Finding<'_>) -> String {
    let Finding { shown, diagnostic, line, .. } = finding;
    let color = match diagnostic.severity {
        Severity::Error => RED,
        Severity::Warning => YELLOW,
        Severity::Note => CYAN,
    };
    let mut text = format!("{BOLD}{}", printable(shown));
    for place in [diagnostic.line, diagnostic.column].into_iter().flatten() {
        text.push_str(&format!(":{place}"));
    }
    let severity = diagnostic.severity.as_str();
    let message = printable(&diagnostic.message);
    text.push_str(&format!(":{BOLD:#} {color}{severity}[{}]{color:#}: {message}\n", diagnostic.code.as_str()));
    if let (Some(number), Some(line)) = (diagnostic.line, line) {
        text.push_str(&snippet(line, number, diagnostic.column.unwrap_or(1), diagnostic.severity));
    }
    if let Some(help) = &diagnostic.help {
        text.push_str(&format!("  {CYAN}help{CYAN:#}: {}\n", printable(help)));
    }
    text
}

/// The line with a caret below the column, placed by display width.
fn snippet(line: &str, number: u32, column: u32, severity: Severity) -> String {
    let (line, column) = window(line, column as usize);
    let line = printable(&line);
    let start = line.char_indices().nth(column - 1).map_or(line.len(), |(at, _)| at);
    // At the end of the line the caret stands behind it.
    let end = line[start..].chars().next().map_or(start, |c| start + c.len_utf8());
    let level = match severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
        Severity::Note => Level::NOTE,
    };
    let snippet =
        Snippet::source(line.as_str()).line_start(number as usize).annotation(AnnotationKind::Primary.span(start..end));
    let rendered = Renderer::styled()
        .term_width(4 * WIDEST)
        .render(&[annotate_snippets::Group::with_level(level).element(snippet)]);
    rendered.lines().filter(|line| !line.trim().is_empty()).map(|line| format!("{line}\n")).collect()
}

/// The part of a long line around a column; the column in it.
fn window(line: &str, column: usize) -> (String, usize) {
    let length = line.chars().count();
    let column = column.clamp(1, length + 1);
    if length <= WIDEST {
        return (line.to_owned(), column);
    }
    let skip = (column - 1).saturating_sub(WIDEST / 2).min(length - WIDEST.min(length));
    let part: String = line.chars().skip(skip).take(WIDEST).collect();
    let before = if skip > 0 { "…" } else { "" };
    let after = if skip + WIDEST < length { "…" } else { "" };
    (format!("{before}{part}{after}"), column - skip + usize::from(skip > 0))
}

/// Without characters that a terminal would obey; each is replaced by one of the same count.
fn printable(text: &str) -> String {
    text.chars()
        .map(|c| {
            if c == '\t' {
                ' '
            } else if c.is_control() {
                '\u{fffd}'
            } else {
                c
            }
        })
        .collect()
}

/// A workflow command of GitHub Actions.
fn github(finding: &Finding<'_>) -> String {
    let diagnostic = finding.diagnostic;
    let command = match diagnostic.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Note => "notice",
    };
    let mut properties = vec![format!("file={}", property(finding.shown))];
    properties.extend(diagnostic.line.map(|line| format!("line={line}")));
    properties.extend(diagnostic.column.map(|column| format!("col={column}")));
    properties.push(format!("title={}", diagnostic.code.as_str()));
    let mut message = diagnostic.message.clone();
    if let Some(help) = &diagnostic.help {
        message.push_str(&format!("\nhelp: {help}"));
    }
    format!("::{command} {}::{}\n", properties.join(","), data(&message))
}

fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::Code;

    fn plain(text: &str) -> String {
        anstream::adapter::strip_str(text).to_string()
    }

    fn finding(diagnostic: &Diagnostic, line: &str) -> String {
        plain(&human(&Finding { path: "p.md", shown: "inbox/p.md", diagnostic, line: Some(line) }))
    }

    #[test]
    fn carets_stand_by_display_width() {
        let diagnostic = Diagnostic::new(Code::YamlRepaired, "the title is not valid YAML").at(3, 10).help("quote it");
        assert_eq!(
            finding(&diagnostic, "title: 上海: 物资保供"),
            "inbox/p.md:3:10: warning[yaml-repaired]: the title is not valid YAML\n\
             \x20 |\n\
             3 | title: 上海: 物资保供\n\
             \x20 |            ^\n\
             \x20 help: quote it\n"
        );
    }

    #[test]
    fn carets_may_stand_behind_the_line() {
        let diagnostic = Diagnostic::new(Code::FenceMissing, "m").at(1, 4);
        assert!(finding(&diagnostic, "---").ends_with("1 | ---\n  |    ^\n"), "{}", finding(&diagnostic, "---"));
    }

    #[test]
    fn long_lines_are_cut_around_the_place() {
        let line = format!("{}X{}", "a".repeat(5000), "b".repeat(5000));
        let text = finding(&Diagnostic::new(Code::LinkDropped, "m").at(1, 5001), &line);
        let lines: Vec<&str> = text.lines().collect();
        let caret = lines[3].find('^').expect("a caret");
        let at = lines[2].chars().position(|c| c == 'X').expect("the place");
        assert_eq!(caret, at, "{text}");
        assert!(lines[2].chars().count() < WIDEST + 10, "{text}");
    }

    #[test]
    fn terminals_are_not_given_orders() {
        let diagnostic = Diagnostic::new(Code::FieldInvalid, "bad \u{1b}[31m").at(1, 2);
        let text =
            human(&Finding { path: "p", shown: "a\u{1b}]0;x\u{7}", diagnostic: &diagnostic, line: Some("\u{1b}[2Jx") });
        let plain = plain(&text);
        assert!(!plain.contains('\u{1b}') && !text.contains("\u{1b}]0") && !text.contains("\u{1b}[2J"), "{text:?}");
    }

    #[test]
    fn annotations_are_escaped() {
        let diagnostic = Diagnostic::new(Code::DateInvalid, "50% off\nx").at(2, 7).help("h");
        let finding = Finding { path: "a", shown: "a,b:c.md", diagnostic: &diagnostic, line: None };
        assert_eq!(
            github(&finding),
            "::warning file=a%2Cb%3Ac.md,line=2,col=7,title=date-invalid::50%25 off%0Ax%0Ahelp: h\n"
        );
    }
}
