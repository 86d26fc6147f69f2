//! The table of all config keys: name, default, kind, the reader that puts the value in its place, and one line about
//! it.
//!
//! Defaults, the checker, `config/feedmill.yaml`, the JSON Schema and the README all come from here or are compared
//! with it by tests.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::values::{self as read, Read};
use crate::article::{Categories, Rules};
use crate::daemon::{self, Poll, Setup};
use crate::entry::{Kind, Namespace, Taxonomies};
use crate::feed::Content;
use crate::yaml::Value;
use crate::{catalog, daemon::Names, feed, rendition, server};

/// One key of the config.
pub struct Setting {
    /// Section and name: `http.listen`.
    pub key: &'static str,
    /// As it would be written in a file; paths relative to the working directory.
    pub default: &'static str,
    /// What it takes.
    pub shape: Shape,
    /// One line for the sample file, the schema and the documentation.
    pub about: &'static str,
    /// Puts a value in its place.
    pub(super) read: fn(&mut Draft, &Given<'_>) -> Read<()>,
}

impl Setting {
    /// Section and name.
    pub fn parts(&self) -> (&'static str, &'static str) {
        self.key.split_once('.').unwrap_or((self.key, ""))
    }

    /// Whether `null` is a value of it.
    pub fn nullable(&self) -> bool {
        self.default == "null"
    }
}

/// What a key takes: for the schema, and for how a value is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// Any text.
    Text,
    /// A path; relative ones are completed.
    Path,
    /// An absolute http(s) URL.
    Url,
    /// `10m`.
    Duration,
    /// `8MiB`.
    Size,
    /// A number from 1.
    Count,
    /// `true` or `false`.
    Flag,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// A list of any of these words.
    Words(&'static [&'static str]),
    /// A list of texts.
    Texts,
    /// `articles.fields`.
    Fields,
    /// `feeds.mix`.
    Mixes,
}

/// A value together with the folder that relative paths in it start from.
pub(super) struct Given<'a> {
    pub value: &'a Value,
    pub base: &'a Path,
}

impl Given<'_> {
    fn path(&self) -> Read<PathBuf> {
        read::path(self.value).map(|path| below(self.base, &path))
    }
}

/// Completes a path. Steps up are taken only where they lead out of the base, which has no links in it; others stay,
/// because they may follow a link.
pub(super) fn below(base: &Path, path: &Path) -> PathBuf {
    let mut whole = base.to_path_buf();
    let mut inside = false;
    for part in path.components() {
        match part {
            std::path::Component::CurDir => {}
            std::path::Component::ParentDir if !inside => drop(whole.pop()),
            part => {
                inside = true;
                whole.push(part);
            }
        }
    }
    whole
}

/// The settings while they are being read.
pub(super) struct Draft {
    pub setup: Setup,
    pub include: Vec<String>,
    pub exclude: Vec<String>,
}

impl Draft {
    /// Placeholders; every key is read at least once, its default first.
    pub fn blank() -> Draft {
        let setup = Setup {
            catalog: catalog::Settings {
                namespace: Namespace::new(None),
                site_id: None,
                rules: Rules::default(),
                taxonomies: Taxonomies::default(),
                hold_future: true,
                keep_deleted: false,
                withdraw_after: Duration::ZERO,
                items: 1,
                archives: Vec::new(),
                paths_matter: false,
            },
            feed: feed::Settings {
                title: String::new(),
                base_url: String::new(),
                namespace: Namespace::new(None),
                language: String::new(),
                author: None,
                timezone: chrono_tz::UTC,
                assets_url: None,
                formats: Vec::new(),
                archives: Vec::new(),
                bytes: 0,
                content: Content::Full,
                link: None,
                mix_titles: BTreeMap::new(),
                hubs: Vec::new(),
            },
            base_url_given: false,
            rendition: rendition::Settings { cache: 0 },
            server: server::Settings {
                listen: server::Address::Tcp(String::new()),
                admin: None,
                max_age: Duration::ZERO,
                max_connections: 1,
                header_timeout: Duration::ZERO,
                idle_timeout: Duration::ZERO,
                grace: Duration::ZERO,
                access_log: false,
                trusted_proxies: server::Proxies::default(),
                formats: Vec::new(),
            },
            daemon: daemon::Settings {
                inbox: PathBuf::new(),
                names: Names::new(&[], &[]).unwrap_or_else(|_| unreachable!("no patterns are no wrong patterns")),
                max_file_size: 0,
                settle: Duration::ZERO,
                rescan: Duration::ZERO,
                poll: Poll::Auto,
                accept_empty: false,
                state: PathBuf::new(),
                publish: None,
                precompressed: Vec::new(),
            },
        };
        Draft { setup, include: Vec::new(), exclude: Vec::new() }
    }
}

