//! `feedmill check`: reads articles as the daemon would and prints what is wrong. Changes nothing, keeps nothing.

use std::collections::{BTreeSet, HashMap};
use std::path::Path;
use std::time::Instant;

use super::args::{self, Findings};
use super::console::{Console, counted};
use super::inbox::{Found, Root, Walked};
use super::report::{self, Finding, Tally};
use super::{Exit, World};
use crate::article::{self, Field, Hash, Parsed, SourceFile, Timestamp};
use crate::config::Config;
use crate::daemon::Named;
use crate::diagnostic::{Code, Diagnostic};
use crate::entry::{Key, Seed};

/// Checks what was named, or the whole inbox.
pub fn run(args: &args::Check, config: &Config, world: &World, console: &mut Console) -> Exit {
    let started = Instant::now();
    let inbox = &config.setup.daemon.inbox;
    let mut check = Check { config, world, console, form: args.output, seen: Seen::default() };
    if args.paths.is_empty() {
        if !inbox.is_dir() {
            let inbox = inbox.display();
            check.console.message(&format!("error: the inbox {inbox} is not there: make it, or name another one"));
            return Exit::Problems;
        }
        check.path(inbox);
    }
    for path in &args.paths {
        check.path(&world.around.cwd.join(path));
    }
    let seen = check.seen;
    console.message(&format!("{} ({:.1} s)", seen.summary(), started.elapsed().as_secs_f64()));
    let bad = seen.tally.errors > 0 || (args.strict && seen.tally.warnings > 0);
    if bad { Exit::Problems } else { Exit::Fine }
}

/// What `parse` cannot know, because it depends on the time: whether an article waits or has ended.
pub fn timely(parsed: &Parsed, config: &Config, now: Timestamp) -> Option<Diagnostic> {
    let article = parsed.article.as_ref()?;
    if article.draft {
        let told = parsed.problems.iter().any(|problem| problem.code == Code::Draft);
        return (!told).then(|| Diagnostic::new(Code::Draft, "withheld: it is a draft"));
    }
    let at = |diagnostic: Diagnostic, field| match parsed.origins.get(&field).and_then(|origin| origin.line) {
        Some(line) => diagnostic.at(line, 1),
        None => diagnostic,
    };
    if let Some(end) = article.expires.filter(|&end| end <= now) {
        let message = format!("withheld: it expired on {}", rfc3339(end));
        return Some(at(Diagnostic::new(Code::Expired, message), Field::Expiry));
    }
    let held = config.setup.catalog.hold_future;
    let start = article.published.filter(|&start| held && start > now)?;
    let message = format!("withheld until {}", rfc3339(start));
    Some(at(Diagnostic::new(Code::Future, message), Field::Published))
}

