//! Stories as tables: at this time this happens, and this is to be done.

use super::*;

const SETTLE: Duration = Duration::from_millis(200);

/// Steps: milliseconds, event, expected acts in words.
type Story<'a> = &'a [(u64, Event, &'a [&'a str])];

fn tell(story: Story<'_>) {
    tell_from(State::new(SETTLE, false), story);
}

#[track_caller]
fn tell_from(mut state: State, story: Story<'_>) -> State {
    for (step, (at, event, expected)) in story.iter().enumerate() {
        let now = Duration::from_millis(*at);
        if *event == Event::Tick {
            assert!(state.wake().is_some_and(|wake| wake <= now) || expected.is_empty(), "step {step}: would sleep");
        }
        let acts: Vec<String> = plan(&mut state, event.clone(), now).iter().map(words).collect();
        assert_eq!(acts, *expected, "step {step}: {event:?} at {at} ms");
    }
    state
}

fn words(act: &Act) -> String {
    match act {
        Act::Read { path, lane: Lane::Fresh, since, seen: None } => format!("read {path} of {}", since.as_millis()),
        Act::Read { path, lane: Lane::Bulk, seen: Some(_), .. } => format!("bulk {path}"),
        Act::Read { .. } => format!("what no event or no look said: {act:?}"),
        Act::Check(path) => format!("check {path}"),
        Act::Look(path) => format!("look {path}"),
        Act::Walk { folder, whole: true } => format!("walk whole {folder}"),
        Act::Walk { folder, whole: false } => format!("walk {folder}"),
        Act::Scan(cause) => format!("scan {cause:?}"),
        Act::EndLoad => "end load".to_owned(),
    }
}

fn a() -> String {
    "a.md".to_owned()
}

fn accepted() -> Event {
    Event::Done(a(), End::Accepted)
}

fn seen(size: u64) -> Fingerprint {
    Fingerprint { size, mtime: 1, ctime: 1, inode: 1 }
}

#[test]
fn a_first_close_waits_for_nothing() {
    tell(&[
        (0, Event::Created(a()), &[]),
        (1, Event::Modified(a()), &[]),
        (2, Event::Closed(a()), &["read a.md of 2"]),
        (5, accepted(), &[]),
        (205, Event::Tick, &[]),
    ]);
}

#[test]
fn renamed_into_place_is_whole() {
    tell(&[(0, Event::Arrived(a()), &["read a.md of 0"])]);
}

#[test]
fn a_file_being_written_is_held_until_it_is_closed() {
    tell(&[
        (0, Event::Created(a()), &[]),
        (0, Event::Modified(a()), &[]),
        (59_000, Event::Modified(a()), &[]),
        (60_000, Event::Tick, &[]),
        (70_000, Event::Found(a(), seen(5), Age::Old), &[]),
        (71_000, Event::Lost(a()), &[]),
        (72_000, Event::Closed(a()), &["read a.md of 72000"]),
    ]);
}

#[test]
fn a_file_never_closed_is_read_after_a_minute_without_change() {
    tell(&[
        (0, Event::Modified(a()), &[]),
        (30_000, Event::Modified(a()), &[]),
        (89_999, Event::Tick, &[]),
        (90_000, Event::Tick, &["read a.md of 90000"]),
        (90_010, accepted(), &[]),
        (90_020, Event::Modified(a()), &[]),
        (150_020, Event::Tick, &["read a.md of 150020"]),
    ]);
}

#[test]
fn repeated_closes_wait_until_it_is_quiet() {
    tell(&[
        (0, Event::Closed(a()), &["read a.md of 0"]),
        (10, accepted(), &[]),
        (100, Event::Closed(a()), &[]),
        (250, Event::Closed(a()), &[]),
        (400, Event::Tick, &[]),
        (450, Event::Tick, &["read a.md of 250"]),
        (460, accepted(), &[]),
        (700, Event::Closed(a()), &["read a.md of 700"]),
    ]);
}

#[test]
fn what_happens_during_a_read_is_looked_at_afterwards() {
    tell(&[
        (0, Event::Closed(a()), &["read a.md of 0"]),
        (1, Event::Closed(a()), &[]),
        (300, accepted(), &["read a.md of 1"]),
        (301, Event::Removed(a()), &[]),
        (302, accepted(), &["check a.md"]),
        (303, Event::Arrived(a()), &[]),
        (304, accepted(), &[]),
        (503, Event::Tick, &["read a.md of 303"]),
    ]);
}

#[test]
fn a_write_after_a_close_holds_it_again() {
    tell(&[
        (0, Event::Closed(a()), &["read a.md of 0"]),
        (1, accepted(), &[]),
        (2, Event::Closed(a()), &[]),
        (3, Event::Modified(a()), &[]),
        (202, Event::Tick, &[]),
        (1000, Event::Closed(a()), &["read a.md of 1000"]),
    ]);
}

