//! What each change of a file does to id, dates, order, archives and tombstones: one test a rule, on a real database.

mod absence;
mod file;
mod identity;

use std::collections::BTreeMap;
use std::time::Duration;

use super::*;
use crate::article::{Article, Author, Body, Markup};
use crate::diagnostic::Code;
use crate::entry::{Document, Entry, Format, Kind, Material, Status};

/// 2026-11-24 08:00 UTC.
pub(super) const START: i64 = 1_795_507_200;
pub(super) const DAY: i64 = 86_400;

/// What a test file says.
#[derive(Clone)]
pub(super) struct Text {
    pub(super) title: &'static str,
    pub(super) date: Option<i64>,
    pub(super) updated: Option<i64>,
    pub(super) body: String,
    pub(super) tags: Vec<&'static str>,
    pub(super) id: Option<&'static str>,
    pub(super) draft: bool,
    pub(super) expires: Option<i64>,
    /// When the file came to be, by its inode.
    pub(super) changed: i64,
}

pub(super) fn text(title: &'static str, date: i64) -> Text {
    Text {
        title,
        date: Some(date),
        updated: None,
        body: format!("A body about {title}, long enough to tell one article from another one by its words alone."),
        tags: Vec::new(),
        id: None,
        draft: false,
        expires: None,
        changed: START + 1,
    }
}

impl Text {
    fn article(&self) -> Article {
        let hash = |text: &str| *blake3::hash(text.as_bytes()).as_bytes();
        let at = |at: Option<i64>| at.map(row::timestamp);
        Article {
            title: self.title.to_owned(),
            published: at(self.date),
            updated: at(self.updated),
            expires: at(self.expires),
            explicit_id: self.id.map(str::to_owned),
            authors: vec![Author { name: "Ann".to_owned(), email: None, url: None }],
            categories: vec![vec!["news".to_owned(), "local".to_owned()]],
            tags: self.tags.iter().map(|&tag| tag.to_owned()).collect(),
            language: None,
            summary: None,
            image: None,
            link: None,
            slug: None,
            media: Vec::new(),
            draft: self.draft,
            body: Body {
                encoding: "UTF-8".to_owned(),
                start: 0,
                end: self.body.len(),
                markup: Markup::Text,
                hash: hash(&self.body),
                text_bytes: self.body.len() as u32,
            },
            content: hash(&format!("{}\n{:?}\n{}\n{:?}", self.title, self.tags, self.body, self.id)),
        }
    }

    /// The file's bytes: the dates are in them, so that every edit is one.
    fn bytes(&self) -> Vec<u8> {
        let rest = (self.title, self.date, self.updated, &self.tags, self.id, self.draft, self.expires);
        format!("{}{rest:?}", self.body).into_bytes()
    }

    pub(super) fn seen(&self, path: &str, inode: u64) -> Change {
        let bytes = self.bytes();
        Change::Seen(Box::new(SeenFile {
            path: path.to_owned(),
            fingerprint: Fingerprint { size: bytes.len() as u64, mtime: 0, ctime: self.changed * 1_000_000_000, inode },
            hash: file_hash(&bytes),
            under: Rules::default().digest(),
            kept: Kept::new(&bytes),
            parsed: Parsed { article: Some(self.article()), problems: Vec::new(), origins: BTreeMap::new() },
        }))
    }
}

pub(super) fn settings() -> Settings {
    Settings {
        namespace: Namespace::new(None),
        site_id: None,
        rules: Rules::default(),
        taxonomies: Taxonomies::default(),
        hold_future: true,
        keep_deleted: false,
        withdraw_after: Duration::from_secs(600),
        items: 50,
        archives: Kind::ALL.to_vec(),
        paths_matter: false,
    }
}

/// A catalog with clocks that the test turns.
struct Desk {
    dir: tempfile::TempDir,
    catalog: Catalog,
    wall: i64,
    steady: u64,
    next_inode: u64,
}

