//! The config as a whole: the sample file, mistakes, origins, ranks, paths.

use super::*;

fn around(cwd: &Path, env: &[(&str, &str)]) -> Surroundings {
    let env = env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Surroundings { env, cwd: cwd.to_path_buf() }
}

/// Loads a text as `config/feedmill.yaml` of a folder of its own.
fn load_text(text: &str, env: &[(&str, &str)], flags: &[(&'static str, &str)]) -> Result<Config, Invalid> {
    let dir = tempfile::tempdir().expect("a folder");
    std::fs::create_dir(dir.path().join("config")).expect("a folder");
    std::fs::write(dir.path().join(PLACES[0]), text).expect("a file");
    let cwd = dir.path().canonicalize().expect("a path");
    let flags = flags.iter().map(|(flag, value)| (*flag, (*value).to_owned())).collect();
    load(&Request { file: None, flags }, &around(&cwd, env))
}

fn mistakes(text: &str) -> Vec<String> {
    load_text(text, &[], &[]).expect_err("mistakes").to_string().lines().map(str::to_owned).collect()
}

fn row<'c>(config: &'c Config, key: &str) -> &'c Resolved {
    config.values.iter().find(|row| row.setting.key == key).expect("a row")
}

/// What `config/feedmill.yaml` must hold, by the table.
fn sample() -> String {
    let mut text = String::from(
        "# The config of feedmill: every key with its default. Remove what you do not change.\n\
         # Relative paths start from the folder of this file. `feedmill config` shows what is in force and why.\n",
    );
    for section in sections() {
        text.push_str(&format!("\n{section}:\n"));
        for setting in SETTINGS.iter().filter(|setting| setting.parts().0 == section) {
            let default = match setting.shape {
                Shape::Path if !setting.nullable() => format!("../{}", setting.default),
                _ => setting.default.to_owned(),
            };
            text.push_str(&format!("  # {}\n  {}: {default}\n", setting.about, setting.parts().1));
        }
    }
    text
}

#[test]
fn the_sample_file_is_the_table() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(PLACES[0]);
    if std::env::var_os("FEEDMILL_BLESS").is_some() {
        std::fs::write(&path, sample()).expect("writes the sample file");
    }
    let text = std::fs::read_to_string(path).expect("the sample file");
    assert_eq!(text, sample(), "run the test once with FEEDMILL_BLESS=1");
}

#[test]
fn the_sample_file_sets_every_key_to_its_default() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).canonicalize().expect("a path");
    let empty = tempfile::tempdir().expect("a folder");
    let with_file = load(&Request::default(), &around(&root, &[])).expect("the sample file is valid");
    let request = Request { file: Some(empty.path().join("none.yaml")), flags: Vec::new() };
    std::fs::write(empty.path().join("none.yaml"), "").expect("a file");
    let without = load(&request, &around(&root, &[])).expect("the defaults are valid");
    assert_eq!(with_file.values.len(), SETTINGS.len());
    for (a, b) in with_file.values.iter().zip(&without.values) {
        assert_eq!((a.setting.key, &a.value), (b.setting.key, &b.value));
        assert!(matches!(a.origin, Origin::File { .. }), "{} is not in the sample file", a.setting.key);
        assert_eq!(b.origin, Origin::Default);
    }
    // Patterns have no equality of their own; their text has.
    let setup = |config: &Config| format!("{:?}", config.setup);
    assert_eq!(setup(&with_file), setup(&without));
}

#[test]
fn all_mistakes_are_named_with_place_and_nearest_key() {
    let text =
        "site:\n  titel: News\n  timezone: Asia/Shanghia\ninbox: { settle: soon, rescan: 5m }\nhtttp:\n  listen: x\n";
    assert_eq!(
        mistakes(text),
        [
            "config/feedmill.yaml:2:3: unknown key `site.titel` (did you mean `site.title`?)",
            "config/feedmill.yaml:3:13: site.timezone: expected a time zone such as UTC or Asia/Shanghai, found \
             `Asia/Shanghia` (did you mean `Asia/Shanghai`?)",
            "config/feedmill.yaml:4:18: inbox.settle: expected a duration such as 200ms, 60s, 10m, 2h or 7d, found `soon`",
            "config/feedmill.yaml:5:1: unknown key `htttp` (did you mean `http`?)",
        ]
    );
}

#[test]
fn misplaced_and_doubled_keys_are_explained() {
    let text = "title: x\nhttp.listen: x\nfeeds:\n  timezone: UTC\n  items: 5\n  items: 6\ninbox: 5\nstate:\n";
    assert_eq!(
        mistakes(text),
        [
            "config/feedmill.yaml:1:1: unknown key `title` (did you mean `site.title`, below `site:`?)",
            "config/feedmill.yaml:2:1: unknown key `http.listen` (write it as `http: { listen: … }`)",
            "config/feedmill.yaml:4:3: unknown key `feeds.timezone` (did you mean `site.timezone`?)",
            "config/feedmill.yaml:6:3: `feeds.items` stands twice, first on line 5 (keep one of them)",
            "config/feedmill.yaml:7:8: expected keys below `inbox:`, found a number",
        ]
    );
}

