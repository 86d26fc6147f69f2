//! Small files of every kind, read as a whole.

use proptest::prelude::*;

use super::*;

fn read_as(path: &str, text: &str, rules: &Rules) -> Parsed {
    parse(SourceFile { path, bytes: text.as_bytes() }, rules)
}

fn read(text: &str) -> Parsed {
    read_as("a.md", text, &Rules::default())
}

#[track_caller]
fn article(text: &str) -> Article {
    let parsed = read(text);
    parsed.article.unwrap_or_else(|| panic!("{text:?}: {:?}", parsed.problems))
}

fn body_of(text: &str, article: &Article) -> String {
    decode(text.as_bytes(), &article.body.encoding)[article.body.start..article.body.end].to_owned()
}

fn codes(parsed: &Parsed) -> Vec<&'static str> {
    parsed.problems.iter().map(|problem| problem.code.as_str()).collect()
}

/// Title, body and codes of a file; `date-missing` is left out.
#[track_caller]
fn check(text: &str, title: &str, body: &str, expect: &[&str]) {
    let parsed = read(text);
    let found: Vec<_> = codes(&parsed).into_iter().filter(|code| *code != "date-missing").collect();
    let article = parsed.article.unwrap_or_else(|| panic!("{text:?}: {:?}", parsed.problems));
    assert_eq!(article.title, title, "{text:?}");
    assert_eq!(body_of(text, &article).trim(), body, "{text:?}");
    assert_eq!(found, expect, "{text:?}: {:?}", parsed.problems);
}

#[test]
fn an_article_comes_back_from_its_json() {
    let full = article(
        "---\ntitle: a\ndate: 2022-01-02\nupdated: 2022-01-03\nexpiryDate: 2030-01-01\nauthor: b\nlang: de\n\
         categories: [c, d]\ntags: [e]\nimage: f.jpg\nlink: https://a.example/\nslug: s\nguid: g\n\
         description: h\nenclosure: https://a.example/i.mp3\ndraft: true\n---\nx\n",
    );
    let bare = article("---\ntitle: a\n---\nx <!-- more -->\n");
    for article in [&full, &bare] {
        let json = serde_json::to_string(article).expect("JSON");
        assert_eq!(&serde_json::from_str::<Article>(&json).expect("an article"), article, "{json}");
        // As it was written before: hashes as numbers, and what is not there as `null`.
        let mut value: serde_json::Value = serde_json::from_str(&json).expect("JSON");
        let numbers = |hash: &Hash| serde_json::to_value(hash).expect("a list");
        (value["content"], value["body"]["hash"]) = (numbers(&article.content), numbers(&article.body.hash));
        for name in ["language", "link"] {
            value.as_object_mut().expect("an object").entry(name).or_insert(serde_json::Value::Null);
        }
        assert_eq!(&serde_json::from_str::<Article>(&value.to_string()).expect("an article"), article);
    }
    assert!(!serde_json::to_string(&bare).expect("JSON").contains("null"));
}

#[test]
fn dialects() {
    check("---\ntitle: a\n---\nx\n", "a", "x", &[]);
    check("\n \n\u{feff}---\ntitle: a\n---\nx\n", "a", "x", &[]);
    check("\u{feff}---\r\ntitle: a\r\n---\r\nx\r\ny", "a", "x\ny", &[]);
    check("---\rtitle: a\r---\rx", "a", "x", &[]);
    check("--- \t\ntitle: a\n---\t \nx\n", "a", "x", &[]);
    check("---\ntitle: a\n...\nx\n", "a", "x", &[]);
    check("-----\ntitle: a\n-----\nx\n", "a", "x", &[]);
    check("title: a\ndate: 2022-01-02\n---\nx\n", "a", "x", &[]);
    check("title: a\ntags:\n- b\n- c\n\n---\nx\n", "a", "x", &[]);
    check("\"title\": \"a\",\n\"tags\": [\"b\"]\n;;;\nx\n", "a", "x", &[]);
    check(";;;\n\"title\": \"a\"\n;;;\nx\n", "a", "x", &[]);
    check("{\n\"title\": \"a\",\n\"x\": {\"y\": \"}\"}\n}\nx\n", "a", "x", &[]);
    check("{\"title\": \"a\"} x\n", "a", "x", &[]);
    check("+++\ntitle = \"a\"\n[taxonomies]\ntags = [\"b\"]\n+++\nx\n", "a", "x", &[]);
    check("Title: a\nDate: 2022-01-02\nTags: b, c\n\nx\n", "a", "x", &[]);
    check("[#]: subject: \"a\"\n[#]: author: \"b\"\n[#]: date: (2022-01-02)\n\nx\n", "a", "x", &[]);
    check("<!--\n.. title: a\n.. slug: b\n.. date: 2012-03-30 23:00:00 UTC-03:00\n-->\n\nx\n", "a", "x", &[]);
    check("<!--\nno keys: here\n-->\nx\n", "a", "<!--\nno keys: here\n-->\nx", &["title-missing"]);
    check("%YAML 1.2\n---\ntitle: a\n---\nx\n", "a", "x", &[]);
    check("---json\n{\"title\": \"a\"}\n---\nx\n", "a", "x", &[]);
    check("---toml\ntitle = \"a\"\n---\nx\n", "a", "x", &[]);
    check("--- yaml\ntitle: a\n---\nx\n", "a", "x", &[]);
    check("# a\n\nx\n", "a", "# a\n\nx", &["title-missing"]);
    check("x\n", "a", "x", &["title-missing"]);
}

