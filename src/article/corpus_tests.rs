//! Whole folders of real and hostile files, where they are on the machine: what each should read as.
//!
//! The files are third parties' and stay outside of the project; without them these tests say that they were skipped.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value as Json;

use super::*;
use crate::diagnostic::Severity;

/// The folder of test data beside the project.
fn shared(part: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared").join(part);
    if path.exists() {
        return Some(path);
    }
    #[expect(clippy::print_stderr, reason = "a skipped test must be seen")]
    {
        eprintln!("SKIPPED: {} is not here", path.display());
    }
    None
}

fn json_lines(path: &Path) -> Vec<Json> {
    fs::read_to_string(path).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn files(root: &Path) -> Vec<PathBuf> {
    let suffixes = ["md", "markdown", "html", "htm", "txt"];
    let mut found: Vec<PathBuf> = walkdir::WalkDir::new(root)
        .into_iter()
        .map(|entry| entry.unwrap().into_path())
        .filter(|path| {
            path.extension().is_some_and(|suffix| suffixes.iter().any(|known| suffix.eq_ignore_ascii_case(known)))
                || path.ends_with(".md")
        })
        .collect();
    found.sort();
    found
}

fn parse_at(path: &str, bytes: &[u8]) -> Parsed {
    let parsed = parse(SourceFile { path, bytes }, &Rules::default());
    lawful(&parsed, bytes, path);
    parsed
}

/// What holds for every file.
fn lawful(parsed: &Parsed, bytes: &[u8], path: &str) {
    let Some(article) = &parsed.article else {
        assert!(!parsed.problems.is_empty(), "{path}: lost without a word");
        return;
    };
    let text = decode(bytes, &article.body.encoding);
    let body = text.get(article.body.start..article.body.end);
    assert!(body.is_some(), "{path}: the body's range is not in its text");
    if let Some(Summary::BodyUntil(end)) = article.summary {
        assert!(body.unwrap().get(..end).is_some(), "{path}: the summary ends outside of the body");
    }
    assert!(
        !article.title.trim().is_empty() && !article.title.contains(['\n', '\r', '\0']),
        "{path}: title {:?}",
        article.title
    );
    assert!(article.categories.len() + article.tags.len() + article.authors.len() <= 64, "{path}");
    assert!(article.categories.iter().all(|levels| (1..=16).contains(&levels.len())), "{path}");
    assert!(
        !parsed.problems.iter().any(|problem| problem.severity == Severity::Error),
        "{path}: {:?}",
        parsed.problems
    );
}

/// How the truth writes a text: white space as one blank.
fn collapsed(text: &str) -> String {
    text::one_line(text)
}

fn strings(value: &Json) -> Vec<String> {
    value.as_array().unwrap().iter().map(|item| collapsed(item.as_str().unwrap())).collect()
}

fn instant(at: Option<Timestamp>) -> Json {
    at.map_or(Json::Null, |at| Json::String(at.format("%Y-%m-%dT%H:%M:%SZ").to_string()))
}

#[test]
fn real_files_read_as_the_truth_says() {
    let (Some(truth), Some(corpus)) = (shared("truth"), shared("corpus")) else { return };
    let mut wrong = Vec::new();
    let mut count = 0;
    for list in fs::read_dir(truth)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|s| s == "jsonl"))
    {
        for row in json_lines(&list) {
            count += 1;
            let path = row["path"].as_str().unwrap();
            let parsed = parse_at(path, &fs::read(corpus.join(path)).unwrap());
            let Some(article) = parsed.article else {
                // A page that only forwards, and an empty file.
                let has_title = row["title"].as_str().is_some_and(|title| !title.is_empty())
                    && row["unsure"].as_array().is_none_or(|names| !names.iter().any(|n| n == "title"));
                if has_title {
                    wrong.push(format!("{path}: {:?}", parsed.problems));
                }
                continue;
            };
            let unsure = strings(&row["unsure"]);
            let mut differ = |field: &str, expect: String, found: String| {
                if expect != found && !unsure.iter().any(|name| name == field) {
                    wrong.push(format!("{path}: {field} is {found}, not {expect}"));
                }
            };
            let title = row["title"].as_str().map(collapsed).unwrap_or_default();
            if !title.is_empty() {
                differ("title", title, article.title.clone());
            }
            if !row["date_utc"].is_null() {
                differ("date_utc", row["date_utc"].to_string(), instant(article.published).to_string());
            } else if article.published.is_some()
                && !matches!(
                    parsed.origins[&Field::Published].from.as_str(),
                    "file name" | "path" | "url" | "permalink"
                )
            {
                differ("date_utc", "null".into(), instant(article.published).to_string());
            }
            if !row["updated_utc"].is_null() {
                differ("updated_utc", row["updated_utc"].to_string(), instant(article.updated).to_string());
            }
            differ(
                "categories",
                format!("{:?}", strings(&row["categories"])),
                format!("{:?}", article.categories.concat()),
            );
            let paths: Vec<Vec<String>> = row["category_paths"].as_array().unwrap().iter().map(strings).collect();
            if !paths.is_empty() {
                differ("category_paths", format!("{paths:?}"), format!("{:?}", article.categories));
            }
            let mut tags = strings(&row["tags"]);
            let mut seen = std::collections::HashSet::new();
            tags.retain(|tag| seen.insert(tag.clone()));
            differ("tags", format!("{tags:?}"), format!("{:?}", article.tags));
            differ(
                "author",
                format!("{:?}", strings(&row["author"])),
                format!("{:?}", article.authors.iter().map(|a| a.name.clone()).collect::<Vec<_>>()),
            );
            differ("draft", row["draft"].to_string(), article.draft.to_string());
        }
    }
    assert!(count > 900, "only {count} rows");
    assert!(wrong.is_empty(), "{} of {count} rows:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn every_real_file_is_published_or_explained() {
    let Some(corpus) = shared("corpus") else { return };
    let mut lost: BTreeMap<String, Vec<Diagnostic>> = BTreeMap::new();
    let mut codes: BTreeMap<(String, &str), u32> = BTreeMap::new();
    let mut counts: BTreeMap<String, (u32, u32, u32)> = BTreeMap::new();
    for path in files(&corpus) {
        let relative = path.strip_prefix(&corpus).unwrap().to_str().unwrap();
        // Excluded by name.
        if relative.ends_with("README.md") || relative.ends_with("_index.md") {
            continue;
        }
        let folder = relative.split('/').next().unwrap().to_owned();
        let parsed = parse_at(relative, &fs::read(&path).unwrap());
        let entry = counts.entry(folder.clone()).or_default();
        match &parsed.article {
            Some(article) if article.draft => entry.1 += 1,
            Some(_) => entry.0 += 1,
            None => {
                entry.2 += 1;
                lost.insert(relative.to_owned(), parsed.problems.clone());
            }
        }
        for problem in &parsed.problems {
            *codes.entry((folder.clone(), problem.code.as_str())).or_default() += 1;
        }
    }
    let (published, withheld, refused) =
        counts.values().fold((0, 0, 0), |sum, count| (sum.0 + count.0, sum.1 + count.1, sum.2 + count.2));
    #[expect(clippy::print_stderr, reason = "the counts are what the test is for")]
    {
        eprintln!(
            "published {published}, drafts {withheld}, refused {refused}; by folder {counts:#?}; codes {codes:#?}"
        );
    }
    let listed: BTreeMap<&str, &str> = include_str!("../../tests/corpus/unpublished.txt")
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| line.split_once(": ").expect("a path and a reason"))
        .collect();
    assert!(listed.keys().eq(lost.keys()), "listed {listed:#?}, found {lost:#?}");
    assert!(f64::from(published) >= 0.995 * f64::from(published + refused), "{lost:#?}");
}