impl Desk {
    fn new() -> Desk {
        Desk::loaded(&[])
    }

    fn loaded(files: &[(&str, Text)]) -> Desk {
        let dir = tempfile::tempdir().expect("a folder");
        let now = Now { wall: row::timestamp(START), steady: Duration::ZERO };
        let mut changes = files.iter().enumerate().map(|(at, (path, text))| text.seen(path, 1000 + at as u64));
        let catalog = Catalog::load(dir.path(), settings(), now, &mut changes).expect("a catalog");
        Desk { dir, catalog, wall: START, steady: 0, next_inode: 1 }
    }

    fn now(&self) -> Now {
        Now { wall: row::timestamp(self.wall), steady: Duration::from_secs(self.steady) }
    }

    fn apply(&mut self, changes: Vec<Change>) -> Delta {
        let now = self.now();
        self.catalog.apply(now, changes).expect("a commit")
    }

    fn write(&mut self, path: &str, text: &Text) -> Delta {
        self.next_inode += 1;
        self.write_inode(path, text, self.next_inode)
    }

    fn write_inode(&mut self, path: &str, text: &Text, inode: u64) -> Delta {
        self.apply(vec![text.seen(path, inode)])
    }

    fn remove(&mut self, path: &str) -> Delta {
        self.apply(vec![Change::Missing { path: path.to_owned() }])
    }

    fn pass(&mut self, seconds: i64) -> Delta {
        self.wall += seconds;
        self.steady += seconds.max(0) as u64;
        self.apply(vec![Change::Due])
    }

    fn feed(&self, key: &str) -> Vec<Entry> {
        let document = Document::Feed(Key::parse(key).expect("a key"), Format::Rss);
        match self.catalog.readers().read(|reader| reader.material(&document)).expect("readable") {
            Some((_, Material::Feed(feed))) => feed.entries,
            None => Vec::new(),
            other => panic!("{other:?}"),
        }
    }

    fn titles(&self, key: &str) -> Vec<String> {
        self.feed(key).into_iter().map(|entry| entry.article.title).collect()
    }

    fn one(&self) -> Entry {
        let mut feed = self.feed("all");
        assert_eq!(feed.len(), 1, "{feed:?}");
        feed.remove(0)
    }

    fn head(&self, document: &Document) -> Status {
        self.catalog.readers().read(|reader| reader.head(document)).expect("readable")
    }

    fn feed_head(&self, key: &str) -> crate::entry::Head {
        match self.head(&Document::Feed(Key::parse(key).expect("a key"), Format::Atom)) {
            Status::Here(head) => head,
            other => panic!("{key}: {other:?}"),
        }
    }

    fn codes(&self) -> Vec<(String, Code)> {
        let problems = self.catalog.readers().read(|reader| reader.problems()).expect("readable");
        problems.into_iter().map(|problem| (problem.path, problem.diagnostic.code)).collect()
    }

    fn archive(&self, key: &str, number: u32) -> Option<Vec<String>> {
        let document = Document::Archive(Key::parse(key).expect("a key"), number, Format::Atom);
        match self.catalog.readers().read(|reader| reader.material(&document)).expect("readable") {
            Some((_, Material::Archive(page))) => Some(page.entries.into_iter().map(|e| e.article.title).collect()),
            _ => None,
        }
    }
}

#[test]
fn an_article_is_in_the_feeds_of_its_terms() {
    let mut desk = Desk::new();
    assert!(desk.titles("all").is_empty());
    let delta = desk.write("a.md", &Text { tags: vec!["x"], ..text("One", START - 60) });
    let keys: Vec<String> = delta.keys.iter().map(ToString::to_string).collect();
    assert_eq!(keys, ["all", "category/news", "category/news/local", "tag/x", "author/Ann"]);
    for key in keys {
        assert_eq!(desk.titles(&key), ["One"], "{key}");
    }
    assert_eq!(desk.head(&Document::Feed(Key::parse("tag/y").expect("a key"), Format::Rss)), Status::Never);
    let entry = desk.one();
    assert_eq!((entry.published.timestamp(), entry.updated.timestamp()), (START - 60, START - 60));
    assert!(entry.id.as_str().starts_with("urn:uuid:"));
}

