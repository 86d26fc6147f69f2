//! The config: where it comes from, whether it is right, and where each value goes.
//!
//! Each layer defines its own settings; this module fills them from defaults, one file, the environment and flags, in
//! this order, and remembers where each value came from. All mistakes are found in one go. Environment and working
//! directory are handed in ([`Surroundings`]), so that nothing here depends on the process.

mod check;
mod keys;
mod near;
mod place;
mod show;
mod values;

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use serde_json::Value as Json;

use crate::daemon::{Names, Setup};
use crate::diagnostic::{Code, Diagnostic};
use crate::server::Address;
use crate::yaml::Value;

pub use keys::{SETTINGS, Setting, Shape, sections};
pub use show::{json, schema, yaml};
pub use values::{FIELDS, field_name};

use keys::{Draft, Given};

/// Where a config file is looked for when none is named, in this order; relative to the working directory.
pub const PLACES: [&str; 2] = ["config/feedmill.yaml", "/etc/feedmill/feedmill.yaml"];

/// Flags that set a key of the config, without their dashes.
pub const FLAGS: [(&str, &str); 5] = [
    ("inbox", "inbox.path"),
    ("state", "state.path"),
    ("listen", "http.listen"),
    ("admin", "http.admin"),
    ("base-url", "site.base_url"),
];

/// The environment twin of a flag: `--base-url` is `FEEDMILL_BASE_URL`.
pub fn twin(flag: &str) -> String {
    format!("FEEDMILL_{}", flag.trim_start_matches('-').replace('-', "_").to_uppercase())
}

/// What surrounds the process.
#[derive(Clone, Debug, Default)]
pub struct Surroundings {
    /// The environment; variables that are not UTF-8 are left out.
    pub env: BTreeMap<String, String>,
    /// The working directory, absolute.
    pub cwd: PathBuf,
}

impl Surroundings {
    /// A variable; an empty one counts as not set.
    pub fn var(&self, name: &str) -> Option<&str> {
        self.env.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }
}

/// What the command line says about the config.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// `--config`.
    pub file: Option<PathBuf>,
    /// Flags of [`FLAGS`] with their values, without dashes.
    pub flags: Vec<(&'static str, String)>,
}

/// Where a value came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Nobody said anything.
    Default,
    /// A line of the config file.
    File {
        /// As it was named or found.
        path: String,
        /// From 1.
        line: u32,
    },
    /// A variable.
    Env(String),
    /// A flag, with its dashes.
    Flag(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Default => f.write_str("default"),
            Origin::File { path, line } => write!(f, "{path}:{line}"),
            Origin::Env(name) | Origin::Flag(name) => f.write_str(name),
        }
    }
}

/// A key with its value.
#[derive(Clone, Debug)]
pub struct Resolved {
    /// The key.
    pub setting: &'static Setting,
    /// The value as it is shown; paths are complete.
    pub value: Json,
    /// Where it came from.
    pub origin: Origin,
}

impl fmt::Debug for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.key)
    }
}

/// A valid config.
#[derive(Clone, Debug)]
pub struct Config {
    /// The settings of every layer.
    pub setup: Setup,
    /// Every key, in the order of [`SETTINGS`].
    pub values: Vec<Resolved>,
    /// The file that was read, as it was named or found.
    pub file: Option<PathBuf>,
}

/// One mistake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The file as it was named or found, a variable or a flag.
    pub source: String,
    /// What is wrong.
    pub diagnostic: Diagnostic,
    /// The line that it is about, if it stands in the file.
    pub text: Option<String>,
    /// Whether it is what a flag says, and so wrong usage.
    pub misuse: bool,
}

/// All mistakes, in the order of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invalid {
    /// Never empty.
    pub problems: Vec<Problem>,
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, Problem { source, diagnostic, .. }) in self.problems.iter().enumerate() {
            if at > 0 {
                f.write_str("\n")?;
            }
            f.write_str(source)?;
            for place in [diagnostic.line, diagnostic.column].into_iter().flatten() {
                write!(f, ":{place}")?;
            }
            write!(f, ": {}", diagnostic.message)?;
            if let Some(help) = &diagnostic.help {
                write!(f, " ({help})")?;
            }
        }
        Ok(())
    }
}

impl std::error::Error for Invalid {}

