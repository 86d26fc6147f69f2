//! The server over sockets, with documents from memory.