#[test]
fn wrong_items_are_pointed_at() {
    let text = "feeds:\n  formats:\n    - rss\n    - atm\n  mix:\n    - name: a\n      any: [tag/x, mix/b]\n";
    assert_eq!(
        mistakes(text),
        [
            "config/feedmill.yaml:4:7: feeds.formats: expected rss, atom or json, found `atm` (did you mean `atom`?)",
            "config/feedmill.yaml:7:20: feeds.mix: a mix may not name a mix: `mix/b` (name the keys of that mix instead)",
        ]
    );
}

#[test]
fn hubs_are_web_addresses_that_can_fetch_the_feeds() {
    let text =
        "site: { base_url: \"https://news.example\" }\nfeeds:\n  hubs: [\"https://hub.example\", other.example]\n";
    let expected = "config/feedmill.yaml:3:33: feeds.hubs: expected an http or https URL such as https://hub.example/, \
                    found `other.example`";
    assert_eq!(mistakes(text), [expected]);
    let unreachable = "feeds:\n  hubs: [\"https://hub.example\"]\n";
    assert!(
        mistakes(unreachable)[0].starts_with("config/feedmill.yaml:2:9: hubs fetch"),
        "{:?}",
        mistakes(unreachable)
    );
    let twice = text.replace("other.example]", "\"https://hub.example/\"]");
    let given = load_text(&twice, &[], &[]).expect("valid");
    assert_eq!(given.setup.feed.hubs.iter().map(url::Url::as_str).collect::<Vec<_>>(), ["https://hub.example/"]);
}

#[test]
fn bad_syntax_has_a_place() {
    assert!(mistakes("site:\n  title: a: b\n")[0].starts_with("config/feedmill.yaml:2:"));
    assert!(mistakes("- a\n")[0].contains("expected sections"));
    assert!(load_text("", &[], &[]).is_ok());
    assert!(load_text("# nothing\n", &[], &[]).is_ok());
}

#[test]
fn a_named_file_must_be_there() {
    let dir = tempfile::tempdir().expect("a folder");
    let request = Request { file: Some(PathBuf::from("nowhere.yaml")), flags: Vec::new() };
    let invalid = load(&request, &around(dir.path(), &[])).expect_err("a missing file");
    assert!(invalid.to_string().starts_with("nowhere.yaml: the config file cannot be read"), "{invalid}");
    let env = [("FEEDMILL_CONFIG", "gone.yaml")];
    let invalid = load(&Request::default(), &around(dir.path(), &env)).expect_err("a missing file");
    assert!(invalid.to_string().starts_with("gone.yaml: "), "{invalid}");
}

#[test]
fn a_unix_socket_needs_a_base_url() {
    let text = "http:\n  listen: unix:/run/feedmill.sock\n";
    let lines = mistakes(text);
    assert!(lines[0].starts_with("config/feedmill.yaml:2:11: a unix socket"), "{lines:?}");
    let given = load_text(text, &[("FEEDMILL_BASE_URL", "https://news.example/")], &[]).expect("valid");
    assert_eq!(given.setup.feed.base_url, "https://news.example");
    let flag = load_text("", &[], &[("listen", "unix:/run/f.sock")]).expect_err("invalid");
    assert!(flag.to_string().starts_with("--listen: a unix socket"), "{flag}");
}

#[test]
fn without_a_base_url_it_is_the_address() {
    for (listen, url) in [
        ("127.0.0.1:8080", "http://127.0.0.1:8080"),
        ("0.0.0.0:80", "http://127.0.0.1:80"),
        ("[::]:80", "http://127.0.0.1:80"),
        ("news.lan:80", "http://news.lan:80"),
    ] {
        let config = load_text("", &[], &[("listen", listen)]).expect("valid");
        assert_eq!(config.setup.feed.base_url, url);
        assert!(!config.setup.base_url_given);
    }
}

#[test]
fn flag_beats_environment_beats_file_beats_default() {
    let text = "inbox: { path: a }\nstate: { path: b }\nhttp: { admin: off }\n";
    let env = [("FEEDMILL_INBOX", "c"), ("STATE_DIRECTORY", "/var/lib/feedmill:/x"), ("FEEDMILL_ADMIN", "")];
    let config = load_text(text, &env, &[("inbox", "d")]).expect("valid");
    let origin = |config: &Config, key| row(config, key).origin.to_string();
    assert_eq!(origin(&config, "inbox.path"), "--inbox");
    assert_eq!(origin(&config, "state.path"), "STATE_DIRECTORY");
    assert_eq!(config.setup.daemon.state, Path::new("/var/lib/feedmill"));
    assert_eq!(origin(&config, "http.admin"), "config/feedmill.yaml:3");
    assert_eq!(config.setup.server.admin, None);
    assert_eq!(origin(&config, "site.title"), "default");
    let config = load_text(text, &[("STATE_DIRECTORY", "/a"), ("FEEDMILL_STATE", "e")], &[]).expect("valid");
    assert_eq!(origin(&config, "state.path"), "FEEDMILL_STATE");
    assert_eq!(origin(&config, "inbox.path"), "config/feedmill.yaml:1");
}

