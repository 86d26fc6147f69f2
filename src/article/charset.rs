//! Bytes → text: which encoding, and what does not fit it.
//!
//! Strict UTF-8 first, for almost every file is. Nothing becomes U+FFFD: bytes that fit no character are left out and
//! counted. [`decode`] must give the same text for the same bytes and name for ever, because bodies are kept as ranges
//! of it.

use std::borrow::Cow;

use chardetng::{EncodingDetector, Iso2022JpDetection, Utf8Detection};
use encoding_rs::{DecoderResult, Encoding, UTF_8, UTF_16BE, UTF_16LE};

use crate::diagnostic::{Code, Diagnostic};

/// The names of the two encodings that WHATWG does not know.
const UTF_32LE: &str = "UTF-32LE";
const UTF_32BE: &str = "UTF-32BE";

/// A file's text, and the name under which [`decode`] gives it again.
pub(super) struct Decoded<'a> {
    pub text: Cow<'a, str>,
    pub encoding: &'static str,
    pub problems: Vec<Diagnostic>,
}

/// Reads a file's text; an error where it is none.
pub(super) fn read<'a>(
    path: &str,
    bytes: &'a [u8],
    configured: Option<&'static Encoding>,
) -> Result<Decoded<'a>, Diagnostic> {
    let mut problems = Vec::new();
    let encoding = if let Some((encoding, _)) = byte_order_mark(bytes) {
        encoding
    } else if let Some(wide) = configured.filter(|e| [UTF_16LE, UTF_16BE].contains(e) && bytes.contains(&0)) {
        // Somebody said so; without it, NUL bytes are no text.
        wide.name()
    } else {
        // Ten times as fast as the standard library's check.
        match UTF_8.decode_without_bom_handling_and_without_replacement(bytes) {
            // Nearly every file: its bytes are its text.
            Some(text) if is_clean(bytes) => return Ok(Decoded { text, encoding: UTF_8.name(), problems }),
            Some(_) => match too_many_nuls(bytes) {
                Some(reason) => return Err(not_text(reason)),
                None => UTF_8.name(),
            },
            None if looks_binary(bytes) => return Err(not_text("the file holds binary data")),
            None => choose(bytes, Encoding::utf8_valid_up_to(bytes), path, configured, &mut problems),
        }
    };
    let decoded = decode_counting(bytes, encoding);
    if decoded.text.trim().is_empty() && bytes.iter().any(|b| !b.is_ascii_whitespace()) && decoded.lost > 0 {
        return Err(not_text("the file holds no characters"));
    }
    if decoded.lost > 0 {
        let (line, column) = place(&decoded.text, decoded.first_lost);
        let (count, s, verb) =
            (decoded.lost, if decoded.lost == 1 { "" } else { "s" }, if decoded.lost == 1 { "does" } else { "do" });
        problems.push(
            Diagnostic::new(
                Code::CharsetBad,
                format!(
                    "{count} byte{s} {verb} not fit {encoding} and {} left out",
                    if count == 1 { "was" } else { "were" }
                ),
            )
            .at(line, column)
            .help("save the file as UTF-8"),
        );
    }
    Ok(Decoded { text: decoded.text, encoding, problems })
}

/// See [`super::decode`].
pub(super) fn decode<'a>(bytes: &'a [u8], encoding: &str) -> Cow<'a, str> {
    decode_counting(bytes, encoding).text
}

fn not_text(reason: &str) -> Diagnostic {
    Diagnostic::new(Code::NotText, format!("{reason}; an article is text"))
        .help("save the file as UTF-8, or move it out of the inbox")
}

