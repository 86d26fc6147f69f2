//! Any text as front matter: the body behind it is never lost.
#![no_main]

use feedmill::article::{Rules, SourceFile, decode, parse};

libfuzzer_sys::fuzz_target!(|front: &str| {
    // A fence of its own inside ends the block early, which is right.
    let text = format!("---\n{front}\n---\n\nthe very last words\n");
    let parsed = parse(SourceFile { path: "a.md", bytes: text.as_bytes() }, &Rules::default());
    if let Some(article) = parsed.article {
        let text = decode(text.as_bytes(), &article.body.encoding);
        assert!(text[article.body.start..article.body.end].contains("the very last words"));
    } else {
        assert!(!parsed.problems.is_empty());
    }
});
