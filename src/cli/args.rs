//! The command line as typed: commands, flags, their help and their environment twins.
//!
//! Help, completions, the man page and the twins all come from [`command`]. Flags that set a key of the config are
//! kept as text here; the config reads them, so that every source of a value is checked by the same code.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::builder::BoolishValueParser;
use clap::{Args, CommandFactory, Parser, Subcommand, ValueEnum};

use crate::config::{self, Surroundings};

/// What every command's help ends with.
pub const EXIT_CODES: &str = "\
Exit codes:
  0  fine
  1  check: problems in articles (with --strict, warnings too)
     serve, build: the start failed
     status, healthcheck: not reached, or not healthy
     status: the last reload failed
  2  wrong usage
  3  invalid config
  4  the state is in use by another process, or of a newer release";

const TEMPLATE: &str = "{about-with-newline}\n{before-help}{usage-heading} {usage}\n\n{all-args}{after-help}";

#[derive(Debug, Parser)]
#[command(
    name = "feedmill",
    version,
    about = "Republishes a folder of article files as RSS, Atom and JSON feeds",
    override_usage = "feedmill [OPTIONS] [COMMAND]",
    before_help = "Examples:
  feedmill                         serve feeds/inbox
  feedmill serve /srv/articles     serve another folder
  feedmill check /srv/articles     say what is wrong with its files",
    max_term_width = 100
)]
pub struct Cli {
    /// The config file; else $FEEDMILL_CONFIG, ./config/feedmill.yaml, /etc/feedmill/feedmill.yaml or the defaults
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,

    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Watch the inbox and serve its feeds (the default)
    #[command(before_help = "Examples:
  feedmill serve                   feeds/inbox on http://127.0.0.1:8080/
  feedmill serve /srv/articles --state /var/lib/feedmill
  feedmill serve --listen 0.0.0.0:80 --base-url https://news.example")]
    Serve(Serve),
    /// Write every document below a folder, once, and exit
    #[command(before_help = "Examples:
  feedmill build --out public      feeds/inbox as static files
  feedmill build /srv/articles --out public --base-url https://news.example
  SOURCE_DATE_EPOCH=1700000000 feedmill build --out public")]
    Build(Build),
    /// Say what is wrong with articles and config; changes nothing
    #[command(before_help = "Examples:
  feedmill check                   the whole inbox
  feedmill check --strict new.md   one file; warnings count as errors
  feedmill check --output github content/posts")]
    Check(Check),
    /// Say how one file is read: fields, dates, id, feeds
    #[command(before_help = "Examples:
  feedmill explain feeds/inbox/news/rates.md
  feedmill explain --output json news/rates.md
  feedmill --config site.yaml explain post.md")]
    Explain(Explain),
    /// Show the config in force and where each value comes from
    #[command(before_help = "Examples:
  feedmill config
  FEEDMILL_INBOX=/srv/articles feedmill config --output json
  feedmill config --schema > feedmill.schema.json")]
    Config(Config),
    /// Ask the running daemon how it is
    #[command(before_help = "Examples:
  feedmill status
  feedmill status --output json
  FEEDMILL_STATE=/var/lib/feedmill feedmill status")]
    Status(Status),
    /// Exit with 0 if the running daemon is healthy; for containers
    #[command(before_help = "Examples:
  feedmill healthcheck
  feedmill --config /etc/feedmill/feedmill.yaml healthcheck
  feedmill healthcheck || systemctl restart feedmill")]
    Healthcheck,
    /// Print completions for a shell
    #[command(before_help = "Examples:
  source <(feedmill completions bash)
  feedmill completions zsh > _feedmill
  feedmill completions fish > ~/.config/fish/completions/feedmill.fish")]
    Completions {
        /// For which shell
        shell: clap_complete::Shell,
    },
    /// Print the man page
    #[command(before_help = "Examples:
  feedmill man | man -l -
  feedmill man > /usr/share/man/man1/feedmill.1
  feedmill man | groff -man -Tutf8")]
    Man,
}

