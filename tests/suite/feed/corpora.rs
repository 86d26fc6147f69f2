//! Every feed of every real blog, as the real program writes it: valid to the letter, and read alike by every parser.
//!
//! A part of each blog is taken unless `FEEDMILL_TEST_SCALE` asks for more; from 1000 on it is all of them.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use chrono::{DateTime, Utc};

use super::validator::{Message, counted, messages};
use crate::driver::{Place, scale, shared, skipped};

/// Articles of each blog that are taken at scale 1.
const PART: usize = 25;

/// What may be said of our feeds, and why that is right.
const ALLOWED: &str = include_str!("../../feeds/allowed.txt");

/// A document that the program wrote.
struct Written {
    /// The blog, and the file below the output folder.
    name: String,
    path: PathBuf,
    text: String,
}

/// The feeds of all blogs; they stay on the disk as long as the tests run.
struct Built {
    _places: Vec<Place>,
    documents: Vec<Written>,
}

static BUILT: LazyLock<Option<Built>> = LazyLock::new(build);

/// Names of files below a folder.
pub fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = walkdir::WalkDir::new(folder)
        .into_iter()
        .flatten()
        .filter(|entry| entry.file_type().is_file())
        .map(walkdir::DirEntry::into_path)
        .collect();
    files.sort();
    files
}

fn build() -> Option<Built> {
    let (corpus, hostile) = (shared("corpus")?, shared("hostile/articles")?);
    let mut blogs: Vec<PathBuf> = fs::read_dir(corpus)
        .expect("listed")
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.is_dir())
        .collect();
    blogs.sort();
    blogs.push(hostile.clone());
    let mut built = Built { _places: Vec::new(), documents: Vec::new() };
    for blog in blogs {
        let place = Place::new();
        let all = files(&blog);
        // The hostile ones are few, and each is odd in its own way.
        let step = if blog == hostile { 1 } else { (all.len() / (PART * scale())).max(1) };
        for file in all.iter().step_by(step) {
            let below = file.strip_prefix(&blog).expect("below it");
            let to = place.path("inbox").join(below);
            fs::create_dir_all(to.parent().expect("below it")).expect("a writable folder");
            fs::copy(file, to).expect("a writable folder");
        }
        let config = "articles: { link: 'https://blog.example/{dir}/{slug}/' }\nfeeds: { by: [category, tag, author, lang], items: 20 }\n";
        fs::write(place.path("feedmill.yaml"), config).expect("a writable folder");
        let out = place.path("out");
        let words = ["--base-url", "https://feeds.example", "--out"];
        let run =
            place.run(&[&["--config", "feedmill.yaml", "build"], &words[..], &[out.to_str().expect("UTF-8")]].concat());
        assert_eq!(run.code, Some(0), "{run:?}");
        let blog = blog.file_name().expect("a name").to_string_lossy().into_owned();
        for path in files(&out) {
            let name = format!("{blog}: {}", path.strip_prefix(&out).expect("below it").display());
            if [".rss", ".atom", ".json"].iter().any(|suffix| name.ends_with(suffix)) {
                let text = fs::read_to_string(&path).expect("UTF-8");
                built.documents.push(Written { name, path, text });
            }
        }
        built._places.push(place);
    }
    Some(built)
}

fn documents(suffix: &str) -> Option<Vec<&'static Written>> {
    Some(BUILT.as_ref()?.documents.iter().filter(|document| document.name.ends_with(suffix)).collect())
}

/// A line of the allow-list: a message, the element, and what is said of it where only that is meant.
struct Allowed {
    name: &'static str,
    element: &'static str,
    what: Option<&'static str>,
}

fn allowed() -> Vec<Allowed> {
    let lines = ALLOWED.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines
        .map(|line| {
            let (said, reason) = line.split_once(": ").expect("a message and a reason");
            assert!(reason.len() > 20, "no reason: {line}");
            let mut words = said.splitn(3, ' ');
            let mut word = || words.next();
            let (name, element) = word().zip(word()).expect("a message and an element");
            Allowed { name, element, what: word() }
        })
        .collect()
}

