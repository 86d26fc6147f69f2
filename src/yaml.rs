//! YAML with a guard in front.
