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

/// The strong ETag of a document in a coding, with its quotes.
///
/// The endings differ from the ones that proxies add (`-gzip`, `;br`), so that theirs can be told from ours.
pub fn etag(stamp: &Hash, coding: Coding) -> String {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    let mut text = String::with_capacity(38);
    text.push('"');
    for byte in &stamp[..16] {
        text.push(char::from(HEX[usize::from(byte >> 4)]));
        text.push(char::from(HEX[usize::from(byte & 15)]));
    }
    text.push_str(match coding {
        Coding::Identity => "\"",
        Coding::Gzip => ".g\"",
        Coding::Brotli => ".b\"",
        Coding::Zstd => ".z\"",
    });
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_etag_names_the_stamp_and_the_coding() {
        let stamp = stamp(&[1; 32], &[2; 32]);
        let tags: Vec<String> = Coding::ALL.into_iter().map(|coding| etag(&stamp, coding)).collect();
        for (at, tag) in tags.iter().enumerate() {
            assert!(tag.len() >= 34 && tag.starts_with('"') && tag.ends_with('"'), "{tag}");
            assert!(!tags[..at].contains(tag), "{tag} twice");
        }
    }

    #[test]
    fn a_stamp_depends_on_settings_and_head() {
        assert_eq!(stamp(&[1; 32], &[2; 32]), stamp(&[1; 32], &[2; 32]));
        assert_ne!(stamp(&[1; 32], &[2; 32]), stamp(&[2; 32], &[1; 32]));
        assert_ne!(stamp(&[1; 32], &[2; 32]), stamp(&[1; 32], &[3; 32]));
    }
}
