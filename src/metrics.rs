//! The counters, gauges and the histogram that `/metrics` shows.
//!
//! One value, made at the start and handed to every layer that counts; nothing is global.

/// All metrics of the process.
#[derive(Debug, Default)]
pub struct Metrics {}
