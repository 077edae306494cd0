//! Archives of servers' data directories: what a tar holds, which of its files matter, and where they lie in a database of ours.
//!
//! Nothing here waits or touches storage: [`tar`] says what comes, [`place`] what a path means, [`inventory`] collects it in
//! the course of a [`walk`], and [`plan`] makes of it where each file goes. [`scan`] does so for archives that are read in place,
//! and [`layout`] leads the other way, into the layouts of newer servers.

pub mod inventory;
pub mod layout;
pub mod place;
pub mod plan;
pub mod prometheus;
pub mod scan;
pub mod tar;
pub mod walk;

pub use inventory::Inventory;
pub use layout::Layout;
pub use plan::Plan;
pub use scan::Scan;
pub use tar::{TarPiece, TarReader};
pub use walk::Walk;
