//! Black-box tests of the whole.

mod feed;
