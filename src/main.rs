//! The process: hands arguments, environment, working directory and clock to the command line, and its exit code back.

use std::process::ExitCode;

use feedmill::cli::{self, World};
use feedmill::config::Surroundings;

fn main() -> ExitCode {
    let _points = feedmill::failpoint::arm();
    let env =
        std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    // Without a working directory, relative paths start at the root and are not found there.
    let cwd = std::env::current_dir().unwrap_or_else(|_| "/".into());
    let around = Surroundings { env: env.collect(), cwd };
    cli::run(World { args: std::env::args_os().collect(), around, now: chrono::Utc::now() })
}
