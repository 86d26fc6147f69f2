//! Damage of every kind to a real file: what is read afterwards is what was there, or an error that is then mended.
//!
//! `FEEDMILL_TEST_SCALE` multiplies how many places are damaged.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::row::EntryRow;
use super::tests::{DAY, START, Text, settings, text};
use super::*;
use crate::entry::{Document, Format, Material, Status};

/// An inbox in memory.
struct Files(BTreeMap<String, Text>);

impl Originals for Files {
    fn read(&self, path: &str) -> Option<Change> {
        self.0.get(path).map(|text| text.seen(path, 7))
    }

    fn paths(&self) -> Vec<String> {
        self.0.keys().cloned().collect()
    }
}

fn now() -> Now {
    Now { wall: row::timestamp(START + 5), steady: Duration::from_secs(5) }
}

fn scale() -> usize {
    std::env::var("FEEDMILL_TEST_SCALE").ok().and_then(|scale| scale.parse().ok()).unwrap_or(1)
}

/// A catalog in which something has happened: a cold load, an edit, a late arrival, and dates that many share.
struct Model {
    dir: tempfile::TempDir,
    files: Files,
    documents: Vec<Document>,
    truth: Vec<String>,
}

impl Model {
    fn new() -> Model {
        let dir = tempfile::tempdir().expect("a folder");
        let mut files = BTreeMap::new();
        for n in 0..24 {
            let title: &'static str = Box::leak(format!("Article {n}").into_boxed_str());
            let tags = if n % 3 == 0 { vec!["x"] } else { Vec::new() };
            files.insert(format!("{}/{n:02}.md", n % 4), Text { tags, ..text(title, START - (3 + n / 5) * DAY) });
        }
        let files = Files(files);
        let mut changes = files.0.iter().map(|(path, text)| text.seen(path, 7));
        let mut catalog = Catalog::load(dir.path(), settings(), now(), &mut changes).expect("a catalog");
        drop(changes);
        let mut files = files;
        let edited = Text { updated: Some(START - 9), ..files.0["1/09.md"].clone() };
        files.0.insert("1/09.md".to_owned(), Text { body: format!("{} And more.", edited.body), ..edited });
        files.0.insert("2/late.md".to_owned(), text("Late", START - 30 * DAY));
        for path in ["1/09.md", "2/late.md"] {
            catalog.apply(now(), vec![files.0[path].seen(path, 9)]).expect("a commit");
        }
        let mut documents = vec![Document::Index, Document::Opml];
        let (mut uuids, mut keys) = (Vec::new(), Vec::new());
        catalog
            .readers()
            .read(|reader| {
                uuids = reader.articles(None, 100)?;
                keys = reader.feeds(None, 100)?.into_iter().map(|row| row.key).collect();
                Ok(())
            })
            .expect("readable");
        documents.extend(uuids.into_iter().map(Document::Article));
        for key in keys {
            documents.push(Document::Page(key.clone()));
            documents.push(Document::Archive(key.clone(), 1, Format::Rss));
            documents.push(Document::Feed(key, Format::Rss));
        }
        let truth = documents.iter().map(|document| shown(&catalog, document).expect("readable")).collect();
        // Everything is in the one file.
        catalog.connection.pragma_update(None, "wal_autocheckpoint", 1).expect("set");
        catalog.connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).expect("copied");
        drop(catalog);
        Model { dir, files, documents, truth }
    }

    fn file(&self) -> PathBuf {
        self.dir.path().join(schema::FILE)
    }

    /// Opens a damaged copy: each document is as it was, or an error, or is missed by the check of the whole file.
    /// Then it is mended, and all are as they were. Returns how.
    fn endure(&self, bytes: &[u8], what: &str) -> &'static str {
        let dir = tempfile::tempdir().expect("a folder");
        std::fs::write(dir.path().join(schema::FILE), bytes).expect("written");
        let (mut catalog, mut how) = match Catalog::open(dir.path(), settings()) {
            Ok(catalog) => (catalog, "sound"),
            Err(Error::Newer { .. } | Error::Refused(_)) => return "refused",
            Err(error) if error.is_damage() => {
                let catalog = Catalog::rebuild(dir.path(), settings(), now(), &self.files);
                assert_eq!(aside(dir.path()).len(), 1, "{what}: the old file is kept");
                (catalog.unwrap_or_else(|e| panic!("{what}: {error:?} cannot be mended: {e:?}")), "set aside")
            }
            Err(error) => panic!("{what}: {error:?}"),
        };
        if how == "sound" {
            let checked = catalog.readers().check();
            let mut wrong = false;
            for (document, truth) in self.documents.iter().zip(&self.truth) {
                match shown(&catalog, document) {
                    Ok(shown) if shown == *truth => {}
                    Ok(shown) => {
                        assert!(checked.is_err(), "{what}: {} reads\n{shown}\nnot\n{truth}", document.path());
                        wrong = true;
                    }
                    Err(error) => {
                        assert!(error.is_damage(), "{what}: {error:?}");
                        wrong = true;
                    }
                }
            }
            if wrong || checked.is_err() {
                how = match catalog.mend(now(), &self.files).unwrap_or_else(|error| panic!("{what}: {error:?}")) {
                    Cure::Sound => "in vain",
                    Cure::Mended { .. } => "mended",
                    Cure::Rebuilt(_) => "rebuilt",
                    Cure::PutBack => panic!("{what}: it was there"),
                };
                if how == "in vain" {
                    let again = catalog.mend(now(), &self.files).expect("mended");
                    assert!(matches!(again, Cure::Rebuilt(_)), "{what}: {again:?}");
                }
            }
        }
        for (document, truth) in self.documents.iter().zip(&self.truth) {
            let shown =
                shown(&catalog, document).unwrap_or_else(|e| panic!("{what}, {how}: {}: {e:?}", document.path()));
            assert_eq!(shown, *truth, "{what}, {how}: {}", document.path());
        }
        how
    }
}

