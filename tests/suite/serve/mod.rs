//! The whole way from a dropped file to a feed, with the real binary.

mod arrival;
mod browser;
mod corpus;
mod explain;
mod first;
mod http;
mod hubs;
mod lifecycle;
mod publish;
mod reload;
mod sockets;
mod systemd;
