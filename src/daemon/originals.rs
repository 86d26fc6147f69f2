//! The inbox as the place where lost texts are read again, for a catalog that is mended.
//!
//! Files are taken as they are, one after the other on the writer's thread: this is rare, and the scan that follows
//! sees whatever changes meanwhile.

use std::ops::Deref;

use super::Shared;
use super::inbox::Look;
use super::read::{Outcome, read};
use super::scan;
use crate::catalog::{Change, Originals, Stands};

/// The inbox of the daemon.
pub(super) struct Inbox<S>(pub(super) S);

impl<S: Deref<Target = Shared>> Inbox<S> {
    /// Whether a file stands at a path.
    pub(super) fn holds(&self, path: &str) -> bool {
        self.0.inbox.open().is_ok_and(|root| matches!(root.look(path), Ok(Look::File(_))))
    }

    /// See [`crate::catalog::Look`].
    pub(super) fn stands_at(&self, path: &str) -> Stands {
        let Ok(root) = self.0.open_inbox() else { return Stands::Unknown };
        match read(&root, path, &self.0.reading()) {
            Outcome::Change(Change::Missing { .. }) => Stands::Nothing,
            Outcome::Change(Change::Seen(file)) => {
                file.parsed.article.map_or(Stands::Unknown, |article| Stands::Article(Box::new(article)))
            }
            _ => Stands::Unknown,
        }
    }
}

impl<S: Deref<Target = Shared>> Originals for Inbox<S> {
    fn read(&self, path: &str) -> Option<Change> {
        let root = self.0.open_inbox().ok()?;
        match read(&root, path, &self.0.reading()) {
            Outcome::Change(Change::Missing { .. }) | Outcome::Changing | Outcome::Later(_) => None,
            Outcome::Change(change) => Some(change),
        }
    }

    fn paths(&self) -> Vec<String> {
        let Ok(root) = self.0.open_inbox() else { return Vec::new() };
        let reading = self.0.reading();
        let (mut paths, mut folders) = (Vec::new(), vec![String::new()]);
        while let Some(folder) = folders.pop() {
            // A folder that cannot be read now is left to the scan that follows.
            if let Ok(listing) = scan::list(&root, &folder, &reading.names, || ()) {
                paths.extend(listing.files.into_iter().map(|(name, _)| super::inbox::join(&folder, &name)));
                folders.extend(listing.folders);
            }
        }
        paths
    }
}
