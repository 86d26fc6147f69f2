//! Which article is which: ids over edits, renames, twins, swaps and copies.

use super::*;

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
fn a_broken_file_keeps_its_last_good_version() {
    let mut desk = Desk::new();
    desk.write("a.md", &text("One", START - DAY));
    let before = desk.feed_head("all");
    let bytes = b"broken";
    let problem = Diagnostic::new(Code::FrontMatterBudget, "too deep");
    desk.apply(vec![Change::Seen(Box::new(SeenFile {
        path: "a.md".to_owned(),
        fingerprint: Fingerprint { size: 6, mtime: 1, ctime: 1, inode: 2 },
        hash: file_hash(bytes),
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
