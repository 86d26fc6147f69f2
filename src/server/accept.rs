//! The accept loop: connections in, within limits; hyper on each; out in good order when told to stop.
//!
//! Stopping has two steps. First the answers say `Connection: close`, so that clients with open connections learn it
//! from an answer and lose no request; then idle connections are closed and the others finish.

use std::collections::HashMap;
use std::future::poll_fn;
use std::io;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout, timeout_at};

use super::connection::{Caller, Handler};
use super::forwarded::Proxies;
use super::guard::{Activity, Guarded, Limits};
use super::listen::{Listener, Stream};
use super::protocol::{Answering, Protocols};
use crate::failpoint;
use crate::metrics::Metrics;

/// How long answers say that the connection closes, before those that ask nothing are closed.
const LAST_CALL: Duration = Duration::from_millis(100);

/// For so long the last clients are waited for that are connected and not accepted.
const MOMENT: Duration = Duration::from_millis(10);

/// After an error of `accept`: from this, doubled each time, to that.
const PAUSE: (Duration, Duration) = (Duration::from_millis(10), Duration::from_millis(500));

/// Errors of `accept` are logged at most this often.
const LOG_EVERY: Duration = Duration::from_secs(1);

/// Connections beyond the limit that are told so at the same time; further ones are closed without a word.
const REFUSALS: usize = 64;

/// Said to a connection beyond the limit.
const FULL: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 5\r\nCache-Control: no-store\r\n\
                      Connection: close\r\nContent-Length: 0\r\n\r\n";

/// How far stopping has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// Not at all.
    Serving,
    /// Answers say that their connection closes.
    LastCall,
    /// Idle connections are closed; answers under way finish.
    Closing,
    /// Nothing is waited for any more.
    Over,
}

/// What all connections of a listener share.
pub struct Door {
    handler: Handler,
    limits: Limits,
    protocols: Protocols,
    /// One permit a connection.
    connections: Arc<Semaphore>,
    most: usize,
    /// How many connections each address has, and how many it may have.
    callers: Mutex<HashMap<IpAddr, usize>>,
    most_per_caller: usize,
    refusals: Arc<Semaphore>,
    proxies: Arc<Proxies>,
    metrics: Arc<Metrics>,
    phase: watch::Receiver<Phase>,
}

impl Door {
    /// A door for at most so many connections.
    pub fn new(
        handler: Handler,
        limits: Limits,
        most: usize,
        proxies: Arc<Proxies>,
        metrics: Arc<Metrics>,
        phase: watch::Receiver<Phase>,
    ) -> Arc<Door> {
        let most = most.clamp(1, Semaphore::MAX_PERMITS);
        Arc::new(Door {
            handler,
            limits,
            protocols: Protocols::new(),
            connections: Arc::new(Semaphore::new(most)),
            most,
            callers: Mutex::default(),
            // One address is never all there is, but a network may hide many readers behind one.
            most_per_caller: (most / 4).max(64),
            refusals: Arc::new(Semaphore::new(REFUSALS)),
            proxies,
            metrics,
            phase,
        })
    }

    /// Whose word counts on who asks.
    pub fn proxies(&self) -> &Proxies {
        &self.proxies
    }

    /// Who answers.
    pub fn handler(&self) -> &Handler {
        &self.handler
    }

    /// Accepts connections until the phase changes; then those that wait already, and no more.
    pub async fn run(self: Arc<Self>, mut listener: Listener) {
        let mut phase = self.phase.clone();
        let mut pause = PAUSE.0;
        let mut logged: Option<Instant> = None;
        loop {
            let accepted = tokio::select! {
                biased;
                _ = phase.wait_for(|phase| *phase > Phase::Serving) => break,
                accepted = poll_fn(|cx| listener.poll_accept(cx)) => accepted,
            };
            match accepted.and_then(|accepted| failpoint::io("http.accept").map(|()| accepted)) {
                Ok((stream, from)) => {
                    pause = PAUSE.0;
                    self.admit(stream, from);
                }
                Err(error) if is_of_connection(&error) => {}
                Err(error) => {
                    // Out of file descriptors or memory: it passes when connections end.
                    if logged.is_none_or(|at| at.elapsed() >= LOG_EVERY) {
                        logged = Some(Instant::now());
                        tracing::warn!(%error, "connections cannot be accepted now");
                    }
                    let _ = timeout(pause, phase.wait_for(|phase| *phase > Phase::Serving)).await;
                    pause = (pause * 2).min(PAUSE.1);
                }
            }
        }
        // Clients that were told by the kernel that they are connected get an answer. That one waits is heard of a
        // moment late, so a moment without one shows that none does.
        let end = Instant::now() + LAST_CALL / 2;
        while let Ok(accepted) =
            timeout_at(end.min(Instant::now() + MOMENT), poll_fn(|cx| listener.poll_accept(cx))).await
        {
            if let Ok((stream, from)) = accepted {
                self.admit(stream, from);
            }
        }
    }

