//! Runs the real program in a folder of its own, without anything of the environment that could reach it.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

/// A working directory with an inbox.
pub struct Site {
    dir: TempDir,
}

/// What a run left behind.
#[derive(Debug)]
pub struct Ran {
    /// The exit code.
    pub code: i32,
    /// Results.
    pub out: String,
    /// Messages.
    pub err: String,
}

impl Site {
    /// An empty inbox.
    pub fn new() -> Site {
        let site = Site { dir: tempfile::tempdir().expect("a folder") };
        std::fs::create_dir_all(site.at("feeds/inbox")).expect("an inbox");
        site
    }

    /// A path below the working directory; without links in it, as the program shows paths.
    pub fn at(&self, path: &str) -> PathBuf {
        self.dir.path().canonicalize().expect("a path").join(path)
    }

    /// Writes a file and the folders that it needs.
    pub fn write(&self, path: &str, text: &str) -> &Site {
        let path = self.at(path);
        std::fs::create_dir_all(path.parent().unwrap_or(Path::new("/"))).expect("folders");
        std::fs::write(path, text).expect("a file");
        self
    }

    /// A command line, ready to run.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_feedmill"));
        command.args(args).current_dir(self.at("")).env_clear().stdin(Stdio::null());
        if let Some(path) = std::env::var_os("PATH") {
            command.env("PATH", path);
        }
        command
    }

    /// Runs a command line.
    pub fn run(&self, args: &[&str]) -> Ran {
        self.run_with(args, &[])
    }

    /// Runs a command line with variables.
    pub fn run_with(&self, args: &[&str], env: &[(&str, &str)]) -> Ran {
        ran(self.command(args).envs(env.iter().copied()).output().expect("the program runs"))
    }
}

/// What a finished process left behind.
pub fn ran(output: Output) -> Ran {
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
    Ran { code: output.status.code().unwrap_or(-1), out: text(output.stdout), err: text(output.stderr) }
}
