//! What is built into the binary: licences that may be shipped, no crate that is banned. `deny.toml` says which.

use std::collections::BTreeSet;
use std::process::Command;

use serde_json::Value;
use spdx::{Expression, LicenseReq, ParseMode};

/// Crates of the normal dependency tree, not those of tests or of building.
fn built_in() -> BTreeSet<String> {
    let output = Command::new(env!("CARGO"))
        .args(["tree", "--locked", "--offline", "--edges", "normal", "--prefix", "none", "--format", "{p}"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    text.lines().filter_map(|line| Some(line.split(' ').next()?.to_owned())).collect()
}

/// Packages that other systems need may never have been fetched.
fn described() -> Vec<Value> {
    let about = Command::new("rustc").arg("-vV").output().expect("rustc");
    let about = String::from_utf8(about.stdout).expect("UTF-8");
    let host = about.lines().find_map(|line| line.strip_prefix("host: ")).expect("a host");
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--locked", "--offline", "--format-version", "1", "--filter-platform", host])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    metadata["packages"].as_array().expect("packages").clone()
}

#[test]
fn what_is_built_in_may_be_shipped() {
    let rules: toml::Table = include_str!("../../deny.toml").parse().expect("TOML");
    let allowed: BTreeSet<&str> =
        rules["licenses"]["allow"].as_array().expect("a list").iter().filter_map(toml::Value::as_str).collect();
    let banned: BTreeSet<&str> =
        rules["bans"]["deny"].as_array().expect("a list").iter().filter_map(|ban| ban["name"].as_str()).collect();
    let built_in = built_in();
    assert!(built_in.contains("hyper") && !built_in.contains("proptest"), "{built_in:?}");
    let mut wrong: Vec<String> =
        built_in.iter().filter(|name| banned.contains(name.as_str())).map(|name| format!("{name} is banned")).collect();
    for package in described() {
        let name = package["name"].as_str().expect("a name");
        if !built_in.contains(name) {
            continue;
        }
        let license = package["license"].as_str().unwrap_or_default();
        let may = |license: &LicenseReq| allowed.contains(license.to_string().as_str());
        if !Expression::parse_mode(license, ParseMode::LAX).is_ok_and(|license| license.evaluate(may)) {
            wrong.push(format!("{name} has the license `{license}`"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
