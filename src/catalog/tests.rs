//! What each change of a file does to id, dates, order, archives and tombstones: one test a rule, on a real database.

use std::collections::BTreeMap;
use std::time::Duration;

use super::*;
use crate::article::{Article, Author, Body, Markup};
use crate::diagnostic::Code;
use crate::entry::{Document, Format, Kind, Material, Status};

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
            hash: *blake3::hash(&bytes).as_bytes(),
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

use crate::entry::Entry;

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
fn a_cold_load_gives_the_same_ids_and_order_as_arrival() {
    let files = [
        ("b.md", text("Two", START - DAY)),
        ("a.md", text("One", START - DAY)),
        ("c.md", text("Old", START - 90 * DAY)),
    ];
    let cold = Desk::loaded(&files);
    assert_eq!(cold.titles("all"), ["Two", "One", "Old"]);
    let mut warm = Desk::new();
    for (path, text) in [&files[2], &files[1], &files[0]] {
        warm.write(path, text);
    }
    let ids = |desk: &Desk| desk.feed("category/news").into_iter().map(|e| e.id).collect::<Vec<_>>();
    assert_eq!(ids(&cold), ids(&warm));
    assert_eq!(cold.feed_head("all").updated, warm.feed_head("all").updated);
}

#[test]
fn the_same_bytes_again_change_nothing() {
    let mut desk = Desk::new();
    desk.write("a.md", &text("One", START - 60));
    let before = desk.feed_head("all");
    desk.pass(100);
    let delta = desk.write("a.md", &text("One", START - 60));
    assert!(delta.is_empty());
    assert_eq!(desk.feed_head("all"), before);
}

