//! Golden folders: `tests/golden/<case>/` holds what a case renders to, byte for byte.
//!
//! `FEEDMILL_BLESS=1 cargo test feed` writes them anew. `revision.txt` remembers which revision of the renderer the
//! bytes belong to: other bytes under the same revision would break every validator that a reader holds.

use std::fs;
use std::path::PathBuf;

use super::build::{at, author, entry, feed, key, row, settings};
use crate::entry::{
    ArchiveMaterial, ArticleMaterial, Document, EntryId, Format, Kind, ListMaterial, Markup, Material, Media,
    NewestRow, Segment, Summary, Tombstone,
};
use crate::feed::{Content, RENDERER_REVISION, Renderer, Settings};

/// A case: its name, its settings, and the documents with what they are made from.
struct Case {
    name: &'static str,
    settings: Settings,
    documents: Vec<(Document, Material)>,
}

/// A live feed in every format and as a page.
fn every_form(material: crate::entry::FeedMaterial) -> Vec<(Document, Material)> {
    let key = material.key.clone();
    let mut documents: Vec<_> =
        Format::ALL.map(|format| (Document::Feed(key.clone(), format), Material::Feed(material.clone()))).into();
    documents.push((Document::Page(key), Material::Feed(material)));
    documents
}

fn fixture(name: &str) -> String {
    fs::read_to_string(folder().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden")
}

/// One article of a bank: the plainest feed, its page, the article's page.
fn plain() -> Case {
    let body = "<div>\n<p>　　央行今天维持利率不变。</p>\n<p>详情见<a href=\"https://news.example/rate\">公告</a>。</p>\n</div>";
    let mut article = entry(1, "央行维持利率不变: 市场怎么看", Markup::Html, body);
    article.article.categories = vec![vec!["金融".to_owned(), "银行".to_owned()]];
    article.article.tags = vec!["利率".to_owned(), "央行".to_owned()];
    article.article.authors = vec![author("李明")];
    article.article.image = Some("https://img.example/rate.jpg".to_owned());
    let keys = ["all", "category/金融", "category/金融/银行", "tag/利率", "tag/央行", "author/李明"].map(key).to_vec();
    let mut documents = every_form(feed("category/金融/银行", vec![article.clone()]));
    documents
        .push((Document::Article(article.uuid), Material::Article(ArticleMaterial { entry: Box::new(article), keys })));
    Case { name: "plain", settings: settings(), documents }
}

/// Markdown with everything that the dialect has, template code of blog engines, and what must not survive.
fn markdown() -> Case {
    let mut article = entry(1, "Markdown & <b>co</b>", Markup::Markdown, &fixture("markdown/body.md"));
    article.article.link = Some("https://blog.example/2022/markdown/".to_owned());
    article.article.language = Some("en_GB".to_owned());
    let until = fixture("markdown/body.md").find("<!-- more -->").expect("a mark");
    article.article.summary = Some(Summary::BodyUntil(until));
    Case { name: "markdown", settings: settings(), documents: every_form(feed("all", vec![article])) }
}

/// HTML of an exporter: lazy pictures, players, comments, empty wrappers, style, misnested tags.
fn exported() -> Case {
    let mut article = entry(1, "An exported page", Markup::Html, &fixture("exported/body.html"));
    article.path = "news/2022/exported.html".to_owned();
    article.article.image = Some("../cover.jpg".to_owned());
    let settings = Settings { assets_url: Some("https://cdn.example/files".to_owned()), ..settings() };
    Case { name: "exported", settings, documents: every_form(feed("all", vec![article])) }
}

/// People, media and languages; a site with an author of its own, in another language.
fn people() -> Case {
    let mut talk =
        entry(2, "A talk", Markup::Text, "First line\nsecond line\n\nAnother paragraph, with <angles> & more.");
    let mut ann = author("Ann");
    ann.email = Some("ann@example.org".to_owned());
    ann.url = Some("https://ann.example/".to_owned());
    let mut bad = author("Bob");
    bad.email = Some("not a mail address".to_owned());
    bad.url = Some("javascript:alert(1)".to_owned());
    talk.article.authors = vec![ann, bad];
    talk.article.language = Some("de".to_owned());
    talk.article.media = vec![
        Media {
            url: "https://media.example/a b.mp3".to_owned(),
            media_type: Some("audio/mpeg".to_owned()),
            length: 4711,
        },
        Media { url: "https://media.example/slides".to_owned(), media_type: None, length: 0 },
        Media { url: "javascript:alert(1)".to_owned(), media_type: None, length: 1 },
    ];
    talk.article.link = Some("https://ann.example/talk".to_owned());
    talk.updated = at("2022-05-01T00:00:00Z");
    let mut nobody = entry(1, "By nobody", Markup::Markdown, "A *short* note.");
    nobody.article.summary = Some(Summary::Text("What it says: 1 & 2".to_owned()));
    let settings = Settings {
        title: "磨坊".to_owned(),
        author: Some("编辑部".to_owned()),
        language: "zh_CN".to_owned(),
        timezone: chrono_tz::Asia::Shanghai,
        ..settings()
    };
    Case { name: "people", settings, documents: every_form(feed("author/Ann", vec![talk, nobody])) }
}

/// A small `feeds.bytes`: the second article is too long for any feed and goes as its summary, the fourth no longer
/// fits.
fn limits() -> Case {
    let entries = vec![
        entry(4, "Short", Markup::Text, "Eighteen bytes."),
        entry(3, "Long", Markup::Text, &"A long article goes on and on. ".repeat(20)),
        entry(2, "Fits", Markup::Text, &"Fits still. ".repeat(10)),
        entry(1, "No longer", Markup::Text, &"No longer fits. ".repeat(10)),
    ];
    let settings = Settings { bytes: 560, ..settings() };
    Case { name: "limits", settings, documents: every_form(feed("all", entries)) }
}

/// `feeds.content: summary`, and items that lead to the blog by `articles.link`.
fn summaries() -> Case {
    let mut article = entry(1, "Only the summary", Markup::Markdown, "# Heading\n\nThe first sentence. And a second.");
    article.path = "notes/2022-04-11-only-the-summary.md".to_owned();
    let settings = Settings {
        content: Content::Summary,
        link: Some("https://blog.example/{year}/{month}/{day}/{slug}/".to_owned()),
        mix_titles: [(Segment::new("best").expect("a name"), "The best of it".to_owned())].into(),
        formats: vec![Format::Atom],
        ..settings()
    };
    let documents = every_form(feed("mix/best", vec![article]));
    Case { name: "summaries", settings, documents }
}

/// Archive documents (RFC 5005): the live feed leads to the newest, each to its neighbours.
fn archives() -> Case {
    let live = crate::entry::FeedMaterial {
        newest_archive: Some(3),
        count: 210,
        ..feed("category/a/b", vec![entry(1, "New", Markup::Text, "n")])
    };
    let mut documents = every_form(live);
    for number in [1, 2] {
        let material = ArchiveMaterial {
            key: key("category/a/b"),
            number,
            has_next: true,
            updated: at("2022-04-11T13:01:53Z"),
            entries: vec![entry(9, "Old", Markup::Text, "o")],
        };
        let document = |format| Document::Archive(key("category/a/b"), number, format);
        documents.extend(Format::ALL.map(|format| (document(format), Material::Archive(material.clone()))));
    }
    Case { name: "archives", settings: settings(), documents }
}

/// A feed from which everything was withdrawn: empty and valid, with tombstones (RFC 6721).
fn withdrawn() -> Case {
    let mut material = feed("category/a", Vec::new());
    material.tombstones = vec![
        Tombstone { id: entry(1, "", Markup::Text, "").id, at: at("2022-04-12T00:00:00Z") },
        Tombstone {
            id: EntryId::from_stored("https://blog.example/?a=1&b=2".to_owned()),
            at: at("2022-04-11T00:00:00Z"),
        },
    ];
    Case { name: "withdrawn", settings: settings(), documents: every_form(material) }
}

/// Text that breaks careless writers: forbidden characters, the end of a CDATA section, direction marks, markup in
/// titles, years that no format can say.
fn odd_text() -> Case {
    let mut odd = entry(
        1,
        "a\u{1}]]>\u{fffe} <script>alert(1)</script> &amp; \u{202e}live",
        Markup::Html,
        "<p>one ]]> two\u{b} &#1;&#xFFFE;&nbsp;end</p>",
    );
    odd.article.tags = vec!["<b> & \"c\"".to_owned(), "]]>".to_owned()];
    odd.article.authors = vec![author("<i>A\u{7}</i>")];
    odd.article.image = Some("https://x.example/a.jpg\" onerror=\"alert(1)".to_owned());
    odd.id = EntryId::from_stored("https://x.example/?a=1&b=2".to_owned());
    let mut bare = entry(2, "Nothing in it", Markup::Html, "<!-- a --><div> <p>&nbsp;</p></div>");
    bare.published = at("2022-04-11T13:01:53Z").with_timezone(&chrono::Utc) + chrono::TimeDelta::days(365 * 8100);
    bare.updated = bare.published;
    Case { name: "odd-text", settings: settings(), documents: every_form(feed("tag/a&b<c>", vec![bare, odd])) }
}

/// The index, lists and OPML.
fn lists() -> Case {
    let rows = vec![
        row("all", 12),
        row("category/A & B", 7),
        row("category/金融", 5),
        row("category/金融/新浪财经", 1),
        row("category/金融/银行", 4),
        row("tag/rust", 3),
        row("tag/利率", 1),
        row("author/李明", 2),
        row("mix/best", 2),
    ];
    let newest = vec![NewestRow {
        uuid: entry(1, "", Markup::Text, "").uuid,
        title: "央行维持 <利率> 不变".to_owned(),
        published: at("2022-04-11T13:01:53Z"),
    }];
    let totals = vec![(Kind::Category, 4), (Kind::Tag, 30_000), (Kind::Author, 1), (Kind::Mix, 1)];
    let index = ListMaterial { rows: rows.clone(), totals, page: 1, pages: 1, newest };
    let tags: Vec<_> = rows.iter().filter(|row| row.key.kind() == Kind::Tag).cloned().collect();
    let tags = ListMaterial { rows: tags, totals: vec![(Kind::Tag, 500)], page: 2, pages: 3, newest: Vec::new() };
    let below: Vec<_> = rows.iter().filter(|row| row.key.names().len() == 2).cloned().collect();
    let below = ListMaterial { rows: below, totals: vec![(Kind::Category, 4)], page: 2, pages: 2, newest: Vec::new() };
    let documents = vec![
        (Document::Index, Material::List(index.clone())),
        (Document::Opml, Material::List(index)),
        (Document::List(Kind::Tag, 2), Material::List(tags)),
        (Document::List(Kind::Category, 2), Material::List(below)),
        (Document::Robots, Material::Fixed),
    ];
    Case { name: "lists", settings: settings(), documents }
}

/// WebSub: the live feed names its hubs, its archives do not.
fn hubs() -> Case {
    let hubs = ["https://hub.example/", "https://push.example/?of=feeds&all=1"];
    let hubs = hubs.map(|hub| hub.parse().expect("a URL")).to_vec();
    let article = entry(1, "News", Markup::Text, "Told at once.");
    let mut documents = every_form(feed("all", vec![article.clone()]));
    let archive = ArchiveMaterial {
        key: key("all"),
        number: 1,
        updated: article.updated,
        has_next: false,
        entries: vec![article],
    };
    documents.push((Document::Archive(key("all"), 1, Format::Atom), Material::Archive(archive)));
    Case { name: "hubs", settings: Settings { hubs, ..settings() }, documents }
}

/// The first page that anybody sees.
fn first_run() -> Case {
    let empty = ListMaterial { rows: vec![row("all", 0)], totals: Vec::new(), page: 1, pages: 1, newest: Vec::new() };
    let documents = vec![(Document::Index, Material::List(empty.clone())), (Document::Opml, Material::List(empty))];
    Case { name: "first-run", settings: settings(), documents }
}

fn cases() -> Vec<Case> {
    vec![
        plain(),
        markdown(),
        exported(),
        people(),
        limits(),
        summaries(),
        archives(),
        withdrawn(),
        odd_text(),
        hubs(),
        lists(),
        first_run(),
    ]
}

/// Every document of every case: case, document, bytes.
pub(super) fn rendered() -> Vec<(&'static str, Document, Vec<u8>)> {
    let mut all = Vec::new();
    for case in cases() {
        let renderer = Renderer::new(case.settings);
        for (document, material) in case.documents {
            let bytes = renderer.render(&document, &material).unwrap_or_else(|error| panic!("{}: {error}", case.name));
            let again = renderer.render(&document, &material).expect("renders again");
            assert!(bytes == again, "{}: {} renders to other bytes from the cache", case.name, document.path());
            all.push((case.name, document, bytes));
        }
    }
    all
}

/// The file of a document in its case's folder.
fn file(case: &str, document: &Document) -> PathBuf {
    let name = match document {
        Document::Feed(_, format) => format!("feed.{}", format.as_str()),
        Document::Archive(_, number, format) => format!("archive-{number}.{}", format.as_str()),
        Document::Page(_) => "page.html".to_owned(),
        Document::Article(_) => "article.html".to_owned(),
        Document::List(kind, page) => format!("{}-{page}.html", kind.as_str()),
        other => other.file(),
    };
    folder().join(case).join(name)
}

fn blessing() -> bool {
    std::env::var_os("FEEDMILL_BLESS").is_some_and(|value| !value.is_empty() && value != "0")
}

#[test]
fn golden_folders_hold() {
    let mut wrong = Vec::new();
    for (case, document, bytes) in rendered() {
        let file = file(case, &document);
        if blessing() {
            fs::create_dir_all(file.parent().expect("a folder")).expect("a folder is made");
            fs::write(&file, &bytes).expect("a golden file is written");
        } else if fs::read(&file).ok().as_deref() != Some(&bytes) {
            wrong.push(file.display().to_string());
        }
    }
    assert!(
        wrong.is_empty(),
        "these bytes changed (see them with FEEDMILL_BLESS=1 and git diff):\n{}",
        wrong.join("\n")
    );
}

#[test]
fn other_bytes_have_another_revision() {
    let mut hasher = blake3::Hasher::new();
    for (case, document, bytes) in rendered() {
        hasher.update(format!("{case}\n{}\n{}\n", document.path(), bytes.len()).as_bytes());
        hasher.update(&bytes);
    }
    hasher.update(crate::feed::pages::STYLE.as_bytes());
    hasher.update(crate::feed::pages::ICON.as_bytes());
    let now = format!("{RENDERER_REVISION} {}\n", hasher.finalize().to_hex());
    let file = folder().join("revision.txt");
    let kept = fs::read_to_string(&file).unwrap_or_default();
    if now == kept {
        return;
    }
    let raised = kept.split(' ').next() != Some(&RENDERER_REVISION.to_string());
    assert!(
        blessing() && raised,
        "the bytes of the golden folders changed, so RENDERER_REVISION has to be raised and FEEDMILL_BLESS=1 be set once \
         (a revision that was in no release may be kept: remove tests/golden/revision.txt first)"
    );
    fs::write(&file, now).expect("revision.txt is written");
}
