//! What an inbox of N articles costs: cold start, warm start, memory, and the way of one file into its feed at N and
//! at 1,000 articles.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::articles;
use crate::daemon::Daemon;

/// How often a cold start and its yardstick alternate.
const PAIRS: usize = 5;
const DROPS: usize = 60;
const FIRST_DROP: u64 = 10_000_000;
const SMALL: usize = 1000;

pub fn run(count: usize) {
    println!("cold and warm start, memory, and one dropped file");
    let (small, _) = measure(SMALL);
    let (large, bare) = measure(count);
    println!();
    println!("ratios");
    println!("  one dropped file, {count} articles to {SMALL}: {:.2}", large.as_secs_f64() / small.as_secs_f64());
    println!("  one dropped file to a bare write and fsync of 100 KB: {:.2}", large.as_secs_f64() / bare.as_secs_f64());
}

/// Prints the figures of one size; returns the median way of a dropped file and of a bare write.
fn measure(count: usize) -> (Duration, Duration) {
    let dir = tempfile::tempdir().expect("a folder");
    let (inbox, state, spool) = (dir.path().join("inbox"), dir.path().join("state"), dir.path().join("spool"));
    for folder in [&inbox, &state, &spool] {
        fs::create_dir(folder).expect("a writable folder");
    }
    articles::write(&inbox, count as u64);
    // Files younger than two seconds are not read at once, because somebody may still write them.
    std::thread::sleep(Duration::from_secs(3));
    println!();
    println!("{count} articles");
    // What was just written is not to be written to the disk beside what is measured.
    rustix::fs::sync();
    yardstick(&inbox);
    let (mut reads, mut colds, mut peak) = (Vec::new(), Vec::new(), 0.0_f64);
    for _ in 0..PAIRS {
        reads.push(yardstick(&inbox));
        fs::remove_dir_all(&state).and_then(|()| fs::create_dir(&state)).expect("a writable folder");
        let cold = Daemon::start(&inbox, &state);
        colds.push(cold.ready_after);
        peak = peak.max(cold.memory("VmHWM"));
    }
    let (read, cold) = (median(&mut reads), median(&mut colds));
    println!("  walk, read and BLAKE3, 2 threads      {:8.0} ms", millis(read));
    println!(
        "  cold start to ready                   {:8.0} ms   {:.1} times that; peak {peak:.0} MiB",
        millis(cold),
        cold.as_secs_f64() / read.as_secs_f64(),
    );
    let mut daemon = Daemon::start(&inbox, &state);
    println!("  warm start to ready                   {:8.0} ms", millis(daemon.ready_after));
    // The first one waits until the scan of the start is over.
    let mut numbers = dropped();
    drop_one(&mut daemon, &inbox, &spool, numbers.next().expect("there is no last one"));
    let mut drops = Vec::new();
    let mut bare = Vec::new();
    for number in numbers.take(DROPS) {
        drops.push(drop_one(&mut daemon, &inbox, &spool, number));
        bare.push(append(&spool));
    }
    let bare = spread("a bare write and fsync of 100 KB", bare);
    let median = spread("one dropped file, renamed to served", drops);
    println!("  resident                              {:8.0} MiB", daemon.memory("VmRSS"));
    (median, bare)
}

/// Numbers of articles that are dropped: of the largest column, whose feed is full at every size, so that what grows
/// with N is what is compared, and not how much a feed has to show.
fn dropped() -> impl Iterator<Item = u64> {
    (FIRST_DROP..).filter(|&number| articles::category(number)[2] == "column 0")
}

fn yardstick(inbox: &Path) -> Duration {
    let begin = Instant::now();
    let files: Vec<_> =
        walkdir::WalkDir::new(inbox).into_iter().flatten().filter(|entry| entry.file_type().is_file()).collect();
    let (one, two) = files.split_at(files.len() / 2);
    std::thread::scope(|scope| {
        for half in [one, two] {
            scope.spawn(move || {
                for file in half {
                    std::hint::black_box(blake3::hash(&fs::read(file.path()).expect("readable")));
                }
            });
        }
    });
    begin.elapsed()
}

/// From the rename to the first answer that has the article.
fn drop_one(daemon: &mut Daemon, inbox: &Path, spool: &Path, number: u64) -> Duration {
    let [top, source, leaf] = articles::category(number);
    let key = [top, source, leaf].map(|name| encode(&name)).join("/");
    let feed = format!("/category/{key}.rss");
    let (_, etag, _) = daemon.get(&feed, "\"none\"");
    let (from, to) = (spool.join("next.md"), inbox.join(articles::path(number)));
    fs::write(&from, articles::text(number)).expect("a writable folder");
    let begin = Instant::now();
    fs::rename(from, to).expect("one file system");
    let mark = format!("{number}</title>");
    loop {
        let (status, _, body) = daemon.get(&feed, &etag);
        if status == 200 && body.windows(mark.len()).any(|window| window == mark.as_bytes()) {
            return begin.elapsed();
        }
        assert!(begin.elapsed() < Duration::from_secs(20), "article {number} never came");
    }
}

fn append(spool: &Path) -> Duration {
    use std::io::Write;
    let bytes = vec![7_u8; 100_000];
    let mut file = fs::File::options().append(true).create(true).open(spool.join("append")).expect("a writable folder");
    let begin = Instant::now();
    file.write_all(&bytes).expect("writable");
    file.sync_all().expect("writable");
    begin.elapsed()
}

fn median(times: &mut [Duration]) -> Duration {
    times.sort();
    times[times.len() / 2]
}

fn spread(what: &str, mut times: Vec<Duration>) -> Duration {
    let median = median(&mut times);
    println!("  {what:<38}{:8.1} ms   p99 {:.1} ms", millis(median), millis(times[times.len() * 99 / 100]));
    median
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

fn encode(name: &str) -> String {
    percent_encoding::utf8_percent_encode(name, percent_encoding::NON_ALPHANUMERIC).to_string()
}