#[derive(Debug, Args)]
pub struct Inbox {
    /// The inbox, the same as --inbox
    #[arg(value_name = "DIR")]
    pub dir: Option<String>,
    /// The watched folder [default: feeds/inbox]
    #[arg(long, value_name = "DIR")]
    pub inbox: Option<String>,
    /// Where the catalog is kept [default: feeds/state]
    #[arg(long, value_name = "DIR")]
    pub state: Option<String>,
    /// Where readers find the site, such as https://news.example [default: the address listened on]
    #[arg(long, value_name = "URL")]
    pub base_url: Option<String>,
}

#[derive(Debug, Args)]
pub struct Serve {
    #[command(flatten)]
    pub inbox: Inbox,
    /// The public address: HOST:PORT or unix:/PATH [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDR")]
    pub listen: Option<String>,
    /// The address for operators, or off [default: 127.0.0.1:8081]
    #[arg(long, value_name = "ADDR|off")]
    pub admin: Option<String>,
    /// Take an empty or exchanged inbox for what it is: withdraw at once what is missing now
    #[arg(long)]
    pub accept_empty: bool,
}

#[derive(Debug, Args)]
pub struct Build {
    #[command(flatten)]
    pub inbox: Inbox,
    /// The folder to write; files there that an earlier build did not write are left alone
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
}

#[derive(Debug, Args)]
pub struct Check {
    /// Files or folders [default: the inbox]
    #[arg(value_name = "PATH")]
    pub paths: Vec<PathBuf>,
    /// How to print what is found
    #[arg(long, value_enum, value_name = "FORM", default_value = "human")]
    pub output: Findings,
    /// Warnings are problems too
    #[arg(long)]
    pub strict: bool,
}

#[derive(Debug, Args)]
pub struct Explain {
    /// The article file
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// How to print it
    #[arg(long, value_enum, value_name = "FORM", default_value = "human")]
    pub output: Report,
}

#[derive(Debug, Args)]
pub struct Config {
    /// How to print it
    #[arg(long, value_enum, value_name = "FORM", default_value = "yaml")]
    pub output: Dump,
    /// Print the JSON Schema of config files instead
    #[arg(long)]
    pub schema: bool,
}

#[derive(Debug, Args)]
pub struct Status {
    /// How to print it
    #[arg(long, value_enum, value_name = "FORM", default_value = "human")]
    pub output: Report,
}

/// How `check` prints.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Findings {
    /// Like a compiler, with the line and a caret
    Human,
    /// One object per line
    Json,
    /// Annotations of GitHub Actions
    Github,
}

/// How `explain` and `status` print.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Report {
    /// Lines of text
    Human,
    /// One object
    Json,
}

/// How `config` prints.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Dump {
    /// A config file with the origins as comments
    Yaml,
    /// One object
    Json,
}

/// The whole command line with twins and exit codes in its help.
pub fn command(around: &Surroundings) -> clap::Command {
    let finish = |command: clap::Command| {
        let command = command.help_template(TEMPLATE).after_help(EXIT_CODES);
        command.mut_args(|arg| with_twin(arg, around))
    };
    finish(Cli::command().disable_help_subcommand(true)).mut_subcommands(finish)
}

/// Gives a flag its environment twin. The config reads the twins of its own flags itself, for every command.
fn with_twin(arg: clap::Arg, around: &Surroundings) -> clap::Arg {
    let Some(flag) = arg.get_long().map(str::to_owned).filter(|flag| flag != "help" && flag != "version") else {
        return arg;
    };
    let arg = match arg.get_action() {
        clap::ArgAction::SetTrue => arg.value_parser(BoolishValueParser::new()),
        _ => arg,
    };
    let name = config::twin(&flag);
    // A variable that is set to nothing counts as not set.
    let set_to_nothing = around.env.contains_key(&name) && around.var(&name).is_none();
    match TWINS.into_iter().find(|twin| *twin == name && !set_to_nothing) {
        Some(twin) => arg.env(twin).hide_env_values(true),
        None => {
            let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
            arg.help(format!("{help} [env: {name}]"))
        }
    }
}

