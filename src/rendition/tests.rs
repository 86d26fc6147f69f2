//! Renditions over a source in memory: one flight for all, no stale head, bounds that hold.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::memory::{Memory, renditions, settings};
use super::{Coding, Error, Renditions, Status};
use crate::catalog::Delta;
use crate::entry::{Document, Format, Key, Kind, Segment};
use crate::metrics::Metrics;

fn setup() -> (Arc<Memory>, Arc<Renditions>, Arc<Metrics>) {
    let (memory, metrics) = (Memory::new(), Arc::default());
    let renditions = Arc::new(renditions(&memory, &metrics));
    (memory, renditions, metrics)
}

fn all() -> Document {
    Document::Feed(Key::all(), Format::Rss)
}

fn tag(number: usize) -> Document {
    let name = Segment::new(&format!("tag {number}")).expect("a name");
    Document::Feed(Key::new(Kind::Tag, vec![name]).expect("a key"), Format::Rss)
}

fn change(key: Key) -> Delta {
    Delta { keys: [key].into(), ..Delta::default() }
}

fn large(word: &str) -> String {
    format!("<item>{word}</item>\n").repeat(200)
}

/// Resolves once the condition holds.
async fn until(condition: impl Fn() -> bool) {
    while !condition() {
        tokio::task::yield_now().await;
    }
}

fn count(metrics: &Metrics, name: &str) -> u64 {
    let text = metrics.prometheus();
    text.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok()).unwrap_or(0)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_burst_is_rendered_once_and_encoded_once() {
    let (memory, renditions, metrics) = setup();
    memory.put(all(), &large("a"));
    memory.close_bytes();
    let clients: Vec<_> = (0..2000)
        .map(|number| {
            let renditions = Arc::clone(&renditions);
            let coding = Coding::ALL[number % 4];
            tokio::spawn(async move { renditions.get(&all(), coding).await.expect("made").expect("here") })
        })
        .collect();
    until(|| memory.waiting().0 == 1).await;
    // Whoever comes before the work is done and whoever comes after it share it.
    memory.open();
    for (number, client) in clients.into_iter().enumerate() {
        let rendition = client.await.expect("no panic");
        assert_eq!(rendition.coding, Coding::ALL[number % 4]);
    }
    assert_eq!(memory.renders.load(Ordering::SeqCst), 1);
    assert_eq!(memory.heads.load(Ordering::SeqCst), 1);
    assert_eq!(count(&metrics, "feedmill_renders_total{format=\"rss\"}"), 1);
    for coding in ["gzip", "br", "zstd"] {
        assert_eq!(count(&metrics, &format!("feedmill_encodes_total{{encoding=\"{coding}\"}}")), 1, "{coding}");
    }
}

#[tokio::test]
async fn what_is_known_reads_no_table() {
    let (memory, renditions, _) = setup();
    memory.put(all(), &large("a"));
    renditions.get(&all(), Coding::Gzip).await.expect("made");
    for _ in 0..10 {
        assert!(matches!(renditions.status(&all()).await, Ok(Status::Here(_))));
        assert!(matches!(renditions.status(&tag(1)).await, Ok(Status::Never)));
        renditions.get(&all(), Coding::Gzip).await.expect("made");
    }
    assert_eq!((memory.heads.load(Ordering::SeqCst), memory.renders.load(Ordering::SeqCst)), (2, 1));
}