#[test]
fn a_date_that_an_exporter_moves_is_noise_and_a_correction_is_not() {
    let mut desk = Desk::new();
    desk.write("a.md", &text("One", START - 10 * DAY));
    let before = desk.one();
    let head = desk.feed_head("all");
    for date in [START + 5, START - 20 * 3600, START + 25 * 3600] {
        assert!(desk.write("a.md", &text("One", date)).is_empty(), "{date}");
        assert_eq!(desk.feed_head("all"), head);
    }
    desk.write("a.md", &text("One", START - 30 * DAY));
    let after = desk.one();
    assert_eq!(after.id, before.id);
    assert_eq!((after.published.timestamp(), after.position.timestamp()), (START - 30 * DAY, START - 30 * DAY));
    assert_eq!(after.updated.timestamp(), START);
}

#[test]
fn a_shown_article_is_never_held_again_by_its_date() {
    let mut desk = Desk::new();
    desk.write("a.md", &text("One", START - DAY * 10));
    let before = desk.feed_head("all");
    desk.write("a.md", &text("One", START + 3 * DAY));
    assert_eq!(desk.feed_head("all"), before);
    assert_eq!(desk.codes(), [("a.md".to_owned(), Code::DateFuture)]);
    desk.write("a.md", &Text { title: "Uno", ..text("One", START + 3 * DAY) });
    assert_eq!(desk.one().published.timestamp(), START - DAY * 10);
}

#[test]
fn an_undated_article_keeps_the_time_when_it_was_first_seen() {
    let mut desk = Desk::new();
    let undated = Text { date: None, ..text("One", 0) };
    desk.write("a.md", &undated);
    assert_eq!(desk.one().published.timestamp(), START);
    desk.pass(500);
    desk.write("a.md", &Text { body: "Another body".to_owned(), ..undated.clone() });
    assert_eq!((desk.one().published.timestamp(), desk.one().updated.timestamp()), (START, START + 500));
    // A guessed date becomes a written one.
    desk.write("a.md", &Text { date: Some(START - 3600), ..undated });
    assert_eq!(desk.one().published.timestamp(), START - 3600);
}

#[test]
fn late_arrivals_come_on_top_but_not_a_flood_of_them() {
    let mut desk = Desk::new();
    desk.write("new.md", &text("New", START - 60));
    desk.write("late.md", &text("Late", START - 30 * DAY));
    assert_eq!(desk.titles("all"), ["Late", "New"]);
    assert_eq!(desk.feed("all")[0].published.timestamp(), START - 30 * DAY);
    desk.write("newer.md", &text("Newer", START - 30));
    assert_eq!(desk.titles("all"), ["Newer", "Late", "New"]);
    desk.pass(1);
    let changes = (0..25)
        .map(|n| {
            let title: &'static str = Box::leak(format!("old {n}").into_boxed_str());
            text(title, START - 400 * DAY + n).seen(&format!("old/{n}.md"), 500 + n as u64)
        })
        .collect();
    desk.apply(changes);
    let positions: Vec<i64> = desk.feed("all").iter().map(|e| e.position.timestamp()).collect();
    assert_eq!(positions.iter().filter(|&&at| at < START - DAY).count(), 5);
}

#[test]
fn what_was_there_at_the_first_scan_is_not_late() {
    let mut desk = Desk::new();
    desk.write("new.md", &text("New", START - 60));
    desk.pass(5);
    desk.write("old.md", &Text { changed: START, ..text("Old", START - 30 * DAY) });
    assert_eq!(desk.titles("all"), ["New", "Old"]);
}

