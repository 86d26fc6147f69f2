//! The layers of `src/lib.rs` hold: who may know whom, which crate stays in which corner, what the pure layers do not
//! touch. The table is read from the documentation itself, so that neither can go stale.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Modules that the table does not list, with what they may know.
/// The daemon asks its own server whether it goes round.
const BESIDE: [(&str, &[&str]); 4] =
    [("metrics", &["entry"]), ("client", &["server"]), ("rendition", &["metrics"]), ("daemon", &["client"])];

/// Modules around all: nobody else may know them.
const AROUND: [&str; 2] = ["config", "cli"];

/// Crates of wire formats and of the system, with the only files that may name them.
const CORNERS: [(&str, &[&str]); 9] = [
    ("rss", &["feed/rss.rs"]),
    ("atom_syndication", &["feed/atom.rs"]),
    ("notify", &["daemon/watch.rs"]),
    ("rusqlite", &["catalog/"]),
    ("serde_yaml", &["yaml.rs", "yaml/"]),
    ("hyper", &["server/", "client.rs"]),
    ("hyper_util", &["server/", "client.rs"]),
    ("tokio_rustls", &["client.rs"]),
    ("webpki_roots", &["client.rs"]),
];

/// What pure layers never name.
const IMPURE: [&str; 8] =
    ["std::fs", "std::env", "std::net", "std::process", "Utc::now", "SystemTime::now", "Instant::now", "tokio::"];

struct Source {
    /// Relative to `src`, `/` between names.
    name: String,
    text: String,
    /// Without comments, texts and tests.
    code: String,
}

impl Source {
    fn module(&self) -> &str {
        self.name.split(['/', '.']).next().unwrap_or_default()
    }
}

fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut sources = Vec::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        let mut paths: Vec<PathBuf> =
            std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path()).collect();
        paths.sort();
        for path in paths {
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|suffix| suffix == "rs") {
                let name = path.strip_prefix(&root).expect("below src").display().to_string();
                let text = std::fs::read_to_string(&path).expect("a source");
                let code =
                    if name.ends_with("tests.rs") || name.contains("/tests/") { String::new() } else { bare(&text) };
                sources.push(Source { name, text, code });
            }
        }
    }
    assert!(sources.len() > 20, "{} sources", sources.len());
    sources
}

/// The code without comments, texts and what follows `#[cfg(test)]` on a module at the end.
fn bare(text: &str) -> String {
    let text = match text.find("#[cfg(test)]\nmod ") {
        Some(at) => &text[..at],
        None => text,
    };
    let mut code = String::new();
    for line in text.lines() {
        let line = line.split("//").next().unwrap_or_default();
        // Every second part between quotes is a text; quoted quotes are rare enough.
        code.extend(line.split('"').step_by(2));
        code.push('\n');
    }
    code
}

/// The modules of this crate that code names: `crate::x` and `crate::{x::…, y}`.
fn known(code: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for (at, found) in code.match_indices("crate::") {
        let rest = &code[at + found.len()..];
        match rest.strip_prefix('{') {
            None => drop(names.insert(word(rest))),
            Some(group) => {
                let mut depth = 0;
                let mut start = true;
                for (index, c) in group.char_indices() {
                    match c {
                        '{' => depth += 1,
                        '}' if depth == 0 => break,
                        '}' => depth -= 1,
                        ',' if depth == 0 => start = true,
                        c if start && !c.is_whitespace() => {
                            names.insert(word(&group[index..]));
                            start = false;
                        }
                        _ => {}
                    }
                }
            }
        }
    }
    names.retain(|name| !name.is_empty() && *name != "self");
    names
}

fn word(text: &str) -> String {
    text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
}

