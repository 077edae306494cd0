//! What merges of data parts and merges of index parts have in common: which parts they may have, how their result takes the
//! place of their sources, and what becomes of these. The formats are no part of it.

pub mod lease;
pub mod put_off;
pub mod retirement;
pub mod transaction;

pub use lease::{Leasable, Lease, Standing};
pub use put_off::PutOff;
pub use retirement::{RemovalQueue, Retired, Retirement};