/// A config file's text, with what is needed to name it and to complete its paths.
pub(crate) struct File {
    name: String,
    path: PathBuf,
    base: PathBuf,
    text: String,
}

/// Finds, reads and checks the config.
///
/// # Errors
///
/// All mistakes at once.
pub fn load(request: &Request, around: &Surroundings) -> Result<Config, Invalid> {
    let file = find(request, around)?;
    let mut reading = Reading::start(around);
    if let Some(file) = &file {
        check::file(file, &mut reading);
    }
    reading.environment(around);
    for (flag, value) in &request.flags {
        let origin = Origin::Flag(format!("--{flag}"));
        if let Some((_, key)) = FLAGS.iter().find(|(name, _)| name == flag) {
            reading.outside(key, value, origin, &around.cwd);
        }
    }
    reading.finish(file)
}

/// The file that is named, or the first that there is.
fn find(request: &Request, around: &Surroundings) -> Result<Option<File>, Invalid> {
    let named = request.file.as_deref().or_else(|| around.var("FEEDMILL_CONFIG").map(Path::new));
    let places = match named {
        Some(file) => vec![file],
        None => PLACES.iter().map(Path::new).collect(),
    };
    for place in places {
        let path = around.cwd.join(place);
        let name = place.display().to_string();
        let invalid = |code: Code, message: String, help: &str| {
            let diagnostic = Diagnostic::new(code, message).help(help);
            Invalid { problems: vec![Problem { source: name.clone(), diagnostic, text: None, misuse: false }] }
        };
        let bytes = match std::fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if named.is_none() && is_absent(&error) => continue,
            Err(error) => {
                let help = "name another file with --config, or none to use the defaults";
                return Err(invalid(Code::Unreadable, format!("the config file cannot be read: {error}"), help));
            }
        };
        let Ok(text) = String::from_utf8(bytes) else {
            return Err(invalid(Code::ConfigSyntax, "the config file is not UTF-8".to_owned(), "save it as UTF-8"));
        };
        let folder = path.parent().unwrap_or(&around.cwd);
        // Without links in it, `..` in paths of the file means what it says.
        let base = folder.canonicalize().unwrap_or_else(|_| folder.to_path_buf());
        return Ok(Some(File { name, path, base, text }));
    }
    Ok(None)
}

fn is_absent(error: &std::io::Error) -> bool {
    matches!(error.kind(), std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory)
}

/// The config while it is being read.
pub(crate) struct Reading {
    draft: Draft,
    values: BTreeMap<&'static str, (Json, Origin)>,
    /// Where values stand in the file, for mistakes that show only when all values are known.
    places: BTreeMap<&'static str, (u32, u32, String)>,
    problems: Vec<Problem>,
}

impl Reading {
    /// The defaults.
    fn start(around: &Surroundings) -> Reading {
        let draft = Draft::blank();
        let mut reading = Reading { draft, values: BTreeMap::new(), places: BTreeMap::new(), problems: Vec::new() };
        for setting in SETTINGS {
            let value = show::default(setting);
            let wrong = reading.take(setting, &value, &around.cwd, Origin::Default);
            debug_assert!(wrong.is_empty(), "the default of {} is wrong: {wrong:?}", setting.key);
        }
        reading
    }

    /// Puts a value in its place; what is wrong with it otherwise.
    fn take(&mut self, setting: &'static Setting, value: &Value, base: &Path, origin: Origin) -> Vec<values::Wrong> {
        match (setting.read)(&mut self.draft, &Given { value, base }) {
            Ok(()) => {
                self.values.insert(setting.key, (show::shown(setting.shape, value, base), origin));
                Vec::new()
            }
            Err(wrong) => wrong,
        }
    }

    fn environment(&mut self, around: &Surroundings) {
        // systemd names several folders with colons between them.
        if let Some(dir) = around.var("STATE_DIRECTORY").and_then(|dirs| dirs.split(':').next()) {
            self.outside("state.path", dir, Origin::Env("STATE_DIRECTORY".to_owned()), &around.cwd);
        }
        for (flag, key) in FLAGS {
            let name = twin(flag);
            if let Some(value) = around.var(&name) {
                self.outside(key, value, Origin::Env(name), &around.cwd);
            }
        }
    }

