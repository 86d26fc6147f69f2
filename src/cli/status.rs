//! `feedmill status` and `feedmill healthcheck`: ask the running daemon.
//!
//! The lock file of the state folder says where it listens; without one, the config does.

use serde_json::Value as Json;

use super::Exit;
use super::args::{self, Report};
use super::console::{BOLD, Console, counted};
use crate::catalog::Lock;
use crate::client;
use crate::config::Config;
use crate::server::Address;

/// Prints how the daemon is.
pub fn status(args: &args::Status, config: &Config, console: &mut Console) -> Exit {
    let Some(address) = addresses(config).admin else {
        console.message("error: the admin address is off, so the daemon cannot be asked: set http.admin");
        return Exit::Problems;
    };
    let answer = match client::get(&address, "/status.json") {
        Ok(answer) if answer.status == 200 => answer,
        Ok(answer) => {
            let address = client::shown(&address);
            console.message(&format!("error: {address} answers {} to a request for its status", answer.status));
            return Exit::Problems;
        }
        Err(error) => return unreachable_daemon(&address, &error, console),
    };
    let status: Json = match serde_json::from_slice(&answer.body) {
        Ok(status) => status,
        Err(error) => {
            let address = client::shown(&address);
            console.message(&format!("error: what {address} answers is no status: {error}"));
            return Exit::Problems;
        }
    };
    match args.output {
        // As the daemon wrote it.
        Report::Json => console.result(&format!("{}\n", String::from_utf8_lossy(&answer.body).trim_end())),
        Report::Human => console.result(&human(&status)),
    }
    let well = status["ready"] == Json::Bool(true) && status["reload_ok"] != Json::Bool(false);
    if well { Exit::Fine } else { Exit::Problems }
}

/// Fine where the daemon can show a state, even an old one.
pub fn healthcheck(config: &Config, console: &mut Console) -> Exit {
    let addresses = addresses(config);
    // The public address answers as soon as there is a state to show; it has no page of its own for this question.
    let (address, path) = match addresses.admin {
        Some(admin) => (admin, "/readyz"),
        None => (addresses.http, "/robots.txt"),
    };
    match client::get(&address, path) {
        Ok(answer) if answer.status == 200 => Exit::Fine,
        Ok(answer) => {
            let address = client::shown(&address);
            console.message(&format!("error: not healthy: {address} answers {} to {path}", answer.status));
            Exit::Problems
        }
        Err(error) => unreachable_daemon(&address, &error, console),
    }
}

fn unreachable_daemon(address: &Address, error: &client::Error, console: &mut Console) -> Exit {
    console.failure(error);
    let address = client::shown(address);
    console.message(&format!("no daemon answers at {address}: is it running, and with this config and state folder?"));
    Exit::Problems
}

struct Addresses {
    http: Address,
    admin: Option<Address>,
}

/// Where the daemon listens: what it wrote down itself, else what it was told.
fn addresses(config: &Config) -> Addresses {
    let server = &config.setup.server;
    match Lock::holder(&config.setup.daemon.state) {
        Some(holder) if holder.http.is_some() => Addresses {
            http: holder.http.as_ref().map_or_else(|| server.listen.clone(), |text| Address::of_bound(text)),
            admin: holder.admin.as_deref().map(Address::of_bound),
        },
        _ => Addresses { http: server.listen.clone(), admin: server.admin.clone() },
    }
}

/// The status as lines of text.
fn human(status: &Json) -> String {
    let flag = |name: &str| status[name] == Json::Bool(true);
    let number = |name: &str| status[name].as_u64().unwrap_or_default();
    let text = |value: &Json| value.as_str().unwrap_or("–").to_owned();
    let state = match (flag("ready"), flag("degraded")) {
        (false, _) => "starting: nothing can be shown yet",
        (true, true) => "degraded: the last good feeds are served",
        (true, false) => "fine",
    };
    let mut rows = vec![("state", state.to_owned())];
    for why in status["why"].as_array().into_iter().flatten() {
        rows.push(("", text(why)));
    }
    let files = |name: &str| counted(number(name), "file", "files");
    rows.push(("articles", format!("{} in {}", number("articles"), counted(number("feeds"), "feed", "feeds"))));
    rows.push(("problems", files("problems")));
    rows.push(("held", format!("{}, as their authors asked", files("held"))));
    rows.push(("excluded", format!("{}, by name", files("excluded"))));
    rows.push(("public", text(&status["addresses"]["http"])));
    rows.push(("admin", text(&status["addresses"]["admin"])));
    rows.push(("success", text(&status["last_success"])));
    if status["reload_ok"] == Json::Bool(false) {
        rows.push(("reload", "the last one failed; the config before it is in force".to_owned()));
    }
    rows.push(("process", format!("{}, feedmill {}", number("pid"), text(&status["version"]))));
    rows.iter().map(|(name, value)| format!("{BOLD}{name:<8}{BOLD:#}  {value}\n")).collect()
}
