//! Archives of servers' data directories: what a tar holds, which of its files matter, and where they lie in a database of ours.
//!
//! Nothing here waits or touches storage: [`tar`] says what comes, [`place`] what a path means, [`inventory`] collects it and
//! [`plan`] makes of it where each file goes.

pub mod inventory;
pub mod place;
pub mod plan;
pub mod tar;

pub use inventory::Inventory;
pub use plan::Plan;
pub use tar::{TarPiece, TarReader};
