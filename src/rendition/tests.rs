//! Renditions over a source in memory.