const KINDS: &[&str] = &["all", "category", "tag", "author", "lang", "dir", "mix"];
const TAXONOMIES: &[&str] = &["category", "tag", "author", "lang", "dir"];

macro_rules! settings {
    ($($key:literal = $default:literal, $shape:expr, $about:literal, $read:expr;)*) => {
        /// Every key, in the order of the sample file.
        pub static SETTINGS: &[Setting] =
            &[$(Setting { key: $key, default: $default, shape: $shape, about: $about, read: $read },)*];
    };
}

settings! {
    "site.title" = "Feedmill", Shape::Text,
        "The name of the site, in the titles of feeds and pages.",
        |to, given| { to.setup.feed.title = read::text(given.value)?; Ok(()) };
    "site.base_url" = "null", Shape::Url,
        "Where readers find the site, such as https://news.example; null: http:// and the address that is listened on.",
        |to, given| {
            let url = read::optional(given.value, read::base_url)?;
            to.setup.base_url_given = url.is_some();
            to.setup.feed.base_url = url.unwrap_or_default();
            Ok(())
        };
    "site.id" = "null", Shape::Text,
        "Any string: sites with different ones give the same article different ids. Fixed once there are articles.",
        |to, given| {
            let id = read::optional(given.value, read::text)?;
            let namespace = Namespace::new(id.as_deref());
            to.setup.catalog.namespace = namespace;
            to.setup.feed.namespace = namespace;
            to.setup.catalog.site_id = id;
            Ok(())
        };
    "site.language" = "en", Shape::Text,
        "The language of the site (BCP 47), for feeds and articles that name none.",
        |to, given| { to.setup.feed.language = read::language(given.value)?; Ok(()) };
    "site.author" = "null", Shape::Text,
        "The author of articles that name none.",
        |to, given| { to.setup.feed.author = read::optional(given.value, read::text)?; Ok(()) };
    "site.timezone" = "UTC", Shape::Text,
        "The zone of dates that name none, such as Asia/Shanghai.",
        |to, given| {
            let zone = read::timezone(given.value)?;
            to.setup.feed.timezone = zone;
            to.setup.catalog.rules.timezone = zone;
            Ok(())
        };
    "site.assets_url" = "null", Shape::Url,
        "What relative addresses in bodies start from, together with the file's folder.",
        |to, given| { to.setup.feed.assets_url = read::optional(given.value, read::base_url)?; Ok(()) };

    "inbox.path" = "feeds/inbox", Shape::Path,
        "The watched folder. feedmill never writes into it.",
        |to, given| { to.setup.daemon.inbox = given.path()?; Ok(()) };
    "inbox.include" = r#"["**/*.{md,markdown,html,htm,txt}"]"#, Shape::Texts,
        "Which files are articles; patterns match without regard to case.",
        |to, given| { to.include = read::globs(given.value)?; Ok(()) };
    "inbox.exclude" = r#"["**/.*", "**/*~", "**/*.part", "**/*.tmp", "**/README.*", "**/_index.*", "**/*.sync-conflict-*"]"#,
        Shape::Texts,
        "Which files are not; an excluded folder excludes what is below it.",
        |to, given| { to.exclude = read::globs(given.value)?; Ok(()) };
    "inbox.max_file_size" = "8MiB", Shape::Size,
        "Larger files are reported and not published.",
        |to, given| { to.setup.daemon.max_file_size = read::size(given.value)?; Ok(()) };
    "inbox.settle" = "200ms", Shape::Duration,
        "A file closed again within this time waits until it has been quiet for as long.",
        |to, given| { to.setup.daemon.settle = read::duration(given.value)?; Ok(()) };
    "inbox.rescan" = "10m", Shape::Duration,
        "How often the whole inbox is looked through, whatever the events said.",
        |to, given| { to.setup.daemon.rescan = read::positive(given.value)?; Ok(()) };
    "inbox.poll" = "auto", Shape::Choice(&["auto", "on", "off"]),
        "Look for changes by scanning alone: auto (on network file systems), on or off.",
        |to, given| {
            let words = [("auto", Poll::Auto), ("on", Poll::On), ("off", Poll::Off)];
            to.setup.daemon.poll = read::choice(given.value, &words)?;
            Ok(())
        };
    "inbox.withdraw_after" = "10m", Shape::Duration,
        "How long a file must be missing before its article is withdrawn.",
        |to, given| { to.setup.catalog.withdraw_after = read::duration(given.value)?; Ok(()) };
    "inbox.on_delete" = "withdraw", Shape::Choice(&["withdraw", "keep"]),
        "What becomes of an article whose file is gone: withdraw, or keep (for exporters that keep only the newest).",
        |to, given| {
            to.setup.catalog.keep_deleted = read::choice(given.value, &[("withdraw", false), ("keep", true)])?;
            Ok(())
        };

    "articles.categories" = "path", Shape::Choice(&["path", "flat"]),
        "What a list of categories means: path (one category from broad to narrow, as in Hexo) or flat (one each).",
        |to, given| {
            let words = [("path", Categories::Path), ("flat", Categories::Flat)];
            to.setup.catalog.rules.categories = read::choice(given.value, &words)?;
            Ok(())
        };
    "articles.charset" = "auto", Shape::Text,
        "The encoding of files that are not UTF-8: auto, or a label such as gbk.",
        |to, given| { to.setup.catalog.rules.charset = read::charset(given.value)?; Ok(()) };
    "articles.future" = "hold", Shape::Choice(&["hold", "publish"]),
        "Articles dated in the future: hold (until then) or publish.",
        |to, given| {
            to.setup.catalog.hold_future = read::choice(given.value, &[("hold", true), ("publish", false)])?;
            Ok(())
        };
    "articles.fields" = "{}", Shape::Fields,
        "Keys that are tried first for a field, such as { title: [headline, subject] }.",
        |to, given| { to.setup.catalog.rules.fields = read::fields(given.value)?; Ok(()) };
    "articles.link" = "null", Shape::Text,
        "Where articles live, such as https://blog.example/{year}/{month}/{day}/{slug}/; also {stem} and {dir}.",
        |to, given| { to.setup.feed.link = read::optional(given.value, read::link)?; Ok(()) };
    "articles.ignore_changes" = "[default]", Shape::Texts,
        "What is no change of an article: default (random picture numbers), FIELD, FIELD=REGEX or body=REGEX.",
        |to, given| { to.setup.catalog.rules.ignore_changes = read::noise(given.value)?; Ok(()) };

    "feeds.formats" = "[rss, atom, json]", Shape::Words(&["rss", "atom", "json"]),
        "The formats of every feed; the first one is preferred.",
        |to, given| {
            let formats = read::formats(given.value)?;
            to.setup.server.formats.clone_from(&formats);
            to.setup.feed.formats = formats;
            Ok(())
        };
    "feeds.by" = "[category, tag, author]", Shape::Words(TAXONOMIES),
        "What feeds are made by, beside the feed of everything: category, tag, author, lang, dir.",
        |to, given| {
            let of = Kind::ALL.into_iter().filter(|kind| TAXONOMIES.contains(&kind.as_str())).collect::<Vec<_>>();
            to.setup.catalog.taxonomies.by = read::kinds(given.value, &of)?;
            Ok(())
        };
    "feeds.archives" = "[all, category, mix]", Shape::Words(KINDS),
        "Kinds of feeds that link to archives of all their articles.",
        |to, given| {
            to.setup.feed.archives = read::kinds(given.value, &Kind::ALL)?;
            to.setup.catalog.archives = to.setup.feed.archives.clone();
            Ok(())
        };
    "feeds.items" = "50", Shape::Count,
        "The most articles in a feed.",
        |to, given| { to.setup.catalog.items = read::count(given.value)?; Ok(()) };
    "feeds.bytes" = "512KiB", Shape::Size,
        "The most that the bodies in a feed add up to.",
        |to, given| {
            to.setup.feed.bytes = usize::try_from(read::size(given.value)?).unwrap_or(usize::MAX);
            Ok(())
        };
    "feeds.content" = "full", Shape::Choice(&["full", "summary"]),
        "How much of an article a feed holds: full or summary.",
        |to, given| {
            let words = [("full", Content::Full), ("summary", Content::Summary)];
            to.setup.feed.content = read::choice(given.value, &words)?;
            Ok(())
        };
    "feeds.mix" = "[]", Shape::Mixes,
        "Feeds made of others: { name: finance, title: Finance, any: [category/finance, tag/stocks], all: [], none: [] }.",
        |to, given| {
            let mixes = read::mixes(given.value)?;
            let titles = mixes.iter().filter_map(|mix| Some((mix.name.clone(), mix.title.clone()?)));
            to.setup.feed.mix_titles = titles.collect();
            to.setup.catalog.taxonomies.mixes = mixes;
            Ok(())
        };
    "feeds.hubs" = "[]", Shape::Texts,
        "WebSub hubs that are told of every change and that feeds name, such as https://hub.example/.",
        |to, given| { to.setup.feed.hubs = read::hubs(given.value)?; Ok(()) };

    "http.listen" = "\"127.0.0.1:8080\"", Shape::Text,
        "The public address: HOST:PORT, or unix:/PATH.",
        |to, given| { to.setup.server.listen = read::address(given.value)?; Ok(()) };
    "http.admin" = "\"127.0.0.1:8081\"", Shape::Text,
        "The address for operators (health, metrics, problems): HOST:PORT, unix:/PATH, or off.",
        |to, given| { to.setup.server.admin = read::address_or_off(given.value)?; Ok(()) };
    "http.max_age" = "60s", Shape::Duration,
        "How long caches may use an answer without asking again.",
        |to, given| { to.setup.server.max_age = read::duration(given.value)?; Ok(()) };
    "http.cache" = "64MiB", Shape::Size,
        "Memory for documents that were asked for, a quarter of it for the bodies that they are made of.",
        |to, given| { to.setup.rendition.cache = read::size(given.value)?; Ok(()) };
    "http.max_connections" = "4096", Shape::Count,
        "The most connections at a time.",
        |to, given| { to.setup.server.max_connections = read::count(given.value)?; Ok(()) };
    "http.header_timeout" = "10s", Shape::Duration,
        "How long a client may take to send a request.",
        |to, given| { to.setup.server.header_timeout = read::positive(given.value)?; Ok(()) };
    "http.idle_timeout" = "60s", Shape::Duration,
        "How long a connection may stay open without a request.",
        |to, given| { to.setup.server.idle_timeout = read::positive(given.value)?; Ok(()) };
    "http.grace" = "10s", Shape::Duration,
        "How long answers under way may take to end when the daemon stops.",
        |to, given| { to.setup.server.grace = read::duration(given.value)?; Ok(()) };
    "http.access_log" = "false", Shape::Flag,
        "Whether every request is logged.",
        |to, given| { to.setup.server.access_log = read::flag(given.value)?; Ok(()) };
    "http.trusted_proxies" = "[]", Shape::Texts,
        "Proxies that are believed on whom they ask for (Forwarded, X-Forwarded-For), for the log: addresses, networks such as 10.0.0.0/8, or unix.",
        |to, given| { to.setup.server.trusted_proxies = read::proxies(given.value)?; Ok(()) };

    "publish.disk" = "null", Shape::Path,
        "A folder that is kept up to date with every document, for another server to serve; null: none.",
        |to, given| {
            to.setup.daemon.publish =
                read::optional(given.value, read::path)?.map(|path| below(given.base, &path));
            Ok(())
        };

    "publish.precompressed" = "[]", Shape::Words(&["gzip", "br", "zstd"]),
        "Codings of which a twin stands beside each of these files (.gz, .br, .zstd), for servers that take them from there.",
        |to, given| { to.setup.daemon.precompressed = read::codings(given.value)?; Ok(()) };

    "state.path" = "feeds/state", Shape::Path,
        "Where the catalog is kept. It must be on a local disk.",
        |to, given| { to.setup.daemon.state = given.path()?; Ok(()) };
}

/// The row of a key.
pub fn setting(key: &str) -> Option<&'static Setting> {
    SETTINGS.iter().find(|setting| setting.key == key)
}

/// The sections, in the order of the sample file.
pub fn sections() -> Vec<&'static str> {
    let mut sections: Vec<&str> = SETTINGS.iter().map(|setting| setting.parts().0).collect();
    sections.dedup();
    sections
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_up_lead_out_of_the_base_only() {
        for (path, whole) in [
            ("../feeds/inbox", "/srv/feeds/inbox"),
            ("./x", "/srv/config/x"),
            ("a/../x", "/srv/config/a/../x"),
            ("../../..", "/"),
            ("/abs/./x", "/abs/x"),
        ] {
            assert_eq!(below(Path::new("/srv/config"), Path::new(path)), Path::new(whole), "{path}");
        }
    }

    #[test]
    fn keys_stand_once_and_together_with_their_section() {
        let mut sections = sections();
        sections.sort_unstable();
        let count = sections.len();
        sections.dedup();
        assert_eq!(sections.len(), count);
        for (at, setting) in SETTINGS.iter().enumerate() {
            assert!(SETTINGS[..at].iter().all(|other| other.key != setting.key), "{}", setting.key);
        }
    }
}