#[test]
fn every_flag_of_the_config_has_a_twin() {
    let samples = [
        ("inbox", "some/where"),
        ("state", "some/where"),
        ("listen", "127.0.0.1:1"),
        ("admin", "off"),
        ("base-url", "https://a.example"),
    ];
    assert_eq!(samples.map(|(flag, _)| flag), FLAGS.map(|(flag, _)| flag));
    for ((flag, value), (_, key)) in samples.into_iter().zip(FLAGS) {
        let config = load_text("", &[(&twin(flag), value)], &[]).expect("valid");
        assert_eq!(row(&config, key).origin, Origin::Env(twin(flag)));
        let invalid = load_text("", &[(&twin(flag), "\0")], &[]).expect_err("invalid");
        assert_eq!(invalid.problems[0].source, twin(flag));
    }
    assert_eq!(twin("--base-url"), "FEEDMILL_BASE_URL");
}

#[test]
fn paths_start_where_they_are_written() {
    let dir = tempfile::tempdir().expect("a folder");
    let cwd = dir.path().canonicalize().expect("a path");
    std::fs::create_dir_all(cwd.join("etc/feedmill")).expect("a folder");
    std::fs::write(cwd.join("etc/feedmill/f.yaml"), "inbox: { path: ../in }\npublish: { disk: out }\n")
        .expect("a file");
    let request = Request { file: Some("etc/feedmill/f.yaml".into()), flags: vec![("state", "st".to_owned())] };
    let config = load(&request, &around(&cwd, &[])).expect("valid");
    assert_eq!(config.setup.daemon.inbox, cwd.join("etc/in"));
    assert_eq!(config.setup.daemon.publish, Some(cwd.join("etc/feedmill/out")));
    assert_eq!(config.setup.daemon.state, cwd.join("st"));
    let request = Request { file: Some("etc/feedmill/f.yaml".into()), flags: Vec::new() };
    let config = load(&request, &around(&cwd, &[])).expect("valid");
    assert_eq!(config.setup.daemon.state, cwd.join("feeds/state"));
}

#[test]
fn the_shown_config_reads_back() {
    let text = "site: { title: 'A: \"b\"', id: \"5\" }\nfeeds:\n  by: [tag]\n  items: 7\n  mix:\n    - { name: 金融, title: 'x: y', any: [category/金融, tag/a b] }\n\
                articles: { fields: { title: [headline] }, ignore_changes: [default, 'image=r=\\d+'] }\ninbox: { poll: on }\n";
    let first = load_text(text, &[], &[]).expect("valid");
    let second = load_text(&yaml(&first), &[], &[]).expect("what is shown is valid");
    let values = |config: &Config| config.values.iter().map(|row| row.value.clone()).collect::<Vec<_>>();
    // The folder is another one; nothing else may differ.
    for (a, b) in values(&first).into_iter().zip(values(&second)) {
        assert_eq!(a, b);
    }
    assert_eq!(json(&first)["feeds.items"]["value"], serde_json::json!(7));
    assert_eq!(json(&first)["site.id"], serde_json::json!({ "value": "5", "origin": "config/feedmill.yaml:1" }));
}

#[test]
fn the_schema_knows_every_key() {
    let schema = schema();
    for setting in SETTINGS {
        let (section, name) = setting.parts();
        let row = &schema["properties"][section]["properties"][name];
        assert_eq!(row["description"], setting.about, "{}", setting.key);
        assert!(row.get("default").is_some());
    }
}

#[test]
fn equal_addresses_are_refused() {
    let lines = mistakes("http: { listen: \"127.0.0.1:8081\" }\n");
    assert!(lines[0].contains("same as http.listen"), "{lines:?}");
    assert!(load_text("", &[], &[("listen", "127.0.0.1:0"), ("admin", "127.0.0.1:0")]).is_ok());
}

#[test]
fn links_and_assets_make_paths_matter() {
    let matter = |text| load_text(text, &[], &[]).expect("valid").setup.catalog.paths_matter;
    assert!(!matter("articles: { link: 'https://a.example/{year}' }\n"));
    assert!(matter("articles: { link: 'https://a.example/{slug}' }\n"));
    assert!(matter("site: { assets_url: 'https://a.example' }\n"));
}
