//! The cache of bytes: bounded, by stamp and coding.
//!
//! A stamp names the document, its settings and its state, so nothing in here is ever wrong; what no stamp asks for
//! any more is pushed out by what is asked for.

use std::sync::Arc;

use quick_cache::sync::{Cache as Bounded, DefaultLifecycle};
use quick_cache::{DefaultHashBuilder, OptionsBuilder, Weighter};

use super::{Coding, Hash};
use crate::feed::allocated;

/// What an entry costs besides its bytes.
const OVERHEAD: u64 = 200;

/// A shard is at least this large, or a large document would not fit into any.
const SHARD: u64 = 8 * 1024 * 1024;

/// Roughly the size of a rendition, for the cache's own tables.
const TYPICAL: u64 = 32 * 1024;

type Name = (Hash, Coding);

#[derive(Clone, Copy)]
struct Weight;

impl Weighter<Name, Arc<[u8]>> for Weight {
    fn weight(&self, _: &Name, bytes: &Arc<[u8]>) -> u64 {
        OVERHEAD + allocated(bytes.len())
    }
}

/// Bytes by stamp and coding.
pub(super) struct Cache {
    bytes: Bounded<Name, Arc<[u8]>, Weight>,
}

impl Cache {
    /// A cache of at most so many bytes.
    pub(super) fn new(capacity: u64) -> Cache {
        let shards = usize::try_from(capacity / SHARD).unwrap_or(usize::MAX).clamp(1, 16);
        let items = usize::try_from(capacity / TYPICAL).unwrap_or(usize::MAX).max(64);
        let mut options = OptionsBuilder::new();
        // The power of two below, not above, so that shards stay large enough.
        options.shards(1 << shards.ilog2()).estimated_items_capacity(items).weight_capacity(capacity);
        let bytes = match options.build() {
            Ok(options) => {
                Bounded::with_options(options, Weight, DefaultHashBuilder::default(), DefaultLifecycle::default())
            }
            Err(_) => Bounded::with_weighter(items, capacity, Weight),
        };
        Cache { bytes }
    }

    pub(super) fn get(&self, stamp: &Hash, coding: Coding) -> Option<Arc<[u8]>> {
        self.bytes.get(&(*stamp, coding))
    }

    pub(super) fn has(&self, stamp: &Hash, coding: Coding) -> bool {
        self.bytes.contains_key(&(*stamp, coding))
    }

    pub(super) fn insert(&self, stamp: Hash, coding: Coding, bytes: Arc<[u8]>) {
        self.bytes.insert((stamp, coding), bytes);
    }

    pub(super) fn weight(&self) -> u64 {
        self.bytes.weight()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bound_holds_and_large_documents_fit() {
        let cache = Cache::new(10_000_000);
        let large: Arc<[u8]> = vec![0; 4_000_000].into();
        cache.insert([0; 32], Coding::Identity, large);
        assert!(cache.has(&[0; 32], Coding::Identity));
        for n in 0..1000u32 {
            let stamp = *blake3::hash(&n.to_le_bytes()).as_bytes();
            cache.insert(stamp, Coding::Gzip, vec![0; 100_000].into());
            assert!(cache.weight() <= 10_000_000);
        }
    }

    #[test]
    fn codings_are_told_apart() {
        let cache = Cache::new(1_000_000);
        cache.insert([1; 32], Coding::Gzip, Arc::from(*b"gzip"));
        assert_eq!(cache.get(&[1; 32], Coding::Gzip).as_deref(), Some(&b"gzip"[..]));
        assert_eq!(cache.get(&[1; 32], Coding::Brotli), None);
    }
}