#[test]
fn the_validator_has_nothing_to_say() {
    let (Some(rss), Some(atom)) = (documents(".rss"), documents(".atom")) else { return };
    let now = Utc::now();
    let allowed = allowed();
    let is_allowed = |message: &Message| {
        message.is_warning()
            && allowed.iter().any(|one| {
                one.name == message.name
                    && one.element == message.element
                    && one.what.is_none_or(|what| what == message.what)
            })
    };
    let mut faults = String::new();
    let mut used: BTreeMap<(&str, String), (usize, String)> = BTreeMap::new();
    for document in rss.into_iter().chain(atom) {
        let (fine, wrong): (Vec<_>, Vec<_>) = messages(&document.text, now).into_iter().partition(is_allowed);
        for ((name, element), (count, what)) in counted(wrong) {
            let _ = writeln!(faults, "{}: {name} in {element}, {count} times: {what}", document.name);
        }
        for (key, (count, what)) in counted(fine) {
            used.entry(key).or_insert((0, what)).0 += count;
        }
    }
    #[allow(clippy::print_stderr, reason = "what is allowed is worth a look")]
    {
        eprintln!("allowed: {used:#?}");
    }
    assert!(faults.is_empty(), "{faults}");
}

/// The rules find what they are for.
#[test]
fn the_validator_finds_faults() {
    let feed = |channel: &str, item: &str| {
        format!(
            "<rss version=\"2.0\" xmlns:atom=\"http://www.w3.org/2005/Atom\" \
             xmlns:content=\"http://purl.org/rss/1.0/modules/content/\"><channel><title>a</title>\
             <link>https://a.example/</link><description>b</description>{channel}\
             <item><title>t</title><guid isPermaLink=\"false\">urn:a:bcd</guid>{item}</item></channel></rss>"
        )
    };
    let own = "<atom:link rel=\"self\" href=\"https://a.example/f\"/>";
    for (channel, item, name) in [
        ("", "", "MissingAtomSelfLink"),
        ("<language>xx</language>", "", "InvalidLanguage"),
        ("<ttl>0</ttl>", "", "InvalidPositiveInteger"),
        ("<lastBuildDate>2022-01-01</lastBuildDate>", "", "InvalidRFC2822Date"),
        ("<lastBuildDate>Mon, 05 Apr 1982 10:00:00 GMT</lastBuildDate>", "", "ImplausibleDate"),
        ("<lastBuildDate>Tue, 05 Apr 1982 10:00:00 GMT</lastBuildDate>", "", "InvalidRFC2822Date"),
        ("<foo/>", "", "UndefinedElement"),
        ("", "<link>/relative</link>", "InvalidFullLink"),
        ("", "<content:encoded>x</content:encoded>", "NeedDescriptionBeforeContent"),
        ("", "<description>&lt;script>x&lt;/script></description>", "SecurityRisk"),
        ("", "<description>&lt;p onclick='x'>x&lt;/p></description>", "SecurityRiskAttr"),
        ("", "<description>&lt;a href='x'>x&lt;/a></description>", "ContainsRelRef"),
        ("", "<description>&lt;b>x&lt;/i></description>", "NotHtml"),
        ("", "<category>&lt;b>x&lt;/b></category>", "ContainsHTML"),
        ("", "<category>a &amp;copy; b</category>", "ContainsHTML"),
        ("", "<category/>", "NotBlank"),
        ("", "<enclosure url='https://a.example/b' length='x' type='audio/mpeg'/>", "InvalidIntegerAttribute"),
        ("", "<title>u</title>", "DuplicateElement"),
        ("", "<description>a\u{96}b</description>", "BadCharacters"),
    ] {
        let found = messages(&feed(channel, item), Utc::now());
        assert!(found.iter().any(|message| message.name == name), "{name}: {found:?}");
    }
    assert_eq!(messages(&feed(own, "<description>&lt;p>x &amp;amp; y&lt;/p></description>"), Utc::now()), []);

    let entry = "<entry><id>https://a.example/1</id><title>t</title><updated>2022-01-01T00:00:00Z</updated></entry>";
    let feed = |parts: &str| {
        format!(
            "<feed xmlns=\"http://www.w3.org/2005/Atom\"><id>https://a.example/</id><title>t</title>\
             <updated>2022-01-01T00:00:00Z</updated>{parts}</feed>"
        )
    };
    for (parts, name) in [
        ("", "MissingSelf"),
        (entry, "MissingElement"),
        (entry, "MissingContentOrAlternate"),
        (&entry.repeat(2), "DuplicateEntries"),
        (&entry.repeat(2), "DuplicateUpdated"),
        ("<author><name> </name></author>", "NotBlank"),
        ("<author><name>a</name><email>b</email></author>", "InvalidContact"),
        ("<subtitle>a &lt;b>c&lt;/b></subtitle>", "ContainsUndeclaredHTML"),
        ("<link rel='odd' href='https://a.example/'/>", "UnregisteredAtomLinkRel"),
        ("<link rel='self' href='/a'/>", "InvalidLink"),
        ("<fh:archive xmlns:fh='http://purl.org/syndication/history/1.0'/>", "MissingCurrentInArchive"),
        ("<x:y xmlns:x='urn:x'/>", "UnknownNamespace"),
    ] {
        let found = messages(&feed(parts), Utc::now());
        assert!(found.iter().any(|message| message.name == name), "{name}: {found:?}");
    }
}

