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

#[test]
fn the_unit_is_valid() {
    // The program is not installed where the unit expects it, so a copy names the one that was built.
    let dir = tempfile::tempdir().expect("a folder");
    let text = std::fs::read_to_string(unit("feedmill.service")).expect("a unit");
    let copy = dir.path().join("feedmill.service");
    std::fs::write(&copy, text.replace("/usr/bin/feedmill", env!("CARGO_BIN_EXE_feedmill"))).expect("a copy");
    if let Some(output) = analyze(&["verify", "--man=no"], &[copy]) {
        assert!(output.status.success() && said(&output).is_empty(), "{}", said(&output));
    }
}

#[test]
fn the_service_is_as_closed_as_it_promises() {
    let args = ["security", "--offline=true", "--threshold=12", "--no-pager"];
    if let Some(output) = analyze(&args, &[unit("feedmill.service")]) {
        assert!(output.status.success(), "{}", said(&output));
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
