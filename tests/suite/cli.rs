//! The command line as people and scripts meet it: exit codes, outputs, origins, environment.

use serde_json::{Value, json};

use crate::program::{Site, ran};

const RATES: &str = "\n---\ntitle: \"央行维持利率不变: 市场怎么看\"\ncategories: \n - 金融\n - 银行\nheadimg: \
                     'https://img.example/rate.jpg'\nauthor: 李明\ncomments: false\ndate: Mon, 11 Apr 2022 13:01:53 \
                     GMT\nthumbnail: 'https://img.example/rate.jpg'\ntags: [利率, 央行]\n---\n\n<div>\n<p>　　央行今天维持利率不变。</p>\n</div>\n";
const OLD_NEWS: &str = "---\ndate: 2022-04-11 08:00:00\ntitle: 旧闻: 一\n---\n\n正文。\n";
const DRAFT: &str = "---\ndate: 2022-04-11 08:00:00\ntitle: 草稿\ndraft: true\n---\n\n正文。\n";

fn json_lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).expect("one object per line")).collect()
}

#[test]
fn three_mistakes_in_a_config_are_all_named() {
    let site = Site::new();
    site.write("config/feedmill.yaml", "site:\n  titel: News\ninbox:\n  settle: soon\nhttp:\n  lisen: 127.0.0.1:80\n");
    for args in [&["serve"][..], &[], &["build", "--out", "x"], &["check"], &["config"], &["status"]] {
        let ran = site.run(args);
        let all = format!("{}{}", ran.out, ran.err);
        assert_eq!(ran.code, 3, "{args:?}: {all}");
        for part in [
            "config/feedmill.yaml:2:3: error[config-unknown-key]: unknown key `site.titel`",
            "did you mean `site.title`?",
            "config/feedmill.yaml:4:11: error[config-value]: inbox.settle: expected a duration",
            "4 |   settle: soon",
            "config/feedmill.yaml:6:3: error[config-unknown-key]: unknown key `http.lisen`",
            "did you mean `http.listen`?",
            "the config has 3 mistakes",
        ] {
            assert!(all.contains(part), "{args:?}: {part} is not in\n{all}");
        }
    }
    let codes = json_lines(&site.run(&["check", "--output", "json"]).out);
    assert_eq!(codes.len(), 3);
    assert_eq!(codes[1]["code"], "config-value");
    assert_eq!((&codes[1]["line"], &codes[1]["path"]), (&json!(4), &json!("config/feedmill.yaml")));
}

#[test]
fn wrong_usage_is_2() {
    let site = Site::new();
    for args in [
        &["sevre"][..],
        &["--nonsense"],
        &["serve", "a", "--inbox", "b"],
        &["build", "a", "--inbox", "b", "--out", "c"],
        &["serve", "a", "b"],
        &["serve", "--listen", "nowhere"],
        &["serve", "--listen", "127.0.0.1:99999"],
        &["--base-url", "news.example"],
        &["build"],
        &["check", "--output", "xml"],
        &["explain"],
        &["explain", "feeds/inbox"],
        &["completions", "cmd"],
        &["config", "--config"],
    ] {
        let ran = site.run(args);
        assert_eq!(ran.code, 2, "{args:?}: {}", ran.err);
        assert!(ran.out.is_empty() && !ran.err.is_empty(), "{args:?}");
    }
    assert_eq!(site.run_with(&["check"], &[("FEEDMILL_STRICT", "perhaps")]).code, 2);
    assert_eq!(site.run_with(&["check"], &[("FEEDMILL_OUTPUT", "xml")]).code, 2);
}

#[test]
fn a_twin_is_no_second_inbox() {
    let site = Site::new();
    let ran = site.run_with(&["serve", "a", "--listen", "unix:/x"], &[("FEEDMILL_INBOX", "b")]);
    assert_eq!(ran.code, 3, "{}", ran.err);
}

