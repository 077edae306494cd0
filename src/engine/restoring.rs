//! Whether a snapshot is being restored, and what has come of it.

use crate::error::Error;
use crate::storage::restore::Restoration;

/// Where a restoration stands.
#[derive(Default)]
pub(super) enum Restoring {
    /// There is none.
    #[default]
    No,
    /// It waits for the next piece.
    Between(Box<Restoration>),
    /// A piece is being taken.
    Busy,
}

/// Why something can't be done at present.
pub(super) fn refusal() -> Error {
    Error::invalid(
        "a snapshot is being restored, and nothing else may be written meanwhile; wait until restore() has ended",
    )
}
