//! Where waiting happens: jobs, the scheduler that polls them, and the context through which a job asks for storage, work and time.

pub mod arrivals;
pub mod block_cache;
mod clock;
pub mod context;
pub mod health;
pub mod job;
pub mod join;
mod mailbox;
pub mod memory_budget;
pub mod operation;
pub mod room;
pub mod scheduler;
pub mod signal;
pub mod sorting;
pub mod task_id;
mod turnstile;
pub mod waiting;

pub use arrivals::{Arrivals, Mark};
pub use block_cache::{BlockCache, BlockKey};
pub use context::Context;
pub use health::Health;
pub use job::{Lane, Units};
pub use join::{beside, join_all};
pub use memory_budget::{MemoryBudget, MemoryShare};
pub use operation::Purpose;
pub use room::{Reservation, Room};
pub use scheduler::{Pumped, Scheduler};
pub use signal::Signal;
pub use sorting::sorted_by;
pub use task_id::TaskId;
pub use turnstile::Turnstile;