    /// A value from the environment or a flag.
    fn outside(&mut self, key: &str, value: &str, origin: Origin, base: &Path) {
        let Some(setting) = keys::setting(key) else { return };
        for wrong in self.take(setting, &Value::text(value), base, origin.clone()) {
            let mut diagnostic = Diagnostic::new(Code::ConfigValue, wrong.message);
            diagnostic.help = wrong.help;
            let misuse = matches!(origin, Origin::Flag(_));
            self.problems.push(Problem { source: origin.to_string(), diagnostic, text: None, misuse });
        }
    }

    /// What only shows when all values are known.
    fn finish(mut self, file: Option<File>) -> Result<Config, Invalid> {
        let server = &self.draft.setup.server;
        if matches!(server.listen, Address::Unix(_)) && !self.draft.setup.base_url_given {
            self.late(
                "http.listen",
                "a unix socket says nothing about the address that readers use, and site.base_url is null",
                "set site.base_url, such as https://news.example",
            );
        } else if server.admin.as_ref() == Some(&server.listen) && !is_port_zero(&server.listen) {
            self.late(
                "http.admin",
                "the address is the same as http.listen",
                "choose another port, or off: what is for operators is never on the public address",
            );
        }
        if !self.draft.setup.feed.hubs.is_empty() && !self.draft.setup.base_url_given {
            self.late(
                "feeds.hubs",
                "hubs fetch the feeds that they are told of, and site.base_url is null",
                "set site.base_url to the address at which others reach this site, such as https://news.example",
            );
        }
        if !self.problems.is_empty() {
            return Err(Invalid { problems: self.problems });
        }

        let Draft { mut setup, include, exclude } = self.draft;
        match Names::new(&include, &exclude) {
            Ok(names) => setup.daemon.names = names,
            Err(error) => {
                let diagnostic = Diagnostic::new(Code::ConfigValue, format!("the patterns cannot be used: {error}"));
                let source = "inbox.include, inbox.exclude".to_owned();
                return Err(Invalid { problems: vec![Problem { source, diagnostic, text: None, misuse: false }] });
            }
        }
        if !setup.base_url_given {
            setup.feed.base_url = base_url(&setup.server.listen);
        }
        // `{slug}` falls back to the file's name.
        let paths_in_link = |link: &String| ["{stem}", "{dir}", "{slug}"].iter().any(|name| link.contains(name));
        setup.catalog.paths_matter =
            setup.feed.assets_url.is_some() || setup.feed.link.as_ref().is_some_and(paths_in_link);

        setup.catalog.rules.rooted = setup.feed.assets_url.is_some() || setup.feed.link.is_some();

        let values = SETTINGS.iter().filter_map(|setting| {
            let (value, origin) = self.values.remove(setting.key)?;
            Some(Resolved { setting, value, origin })
        });
        Ok(Config { setup, values: values.collect(), file: file.map(|file| file.path) })
    }

    fn late(&mut self, key: &'static str, message: &str, help: &str) {
        let mut diagnostic = Diagnostic::new(Code::ConfigValue, message).help(help);
        let problem = match self.values.get(key) {
            Some((_, Origin::File { path, .. })) => {
                let (line, column, text) = self.places.get(key).cloned().unwrap_or_default();
                diagnostic = diagnostic.at(line, column);
                Problem { source: path.clone(), diagnostic, text: Some(text), misuse: false }
            }
            Some((_, Origin::Default)) | None => {
                Problem { source: key.to_owned(), diagnostic, text: None, misuse: false }
            }
            Some((_, origin)) => Problem { source: origin.to_string(), diagnostic, text: None, misuse: false },
        };
        self.problems.push(problem);
    }
}

fn is_port_zero(address: &Address) -> bool {
    matches!(address, Address::Tcp(text) if text.ends_with(":0"))
}

/// What `site.base_url` is without being configured: the address that is listened on, any address as 127.0.0.1.
fn base_url(listen: &Address) -> String {
    match listen {
        Address::Tcp(text) => {
            let reachable = match text.rsplit_once(':') {
                Some(("0.0.0.0" | "[::]", port)) => format!("127.0.0.1:{port}"),
                _ => text.clone(),
            };
            format!("http://{reachable}")
        }
        Address::Unix(_) => String::new(),
    }
}

#[cfg(test)]
mod tests;