#[test]
fn check_prints_what_the_contract_says() {
    let site = Site::new();
    site.write("feeds/inbox/金融/银行/利率.md", RATES).write("feeds/inbox/金融/银行/旧闻.md", OLD_NEWS);
    site.write("feeds/inbox/草稿.md", DRAFT).write("feeds/inbox/README.md", "not an article");
    let ran = site.run(&["check", "--output", "json"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    let found = json_lines(&ran.out);
    let pick = |code: &str| found.iter().find(|row| row["code"] == code).unwrap_or_else(|| panic!("{code}: {found:?}"));
    for row in &found {
        let keys: Vec<&str> = row.as_object().expect("an object").keys().map(String::as_str).collect();
        for key in ["severity", "code", "path", "line", "column", "message", "help"] {
            assert!(keys.contains(&key), "{key} is not in {row}");
        }
    }
    let repaired = pick("yaml-repaired");
    assert_eq!(repaired["path"], "金融/银行/旧闻.md");
    assert_eq!(
        (&repaired["severity"], &repaired["line"], &repaired["column"]),
        (&json!("warning"), &json!(3), &json!(8))
    );
    let draft = pick("draft");
    assert_eq!((&draft["severity"], &draft["path"], &draft["line"]), (&json!("note"), &json!("草稿.md"), &json!(4)));
    assert!(
        ran.err.contains("2 articles") && ran.err.contains("1 held") && ran.err.contains("1 excluded"),
        "{}",
        ran.err
    );

    assert_eq!(site.run(&["check", "--strict"]).code, 1);
    assert_eq!(site.run_with(&["check"], &[("FEEDMILL_STRICT", "yes")]).code, 1);
    assert_eq!(site.run_with(&["check"], &[("FEEDMILL_STRICT", "")]).code, 0);
    let human = site.run(&["check"]);
    assert!(human.out.contains("feeds/inbox/金融/银行/旧闻.md:3:8: warning[yaml-repaired]: "), "{}", human.out);
    assert!(human.out.contains("3 | title: 旧闻: 一\n  |        ^"), "{}", human.out);
    assert!(!human.out.contains('\u{1b}') && !human.err.contains('\u{1b}'), "no colours in a pipe");
    let github = site.run(&["check", "--output", "github", "feeds/inbox/金融"]);
    assert!(
        github.out.starts_with("::warning file=feeds/inbox/金融/银行/旧闻.md,line=3,col=8,title="),
        "{}",
        github.out
    );
}

#[test]
fn check_reports_what_cannot_be_read() {
    let site = Site::new();
    site.write("config/feedmill.yaml", "inbox: { max_file_size: 100, path: ../feeds/inbox }\n");
    site.write("feeds/inbox/large.md", &"x".repeat(101)).write("feeds/inbox/empty.md", "");
    site.write("outside/secret.md", "---\ntitle: a\ndate: 2022-01-01\n---\nsecret\n");
    std::os::unix::fs::symlink("../../outside/secret.md", site.at("feeds/inbox/link.md")).expect("a link");
    std::fs::write(site.at("feeds/inbox/binary.md"), [0, 159, 146, 150, 0, 1]).expect("a file");
    let ran = site.run(&["check", "--output", "json"]);
    assert_eq!(ran.code, 1);
    let mut codes: Vec<(String, String)> = json_lines(&ran.out)
        .iter()
        .map(|row| {
            (row["path"].as_str().unwrap_or_default().to_owned(), row["code"].as_str().unwrap_or_default().to_owned())
        })
        .collect();
    codes.sort();
    let expect =
        [("binary.md", "not-text"), ("empty.md", "empty"), ("large.md", "too-large"), ("link.md", "not-regular")];
    assert_eq!(codes, expect.map(|(path, code)| (path.to_owned(), code.to_owned())));
    // Outside of the inbox paths are told from where they were named.
    let ran = site.run(&["check", "--output", "json", "outside", "nowhere.md"]);
    assert_eq!(ran.code, 1);
    let rows = json_lines(&ran.out);
    assert_eq!((rows.len(), &rows[0]["path"], &rows[0]["code"]), (1, &json!("nowhere.md"), &json!("unreadable")));
}

#[test]
fn a_missing_inbox_is_said_so() {
    let site = Site::new();
    std::fs::remove_dir(site.at("feeds/inbox")).expect("removed");
    let ran = site.run(&["check"]);
    assert_eq!(ran.code, 1);
    assert!(ran.err.contains("feeds/inbox is not there"), "{}", ran.err);
}

#[test]
fn twins_and_collisions_are_found() {
    let site = Site::new();
    site.write("feeds/inbox/a.md", OLD_NEWS).write("feeds/inbox/b.md", OLD_NEWS);
    site.write("feeds/inbox/c.md", &OLD_NEWS.replace("正文", "别的"));
    let found = json_lines(&site.run(&["check", "--output", "json"]).out);
    let of =
        |code: &str| found.iter().filter(|row| row["code"] == code).map(|row| row["path"].clone()).collect::<Vec<_>>();
    assert_eq!(of("twin"), ["b.md"]);
    assert_eq!(of("id-collision"), ["c.md"]);
}

#[test]
fn the_future_and_the_past_are_notes() {
    let site = Site::new();
    site.write("feeds/inbox/later.md", "---\ntitle: a\ndate: 2999-01-01 00:00:00\n---\nx\n");
    site.write("feeds/inbox/over.md", "---\ntitle: b\ndate: 2020-01-01\nexpiryDate: 2021-01-01\n---\nx\n");
    let ran = site.run(&["check", "--strict", "--output", "json"]);
    assert_eq!(ran.code, 0, "{}", ran.out);
    let rows = json_lines(&ran.out);
    let codes: Vec<_> = rows.iter().map(|row| (row["code"].as_str(), row["line"].as_u64())).collect();
    assert_eq!(codes, [(Some("future"), Some(3)), (Some("expired"), Some(4))]);
    site.write("config/feedmill.yaml", "articles: { future: publish }\ninbox: { path: ../feeds/inbox }\n");
    assert_eq!(json_lines(&site.run(&["check", "--output", "json"]).out).len(), 1);
}

#[test]
fn explain_prints_what_the_contract_says() {
    let site = Site::new();
    site.write("feeds/inbox/金融/银行/利率.md", RATES);
    let ran = site.run(&["explain", "feeds/inbox/金融/银行/利率.md", "--output", "json"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    let mut explained: Value = serde_json::from_str(&ran.out).expect("one object");
    let id = explained["id"].as_str().expect("an id").to_owned();
    assert!(id.starts_with("urn:uuid:"), "{id}");
    explained["id"] = json!("ID");
    assert_eq!(
        explained,
        json!({
            "path": "金融/银行/利率.md",
            "outcome": "published",
            "id": "ID",
            "id_from": "date+title",
            "published": "2022-04-11T13:01:53Z",
            "updated": "2022-04-11T13:01:53Z",
            "fields": {
                "title": {"value": "央行维持利率不变: 市场怎么看", "from": "title", "line": 3},
                "published": {"value": "2022-04-11T13:01:53Z", "from": "date", "line": 10},
                "author": {"value": ["李明"], "from": "author", "line": 8},
                "categories": {"value": [["金融", "银行"]], "from": "categories", "line": 4},
                "tags": {"value": ["利率", "央行"], "from": "tags", "line": 12},
                "image": {"value": "https://img.example/rate.jpg", "from": "headimg", "line": 7}
            },
            "feeds": ["all", "category/金融", "category/金融/银行", "tag/利率", "tag/央行", "author/李明"],
            "diagnostics": []
        })
    );
    let human = site.run(&["explain", "feeds/inbox/金融/银行/利率.md"]).out;
    for part in ["date, line 10", "date+title", "category/金融/银行", "金融 / 银行"] {
        assert!(human.contains(part), "{human}");
    }
}

#[test]
fn explain_says_what_becomes_of_a_file() {
    let site = Site::new();
    site.write("feeds/inbox/draft.md", DRAFT).write("feeds/inbox/readme.md", "x").write("feeds/inbox/x.png", "x");
    site.write("feeds/inbox/empty.md", "").write("feeds/inbox/later.md", "---\ntitle: a\ndate: 2999-01-01\n---\nx\n");
    std::fs::write(site.at("feeds/inbox/binary.md"), [0, 159, 146, 150, 0, 1]).expect("a file");
    for (file, outcome, because) in [
        ("draft.md", "held", "draft"),
        ("later.md", "held", "2999"),
        ("empty.md", "held", "empty"),
        ("readme.md", "ignored", "**/README.*"),
        ("x.png", "ignored", "inbox.include"),
        ("binary.md", "broken", "not-text"),
    ] {
        let path = format!("feeds/inbox/{file}");
        let ran = site.run(&["explain", "--output", "json", &path]);
        let explained: Value = serde_json::from_str(&ran.out).expect("one object");
        assert_eq!(explained["outcome"], outcome, "{file}: {explained}");
        let human = site.run(&["explain", &path]).out;
        assert!(human.contains(because), "{file}: {human}");
    }
    assert_eq!(site.run(&["explain", "feeds/inbox/none.md"]).code, 1);
}

#[test]
fn config_shows_values_with_their_origins() {
    let site = Site::new();
    site.write("config/feedmill.yaml", "site:\n  title: News\nhttp:\n  admin: off\n");
    let env = [("FEEDMILL_INBOX", "/srv/articles"), ("STATE_DIRECTORY", "/var/lib/feedmill")];
    let ran = site.run_with(&["config", "--output", "json"], &env);
    let shown: Value = serde_json::from_str(&ran.out).expect("one object");
    for (key, value, origin) in [
        ("site.title", json!("News"), "config/feedmill.yaml:2"),
        ("http.admin", json!("off"), "config/feedmill.yaml:4"),
        ("http.listen", json!("127.0.0.1:8080"), "default"),
        ("feeds.items", json!(50), "default"),
        ("inbox.path", json!("/srv/articles"), "FEEDMILL_INBOX"),
        ("state.path", json!("/var/lib/feedmill"), "STATE_DIRECTORY"),
    ] {
        assert_eq!(shown[key], json!({ "value": value, "origin": origin }), "{key}");
    }
    // The file that is shown means the same again.
    let yaml = site.run_with(&["config"], &env).out;
    site.write("again.yaml", &yaml);
    let again: Value = serde_json::from_str(&site.run(&["--config", "again.yaml", "config", "--output", "json"]).out)
        .expect("one object");
    for (key, row) in shown.as_object().expect("an object") {
        assert_eq!(row["value"], again[key]["value"], "{key}");
    }
}

#[test]
fn the_config_is_found_in_the_order_of_the_contract() {
    let site = Site::new();
    let title = |args: &[&str], env: &[(&str, &str)]| {
        let mut args = args.to_vec();
        args.extend(["--output", "json"]);
        let ran = site.run_with(&args, env);
        assert_eq!(ran.code, 0, "{}", ran.err);
        serde_json::from_str::<Value>(&ran.out).expect("one object")["site.title"]["value"].clone()
    };
    assert_eq!(title(&["config"], &[]), "Feedmill");
    site.write("config/feedmill.yaml", "site: { title: found }\n");
    site.write("env.yaml", "site: { title: env }\n").write("flag.yaml", "site: { title: flag }\n");
    assert_eq!(title(&["config"], &[]), "found");
    let env = [("FEEDMILL_CONFIG", "env.yaml")];
    assert_eq!(title(&["config"], &env), "env");
    assert_eq!(title(&["--config", "flag.yaml", "config"], &env), "flag");
    assert_eq!(title(&["config", "--config=flag.yaml"], &env), "flag");
    assert_eq!(site.run(&["config", "--config", "none.yaml"]).code, 3);
    assert_eq!(site.run_with(&["config"], &[("FEEDMILL_CONFIG", "none.yaml")]).code, 3);
}

#[test]
fn every_flag_has_a_twin_that_works() {
    let site = Site::new();
    let mut twins: Vec<String> = Vec::new();
    for command in ["serve", "build", "check", "explain", "config", "status", "healthcheck", "completions", "man"] {
        let help = site.run(&[command, "--help"]).out.split_whitespace().collect::<Vec<_>>().join(" ");
        for part in help.split("--").skip(1) {
            let flag: String = part.chars().take_while(|c| c.is_ascii_lowercase() || *c == '-').collect();
            if part.starts_with(&format!("{flag} ")) && part.contains("[env: ") && flag != "help" {
                let twin = format!("FEEDMILL_{}", flag.replace('-', "_").to_uppercase());
                assert!(part.contains(&format!("[env: {twin}]")), "{command} --{flag}: {part}");
                twins.push(twin);
            }
        }
    }
    twins.sort();
    twins.dedup();
    let expect = "ACCEPT_EMPTY ADMIN BASE_URL CONFIG INBOX LISTEN OUT OUTPUT SCHEMA STATE STRICT";
    assert_eq!(twins.iter().map(|twin| &twin["FEEDMILL_".len()..]).collect::<Vec<_>>().join(" "), expect);

    let shown = |env: (&str, &str), key: &str| {
        let ran = site.run_with(&["config"], &[env, ("FEEDMILL_OUTPUT", "json")]);
        serde_json::from_str::<Value>(&ran.out).expect("FEEDMILL_OUTPUT is obeyed")[key]["origin"].clone()
    };
    for (env, key) in [
        (("FEEDMILL_INBOX", "x"), "inbox.path"),
        (("FEEDMILL_STATE", "x"), "state.path"),
        (("FEEDMILL_LISTEN", "127.0.0.1:1"), "http.listen"),
        (("FEEDMILL_ADMIN", "off"), "http.admin"),
        (("FEEDMILL_BASE_URL", "https://news.example"), "site.base_url"),
    ] {
        assert_eq!(shown(env, key), env.0);
        assert_eq!(shown((env.0, ""), key), "default", "set to nothing is not set");
    }
    assert_eq!(site.run_with(&["config"], &[("FEEDMILL_LISTEN", "nonsense")]).code, 3);
    assert!(site.run_with(&["config"], &[("FEEDMILL_SCHEMA", "1")]).out.contains("$schema"));
}

#[test]
fn a_unix_socket_without_a_base_url_is_3() {
    let site = Site::new();
    let ran = site.run(&["serve", "--listen", "unix:/run/feedmill.sock"]);
    assert_eq!(ran.code, 3);
    assert!(ran.err.contains("site.base_url"), "{}", ran.err);
}

#[test]
fn help_completions_and_man_come_from_one_definition() {
    let site = Site::new();
    for args in [&["--help"][..], &["serve", "--help"], &["check", "-h"]] {
        let ran = site.run(args);
        assert_eq!(ran.code, 0);
        assert!(ran.out.find("Examples:") < ran.out.find("Usage:") && ran.out.contains("Exit codes:"), "{}", ran.out);
    }
    assert_eq!(site.run(&["--version"]).out, format!("feedmill {}\n", env!("CARGO_PKG_VERSION")));
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let ran = site.run(&["completions", shell]);
        assert!(ran.code == 0 && ran.out.contains("healthcheck"), "{shell}");
    }
    let man = site.run(&["man"]).out;
    for part in [".TH", "EXIT STATUS", "feedmill healthcheck", "FEEDMILL_BASE_URL", "accept\\-empty"] {
        assert!(man.contains(part), "{part}");
    }
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let site = Site::new();
    let mut child =
        site.command(&["completions", "bash"]).stdout(std::process::Stdio::piped()).spawn().expect("it runs");
    drop(child.stdout.take());
    assert_eq!(child.wait().expect("it ends").code(), Some(0));
    if std::path::Path::new("/dev/full").exists() {
        let full = std::fs::File::options().write(true).open("/dev/full").expect("opens");
        let ran = ran(site.command(&["man"]).stdout(full).output().expect("it runs"));
        assert!(ran.code == 1 && ran.err.contains("the output cannot be written"), "{ran:?}");
    }
}

#[test]
fn without_a_daemon_status_and_healthcheck_are_1() {
    let site = Site::new();
    // Nobody listens on the discard port of this machine.
    let env = [("FEEDMILL_ADMIN", "127.0.0.1:9")];
    for command in ["status", "healthcheck"] {
        let ran = site.run_with(&[command], &env);
        assert_eq!(ran.code, 1, "{}", ran.err);
        assert!(ran.out.is_empty() && ran.err.contains("127.0.0.1:9 cannot be reached"), "{}", ran.err);
    }
    let ran = site.run_with(&["status"], &[("FEEDMILL_ADMIN", "off")]);
    assert!(ran.code == 1 && ran.err.contains("admin address is off"), "{}", ran.err);
}
