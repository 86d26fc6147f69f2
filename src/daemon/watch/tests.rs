//! Real inotify on real folders. Tests wait for hints, never for time.

use std::fs;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use tempfile::TempDir;

use super::*;

fn watched(folders: &[&str]) -> (TempDir, Watch, Receiver<Hint>) {
    let inbox = tempfile::tempdir().expect("a folder");
    let (send, hints) = channel();
    let mut watch = Watch::new(inbox.path(), move |hint| drop(send.send(hint))).expect("inotify");
    for folder in folders {
        fs::create_dir_all(inbox.path().join(folder)).expect("made");
        watch.add(folder).expect("watched");
    }
    (inbox, watch, hints)
}

/// Hints up to and including this one.
#[track_caller]
fn until(hints: &Receiver<Hint>, last: &Hint) -> Vec<Hint> {
    let mut all = Vec::new();
    loop {
        match hints.recv_timeout(Duration::from_secs(10)) {
            Ok(hint) => {
                let end = hint == *last;
                all.push(hint);
                if end {
                    return all;
                }
            }
            Err(_) => panic!("{last:?} did not come; {all:?} did"),
        }
    }
}

fn p(path: &str) -> String {
    path.to_owned()
}

#[test]
fn writing_in_place_is_made_modified_closed() {
    let (inbox, _watch, hints) = watched(&[""]);
    fs::write(inbox.path().join("金融.md"), "text").expect("written");
    assert_eq!(
        until(&hints, &Hint::Closed(p("金融.md"))),
        [Hint::Created(p("金融.md")), Hint::Modified(p("金融.md")), Hint::Closed(p("金融.md"))]
    );
}

#[test]
fn our_own_reads_are_not_heard() {
    let (inbox, _watch, hints) = watched(&[""]);
    fs::write(inbox.path().join("a.md"), "text").expect("written");
    until(&hints, &Hint::Closed(p("a.md")));
    for _ in 0..100 {
        fs::read(inbox.path().join("a.md")).expect("read");
        fs::read_dir(inbox.path()).expect("listed").count();
    }
    fs::remove_file(inbox.path().join("a.md")).expect("removed");
    assert_eq!(until(&hints, &Hint::Removed(p("a.md"))), [Hint::Removed(p("a.md"))]);
}

#[test]
fn renames_are_heard_once_at_both_ends() {
    let (inbox, _watch, hints) = watched(&["", "sub"]);
    let at = |path: &str| inbox.path().join(path);
    fs::write(at(".a.tmp"), "text").expect("written");
    until(&hints, &Hint::Closed(p(".a.tmp")));
    fs::rename(at(".a.tmp"), at("sub/a.md")).expect("renamed");
    assert_eq!(
        until(&hints, &Hint::Arrived(p("sub/a.md"))),
        [Hint::Departed(p(".a.tmp")), Hint::Arrived(p("sub/a.md"))]
    );
}

#[test]
fn a_moved_in_folder_is_one_hint_and_its_files_are_heard_once_it_is_watched() {
    let outside = tempfile::tempdir().expect("a folder");
    fs::create_dir(outside.path().join("tree")).expect("made");
    fs::write(outside.path().join("tree/a.md"), "a").expect("written");
    let (inbox, mut watch, hints) = watched(&[""]);
    fs::rename(outside.path().join("tree"), inbox.path().join("tree")).expect("moved");
    assert_eq!(until(&hints, &Hint::Arrived(p("tree"))), [Hint::Arrived(p("tree"))]);
    watch.add("tree").expect("watched");
    fs::write(inbox.path().join("tree/b.md"), "b").expect("written");
    until(&hints, &Hint::Closed(p("tree/b.md")));
}

#[test]
fn a_folder_made_anew_is_heard_again() {
    let (inbox, mut watch, hints) = watched(&["", "sub"]);
    for round in 0..20 {
        fs::remove_dir_all(inbox.path().join("sub")).expect("removed");
        fs::create_dir(inbox.path().join("sub")).expect("made");
        until(&hints, &Hint::FolderCreated(p("sub")));
        watch.add("sub").expect("watched");
        let name = format!("sub/{round}.md");
        fs::write(inbox.path().join(&name), "x").expect("written");
        until(&hints, &Hint::Closed(name));
    }
}

#[test]
fn the_inbox_itself_is_heard_when_it_goes() {
    let (inbox, _watch, hints) = watched(&[""]);
    fs::remove_dir(inbox.path()).expect("removed");
    until(&hints, &Hint::Root);
}

#[test]
fn a_folder_that_is_gone_is_no_trouble() {
    let (_inbox, mut watch, _hints) = watched(&[""]);
    assert!(matches!(watch.add("none"), Err(Trouble::Gone)));
}

#[test]
fn an_overflow_is_told_before_anything_else_is_asked() {
    let event = Event::new(EventKind::Other).set_flag(notify::event::Flag::Rescan);
    let (send, hints) = channel();
    sort(Path::new("/inbox"), event, &|hint| drop(send.send(hint)));
    assert_eq!(hints.try_recv(), Ok(Hint::Overflow));
}

#[test]
fn a_used_up_limit_names_the_sysctl() {
    let limit = |error: notify::Error| match trouble(error, "fs.inotify.max_user_watches") {
        Trouble::Limit(sysctl) => sysctl == "fs.inotify.max_user_watches",
        _ => false,
    };
    assert!(limit(notify::Error::new(ErrorKind::MaxFilesWatch)));
    assert!(limit(notify::Error::io(std::io::Error::from_raw_os_error(Errno::MFILE.raw_os_error()))));
    assert!(!limit(notify::Error::new(ErrorKind::WatchNotFound)));
}
