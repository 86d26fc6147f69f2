//! Any bytes under any of a few names: no panic, and what is read keeps its promises.
#![no_main]

use feedmill::article::{Rules, SourceFile, decode, parse};

const PATHS: [&str; 4] = ["a/b/note.md", "_posts/2017-01-20-a-slug.md", "page.html", "_drafts/plain.txt"];

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let path = PATHS[usize::from(bytes.first().copied().unwrap_or_default()) % PATHS.len()];
    let parsed = parse(SourceFile { path, bytes }, &Rules::default());
    let Some(article) = parsed.article else {
        assert!(!parsed.problems.is_empty(), "a file that gives no article says why");
        return;
    };
    assert!(!article.title.trim().is_empty() && !article.title.contains('\n'));
    let text = decode(bytes, &article.body.encoding);
    assert!(text.get(article.body.start..article.body.end).is_some(), "the body is a part of the text");
    assert!(article.categories.iter().all(|path| !path.is_empty() && path.len() <= 16));
});
