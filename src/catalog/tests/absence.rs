//! What leaves the feeds and when: missing files, drafts, expiry, terms; what was shown leaves a tombstone.

use super::*;

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
