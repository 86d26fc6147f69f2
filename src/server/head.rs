//! Watches the heads of HTTP/1 requests as their bytes come, for what hyper does not see or does not tell.
//!
//! hyper drops a length that stands beside a coding and takes two lengths that agree; what stands in front of it may
//! have read the other one (RFC 9112 section 6.3). It has one answer for every version that it does not know.

/// The longest request line that is handed on; shorter ones whose target is too long get an answer with words.
const LONGEST_LINE: usize = 16 * 1024;

/// As much of a field as has to be seen: of those that count, the names and any honest value are shorter.
const FIELD: usize = 64;

/// Why a request is not handed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The request line never ends (RFC 9110 section 15.5.15).
    TooLong,
    /// Another major version than 1 (RFC 9110 section 15.6.6).
    Version,
    /// Its end can be read in two ways (RFC 9112 sections 6.3 and 11.2).
    Ambiguous,
}

impl Refusal {
    /// What is said to the client; the connection is not usable after that.
    pub fn word(self) -> &'static [u8] {
        match self {
            Refusal::TooLong => b"HTTP/1.1 414 URI Too Long\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
            Refusal::Version => {
                b"HTTP/1.1 505 HTTP Version Not Supported\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
            }
            Refusal::Ambiguous => b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
        }
    }
}

/// Where in the requests of a connection its bytes are.
#[derive(Debug, Default)]
pub struct Heads {
    at: At,
    /// The beginning of a line that has not ended yet.
    line: Vec<u8>,
}

#[derive(Debug, Default)]
enum At {
    /// Before the first request, which may turn out to be none of HTTP/1.
    #[default]
    Opening,
    /// Before a request, or in its first line.
    Line,
    /// In its fields.
    Fields { length: Option<u64>, coded: bool },
    /// In its body, of which so much is left.
    Body(u64),
    /// Where nothing can be told: the connection ends with this request, or is not HTTP/1.
    Unknown,
}

impl Heads {
    /// Looks at the next bytes of the client. A minor version that nobody knows yet becomes the one that is spoken
    /// here (RFC 9110 section 2.5).
    ///
    /// # Errors
    ///
    /// A request that is to be refused, and how many of these bytes stand before it; nothing more is to be handed on.
    pub fn watch(&mut self, bytes: &mut [u8]) -> Result<(), (Refusal, usize)> {
        let mut begin = 0;
        let mut at = 0;
        while at < bytes.len() {
            match &mut self.at {
                At::Unknown => return Ok(()),
                At::Body(left) => {
                    let skipped = usize::try_from(*left).unwrap_or(usize::MAX).min(bytes.len() - at);
                    *left -= skipped as u64;
                    at += skipped;
                    if *left == 0 {
                        (self.at, begin) = (At::Line, at);
                    }
                }
                _ => {
                    let end = memchr::memchr(b'\n', &bytes[at..]);
                    let piece = &bytes[at..end.map_or(bytes.len(), |end| at + end + 1)];
                    let in_fields = matches!(self.at, At::Fields { .. });
                    let mut begun = std::mem::take(&mut self.line);
                    let line = if begun.is_empty() && end.is_some() {
                        piece
                    } else {
                        let room = if in_fields { FIELD } else { LONGEST_LINE + 1 }.saturating_sub(begun.len());
                        begun.extend_from_slice(&piece[..piece.len().min(room)]);
                        &begun
                    };
                    at += piece.len();
                    let digit =
                        if in_fields { None } else { unknown_minor(line).and_then(|back| at.checked_sub(back)) };
                    if !in_fields && line.len() > LONGEST_LINE {
                        return Err((Refusal::TooLong, begin));
                    }
                    if end.is_some() {
                        self.end_line(text(line)).map_err(|refusal| (refusal, begin))?;
                        if matches!(self.at, At::Line) {
                            begin = at;
                        }
                    } else {
                        self.line = begun;
                    }
                    if let Some(digit) = digit {
                        bytes[digit] = b'1';
                    }
                }
            }
        }
        Ok(())
    }