/// As the contract writes times.
pub fn rfc3339(at: Timestamp) -> String {
    at.format("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// A file's text as diagnostics count its lines.
pub fn text_of(bytes: &[u8], parsed: &Parsed) -> String {
    match &parsed.article {
        Some(article) => article::decode(bytes, &article.body.encoding),
        None => String::from_utf8_lossy(bytes).trim_start_matches('\u{feff}').replace("\r\n", "\n").replace('\r', "\n"),
    }
}

/// A path as people at the terminal name it: from the working directory where it is below it.
pub fn shown(full: &Path, cwd: &Path) -> String {
    let shown = full.strip_prefix(cwd).ok().filter(|path| !path.as_os_str().is_empty()).unwrap_or(full);
    shown.display().to_string()
}

#[derive(Default)]
struct Seen {
    tally: Tally,
    articles: usize,
    held: usize,
    excluded: usize,
    keys: BTreeSet<Key>,
    /// By seed: the first file that has it, and its body.
    seeds: HashMap<Seed, (String, Hash)>,
}

impl Seen {
    fn summary(&self) -> String {
        let many = |count: usize, one: &str, more: &str| counted(count as u64, one, more);
        let mut parts = vec![
            many(self.articles, "article", "articles"),
            many(self.keys.len(), "feed", "feeds"),
            many(self.tally.errors, "error", "errors"),
            many(self.tally.warnings, "warning", "warnings"),
        ];
        for (count, what) in [(self.held, "held"), (self.excluded, "excluded by name")] {
            if count > 0 {
                parts.push(format!("{count} {what}"));
            }
        }
        parts.join(", ")
    }
}

struct Check<'a> {
    config: &'a Config,
    world: &'a World,
    console: &'a mut Console,
    form: Findings,
    seen: Seen,
}

impl Check<'_> {
    fn path(&mut self, path: &Path) {
        let daemon = &self.config.setup.daemon;
        let (root, real) = match Root::of(path, &daemon.inbox) {
            Ok(found) => found,
            Err(error) => {
                let name = shown(path, &self.world.around.cwd);
                let problem = Diagnostic::new(Code::Unreadable, format!("it cannot be read: {error}"));
                return self.print(&name, path, &problem, None);
            }
        };
        if real.is_dir() {
            for walked in root.walk(&real, &daemon.names) {
                match walked {
                    Walked::Article(file) => self.file(&root, &file),
                    Walked::Excluded => self.seen.excluded += 1,
                    Walked::Unreadable(file, problem) => self.print(&file.path, &file.full, &problem, None),
                }
            }
            return;
        }
        let file = Found { path: root.relative(&real), full: real };
        match daemon.names.of_file(&file.path) {
            Named::Article => self.file(&root, &file),
            Named::Excluded(pattern) => {
                self.seen.excluded += 1;
                let name = shown(&file.full, &self.world.around.cwd);
                self.console.message(&format!("{name}: not read, inbox.exclude has {pattern}"));
            }
            Named::Other => {
                let name = shown(&file.full, &self.world.around.cwd);
                self.console.message(&format!("{name}: not read, no pattern of inbox.include names it"));
            }
        }
    }

    fn file(&mut self, root: &Root, file: &Found) {
        let bytes = match root.read(file, self.config.setup.daemon.max_file_size) {
            Ok(bytes) => bytes,
            Err(problem) => return self.print(&file.path, &file.full, &problem, None),
        };
        let parsed = article::parse(SourceFile { path: &file.path, bytes: &bytes }, &self.config.setup.catalog.rules);
        let mut problems = parsed.problems.clone();
        let timely = timely(&parsed, self.config, self.world.now);
        let held = timely.is_some() || parsed.article.as_ref().is_some_and(|article| article.draft);
        problems.extend(timely);
        match &parsed.article {
            Some(_) if held => self.seen.held += 1,
            Some(article) => {
                self.seen.articles += 1;
                self.seen.keys.extend(self.config.setup.catalog.taxonomies.keys(article, &file.path));
                problems.extend(self.double(article, file));
            }
            None if parsed.problems.iter().any(|problem| problem.code == Code::Empty) => self.seen.held += 1,
            None => {}
        }
        if problems.is_empty() {
            return;
        }
        let text = text_of(&bytes, &parsed);
        let lines: Vec<&str> = text.split('\n').collect();
        for problem in &problems {
            let line = problem.line.and_then(|line| lines.get((line as usize).checked_sub(1)?).copied());
            self.print(&file.path, &file.full, problem, line);
        }
    }

    /// Whether an earlier file has the same identity. Files come in the order of names, so the first one leads.
    fn double(&mut self, article: &article::Article, file: &Found) -> Option<Diagnostic> {
        let seed = Seed::of(article, &file.path);
        let body = article.body.hash;
        let Some((other, other_body)) = self.seen.seeds.get(&seed) else {
            self.seen.seeds.insert(seed, (file.path.clone(), body));
            return None;
        };
        if *other == file.path {
            return None;
        }
        let (code, message) = if *other_body == body {
            (Code::Twin, format!("{other} holds the same article; only that one is shown"))
        } else {
            let what = if seed.is_explicit() { "the same id" } else { "the same title and date" };
            (Code::IdCollision, format!("{other} has {what}; this one gets an id of its own"))
        };
        Some(Diagnostic::new(code, message).help("remove one of them, or give each a `guid`"))
    }

    fn print(&mut self, path: &str, full: &Path, diagnostic: &Diagnostic, line: Option<&str>) {
        self.seen.tally.add(diagnostic.severity);
        let shown = shown(full, &self.world.around.cwd);
        report::print(self.console, self.form, &Finding { path, shown: &shown, diagnostic, line });
    }
}
