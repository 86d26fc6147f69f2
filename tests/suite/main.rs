//! The one integration binary: laws of the source tree, the real program, and the documents that describe it.

mod cli;
mod layers;
mod program;
mod readme;
mod serving;
mod unit;
