//! What is shipped: licences that may be, no crate that is banned (`deny.toml` says which), an image that fits the binary.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use serde_json::Value;
use spdx::{Expression, LicenseReq, ParseMode};

use crate::driver::Place;

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

/// The image says nothing that the binary does not understand, and everything that it needs is copied into its build.
#[test]
fn the_image_fits_the_binary() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let image = std::fs::read_to_string(root.join("Dockerfile")).expect("read");
    let instructions = image.replace("\\\n", " ");
    let said = |name: &str| -> Vec<String> {
        let rest = instructions.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        rest.map(str::to_owned).collect()
    };
    let words = |name: &str| -> Vec<String> {
        serde_json::from_str(said(name).last().expect("an instruction")).expect("a list of words")
    };
    assert_eq!((words("ENTRYPOINT"), words("VOLUME")), (vec!["/feedmill".to_owned()], vec!["/state".to_owned()]));
    let place = Place::new();
    for variable in said("ENV").iter().flat_map(|line| line.split_whitespace()) {
        let (name, _) = variable.split_once('=').expect("a value");
        let help = place.run(&["serve", "--help"]).stdout;
        assert!(name.contains("MALLOC_") || help.contains(name), "{name} is no variable of feedmill");
    }
    let health = said("HEALTHCHECK").remove(0);
    let checked: Vec<String> = serde_json::from_str(health.split_once("CMD ").expect("a command").1).expect("words");
    for command in [&checked[1..], &words("CMD")] {
        let help = place.run(&[command[0].as_str(), "--help"]);
        assert_eq!((help.code, command.len()), (Some(0), 1), "{command:?}");
    }
    let listed = std::fs::read_to_string(root.join(".dockerignore")).expect("read");
    let kept: BTreeSet<&str> = listed.lines().filter_map(|line| line.strip_prefix('!')).collect();
    assert_eq!(kept, BTreeSet::from(["Cargo.lock", "Cargo.toml", "LICENSE", "src"]));
}
