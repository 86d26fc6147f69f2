//! The stamp: a hash of everything that a document's bytes depend on, known before any of them is made.
//!
//! No clock and no state of the cache is in it, so it is the same after a restart and on every replica. The ETag
//! (RFC 9110 section 8.8.3) is the stamp and the coding.

use super::coding::{Coding, ENCODER_REVISION};
use super::{Hash, Validators};
use crate::entry::{Document, Head};
use crate::feed::Renderer;

/// A renderer with its part of every stamp.
#[derive(Debug)]
pub(super) struct Dressing {
    renderer: Renderer,
    digest: Hash,
}

impl Dressing {
    pub(super) fn new(renderer: Renderer) -> Dressing {
        let digest = renderer.settings().digest();
        Dressing { renderer, digest }
    }

    pub(super) fn renderer(&self) -> &Renderer {
        &self.renderer
    }

    /// Whether the settings have such a document at all: its format and its archive.
    pub(super) fn offers(&self, document: &Document) -> bool {
        let settings = self.renderer.settings();
        match document {
            Document::Feed(_, format) => settings.formats.contains(format),
            Document::Archive(key, _, format) => {
                settings.formats.contains(format) && settings.archives.contains(&key.kind())
            }
            _ => true,
        }
    }

    pub(super) fn validators(&self, head: &Head) -> Validators {
        Validators { stamp: stamp(&self.digest, &head.digest), modified: head.modified }
    }
}

/// The stamp of a document: the settings of the renderer, and what the catalog gives.
fn stamp(settings: &Hash, head: &Hash) -> Hash {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&ENCODER_REVISION.to_le_bytes());
    hasher.update(settings);
    hasher.update(head);
    *hasher.finalize().as_bytes()
}

/// The bytes of a stamp that an ETag shows, as two digits each.
const SHOWN: usize = 16;

/// The strong ETag of a document in a coding.
///
/// The endings differ from the ones that proxies add (`-gzip`, `;br`), so that theirs can be told from ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ETag {
    text: [u8; 2 * SHOWN + 4],
    length: usize,
}

impl ETag {
    /// The ETag of a stamp and a coding.
    pub fn new(stamp: &Hash, coding: Coding) -> ETag {
        const HEX: &[u8; 16] = b"0123456789abcdef";
        let mut text = [b'"'; 2 * SHOWN + 4];
        for (pair, byte) in text[1..].chunks_exact_mut(2).zip(&stamp[..SHOWN]) {
            pair.copy_from_slice(&[HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]);
        }
        let ending = match coding {
            Coding::Identity => None,
            Coding::Gzip => Some(b'g'),
            Coding::Brotli => Some(b'b'),
            Coding::Zstd => Some(b'z'),
        };
        let mut length = 2 * SHOWN + 2;
        if let Some(ending) = ending {
            text[length - 1] = b'.';
            text[length] = ending;
            length += 2;
        }
        ETag { text, length }
    }

    /// As the header has it, with its quotes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.text[..self.length]
    }

    /// What stands between the quotes.
    pub fn opaque(&self) -> &[u8] {
        &self.text[1..self.length - 1]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_etag_names_the_stamp_and_the_coding() {
        let stamp = stamp(&[1; 32], &[2; 32]);
        let hex = blake3::Hash::from_bytes(stamp).to_hex();
        for (coding, ending) in Coding::ALL.into_iter().zip(["", ".g", ".b", ".z"]) {
            let tag = ETag::new(&stamp, coding);
            assert_eq!(tag.as_bytes(), format!("\"{}{ending}\"", &hex[..32]).as_bytes());
            assert_eq!(tag.opaque(), format!("{}{ending}", &hex[..32]).as_bytes());
        }
    }

    #[test]
    fn a_stamp_depends_on_settings_and_head() {
        assert_eq!(stamp(&[1; 32], &[2; 32]), stamp(&[1; 32], &[2; 32]));
        assert_ne!(stamp(&[1; 32], &[2; 32]), stamp(&[2; 32], &[1; 32]));
        assert_ne!(stamp(&[1; 32], &[2; 32]), stamp(&[1; 32], &[3; 32]));
    }
}
