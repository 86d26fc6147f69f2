//! What operators are told: the reasons for which the daemon is degraded, each logged once when it comes and once
//! when it goes, and the numbers beside them.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError};

use super::systemd;
use crate::article::Timestamp;
use crate::server::{Health, State};

/// What can be wrong while feeds are served.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Ailment {
    /// The inbox is missing or cannot be read.
    Inbox,
    /// Folders in it cannot be read.
    Folders,
    /// So many files are missing that they are not taken for deleted.
    Missing,
    /// The catalog takes nothing.
    Catalog,
    /// A scan could not be done.
    Scan,
    /// A hub does not take what it is told.
    Hubs,
    /// Files of `publish.disk` cannot be written.
    Publish,
    /// The catalog is damaged and being mended.
    Damage,
}

/// The present state, as the server shows it.
#[derive(Debug)]
pub(super) struct Wellbeing {
    state: Arc<State>,
    ailments: BTreeMap<Ailment, String>,
    /// For `systemctl status`, while all is well.
    summary: String,
}

impl Wellbeing {
    /// All is well.
    pub(super) fn new(state: Arc<State>) -> Wellbeing {
        let wellbeing = Wellbeing { state, ailments: BTreeMap::new(), summary: String::new() };
        wellbeing.edit(|health| health.reload_ok = true);
        wellbeing
    }

    /// Something is wrong.
    pub(super) fn ails(&mut self, ailment: Ailment, why: String) {
        if self.ailments.get(&ailment) == Some(&why) {
            return;
        }
        // The words may change while the trouble stays (another path, another errno); one line a trouble is enough.
        if self.ailments.contains_key(&ailment) {
            tracing::debug!("{why}");
        } else {
            tracing::warn!("{why}");
            self.event(&why);
        }
        self.ailments.insert(ailment, why);
        self.show();
    }

    /// It is well again.
    pub(super) fn heals(&mut self, ailment: Ailment) {
        if let Some(why) = self.ailments.remove(&ailment) {
            let words = format!("well again, it was: {why}");
            tracing::info!("{words}");
            self.event(&words);
            self.show();
        }
    }

    /// A state can be shown.
    pub(super) fn ready(&mut self, summary: String) {
        self.edit(|health| {
            health.ready = true;
            health.progress = None;
        });
        systemd::ready(&summary);
        self.summary = summary;
    }

    /// What `systemctl status` shows while all is well.
    pub(super) fn summarise(&mut self, summary: String) {
        if self.summary != summary {
            self.summary = summary;
            systemd::status(&self.status_line());
        }
    }

    /// How far the first scan is.
    pub(super) fn progress(&self, text: &str) {
        self.edit(|health| health.progress = Some(text.to_owned()));
    }

    /// The catalog took a change, or a scan ended well.
    pub(super) fn success(&self, at: Timestamp) {
        self.edit(|health| health.last_success = health.last_success.max(Some(at)));
    }

    /// Something that the operator's page tells of.
    pub(super) fn event(&self, words: &str) {
        self.state.metrics.history().event(chrono::Utc::now(), words);
    }

    /// How many files are excluded by name.
    pub(super) fn excluded(&self, count: u64) {
        self.edit(|health| health.excluded = count);
    }

    /// Whether the last reload was taken.
    pub(super) fn reload(&self, ok: bool) {
        self.edit(|health| health.reload_ok = ok);
        systemd::ready(&self.status_line());
    }

    /// The state that the server answers from.
    pub(super) fn state(&self) -> &Arc<State> {
        &self.state
    }

    fn status_line(&self) -> String {
        let mut line = self.summary.clone();
        if !self.ailments.is_empty() {
            let why: Vec<&str> = self.ailments.values().map(String::as_str).collect();
            line = format!("degraded: {}", why.join("; "));
        }
        if !self.state.health.read().unwrap_or_else(PoisonError::into_inner).reload_ok {
            line.push_str("; the config is not valid, the old one stays in use");
        }
        line
    }

    fn show(&self) {
        self.edit(|health| health.why = self.ailments.values().cloned().collect());
        systemd::status(&self.status_line());
    }

    fn edit(&self, change: impl FnOnce(&mut Health)) {
        change(&mut self.state.health.write().unwrap_or_else(PoisonError::into_inner));
    }
}
