//! What keeps accepted data from becoming durable, and where. Observers are told when that begins and when it is over, not at
//! each try in between.

use super::signal::Signal;
use crate::error::{Error, ErrorKind};
use std::cell::{Cell, RefCell};

/// The places that can't write at present, each with its reason.
#[derive(Debug, Default)]
pub struct Health {
    troubles: RefCell<Vec<(String, Error)>>,
    is_degraded: Cell<bool>,
    last_storage_error: RefCell<Option<Error>>,
    recovered: Signal,
}

impl Health {
    /// Whether some place can't write.
    #[inline]
    pub fn is_degraded(&self) -> bool {
        self.is_degraded.get()
    }

    /// Why the place that has been in trouble for longest can't write.
    pub fn trouble(&self) -> Option<Error> {
        self.troubles.borrow().first().map(|(_, error)| error.clone())
    }

    /// What the storage has refused last since the start.
    pub fn last_storage_error(&self) -> Option<Error> {
        self.last_storage_error.borrow().clone()
    }

    /// Whether this place can't write.
    pub fn is_in_trouble(&self, place: &str) -> bool {
        self.troubles.borrow().iter().any(|(known, _)| known == place)
    }

    /// Raised when a place writes again.
    pub fn recovered(&self) -> &Signal {
        &self.recovered
    }

    pub(super) fn storage_failed(&self, error: &Error) {
        self.last_storage_error.replace(Some(error.clone()));
    }

    /// A place can't write. True when nothing failed so before.
    pub(super) fn begin(&self, place: &str, error: &Error) -> bool {
        let mut troubles = self.troubles.borrow_mut();
        let is_new = troubles.iter().all(|(_, known)| known.kind() != error.kind());
        match troubles.iter_mut().find(|(known, _)| known == place) {
            Some((_, known)) => *known = error.clone(),
            None => troubles.push((place.to_owned(), error.clone())),
        }
        self.is_degraded.set(true);
        is_new
    }

    /// A place writes again. What it had been in trouble for, when it was the last one.
    pub(super) fn end(&self, place: &str) -> Option<ErrorKind> {
        let mut troubles = self.troubles.borrow_mut();
        let at = troubles.iter().position(|(known, _)| known == place)?;
        let (_, error) = troubles.remove(at);
        self.recovered.raise();
        if !troubles.is_empty() {
            return None;
        }
        self.is_degraded.set(false);
        Some(error.kind())
    }
}