#[test]
fn fences_that_are_none() {
    check("---\ntitle: a\n---\nx\n\n---\n\ntitle: b\n\n---\ny\n", "a", "x\n\n---\n\ntitle: b\n\n---\ny", &[]);
    check("---\ntitle: a\nsummary: |\n  b\n  ---\n  c\n---\nx\n", "a", "x", &[]);
    check("---\ntitle: \"a\n\n  --- b\"\n---\nx\n", "a --- b", "x", &[]);
    check("---\ntitle: a\n---\nx\n-----------\ny\n", "a", "x\n-----------\ny", &[]);
    // Headings and rules of Markdown.
    check("Note: a heading\n---\nx\n", "Note: a heading", "Note: a heading\n---\nx", &["title-missing"]);
    check("---\n\nprose\n\n---\n\nx\n", "a", "---\n\nprose\n\n---\n\nx", &["title-missing", "yaml-repaired"]);
    check("---\n# Head\n---\nx\n", "Head", "---\n# Head\n---\nx", &["title-missing", "yaml-repaired"]);
    check("{% raw %}x{% endraw %}\n", "a", "{% raw %}x{% endraw %}", &["title-missing"]);
    check("{{ page.x }}\n", "a", "{{ page.x }}", &["title-missing"]);
    check("<div>\n---\ntitle: b\n---\n</div>", "a", "<div>\n---\ntitle: b\n---\n</div>", &["title-missing"]);
}

#[test]
fn fences_that_are_wrong() {
    check("---\ntitle: a\ndate: 2022-01-02\n\n<p>x</p>\n", "a", "<p>x</p>", &["fence-missing"]);
    check(
        "---\ntitle: a\n\nSome text here.\n\n---\n\nmore\n",
        "a",
        "Some text here.\n\n---\n\nmore",
        &["fence-missing"],
    );
    check(
        &format!("---\ntitle: a\n\n{}\n---\nmore\n", "Some text, [more].\n".repeat(2_000)),
        "a",
        &format!("{}\n---\nmore", "Some text, [more].\n".repeat(2_000)),
        &["fence-missing"],
    );
    check("---\n---\ntitle: a\n---\nx\n", "a", "x", &["yaml-repaired"]);
    check("  ---\n  title: a\n  ---\nx\n", "a", "x", &["yaml-repaired"]);
    check("+++\ntitle = \"a\"\n\nx\n", "a", "x", &["fence-missing"]);
    check("---\n---\n<p>x</p>\n", "a", "<p>x</p>", &["title-missing"]);
}

#[test]
fn broken_yaml_costs_a_warning() {
    for (line, title, column) in [
        ("title: b: c", "b: c", 8),
        ("title: @b", "@b", 8),
        ("title: `b`", "`b`", 8),
        ("title: %b", "%b", 8),
        ("title: *b* c", "*b* c", 8),
        ("title: [b] c", "[b] c", 8),
        ("title: {b} c", "{b} c", 8),
        ("title: \"b\" c", "\"b\" c", 8),
        ("title: \"It's \"b\"\"", "It's \"b\"", 8),
        ("title: \"\"\"'b'\"\"\"", "b", 8),
        ("title: \"C:\\docs \\pi\"", "C:\\docs \\pi", 8),
        ("title: \"b \\\" \\d\"", "b \" \\d", 8),
        ("title: 'It's b'", "It's b", 8),
        ("title: \"b\" and \"c\"", "\"b\" and \"c\"", 8),
        ("title: 'b', 'c'", "'b', 'c'", 8),
        ("title: 'It's open", "It's open", 8),
        ("title: \"never closed", "never closed", 8),
        ("title:b", "b", 7),
        ("title：b", "b", 7),
        ("title: b: c # comment", "b: c", 8),
        ("title: | b", "b", 8),
    ] {
        let text = format!("---\ndate: 2022-01-02\n{line}\ncategories:\n - x\n - y\nauthor: z\n---\nbody\n");
        let parsed = read(&text);
        assert_eq!(codes(&parsed), ["yaml-repaired"], "{line}: {:?}", parsed.problems);
        let problem = &parsed.problems[0];
        assert_eq!((problem.line, problem.column), (Some(3), Some(column)), "{line}");
        let article = parsed.article.as_ref().unwrap();
        assert_eq!(article.title, title, "{line}");
        assert_eq!(article.categories, [["x", "y"]], "{line}");
        assert_eq!(article.authors[0].name, "z", "{line}");
        // What the help says to write is read without a warning, and as the same.
        let help = problem.help.as_deref().unwrap();
        let mended = text.replace(line, help.strip_prefix("quote it: ").unwrap());
        let again = read(&mended);
        assert_eq!(codes(&again), [""; 0], "{mended}");
        assert_eq!(again.article.unwrap().title, title, "{mended}");
    }
}