    /// A line has come to its end.
    fn end_line(&mut self, line: &[u8]) -> Result<(), Refusal> {
        self.at = match std::mem::take(&mut self.at) {
            // hyper, too, passes over empty lines before a request (RFC 9112 section 2.2).
            at @ (At::Opening | At::Line) if line.is_empty() => at,
            At::Opening if line == b"PRI * HTTP/2.0" => At::Unknown,
            At::Opening | At::Line => match version(line) {
                Some((major, _)) if major != b'1' => return Err(Refusal::Version),
                _ => At::Fields { length: None, coded: false },
            },
            At::Fields { length, coded } if line.is_empty() => match (length, coded) {
                (Some(_), true) => return Err(Refusal::Ambiguous),
                (None, true) => At::Unknown,
                (None | Some(0), false) => At::Line,
                (Some(length), false) => At::Body(length),
            },
            At::Fields { length, coded } => match field(line) {
                Some((name, _)) if name.eq_ignore_ascii_case(b"transfer-encoding") => {
                    At::Fields { length, coded: true }
                }
                Some((name, value)) if name.eq_ignore_ascii_case(b"content-length") => {
                    // Of a longer one not all may have been seen.
                    if length.is_some() || line.len() >= FIELD {
                        return Err(Refusal::Ambiguous);
                    }
                    match std::str::from_utf8(value).ok().and_then(|value| value.trim().parse().ok()) {
                        Some(length) => At::Fields { length: Some(length), coded },
                        // hyper refuses it.
                        None => At::Unknown,
                    }
                }
                _ => At::Fields { length, coded },
            },
            at @ (At::Body(_) | At::Unknown) => at,
        };
        Ok(())
    }
}

