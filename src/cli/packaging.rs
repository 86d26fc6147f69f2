//! `feedmill completions` and `feedmill man`: for packagers, from the same definition as the help.

use clap::builder::StyledStr;
use clap_complete::Shell;

use super::args::{self, EXIT_CODES};
use crate::config::Surroundings;

/// The script that completes command lines in a shell.
pub fn completions(shell: Shell, around: &Surroundings) -> String {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut args::command(around), "feedmill", &mut script);
    String::from_utf8_lossy(&script).into_owned()
}

/// One man page for all commands.
pub fn man(around: &Surroundings) -> String {
    let mut command = args::command(around);
    command.build();
    let page = clap_mangen::Man::new(command.clone());
    let mut roff = Vec::new();
    // Writing to memory does not fail.
    let _ = page.render_title(&mut roff);
    let _ = page.render_name_section(&mut roff);
    let _ = page.render_synopsis_section(&mut roff);
    let _ = page.render_description_section(&mut roff);
    let _ = page.render_options_section(&mut roff);
    let mut text = String::from_utf8_lossy(&roff).into_owned();
    text.push_str(".SH COMMANDS\n");
    for sub in command.get_subcommands() {
        text.push_str(&subcommand(sub));
    }
    section(&mut text, "EXIT STATUS", EXIT_CODES.trim_start_matches("Exit codes:\n"));
    section(
        &mut text,
        "ENVIRONMENT",
        "Every flag has a twin: --base-url is FEEDMILL_BASE_URL. A flag goes before its twin, the twin before the\n\
         config file. FEEDMILL_LOG or RUST_LOG says how much is logged, such as debug.",
    );
    section(
        &mut text,
        "FILES",
        "./config/feedmill.yaml, /etc/feedmill/feedmill.yaml\n  the config, where --config names none",
    );
    text
}

fn subcommand(sub: &clap::Command) -> String {
    let about = sub.get_about().map(StyledStr::to_string).unwrap_or_default();
    let mut text = format!(".SS \"feedmill {}\"\n{}\n", escaped(sub.get_name()), escaped(&about));
    for arg in sub.get_arguments().filter(|arg| !matches!(arg.get_id().as_str(), "help" | "version" | "config")) {
        let value = arg.get_value_names().and_then(|names| names.first()).map(ToString::to_string);
        let takes = arg.get_action().takes_values();
        let head = match (arg.get_long(), value.filter(|_| takes)) {
            (Some(flag), Some(value)) => format!("\\fB--{}\\fR \\fI{}\\fR", escaped(flag), escaped(&value)),
            (Some(flag), None) => format!("\\fB--{}\\fR", escaped(flag)),
            (None, value) => format!("\\fI{}\\fR", escaped(&value.unwrap_or_default())),
        };
        let mut help = arg.get_help().map(StyledStr::to_string).unwrap_or_default();
        let words: Vec<String> = arg.get_possible_values().iter().map(|word| word.get_name().to_owned()).collect();
        if takes && !words.is_empty() {
            help.push_str(&format!(" [{}]", words.join(", ")));
        }
        if let Some(name) = arg.get_env().and_then(|name| name.to_str()) {
            help.push_str(&format!(" [env: {name}]"));
        }
        text.push_str(&format!(".TP\n{head}\n{}\n", escaped(&help)));
    }
    if let Some(examples) = sub.get_before_help() {
        text.push_str(&format!(".PP\n.nf\n{}\n.fi\n", escaped(&examples.to_string())));
    }
    text
}

fn section(text: &mut String, title: &str, body: &str) {
    text.push_str(&format!(".SH \"{title}\"\n.nf\n{}\n.fi\n", escaped(body)));
}

/// Text as roff takes it: no line may begin with a request.
fn escaped(text: &str) -> String {
    let text = text.replace('\\', "\\e").replace('-', "\\-");
    let lines =
        text.lines().map(|line| if line.starts_with(['.', '\'']) { format!("\\&{line}") } else { line.to_owned() });
    lines.collect::<Vec<_>>().join("\n")
}
