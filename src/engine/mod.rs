//! The engine as a deterministic function of commands, completions and time.

pub mod answer;
pub mod command;
pub mod config;

pub use answer::{Answer, IngestError, IngestResult, Labels, SeriesData, SnapshotFile};
pub use command::{BodyFormat, Command, SeriesHandle, Ticket};
pub use config::{AuthKeys, Clock, Config};