#[test]
fn a_hard_link_is_taken_after_two_equal_looks() {
    tell(&[
        (0, Event::Created(a()), &[]),
        (250, Event::Tick, &["look a.md"]),
        (251, Event::Found(a(), seen(5), Age::Young), &[]),
        (2251, Event::Tick, &["look a.md"]),
        (2252, Event::Found(a(), seen(5), Age::Young), &["bulk a.md"]),
    ]);
}

#[test]
fn a_young_file_that_changes_between_looks_is_not_taken() {
    tell(&[
        (0, Event::Found(a(), seen(5), Age::Young), &[]),
        (2000, Event::Tick, &["look a.md"]),
        (2001, Event::Found(a(), seen(6), Age::Young), &[]),
        (4001, Event::Tick, &["look a.md"]),
        (4002, Event::Found(a(), seen(6), Age::Young), &["bulk a.md"]),
    ]);
}

#[test]
fn a_second_scan_does_not_shorten_the_time_between_looks() {
    tell(&[
        (0, Event::Found(a(), seen(5), Age::Young), &[]),
        (500, Event::Found(a(), seen(5), Age::Young), &[]),
        (2000, Event::Tick, &["look a.md"]),
        (2001, Event::Found(a(), seen(5), Age::Young), &["bulk a.md"]),
    ]);
}

#[test]
fn old_files_and_those_of_a_moved_folder_are_taken_at_once() {
    tell(&[
        (0, Event::Found(a(), seen(5), Age::Old), &["bulk a.md"]),
        (1, Event::Found("b/c.md".to_owned(), seen(5), Age::Whole), &["bulk b/c.md"]),
    ]);
}

#[test]
fn a_rename_checks_the_old_name_before_it_reads_the_new_one() {
    tell(&[(0, Event::Removed(a()), &["check a.md"]), (0, Event::Arrived("b.md".to_owned()), &["read b.md of 0"])]);
}

#[test]
fn what_changes_while_it_is_read_is_looked_at_again() {
    tell(&[
        (0, Event::Closed(a()), &["read a.md of 0"]),
        (1, Event::Done(a(), End::Changing), &[]),
        (251, Event::Tick, &["look a.md"]),
        (252, Event::Found(a(), seen(5), Age::Young), &[]),
        (300, Event::Closed(a()), &["read a.md of 300"]),
    ]);
}

#[test]
fn what_failed_is_tried_again() {
    tell(&[
        (0, Event::Closed(a()), &["read a.md of 0"]),
        (1, Event::Done(a(), End::Failed), &[]),
        (1001, Event::Tick, &["read a.md of 1"]),
        (1002, Event::Done(a(), End::Failed), &[]),
        (2002, Event::Tick, &["read a.md of 1002"]),
    ]);
}

#[test]
fn folders_are_walked_at_once() {
    tell(&[
        (0, Event::FolderCreated("f".to_owned()), &["walk f"]),
        (1, Event::FolderArrived("g".to_owned()), &["walk whole g"]),
        (2, Event::FolderGone("h".to_owned()), &["walk h"]),
    ]);
}

#[test]
fn an_overflow_forgets_what_was_seen_modified_and_scans_once_in_five_seconds() {
    tell(&[
        (0, Event::Modified(a()), &[]),
        (10, Event::Overflow, &["scan Overflow"]),
        (11, Event::Overflow, &[]),
        (20, Event::Found(a(), seen(5), Age::Old), &["bulk a.md"]),
        (30, Event::Scanned, &[]),
        (4000, Event::Tick, &[]),
        (5010, Event::Tick, &["scan Overflow"]),
        (5020, Event::Scanned, &[]),
    ]);
}

#[test]
fn what_is_new_waits_until_a_scan_has_told_what_is_gone() {
    let b = || "b.md".to_owned();
    tell(&[
        (0, Event::Wanted(Cause::Start), &["scan Start"]),
        // Renamed while nobody watched the old name's folder.
        (1, Event::Arrived(b()), &[]),
        (2, Event::FolderArrived("f".to_owned()), &[]),
        (3, Event::Lost(a()), &["check a.md"]),
        (4, Event::Removed("c.md".to_owned()), &["check c.md"]),
        (5, Event::Scanned, &["walk whole f", "read b.md of 1"]),
        (6, Event::Closed("d.md".to_owned()), &["read d.md of 6"]),
    ]);
}

#[test]
fn an_overflow_during_a_scan_is_answered_by_the_next_one() {
    tell(&[
        (0, Event::Wanted(Cause::Timer), &["scan Timer"]),
        (1, Event::Overflow, &[]),
        (2, Event::Arrived(a()), &[]),
        (3, Event::Scanned, &["scan Overflow"]),
        (4, Event::Scanned, &["read a.md of 2"]),
    ]);
}