#[tokio::test]
async fn a_change_is_seen_at_once() {
    let (memory, renditions, _) = setup();
    memory.put(all(), "one");
    let before = renditions.get(&all(), Coding::Identity).await.expect("made").expect("here");
    memory.put(all(), "two");
    renditions.changed(&change(Key::all()));
    let after = renditions.get(&all(), Coding::Identity).await.expect("made").expect("here");
    assert_eq!((&*before.bytes, &*after.bytes), (&b"one"[..], &b"two"[..]));
    assert_ne!(before.validators.stamp, after.validators.stamp);
    memory.withdraw(&all());
    renditions.changed(&change(Key::all()));
    assert_eq!(renditions.status(&all()).await.expect("read"), Status::Gone);
    assert!(renditions.get(&all(), Coding::Gzip).await.expect("read").is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_look_that_is_overtaken_by_a_change_does_not_stick() {
    let (memory, renditions, _) = setup();
    memory.put(all(), "one");
    memory.close_heads();
    let early = tokio::spawn({
        let renditions = Arc::clone(&renditions);
        async move { renditions.status(&all()).await }
    });
    until(|| memory.waiting().0 == 1).await;
    memory.put(all(), "two");
    renditions.changed(&change(Key::all()));
    // Who asks now does not join the look that began before.
    let late = tokio::spawn({
        let renditions = Arc::clone(&renditions);
        async move { renditions.status(&all()).await }
    });
    until(|| memory.waiting().0 == 2).await;
    memory.open();
    let early = early.await.expect("no panic").expect("read");
    let late = late.await.expect("no panic").expect("read");
    assert_ne!(early, late);
    assert_eq!(renditions.status(&all()).await.expect("read"), late);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rendition_carries_the_validators_of_what_was_read() {
    let (memory, renditions, _) = setup();
    memory.put(all(), "one");
    let Ok(Status::Here(looked)) = renditions.status(&all()).await else { panic!("it is here") };
    // The commit is there, but nobody has been told yet.
    memory.put(all(), "two");
    let rendition = renditions.get(&all(), Coding::Identity).await.expect("made").expect("here");
    assert_eq!(&*rendition.bytes, b"two");
    assert_ne!(rendition.validators.stamp, looked.stamp);
    let Ok(Status::Here(known)) = renditions.status(&all()).await else { panic!("it is here") };
    assert_eq!(known, rendition.validators);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_goes_away_takes_nothing_from_the_others() {
    let (memory, renditions, _) = setup();
    memory.put(all(), &large("a"));
    memory.close_bytes();
    let ask = || {
        let renditions = Arc::clone(&renditions);
        tokio::spawn(async move { renditions.get(&all(), Coding::Gzip).await })
    };
    let first = ask();
    until(|| memory.waiting().0 == 1).await;
    first.abort();
    assert!(first.await.is_err_and(|error| error.is_cancelled()));
    let second = ask();
    memory.open();
    assert!(second.await.expect("no panic").expect("made").is_some());
    assert_eq!(memory.renders.load(Ordering::SeqCst), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_panic_fails_who_waited_and_nobody_later() {
    let (memory, renditions, _) = setup();
    memory.put(all(), "panic");
    assert!(matches!(renditions.get(&all(), Coding::Identity).await, Err(Error::Lost)));
    memory.put(all(), "fine");
    renditions.changed(&change(Key::all()));
    assert!(renditions.get(&all(), Coding::Identity).await.expect("made").is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn as_many_renderings_as_cores_and_a_bounded_queue() {
    let (memory, renditions, _) = setup();
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let clients = 700;
    for number in 0..clients {
        memory.put(tag(number), "text");
        renditions.status(&tag(number)).await.expect("read");
    }
    memory.close_bytes();
    let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
    for number in 0..clients {
        let (renditions, tell) = (Arc::clone(&renditions), tell.clone());
        tokio::spawn(async move { tell.send(renditions.get(&tag(number), Coding::Identity).await) });
    }
    drop(tell);
    // Those beyond cores and queue are turned away at once.
    let refused = clients - cores - super::RENDER_QUEUE;
    for _ in 0..refused {
        assert!(matches!(told.recv().await, Some(Err(Error::Busy))));
    }
    until(|| memory.waiting().0 == cores).await;
    memory.open();
    let mut served = 0;
    while let Some(result) = told.recv().await {
        assert!(result.expect("made").is_some());
        served += 1;
    }
    assert_eq!(served, clients - refused);
    assert_eq!(memory.waiting().1, cores);
}

#[tokio::test]
async fn small_documents_stay_as_they_are_unless_nothing_else_is_taken() {
    let (memory, renditions, _) = setup();
    memory.put(all(), "small");
    let plain = renditions.get(&all(), Coding::Gzip).await.expect("made").expect("here");
    assert_eq!((plain.coding, &*plain.bytes), (Coding::Identity, &b"small"[..]));
    let encoded = renditions.get_encoded(&all(), Coding::Gzip).await.expect("made").expect("here");
    assert_eq!(encoded.coding, Coding::Gzip);
}

#[tokio::test]
async fn other_settings_give_other_stamps() {
    let (memory, renditions, _) = setup();
    memory.put(all(), "text");
    let before = renditions.status(&all()).await.expect("read");
    renditions.set_feed(settings("Another title"));
    let other = renditions.status(&all()).await.expect("read");
    assert_ne!(before, other);
    renditions.set_feed(settings("Test"));
    assert_eq!(renditions.status(&all()).await.expect("read"), before);
}

#[tokio::test]
async fn formats_and_archives_that_are_not_configured_do_not_exist() {
    let (memory, renditions, _) = setup();
    let json = Document::Feed(Key::all(), Format::Json);
    let key = tag(1).key().cloned().expect("a key");
    let archive = Document::Archive(key, 1, Format::Rss);
    for document in [json, archive] {
        memory.put(document.clone(), "text");
        assert_eq!(renditions.status(&document).await.expect("read"), Status::Never);
        assert!(renditions.get(&document, Coding::Identity).await.expect("read").is_none());
    }
    let archive = Document::Archive(Key::all(), 1, Format::Rss);
    memory.put(archive.clone(), "text");
    assert!(matches!(renditions.status(&archive).await, Ok(Status::Here(_))));
}

#[tokio::test]
async fn brotli_is_prepared_in_the_background() {
    let (memory, renditions, _) = setup();
    memory.put(all(), &large("a"));
    let rendition = renditions.get(&all(), Coding::Gzip).await.expect("made").expect("here");
    assert!(!renditions.is_ready(&rendition.validators, Coding::Brotli));
    renditions.prepare(&all(), &rendition.validators, Coding::Brotli);
    until(|| renditions.is_ready(&rendition.validators, Coding::Brotli)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_somebody_reads_is_refreshed_after_a_change() {
    let (memory, renditions, metrics) = setup();
    let gzips = || count(&metrics, "feedmill_encodes_total{encoding=\"gzip\"}");
    memory.put(all(), &large("one"));
    renditions.get(&all(), Coding::Gzip).await.expect("made");
    memory.put(all(), &large("two"));
    renditions.changed(&change(Key::all()));
    until(|| gzips() == 2).await;
    // Nobody has read it since: it is left alone, and made when it is asked for.
    memory.put(all(), &large("three"));
    renditions.changed(&change(Key::all()));
    let rendition = renditions.get(&all(), Coding::Identity).await.expect("made").expect("here");
    assert_eq!(&*rendition.bytes, large("three").as_bytes());
    assert_eq!((memory.renders.load(Ordering::SeqCst), gzips()), (3, 2));
}
