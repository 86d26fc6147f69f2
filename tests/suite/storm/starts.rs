//! Many starts on one state at once: exactly one wins, the others say who and leave with code 4; a killed winner frees
//! the state in that moment.

use std::io::{BufRead, BufReader, Read};
use std::process::Child;
use std::time::{Duration, Instant};

use super::{BASE, measured, text};
use crate::driver::{PATIENCE, Place, scale};

#[test]
fn of_many_starts_one_wins() {
    let place = Place::new();
    for n in 0..20 {
        place.write(&format!("{n}.md"), text(n, 0));
    }
    let starts = (20 * scale()).min(100);
    let config = place.path("feedmill.yaml");
    std::fs::write(&config, BASE).expect("a writable folder");
    let words =
        ["serve", "--config", config.to_str().expect("text"), "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"];
    let mut slowest = Duration::ZERO;
    for _ in 0..2 {
        let begin = Instant::now();
        let mut children: Vec<Child> =
            (0..starts).map(|_| place.command(&words).spawn().expect("the binary")).collect();
        let mut ended = 0;
        while ended < starts - 1 {
            assert!(begin.elapsed() < PATIENCE, "only {ended} of {starts} ended");
            for at in (0..children.len()).rev() {
                if children[at].try_wait().expect("our child").is_some() {
                    let mut said = String::new();
                    let mut child = children.swap_remove(at);
                    child.stderr.take().expect("piped").read_to_string(&mut said).expect("text");
                    let status = child.wait().expect("our child");
                    assert_eq!(status.code(), Some(4), "{said}");
                    assert!(said.contains("in use by process"), "{said}");
                    ended += 1;
                }
            }
        }
        slowest = slowest.max(begin.elapsed());
        let [winner] = &mut children[..] else { panic!("{} are left", children.len()) };
        let mut ready = String::new();
        BufReader::new(winner.stdout.take().expect("piped")).read_line(&mut ready).expect("text");
        assert!(ready.starts_with("ready "), "{ready}");
        assert!(winner.try_wait().expect("our child").is_none(), "the winner left");
        winner.kill().expect("our child");
        winner.wait().expect("our child");
        // Free at once: no loser's trace and no winner's lock is left.
        place.serve(BASE).kill();
    }
    // On a free machine each leaves after a fraction of a second; here all of them share its cores.
    assert!(slowest < Duration::from_secs(1) * starts as u32, "{slowest:?}");
    measured(&format!("simultaneous starts: 2 × {starts}, all but one gone after {slowest:?}"));
}

#[test]
fn one_loser_leaves_within_a_second_and_names_the_winner() {
    let place = Place::new();
    let daemon = place.serve(BASE);
    let mut fastest = Duration::MAX;
    for _ in 0..5 {
        let begin = Instant::now();
        let said = place.run(&["serve", "--listen", "127.0.0.1:0", "--admin", "off"]);
        fastest = fastest.min(begin.elapsed());
        assert_eq!(said.code, Some(4), "{said:?}");
        assert!(said.stderr.contains(&daemon.pid().to_string()), "{said:?}");
    }
    assert!(fastest < Duration::from_secs(5), "{fastest:?}");
    daemon.kill();
    place.serve(BASE).kill();
}
