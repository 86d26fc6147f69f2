//! The one integration binary: laws of the source tree, the real program, and the documents that describe it.

mod calls;
mod cli;
mod driver;
mod failpoints;
mod feed;
mod layers;
mod packages;
mod program;
mod readme;
mod serve;
mod serving;
mod states;
mod storm;
mod unit;
