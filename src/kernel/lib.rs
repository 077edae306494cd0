//! The rooms that only compute, and on which the speed of every sample hangs. They are a package of their own because Cargo
//! optimises by package: these for speed, all others for size. Their floors are those of `docs/ARCHITECTURE.md`, and they are
//! used as `sandglass::block` and so on.

#[path = "../block/mod.rs"]
pub mod block;
#[path = "../collections/mod.rs"]
pub mod collections;
#[path = "../encoding/mod.rs"]
pub mod encoding;
#[path = "../error.rs"]
pub mod error;
#[path = "../formats/mod.rs"]
pub mod formats;
#[path = "../metric/mod.rs"]
pub mod metric;
#[path = "../time.rs"]
pub mod time;
