//! The writer over a stand-in for the catalog that fails on demand.

use std::sync::Mutex;
use std::sync::mpsc::{Receiver, Sender, channel};

use super::*;

/// What the stand-in was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Asked {
    Apply(Vec<String>),
    Due,
    Reopen,
    Adopt,
    Mend,
    Copy,
    Checkpoint(Duration),
}

#[derive(Default)]
struct Script {
    /// How many of the next transactions fail.
    failing: usize,
    next_due: Option<Timestamp>,
    /// How long a change takes.
    cost: Duration,
    /// What comes into the fresh lane while the first change is applied.
    comes: Option<String>,
    stale: usize,
    damage: Option<String>,
    log: Log,
}

struct Nothing;

impl Originals for Nothing {
    fn read(&self, _: &str) -> Option<Change> {
        None
    }

    fn paths(&self) -> Vec<String> {
        Vec::new()
    }
}

struct Fake {
    script: Arc<Mutex<Script>>,
    lanes: Arc<Lanes>,
    asked: Sender<Asked>,
}

fn error() -> Error {
    Error::Io { dir: "state".to_owned(), source: std::io::Error::other("the disk is full") }
}

impl Record for Fake {
    fn apply(&mut self, _: Now, changes: &mut dyn Iterator<Item = Change>) -> Result<Delta, Error> {
        let mut script = self.script.lock().expect("unpoisoned");
        if script.failing > 0 {
            script.failing -= 1;
            return Err(error());
        }
        let mut paths = Vec::new();
        for change in changes {
            let Change::Missing { path } = change else { continue };
            std::thread::sleep(script.cost);
            if let Some(comes) = script.comes.take() {
                self.lanes.push(Lane::Fresh, item(&comes));
            }
            paths.push(path);
        }
        let asked = if paths.is_empty() { Asked::Due } else { Asked::Apply(paths) };
        if asked == Asked::Due {
            script.next_due = None;
        }
        self.asked.send(asked).expect("heard");
        Ok(Delta { added: 1, ..Delta::default() })
    }

    fn reparse(&mut self, _: Now, _: usize, _: &dyn Fn() -> bool) -> Result<Option<Delta>, Error> {
        let mut script = self.script.lock().expect("unpoisoned");
        let more = script.stale > 0;
        script.stale = script.stale.saturating_sub(1);
        Ok(more.then(Delta::default))
    }

    fn adopt(&mut self, _: &Inbox, _: &dyn Fn(&str) -> bool) -> Result<(), Error> {
        self.asked.send(Asked::Adopt).expect("heard");
        Ok(())
    }

    fn set_settings(&mut self, _: Now, _: catalog::Settings) -> Result<Delta, Error> {
        Ok(Delta::default())
    }

    fn reopen(&mut self) -> Result<(), Error> {
        self.asked.send(Asked::Reopen).expect("heard");
        Ok(())
    }

    fn log(&self) -> Result<Log, Error> {
        Ok(self.script.lock().expect("unpoisoned").log)
    }

    fn checkpoint(&mut self, patience: Duration) -> Result<Log, Error> {
        self.asked.send(Asked::Checkpoint(patience)).expect("heard");
        let mut script = self.script.lock().expect("unpoisoned");
        script.log = Log::default();
        Ok(script.log)
    }

    fn take_damage(&self) -> Option<String> {
        self.script.lock().expect("unpoisoned").damage.take()
    }

    fn is_there(&self) -> bool {
        true
    }

    fn mend(&mut self, _: Now, _: &dyn Originals) -> Result<Cure, Error> {
        let mut script = self.script.lock().expect("unpoisoned");
        if script.failing > 0 {
            script.failing -= 1;
            return Err(error());
        }
        self.asked.send(Asked::Mend).expect("heard");
        Ok(Cure::Sound)
    }

    fn next_due(&self) -> Option<Timestamp> {
        self.script.lock().expect("unpoisoned").next_due
    }
}

