//! Any bytes behind any byte order mark: decoding is repeatable and lets no replacement character in that was not
//! there.
#![no_main]

use feedmill::article::{Rules, SourceFile, decode, parse};

const MARKS: [&[u8]; 4] = [b"", b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff"];

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    let Some((first, rest)) = input.split_first() else { return };
    let bytes = [MARKS[usize::from(*first) % MARKS.len()], rest].concat();
    let Some(article) = parse(SourceFile { path: "a.md", bytes: &bytes }, &Rules::default()).article else { return };
    let text = decode(&bytes, &article.body.encoding);
    assert_eq!(text, decode(&bytes, &article.body.encoding));
    let written = std::str::from_utf8(&bytes).map_or(0, |text| text.matches('\u{fffd}').count());
    if article.body.encoding == "UTF-8" {
        assert!(text.matches('\u{fffd}').count() <= written.max(bytes.windows(3).filter(|w| *w == b"\xef\xbf\xbd").count()));
    }
    assert!(!text.contains('\r'), "line ends are one character");
});
