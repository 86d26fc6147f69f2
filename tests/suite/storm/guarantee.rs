//! The guarantee that the README prints, sentence by sentence, and the tests that hold it.

use std::path::Path;

/// Sentence → tests, as `FILE NAME`.
const HELD_BY: &[(&str, &[&str])] = &[
    (
        "A file moved into the inbox by rename, or closed after writing, appears in its feeds within 1 second; one whose \
         writer never closes it, 60 seconds after its last write.",
        &[
            "tests/suite/storm/arrivals.rs what_is_moved_in_or_closed_is_shown_within_a_second",
            "tests/suite/storm/arrivals.rs what_is_never_closed_is_not_shown_before_its_time",
            "src/daemon/plan/tests.rs a_file_never_closed_is_read_after_a_minute_without_change",
        ],
    ),
    (
        "Every complete file appears exactly once, with an id that does not change through crashes, restarts, renames \
         and rewrites.",
        &[
            "tests/suite/storm/kills.rs a_killed_daemon_loses_nothing_and_doubles_nothing",
            "tests/suite/storm/power.rs a_power_cut_loses_nothing_that_was_shown",
            "tests/suite/storm/arrivals.rs an_overflow_of_the_queue_loses_nothing",
            "tests/suite/storm/arrivals.rs folders_made_and_filled_at_once_are_not_missed",
            "tests/suite/storm/arrivals.rs a_storm_of_renames_keeps_every_id",
            "tests/suite/storm/exporter.rs a_wipe_and_rewrite_changes_not_one_byte",
            "tests/suite/serve/lifecycle.rs a_restart_changes_nothing",
        ],
    ),
    (
        "A broken file harms only itself and is reported.",
        &["tests/suite/storm/arrivals.rs a_broken_file_harms_only_itself_and_is_reported"],
    ),
    (
        "No reader ever gets a half, mixed or shrunken feed.",
        &[
            "tests/suite/storm/arrivals.rs slow_writers_never_show_half_an_article",
            "tests/suite/storm/exporter.rs the_real_exporter_changes_not_one_byte",
            "tests/suite/storm/kills.rs a_killed_daemon_loses_nothing_and_doubles_nothing",
            "tests/suite/storm/disk.rs a_disk_in_trouble_is_served_told_and_healed",
            "tests/suite/calls.rs every_call_may_fail",
        ],
    ),
    (
        "If the inbox vanishes, the last good feeds stay.",
        &[
            "tests/suite/storm/inbox.rs an_inbox_renamed_away_and_back_changes_nothing",
            "tests/suite/storm/inbox.rs an_inbox_removed_and_made_anew_changes_nothing",
            "tests/suite/storm/inbox.rs an_inbox_that_nobody_may_enter_changes_nothing",
            "tests/suite/storm/mounts.rs another_file_system_over_the_inbox_changes_nothing",
        ],
    ),
    ("feedmill never writes into the inbox.", &["tests/suite/storm/inbox.rs nothing_is_ever_written_below_the_inbox"]),
];

#[test]
fn every_sentence_of_the_guarantee_has_a_test() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let read = |path: &str| std::fs::read_to_string(root.join(path)).unwrap_or_else(|e| panic!("{path}: {e}"));
    let readme = read("README.md");
    let section = readme.split("\n## ").find(|part| part.starts_with("The guarantee")).expect("a guarantee");
    let printed: Vec<&str> = section.lines().filter_map(|line| line.strip_prefix("> ")).collect();
    let sentences: Vec<&str> = HELD_BY.iter().map(|(sentence, _)| *sentence).collect();
    assert_eq!(printed.join(" "), sentences.join(" "), "each sentence needs a test that holds it");
    for (sentence, tests) in HELD_BY {
        assert!(!tests.is_empty(), "{sentence}");
        for test in *tests {
            let (file, name) = test.split_once(' ').expect("a file and a name");
            assert!(read(file).contains(&format!("#[test]\nfn {name}()")), "{sentence}: {file} has no test {name}");
        }
    }
}