fn with_writer(script: Script, test: impl FnOnce(&Lanes, &Mutex<Script>, &Receiver<Asked>, &Receiver<Said>)) {
    let (asked, was_asked) = channel();
    let (say, said) = channel();
    let lanes = Arc::new(Lanes::default());
    let script = Arc::new(Mutex::new(script));
    let copied = asked.clone();
    let writer = Writer {
        record: Fake { script: Arc::clone(&script), lanes: Arc::clone(&lanes), asked },
        lanes: Arc::clone(&lanes),
        clock: Arc::new(Clock::system()),
        pulse: Arc::default(),
        holds: Box::new(|_| false),
        originals: Box::new(Nothing),
        copier: Copier::new(move || drop(copied.send(Asked::Copy))),
        log: Log::default(),
        waited: None,
        damage: None,
        owed: Owed::default(),
        lock: Box::new(|| Ok(())),
        seen: Instant::now(),
        say: move |message| drop(say.send(message)),
    };
    let thread = std::thread::spawn(move || writer.run());
    test(&lanes, &script, &was_asked, &said);
    lanes.close();
    thread.join().expect("the writer ends");
}

fn item(path: &str) -> Item {
    Item { change: Change::Missing { path: path.to_owned() }, since: Duration::ZERO }
}

fn next<T>(receiver: &Receiver<T>) -> T {
    receiver.recv_timeout(Duration::from_secs(10)).expect("in time")
}

#[test]
fn what_is_committed_is_told_with_its_paths() {
    with_writer(Script::default(), |lanes, _, asked, said| {
        lanes.push(Lane::Fresh, item("a.md"));
        assert_eq!(next(asked), Asked::Apply(vec!["a.md".to_owned()]));
        match next(said) {
            Said::Committed { paths, since, .. } => {
                assert_eq!(paths, ["a.md"]);
                assert_eq!(since, [], "a removal is no update");
            }
            other => panic!("{other:?}"),
        }
    });
}

#[test]
fn a_failure_is_told_then_the_catalog_is_opened_anew_and_goes_on() {
    with_writer(Script { failing: 2, ..Script::default() }, |lanes, _, asked, said| {
        lanes.push(Lane::Fresh, item("a.md"));
        match next(said) {
            Said::Failed { paths, why } => {
                assert_eq!(paths, ["a.md"]);
                assert!(why.contains("the disk is full"), "{why}");
            }
            other => panic!("{other:?}"),
        }
        assert_eq!(next(asked), Asked::Reopen);
        // Nothing is in the lanes: the writer finds out by itself whether it works again.
        assert!(matches!(next(said), Said::Failed { .. }));
        assert_eq!(next(asked), Asked::Reopen);
        assert_eq!(next(asked), Asked::Due);
        // What failed has not been taken yet: that others are proves nothing.
        assert!(matches!(next(said), Said::Committed { owes: true, .. }));
        lanes.push(Lane::Fresh, item("b.md"));
        assert_eq!(next(asked), Asked::Apply(vec!["b.md".to_owned()]));
        assert!(matches!(next(said), Said::Committed { owes: true, .. }));
        lanes.push(Lane::Fresh, item("a.md"));
        assert!(matches!(next(said), Said::Committed { owes: false, .. }));
    });
}

#[test]
fn dear_changes_make_short_transactions() {
    with_writer(Script { cost: Duration::from_millis(5), ..Script::default() }, |lanes, _, asked, _| {
        for n in 0..200 {
            lanes.push(Lane::Bulk, item(&n.to_string()));
        }
        let mut sizes = Vec::new();
        while sizes.iter().sum::<usize>() < 200 {
            if let Asked::Apply(paths) = next(asked) {
                sizes.push(paths.len());
            }
        }
        assert!(sizes.iter().all(|&size| size <= FILES), "{sizes:?}");
        assert!(sizes[sizes.len() / 2] <= 3, "10 ms are two changes: {sizes:?}");
    });
}