/// The twins that clap reads; those of flags that set a key of the config are read with the config.
const TWINS: [&str; 5] =
    ["FEEDMILL_ACCEPT_EMPTY", "FEEDMILL_OUT", "FEEDMILL_OUTPUT", "FEEDMILL_STRICT", "FEEDMILL_SCHEMA"];

/// Puts `serve` where no command stands: flags alone are flags of `serve`.
pub fn with_command(args: Vec<OsString>) -> Vec<OsString> {
    let mut at = 1;
    while let Some(arg) = args.get(at).and_then(|arg| arg.to_str()) {
        match arg {
            "--config" => at += 2,
            _ if arg.starts_with("--config=") => at += 1,
            "-h" | "--help" | "-V" | "--version" => return args,
            _ if arg.starts_with('-') => break,
            _ => return args,
        }
    }
    let mut args = args;
    let at = at.min(args.len());
    args.insert(at, "serve".into());
    args
}

#[cfg(test)]
mod tests {
    use super::*;

    fn completed(args: &[&str]) -> String {
        let args = std::iter::once("feedmill").chain(args.iter().copied()).map(OsString::from).collect();
        with_command(args).iter().skip(1).map(|arg| arg.to_string_lossy()).collect::<Vec<_>>().join(" ")
    }

    /// Help without its line breaks.
    fn words(help: &str) -> String {
        help.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn flags_alone_are_serve() {
        assert_eq!(completed(&[]), "serve");
        assert_eq!(completed(&["--inbox", "x"]), "serve --inbox x");
        assert_eq!(completed(&["--config", "f"]), "--config f serve");
        assert_eq!(completed(&["--config=f", "--admin", "off"]), "--config=f serve --admin off");
        assert_eq!(completed(&["--config", "f", "check"]), "--config f check");
        assert_eq!(completed(&["check", "--strict"]), "check --strict");
        assert_eq!(completed(&["--help"]), "--help");
        assert_eq!(completed(&["--config"]), "--config serve");
    }

    #[test]
    fn the_command_line_is_consistent() {
        command(&Surroundings::default()).debug_assert();
    }

    #[test]
    fn every_twin_is_read_once() {
        let command = command(&Surroundings::default());
        for sub in command.get_subcommands().chain([&command]) {
            for arg in sub.get_arguments() {
                let Some(flag) = arg.get_long().filter(|flag| !["help", "version", "config"].contains(flag)) else {
                    continue;
                };
                let twin = config::twin(flag);
                let by_config = config::FLAGS.iter().any(|(other, _)| *other == flag);
                let by_clap = arg.get_env().is_some_and(|name| name == twin.as_str());
                assert!(by_config != by_clap, "--{flag}");
            }
        }
    }

    #[test]
    fn every_flag_names_its_twin() {
        let command = command(&Surroundings::default());
        let mut flags = 0;
        for sub in command.get_subcommands().chain([&command]) {
            let help = words(&sub.clone().render_long_help().to_string());
            for flag in sub.get_arguments().filter_map(|arg| arg.get_long()).filter(|f| *f != "help" && *f != "version")
            {
                let twin = format!("[env: {}]", config::twin(flag));
                assert!(help.contains(&twin), "{} --{flag}: {help}", sub.get_name());
                flags += 1;
            }
        }
        assert!(flags >= 15, "{flags}");
    }

    #[test]
    fn help_begins_with_examples_and_ends_with_exit_codes() {
        let command = command(&Surroundings::default());
        for sub in command.get_subcommands().chain([&command]) {
            let help = sub.clone().render_help().to_string();
            let (examples, usage) = (help.find("Examples:"), help.find("Usage:"));
            assert!(examples.is_some() && examples < usage, "{help}");
            assert!(help.contains("\n  4  the state is in use"), "{help}");
            let lines =
                help.lines().skip_while(|l| !l.starts_with("Examples:")).skip(1).take_while(|l| l.starts_with("  "));
            assert_eq!(lines.count(), 3, "{help}");
        }
    }
}