/// The encoding that a byte order mark names, and the mark's length.
fn byte_order_mark(bytes: &[u8]) -> Option<(&'static str, usize)> {
    match bytes {
        [0xEF, 0xBB, 0xBF, ..] => Some((UTF_8.name(), 3)),
        // Before UTF-16LE, whose mark is the beginning of this one.
        [0xFF, 0xFE, 0, 0, ..] => Some((UTF_32LE, 4)),
        [0, 0, 0xFE, 0xFF, ..] => Some((UTF_32BE, 4)),
        [0xFF, 0xFE, ..] => Some((UTF_16LE.name(), 2)),
        [0xFE, 0xFF, ..] => Some((UTF_16BE.name(), 2)),
        _ => None,
    }
}

/// The encoding of bytes that are not UTF-8.
fn choose(
    bytes: &[u8],
    valid_up_to: usize,
    path: &str,
    configured: Option<&'static Encoding>,
    problems: &mut Vec<Diagnostic>,
) -> &'static str {
    if is_damaged_utf8(bytes) {
        return UTF_8.name();
    }
    if let Some(encoding) = configured {
        return widened(encoding).name();
    }
    let before = String::from_utf8_lossy(&bytes[..valid_up_to]);
    let (line, column) = place(&before, before.len());
    if let Some(encoding) = declared(bytes) {
        problems.push(
            Diagnostic::new(
                Code::CharsetGuessed,
                format!("the file is not UTF-8; it was read as {}, as it says itself", encoding.name()),
            )
            .at(line, column)
            .help("save the file as UTF-8"),
        );
        return encoding.name();
    }
    let mut detector = EncodingDetector::new(Iso2022JpDetection::Deny);
    detector.feed(bytes, true);
    // A handful of characters fits several encodings alike; the file's own name may tell the script.
    let few = bytes.iter().filter(|b| !b.is_ascii()).count() < FEW;
    let country = if few { script_of(path) } else { None };
    let encoding = widened(detector.guess(country, Utf8Detection::Deny));
    problems.push(
        Diagnostic::new(Code::CharsetGuessed, format!("the file is not UTF-8; it was read as {}", encoding.name()))
            .at(line, column)
            .help("save the file as UTF-8, or name the encoding in `articles.charset`"),
    );
    encoding.name()
}

/// So many bytes beyond ASCII are too few to tell one encoding of East Asia from another.
const FEW: usize = 24;

/// A country whose script a name is written in, as the detector takes it.
fn script_of(name: &str) -> Option<&'static [u8]> {
    let has = |range: std::ops::RangeInclusive<char>| name.chars().any(|c| range.contains(&c));
    if has('\u{3040}'..='\u{30ff}') {
        Some(b"jp")
    } else if has('\u{ac00}'..='\u{d7a3}') {
        Some(b"kr")
    } else if has('\u{4e00}'..='\u{9fff}') {
        Some(b"cn")
    } else {
        None
    }
}

/// GB18030 holds all of GBK, and detectors name the smaller one.
fn widened(encoding: &'static Encoding) -> &'static Encoding {
    if encoding == encoding_rs::GBK { encoding_rs::GB18030 } else { encoding }
}

/// UTF-8 in which some bytes went wrong, as opposed to another encoding in which some pairs look like UTF-8 by chance:
/// in GBK text about one character in five does.
fn is_damaged_utf8(bytes: &[u8]) -> bool {
    let (mut good, mut bad) = (0, 0);
    for chunk in bytes.utf8_chunks() {
        good += chunk.valid().bytes().filter(|b| !b.is_ascii()).count();
        bad += chunk.invalid().len();
    }
    good > 0 && good >= bad
}

/// The encoding that the file names itself: `charset: gbk` in the front matter, or a `<meta charset>`.
fn declared(bytes: &[u8]) -> Option<&'static Encoding> {
    let head = &bytes[..bytes.len().min(2048)];
    let lower = head.to_ascii_lowercase();
    for (mark, separator) in
        [(&b"charset"[..], &b":="[..]), (b"\nencoding", b":"), (b"xml version=\"1.0\" encoding", b"=")]
    {
        let Some(at) = lower.windows(mark.len()).position(|window| window == mark) else { continue };
        let rest = lower[at + mark.len()..].trim_ascii_start();
        let Some((first, rest)) = rest.split_first() else { continue };
        if !separator.contains(first) {
            continue;
        }
        let label: Vec<u8> = rest
            .iter()
            .copied()
            .skip_while(|b| matches!(b, b' ' | b'"' | b'\''))
            .take_while(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b':'))
            .collect();
        // A false claim of UTF-8 is why we are here, and UTF-16 cannot name itself in ASCII.
        let encoding = Encoding::for_label(&label).map(widened).filter(|e| ![UTF_8, UTF_16LE, UTF_16BE].contains(e));
        if encoding.is_some() {
            return encoding;
        }
    }
    None
}