fn aside(dir: &Path) -> Vec<PathBuf> {
    let files = std::fs::read_dir(dir).expect("listed").flatten().map(|entry| entry.path());
    files.filter(|path| path.display().to_string().contains("sqlite.damaged-")).collect()
}

/// What readers see of a document: texts, ids, dates and order.
fn shown(catalog: &Catalog, document: &Document) -> Result<String, Error> {
    use std::fmt::Write;
    catalog.readers().read(|reader| {
        let mut text = String::new();
        match reader.head(document)? {
            Status::Here(head) => drop(write!(text, "{} ", head.updated)),
            Status::Gone => text.push_str("gone"),
            Status::Never => {}
        }
        let mut entry = |entry: &crate::entry::Entry| {
            let article = &entry.article;
            let bytes = entry.kept.open().expect("whole");
            let _ = write!(
                text,
                "\n{} {} {} {} {:?} {}",
                entry.id.as_str(),
                article.title,
                entry.published,
                entry.updated,
                article.tags,
                blake3::hash(&bytes)
            );
        };
        match reader.material(document)?.map(|(_, material)| material) {
            Some(Material::Feed(feed)) => {
                feed.entries.iter().for_each(&mut entry);
                let _ = write!(text, " {:?} {:?}", feed.tombstones, feed.newest_archive);
            }
            Some(Material::Archive(page)) => page.entries.iter().for_each(&mut entry),
            Some(Material::Article(article)) => {
                entry(&article.entry);
                let _ = write!(text, " {:?}", article.keys);
            }
            Some(Material::List(list)) => {
                let _ = write!(text, "{:?} {:?}", list.rows, list.newest);
            }
            Some(Material::Fixed) | None => {}
        }
        Ok(text)
    })
}

#[test]
fn a_cut_file_is_never_read_wrong_and_made_anew() {
    let model = Model::new();
    let whole = std::fs::read(model.file()).expect("read");
    let places = 40 * scale();
    for n in 0..places {
        let at = whole.len() * n / places;
        model.endure(&whole[..at], &format!("cut at {at}"));
    }
}

