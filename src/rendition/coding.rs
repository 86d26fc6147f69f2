//! Content codings (RFC 9110 section 8.4.1): `gzip`, `br` and `zstd`.
//!
//! Deterministic: the same bytes always encode to the same bytes, or equal ETags would not mean equal answers. The
//! levels are the ones after which more work gains next to nothing.

use std::io::{self, Write};

/// Changes whenever a coding may give other bytes than in the release before.
pub const ENCODER_REVISION: u32 = 1;

const GZIP_LEVEL: u32 = 6;
const BROTLI_QUALITY: i32 = 5;
const BROTLI_WINDOW: i32 = 22;
const ZSTD_LEVEL: i32 = 3;

/// Documents below this many bytes fit into one packet as they are.
const SMALL: usize = 1024;

/// A content coding (RFC 9110 section 8.4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Coding {
    /// None.
    Identity,
    /// `gzip`.
    Gzip,
    /// `br`.
    Brotli,
    /// `zstd`.
    Zstd,
}

impl Coding {
    /// Every coding.
    pub const ALL: [Coding; 4] = [Coding::Identity, Coding::Gzip, Coding::Brotli, Coding::Zstd];

    /// The name in `Content-Encoding`, `Accept-Encoding` and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Coding::Identity => "identity",
            Coding::Gzip => "gzip",
            Coding::Brotli => "br",
            Coding::Zstd => "zstd",
        }
    }

    /// What the names of files in this coding end in, after a dot.
    pub fn suffix(self) -> &'static str {
        match self {
            Coding::Gzip => "gz",
            Coding::Zstd => "zst",
            other => other.as_str(),
        }
    }

    /// Whether a document of this many bytes gains by a coding.
    pub fn is_worthwhile(length: usize) -> bool {
        length >= SMALL
    }

    /// The bytes in this coding.
    ///
    /// # Errors
    ///
    /// None that have been seen: what is written to is memory.
    pub fn encode(self, bytes: &[u8]) -> io::Result<Vec<u8>> {
        match self {
            Coding::Identity => Ok(bytes.to_vec()),
            Coding::Gzip => {
                let out = Vec::with_capacity(bytes.len() / 2);
                // The header has neither time nor name.
                let mut encoder = flate2::write::GzEncoder::new(out, flate2::Compression::new(GZIP_LEVEL));
                encoder.write_all(bytes)?;
                encoder.finish()
            }
            Coding::Brotli => {
                let params = brotli::enc::BrotliEncoderParams {
                    quality: BROTLI_QUALITY,
                    lgwin: BROTLI_WINDOW,
                    size_hint: bytes.len(),
                    ..Default::default()
                };
                let mut out = Vec::with_capacity(bytes.len() / 2);
                brotli::BrotliCompress(&mut &*bytes, &mut out, &params)?;
                Ok(out)
            }
            Coding::Zstd => zstd::bulk::compress(bytes, ZSTD_LEVEL),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use proptest::prelude::*;

    use super::*;

    fn decode(coding: Coding, bytes: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        match coding {
            Coding::Identity => out.extend_from_slice(bytes),
            Coding::Gzip => {
                flate2::read::GzDecoder::new(bytes).read_to_end(&mut out).expect("valid gzip");
            }
            Coding::Brotli => brotli::BrotliDecompress(&mut &*bytes, &mut out).expect("valid brotli"),
            Coding::Zstd => out = zstd::stream::decode_all(bytes).expect("valid zstd"),
        }
        out
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn codings_come_back_and_repeat(words in prop::collection::vec("[a-z<>金融 ]{0,40}", 0..200)) {
            let bytes = words.concat().into_bytes();
            for coding in Coding::ALL {
                let encoded = coding.encode(&bytes).expect("encodes");
                prop_assert_eq!(&decode(coding, &encoded), &bytes);
                prop_assert_eq!(coding.encode(&bytes).expect("encodes"), encoded);
            }
        }
    }

    #[test]
    fn gzip_holds_no_time() {
        let encoded = Coding::Gzip.encode(b"feed").expect("encodes");
        assert_eq!(&encoded[..3], [0x1f, 0x8b, 8]);
        assert_eq!(&encoded[3..8], [0; 5], "no flags and no time");
    }

    #[test]
    fn text_shrinks() {
        let bytes = "<item><title>金融 rust</title></item>\n".repeat(500).into_bytes();
        for coding in [Coding::Gzip, Coding::Brotli, Coding::Zstd] {
            assert!(coding.encode(&bytes).expect("encodes").len() * 10 < bytes.len(), "{coding:?}");
        }
    }
}
