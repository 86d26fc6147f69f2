//! The service manager: the sockets that it hands over (sd_listen_fds), and what it is told (sd_notify). Harmless
//! where there is none.

use std::io;
use std::os::fd::AsFd;
use std::time::Duration;

use listenfd::ListenFd;
use sd_notify::NotifyState;

use crate::failpoint;
use crate::server::{Inherited, Socket};

/// The name of the socket for operators (`FileDescriptorName=`); any other is for readers.
const ADMIN: &str = "admin";

/// The sockets that were handed over to this process.
///
/// # Errors
///
/// Says which of them is not a stream socket that listens.
pub(super) fn sockets() -> io::Result<Inherited> {
    let names = std::env::var("LISTEN_FDNAMES").unwrap_or_default();
    let mut names = names.split(':');
    let mut handed = ListenFd::from_env();
    let mut inherited = Inherited::default();
    for number in 0..handed.len() {
        let name = names.next().unwrap_or_default();
        let socket = take(&mut handed, number).map_err(|error| {
            let number = number + 1;
            io::Error::new(
                error.kind(),
                format!("socket {number} ({name:?}) that was handed over cannot serve: {error}"),
            )
        })?;
        if name == ADMIN { &mut inherited.admin } else { &mut inherited.http }.push(socket);
    }
    Ok(inherited)
}

fn take(handed: &mut ListenFd, number: usize) -> io::Result<Socket> {
    let gone = || io::Error::other("it was taken before");
    // Which of the two it is, its address says; a wrong guess leaves it where it is.
    let socket = match handed.take_tcp_listener(number) {
        Ok(tcp) => Socket::Tcp(tcp.ok_or_else(gone)?),
        Err(_) => Socket::Unix(handed.take_unix_listener(number)?.ok_or_else(gone)?),
    };
    let listens = match &socket {
        Socket::Tcp(tcp) => rustix::net::sockopt::socket_acceptconn(tcp.as_fd())?,
        Socket::Unix(unix) => rustix::net::sockopt::socket_acceptconn(unix.as_fd())?,
    };
    if listens { Ok(socket) } else { Err(io::Error::other("it does not listen; Accept= of its unit must be no")) }
}

/// A state can be shown.
pub(super) fn ready(status: &str) {
    tell(&[NotifyState::Ready, NotifyState::Status(status)]);
}

/// One line for `systemctl status`.
pub(super) fn status(text: &str) {
    tell(&[NotifyState::Status(text)]);
}

/// The config is being read again. From systemd 253 on it wants to know when that began.
pub(super) fn reloading() {
    match NotifyState::monotonic_usec_now() {
        Ok(now) => tell(&[NotifyState::Reloading, now]),
        Err(_) => tell(&[NotifyState::Reloading]),
    }
}

/// The stop has begun.
pub(super) fn stopping() {
    tell(&[NotifyState::Stopping, NotifyState::Status("stopping")]);
}

/// The loops have made a full round.
pub(super) fn alive() {
    tell(&[NotifyState::Watchdog]);
}

/// The start advances but needs more time.
pub(super) fn extend_start(by: Duration, status: &str) {
    let micros = u32::try_from(by.as_micros()).unwrap_or(u32::MAX);
    tell(&[NotifyState::ExtendTimeoutUsec(micros), NotifyState::Status(status)]);
}

/// How often the service manager wants to hear [`alive`]: half of the time after which it would act.
pub(super) fn watchdog_pace() -> Option<Duration> {
    sd_notify::watchdog_enabled().map(|limit| limit / 2)
}

fn tell(states: &[NotifyState<'_>]) {
    if let Err(error) = failpoint::io("notify.tell").and_then(|()| sd_notify::notify(states)) {
        tracing::debug!(%error, "the service manager could not be told");
    }
}