#[test]
fn a_flipped_bit_is_never_read_and_mended() {
    let model = Model::new();
    let whole = std::fs::read(model.file()).expect("read");
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    let places = 120 * scale();
    // A fixed walk over the file that touches every part of it.
    let mut at = 0usize;
    for n in 0..places {
        at = (at + 0x9E37_79B1) % whole.len();
        let mut bytes = whole.clone();
        bytes[at] ^= 1 << (n % 8);
        *counts.entry(model.endure(&bytes, &format!("bit {} of byte {at}", n % 8))).or_default() += 1;
    }
    assert!(counts.get("refused").copied().unwrap_or(0) * 20 <= places, "{counts:?}");
}

#[test]
fn zeroed_and_swapped_pages_are_never_read() {
    let model = Model::new();
    let whole = std::fs::read(model.file()).expect("read");
    let page = schema::PAGE_SIZE as usize;
    for n in 0..whole.len() / page {
        let mut bytes = whole.clone();
        if n % 2 == 0 {
            bytes[n * page..(n + 1) * page].fill(0);
            model.endure(&bytes, &format!("page {n} is zero"));
        } else {
            let (a, b) = bytes.split_at_mut(n * page);
            a[(n - 1) * page..].swap_with_slice(&mut b[..page]);
            model.endure(&bytes, &format!("pages {} and {n} are swapped", n - 1));
        }
    }
}

#[test]
fn a_row_is_mended_in_its_place() {
    let model = Model::new();
    let whole = std::fs::read(model.file()).expect("read");
    for sql in [
        "UPDATE entry SET published = published + 1 WHERE entry = 3",
        "UPDATE entry SET position = position + 1 WHERE entry = 3",
        "UPDATE entry SET state = 2 WHERE entry = 4",
        "UPDATE entry SET path = 'no.md' WHERE entry = 5",
        "UPDATE entry SET id = 'urn:uuid:0' WHERE entry = 6",
        "UPDATE entry SET rev = zeroblob(32) WHERE entry = 7",
        "UPDATE member SET page = page + 1 WHERE entry = 8",
        "UPDATE member SET live = 0 WHERE entry = 8",
        "UPDATE feed SET count = count + 1 WHERE feed = 1",
        "UPDATE feed SET updated = updated + 1 WHERE feed = 2",
        "UPDATE kept SET article = replace(article, 'Article', 'Brticle') WHERE entry = 9",
        "UPDATE kept SET bytes = zeroblob(40) WHERE entry = 10",
        "UPDATE kept SET sum = sum + 1 WHERE entry = 11",
        "DELETE FROM kept WHERE entry = 12",
    ] {
        let dir = tempfile::tempdir().expect("a folder");
        let file = dir.path().join("x");
        std::fs::write(&file, &whole).expect("written");
        let connection = Connection::open(&file).expect("a database");
        assert_eq!(connection.execute(sql, []).map(|rows| rows > 0), Ok(true), "{sql}");
        connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).expect("copied");
        drop(connection);
        let how = model.endure(&std::fs::read(&file).expect("read"), sql);
        assert_eq!(how, "mended", "{sql}");
    }
}

#[test]
fn a_text_that_is_lost_comes_back_with_its_file() {
    let mut model = Model::new();
    let taken = model.files.0.remove("1/01.md").expect("it is there");
    let mut catalog = Catalog::open(model.dir.path(), settings()).expect("opened");
    catalog
        .connection
        .execute("DELETE FROM kept WHERE entry = (SELECT entry FROM entry WHERE path = '1/01.md')", [])
        .expect("lost");
    let cure = catalog.mend(now(), &model.files).expect("mended");
    assert_eq!(cure, Cure::Mended { indexes: false, rows: 1 });
    let all = Document::Feed(Key::all(), Format::Rss);
    let at = model.documents.iter().position(|document| *document == all).expect("it is there");
    assert!(!shown(&catalog, &all).expect("readable").contains("Article 1 "));
    catalog.apply(now(), vec![taken.seen("1/01.md", 7)]).expect("a commit");
    let entries = |text: &str| text.split_once('\n').map(|(_, entries)| entries.to_owned());
    assert_eq!(entries(&shown(&catalog, &all).expect("readable")), entries(&model.truth[at]));
}

