//! Benchmarks of the real binary, for anyone to run: `cargo bench`, `cargo bench -- scale 20000`,
//! `cargo bench -- hugo 20000`, `cargo bench -- http`.
//!
//! Every figure is printed beside a yardstick that is measured in the same run on the same machine: what counts are
//! the ratios. Nothing here is a test; nothing here fails because a machine is slow.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a benchmark prints its figures")]

mod articles;
mod daemon;
mod http;
mod hugo;
mod load;
mod scale;

fn main() {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with("--")).collect();
    let number = |at: usize, default: usize| words.get(at).and_then(|word| word.parse().ok()).unwrap_or(default);
    match words.first().map(String::as_str) {
        None | Some("scale") => scale::run(number(1, 20_000)),
        Some("hugo") => hugo::run(number(1, 20_000)),
        Some("http") => http::run(),
        Some(other) => {
            eprintln!("no benchmark is called {other}; there are: scale [ARTICLES], hugo [ARTICLES], http");
            std::process::exit(2);
        }
    }
}