/// A line without what ends it.
fn text(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// Name and value of a field.
fn field(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let colon = memchr::memchr(b':', line)?;
    Some((&line[..colon], &line[colon + 1..]))
}

/// The digits of the version that a request line ends with.
fn version(line: &[u8]) -> Option<(u8, u8)> {
    match line {
        [.., b' ', b'H', b'T', b'T', b'P', b'/', major, b'.', minor]
            if major.is_ascii_digit() && minor.is_ascii_digit() =>
        {
            Some((*major, *minor))
        }
        _ => None,
    }
}

/// How far before the end of a request line, which may still lack its end, the digit is of a minor version after 1.1.
fn unknown_minor(line: &[u8]) -> Option<usize> {
    let text = text(line);
    matches!(version(text), Some((b'1', b'2'..=b'9'))).then_some(line.len() - text.len() + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is handed on of the bytes, and why no more is; however they are cut into pieces.
    fn watched(said: &[u8]) -> (Vec<u8>, Option<Refusal>) {
        let watch = |pieces: &mut dyn Iterator<Item = &[u8]>| {
            let mut heads = Heads::default();
            let mut handed = Vec::new();
            for piece in pieces {
                let mut piece = piece.to_vec();
                match heads.watch(&mut piece) {
                    Ok(()) => handed.extend_from_slice(&piece),
                    Err((refusal, before)) => {
                        handed.extend_from_slice(&piece[..before]);
                        return (handed, Some(refusal));
                    }
                }
            }
            (handed, None)
        };
        let whole = watch(&mut std::iter::once(said));
        for size in 1..said.len().min(9) {
            let (handed, refusal) = watch(&mut said.chunks(size));
            assert_eq!(refusal, whole.1, "pieces of {size}");
            // Of what is refused, a part may have been handed on before that could be seen.
            assert!(handed.starts_with(&whole.0), "pieces of {size}");
            assert!(refusal.is_some() || handed == whole.0, "pieces of {size}");
        }
        whole
    }

    const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

    #[test]
    fn what_can_be_read_in_one_way_is_handed_on_as_it_is() {
        for said in [
            GET.repeat(3),
            "GET / HTTP/1.0\n\n".to_owned() + GET,
            "\r\n\n".to_owned() + GET,
            "GET / HTTP/1.1\r\nContent-Length: 44\r\n\r\nContent-Length: 1\r\nTransfer-Encoding: chunked".to_owned(),
            "GET / HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc".to_owned() + GET,
            "GET / HTTP/1.1\r\nContent-Length: 0\r\n\r\n".to_owned() + GET,
            "GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nf\r\nContent-Length:\r\n".to_owned(),
            "GET / HTTP/1.1\r\nX-Content-Length: 1\r\nX-Content-Length: 1\r\n\r\n".to_owned(),
            "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nGET / HTTP/3.0\n".to_owned(),
            "no request\r\nat all\r\n\r\n".to_owned(),
            format!("GET / HTTP/1.1\r\nX: {}\r\n\r\n", "x".repeat(2 * LONGEST_LINE)),
            "GET / HTTP/1.1\r\nContent-Length: x\r\nContent-Length: 1\r\n".to_owned(),
        ] {
            assert_eq!(watched(said.as_bytes()), (said.as_bytes().to_vec(), None), "{said:?}");
        }
    }

    #[test]
    fn what_can_be_read_in_two_ways_is_refused_and_what_came_before_it_is_not() {
        let head = "GET / HTTP/1.1\r\n";
        for (fields, refusal) in [
            ("Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n", Refusal::Ambiguous),
            ("Transfer-Encoding: chunked\r\ncontent-length:3\r\n\r\n", Refusal::Ambiguous),
            ("Content-Length: 3\r\nContent-Length: 3\r\n\r\n", Refusal::Ambiguous),
            ("Content-Length: 3\nX: a\nCONTENT-LENGTH: 3\n", Refusal::Ambiguous),
            (
                "Content-Length: 0000000000000000000000000000000000000000000000000000000000000003\r\n\r\n",
                Refusal::Ambiguous,
            ),
        ] {
            let bad = head.to_owned() + fields + "abc";
            assert_eq!(watched(bad.as_bytes()), (Vec::new(), Some(refusal)), "{fields:?}");
            let second = GET.to_owned() + &bad;
            assert_eq!(watched(second.as_bytes()), (GET.as_bytes().to_vec(), Some(refusal)), "{fields:?}");
        }
        let body = "GET / HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc";
        let second = body.to_owned() + "GET / HTTP/2.0\r\n";
        assert_eq!(watched(second.as_bytes()), (body.as_bytes().to_vec(), Some(Refusal::Version)));
    }

    #[test]
    fn versions_are_told_by_the_request_line() {
        for (line, expected) in [
            ("GET / HTTP/2.0\r\n", Err(Refusal::Version)),
            ("GET / HTTP/3.0\n", Err(Refusal::Version)),
            ("GET / HTTP/0.9\r\n", Err(Refusal::Version)),
            ("GET / HTTP/1.1\r\n", Ok("GET / HTTP/1.1\r\n")),
            ("GET / HTTP/1.0\r\n", Ok("GET / HTTP/1.0\r\n")),
            ("GET / HTTP/1.2\r\n", Ok("GET / HTTP/1.1\r\n")),
            ("GET / HTTP/1.9\n", Ok("GET / HTTP/1.1\n")),
            ("GET / HTTP/1.2", Ok("GET / HTTP/1.1")),
            ("GET / HTTP/2.0", Ok("GET / HTTP/2.0")),
            ("GET /HTTP/1.2\r\n", Ok("GET /HTTP/1.2\r\n")),
            ("GET /\r\n", Ok("GET /\r\n")),
        ] {
            let (handed, refusal) = watched(line.as_bytes());
            let found = refusal.map_or_else(|| Ok(std::str::from_utf8(&handed).expect("text")), Err);
            assert_eq!(found, expected, "{line:?}");
        }
    }

    #[test]
    fn a_request_line_without_end_is_refused() {
        let long = "x".repeat(LONGEST_LINE + 1);
        assert_eq!(watched(long.as_bytes()), (Vec::new(), Some(Refusal::TooLong)));
        assert_eq!(watched(&long.as_bytes()[..LONGEST_LINE]).1, None);
    }
}
