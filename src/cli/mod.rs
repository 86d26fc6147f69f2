//! The command line: which command runs, with which config, and what its exit code says.
//!
//! Commands get their surroundings and the time handed in ([`World`]) and write through one [`console::Console`];
//! each returns an [`Exit`].

mod args;
mod check;
mod console;
mod explain;
mod inbox;
mod packaging;
mod report;
mod serve;
mod status;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::FromArgMatches;
use clap::error::ErrorKind;

use crate::article::Timestamp;
use crate::config::{self, Config, Request, Surroundings};
use args::{Cli, Command, Dump};
use console::Console;
use report::Finding;

/// What surrounds a command.
#[derive(Clone, Debug)]
pub struct World {
    /// As given to the process, its name first.
    pub args: Vec<OsString>,
    /// Environment and working directory.
    pub around: Surroundings,
    /// The time of day at the start.
    pub now: Timestamp,
}

/// What the exit code says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// 0.
    Fine,
    /// 1: problems in articles, an unhealthy daemon, or the start failed.
    Problems,
    /// 2: wrong usage.
    Usage,
    /// 3: invalid config.
    Config,
    /// 4: the state is not ours to use.
    State,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(match exit {
            Exit::Fine => 0,
            Exit::Problems => 1,
            Exit::Usage => 2,
            Exit::Config => 3,
            Exit::State => 4,
        })
    }
}

/// Runs the command of a command line.
pub fn run(mut world: World) -> ExitCode {
    let args = args::with_command(std::mem::take(&mut world.args));
    let mut command = args::command(&world.around);
    let parsed = command.try_get_matches_from_mut(args).and_then(|matches| Cli::from_arg_matches(&matches));
    let cli = match parsed.and_then(|cli| one_inbox(cli, &mut command)) {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are results; a reader that went away does not matter.
            let _ = error.print();
            return if error.use_stderr() { Exit::Usage.into() } else { Exit::Fine.into() };
        }
    };
    let mut console = Console::of_process();
    let exit = dispatch(cli, &world, &mut console);
    if console.finish() { exit.into() } else { Exit::Problems.into() }
}

/// DIR and `--inbox` mean the same, so one of them is too many. The twin of `--inbox` is not: DIR is the nearer word.
fn one_inbox(cli: Cli, command: &mut clap::Command) -> Result<Cli, clap::Error> {
    let inbox = match &cli.command {
        Command::Serve(serve) => &serve.inbox,
        Command::Build(build) => &build.inbox,
        _ => return Ok(cli),
    };
    if let (Some(dir), Some(flag)) = (&inbox.dir, &inbox.inbox) {
        let text = format!("the inbox is named twice: {dir} and --inbox {flag}\n\nDIR is the same as --inbox");
        return Err(command.error(ErrorKind::ArgumentConflict, text));
    }
    Ok(cli)
}

fn dispatch(cli: Cli, world: &World, console: &mut Console) -> Exit {
    let mut request = Request { file: cli.config, flags: Vec::new() };
    match &cli.command {
        Command::Completions { shell } => {
            console.result(&packaging::completions(*shell, &world.around));
            return Exit::Fine;
        }
        Command::Man => {
            console.result(&packaging::man(&world.around));
            return Exit::Fine;
        }
        Command::Config(args) if args.schema => {
            console.result(&report::json(&config::schema(), true));
            return Exit::Fine;
        }
        Command::Serve(args) => request.flags = serve::flags(&args.inbox, args.listen.as_ref(), args.admin.as_ref()),
        Command::Build(args) => request.flags = serve::flags(&args.inbox, None, None),
        _ => {}
    }
    let config = match config::load(&request, &world.around) {
        Ok(config) => config,
        Err(invalid) => return refuse(&invalid, &cli.command, console),
    };
    match cli.command {
        Command::Serve(args) => serve::serve(&args, config, request, world, console),
        Command::Build(args) => serve::build(&args, config, world, console),
        Command::Check(args) => check::run(&args, &config, world, console),
        Command::Explain(args) => explain::run(&args, &config, world, console),
        Command::Config(args) => show(args.output, &config, console),
        Command::Status(args) => status::status(&args, &config, console),
        Command::Healthcheck => status::healthcheck(&config, console),
        Command::Completions { .. } | Command::Man => Exit::Fine,
    }
}

fn show(form: Dump, config: &Config, console: &mut Console) -> Exit {
    match form {
        Dump::Json => console.result(&report::json(&config::json(config), true)),
        Dump::Yaml => console.result(&config::yaml(config)),
    }
    Exit::Fine
}

/// Prints every mistake of the config. For `check` they are the result; for other commands they are messages.
fn refuse(invalid: &config::Invalid, command: &Command, console: &mut Console) -> Exit {
    for problem in &invalid.problems {
        let finding = Finding {
            path: &problem.source,
            shown: &problem.source,
            diagnostic: &problem.diagnostic,
            line: problem.text.as_deref(),
        };
        match command {
            Command::Check(args) => report::print(console, args.output, &finding),
            _ => console.message(report::human(&finding).trim_end()),
        }
    }
    let count = invalid.problems.len();
    let mistakes = console::counted(count as u64, "mistake", "mistakes");
    console.message(&format!("the config has {mistakes}; nothing was done"));
    if invalid.problems.iter().all(|problem| problem.misuse) { Exit::Usage } else { Exit::Config }
}
