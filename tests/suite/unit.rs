//! The systemd units: valid, and as closed as they promise. Skipped where there is no `systemd-analyze`.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::program::Site;

fn unit(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("systemd").join(name)
}

/// Runs `systemd-analyze`; `None`, visibly, where there is none.
#[allow(clippy::print_stderr, reason = "a test that was skipped must be seen")]
fn analyze(args: &[&str], files: &[PathBuf]) -> Option<Output> {
    match Command::new("systemd-analyze").args(args).args(files).output() {
        Ok(output) => Some(output),
        Err(error) => {
            eprintln!("SKIPPED: systemd-analyze cannot be run: {error}");
            None
        }
    }
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// The service in a folder of its own, and with it what else is named. The program is not installed where the unit
/// expects it, so the copy names the one that was built.
fn copy(others: &[&str]) -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().expect("a folder");
    for name in ["feedmill.service"].iter().chain(others) {
        let text = std::fs::read_to_string(unit(name)).expect("a unit");
        let to = dir.path().join(name);
        std::fs::create_dir_all(to.parent().expect("a folder")).expect("a folder");
        std::fs::write(to, text.replace("/usr/bin/feedmill", env!("CARGO_BIN_EXE_feedmill"))).expect("a copy");
    }
    let service = dir.path().join("feedmill.service");
    (dir, service)
}

const SOCKETS: [&str; 3] = ["feedmill.socket", "feedmill-admin.socket", "feedmill.service.d/sockets.conf"];

#[test]
fn the_units_are_valid() {
    for others in [&[][..], &SOCKETS] {
        let (dir, service) = copy(others);
        let sockets = others.iter().filter(|name| name.ends_with(".socket")).map(|name| dir.path().join(name));
        let files: Vec<PathBuf> = [service].into_iter().chain(sockets).collect();
        if let Some(output) = analyze(&["verify", "--man=no"], &files) {
            assert!(output.status.success() && said(&output).is_empty(), "{}", said(&output));
        }
    }
}

#[test]
fn the_service_is_as_closed_as_it_promises() {
    for (others, threshold) in [(&[][..], "--threshold=12"), (&SOCKETS, "--threshold=5")] {
        let (_dir, service) = copy(others);
        let args = ["security", "--offline=true", threshold, "--no-pager"];
        if let Some(output) = analyze(&args, &[service]) {
            assert!(output.status.success(), "{}", said(&output));
        }
    }
}

#[test]
fn the_service_says_what_the_contract_says() {
    let text = std::fs::read_to_string(unit("feedmill.service")).expect("a unit");
    for line in [
        "Type=notify",
        "ExecStart=/usr/bin/feedmill serve --config /etc/feedmill/feedmill.yaml",
        "ExecReload=/bin/kill -HUP $MAINPID",
        "DynamicUser=yes",
        "StateDirectory=feedmill",
        "WatchdogSec=60",
        "RestartPreventExitStatus=2 3 4",
    ] {
        assert!(text.lines().any(|other| other == line), "{line}");
    }
}

#[test]
fn the_packaged_config_is_valid_and_names_absolute_paths() {
    let site = Site::new();
    let file = unit("feedmill.yaml").display().to_string();
    let ran = site.run(&["config", "--config", &file, "--output", "json"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    let shown: serde_json::Value = serde_json::from_str(&ran.out).expect("one object");
    assert_eq!(shown["inbox.path"]["value"], "/srv/feedmill/inbox");
    assert_eq!(shown["state.path"]["value"], "/var/lib/feedmill");
}

#[test]
fn what_a_package_holds_is_here_or_is_built() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let manifest = std::fs::read_to_string(root.join("Cargo.toml")).expect("the manifest");
    let manifest: toml::Value = toml::from_str(&manifest).expect("TOML");
    let deb = &manifest["package"]["metadata"]["deb"];
    let readme = std::fs::read_to_string(root.join("README.md")).expect("a text");
    for asset in deb["assets"].as_array().expect("a list") {
        let from = asset[0].as_str().expect("a path");
        match from.strip_prefix("target/") {
            None => assert!(root.join(from).is_file(), "{from}"),
            // What has to be made before is made by the commands of the README.
            Some(_) => assert!(
                readme.contains(from) || from.ends_with(".bash") || from.ends_with(".zsh") || from.ends_with(".fish"),
                "{from}"
            ),
        }
    }
    for script in ["postinst", "postrm"] {
        let script = root.join(deb["maintainer-scripts"].as_str().expect("a folder")).join(script);
        let checked = Command::new("sh").arg("-n").arg(&script).status().expect("a shell");
        assert!(checked.success(), "{}", script.display());
    }
}