#[test]
fn causes_do_not_delay_each_other_and_one_scan_answers_them_all() {
    tell(&[
        (0, Event::Wanted(Cause::Timer), &["scan Timer"]),
        (1, Event::Overflow, &[]),
        (2, Event::Wanted(Cause::Reload), &[]),
        (3, Event::Scanned, &["scan Overflow"]),
        (4, Event::Scanned, &[]),
        (5, Event::Wanted(Cause::Timer), &[]),
        (5000, Event::Tick, &["scan Timer"]),
    ]);
}

#[test]
fn nothing_is_missed_while_the_inbox_is_away() {
    tell(&[
        (0, Event::Closed(a()), &["read a.md of 0"]),
        (1, Event::Closed("b.md".to_owned()), &["read b.md of 1"]),
        (2, Event::RootGone, &[]),
        (3, accepted(), &[]),
        (4, Event::Removed(a()), &[]),
        (5, Event::Lost("c.md".to_owned()), &[]),
        (6, Event::Wanted(Cause::Timer), &[]),
        (7, Event::RootBack, &["scan Root"]),
        (7, Event::Scanned, &[]),
        (8, Event::Done("b.md".to_owned(), End::Failed), &[]),
        (1008, Event::Tick, &["read b.md of 8"]),
    ]);
}

#[test]
fn a_reread_is_done_at_once() {
    tell(&[
        (0, Event::Reread(a()), &["read a.md of 0"]),
        (1, Event::Reread(a()), &[]),
        (2, accepted(), &["read a.md of 1"]),
    ]);
}

#[test]
fn the_first_catalog_takes_each_path_once_and_events_wait_for_it() {
    let state = tell_from(
        State::new(SETTLE, true),
        &[
            (0, Event::Wanted(Cause::Load), &["scan Load"]),
            (1, Event::Found(a(), seen(5), Age::Old), &["bulk a.md"]),
            (2, Event::Found("young.md".to_owned(), seen(5), Age::Young), &[]),
            (3, Event::Closed("new.md".to_owned()), &[]),
            (3, Event::Overflow, &[]),
            (4, Event::Modified("open.md".to_owned()), &[]),
            (5, Event::Found("open.md".to_owned(), seen(5), Age::Old), &[]),
            (6, Event::FolderArrived("f".to_owned()), &[]),
            (7, Event::Removed(a()), &[]),
            (9, Event::Scanned, &[]),
            (10, accepted(), &["end load"]),
        ],
    );
    assert_eq!(state.wake(), None, "nothing is due before the catalog is in place");
    tell_from(
        state,
        &[
            (3000, Event::Wanted(Cause::Start), &[]),
            (3000, Event::Loaded, &["scan Start"]),
            (3001, Event::Scanned, &["walk whole f", "check a.md", "read new.md of 3", "look young.md"]),
            (60_004, Event::Tick, &["read open.md of 60004"]),
        ],
    );
}

#[test]
fn an_idle_inbox_costs_nothing() {
    let mut state = State::new(SETTLE, false);
    for n in 0..1000 {
        let path = format!("{n}.md");
        plan(&mut state, Event::Closed(path.clone()), Duration::ZERO);
        plan(&mut state, Event::Done(path, End::Accepted), Duration::ZERO);
    }
    plan(&mut state, Event::Tick, SETTLE);
    assert!(state.files.is_empty() && state.timers.is_empty());
    assert_eq!(state.wake(), None);
}

/// A hundred thousand files would be forty megabytes of paths.
#[test]
fn a_first_load_remembers_no_file_that_was_taken() {
    let state = tell_from(
        State::new(SETTLE, true),
        &[
            (0, Event::Wanted(Cause::Load), &["scan Load"]),
            (1, Event::Found(a(), seen(1), Age::Old), &["bulk a.md"]),
            (2, Event::Found("b.md".to_owned(), seen(1), Age::Old), &["bulk b.md"]),
            (3, Event::Closed("b.md".to_owned()), &[]),
            (4, accepted(), &[]),
            (5, Event::Done("b.md".to_owned(), End::Accepted), &[]),
        ],
    );
    assert_eq!(state.files.keys().collect::<Vec<_>>(), ["b.md"], "it was closed again");
    tell_from(
        state,
        &[
            (6, Event::Scanned, &["end load"]),
            (7, Event::Closed(a()), &[]),
            (8, Event::Wanted(Cause::Start), &[]),
            (8, Event::Loaded, &["scan Start"]),
            (9, Event::Scanned, &["read b.md of 3", "read a.md of 7"]),
        ],
    );
}
