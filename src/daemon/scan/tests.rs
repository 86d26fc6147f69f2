//! Listings of real folders, and comparisons as data.

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;

use super::*;
use crate::daemon::inbox::Inbox;

fn names() -> Names {
    let patterns = |patterns: &[&str]| patterns.iter().map(|p| (*p).to_owned()).collect::<Vec<_>>();
    Names::new(&patterns(&["**/*.md"]), &patterns(&["**/.*", "**/*~", "skip"])).expect("globs")
}

fn seen(size: u64) -> Fingerprint {
    Fingerprint { size, mtime: 1, ctime: 1, inode: 1 }
}

fn known(name: &str, fingerprint: Option<Fingerprint>, missing: bool) -> KnownFile {
    KnownFile { name: name.to_owned(), fingerprint, missing }
}

#[test]
fn a_listing_tells_articles_folders_and_excluded_files_apart() {
    let outside = tempfile::tempdir().expect("a folder");
    fs::write(outside.path().join("x.md"), "x").expect("written");
    let folder = tempfile::tempdir().expect("a folder");
    let at = |name: &str| folder.path().join(name);
    for name in ["a.md", "B.MD", "note~", ".hidden.md", "picture.png"] {
        fs::write(at(name), "x").expect("written");
    }
    fs::write(folder.path().join(OsStr::from_bytes(b"\xff.md")), "x").expect("written");
    for name in ["sub", "skip", ".git", "folder.md"] {
        fs::create_dir(at(name)).expect("made");
    }
    symlink(outside.path(), at("out")).expect("linked");
    symlink(".", at("loop")).expect("linked");
    symlink("sub", at("sub-link.md")).expect("linked");
    symlink(outside.path().join("x.md"), at("out.md")).expect("linked");

    let root = Inbox::new(folder.path()).open().expect("open");
    let mut listing = list(&root, "", &names(), || ()).expect("listed");
    listing.folders.sort();
    let mut files: Vec<String> = listing.files.into_iter().map(|(name, _)| name).collect();
    files.sort();
    assert_eq!(files, ["B.MD", "\\xFF.md", "a.md", "out.md"]);
    assert_eq!(listing.folders, ["folder.md", "sub"]);
    assert_eq!(listing.excluded, HashSet::from([".hidden.md", "note~"].map(str::to_owned)));
    assert!(list(&root, "out", &names(), || ()).is_err(), "links are not followed");
    assert_eq!(list(&root, "none", &names(), || ()).expect_err("missing").kind(), io::ErrorKind::NotFound);
}

#[test]
fn only_what_differs_is_found() {
    let listed = [
        ("same.md".to_owned(), seen(1)),
        ("changed.md".to_owned(), seen(2)),
        ("new.md".to_owned(), seen(3)),
        ("back.md".to_owned(), seen(4)),
        ("unread.md".to_owned(), seen(5)),
    ];
    let known = [
        known("same.md", Some(seen(1)), false),
        known("changed.md", Some(seen(1)), false),
        known("back.md", Some(seen(4)), true),
        known("unread.md", None, false),
        known("gone.md", Some(seen(1)), false),
        known("long-gone.md", Some(seen(1)), true),
    ];
    let difference = compare("f", &listed, &known);
    let found: Vec<&str> = difference.found.iter().map(|(path, _)| path.as_str()).collect();
    assert_eq!(found, ["f/changed.md", "f/new.md", "f/back.md", "f/unread.md"]);
    assert_eq!(difference.lost, ["f/gone.md"]);
}

#[test]
fn excluded_files_are_counted_by_folder() {
    let mut excluded = Excluded::default();
    excluded.set("a", HashSet::from(["x~".to_owned(), "y~".to_owned()]));
    excluded.insert("b/.z.tmp");
    excluded.insert("b/.z.tmp");
    assert_eq!(excluded.count(), 3);
    excluded.remove("b/.z.tmp");
    excluded.remove("c/none");
    excluded.set("a", HashSet::new());
    assert_eq!(excluded.count(), 0);
}

#[test]
fn network_file_systems_are_polled() {
    for (poll, magic, polled) in [
        (Poll::Auto, Some(0x6969), Some("NFS has no events")),
        (Poll::Auto, Some(0xFE53_4D42), Some("SMB has no events")),
        (Poll::Auto, Some(0xFFFF_FFFF_FE53_4D42), Some("SMB has no events")),
        (Poll::Auto, Some(0x6573_5546), Some("FUSE has no events")),
        // ext4, XFS, Btrfs, tmpfs, overlayfs, ZFS, and one that cannot be told.
        (Poll::Auto, Some(0xEF53), None),
        (Poll::Auto, Some(0x5846_5342), None),
        (Poll::Auto, Some(0x9123_683E), None),
        (Poll::Auto, Some(0x0102_1994), None),
        (Poll::Auto, Some(0x794C_7630), None),
        (Poll::Auto, Some(0x2FC1_2FC1), None),
        (Poll::Auto, None, None),
        (Poll::On, Some(0xEF53), Some("as configured")),
        (Poll::Off, Some(0x6969), None),
    ] {
        assert_eq!(super::polled(poll, magic).as_deref(), polled, "{poll:?} {magic:x?}");
    }
}
