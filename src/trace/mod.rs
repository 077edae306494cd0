//! What the engine tells about itself: closed enum of facts in a bounded ring that the engine never reads.

pub mod event;
pub mod lifecycle;
pub mod ring;