#[test]
fn valid_yaml_that_nobody_means_is_read_as_it_stands() {
    for (line, title) in [
        (r#"title: "the \alpha and \beta""#, r"the \alpha and \beta"),
        (r#"title: "\Lambda calculus""#, r"\Lambda calculus"),
        ("title: &#8220;Moby&#8221; and more", "“Moby” and more"),
        ("title: &quot;Moby&quot;", "\"Moby\""),
        ("title: !Hola amigo", "!Hola amigo"),
    ] {
        let parsed = read(&format!("---\n{line}\ndate: 2022-01-02\ntags:\n- b\n- \"c\"\n---\nbody\n"));
        assert_eq!(codes(&parsed), ["yaml-repaired"], "{line}: {:?}", parsed.problems);
        let article = parsed.article.unwrap();
        assert_eq!((article.title.as_str(), article.tags.len()), (title, 2), "{line}");
    }
    // What is meant.
    for (line, title) in [
        (r#"title: "a \u263A\tb""#, "a ☺ b"),
        ("title: &name Moby", "Moby"),
        ("title: !!str 2015", "2015"),
        ("title: \"AT&amp;T\"", "AT&T"),
    ] {
        let parsed = read(&format!("---\n{line}\ndate: 2022-01-02\n---\nbody\n"));
        assert_eq!(codes(&parsed), [""; 0], "{line}: {:?}", parsed.problems);
        assert_eq!(parsed.article.unwrap().title, title, "{line}");
    }
}

#[test]
fn blank_lines_in_a_text_end_no_front_matter() {
    let text = "---\ntitle: a: b\nsummary: >\n  one\n\n  two\ntags: [c]\n---\nx\n";
    let parsed = read(text);
    let article = parsed.article.as_ref().unwrap();
    assert_eq!(codes(&parsed), ["date-missing", "yaml-repaired"], "{:?}", parsed.problems);
    assert_eq!((body_of(text, article).as_str(), article.tags.as_slice()), ("x\n", ["c".to_owned()].as_slice()));
}

#[test]
fn a_list_that_begins_behind_its_key() {
    let parsed = read("---\ntitle: a\ndate: 2022-01-02\ncategories: - b\ntags: - c - d\n---\nx\n");
    assert_eq!(codes(&parsed), ["yaml-repaired", "yaml-repaired"], "{:?}", parsed.problems);
    let article = parsed.article.unwrap();
    assert_eq!(article.categories, [["b"]]);
    assert_eq!(article.tags, ["c", "d"]);
}

#[test]
fn heads_of_html_documents_have_keys() {
    let text = "<!DOCTYPE html>\n<html><head><title>T &amp; U</title>\n<meta name=\"date\" content=\"2012-07-09 22:28\" />\n\
                <META NAME='tags' CONTENT='a, b'><meta name=category content=c><meta name=\"authors\" content=\"D E, F\">\
                <meta property=\"og:title\" content=\"x\"></head><body><p>text</p></body></html>\n";
    let parsed = read_as("a.html", text, &Rules::default());
    assert_eq!(codes(&parsed), ["title-missing"], "{:?}", parsed.problems);
    assert_eq!(parsed.origins[&Field::Published].line, Some(3));
    let article = parsed.article.unwrap();
    assert_eq!(article.title, "T & U");
    assert_eq!(article.published.unwrap().to_rfc3339(), "2012-07-09T22:28:00+00:00");
    assert_eq!((article.tags, article.categories), (vec!["a".to_owned(), "b".to_owned()], vec![vec!["c".to_owned()]]));
    assert_eq!(article.authors.iter().map(|author| author.name.as_str()).collect::<Vec<_>>(), ["D E", "F"]);
    // Nothing said, nothing taken.
    let bare = read_as("a.html", "<html><head><meta charset=utf-8></head><body>x</body></html>", &Rules::default());
    assert_eq!(codes(&bare), ["date-missing", "title-missing"], "{:?}", bare.problems);
}

#[test]
fn broken_toml_keeps_its_lists() {
    let parsed = read("+++\ntitle = \"A \"b\" c\"\ndate = 2022-01-02\ntags = [\"a\", \"b\"\n+++\nx\n");
    assert_eq!(codes(&parsed), ["toml-broken"], "{:?}", parsed.problems);
    let article = parsed.article.unwrap();
    assert_eq!((article.title.as_str(), article.tags), ("A \"b\" c", vec!["a".to_owned(), "b".to_owned()]));
}

#[test]
fn broken_lists_keep_their_items() {
    let parsed = read("---\ntitle: a\ncategories:\n - b\n - | c\n - @d\n---\nx\n");
    assert_eq!(parsed.article.as_ref().unwrap().categories, [["b", "c", "@d"]]);
    let places: Vec<_> =
        parsed.problems.iter().filter(|p| p.code == Code::YamlRepaired).map(|p| (p.line, p.column)).collect();
    assert_eq!(places, [(Some(5), Some(4)), (Some(6), Some(4))]);

    let parsed = read("---\ntitle: a\ncategories:\n\t- b\n\t- c\n---\nx\n");
    assert_eq!(parsed.article.as_ref().unwrap().categories, [["b", "c"]]);
    assert_eq!(codes(&parsed), ["date-missing", "yaml-repaired"]);

    let parsed = read("---\ntitle: a\ntags: [\"b\", 'c',\ncategories: [d: e, f]\nauthor:\n- g: h\nlang: en\n---\nx\n");
    let found = parsed.article.as_ref().unwrap();
    assert_eq!(
        (found.tags.as_slice(), found.categories.as_slice()),
        (&["b".to_owned(), "c".to_owned()][..], &[vec!["d: e".to_owned(), "f".to_owned()]][..])
    );

    let parsed = read("---\ntitle: a\n date: 2022-01-02\n tags:\n   - b\n---\nx\n");
    let found = parsed.article.as_ref().unwrap();
    assert_eq!(
        (found.title.as_str(), found.published.is_some(), found.tags.as_slice()),
        ("a", true, &["b".to_owned()][..])
    );

    let parsed = read("---\ntitle: a: b\ntags:\n  - c: d\n  - e\n---\nx\n");
    assert_eq!(parsed.article.as_ref().unwrap().title, "a: b");
}

#[test]
fn the_sample_of_the_contract() {
    let parsed = read("---\ndraft: no\ntitle: 旧闻: 一\n---\nx\n");
    let problem = parsed.problems.iter().find(|p| p.code == Code::YamlRepaired).unwrap();
    assert_eq!((problem.line, problem.column), (Some(3), Some(8)));
    assert!(
        problem.message.starts_with("the title is not valid YAML: ':' inside an unquoted value"),
        "{}",
        problem.message
    );
    assert_eq!(problem.help.as_deref(), Some("quote it: title: \"旧闻: 一\""));

    let parsed = read("---\ntitle: a\ndate: 2022-01-02\ndraft: true\n---\nx\n");
    let problem = &parsed.problems[0];
    assert_eq!((problem.code, problem.line, problem.column), (Code::Draft, Some(4), Some(1)));
    assert_eq!((problem.message.as_str(), problem.help.as_deref()), ("withheld: draft: true", None));
    assert!(parsed.article.unwrap().draft);
}

#[test]
fn titles() {
    for (value, title) in [
        ("2015", "2015"),
        ("1.10", "1.10"),
        ("yes", "yes"),
        ("' a  b '", "a b"),
        ("a &amp; b &#123;", "a & b {"),
        ("|\n  a\n  b", "a b"),
        ("\"a\\x01b\"", "ab"),
        ("[a]", "a"),
        ("!important", "!important"),
        ("<b>x</b>", "<b>x</b>"),
    ] {
        assert_eq!(article(&format!("---\ntitle: {value}\n---\nx\n")).title, title, "{value}");
    }
    for value in ["~", "", "''", "' '", "null", "{a: b}", "[a, b]", "\"\\u200b\""] {
        let parsed = read(&format!("---\ntitle: {value}\n---\n## From *the* [heading](x)\n"));
        assert_eq!(parsed.article.as_ref().unwrap().title, "From the heading", "{value}");
        assert!(codes(&parsed).contains(&"title-missing"), "{value}");
    }
    let long = article(&format!("---\ntitle: {}\n---\n", "长".repeat(2000))).title;
    assert!(long.chars().count() == fields::MAX_TITLE && long.ends_with('…'));
}

#[test]
fn titles_of_files_without_one() {
    let title = |path: &str, text: &str| read_as(path, text, &Rules::default()).article.unwrap().title;
    assert_eq!(title("x/some name.md", "text"), "some name");
    assert_eq!(title(" .md", "<p>Some words.</p>"), "Some words.");
    assert_eq!(title("a.html", "<html><head><title>t</title></head><h2>h &amp; i</h2>"), "h & i");
    assert_eq!(title("a.html", "<html><head><title>t</title></head><p>x</p>"), "t");
    assert_eq!(title("a.md", "```\n# no\n```\n\nHead\n====\n"), "Head");
    assert_eq!(title("a.md", "# {% raw %}`a` &amp; b{% endraw %}\n"), "a & b");
    assert_eq!(title("a.md", "text\n\n<h1>In <i>HTML</i></h1>\n"), "In HTML");
    assert_eq!(title("a.txt", "# no heading\n"), "a");
}

#[test]
fn dates_fall_back_as_the_rule_says() {
    let at = |path: &str, keys: &str| {
        let parsed = read_as(path, &format!("---\ntitle: a\n{keys}\n---\nx\n"), &Rules::default());
        let from = parsed.origins.get(&Field::Published).map(|origin| origin.from.clone()).unwrap_or_default();
        (parsed.article.unwrap().published.map(|at| at.format("%F").to_string()).unwrap_or_default(), from)
    };
    let is = |day: &str, from: &str| (day.to_owned(), from.to_owned());
    assert_eq!(at("a.md", "date: 2022-01-02\npublishDate: 2021-01-01"), is("2022-01-02", "date"));
    assert_eq!(at("a.md", "date: ''\npubdate: 2021-01-01"), is("2021-01-01", "pubdate"));
    assert_eq!(at("a.md", "published: 2021-01-01"), is("2021-01-01", "published"));
    assert_eq!(at("2020-05-06-a.md", "published: true"), is("2020-05-06", "file name"));
    assert_eq!(at("2020-05-06-a.md", "date: 2022-01-027"), is("2020-05-06", "file name"));
    assert_eq!(at("x/2020-5-6-a/index.md", ""), is("2020-05-06", "file name"));
    assert_eq!(at("2020-13-06-a.md", "path: 2019/02/03/x"), is("2019-02-03", "path"));
    assert_eq!(at("a.md", "permalink: /blog/2019/2/3/x/"), is("2019-02-03", "permalink"));
    assert_eq!(at("a.md", "url: /2019/13/03/x"), is("", ""));
    assert_eq!(at("2020/05/06/a.md", ""), is("", ""));
}

#[test]
fn wrong_dates_are_reported_with_what_was_taken() {
    let parsed = read_as("2020-05-06-a.md", "---\ntitle: a\ndate: 99:99\n---\nx\n", &Rules::default());
    assert_eq!(codes(&parsed), ["date-invalid"]);
    assert_eq!(parsed.problems[0].line, Some(3));
    assert!(parsed.problems[0].message.contains("the file name was taken"), "{}", parsed.problems[0].message);
    assert_eq!(codes(&read("---\ntitle: a\n---\nx\n")), ["date-missing"]);
    assert_eq!(codes(&read("---\ntitle: a\ndate: nonsense\n---\nx\n")), ["date-invalid"]);
}

#[test]
fn categories_are_paths_or_flat() {
    let read_with = |value: &str, meaning| {
        let rules = Rules { categories: meaning, ..Rules::default() };
        read_as("a.md", &format!("---\ntitle: a\ncategories: {value}\n---\n"), &rules).article.unwrap().categories
    };
    for (value, path, flat) in [
        ("[b, c]", vec![vec!["b", "c"]], vec![vec!["b"], vec!["c"]]),
        ("\n - b\n - c", vec![vec!["b", "c"]], vec![vec!["b"], vec!["c"]]),
        ("b", vec![vec!["b"]], vec![vec!["b"]]),
        ("b c", vec![vec!["b c"]], vec![vec!["b c"]]),
        ("b, c", vec![vec!["b", "c"]], vec![vec!["b"], vec!["c"]]),
        (
            "[[b, c], [b, d], e]",
            vec![vec!["b", "c"], vec!["b", "d"], vec!["e"]],
            vec![vec!["b"], vec!["c"], vec!["d"], vec!["e"]],
        ),
        ("[[b], \"c, d\"]", vec![vec!["b"], vec!["c, d"]], vec![vec!["b"], vec!["c, d"]]),
        ("[2015, 1.0, true, ~]", vec![vec!["2015", "1.0", "true"]], vec![vec!["2015"], vec!["1.0"], vec!["true"]]),
        ("", vec![], vec![]),
        ("{a: b}", vec![], vec![]),
        ("[{name: b}]", vec![vec!["b"]], vec![vec!["b"]]),
    ] {
        assert_eq!(read_with(value, Categories::Path), path, "{value}");
        assert_eq!(read_with(value, Categories::Flat), flat, "{value}");
    }
    // Jekyll alone splits at blanks.
    let jekyll = read_as("2020-01-02-a.md", "---\ntitle: a\ncategories: b c\ntags: d e\n---\n", &Rules::default())
        .article
        .unwrap();
    assert_eq!(
        (jekyll.categories, jekyll.tags),
        (vec![vec!["b".to_owned(), "c".to_owned()]], vec!["d".to_owned(), "e".to_owned()])
    );
}

#[test]
fn terms_have_limits() {
    let many: Vec<String> = (0..100).map(|n| format!("t{n}")).collect();
    let parsed = read(&format!(
        "---\ntitle: a\nauthor: b\ntags: [{}]\ncategories: [{}]\n---\n",
        many.join(", "),
        many.join(", ")
    ));
    let article = parsed.article.as_ref().unwrap();
    assert_eq!(article.categories[0].len(), 16);
    assert_eq!(article.categories.len() + article.authors.len() + article.tags.len(), 64);
    assert_eq!(codes(&parsed).iter().filter(|code| **code == "terms-cut").count(), 1);
}

#[test]
fn authors() {
    let names = |value: &str| -> Vec<(String, Option<String>)> {
        article(&format!("---\ntitle: a\nauthor: {value}\n---\n"))
            .authors
            .into_iter()
            .map(|author| (author.name, author.email))
            .collect()
    };
    let one = |name: &str, email: Option<&str>| vec![(name.to_owned(), email.map(str::to_owned))];
    assert_eq!(names("b"), one("b", None));
    assert_eq!(names("42"), one("42", None));
    assert_eq!(names("b@c.example (d)"), one("d", Some("b@c.example")));
    assert_eq!(names("d <b@c.example>"), one("d", Some("b@c.example")));
    assert_eq!(names("{name: d, email: b@c.example}"), one("d", Some("b@c.example")));
    assert_eq!(names("[d, d]"), one("d", None));
    assert_eq!(names("\n - name: d"), one("d", None));
    assert_eq!(names(""), []);
}

#[test]
fn drafts_wait() {
    for keys in [
        "draft: true",
        "draft: 'true'",
        "draft: yes",
        "draft: soon",
        "published: false",
        "published: no",
        "status: draft",
    ] {
        let parsed = read(&format!("---\ntitle: a\n{keys}\n---\nx\n"));
        assert!(parsed.article.as_ref().unwrap().draft, "{keys}");
        assert!(codes(&parsed).contains(&"draft"), "{keys}");
    }
    for keys in ["draft: false", "draft:", "published: true", "published: 2022-01-02", "status: published"] {
        assert!(!article(&format!("---\ntitle: a\n{keys}\n---\nx\n")).draft, "{keys}");
    }
    assert!(read_as("x/_drafts/a.md", "x", &Rules::default()).article.unwrap().draft);
}

#[test]
fn addresses_media_and_ids() {
    let found = article(
        "---\ntitle: a\nheadimg: javascript:alert(1)\nthumbnail: https://x.example/t.jpg\nlink: /own\npermalink: https://x.example/p/\n\
         guid: abc\nfile: https://x.example/e.mp3\nlength: 123\nvideo: dQw4w9WgXcQ\nenclosures:\n - {url: /v.mp4, length: 7}\nlang: zh-CN\nslug: s\n\
         expiryDate: 2030-01-02\nlastmod: 2022-01-02\n---\nx\n",
    );
    assert_eq!(found.image.as_deref(), Some("https://x.example/t.jpg"));
    assert_eq!(found.link.as_deref(), Some("https://x.example/p/"));
    assert_eq!(found.explicit_id.as_deref(), Some("abc"));
    let media: Vec<_> = found.media.iter().map(|m| (m.url.as_str(), m.media_type.as_deref(), m.length)).collect();
    assert_eq!(media, [("/v.mp4", Some("video/mp4"), 7), ("https://x.example/e.mp3", Some("audio/mpeg"), 123)]);
    assert_eq!((found.language.as_deref(), found.slug.as_deref()), (Some("zh-CN"), Some("s")));
    assert!(found.expires.is_some() && found.updated.is_some());

    let id = |value: &str| article(&format!("---\ntitle: a\nid: {value}\n---\n")).explicit_id;
    assert_eq!(id("7"), None);
    assert_eq!(id("https://x.example/7").as_deref(), Some("https://x.example/7"));
    assert_eq!(id("6f0d7b5e-5f0a-5d5e-9c1f-3f1c2b7a9e10").as_deref(), Some("6f0d7b5e-5f0a-5d5e-9c1f-3f1c2b7a9e10"));
}

#[test]
fn addresses_without_a_base_are_reported() {
    let told = |path: &str, text: &str, rooted: bool| {
        let parsed = read_as(path, text, &Rules { rooted, ..Rules::default() });
        let problem = parsed.problems.into_iter().find(|problem| problem.code == Code::LinkDropped)?;
        Some((problem.line.unwrap(), problem.column.unwrap(), problem.message))
    };
    let text = "---\ntitle: a\n---\n\nSee ![b](c.png), [d](/d/) and <img src='e.png'>.\n";
    let (line, column, message) = told("a.md", text, false).unwrap();
    assert_eq!((line, column), (5, 5));
    assert!(message.contains("`c.png`") && message.ends_with("as were 2 more"), "{message}");
    assert_eq!(told("a.md", text, true), None);
    assert_eq!(told("a.md", &text.replace("title: a", "title: a\nlink: https://x.example/a"), false), None);
    for (path, body, place) in [
        ("a.html", "<p>\n<a class=x href = /b>c</a>", Some((5, 1))),
        ("a.md", "<p>b</p>\n\n[c]: d/e.html\n\n[x][c]", Some((8, 1))),
        ("a.md", "[b](https://x.example/) <a href=//x.example/>c</a> [d](#d) [e](mailto:a@b.example)", None),
        ("a.md", "`[b](c)`\n\n```\n<img src=d.png>\n```\n\n[ ](<>)", None),
        ("a.txt", "[b](c.png)", None),
    ] {
        let found = told(path, &format!("---\ntitle: a\n---\n{body}\n"), false).map(|(line, column, _)| (line, column));
        assert_eq!(found, place, "{body}");
    }
    assert_eq!(told("a.md", "---\ntitle: a\nimage: b.png\n---\nx\n", false).unwrap().0, 3);
}

#[test]
fn summaries() {
    let summary = |text: &str| article(text).summary;
    for mark in ["<!-- more -->", "<!--more-->", "<!-- More -->", "<!--more read on-->", "<!-- truncate -->"] {
        assert_eq!(
            summary(&format!("---\ntitle: a\ndescription: d\n---\nx\n{mark}\ny\n")),
            Some(Summary::BodyUntil(2)),
            "{mark}"
        );
    }
    assert_eq!(summary("---\ntitle: a\ndescription: d &amp; e\n---\nx\n"), Some(Summary::Text("d & e".into())));
    assert_eq!(
        summary("---\ntitle: a\nexcerpt: <b>d</b> &amp;\n---\nx\n"),
        Some(Summary::Text("<b>d</b> &amp;".into()))
    );
    assert_eq!(summary("---\ntitle: a\n---\n<!-- more -->\ny\n"), None);
    assert_eq!(summary("---\ntitle: a\n---\nx\n```\n<!-- more -->\n```\n"), None);
    assert_eq!(
        summary("---\ntitle: a\nexcerpt_separator: '~~cut~~'\n---\nx\n~~cut~~\ny\n"),
        Some(Summary::BodyUntil(2))
    );
}

#[test]
fn bodies_are_html_where_exporters_wrote_it() {
    for (body, markup) in [
        ("<div>\n\n    <ul>\n\n    <li>x</li></ul>\n</div>\n   ", Markup::Html),
        ("<p>a</p><p>b", Markup::Html),
        ("<!-- c --><p>a</p>", Markup::Html),
        ("<p>a</p>\n\n*b*\n", Markup::Markdown),
        ("<div markdown=\"1\">\n*b*\n</div>", Markup::Markdown),
        ("<https://x.example>", Markup::Markdown),
        ("*b*", Markup::Markdown),
        ("", Markup::Markdown),
    ] {
        assert_eq!(article(&format!("---\ntitle: a\n---\n{body}")).body.markup, markup, "{body:?}");
    }
    let markup = |path: &str| read_as(path, "*x*", &Rules::default()).article.unwrap().body.markup;
    assert_eq!(
        (markup("a.HTML"), markup("a.txt"), markup("a.markdown")),
        (Markup::Html, Markup::Text, Markup::Markdown)
    );
}

#[test]
fn keys_match_without_regard_to_case_and_settings_go_first() {
    assert_eq!(article("---\nTitle: big\ntitle: small\n---\n").title, "small");
    assert_eq!(article("---\nTITLE: big\n---\n").title, "big");
    let parsed = read("---\ntitle:\ntitle: b\n---\n");
    assert_eq!(parsed.article.as_ref().unwrap().title, "b");
    assert!(codes(&parsed).contains(&"key-duplicate"));
    let rules = Rules {
        fields: BTreeMap::from([(Field::Title, vec!["headline".to_owned(), "extra.name".to_owned()])]),
        ..Rules::default()
    };
    let parsed = read_as("a.md", "---\ntitle: b\nextra:\n  name: c\n---\n", &rules);
    assert_eq!(parsed.article.unwrap().title, "c");
    assert_eq!(parsed.origins[&Field::Title], Origin { from: "extra.name".to_owned(), line: Some(4) });
}

#[test]
fn noise_is_no_change() {
    let hash = |text: &str, noise: Vec<Noise>| {
        let found = read_as("a.md", text, &Rules { ignore_changes: noise, ..Rules::default() }).article.unwrap();
        (found.content, found.body.hash)
    };
    let with = |n: u32, title: &str| {
        format!(
            "---\ntitle: {title}\nheadimg: 'https://picsum.photos/400/300?random={n}'\ndate: 2022-01-{n}\n---\n<p><img src=\"https://picsum.photos/400/300?random={n}\">x {n}</p>\n"
        )
    };
    let silent = |n: u32| with(n, "a").replace(&format!("x {n}"), "x");
    assert_eq!(hash(&silent(11), vec![Noise::Default]), hash(&silent(12), vec![Noise::Default]));
    let more = |n: u32| format!("{}<!-- more -->\ny\n", silent(n));
    assert_eq!(hash(&more(1), vec![Noise::Default]), hash(&more(12), vec![Noise::Default]));
    assert_ne!(hash(&silent(11), vec![]), hash(&silent(12), vec![]));
    assert_ne!(hash(&with(11, "a"), vec![Noise::Default]).1, hash(&with(12, "a"), vec![Noise::Default]).1);
    let digits = Noise::Pattern(None, regex::Regex::new("x [0-9]+").unwrap());
    assert_eq!(
        hash(&with(11, "a"), vec![Noise::Default, digits.clone()]),
        hash(&with(12, "a"), vec![Noise::Default, digits])
    );
    assert_eq!(
        hash(&silent(11), vec![Noise::Default, Noise::Field(Field::Title)]).0,
        hash(&with(11, "b").replace("x 11", "x"), vec![Noise::Default, Noise::Field(Field::Title)]).0
    );
}

#[test]
fn encodings() {
    let bytes = |encoding: &'static encoding_rs::Encoding, text: &str| encoding.encode(text).0.into_owned();
    let text = "---\ntitle: 国家统计局发布数据\ncategories:\n- 金融\n---\n今天上午国家统计局发布了最新的经济数据，市场反应平稳。\n";
    let gbk = bytes(encoding_rs::GBK, text);
    let parsed = parse(SourceFile { path: "a.md", bytes: &gbk }, &Rules::default());
    assert_eq!(parsed.article.as_ref().unwrap().title, "国家统计局发布数据");
    assert_eq!(codes(&parsed), ["date-missing", "charset-guessed"]);

    let rules = Rules { charset: Some(encoding_rs::GBK), ..Rules::default() };
    let parsed = parse(SourceFile { path: "a.md", bytes: &gbk }, &rules);
    assert_eq!(codes(&parsed), ["date-missing"]);
    // A byte gone wrong in UTF-8 does not make it GBK.
    let mut damaged = text.as_bytes().to_vec();
    damaged.insert(text.len() - 4, 0xff);
    let parsed = parse(SourceFile { path: "a.md", bytes: &damaged }, &rules);
    assert_eq!(codes(&parsed), ["date-missing", "charset-bad"]);
    assert_eq!(parsed.article.unwrap().title, "国家统计局发布数据");

    // Four bytes could be Korean; the name says that they are not.
    let short = bytes(encoding_rs::GBK, "---\ntitle: 你好\n---\nx\n");
    let parsed = parse(SourceFile { path: "杂记/a.md", bytes: &short }, &Rules::default());
    assert_eq!(parsed.article.unwrap().title, "你好");

    let wide: Vec<u8> = "---\ntitle: a\n---\nx\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let rules = Rules { charset: Some(encoding_rs::UTF_16LE), ..Rules::default() };
    assert_eq!(parse(SourceFile { path: "a.md", bytes: &wide }, &rules).article.unwrap().title, "a");

    let utf16: Vec<u8> = [0xff, 0xfe].into_iter().chain(text.encode_utf16().flat_map(u16::to_le_bytes)).collect();
    let parsed = parse(SourceFile { path: "a.md", bytes: &utf16 }, &Rules::default());
    let article = parsed.article.unwrap();
    assert_eq!(article.body.encoding, "UTF-16LE");
    assert!(decode(&utf16, "UTF-16LE")[article.body.start..article.body.end].starts_with("今天"));
}

#[test]
fn files_that_are_no_articles() {
    let refused = |bytes: &[u8]| {
        let parsed = parse(SourceFile { path: "a.md", bytes }, &Rules::default());
        assert!(parsed.article.is_none());
        codes(&parsed)
    };
    assert_eq!(refused(b""), ["empty"]);
    assert_eq!(refused(b"\n \r\n\t"), ["empty"]);
    assert_eq!(refused("\u{feff}\n".as_bytes()), ["empty"]);
    assert_eq!(refused(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"), ["not-text"]);
    assert_eq!(refused(&[0; 100]), ["not-text"]);
    assert_eq!(refused(b"t\0i\0t\0l\0e\0"), ["not-text"]);
    assert_eq!(refused(b"---\n---\n"), ["no-article"]);
    assert_eq!(refused(b"---\n"), ["no-article"]);
    assert_eq!(refused(b"---\ntitle: a\nx: &x [*x]\n---\nx\n"), ["front-matter-budget"]);
    assert_eq!(refused(format!("---\ntitle: a\nx: {}\n---\nx\n", "[".repeat(300)).as_bytes()), ["front-matter-budget"]);
}

/// What holds for every file, whatever is in it.
fn lawful(path: &str, bytes: &[u8]) {
    let parsed = parse(SourceFile { path, bytes }, &Rules::default());
    match &parsed.article {
        Some(article) => {
            let text = decode(bytes, &article.body.encoding);
            let body = text.get(article.body.start..article.body.end).expect("the body is a range of the text");
            if let Some(Summary::BodyUntil(end)) = article.summary {
                assert!(body.is_char_boundary(end));
            }
            assert!(!article.title.trim().is_empty() && !article.title.contains(['\n', '\r', '\0', '\u{fffe}']));
        }
        None => assert!(!parsed.problems.is_empty()),
    }
    assert!(parsed.problems.iter().all(|problem| problem.line != Some(0) && problem.column != Some(0)));
}

proptest! {
    #[test]
    fn any_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        lawful("a.md", &bytes);
    }

    #[test]
    fn any_text(text in "\\PC{0,200}", path in "[a-z0-9./ -]{1,20}") {
        lawful(&path, text.as_bytes());
    }

    #[test]
    fn anything_like_front_matter(
        fence in "(---|\\+\\+\\+|;;;|\\{|-----|)",
        lines in proptest::collection::vec("(title|date|tags|categories|author|draft|x)?[:= ]{0,3}[-a-z0-9'\":,#&*!|>%@\\[\\]{}\\\\ \t<]{0,16}", 0..8),
        close in "(---|\\+\\+\\+|;;;|\\}|\\.\\.\\.|)",
        body in "[-#<>a-z/!\\n` *]{0,40}",
    ) {
        lawful("a.md", format!("{fence}\n{}\n{close}\n{body}", lines.join("\n")).as_bytes());
    }

    #[test]
    fn any_html(body in "(<[a-z/!-]{0,4}[ a-z=\"'>-]{0,6}|[a-z>&;]{0,4}|<!--|-->|<script>|</script){0,30}") {
        lawful("a.html", body.as_bytes());
        lawful("a.md", body.as_bytes());
    }
}