/// Files cut short and files with bytes gone wrong, as half copies and bad disks leave them.
#[test]
fn damaged_files_are_read_or_explained() {
    let Some(corpus) = shared("corpus") else { return };
    let mut random = 0x2545_f491_4f6c_dd1d_u64;
    let mut next = |below: usize| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        usize::try_from(random % (below.max(1) as u64)).unwrap()
    };
    for path in files(&corpus).iter().step_by(79) {
        let name = path.to_str().unwrap();
        let bytes = fs::read(path).unwrap();
        let bytes = &bytes[..bytes.len().min(12_000)];
        for at in (0..bytes.len()).step_by(bytes.len() / 25 + 1) {
            parse_at(name, &bytes[..at]);
        }
        for _ in 0..25 {
            let mut damaged = bytes.to_vec();
            for _ in 0..=next(4) {
                // The front matter is where it hurts.
                let at = if next(2) == 0 { next(damaged.len().min(400)) } else { next(damaged.len()) };
                match next(4) {
                    0 if !damaged.is_empty() => damaged[at] ^= 1 << next(8),
                    1 if !damaged.is_empty() => drop(damaged.remove(at)),
                    2 => damaged.insert(at, b"\n-:'\"#[]{}|\t\0\xff"[next(14)]),
                    _ => {
                        let line: Vec<u8> = damaged[at..].iter().copied().take(40).collect();
                        damaged.splice(at..at, line);
                    }
                }
            }
            parse_at(name, &damaged);
        }
    }
}

