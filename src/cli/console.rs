//! The one place that writes to the terminal: results to stdout, messages to stderr.
//!
//! Colours are dropped where `NO_COLOR` or a pipe asks for it. A reader that went away (`feedmill check | head`) ends
//! the output, not the command.

use std::io::{self, Write};

use clap::builder::styling::{AnsiColor, Style};

/// Bold, for the first words of messages.
pub const BOLD: Style = Style::new().bold();
/// Errors.
pub const RED: Style = AnsiColor::Red.on_default().bold();
/// Warnings.
pub const YELLOW: Style = AnsiColor::Yellow.on_default().bold();
/// Notes and help.
pub const CYAN: Style = AnsiColor::Cyan.on_default().bold();

/// A number with its noun.
pub fn counted(count: u64, one: &str, more: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { more })
}

/// Both streams.
pub struct Console {
    out: Box<dyn Write>,
    err: Box<dyn Write>,
    broken: Option<io::Error>,
}

impl Console {
    /// The streams of the process.
    pub fn of_process() -> Console {
        Console { out: Box::new(anstream::stdout()), err: Box::new(anstream::stderr()), broken: None }
    }

    /// A part of the result, as it stands.
    pub fn result(&mut self, text: &str) {
        if self.broken.is_none() {
            self.broken = self.out.write_all(text.as_bytes()).and_then(|()| self.out.flush()).err();
        }
    }

    /// A line for the person at the terminal; nothing is to be done where it cannot be written.
    pub fn message(&mut self, text: &str) {
        let _ = writeln!(self.err, "{text}");
    }

    /// A sentence on what went wrong, with everything that caused it.
    pub fn failure(&mut self, error: &dyn std::error::Error) {
        self.message(&format!("{RED}error{RED:#}: {error}"));
        let mut cause = error.source();
        while let Some(error) = cause {
            self.message(&format!("  {BOLD}cause{BOLD:#}: {error}"));
            cause = error.source();
        }
    }

    /// Whether the results could be written; a reader that went away is no failure.
    pub fn finish(mut self) -> bool {
        match self.broken.take() {
            Some(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                self.message(&format!("{RED}error{RED:#}: the output cannot be written: {error}"));
                false
            }
            _ => true,
        }
    }
}