#[test]
fn an_edit_keeps_the_id_and_sets_updated() {
    let mut desk = Desk::new();
    desk.write("a.md", &text("One", START - 60));
    let before = desk.one();
    desk.pass(100);
    let delta = desk.write("a.md", &Text { title: "Uno", ..text("One", START - 60) });
    assert_eq!((delta.added, delta.changed), (0, 1));
    let after = desk.one();
    assert_eq!((after.id.clone(), after.published, after.position), (before.id, before.published, before.position));
    assert_ne!(after.rev, before.rev);
    assert_eq!(after.updated.timestamp(), START + 100);
    // The file's own time, where it moved and is not in the future; never back.
    desk.pass(100);
    desk.write("a.md", &Text { title: "Eins", updated: Some(START + 150), ..text("One", START - 60) });
    assert_eq!(desk.one().updated.timestamp(), START + 150);
    desk.write("a.md", &Text { title: "Un", updated: Some(START + 10), ..text("One", START - 60) });
    assert_eq!(desk.one().updated.timestamp(), START + 150);
    desk.write("a.md", &Text { title: "Yi", updated: Some(START + 9000), ..text("One", START - 60) });
    assert_eq!(desk.one().updated.timestamp(), START + 200);
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
fn a_rename_keeps_the_entry() {
    let mut desk = Desk::new();
    desk.write("a.md", &text("One", START - 60));
    let (before, head) = (desk.one(), desk.feed_head("all"));
    desk.remove("a.md");
    desk.write("b/c.md", &text("One", START - 60));
    assert_eq!((desk.one().id, desk.one().path.as_str()), (before.id, "b/c.md"));
    assert_eq!(desk.feed_head("all"), head);
    desk.pass(2000);
    assert_eq!(desk.titles("all"), ["One"]);
}

#[test]
fn a_rename_with_an_edit_is_known_by_body_or_inode() {
    let mut desk = Desk::new();
    desk.write_inode("a.md", &text("One", START - 60), 77);
    let id = desk.one().id;
    desk.remove("a.md");
    // Another title; the body is the same, and so is the date.
    desk.write_inode("b.md", &Text { title: "Uno", ..text("One", START - 60) }, 78);
    assert_eq!(desk.one().id, id);
    desk.remove("b.md");
    // Another body and date; the inode is the same, and so is the title.
    desk.write_inode("c.md", &Text { title: "Uno", body: "Quite other".to_owned(), ..text("", START - 90) }, 78);
    assert_eq!(desk.one().id, id);
    desk.remove("c.md");
    // An inode that was handed to another file tells nothing.
    desk.write_inode("d.md", &text("Other", START - 30), 78);
    assert_eq!(desk.feed("all").len(), 2);
}

#[test]
fn a_deleted_file_is_withdrawn_after_a_while_and_leaves_a_tombstone() {
    let mut desk = Desk::loaded(&[("a.md", text("One", START - DAY)), ("b.md", text("Two", START - 2 * DAY))]);
    let entry = desk.feed("all").remove(0);
    let before = desk.feed_head("all");
    desk.remove("a.md");
    desk.pass(599);
    assert_eq!(desk.feed_head("all"), before);
    let delta = desk.pass(1);
    assert_eq!(delta.withdrawn, 1);
    assert_eq!(desk.titles("all"), ["Two"]);
    assert_eq!(desk.head(&Document::Article(entry.uuid)), Status::Gone);
    assert_eq!(desk.feed_head("all").updated.timestamp(), START + 600);
    let document = Document::Feed(Key::all(), Format::Atom);
    let tombstones = |desk: &Desk| match desk.catalog.readers().read(|r| r.material(&document)).expect("readable") {
        Some((_, Material::Feed(feed))) => feed.tombstones,
        other => panic!("{other:?}"),
    };
    assert_eq!(tombstones(&desk).iter().map(|t| &t.id).collect::<Vec<_>>(), [&entry.id]);
    assert_eq!(desk.archive("all", 1), Some(vec!["Two".to_owned()]));
    // Comes back: same id, same place, and the tombstone goes.
    desk.pass(100);
    desk.write("a.md", &text("One", START - DAY));
    let back = desk.feed("all").remove(0);
    assert_eq!((&back.id, back.position, back.sequence), (&entry.id, entry.position, entry.sequence));
    assert_eq!(back.updated.timestamp(), START + 700);
    assert!(tombstones(&desk).is_empty());
    // Withdrawn again, and forgotten after 14 days; its id stays gone.
    desk.remove("a.md");
    desk.pass(601);
    assert_eq!(tombstones(&desk).len(), 1);
    desk.pass(14 * DAY);
    assert!(tombstones(&desk).is_empty());
    assert_eq!(desk.head(&Document::Article(entry.uuid)), Status::Gone);
}

#[test]
fn wipe_and_rewrite_in_time_changes_nothing() {
    let mut desk = Desk::new();
    let titles = ["One", "Two", "Three", "Four", "Five"];
    let paths = ["a.md", "b.md", "c.md", "d.md", "e.md"];
    for (path, title) in paths.iter().zip(titles) {
        desk.write(path, &text(title, START - DAY));
    }
    let before = desk.feed_head("all");
    for _ in 0..3 {
        for path in paths {
            desk.remove(path);
        }
        desk.pass(300);
        // The file system hands the old inodes to other names.
        for (at, (path, title)) in paths.iter().zip(titles).enumerate().rev() {
            desk.write_inode(path, &text(title, START - DAY), 2 + at as u64);
        }
        desk.pass(700);
        assert_eq!(desk.feed_head("all"), before);
    }
}

#[test]
fn many_missing_files_wait_twice_and_all_missing_files_wait_for_one() {
    let mut desk = Desk::new();
    for (path, title) in [("a.md", "One"), ("b.md", "Two"), ("c.md", "Three"), ("d.md", "Four")] {
        desk.write(path, &text(title, START - DAY));
    }
    for path in ["a.md", "b.md", "c.md"] {
        desk.remove(path);
    }
    assert!(desk.pass(601).absent.is_some_and(|why| why.contains("3 of 4")));
    assert_eq!(desk.feed("all").len(), 4);
    // One comes back: the others' waits begin anew.
    desk.pass(500);
    desk.write("a.md", &text("One", START - DAY));
    desk.pass(599);
    assert_eq!(desk.feed("all").len(), 4);
    desk.pass(2);
    assert_eq!(desk.titles("all"), ["Four", "One"]);

    let mut desk = Desk::new();
    let paths: Vec<String> = (0..20).map(|n| format!("{n:02}.md")).collect();
    for path in &paths {
        desk.write(path, &Text { title: Box::leak(path.clone().into_boxed_str()), ..text("", START - DAY) });
    }
    for path in &paths {
        desk.remove(path);
    }
    for _ in 0..50 {
        assert!(desk.pass(DAY).absent.is_some_and(|why| why.contains("--accept-empty")));
    }
    assert_eq!(desk.feed("all").len(), 20);
    // A new file ends nothing.
    desk.write("new.md", &text("New", START));
    desk.pass(DAY);
    assert_eq!(desk.feed("all").len(), 21);
    desk.apply(vec![Change::AcceptMissing]);
    assert_eq!(desk.titles("all"), ["New"]);
}

#[test]
fn a_wait_does_not_end_by_a_jump_of_the_clock() {
    let mut desk = Desk::new();
    desk.write("a.md", &text("One", START - DAY));
    desk.remove("a.md");
    desk.wall += 10 * 365 * DAY;
    desk.steady += 5;
    desk.apply(vec![Change::Due]);
    assert_eq!(desk.titles("all"), ["One"]);
    desk.pass(600);
    assert!(desk.titles("all").is_empty());
}

#[test]
fn twins_are_one_entry_and_the_smaller_path_leads() {
    let mut desk = Desk::new();
    desk.write("b.md", &text("One", START - DAY));
    let id = desk.one().id;
    desk.write("c.md", &text("One", START - DAY));
    assert_eq!((desk.one().path.as_str(), desk.codes()), ("b.md", vec![("c.md".to_owned(), Code::Twin)]));
    desk.write("a.md", &text("One", START - DAY));
    assert_eq!((desk.one().path.as_str(), desk.one().id), ("a.md", id.clone()));
    // When the leader is withdrawn, another one leads.
    desk.remove("a.md");
    let delta = desk.pass(601);
    assert_eq!((delta.withdrawn, delta.reread.as_slice()), (0, ["b.md".to_owned()].as_slice()));
    desk.write("b.md", &text("One", START - DAY));
    assert_eq!((desk.one().path.as_str(), desk.one().id), ("b.md", id));
}

#[test]
fn a_shared_seed_gives_the_second_article_an_id_of_its_own() {
    let other =
        Text { body: "Quite another text under the same title and date.".to_owned(), ..text("One", START - DAY) };
    let mut warm = Desk::new();
    warm.write("a.md", &text("One", START - DAY));
    warm.write("b.md", &other);
    assert_eq!(warm.codes(), [("b.md".to_owned(), Code::IdCollision)]);
    let cold = Desk::loaded(&[("b.md", other), ("a.md", text("One", START - DAY))]);
    let ids = |desk: &Desk| desk.feed("all").into_iter().map(|e| (e.path, e.id)).collect::<BTreeMap<_, _>>();
    assert_eq!(ids(&warm).len(), 2);
    assert_eq!(ids(&warm), ids(&cold));
    assert_eq!(cold.codes(), [("b.md".to_owned(), Code::IdCollision)]);
}

#[test]
fn another_article_at_the_path_is_a_new_entry() {
    let mut desk = Desk::new();
    desk.write("a.md", &text("One", START - DAY));
    let id = desk.one().id;
    desk.write("a.md", &text("Two", START - 2 * DAY));
    assert_eq!(desk.titles("all"), ["One", "Two"]);
    desk.pass(601);
    assert_eq!(desk.titles("all"), ["Two"]);
    assert_ne!(desk.one().id, id);
}

#[test]
fn two_files_that_swap_their_names_keep_their_ids() {
    let mut desk = Desk::new();
    desk.write("a.md", &text("One", START - DAY));
    desk.write("b.md", &text("Two", START - 2 * DAY));
    let before: Vec<_> = desk.feed("all").into_iter().map(|e| (e.article.title, e.id)).collect();
    desk.write("a.md", &text("Two", START - 2 * DAY));
    desk.write("b.md", &text("One", START - DAY));
    desk.pass(2000);
    let after: Vec<_> = desk.feed("all").into_iter().map(|e| (e.article.title, e.id)).collect();
    assert_eq!(before, after);
}

#[test]
fn an_explicit_id_is_the_id() {
    let mut desk = Desk::new();
    let with_id = Text { id: Some("https://blog.example/one"), ..text("One", START - DAY) };
    desk.write("a.md", &with_id);
    assert_eq!(desk.one().id.as_str(), "https://blog.example/one");
    desk.remove("a.md");
    desk.write("b.md", &Text { body: "new".to_owned(), date: Some(START - 5 * DAY), title: "Uno", ..with_id });
    assert_eq!(desk.one().id.as_str(), "https://blog.example/one");
    // Added to a shown article: a new entry, and the old one goes at once.
    desk.write("x.md", &text("Other", START - 3 * DAY));
    let delta = desk
        .write("x.md", &Text { id: Some("6f0d7b5e-5f0a-5d5e-9c1f-3f1c2b7a9e10"), ..text("Other", START - 3 * DAY) });
    assert_eq!((delta.withdrawn, delta.added), (1, 1));
    assert!(desk.feed("all").iter().any(|e| e.id.as_str() == "urn:uuid:6f0d7b5e-5f0a-5d5e-9c1f-3f1c2b7a9e10"));
    assert_eq!(desk.codes(), [("x.md".to_owned(), Code::IdChanged)]);
}

#[test]
fn drafts_and_future_articles_leave_no_trace() {
    let mut desk = Desk::new();
    desk.write("base.md", &text("Base", START - DAY));
    let head = desk.feed_head("all");
    let draft = Text { draft: true, tags: vec!["secret"], ..text("Draft", START - 60) };
    assert!(desk.write("d.md", &draft).is_empty());
    assert!(desk.write("f.md", &text("Future", START + 100)).is_empty());
    assert_eq!(desk.feed_head("all"), head);
    let counts = desk.catalog.readers().read(|reader| reader.counts()).expect("readable");
    assert_eq!((counts.articles, counts.held), (1, 2));
    assert_eq!(desk.catalog.next_due().map(|at| at.timestamp()), Some(START + 100));
    desk.pass(99);
    assert_eq!(desk.feed_head("all"), head);
    desk.pass(1);
    assert_eq!(desk.titles("all"), ["Future", "Base"]);
    assert_eq!(desk.feed("all")[0].published.timestamp(), START + 100);
    desk.write("d.md", &Text { draft: false, ..draft.clone() });
    assert_eq!(desk.titles("tag/secret"), ["Draft"]);
    // A shown article that becomes a draft is withdrawn at once.
    assert_eq!(desk.write("d.md", &draft).withdrawn, 1);
    assert_eq!(desk.titles("tag/secret"), Vec::<String>::new());
    assert!(matches!(
        desk.head(&Document::Feed(Key::parse("tag/secret").expect("a key"), Format::Rss)),
        Status::Here(_)
    ));
}

#[test]
fn an_article_expires_on_its_second() {
    let mut desk = Desk::new();
    desk.write("a.md", &Text { expires: Some(START + 50), ..text("One", START - DAY) });
    desk.pass(49);
    assert_eq!(desk.titles("all"), ["One"]);
    assert_eq!(desk.pass(1).withdrawn, 1);
    desk.write("b.md", &Text { expires: Some(START - 50), ..text("Two", START - DAY) });
    assert!(desk.titles("all").is_empty());
}

#[test]
fn a_broken_file_keeps_its_last_good_version() {
    let mut desk = Desk::new();
    desk.write("a.md", &text("One", START - DAY));
    let before = desk.feed_head("all");
    let bytes = b"broken";
    let problem = Diagnostic::new(Code::FrontMatterBudget, "too deep");
    desk.apply(vec![Change::Seen(Box::new(SeenFile {
        path: "a.md".to_owned(),
        fingerprint: Fingerprint { size: 6, mtime: 1, ctime: 1, inode: 2 },
        hash: *blake3::hash(bytes).as_bytes(),
        under: Rules::default().digest(),
        kept: Kept::new(bytes),
        parsed: Parsed { article: None, problems: vec![problem], origins: BTreeMap::new() },
    }))]);
    desk.pass(2000);
    assert_eq!(desk.feed_head("all"), before);
    assert_eq!(desk.codes(), [("a.md".to_owned(), Code::FrontMatterBudget)]);
    desk.write("a.md", &text("One", START - DAY));
    assert!(desk.codes().is_empty());
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
fn terms_come_and_go_without_tombstones() {
    let mut desk = Desk::new();
    let tagged = Text { tags: vec!["x"], ..text("One", START - DAY) };
    desk.write("a.md", &tagged);
    desk.write("a.md", &Text { tags: vec!["y"], ..tagged.clone() });
    assert_eq!((desk.titles("tag/x").len(), desk.titles("tag/y").len()), (0, 1));
    desk.write("a.md", &tagged);
    assert_eq!((desk.titles("tag/x").len(), desk.titles("tag/y").len()), (1, 0));
    assert_eq!(desk.archive("tag/x", 1), Some(vec!["One".to_owned()]));
    let rows = desk.catalog.readers().read(|reader| reader.feeds(None, 100)).expect("readable");
    let counts: BTreeMap<String, u64> = rows.into_iter().map(|row| (row.key.to_string(), row.count)).collect();
    assert_eq!((counts["all"], counts["tag/x"], counts["tag/y"]), (1, 1, 0));
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
fn a_catalog_made_by_another_release_or_site_is_not_touched() {
    let desk = Desk::loaded(&[("a.md", text("One", START - DAY))]);
    let dir = desk.dir.path().to_owned();
    drop(desk.catalog);
    let other = Settings { site_id: Some("x".to_owned()), namespace: Namespace::new(Some("x")), ..settings() };
    assert!(matches!(Catalog::open(&dir, other), Err(Error::Refused(text)) if text.contains("site.id")));
    let connection = Connection::open(dir.join(schema::FILE)).expect("a database");
    connection.pragma_update(None, "user_version", schema::VERSION + 1).expect("writable");
    drop(connection);
    assert!(matches!(Catalog::open(&dir, settings()), Err(Error::Newer { .. })));
}

#[test]
fn a_flipped_byte_is_never_shown() {
    let desk = Desk::loaded(&[("a.md", text("One", START - DAY))]);
    for sql in [
        "UPDATE entry SET published = published + 1",
        "UPDATE kept SET article = replace(article, 'One', 'Two')",
        "UPDATE member SET page = page + 1",
        "UPDATE feed SET updated = updated + 1",
    ] {
        let connection = Connection::open(desk.dir.path().join(schema::FILE)).expect("a database");
        connection.execute_batch(&format!("SAVEPOINT s; {sql}; RELEASE s")).expect("writable");
        let document = Document::Feed(Key::all(), Format::Rss);
        let read = desk.catalog.readers().read(|reader| reader.material(&document));
        assert!(matches!(read, Err(Error::Damaged { .. })), "{sql}: {read:?}");
        let undo = sql.replace("+ 1", "- 1").replace("'One', 'Two'", "'Two', 'One'");
        connection.execute_batch(&undo).expect("writable");
    }
}

#[test]
fn a_catalog_of_another_inbox_is_refused() {
    let mut desk = Desk::loaded(&[("a.md", text("One", START - DAY))]);
    let inbox = |path: &str| Inbox { path: path.into(), device: 1 };
    desk.catalog.adopt(&inbox("/one"), false, &|_| false).expect("the first one");
    let refused = desk.catalog.adopt(&inbox("/two"), false, &|_| false);
    assert!(matches!(refused, Err(Error::Refused(text)) if text.contains("--accept-empty")));
    desk.catalog.adopt(&inbox("/two"), false, &|path| path == "a.md").expect("it moved");
    desk.catalog.adopt(&inbox("/three"), true, &|_| false).expect("as asked");
}

#[test]
fn nothing_is_withdrawn_before_the_inbox_was_looked_through() {
    let mut desk = Desk::loaded(&[("a.md", text("A", START - DAY)), ("b.md", text("B", START - DAY))]);
    desk.remove("a.md");
    desk.apply(vec![Change::Away]);
    desk.pass(7200);
    assert_eq!(desk.feed("all").len(), 2);
    // Looked through: there is time to read what was found, and what was not found is withdrawn after it.
    desk.apply(vec![Change::There]);
    desk.pass(59);
    assert_eq!(desk.feed("all").len(), 2);
    desk.pass(2);
    assert_eq!(desk.titles("all"), ["B"]);
}

#[test]
fn an_article_whose_time_came_while_its_file_was_away_comes_with_the_file() {
    let mut desk = Desk::new();
    let due = text("Due", START + 100);
    desk.write("due.md", &due);
    desk.remove("due.md");
    desk.pass(200);
    assert!(desk.feed("all").is_empty());
    desk.write("due.md", &due);
    assert_eq!(desk.titles("all"), ["Due"]);
    assert!(desk.codes().is_empty(), "{:?}", desk.codes());
}

#[test]
fn a_file_that_is_gone_and_not_missed_yet_gives_its_article_away() {
    let mut desk = Desk::loaded(&[("a.md", text("A", START - DAY))]);
    let id = desk.one().id;
    let edited = Text {
        body: "Another text, and one that is long enough to be told from the one before.".to_owned(),
        ..text("A", START - DAY)
    };
    // Moved and edited before anybody looked: without a look at the inbox it would be another article's double.
    desk.catalog.look_with(Box::new(|path| if path == "a.md" { Stands::Nothing } else { Stands::Unknown }));
    desk.write("b.md", &edited);
    assert_eq!(desk.one().id, id);
    desk.remove("a.md");
    desk.pass(7200);
    assert_eq!(desk.one().id, id);
}

#[test]
fn a_copy_of_an_edit_that_was_not_told_yet_is_no_other_article() {
    let mut desk = Desk::loaded(&[("a.md", text("A", START - DAY))]);
    let id = desk.one().id;
    let edited = Text {
        body: "Another text, and one that is long enough to be told from the one before.".to_owned(),
        ..text("A", START - DAY)
    };
    let stands = edited.article();
    desk.catalog.look_with(Box::new(move |path| match path {
        "a.md" => Stands::Article(Box::new(stands.clone())),
        _ => Stands::Unknown,
    }));
    desk.write("b.md", &edited);
    assert_eq!((desk.one().id, desk.codes()), (id.clone(), vec![("b.md".to_owned(), Code::Twin)]));
    desk.write("a.md", &edited);
    let entry = desk.one();
    assert_eq!((entry.id, entry.path.as_str(), entry.article.body.hash), (id, "a.md", edited.article().body.hash));
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

/// Found by a failing `statx`: a good catalog was taken for none, and a first one made over it.
#[test]
fn a_catalog_that_cannot_be_looked_at_is_not_taken_for_none() {
    let dir = tempfile::tempdir().expect("a folder");
    assert!(!Catalog::exists(dir.path()).expect("it can be told"));
    assert!(!Catalog::exists(&dir.path().join("no/folder")).expect("it can be told"));
    std::fs::write(dir.path().join("file"), "no folder").expect("written");
    assert!(matches!(Catalog::exists(&dir.path().join("file")), Err(Error::Io { .. })));
    assert!(matches!(Catalog::exists(&dir.path().join("x".repeat(300))), Err(Error::Io { .. })));
}

#[test]
fn opening_anew_proves_that_something_can_be_written() {
    let mut desk = Desk::new();
    for _ in 0..3 {
        let before = desk.catalog.log().expect("told").frames;
        desk.catalog.reopen().expect("opened anew");
        assert!(desk.catalog.log().expect("told").frames > before);
    }
}
