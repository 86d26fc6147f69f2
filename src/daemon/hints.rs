//! What a hint of the watch means: which of its paths are articles, which are folders, and which only count as
//! excluded.

use super::inbox::Look;
use super::plan::Event;
use super::watch::Hint;
use super::{Named, Shared};

/// The event of a hint; `None` where it is about nothing that is read.
pub(super) fn event_of(shared: &Shared, hint: Hint) -> Option<Event> {
    let reading = shared.reading();
    let names = &reading.names;
    let look = |path: &str| shared.open_inbox().ok()?.look(path).ok();
    match hint {
        Hint::Created(path) => named(shared, path, Event::Created),
        Hint::Arrived(path) => match look(&path) {
            Some(Look::Folder) => folder(shared, path, Event::FolderArrived),
            _ => named(shared, path, Event::Arrived),
        },
        Hint::Modified(path) => article(shared, path, Event::Modified),
        Hint::Closed(path) => article(shared, path, Event::Closed),
        Hint::Touched(path) => match names.of_file(&path) {
            Named::Article => Some(Event::Touched(path)),
            // A folder that may be read now has to be listed.
            Named::Other if look(&path) == Some(Look::Folder) => Some(Event::FolderCreated(path)),
            Named::Other | Named::Excluded(_) => None,
        },
        Hint::Removed(path) => {
            shared.excluded().remove(&path);
            article(shared, path, Event::Removed)
        }
        // inotify does not say whether a file or a folder was renamed away.
        Hint::Departed(path) => match names.of_file(&path) {
            Named::Article => Some(Event::Removed(path)),
            Named::Other => Some(Event::FolderGone(path)),
            Named::Excluded(_) => {
                shared.excluded().remove(&path);
                None
            }
        },
        Hint::FolderCreated(path) => folder(shared, path, Event::FolderCreated),
        Hint::FolderRemoved(path) => folder(shared, path, Event::FolderGone),
        Hint::Root | Hint::Overflow => None,
    }
}

/// The event of a file that came; one that is excluded is counted.
fn named(shared: &Shared, path: String, event: fn(String) -> Event) -> Option<Event> {
    match shared.reading().names.of_file(&path) {
        Named::Article => Some(event(path)),
        Named::Excluded(_) => {
            shared.excluded().insert(&path);
            None
        }
        Named::Other => None,
    }
}

fn article(shared: &Shared, path: String, event: fn(String) -> Event) -> Option<Event> {
    (shared.reading().names.of_file(&path) == Named::Article).then(|| event(path))
}

fn folder(shared: &Shared, path: String, event: fn(String) -> Event) -> Option<Event> {
    (!shared.reading().names.excludes_folder(&path)).then(|| event(path))
}