#[test]
fn atom_feeds_follow_their_schema() {
    let (Some(schema), Some(atom)) = (shared("schemas/atom-rfc4287.rng"), documents(".atom")) else { return };
    for some in atom.chunks(200) {
        let run = Command::new("xmllint")
            .args(["--noout", "--nonet", "--relaxng"])
            .arg(&schema)
            .args(some.iter().map(|document| &document.path))
            .output();
        let Ok(run) = run else { return skipped("there is no xmllint") };
        let said = String::from_utf8_lossy(&run.stderr);
        let faults: Vec<&str> = said.lines().filter(|line| !line.ends_with(" validates")).collect();
        assert!(run.status.success(), "{}", faults.join("\n"));
    }
}

#[test]
fn json_feeds_follow_their_schema() {
    let (Some(schemas), Some(feeds)) = (shared("schemas"), documents(".json")) else { return };
    let read = |name: &str| -> serde_json::Value {
        serde_json::from_slice(&fs::read(schemas.join(name)).expect("a schema")).expect("JSON")
    };
    // It takes the description of its parts from the version before.
    let (schema, version_1) = (read("jsonfeed-1.1.schema.json"), read("jsonfeed-1.schema.json"));
    let validator = jsonschema::options().with_retriever(Beside(version_1)).build(&schema).expect("a schema");
    let mut faults = String::new();
    for document in feeds {
        let feed = serde_json::from_str(&document.text).expect("JSON");
        for error in validator.iter_errors(&feed) {
            let _ = writeln!(faults, "{}: {error} at {}", document.name, error.instance_path());
        }
        // What the schema cannot say.
        assert_eq!(feed["version"], "https://jsonfeed.org/version/1.1");
        let items = feed["items"].as_array().expect("items");
        let ids: std::collections::HashSet<_> = items.iter().map(|item| item["id"].as_str()).collect();
        assert_eq!(ids.len(), items.len(), "{}: an id stands twice", document.name);
    }
    assert!(faults.is_empty(), "{faults}");
    assert!(!validator.is_valid(&serde_json::json!({"version": "https://jsonfeed.org/version/1.1", "items": [{}]})));
}

/// The one schema that the other one refers to.
struct Beside(serde_json::Value);

impl jsonschema::Retrieve for Beside {
    fn retrieve(
        &self,
        _: &jsonschema::Uri<String>,
    ) -> Result<serde_json::Value, Box<dyn std::error::Error + Send + Sync>> {
        Ok(self.0.clone())
    }
}

/// An item as every parser must see it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Item {
    id: String,
    title: String,
    link: String,
    /// Seconds since 1970.
    published: i64,
}

/// Ids, titles, links and dates, as JSON Feed says them.
fn json_items(text: &str) -> Vec<Item> {
    let feed: serde_json::Value = serde_json::from_str(text).expect("JSON");
    let items = feed["items"].as_array().expect("items");
    items
        .iter()
        .map(|item| Item {
            id: item["id"].as_str().expect("an id").to_owned(),
            title: item["title"].as_str().expect("a title").to_owned(),
            link: item["url"].as_str().expect("a link").to_owned(),
            published: seconds(item["date_published"].as_str().expect("a date")),
        })
        .collect()
}

fn seconds(rfc3339: &str) -> i64 {
    DateTime::parse_from_rfc3339(rfc3339).expect("RFC 3339").timestamp()
}

fn rss_items(text: &str) -> Vec<Item> {
    let channel = rss::Channel::read_from(text.as_bytes()).expect("RSS");
    channel
        .into_items()
        .into_iter()
        .map(|item| Item {
            published: DateTime::parse_from_rfc2822(item.pub_date().expect("a date")).expect("RFC 2822").timestamp(),
            id: item.guid.expect("an id").value,
            title: item.title.expect("a title"),
            link: item.link.expect("a link"),
        })
        .collect()
}

fn atom_items(text: &str) -> Vec<Item> {
    let feed = atom_syndication::Feed::read_from(text.as_bytes()).expect("Atom");
    feed.entries
        .into_iter()
        .map(|entry| Item {
            published: entry.published.expect("a date").timestamp(),
            link: entry.links.iter().find(|link| link.rel == "alternate").expect("a link").href.clone(),
            id: entry.id,
            title: entry.title.value,
        })
        .collect()
}