    /// Resolves once no connection is left.
    pub async fn closed(&self) {
        let all = u32::try_from(self.most).unwrap_or(u32::MAX);
        let _ = self.connections.acquire_many(all).await;
    }

    fn admit(self: &Arc<Self>, stream: Stream, from: Option<IpAddr>) {
        let place = self.place(from);
        let Some(place) = place else {
            self.metrics.refused();
            if let Ok(permit) = Arc::clone(&self.refusals).try_acquire_owned() {
                tokio::spawn(refuse(stream, permit));
            }
            return;
        };
        if self.handler.is_public() {
            self.metrics.set_connections(self.most - self.connections.available_permits());
        }
        tokio::spawn(Arc::clone(self).serve(stream, from, place));
    }

    /// A place for a connection, unless there are too many in all or from one address.
    fn place(self: &Arc<Self>, from: Option<IpAddr>) -> Option<Place> {
        let permit = Arc::clone(&self.connections).try_acquire_owned().ok()?;
        // A proxy stands for many.
        let counted = |from: &IpAddr| !from.is_loopback() && !self.proxies.trust(Some(*from));
        let caller = from.filter(counted).map(network);
        if let Some(caller) = caller {
            let mut callers = self.callers.lock().unwrap_or_else(PoisonError::into_inner);
            let open = callers.entry(caller).or_default();
            if *open >= self.most_per_caller {
                return None;
            }
            *open += 1;
        }
        Some(Place { door: Arc::clone(self), caller, _permit: permit })
    }

    async fn serve(self: Arc<Self>, stream: Stream, from: Option<IpAddr>, place: Place) {
        let activity = Arc::new(Activity::new());
        let io = Guarded::new(stream, Arc::clone(&activity), self.limits);
        let caller = Arc::new(Caller::new(from, activity, self.phase.clone()));
        self.protocols.serve(io, &caller, &self.phase, Answering::new(&self, &caller)).await;
        drop(place);
    }
}

/// The place of an open connection; given up when dropped.
struct Place {
    door: Arc<Door>,
    caller: Option<IpAddr>,
    _permit: OwnedSemaphorePermit,
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(caller) = self.caller {
            let mut callers = self.door.callers.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(open) = callers.get_mut(&caller) {
                *open -= 1;
                if *open == 0 {
                    callers.remove(&caller);
                }
            }
        }
        if self.door.handler.is_public() {
            // This one's permit is given back right after.
            let open = self.door.most - self.door.connections.available_permits();
            self.door.metrics.set_connections(open.saturating_sub(1));
        }
    }
}

/// What counts as one caller: an IPv6 host has a whole network of addresses.
fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
    }
}

/// Whether an error of `accept` is about one connection, not about us.
fn is_of_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset | io::ErrorKind::Interrupted
    )
}

/// Tells a connection that there is no place, and waits a moment so that the client can read it.
async fn refuse(mut stream: Stream, permit: OwnedSemaphorePermit) {
    let told = async {
        stream.write_all(FULL).await?;
        stream.shutdown().await?;
        let mut rest = [0; 1024];
        while stream.read(&mut rest).await? > 0 {}
        Ok::<_, io::Error>(())
    };
    let _ = timeout(Duration::from_secs(1), told).await;
    drop(permit);
}

/// Leads through the phases of stopping: everything that was begun is finished within `grace`.
pub async fn stop(phase: &watch::Sender<Phase>, loops: Vec<JoinHandle<()>>, doors: &[Arc<Door>], grace: Duration) {
    let end = Instant::now() + grace;
    phase.send_replace(Phase::LastCall);
    // The loops let in who was waiting, and close their sockets.
    for accepting in loops {
        let _ = accepting.await;
    }
    let closed = async {
        for door in doors {
            door.closed().await;
        }
    };
    tokio::pin!(closed);
    if timeout(LAST_CALL.min(grace), closed.as_mut()).await.is_ok() {
        return;
    }
    phase.send_replace(Phase::Closing);
    if timeout_at(end, closed.as_mut()).await.is_err() {
        tracing::warn!("answers were cut: they took longer than http.grace");
        phase.send_replace(Phase::Over);
        closed.await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ipv6_network_is_one_caller() {
        let a: IpAddr = "2001:db8:1:2:3::1".parse().expect("an address");
        let b: IpAddr = "2001:db8:1:2:ffff::9".parse().expect("an address");
        let c: IpAddr = "2001:db8:1:3::1".parse().expect("an address");
        assert_eq!(network(a), network(b));
        assert_ne!(network(a), network(c));
    }
}
