//! What a series is called, and the number it goes by inside.

pub mod tsid;