#[test]
fn archive_pages_share_no_article_and_hold_all() {
    let title = |n: usize| -> &'static str { Box::leak(format!("{n:03}").into_boxed_str()) };
    let files: Vec<(String, Text)> =
        (0..250).map(|n| (format!("{n:03}.md"), text(title(n), START - DAY + n as i64))).collect();
    let files: Vec<(&str, Text)> = files.iter().map(|(path, text)| (path.as_str(), text.clone())).collect();
    let mut desk = Desk::loaded(&files);
    let pages = |desk: &Desk| (1..9).map_while(|n| desk.archive("all", n)).collect::<Vec<_>>();
    let first = pages(&desk);
    assert_eq!(first.iter().map(Vec::len).collect::<Vec<_>>(), [100, 100, 50]);
    let head = |desk: &Desk, n| desk.head(&Document::Archive(Key::all(), n, Format::Atom));
    let heads: Vec<_> = (1..4).map(|n| head(&desk, n)).collect();
    for n in 250..310 {
        desk.write(&format!("{n:03}.md"), &text(title(n), START));
    }
    let then = pages(&desk);
    assert_eq!(then.iter().map(Vec::len).collect::<Vec<_>>(), [100, 100, 100, 10]);
    assert_eq!(then[..2], first[..2]);
    // A page changes only when one of its own articles does or its successor opens.
    assert_eq!((head(&desk, 1), head(&desk, 2)), (heads[0], heads[1]));
    assert_ne!(head(&desk, 3), heads[2]);
    let all: std::collections::BTreeSet<_> = then.iter().flatten().collect();
    assert_eq!(all.len(), 310);
    // A correction of the date does not move it to another page.
    desk.write("005.md", &text("005", START - 300 * DAY));
    assert!(pages(&desk)[0].contains(&"005".to_owned()));
    assert_eq!(pages(&desk)[0].len(), 100);
}

#[test]
fn feeds_are_found_by_their_last_name_without_a_look_at_all() {
    let mut desk = Desk::new();
    let tags = ["alpha", "News", "news", "newt", "zulu", "50%", "金融"];
    desk.write("a.md", &Text { tags: tags.to_vec(), ..text("One", START - 60) });
    let readers = desk.catalog.readers();
    let shown = |keys: Vec<crate::entry::Key>| keys.iter().map(ToString::to_string).collect::<Vec<_>>();
    let named = |kind, name: &str| shown(readers.read(|reader| reader.keys_named(kind, name, 10)).expect("readable"));
    assert_eq!(named(Kind::Category, "local"), ["category/news/local"]);
    assert_eq!(named(Kind::Category, "news"), ["category/news"]);
    assert_eq!(named(Kind::Tag, "news"), ["tag/news"]);
    assert_eq!(named(Kind::Tag, "50%"), ["tag/50%"]);
    assert_eq!(named(Kind::Tag, "金融"), ["tag/金融"]);
    assert_eq!(named(Kind::Tag, "5"), Vec::<String>::new());
    let beside = |name: &str| shown(readers.read(|reader| reader.keys_beside(Kind::Tag, name, 2)).expect("readable"));
    assert_eq!(beside("NEWSS"), ["tag/news", "tag/News", "tag/newt", "tag/zulu"]);

    // Both ways of asking go by the index.
    let connection = rusqlite::Connection::open(desk.dir.path().join(schema::FILE)).expect("a catalog");
    for side in ["=", "<", ">="] {
        let sql =
            format!("EXPLAIN QUERY PLAN SELECT * FROM feed f WHERE f.kind = 1 AND {} {side} 'x'", schema::LAST_NAME);
        let plan: String = connection.query_row(&sql, [], |row| row.get(3)).expect("a plan");
        assert!(plan.contains("USING INDEX feed_name"), "{plan}");
    }
}
