//! Where waiting happens: jobs, the scheduler that polls them, and the context through which a job asks for storage, work and time.

pub mod block_cache;
pub mod context;
pub mod join;
pub mod scheduler;

pub use block_cache::{BlockCache, BlockKey};
pub use context::{Context, Signal, TaskId};
pub use join::join_all;
pub use scheduler::{Lane, Pumped, Scheduler};
