//! Bodies on their way in and exports on their way out, by their numbers.

use super::export::ExportCursor;
use super::transfer::Ingest;
use crate::error::{Error, ErrorKind, Result};
use std::cell::{Cell, RefCell};
use std::collections::HashMap;

/// What is taken out while it is used, so that no borrow lasts over an await, and put back.
pub(super) struct Cursors {
    next: Cell<u32>,
    exports: Numbered<ExportCursor>,
    ingests: Numbered<Ingest>,
}

impl Default for Cursors {
    fn default() -> Self {
        Self { next: Cell::new(1), exports: Numbered::default(), ingests: Numbered::default() }
    }
}

impl Cursors {
    /// Numbers are given out from here on.
    pub(super) fn count_from(&self, first: u32) {
        self.next.set(first);
    }

    pub(super) fn next_number(&self) -> u32 {
        let number = self.next.get();
        self.next.set(number + 1);
        number
    }

    pub(super) fn begin_ingest(&self, number: u32, ingest: Ingest) {
        self.ingests.begin(number, ingest);
    }

    pub(super) fn take_ingest(&self, number: u32) -> Result<(Ingest, Taken<'_, Ingest>)> {
        self.ingests.take(number).ok_or_else(|| {
            Error::invalid(format!(
                "there is no body {number} on its way in; it has ended, or its last piece is not answered yet"
            ))
        })
    }

    pub(super) fn end_ingest(&self, number: u32) {
        self.ingests.end(number);
    }

    pub(super) fn end_ingests(&self) {
        self.ingests.end_all();
    }

    pub(super) fn begin_export(&self, number: u32, export: ExportCursor) {
        self.exports.begin(number, export);
    }

    pub(super) fn take_export(&self, number: u32) -> Result<(ExportCursor, Taken<'_, ExportCursor>)> {
        self.exports.take(number).ok_or_else(|| {
            Error::new(ErrorKind::NotFound, format!("there is no export {number}; it has ended or was closed"))
        })
    }

    pub(super) fn end_export(&self, number: u32) {
        self.exports.end(number);
    }

    pub(super) fn end_exports(&self) {
        self.exports.end_all();
    }
}

/// Things by number; nothing stands for one that is taken out.
struct Numbered<T>(RefCell<HashMap<u32, Option<T>>>);

impl<T> Default for Numbered<T> {
    fn default() -> Self {
        Self(RefCell::default())
    }
}

impl<T> Numbered<T> {
    fn begin(&self, number: u32, thing: T) {
        self.0.borrow_mut().insert(number, Some(thing));
    }

    fn take(&self, number: u32) -> Option<(T, Taken<'_, T>)> {
        let thing = self.0.borrow_mut().get_mut(&number)?.take()?;
        Some((thing, Taken { of: self, number }))
    }

    fn end(&self, number: u32) {
        self.0.borrow_mut().remove(&number);
    }

    fn end_all(&self) {
        self.0.borrow_mut().clear();
    }
}

/// The place of what was taken out. What is not put back has ended.
pub(super) struct Taken<'a, T> {
    of: &'a Numbered<T>,
    number: u32,
}

impl<T> Taken<'_, T> {
    /// Drops it if somebody has given it up meanwhile.
    pub(super) fn put_back(self, thing: T) {
        if let Some(place) = self.of.0.borrow_mut().get_mut(&self.number) {
            *place = Some(thing);
        }
    }
}

impl<T> Drop for Taken<'_, T> {
    fn drop(&mut self) {
        let mut things = self.of.0.borrow_mut();
        if things.get(&self.number).is_some_and(Option::is_none) {
            things.remove(&self.number);
        }
    }
}
