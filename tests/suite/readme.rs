//! The README against the program: every key with its default, every command and flag, every diagnostic.
//!
//! The tables between markers are generated; `FEEDMILL_BLESS=1` writes them anew.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use feedmill::config::SETTINGS;
use feedmill::diagnostic::Code;

use crate::program::Site;

fn path() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")
}

fn readme() -> String {
    std::fs::read_to_string(path()).expect("the README")
}

/// Compares what stands between the markers of a name, or writes it.
fn generated(name: &str, table: &str) {
    let text = readme();
    let (open, close) = (format!("<!-- {name} -->\n"), format!("<!-- /{name} -->"));
    let start = text.find(&open).expect("a marker") + open.len();
    let end = text.find(&close).expect("a marker");
    if std::env::var_os("FEEDMILL_BLESS").is_some() {
        std::fs::write(path(), format!("{}{table}{}", &text[..start], &text[end..])).expect("writes the README");
        return;
    }
    assert_eq!(&text[start..end], table, "run the tests once with FEEDMILL_BLESS=1 and --test-threads=1");
}

fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

#[test]
fn every_key_stands_with_its_default() {
    let mut table = String::from("| key | default | what it does |\n|---|---|---|\n");
    for setting in SETTINGS {
        let _ = writeln!(table, "| `{}` | `{}` | {} |", setting.key, cell(setting.default), cell(setting.about));
    }
    generated("config", &table);
}

#[test]
fn every_diagnostic_is_explained() {
    let mut table = String::from("| code | severity | meaning |\n|---|---|---|\n");
    for code in Code::ALL {
        let _ = writeln!(table, "| `{}` | {} | {} |", code.as_str(), code.severity().as_str(), cell(code.text()));
    }
    generated("diagnostics", &table);
}

#[test]
fn every_command_and_flag_is_named() {
    let (site, text) = (Site::new(), readme());
    let help = site.run(&["--help"]).out;
    let commands: Vec<&str> = help
        .lines()
        .skip_while(|line| *line != "Commands:")
        .skip(1)
        .take_while(|line| !line.is_empty())
        .filter_map(|line| line.split_whitespace().next())
        .collect();
    assert!(commands.len() >= 9, "{commands:?}");
    for command in commands {
        let row = text.lines().find(|line| {
            line.strip_prefix(&format!("| `feedmill {command}")).is_some_and(|rest| rest.starts_with([' ', '`']))
        });
        let row = row.unwrap_or_else(|| panic!("the README has no row for {command}"));
        let help = site.run(&[command, "--help"]).out;
        for line in help.lines().map(str::trim_start).filter(|line| line.starts_with("--")) {
            let flag = line.split_whitespace().next().unwrap_or_default();
            assert!(flag == "--config" || row.contains(flag), "{command} {flag} is not in its row: {row}");
        }
    }
}

#[test]
fn the_first_screen_says_what_to_type() {
    let text = readme();
    let screen: Vec<&str> = text.lines().take(30).collect();
    for part in ["cargo run --release", "cargo test", "curl http://127.0.0.1:8080/"] {
        assert!(screen.iter().any(|line| line.contains(part)), "{part}");
    }
}