#[test]
fn dates_read_as_the_list_says() {
    let Some(list) = shared("dates/dates.jsonl") else { return };
    let mut wrong = Vec::new();
    let mut given_up = Vec::new();
    for row in json_lines(&list) {
        let input = row["input"].as_str().unwrap();
        let found = instant(date::parse(input, chrono_tz::UTC).ok());
        if found == row["expected_utc"] {
            continue;
        }
        let line = format!("{:?}: {found}, not {}", repair::short(input), row["expected_utc"]);
        if row["strength"] == "may" && found.is_null() { given_up.push(line) } else { wrong.push(line) }
    }
    #[expect(clippy::print_stderr, reason = "what may be left out is worth a look")]
    {
        eprintln!("not read, as is allowed:\n{}", given_up.join("\n"));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn hostile_files_come_out_as_their_list_says() {
    let Some(folder) = shared("hostile/articles") else { return };
    let index: Json = serde_json::from_slice(&fs::read(folder.join("index.json")).unwrap()).unwrap();
    let mut wrong = Vec::new();
    for row in index.as_array().unwrap() {
        let name = row["file"].as_str().unwrap();
        let Ok(bytes) = fs::read(folder.join(name)) else { continue };
        let parsed = parse_at(name, &bytes);
        let expect = row["expect"].as_str().unwrap();
        let shown = parsed.article.as_ref().is_some_and(|article| !article.draft);
        let fine = match expect {
            "publish" => shown,
            "lenient" => shown || !parsed.problems.is_empty(),
            "refuse" => !shown && !parsed.problems.is_empty(),
            _ => !shown,
        };
        if !fine {
            wrong.push(format!("{name}: {expect}, but shown={shown} {:?}", parsed.problems));
            continue;
        }
        let Some(article) = &parsed.article else { continue };
        let checks = &row["checks"];
        let mut differ = |what: &str, expect: String, found: String| {
            if expect != found {
                wrong.push(format!("{name}: {what} is {found:?}, not {expect:?}"));
            }
        };
        if let Some(title) = checks["title"].as_str() {
            differ("title", title.to_owned(), article.title.clone());
        }
        if checks["date_utc"].is_string() {
            differ("date", checks["date_utc"].to_string(), instant(article.published).to_string());
        }
        if let Some(author) = checks["author"].as_str() {
            differ("author", author.to_owned(), article.authors.first().map(|a| a.name.clone()).unwrap_or_default());
        }
        if checks["categories"].is_array() {
            differ(
                "categories",
                format!("{:?}", strings(&checks["categories"])),
                format!("{:?}", article.categories.concat()),
            );
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Valid documents that the crate refuses: they are repaired and reported. Nobody writes front matter like this.
const UNREADABLE: &[&str] = &[
    // Colons in the names of anchors.
    "2SXE", "W5VH", // A colon on the line below its key, in a flow mapping.
    "4MUZ", "VJP3-01", // `?` and `:` at the start of a scalar in a flow mapping.
    "58MP", "652Z", // A tab behind the indent.
    "96NN", "A2M4", "Y79Y-01",
];

#[test]
fn the_yaml_suite_reads_as_its_json_says() {
    let Some(folder) = shared("hostile/yaml-suite") else { return };
    let index: Json = serde_json::from_slice(&fs::read(folder.join("index.json")).unwrap()).unwrap();
    let mut wrong = Vec::new();
    for row in index.as_array().unwrap() {
        let name = row["file"].as_str().unwrap();
        let bytes = fs::read(folder.join(name)).unwrap();
        let parsed = parse_at(name, &bytes);
        let reported = parsed.problems.iter().any(|p| p.severity != Severity::Note && p.code != Code::TitleMissing);
        if row["fail"] == true {
            // The others are cut by a fence of their own, and nothing broken is left.
            if !reported && row["single"] == true {
                wrong.push(format!("{name} ({}): taken for valid", row["name"]));
            }
        } else if row["single"] == true && row["mapping"] == true {
            let text = decode(&bytes, "UTF-8");
            let keys::Outcome::Keys(keys) = keys::read(&front::cut(&text)) else {
                if !UNREADABLE.iter().any(|known| name.starts_with(known)) {
                    wrong.push(format!("{name} ({}): no keys", row["name"]));
                }
                continue;
            };
            let found = as_json(&crate::yaml::Value::Map(keys.entries));
            if same(&found, &row["json"]) == UNREADABLE.iter().any(|known| name.starts_with(known)) {
                wrong.push(format!("{name} ({}): {found} {}", row["name"], row["json"]));
            }
        }
    }
    assert!(wrong.is_empty(), "{}:\n{}", wrong.len(), wrong.join("\n"));
}

/// Numbers and truth values as their text.
fn as_json(value: &crate::yaml::Value) -> Json {
    use crate::yaml::Value;
    match value {
        Value::Null => Json::Null,
        Value::Scalar(scalar) => Json::String(scalar.text.clone()),
        Value::List(items) => items.iter().map(as_json).collect(),
        Value::Map(entries) => {
            Json::Object(entries.iter().map(|entry| (entry.key.clone(), as_json(&entry.value))).collect())
        }
    }
}

fn same(found: &Json, expect: &Json) -> bool {
    match (found, expect) {
        (Json::Array(a), Json::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)),
        (Json::Object(a), Json::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(key, a)| b.get(key).is_some_and(|b| same(a, b)))
        }
        (Json::String(a), Json::Number(b)) => *a == b.to_string() || a.parse::<f64>().ok() == b.as_f64(),
        (Json::String(a), Json::Bool(b)) => *a == b.to_string(),
        (a, b) => a == b,
    }
}
