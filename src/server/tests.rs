//! The server over real sockets, with documents in memory.