fn feed_rs_items(text: &str) -> Vec<Item> {
    let feed = feed_rs::parser::parse(text.as_bytes()).expect("a feed");
    feed.entries
        .into_iter()
        .map(|entry| Item {
            id: entry.id,
            title: entry.title.expect("a title").content,
            link: entry.links.first().expect("a link").href.clone(),
            published: entry.published.expect("a date").timestamp(),
        })
        .collect()
}

/// Reads all files that are named on its command line and prints a line of JSON for each.
const FEEDPARSER: &str = "
import calendar, json, sys
import feedparser
for path in sys.stdin.read().splitlines():
    with open(path, 'rb') as file:
        feed = feedparser.parse(file.read())
    items = [[e.id, e.title_detail.value, e.link, calendar.timegm(e.published_parsed)] for e in feed.entries]
    print(json.dumps([bool(feed.bozo) and str(feed.bozo_exception), items]))
";

#[test]
fn every_parser_reads_the_same() {
    let Some(json) = documents(".json") else { return };
    let built = BUILT.as_ref().expect("just built");
    let texts: BTreeMap<&str, &str> =
        built.documents.iter().map(|document| (document.name.as_str(), document.text.as_str())).collect();
    let mut faults = String::new();
    for document in &json {
        let stem = document.name.trim_end_matches(".json");
        let expect = json_items(&document.text);
        let (rss, atom) = (texts[format!("{stem}.rss").as_str()], texts[format!("{stem}.atom").as_str()]);
        let found = [
            ("rss", rss_items(rss)),
            ("atom_syndication", atom_items(atom)),
            ("feed-rs of RSS", feed_rs_items(rss)),
            ("feed-rs of Atom", feed_rs_items(atom)),
            ("feed-rs of JSON", feed_rs_items(&document.text)),
        ];
        for (parser, items) in found {
            compare(&format!("{stem}: {parser}"), &items, &expect, &mut faults);
        }
    }
    assert!(faults.is_empty(), "{faults}");
}

fn compare(name: &str, found: &[Item], expect: &[Item], faults: &mut String) {
    if found.len() != expect.len() {
        let _ = writeln!(faults, "{name}: {} items, not {}", found.len(), expect.len());
    }
    for (found, expect) in found.iter().zip(expect).filter(|(found, expect)| found != expect) {
        let _ = writeln!(faults, "{name}: {found:?}, not {expect:?}");
    }
}

#[test]
fn feedparser_reads_the_same() {
    use std::io::Write as _;
    let Some(json) = documents(".json") else { return };
    // The second is the one that a distribution's packages are for.
    let has_it = |python: &&str| {
        Command::new(python).args(["-c", "import feedparser"]).output().is_ok_and(|run| run.status.success())
    };
    let Some(python) = ["python3", "/usr/bin/python3"].into_iter().find(has_it) else {
        return skipped("there is no feedparser for python3");
    };
    let paths: Vec<String> = json
        .iter()
        .flat_map(|document| ["rss", "atom"].map(|suffix| document.path.with_extension(suffix).display().to_string()))
        .collect();
    let mut python = Command::new(python)
        .args(["-c", FEEDPARSER])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .expect("python3");
    let mut input = python.stdin.take().expect("a pipe");
    let list = paths.join("\n");
    let writing = std::thread::spawn(move || input.write_all(list.as_bytes()));
    let output = python.wait_with_output().expect("python3");
    writing.join().expect("a thread").expect("a pipe");
    assert!(output.status.success());
    let lines: Vec<&str> = std::str::from_utf8(&output.stdout).expect("UTF-8").lines().collect();
    assert_eq!(lines.len(), paths.len());
    let mut faults = String::new();
    for (line, path) in lines.iter().zip(&paths) {
        let (bozo, items): (serde_json::Value, Vec<(String, String, String, i64)>) =
            serde_json::from_str(line).expect("JSON");
        if bozo != serde_json::Value::Bool(false) {
            let _ = writeln!(faults, "{path}: {bozo}");
        }
        let items: Vec<Item> =
            items.into_iter().map(|(id, title, link, published)| Item { id, title, link, published }).collect();
        let text = fs::read_to_string(Path::new(path).with_extension("json")).expect("UTF-8");
        compare(path, &items, &json_items(&text), &mut faults);
    }
    assert!(faults.is_empty(), "{faults}");
}
