//! What merges of data parts and merges of index parts have in common: which parts they choose among those that no other merge holds,
//! how they read and write files, how their result takes the place of their sources, and what becomes of these. The formats are no
//! part of it.

pub mod heap;
pub mod index_blocks;
pub mod lease;
pub mod output;
pub mod policy;
pub mod put_off;
pub mod retirement;
pub mod transaction;
pub mod window;

pub use lease::{Leasable, Lease, Standing};
pub use output::OutputStream;
pub use put_off::PutOff;
pub use retirement::{RemovalQueue, Retired, Retirement};
pub use window::ReadWindow;
