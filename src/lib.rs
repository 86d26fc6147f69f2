//! feedmill republishes article files as RSS, Atom and JSON feeds.
//!
//! The modules, in the order in which a file flows through them:
//!
//! | module | what it does | may know |
//! |---|---|---|
//! | [`diagnostic`] | a problem in somebody's file or config, as a value | – |
//! | [`yaml`] | YAML with a guard in front; the only user of the YAML crate | diagnostic |
//! | [`article`] | bytes of one file → article and diagnostics; pure | diagnostic, yaml |
//! | [`entry`] | the vocabulary that catalog and feed share: entries, keys, documents; pure | article |
//! | [`catalog`] | the durable record of every accepted article; all SQL is here | entry, article |
//! | [`feed`] | documents → bytes: RSS, Atom, JSON, OPML, pages; pure | entry |
//! | [`rendition`] | stamps, codings, the byte-bounded cache with single flight | feed, catalog's readers |
//! | [`server`] | request and state → response | rendition |
//! | [`daemon`] | watching, settling, the writer thread, publishing, signals | all |
//! | [`failpoint`] | where tests make the world fail; nothing in a release | – |
//! | [`config`], [`cli`] | around all: settings, commands | all |
//!
//! # Invariants
//!
//! - A file is *accepted* when its bytes and what was read from them are committed. Nothing is shown before.
//! - `article`, `entry` and `feed` read no file, no clock, no environment and no random number.
//! - Only [`catalog::Catalog::apply`] and [`catalog::Catalog::load`] change what is shown; both are one transaction.
//! - The paths of [`entry::Document`] are the only addresses: routing, links, OPML and `build` share them.
//! - Equal ETag means equal bytes. The ETag is known before the bytes are made.
//! - Nothing is ever written below the inbox.

pub mod article;
pub mod catalog;
pub mod cli;
pub mod client;
pub mod config;
pub mod daemon;
pub mod diagnostic;
pub mod entry;
pub mod failpoint;
pub mod feed;
pub mod metrics;
pub mod rendition;
pub mod server;
pub mod yaml;
