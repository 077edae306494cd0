//! How numbers become bytes: integers, decimals, delta streams, zstd frames and snappy blocks (part-format §1, §3, §4).
//!
//! Everything here is pure: slices in, appended bytes or numbers out. Writers append to a buffer the caller keeps,
//! readers hand back what they left over, and no reader believes a count that the bytes have not earned.

pub mod decimal;
pub mod int;
pub mod marshal;
pub mod nearest_delta;
pub mod nearest_delta2;
pub mod snappy;
pub mod zstd;
