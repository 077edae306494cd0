//! Rollups: from the samples of one series to one value an instant.
//!
//! A [`RollupCall`] says which samples must be read, is given those of one series at a time in [`RollupCall::prepare`], and then computes
//! as many instants as the caller likes before it lets others work.

pub mod bounds;
pub mod call;
mod change;
mod counter;
mod found;
mod gaps;
mod over_time;
mod rate;
mod regression;
mod run;
mod sorted_window;
mod stacks;
pub mod subquery;
pub mod table;
mod window;

pub use call::{Label, Parameter, RollupCall, RowsOf, Scratch};
pub use found::FoundRows;
pub use gaps::Gaps;
