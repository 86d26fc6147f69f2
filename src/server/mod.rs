//! Request and state → response: routing, negotiation, preconditions (pure functions), and a thin accept loop.
//!
//! A request comes in through `accept`, `guard` and `head`, is handed on by `connection` to `respond` or `admin`, and these
//! decide by `route`, `negotiate` and `condition` which `answer` it gets.

mod accept;
mod admin;
mod answer;
mod condition;
mod connection;
mod forwarded;
mod guard;
mod head;
mod listen;
mod negotiate;
mod page;
mod problems;
mod protocol;
mod readership;
mod respond;
mod route;
mod status;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use accept::{Door, Phase};
use admin::{Addresses, Admin};
use connection::{Handler, Tally};
pub use forwarded::Proxies;
use guard::Limits;
use listen::Listener;
pub use listen::Within;
use readership::Readership;
use respond::Responder;

use crate::entry::{Format, Timestamp};
use crate::metrics::Metrics;
use crate::rendition::Renditions;

/// Where to listen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// `HOST:PORT`; port 0 lets the system choose.
    Tcp(String),
    /// `unix:/PATH`.
    Unix(std::path::PathBuf),
}

impl Address {
    /// Where a bound address, as [`Bound::http`] gives it, can be reached.
    pub fn of_bound(text: &str) -> Address {
        match text.strip_prefix("unix:") {
            Some(path) => Address::Unix(path.into()),
            None => Address::Tcp(text.to_owned()),
        }
    }
}

/// A listening socket that another process bound, such as systemd for a `.socket` unit.
#[derive(Debug)]
pub enum Socket {
    /// Over TCP.
    Tcp(std::net::TcpListener),
    /// A Unix socket; its file is not ours.
    Unix(std::os::unix::net::UnixListener),
}

/// Sockets that were handed over. Where there is one, `http.listen` or `http.admin` is not bound.
#[derive(Debug, Default)]
pub struct Inherited {
    /// For the public address.
    pub http: Vec<Socket>,
    /// For the admin address.
    pub admin: Vec<Socket>,
}

/// Settings of `http`, and of `feeds` as far as negotiation needs them.
#[derive(Clone, Debug)]
pub struct Settings {
    /// `http.listen`.
    pub listen: Address,
    /// `http.admin`; `None` is `off`.
    pub admin: Option<Address>,
    /// `http.max_age`.
    pub max_age: Duration,
    /// `http.max_connections`.
    pub max_connections: usize,
    /// `http.header_timeout`.
    pub header_timeout: Duration,
    /// `http.idle_timeout`.
    pub idle_timeout: Duration,
    /// `http.grace`.
    pub grace: Duration,
    /// `http.access_log`.
    pub access_log: bool,
    /// `http.trusted_proxies`.
    pub trusted_proxies: Proxies,
    /// `feeds.formats`; the first one wins ties.
    pub formats: Vec<Format>,
}

/// What operators are told; the daemon keeps it up to date.
#[derive(Clone, Debug, Default)]
pub struct Health {
    /// Whether a state can be shown.
    pub ready: bool,
    /// What is not as it should be, in words; empty when all is well.
    pub why: Vec<String>,
    /// Files that `inbox.exclude` names.
    pub excluded: u64,
    /// When the catalog last took a change or a scan ended well.
    pub last_success: Option<Timestamp>,
    /// Whether the last reload of the config was taken.
    pub reload_ok: bool,
    /// How far a first scan is, in words.
    pub progress: Option<String>,
    /// Bytes of the catalog's files.
    pub catalog_bytes: u64,
    /// Bytes that are free for it.
    pub disk_free: u64,
}

/// What requests are answered from.
#[derive(Debug)]
pub struct State {
    /// `None` until the first catalog can be shown (503).
    pub renditions: std::sync::RwLock<Option<Arc<Renditions>>>,
    /// What operators are told.
    pub health: std::sync::RwLock<Health>,
    /// Counters.
    pub metrics: Arc<Metrics>,
}

/// Over which the speed of a client that reads is measured.
const STALL: Duration = Duration::from_secs(60);

/// Connections of the admin address.
const ADMIN_CONNECTIONS: usize = 256;

/// Listening sockets, bound but not yet answering.
#[derive(Debug)]
pub struct Bound {
    http: Vec<Listener>,
    admin: Vec<Listener>,
    within: Option<Listener>,
}

impl Bound {
    /// Binds the addresses, but for those that sockets were handed over for.
    ///
    /// # Errors
    ///
    /// Names the address that could not be had.
    pub async fn bind(settings: &Settings, inherited: Inherited) -> std::io::Result<Bound> {
        let http = listeners(inherited.http, Some(&settings.listen)).await?;
        let admin = listeners(inherited.admin, settings.admin.as_ref()).await?;
        Ok(Bound { http, admin, within: None })
    }

    /// Opens a way to what the admin address answers, from within this process.
    pub fn within(&mut self) -> Within {
        let (listener, within) = Within::new();
        self.within = Some(listener);
        within
    }

    /// The public address as bound: `127.0.0.1:8080` or `unix:/run/feedmill.sock`; the first of several.
    pub fn http(&self) -> String {
        self.http.first().map(Listener::address).unwrap_or_default()
    }

    /// The admin address as bound; the first of several.
    pub fn admin(&self) -> Option<String> {
        self.admin.first().map(Listener::address)
    }

    /// Answers requests until `shutdown` resolves; then lets answers under way finish within `grace`.
    pub async fn serve(self, state: Arc<State>, settings: Settings, shutdown: impl Future<Output = ()>) {
        let (phase, phases) = watch::channel(Phase::Serving);
        let limits = Limits { header: settings.header_timeout, idle: settings.idle_timeout, stall: STALL };
        let addresses = Addresses { http: self.http(), admin: self.admin() };
        let metrics = &state.metrics;
        let tally = |access_log| Tally { metrics: Arc::clone(metrics), access_log };
        let proxies = Arc::new(settings.trusted_proxies.clone());
        let door =
            |handler, most| Door::new(handler, limits, most, Arc::clone(&proxies), Arc::clone(metrics), phases.clone());

        let readership = Arc::<Readership>::default();
        let responder = Responder::new(Arc::clone(&state), &settings, Arc::clone(&readership));
        let public = door(Handler::Public(responder, tally(settings.access_log)), settings.max_connections);
        let admin = Admin::new(Arc::clone(&state), addresses, readership);
        // Probes of a monitor every few seconds are no news.
        let admin = door(Handler::Admin(admin, tally(false)), ADMIN_CONNECTIONS);
        let open = |door: &Arc<Door>, listener| tokio::spawn(Arc::clone(door).run(listener));
        let loops = self.http.into_iter().map(|listener| open(&public, listener));
        let asked = self.admin.into_iter().chain(self.within);
        let loops = loops.chain(asked.map(|listener| open(&admin, listener))).collect();
        shutdown.await;
        accept::stop(&phase, loops, &[public, admin], settings.grace).await;
    }
}

/// The sockets that were handed over, else the address bound.
async fn listeners(inherited: Vec<Socket>, address: Option<&Address>) -> std::io::Result<Vec<Listener>> {
    match address {
        Some(address) if inherited.is_empty() => Ok(vec![Listener::bind(address).await?]),
        _ => inherited.into_iter().map(Listener::take).collect(),
    }
}

#[cfg(test)]
mod tests;
