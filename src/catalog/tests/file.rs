//! The file itself: another one, a damaged one, one that cannot be looked at.

use super::*;

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
