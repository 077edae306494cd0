//! Blocks: up to 8192 samples of one series (part-format §5).
