//! Fail points: named places where tests make the world fail, by the environment variable `FAILPOINTS`.
//!
//! A release has none of them: the `fail` crate compiles to nothing without its feature, which only a dev-dependency
//! switches on. `POINT=return(EIO)` gives that error, `return(ENOSPC)` a full disk, `return(abort)` ends the process
//! on the spot; `delay(MS)` and counts such as `2*return(EIO)` are the crate's own.

use std::io;

/// Every point; a test runs each of them and fails where one is not reached.
pub const ALL: [&str; 33] = [
    "watch.new",
    "watch.add",
    "watch.event",
    "scan.list",
    "scan.known",
    "read.inbox",
    "read.open",
    "read.bytes",
    "parse.article",
    "state.lock",
    "catalog.open",
    "catalog.adopt",
    "catalog.read",
    "catalog.reparse",
    "catalog.begin",
    "catalog.change",
    "catalog.due",
    "catalog.commit",
    "catalog.committed",
    "catalog.checkpoint",
    "load.make",
    "load.sync",
    "load.rename",
    "load.placed",
    "render.head",
    "render.document",
    "publish.manifest",
    "publish.write",
    "http.bind",
    "http.accept",
    "config.read",
    "config.apply",
    "notify.tell",
];

/// Fails where a test has said so.
///
/// # Errors
///
/// The one that the test names.
pub fn io(point: &'static str) -> io::Result<()> {
    fail::fail_point!(point, |action| Err(act(point, action.as_deref())));
    let _ = point;
    Ok(())
}

/// Takes the points of the environment, in a build that has them; they stay as long as what is returned.
pub fn arm() -> Option<fail::FailScenario<'static>> {
    fail::has_failpoints().then(fail::FailScenario::setup)
}

#[cfg_attr(not(test), allow(dead_code, reason = "a release has no fail points"))]
fn act(point: &str, action: Option<&str>) -> io::Error {
    use rustix::io::Errno;
    tracing::warn!(point, action, "fail point");
    match action {
        Some("abort") => std::process::abort(),
        Some("ENOSPC") => Errno::NOSPC.into(),
        _ => Errno::IO.into(),
    }
}