/// Binary data by its first bytes, or by control characters that no text has.
fn looks_binary(bytes: &[u8]) -> bool {
    const MAGIC: &[&[u8]] = &[
        b"\x89PNG",
        b"GIF8",
        b"\xFF\xD8\xFF",
        b"PK\x03\x04",
        b"\x1F\x8B",
        b"\x7FELF",
        b"%PDF-",
        b"RIFF",
        b"BZh",
        b"\xFD7zXZ",
        b"\x28\xB5\x2F\xFD",
        b"7z\xBC\xAF",
        b"Rar!",
        b"OggS",
        b"ID3",
        b"\xD0\xCF\x11\xE0",
        b"wOFF",
        b"SQLite format 3",
    ];
    if MAGIC.iter().any(|magic| bytes.starts_with(magic)) {
        return true;
    }
    let trailing = bytes.iter().rev().take_while(|b| **b == 0).count();
    let content = &bytes[..bytes.len() - trailing];
    let controls =
        content.iter().filter(|b| b.is_ascii_control() && !matches!(b, b'\t' | b'\n' | b'\r' | 0x0C | 0x1B)).count();
    controls * 50 > content.len()
}

/// Text with a NUL or two is text that went through a bad tool; with a NUL beside every letter it is UTF-16.
fn too_many_nuls(bytes: &[u8]) -> Option<&'static str> {
    let trailing = bytes.iter().rev().take_while(|b| **b == 0).count();
    let content = &bytes[..bytes.len() - trailing];
    if content.is_empty() {
        return (trailing > 0).then_some("the file holds nothing but NUL bytes");
    }
    let nuls = content.iter().filter(|b| **b == 0).count();
    (nuls * 16 > content.len()).then_some("the file holds NUL bytes everywhere, like UTF-16 without a byte order mark")
}

/// What decoding gave.
struct Counted<'a> {
    text: Cow<'a, str>,
    /// Bytes that were left out.
    lost: usize,
    /// Where in `text` the first of them stood.
    first_lost: usize,
}

fn decode_counting<'a>(bytes: &'a [u8], encoding: &str) -> Counted<'a> {
    let bytes = match byte_order_mark(bytes) {
        Some((name, length)) if name == encoding => &bytes[length..],
        _ => bytes,
    };
    if encoding == UTF_8.name()
        && is_clean(bytes)
        && let Ok(text) = std::str::from_utf8(bytes)
    {
        return Counted { text: Cow::Borrowed(text), lost: 0, first_lost: 0 };
    }
    let mut sink = Sink { text: String::with_capacity(bytes.len()), lost: 0, first_lost: None };
    match encoding {
        UTF_32LE | UTF_32BE => from_units(bytes, 4, encoding == UTF_32BE, &mut sink),
        "UTF-16LE" | "UTF-16BE" => from_units(bytes, 2, encoding == "UTF-16BE", &mut sink),
        _ => match Encoding::for_label(encoding.as_bytes()) {
            Some(other) if other != UTF_8 => from_legacy(bytes, other, &mut sink),
            _ => from_utf8(bytes, &mut sink),
        },
    }
    if let Some(at) = sink.text.find('\0') {
        sink.lost += sink.text.bytes().filter(|b| *b == 0).count();
        sink.first_lost = Some(sink.first_lost.map_or(at, |first| first.min(at)));
    }
    let first_lost = sink.first_lost.map_or(0, |at| normalise(sink.text[..at].to_owned()).len());
    Counted { text: Cow::Owned(normalise(sink.text)), lost: sink.lost, first_lost }
}