#[test]
fn three_damaged_files_are_kept() {
    let model = Model::new();
    for n in 0..5 {
        std::fs::write(model.file(), "no database").expect("written");
        let at = Now { wall: row::timestamp(START + n), steady: Duration::ZERO };
        drop(Catalog::rebuild(model.dir.path(), settings(), at, &model.files).expect("made anew"));
        // As where a log was left: it is kept, and goes, with its database.
        for log in aside(model.dir.path()).iter().map(|path| load::beside(path)[0].clone()) {
            if !log.display().to_string().ends_with("-wal-wal") {
                std::fs::write(log, "a log").expect("written");
            }
        }
    }
    let mut left: Vec<String> = aside(model.dir.path()).iter().map(|path| path.display().to_string()).collect();
    left.sort();
    let times = ["02", "02", "03", "03", "04", "04"];
    assert_eq!(left.len(), times.len(), "{left:?}");
    for (name, second) in left.iter().zip(times) {
        assert!(name.contains(&format!("damaged-20261124T0800{second}000Z")), "{left:?}");
    }
}

/// A catalog of several archive pages whose borders no cold load would find again: late arrivals, edits, lost terms,
/// withdrawn entries, a file whose article was withdrawn by its author, a feed without entries.
struct Grown {
    model: Model,
    withdrawn: Vec<Uuid>,
}

impl Grown {
    fn new() -> Grown {
        let dir = tempfile::tempdir().expect("a folder");
        let mut files = Files(BTreeMap::new());
        let titled = |n: i64| -> &'static str { Box::leak(format!("Article {n}").into_boxed_str()) };
        for n in 0..150 {
            let tags = if n % 3 == 0 { vec!["x"] } else { Vec::new() };
            let tags = if n == 77 { vec!["alone"] } else { tags };
            let text = Text { tags, ..text(titled(n), START - (3 + n / 2) * DAY) };
            files.0.insert(format!("{}/{n:03}.md", n % 4), text);
        }
        let mut changes = files.0.iter().map(|(path, text)| text.seen(path, 7));
        let mut catalog = Catalog::load(dir.path(), settings(), now(), &mut changes).expect("a catalog");
        drop(changes);
        let mut put = |files: &mut Files, path: &str, text: Text| {
            catalog.apply(now(), vec![text.seen(path, 9)]).expect("a commit");
            files.0.insert(path.to_owned(), text);
        };
        // Articles older than what stands on the first page.
        for n in 150..160 {
            put(&mut files, &format!("late/{n}.md"), text(titled(n), START - (n + 300) * DAY));
        }
        for path in ["0/000.md", "2/066.md"] {
            let lost = Text { tags: vec!["y"], ..files.0[path].clone() };
            put(&mut files, path, lost);
        }
        // Each the only one of its day, or of its tag, or on an early page; and one that becomes a draft.
        let gone = ["1/077.md", "3/147.md", "0/012.md", "1/013.md"];
        let draft = Text { draft: true, ..files.0["2/018.md"].clone() };
        put(&mut files, "2/018.md", draft);
        let mut changes: Vec<Change> = gone.iter().map(|path| Change::Missing { path: (*path).to_owned() }).collect();
        changes.push(Change::AcceptMissing);
        catalog.apply(now(), changes).expect("a commit");
        let mut withdrawn = Vec::new();
        for path in gone.iter().chain(&["2/018.md"]) {
            let row =
                EntryRow::find(&catalog.connection, "e.path = ?1", [path]).expect("readable").expect("it is there");
            assert_eq!(row.state, row::State::Withdrawn, "{path}");
            withdrawn.extend(row.uuid);
        }
        gone.iter().for_each(|path| drop(files.0.remove(*path)));
        // Some of the withdrawals are told no more.
        catalog.connection.execute("DELETE FROM tombstone WHERE entry % 2 = 0", []).expect("deleted");
        let mut documents: Vec<Document> = withdrawn.iter().map(|uuid| Document::Article(*uuid)).collect();
        catalog
            .readers()
            .read(|reader| {
                documents.extend(reader.articles(None, 1000)?.into_iter().map(Document::Article));
                for key in reader.feeds(None, 100)?.into_iter().map(|row| row.key) {
                    let pages = reader.archive_pages(&key)?;
                    documents.extend((1..=pages).map(|page| Document::Archive(key.clone(), page, Format::Rss)));
                    documents.push(Document::Feed(key, Format::Rss));
                }
                Ok(())
            })
            .expect("readable");
        assert!(documents.contains(&Document::Archive(Key::all(), 2, Format::Rss)), "two pages");
        let truth = documents.iter().map(|document| shown(&catalog, document).expect("readable")).collect();
        catalog.connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).expect("copied");
        drop(catalog);
        Grown { model: Model { dir, files, documents, truth }, withdrawn }
    }
}

