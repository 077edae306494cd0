//! The engine as a deterministic function of commands, completions and time.
