//! Request and state → response: routing, negotiation, preconditions (pure functions), and a thin accept loop.

use std::sync::Arc;
use std::time::Duration;

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

/// Listening sockets, bound but not yet answering.
#[derive(Debug)]
pub struct Bound {}

impl Bound {
    /// Binds the addresses.
    ///
    /// # Errors
    ///
    /// Names the address that could not be had.
    pub async fn bind(settings: &Settings) -> std::io::Result<Bound> {
        let _ = settings;
        unimplemented!()
    }

    /// The public address as bound: `127.0.0.1:8080` or `unix:/run/feedmill.sock`.
    pub fn http(&self) -> String {
        unimplemented!()
    }

    /// The admin address as bound.
    pub fn admin(&self) -> Option<String> {
        unimplemented!()
    }

    /// Answers requests until `shutdown` resolves; then lets answers under way finish within `grace`.
    pub async fn serve(self, state: Arc<State>, settings: Settings, shutdown: impl Future<Output = ()>) {
        let _ = (state, settings, shutdown.await);
        unimplemented!()
    }
}