#[test]
fn a_catalog_made_anew_keeps_places_and_withdrawals() {
    let Grown { model, withdrawn } = Grown::new();
    // Rows are whole; the file is made anew all the same, twice.
    for _ in 0..2 {
        let catalog = Catalog::rebuild(model.dir.path(), settings(), now(), &model.files).expect("made anew");
        assert_eq!(mend::damage(&catalog.connection).expect("readable"), None);
        for (document, truth) in model.documents.iter().zip(&model.truth) {
            assert_eq!(shown(&catalog, document).expect("readable"), *truth, "{}", document.path());
        }
    }
    // A file that comes back is the entry that it was, at its place; so is a draft that is none any more.
    let mut catalog = Catalog::open(model.dir.path(), settings()).expect("opened");
    let back = text("Article 12", START - 9 * DAY);
    let published = Text { draft: false, ..model.files.0["2/018.md"].clone() };
    let delta =
        catalog.apply(now(), vec![back.seen("0/012.md", 11), published.seen("2/018.md", 12)]).expect("a commit");
    assert_eq!(delta.added, 2);
    for at in [2, 4] {
        let article = shown(&catalog, &Document::Article(withdrawn[at])).expect("readable");
        assert!(article.contains("Article 1"), "{article}");
    }
}

#[test]
fn what_cannot_be_saved_harms_nothing_else() {
    let Grown { model, withdrawn } = Grown::new();
    let whole = std::fs::read(model.file()).expect("read");
    let page = schema::PAGE_SIZE as usize;
    let pages = whole.len() / page;
    for n in (1..pages).step_by(3.max(pages / (20 * scale()))) {
        let dir = tempfile::tempdir().expect("a folder");
        let mut bytes = whole.clone();
        bytes[n * page..(n + 1) * page].fill(0);
        std::fs::write(dir.path().join(schema::FILE), bytes).expect("written");
        let catalog = Catalog::rebuild(dir.path(), settings(), now(), &model.files).expect("made anew");
        assert_eq!(mend::damage(&catalog.connection).expect("readable"), None, "page {n}");
        let mut articles = 0;
        for (document, truth) in model.documents.iter().zip(&model.truth) {
            let shown = shown(&catalog, document).expect("readable");
            if let Document::Article(uuid) = document {
                let lost = withdrawn.contains(uuid) && shown.is_empty();
                // The late ones stand where they were found, and for that only their own rows vouch.
                let ids = |text: &str| text.split_whitespace().nth(3).map(str::to_owned);
                assert!(shown == *truth || lost || ids(&shown) == ids(truth), "page {n}: {}", document.path());
                articles += usize::from(!shown.is_empty() && shown != "gone");
            }
        }
        assert_eq!(articles, model.files.0.len() - 1, "page {n}: all but the draft");
        let mut members: Vec<i64> = Vec::new();
        let mut statement =
            catalog.connection.prepare("SELECT entry FROM member WHERE feed = 1 AND live = 1").expect("SQL");
        members.extend(statement.query_map([], |row| row.get::<_, i64>(0)).expect("rows").flatten());
        members.sort_unstable();
        members.dedup();
        assert_eq!(members.len(), articles, "page {n}: each once");
    }
}