#[test]
fn a_fresh_change_waits_for_one_bulk_change_at_most() {
    with_writer(Script::default(), |lanes, script, asked, _| {
        // The writer waits for the script until all are there.
        let mut held = script.lock().expect("unpoisoned");
        held.comes = Some("fresh".to_owned());
        (0..10).for_each(|n| assert!(lanes.push(Lane::Bulk, item(&n.to_string()))));
        drop(held);
        assert_eq!(next(asked), Asked::Apply(vec!["0".to_owned()]));
        assert_eq!(next(asked), Asked::Apply(vec!["fresh".to_owned()]));
        assert_eq!(next(asked), Asked::Apply((1..10).map(|n| n.to_string()).collect()));
    });
}

#[test]
fn a_due_thing_wakes_the_writer() {
    let due = chrono::Utc::now() + chrono::TimeDelta::seconds(1);
    with_writer(Script { next_due: Some(due), ..Script::default() }, |_, _, asked, _| {
        assert_eq!(next(asked), Asked::Due);
        assert!((chrono::Utc::now() - due).num_milliseconds() < 1500);
    });
}

#[test]
fn old_readings_are_renewed_when_nothing_else_waits() {
    with_writer(Script { stale: 3, ..Script::default() }, |lanes, script, asked, _| {
        lanes.push(Lane::Fresh, item("a.md"));
        assert_eq!(next(asked), Asked::Apply(vec!["a.md".to_owned()]));
        let began = Instant::now();
        while script.lock().expect("unpoisoned").stale > 0 {
            assert!(began.elapsed() < Duration::from_secs(10));
            std::thread::yield_now();
        }
    });
}

#[test]
fn another_inbox_is_adopted_before_its_files() {
    with_writer(Script::default(), |lanes, _, asked, said| {
        lanes.adopt(Inbox { path: "/inbox".into(), device: 1 });
        assert_eq!(next(asked), Asked::Adopt);
        assert!(matches!(next(said), Said::Adopted(Ok(()))));
    });
}

#[test]
fn what_a_reader_finds_damaged_is_mended_and_tried_again_where_the_disk_refuses() {
    let script = Script { damage: Some("row 7".to_owned()), failing: 1, ..Script::default() };
    with_writer(script, |_, _, asked, said| {
        assert!(matches!(next(said), Said::Mending(what) if what == "row 7"));
        assert!(matches!(next(said), Said::Failed { .. }));
        assert_eq!(next(asked), Asked::Reopen);
        assert!(matches!(next(said), Said::Mending(what) if what == "row 7"));
        assert_eq!(next(asked), Asked::Mend);
        assert!(matches!(next(said), Said::Mended(Cure::Sound)));
    });
}

#[test]
fn a_log_is_copied_beside_the_writer_then_begun_anew_by_it() {
    // What is copied while changes come, what has its readers waited for, and what is copied once nothing waits.
    for (frames, copied, asks) in [
        (BEHIND + 5, 5, [Asked::Copy, Asked::Checkpoint(Duration::ZERO)].as_slice()),
        (MOST + 1, MOST + 1, &[Asked::Checkpoint(READERS[1].1)]),
        (4 * MOST + 1, 4 * MOST + 1, &[Asked::Checkpoint(READERS[0].1)]),
        (3, 0, &[Asked::Copy, Asked::Checkpoint(Duration::ZERO)]),
    ] {
        with_writer(Script { log: Log { frames, copied }, ..Script::default() }, |_, _, asked, _| {
            for ask in asks {
                assert_eq!(next(asked), *ask);
            }
        });
    }
}

#[test]
fn readers_that_were_waited_for_in_vain_are_waited_for_more_seldom() {
    let mut pauses = Vec::new();
    for in_vain in [true, true, true, true, true, true, true, false, true] {
        pauses.push(pause_after_waiting(pauses.last().copied(), in_vain));
    }
    assert_eq!(pauses.iter().map(Duration::as_secs).collect::<Vec<_>>(), [1, 2, 4, 8, 16, 30, 30, 1, 2]);
}
