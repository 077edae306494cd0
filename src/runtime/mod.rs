//! Where waiting happens: jobs, the scheduler that polls them, and the context through which a job asks for storage, work and time.

pub mod block_cache;
pub mod context;
pub mod health;
pub mod join;
pub mod room;
pub mod scheduler;

pub use block_cache::{BlockCache, BlockKey};
pub use context::{Context, Purpose, Signal, TaskId};
pub use health::Health;
pub use join::{beside, join_all};
pub use room::{Reservation, Room};
pub use scheduler::{Lane, Pumped, Scheduler};
