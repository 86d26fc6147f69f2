//! Any line as a date: no panic, no year that RFC 5322 or RFC 3339 cannot write, and the same again for what was read.
#![no_main]

use chrono::Datelike;
use feedmill::article::{Rules, SourceFile, parse};

fn read(date: &str) -> Option<chrono::DateTime<chrono::Utc>> {
    let text = format!("---\ntitle: t\ndate: {date}\n---\nx\n");
    parse(SourceFile { path: "a.md", bytes: text.as_bytes() }, &Rules::default()).article?.published
}

libfuzzer_sys::fuzz_target!(|date: &str| {
    if date.contains(['\n', '\r']) {
        return;
    }
    if let Some(at) = read(date) {
        assert!((0..=9999).contains(&at.year()), "{date}: {at}");
        assert_eq!(read(&at.to_rfc3339()), Some(at), "{date}");
    }
});
