//! Data parts: immutable runs of blocks in four files (part-format §6).