/// Whether UTF-8 bytes are the text as they stand: no NUL, no CR, no mark after blank lines.
fn is_clean(bytes: &[u8]) -> bool {
    memchr::memchr2(0, b'\r', bytes).is_none() && !bytes.trim_ascii_start().starts_with(b"\xEF\xBB\xBF")
}

struct Sink {
    text: String,
    lost: usize,
    first_lost: Option<usize>,
}

impl Sink {
    fn lose(&mut self, bytes: usize) {
        if bytes > 0 {
            self.lost += bytes;
            self.first_lost.get_or_insert(self.text.len());
        }
    }
}

fn from_utf8(bytes: &[u8], sink: &mut Sink) {
    for chunk in bytes.utf8_chunks() {
        sink.text.push_str(chunk.valid());
        sink.lose(chunk.invalid().len());
    }
}

fn from_legacy(bytes: &[u8], encoding: &'static Encoding, sink: &mut Sink) {
    let mut decoder = encoding.new_decoder_without_bom_handling();
    let mut rest = bytes;
    loop {
        let room =
            decoder.max_utf8_buffer_length_without_replacement(rest.len()).unwrap_or(rest.len().saturating_mul(3));
        sink.text.reserve(room.max(16));
        let (result, read) = decoder.decode_to_string_without_replacement(rest, &mut sink.text, true);
        rest = &rest[read..];
        match result {
            DecoderResult::InputEmpty => return,
            DecoderResult::OutputFull => {}
            DecoderResult::Malformed(length, _) => sink.lose(length.into()),
        }
    }
}

/// UTF-16 and UTF-32: units of a fixed size; surrogates without a partner and half units are lost.
fn from_units(bytes: &[u8], size: usize, big: bool, sink: &mut Sink) {
    let units = bytes.chunks_exact(size);
    let odd = units.remainder().len();
    let units = units.map(|unit| {
        let join = |value: u32, byte: &u8| value << 8 | u32::from(*byte);
        if big { unit.iter().fold(0, join) } else { unit.iter().rev().fold(0, join) }
    });
    if size == 4 {
        for unit in units {
            match char::from_u32(unit) {
                Some(c) => sink.text.push(c),
                None => sink.lose(4),
            }
        }
    } else {
        #[expect(clippy::cast_possible_truncation, reason = "two bytes were joined")]
        for unit in char::decode_utf16(units.map(|unit| unit as u16)) {
            match unit {
                Ok(c) => sink.text.push(c),
                Err(_) => sink.lose(2),
            }
        }
    }
    sink.lose(odd);
}

/// Line ends become `\n`, NUL goes, and so does a byte order mark that stands after blank lines.
fn normalise(text: String) -> String {
    let blank = text.len() - text.trim_start().len();
    let mark_at = text[blank..].starts_with('\u{feff}').then_some(blank);
    if mark_at.is_none() && !text.contains(['\r', '\0']) {
        return text;
    }
    let mut out = String::with_capacity(text.len());
    let mut chars = text.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        match c {
            '\r' => {
                chars.next_if(|(_, next)| *next == '\n');
                out.push('\n');
            }
            '\0' => {}
            '\u{feff}' if Some(at) == mark_at => {}
            _ => out.push(c),
        }
    }
    out
}

/// Line and column, both from 1, of a byte of the text.
pub(super) fn place(text: &str, at: usize) -> (u32, u32) {
    let at = text.floor_char_boundary(at.min(text.len()));
    let before = &text[..at];
    let line = before.bytes().filter(|b| *b == b'\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or("").chars().count() + 1;
    (u32::try_from(line).unwrap_or(u32::MAX), u32::try_from(column).unwrap_or(u32::MAX))
}
