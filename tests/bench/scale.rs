//! What an inbox of N articles costs: cold start, warm start, memory, the way of one file into its feed at N and at
//! 1,000 articles, alone and beside a large folder that was moved in, and that of many files at once.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::articles;
use crate::daemon::Daemon;

/// How often a cold start and its yardstick alternate.
const PAIRS: usize = 5;
/// So many that the 99th percentile is not the worst of them.
const DROPS: usize = 300;
/// Later ones would be in the future.
const FIRST_DROP: u64 = 10_000_000;
const SMALL: usize = 1000;
/// Files that are written at once.
const BURST: u64 = 1000;
const FIRST_OF_BURST: u64 = 9_000_000;
/// Files of the folder that is moved in: more than are taken while `DROPS` are dropped.
const BULK: u64 = 20_000;
const FIRST_OF_BULK: u64 = 8_000_000;

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
    burst(&mut daemon, &inbox);
    beside_bulk(&mut daemon, &inbox, &spool);
    (median, bare)
}

/// Writes many files into the folders that are there, while somebody reads one of their feeds.
fn burst(daemon: &mut Daemon, inbox: &Path) {
    let numbers = FIRST_OF_BURST..FIRST_OF_BURST + BURST;
    let files: Vec<_> = numbers.map(|number| (inbox.join(articles::path(number)), articles::text(number))).collect();
    let feed = feed_of(FIRST_OF_BURST);
    daemon.get(&feed, "\"none\"");
    let (updates, renders) = (daemon.metric("feedmill_update_seconds_count"), daemon.metric("feedmill_renders_total"));
    for (path, text) in files {
        fs::write(path, text).expect("a writable folder");
    }
    let closed = Instant::now();
    while daemon.metric("feedmill_update_seconds_count") < updates + BURST {
        daemon.get(&feed, "\"none\"");
        assert!(closed.elapsed() < Duration::from_secs(60), "the burst never came");
    }
    daemon.get(&feed, "\"none\"");
    println!(
        "  {BURST} files at once, the last one closed to all served {:.0} ms   {} renderings of all feeds",
        millis(closed.elapsed()),
        daemon.metric("feedmill_renders_total") - renders,
    );
}

/// Drops files one by one while a large folder that was moved in is taken.
fn beside_bulk(daemon: &mut Daemon, inbox: &Path, spool: &Path) {
    let bulk = spool.join("bulk");
    fs::create_dir(&bulk).expect("a writable folder");
    for number in 0..BULK {
        fs::write(bulk.join(format!("{number}.md")), articles::text(FIRST_OF_BULK + number))
            .expect("a writable folder");
    }
    rustix::fs::sync();
    let before = daemon.metric("feedmill_articles");
    fs::rename(bulk, inbox.join("bulk")).expect("one file system");
    let (mut drops, mut bare) = (Vec::new(), Vec::new());
    for number in dropped().skip(DROPS + 1).take(DROPS) {
        drops.push(drop_one(daemon, inbox, spool, number));
        bare.push(append(spool));
    }
    let taken = daemon.metric("feedmill_articles").saturating_sub(before);
    spread("the same while a folder is taken", bare);
    spread("one dropped file meanwhile", drops);
    println!("  of the folder's {BULK} files were taken by then {taken}");
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
    let feed = feed_of(number);
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

fn feed_of(number: u64) -> String {
    let key = articles::category(number).map(|name| encode(&name)).join("/");
    format!("/category/{key}.rss")
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
