//! A source: where documents come from. The catalog's readers are the one that serves; tests have one in memory.

use super::near::nearest;
use super::{Counts, Error, Problem};
use crate::catalog::Readers;
use crate::entry::{Document, Head, Key, Kind, Status};
use crate::failpoint;
use crate::feed::Renderer;

/// How many categories of one name are listed.
const CHOICES: usize = 100;

/// How many names before and after it a wrong name is compared with; it must not cost more than a right one.
const COMPARED: usize = 1000;

/// Blocking access to one state of the catalog at a time.
pub(crate) trait Source: Send + Sync {
    /// Whether a document exists.
    fn head(&self, document: &Document) -> Result<Status, Error>;

    /// A document's bytes with the head of the state that they show; `None` where it does not exist.
    fn document(&self, document: &Document, renderer: &Renderer) -> Result<Option<(Head, Vec<u8>)>, Error>;

    /// Keys that have the last name of this one: what a short name may stand for.
    fn named(&self, key: &Key) -> Result<Vec<Key>, Error>;

    /// Keys whose last name is nearly that of this one.
    fn similar(&self, key: &Key) -> Result<Vec<Key>, Error>;

    /// Numbers for status and metrics.
    fn counts(&self) -> Result<Counts, Error>;

    /// Open errors and warnings, newest first.
    fn problems(&self) -> Result<Vec<Problem>, Error>;
}

fn unreadable(source: std::io::Error) -> Error {
    Error::Catalog(crate::catalog::Error::Io { dir: "catalog".to_owned(), source })
}

impl Source for Readers {
    fn head(&self, document: &Document) -> Result<Status, Error> {
        failpoint::io("render.head").map_err(unreadable)?;
        Ok(self.read(|reader| reader.head(document))?)
    }

    fn document(&self, document: &Document, renderer: &Renderer) -> Result<Option<(Head, Vec<u8>)>, Error> {
        failpoint::io("render.document").map_err(unreadable)?;
        let Some((head, material)) = self.read(|reader| reader.material(document))? else { return Ok(None) };
        let bytes = renderer.render(document, &material)?;
        Ok(Some((head, bytes)))
    }

    fn named(&self, key: &Key) -> Result<Vec<Key>, Error> {
        match (key.kind(), key.names()) {
            (Kind::Category, [name]) => {
                Ok(self.read(|reader| reader.keys_named(Kind::Category, name.as_str(), CHOICES))?)
            }
            _ => Ok(Vec::new()),
        }
    }

    fn similar(&self, key: &Key) -> Result<Vec<Key>, Error> {
        let Some(name) = key.last() else { return Ok(Vec::new()) };
        let beside = self.read(|reader| reader.keys_beside(key.kind(), name.as_str(), COMPARED))?;
        Ok(nearest(key, beside.into_iter()))
    }

    fn counts(&self) -> Result<Counts, Error> {
        Ok(self.read(|reader| reader.counts())?)
    }

    fn problems(&self) -> Result<Vec<Problem>, Error> {
        Ok(self.read(|reader| reader.problems())?)
    }
}
