//! What users rely on, checked from outside the crate, in one binary.

mod call_path;
mod circles;
mod clock;
mod commands;
mod crash;
mod fenced;
mod file_systems;
#[path = "../fs_contract/mod.rs"]
mod fs_contract;
mod golden;
mod golden_block;
mod golden_encoding;
mod golden_formats;
mod golden_index;
mod golden_inputs;
mod golden_part;
mod golden_tag_rows;
mod hints;
mod hostile_formats;
mod index;
mod layers;
mod log;
mod machine;
mod model;
mod partition;
mod partition_crash;
mod query;
mod quota;
mod readers;
mod restore;
mod settings;
mod side_by_side;
mod support;
mod transaction;
mod typescript;
