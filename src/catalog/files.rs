//! What is known of the inbox's files, and their open problems.

use rusqlite::{Connection, params};
use twox_hash::XxHash3_128;

use super::row::{Seconds, short, split};
use super::{Delta, Error, Fingerprint};
use crate::diagnostic::{Diagnostic, Severity};

/// The hash by which a file is known to be what was last read at its path (XXH3, 128 bits). Whoever makes two files
/// with one hash hides an edit of his own.
pub fn file_hash(bytes: &[u8]) -> FileHash {
    XxHash3_128::oneshot(bytes).to_le_bytes()
}

/// See [`file_hash`].
pub type FileHash = [u8; 16];

/// A row of `file`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct FileRow {
    /// `None` where the file must be read again.
    pub fingerprint: Option<Fingerprint>,
    /// Of the bytes that were read last.
    pub hash: Option<FileHash>,
    /// The entry that it leads or is a twin of.
    pub entry: Option<i64>,
    /// Since when it is missing.
    pub missing: Option<Seconds>,
}

impl FileRow {
    /// Whether these bytes are those that were read last. Rows of schema 1 carry half a BLAKE3 hash until they change.
    pub(super) fn is_of(&self, bytes: &[u8]) -> bool {
        self.hash.is_some_and(|hash| hash == file_hash(bytes) || hash == short(blake3::hash(bytes).as_bytes()))
    }

    pub(super) fn get(connection: &Connection, path: &str) -> Result<Option<FileRow>, Error> {
        let (folder, name) = split(path);
        let mut statement = connection.prepare_cached(
            "SELECT size, mtime, ctime, inode, hash, entry, missing FROM file WHERE folder = ?1 AND name = ?2",
        )?;
        let mut rows = statement.query([folder, name])?;
        let Some(row) = rows.next()? else { return Ok(None) };
        Ok(Some(FileRow {
            fingerprint: fingerprint(row, 0)?,
            hash: row.get_ref(4)?.as_blob().ok().and_then(|b| b.try_into().ok()),
            entry: row.get(5)?,
            missing: row.get(6)?,
        }))
    }

    pub(super) fn put(&self, connection: &Connection, path: &str) -> Result<(), Error> {
        let (folder, name) = split(path);
        let mut statement =
            connection.prepare_cached("INSERT OR REPLACE INTO file VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9)")?;
        statement.execute(params![
            folder,
            name,
            self.fingerprint.map(|f| f.size as i64),
            self.fingerprint.map(|f| f.mtime),
            self.fingerprint.map(|f| f.ctime),
            self.fingerprint.map(|f| f.inode as i64),
            self.hash.as_ref().map(FileHash::as_slice),
            self.entry,
            self.missing,
        ])?;
        Ok(())
    }

    pub(super) fn delete(connection: &Connection, path: &str) -> Result<(), Error> {
        let (folder, name) = split(path);
        connection.prepare_cached("DELETE FROM file WHERE folder = ?1 AND name = ?2")?.execute([folder, name])?;
        Ok(())
    }
}

/// Reads size, mtime, ctime and inode, which begin at a column.
pub(super) fn fingerprint(row: &rusqlite::Row<'_>, at: usize) -> Result<Option<Fingerprint>, Error> {
    let Some(size) = row.get::<_, Option<i64>>(at)? else { return Ok(None) };
    Ok(Some(Fingerprint {
        size: size as u64,
        mtime: row.get::<_, Option<i64>>(at + 1)?.unwrap_or_default(),
        ctime: row.get::<_, Option<i64>>(at + 2)?.unwrap_or_default(),
        inode: row.get::<_, Option<i64>>(at + 3)?.unwrap_or_default() as u64,
    }))
}

/// The number by which problems are found.
pub(super) fn severity_number(severity: Severity) -> i64 {
    match severity {
        Severity::Note => 0,
        Severity::Warning => 1,
        Severity::Error => 2,
    }
}

/// Replaces a file's open problems; one that was open before keeps its time.
pub(super) fn set_problems(
    connection: &Connection,
    path: &str,
    problems: &[Diagnostic],
    now: Seconds,
    delta: &mut Delta,
) -> Result<(), Error> {
    let before: Vec<(Seconds, String)> = connection
        .prepare_cached("SELECT since, diagnostic FROM problem WHERE path = ?1 ORDER BY ordinal")?
        .query_map([path], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<Result<_, _>>()?;
    let after: Vec<(&Diagnostic, String)> = problems
        .iter()
        .map(|problem| Ok((problem, serde_json::to_string(problem)?)))
        .collect::<Result<_, serde_json::Error>>()
        .map_err(|e| Error::Refused(format!("cannot store a diagnostic: {e}")))?;
    if before.iter().map(|(_, text)| text).eq(after.iter().map(|(_, text)| text)) {
        return Ok(());
    }
    delta.problems = true;
    if !before.is_empty() {
        connection.prepare_cached("DELETE FROM problem WHERE path = ?1")?.execute([path])?;
    }
    let mut insert = connection.prepare_cached("INSERT INTO problem VALUES(?1, ?2, ?3, ?4, ?5)")?;
    for (ordinal, (problem, text)) in after.iter().enumerate() {
        let since = before.iter().find(|(_, old)| old == text).map_or(now, |(since, _)| *since);
        insert.execute(params![path, ordinal as i64, severity_number(problem.severity), since, text])?;
    }
    Ok(())
}

/// A file's open problems.
pub(super) fn problems(connection: &Connection, path: &str) -> Result<Vec<Diagnostic>, Error> {
    let texts: Vec<String> = connection
        .prepare_cached("SELECT diagnostic FROM problem WHERE path = ?1 ORDER BY ordinal")?
        .query_map([path], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    // A diagnostic of a code that this release does not know any more is not worth an error.
    Ok(texts.iter().filter_map(|text| serde_json::from_str(text).ok()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_known_again_by_the_hash_of_either_schema() {
        for hash in [file_hash(b"text"), short(blake3::hash(b"text").as_bytes())] {
            let row = FileRow { fingerprint: None, hash: Some(hash), entry: None, missing: None };
            assert!(row.is_of(b"text") && !row.is_of(b"Text"));
        }
    }
}
