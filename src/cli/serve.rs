//! `feedmill serve` and `feedmill build`: from a valid config to the daemon, and from its failures to exit codes.

use std::io::Write;

use tracing_subscriber::EnvFilter;

use super::args;
use super::console::{Console, counted};
use super::{Exit, World};
use crate::catalog;
use crate::config::{self, Config, Request, Surroundings};
use crate::daemon::{self, Failure};

/// The flags of the config as they were given.
pub fn flags(inbox: &args::Inbox, listen: Option<&String>, admin: Option<&String>) -> Vec<(&'static str, String)> {
    let given = [
        ("inbox", inbox.dir.as_ref().or(inbox.inbox.as_ref())),
        ("state", inbox.state.as_ref()),
        ("listen", listen),
        ("admin", admin),
        ("base-url", inbox.base_url.as_ref()),
    ];
    given.into_iter().filter_map(|(flag, value)| Some((flag, value?.clone()))).collect()
}

/// Runs the daemon until it is told to stop.
pub fn serve(args: &args::Serve, config: Config, request: Request, world: &World, console: &mut Console) -> Exit {
    start_log(Purpose::Daemon, &world.around);
    match &config.file {
        Some(file) => tracing::info!("the config is {}", file.display()),
        None => tracing::info!("no config file, the defaults are in force"),
    }
    let mut setup = config.setup;
    setup.daemon.accept_empty = args.accept_empty;
    let around = world.around.clone();
    let reload: daemon::Reload = Box::new(move || match config::load(&request, &around) {
        Ok(config) => Ok(config.setup),
        Err(invalid) => Err(invalid.to_string()),
    });
    let ready = Box::new(|line: &str| {
        // Nobody may be reading; that is no reason to stop.
        let mut out = anstream::stdout();
        let _ = writeln!(out, "{line}").and_then(|()| out.flush());
    });
    ended(daemon::serve(setup, reload, ready), console)
}

/// Writes every document once.
pub fn build(args: &args::Build, config: Config, world: &World, console: &mut Console) -> Exit {
    start_log(Purpose::Command, &world.around);
    let out = world.around.cwd.join(&args.out);
    match daemon::build(config.setup, &out) {
        Ok(built) => {
            console.message(&format!(
                "{}, {}, {} with problems: {} in {} ({} written, {} removed)",
                counted(built.articles, "article", "articles"),
                counted(built.feeds, "feed", "feeds"),
                counted(built.problems, "file", "files"),
                counted(built.documents, "document", "documents"),
                args.out.display(),
                built.written,
                built.removed,
            ));
            Exit::Fine
        }
        Err(failure) => ended(Err(failure), console),
    }
}

fn ended(result: Result<(), Failure>, console: &mut Console) -> Exit {
    let Err(failure) = result else { return Exit::Fine };
    console.failure(&failure);
    match failure {
        Failure::Catalog(catalog::Error::Locked { .. } | catalog::Error::Newer { .. }) => Exit::State,
        _ => Exit::Problems,
    }
}

/// What is logged for whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Purpose {
    /// For whoever looks back: what happened, and when.
    Daemon,
    /// For the person at the terminal: what went wrong.
    Command,
}

/// Log lines on stderr; how much is said by `FEEDMILL_LOG` or `RUST_LOG`, such as `debug` or `feedmill=trace`.
fn start_log(purpose: Purpose, around: &Surroundings) {
    let level = match purpose {
        Purpose::Daemon => "info",
        Purpose::Command => "warn",
    };
    let asked = around.var("FEEDMILL_LOG").or_else(|| around.var("RUST_LOG"));
    let (filter, wrong) = match asked.map(EnvFilter::try_new) {
        None => (EnvFilter::new(level), None),
        Some(Ok(filter)) => (filter, None),
        Some(Err(error)) => (EnvFilter::new(level), Some(error)),
    };
    let ansi = !matches!(anstream::stderr().current_choice(), anstream::ColorChoice::Never);
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(ansi)
        .with_writer(std::io::stderr)
        // A log that nobody takes any more must not end the daemon: saying so would fail, too.
        .log_internal_errors(false)
        .with_target(false);
    // The journal has a clock of its own. A second subscriber in one process is none of our business.
    let _ = if purpose == Purpose::Command || around.var("JOURNAL_STREAM").is_some() {
        log.without_time().try_init()
    } else {
        log.try_init()
    };
    if let Some(error) = wrong {
        tracing::warn!("the log filter {} is not one, {level} is used: {error}", asked.unwrap_or_default());
    }
}
