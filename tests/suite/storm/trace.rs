//! What a process did to its files and sent to its clients, in order, from the log of `strace`.

use std::collections::HashMap;
use std::path::Path;
use std::process::Command;

use crate::driver::skipped;

/// Whether there is `strace`; says visibly that the test is skipped where there is not.
pub fn is_there() -> bool {
    // Where the kernel lets nobody be traced the program exists and fails.
    let works = Command::new("strace").args(["-o", "/dev/null", "true"]).output().is_ok_and(|run| run.status.success());
    if !works {
        skipped("strace is not installed, or may not trace");
    }
    works
}

/// One thing that matters after a power cut.
#[derive(Debug)]
pub enum Op {
    /// A name was opened; made where there was none, emptied where `empty`.
    Open {
        path: String,
        empty: bool,
    },
    Write {
        path: String,
        at: u64,
        bytes: Vec<u8>,
    },
    Truncate {
        path: String,
        length: u64,
    },
    /// Of a file or a folder.
    Sync {
        path: String,
    },
    Rename {
        from: String,
        to: String,
    },
    Link {
        from: String,
        to: String,
    },
    Unlink {
        path: String,
    },
    /// To a client, on a connection.
    Send {
        connection: String,
        bytes: Vec<u8>,
    },
}

/// Words in front of a program whose doings are to be written to a log.
pub fn launcher(log: &Path) -> Vec<String> {
    const CALLS: &str = "trace=openat,open,creat,write,pwrite64,writev,pwritev,pwritev2,sendto,sendmsg,fsync,fdatasync,\
                         ftruncate,rename,renameat,renameat2,unlink,unlinkat,link,linkat,mkdir,fallocate,copy_file_range,\
                         sendfile,sync_file_range,truncate";
    let words = ["strace", "-D", "-f", "-q", "-y", "-xx", "-s", "10000000", "-e", CALLS, "-o"];
    words.into_iter().map(str::to_owned).chain([log.display().to_string()]).collect()
}

/// Reads a log; only what happens to files below `folder`, and what is sent, is kept. What is written counts from when
/// the call begins, what is synced from when it has ended.
pub fn read(log: &str, folder: &str) -> Vec<Op> {
    let mut found: Vec<Op> = Vec::new();
    let mut begun: HashMap<&str, String> = HashMap::new();
    // A call that was interrupted by others: where its operation stands.
    let mut places: HashMap<&str, usize> = HashMap::new();
    let mut offsets: HashMap<String, u64> = HashMap::new();
    for line in log.lines() {
        let Some((process, said)) = line.split_once(char::is_whitespace) else { continue };
        let said = said.trim_start();
        if let Some(beginning) = said.strip_suffix("<unfinished ...>") {
            begun.insert(process, beginning.to_owned());
            places.insert(process, found.len());
            // Its place is kept, so that what others do meanwhile comes after it.
            found.push(Op::Sync { path: String::new() });
            continue;
        }
        let (whole, place) = match said.strip_prefix("<... ").and_then(|rest| rest.split_once(" resumed>")) {
            Some((_, rest)) => {
                let Some(beginning) = begun.remove(process) else { continue };
                (beginning + rest, places.remove(process))
            }
            None => (said.to_owned(), None),
        };
        let Some(op) = operation(&whole, &mut offsets) else { continue };
        let below = |path: &String| path.starts_with(folder);
        let kept = match &op {
            Op::Send { .. } => true,
            Op::Open { path, .. } | Op::Write { path, .. } | Op::Truncate { path, .. } => below(path),
            Op::Sync { path } | Op::Unlink { path } => below(path),
            Op::Rename { from, to } | Op::Link { from, to } => below(from) || below(to),
        };
        match place {
            _ if !kept => {}
            Some(place) if !matches!(op, Op::Sync { .. }) => found[place] = op,
            _ => found.push(op),
        }
    }
    found.retain(|op| !matches!(op, Op::Sync { path } if path.is_empty()));
    found
}

/// A call that did something; `None` for one that failed or does not matter.
fn operation(line: &str, offsets: &mut HashMap<String, u64>) -> Option<Op> {
    let (call, rest) = line.split_once('(')?;
    let (arguments, returned) = rest.rsplit_once(" = ")?;
    if returned.starts_with('-') || returned.starts_with('?') {
        return None;
    }
    let count: u64 = returned.split(|c: char| !c.is_ascii_digit()).next()?.parse().unwrap_or(0);
    let arguments = arguments.trim_end().strip_suffix(')').unwrap_or(arguments);
    let texts = || quoted(arguments).into_iter().map(|text| String::from_utf8_lossy(&text).into_owned());
    let last_number = || arguments.rsplit(", ").next()?.trim().parse::<u64>().ok();
    let path = descriptor(arguments);
    Some(match call {
        "open" | "openat" | "creat" => {
            if !arguments.contains("O_CREAT") && !arguments.contains("O_TRUNC") && call != "creat" {
                return None;
            }
            Op::Open { path: texts().next()?, empty: arguments.contains("O_TRUNC") || call == "creat" }
        }
        "pwrite64" => Op::Write { path: path?, at: last_number()?, bytes: quoted(arguments).pop()? },
        "write" | "writev" | "sendto" | "sendmsg" | "sendmmsg" => {
            let path = path?;
            let mut bytes: Vec<u8> = quoted(arguments).concat();
            bytes.truncate(count as usize);
            if path.starts_with("socket:") {
                return Some(Op::Send { connection: path, bytes });
            }
            // Nothing of ours is written this way but the lock file, from its beginning.
            let at = offsets.entry(path.clone()).or_default();
            let begin = *at;
            *at += count;
            Op::Write { path, at: begin, bytes }
        }
        "fsync" | "fdatasync" => Op::Sync { path: path? },
        "ftruncate" => {
            let path = path?;
            offsets.remove(&path);
            Op::Truncate { path, length: last_number()? }
        }
        "rename" | "renameat" | "renameat2" => {
            let mut names = texts();
            Op::Rename { from: names.next()?, to: names.next()? }
        }
        "link" | "linkat" => {
            let mut names = texts();
            Op::Link { from: names.next()?, to: names.next()? }
        }
        "unlink" | "unlinkat" => Op::Unlink { path: texts().next()? },
        "mkdir" => return None,
        // Whoever begins to use another call has to teach it to the model.
        other => panic!("{other} is not modelled: {}", line.chars().take(200).collect::<String>()),
    })
}

/// The path of the first descriptor.
fn descriptor(arguments: &str) -> Option<String> {
    let (_, rest) = arguments.split_once('<')?;
    let (hex, _) = rest.split_once('>')?;
    Some(String::from_utf8_lossy(&unhex(hex)).into_owned())
}

/// All quoted strings.
fn quoted(arguments: &str) -> Vec<Vec<u8>> {
    arguments.split('"').skip(1).step_by(2).map(unhex).collect()
}

fn unhex(text: &str) -> Vec<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16).unwrap_or(0) as u8;
    text.as_bytes().chunks_exact(4).map(|byte| digit(byte[2]) << 4 | digit(byte[3])).collect()
}