/// Who may know whom, by the table in the documentation of the crate; what a module knows, its knowers may know too.
fn table() -> BTreeMap<String, BTreeSet<String>> {
    let map = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/lib.rs")).expect("the map");
    let mut table: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut everything = Vec::new();
    for line in map.lines().filter_map(|line| line.strip_prefix("//! | [`")) {
        let columns: Vec<&str> = line.split(" | ").collect();
        let [names, _, may_know] = columns[..] else { panic!("a row of three columns: {line}") };
        let may_know = may_know.trim_end_matches(" |");
        for name in names.split([',', ' ']).map(|name| name.trim_matches(['[', ']', '`'])).filter(|n| !n.is_empty()) {
            if may_know.starts_with("all") {
                everything.push(name.to_owned());
            }
            let known = may_know.split(", ").map(word).filter(|name| !name.is_empty() && name != "all");
            table.entry(name.to_owned()).or_default().extend(known);
        }
    }
    for (name, known) in BESIDE {
        table.entry(name.to_owned()).or_default().extend(known.iter().map(|&name| name.to_owned()));
    }
    let all: BTreeSet<String> = table.keys().cloned().collect();
    for name in everything {
        let around = AROUND.contains(&name.as_str());
        let known = all.iter().filter(|other| around || !AROUND.contains(&other.as_str()));
        table.entry(name).or_default().extend(known.cloned());
    }
    // `config` fills settings and is told what to do; it does not tell.
    if let Some(config) = table.get_mut("config") {
        config.retain(|name| name != "cli" && name != "client");
    }
    loop {
        let before: usize = table.values().map(BTreeSet::len).sum();
        for name in &all {
            let more: Vec<String> =
                table[name].iter().flat_map(|other| table.get(other).cloned().unwrap_or_default()).collect();
            table.entry(name.clone()).or_default().extend(more);
        }
        if table.values().map(BTreeSet::len).sum::<usize>() == before {
            return table;
        }
    }
}

#[test]
fn layers_know_only_what_the_table_says() {
    let table = table();
    assert!(table["feed"].contains("entry") && !table["feed"].contains("catalog"), "{table:?}");
    assert!(table["server"].contains("catalog") && !table["daemon"].contains("config"), "{table:?}");
    let mut wrong = Vec::new();
    for source in sources().iter().filter(|source| !matches!(source.name.as_str(), "lib.rs" | "main.rs")) {
        let module = source.module();
        let Some(may_know) = table.get(module) else {
            wrong.push(format!("{}: the module is not in the table", source.name));
            continue;
        };
        for name in known(&source.code).iter().filter(|name| *name != module && table.contains_key(*name)) {
            // Nothing in a release, and known wherever something can fail.
            if !may_know.contains(name) && name != "failpoint" {
                wrong.push(format!("{}: {module} must not know {name}", source.name));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn wire_crates_stay_in_their_corner() {
    let mut wrong = Vec::new();
    for source in &sources() {
        for (name, corners) in CORNERS {
            let at_home = corners.iter().any(|corner| source.name.starts_with(corner));
            // Where a module of the same name is declared, the name means the module.
            let own_module = source.code.contains(&format!("mod {name};"));
            if at_home || own_module {
                continue;
            }
            for (at, _) in source.code.match_indices(&format!("{name}::")) {
                let before = source.code[..at].chars().next_back().unwrap_or(' ');
                // Bytes are bytes: the type is shared with whoever sends them.
                let shared =
                    source.name.starts_with("rendition/") && source.code[at..].starts_with("hyper::body::Bytes");
                if !before.is_alphanumeric() && before != '_' && before != ':' && !shared {
                    wrong.push(format!("{}: names {name}, which only {} may", source.name, corners.join(", ")));
                }
            }
        }
    }
    wrong.dedup();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn pure_layers_touch_nothing() {
    let mut wrong = Vec::new();
    for source in sources().iter().filter(|source| ["article", "entry", "feed", "yaml"].contains(&source.module())) {
        for name in IMPURE.iter().filter(|name| source.code.contains(**name)) {
            wrong.push(format!("{}: {name}", source.name));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn time_enters_by_few_doors() {
    let doors = ["main.rs", "daemon/", "server/"];
    let mut wrong = Vec::new();
    for source in sources().iter().filter(|source| !doors.iter().any(|door| source.name.starts_with(door))) {
        for name in ["Utc::now", "Local::now", "SystemTime::now"].iter().filter(|name| source.code.contains(**name)) {
            wrong.push(format!("{}: {name}", source.name));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_file_says_what_it_is_and_is_short() {
    for source in sources() {
        assert!(source.text.starts_with("//! "), "{} does not open with //!", source.name);
        let lines = source.text.lines().count();
        assert!(lines < 1000, "{} has {lines} lines", source.name);
    }
}

#[test]
fn mentions_are_found() {
    let code = bare(
        "use crate::{article::{Body, Field}, entry};\n// crate::feed\nlet x = \"crate::cli\"; crate::yaml::parse(x);\n#[cfg(test)]\nmod tests { use crate::daemon; }\n",
    );
    let names: Vec<String> = known(&code).into_iter().collect();
    assert_eq!(names, ["article", "entry", "yaml"]);
}
