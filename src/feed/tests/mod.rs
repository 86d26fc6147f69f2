//! Tests of the whole layer: golden folders, reading back, safety, limits.
//!
//! `tests/golden/<case>/` shows what each decision about formats looks like; see the README there.

mod build;
mod golden;
mod reading;
mod safety;
