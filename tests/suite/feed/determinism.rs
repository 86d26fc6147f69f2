//! Two builds of one blog, in two places, with one worker and with as many as there are cores: the same bytes.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::corpora::files;
use crate::driver::{Place, scale, shared, skipped};

/// Articles that are taken at scale 1.
const PART: usize = 150;

/// Builds these files of a folder, which are written in this order; every document by its name.
fn build<'a>(
    folder: &Path,
    chosen: impl Iterator<Item = &'a PathBuf>,
    launcher: &[&str],
) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut place = Place::new();
    place.before = launcher.iter().map(|&word| word.to_owned()).collect();
    for file in chosen {
        place.write(
            file.strip_prefix(folder).expect("below it").to_str().expect("UTF-8"),
            fs::read(file).expect("read"),
        );
    }
    let out = place.path("out");
    let run = place
        .command(&["build", "--base-url", "https://feeds.example", "--out", out.to_str().expect("UTF-8")])
        .env("SOURCE_DATE_EPOCH", "1700000000")
        .output()
        .expect("the binary");
    assert!(run.status.success(), "{run:?}");
    let name = |path: &PathBuf| path.strip_prefix(&out).expect("below it").to_owned();
    files(&out).iter().map(|path| (name(path), fs::read(path).expect("read"))).collect()
}

#[test]
fn two_builds_give_the_same_bytes() {
    let Some(corpus) = shared("corpus") else { return };
    if !Command::new("taskset").arg("--version").output().is_ok_and(|run| run.status.success()) {
        return skipped("there is no taskset");
    }
    // Many files of one date, many without one, and twins among them.
    for blog in ["wiloon", "rsshub-page", "rust-blog"] {
        let folder = corpus.join(blog);
        let all = files(&folder);
        let chosen: Vec<PathBuf> = all.iter().step_by((all.len() / (PART * scale())).max(1)).cloned().collect();
        let one = build(&folder, chosen.iter(), &["taskset", "-c", "0"]);
        let other = build(&folder, chosen.iter().rev(), &[]);
        assert!(one.len() > 50, "{blog}: {} documents", one.len());
        assert!(one.keys().eq(other.keys()), "{blog}: other documents");
        let differ: Vec<_> = one.keys().filter(|name| one[*name] != other[*name]).collect();
        assert!(differ.is_empty(), "{blog}: {differ:?}");
    }
}
