//! Opening stored files, which takes a turn of the event loop, and looking whether the browser gets on with it.

use super::browser_directory::{as_passing, half_deleted, pause};
use super::handles::{Handles, Slot};
use super::state::{Shared, State, with_state};
use super::sync_file::{SyncFile, open_file};
use crate::error::{ErrorKind, Result};
use crate::fs::journal::JournalFile;
use std::rc::Weak;
use wasm_bindgen_futures::{JsFuture, spawn_local};
use web_sys::FileSystemDirectoryHandle;

/// How often it is looked whether handles get open. It is longer than a busy disk takes.
const LOOK_MS: u32 = 10_000;

/// The stored file of a number; `None` while it is being opened or waits for its turn. Asked again after each opening.
pub(super) fn opened<'a>(
    handles: &'a mut Handles,
    me: &Weak<Shared>,
    number: u64,
    create: bool,
) -> Result<Option<&'a SyncFile>> {
    if let Some(opening) = handles.begin_opening(number) {
        spawn_local(open_slot(me.clone(), handles.files.clone(), number, create, opening));
        if handles.begin_watching() {
            spawn_local(watch(me.clone()));
        }
    }
    handles.get(number)
}

impl State {
    /// Has an empty file ready for the next commit. Where none can be had, that commit opens its own and learns why.
    pub(super) fn prepare_spare(&mut self, me: &Weak<Shared>) {
        if self.is_short_of_room || !self.handles.begin_spare() {
            return;
        }
        let (me, files, number) = (me.clone(), self.handles.files.clone(), self.directory.new_number());
        spawn_local(async move {
            let opened = open_file(&files, &number.to_string(), true).await;
            if me.strong_count() > 0 {
                with_state(&me, |state| state.handles.end_spare(opened.ok().map(|file| (number, file))));
            } else if opened.map(drop).is_ok() {
                let _ = JsFuture::from(files.remove_entry(&number.to_string())).await;
            }
        });
    }
}

/// Looks from time to time whether the browser gets on with opening, as long as there is something to open.
async fn watch(me: Weak<Shared>) {
    let mut goes_on = true;
    while std::mem::take(&mut goes_on) {
        pause(LOOK_MS).await;
        with_state(&me, |state| {
            state.handles.give_up_what_stalls();
            goes_on = state.handles.is_watched;
        });
    }
}

async fn open_slot(me: Weak<Shared>, files: FileSystemDirectoryHandle, number: u64, create: bool, opening: u64) {
    let opened = open_file(&files, &number.to_string(), create).await;
    with_state(&me, move |state| {
        let is_wanted = match state.handles.slots.get(&number) {
            Some(Slot::Opening { opening: current, is_wanted, .. }) if *current == opening => *is_wanted,
            // It was given up, and is let go of.
            _ => return,
        };
        if !is_wanted {
            drop(opened);
            state.handles.slots.remove(&number);
            state.handles.remove_file(number);
            return;
        }
        // What was published can't be less than was flushed then.
        let expected = state.stored.get(&number).map_or(0, |stored| stored.end);
        let checked = opened.and_then(|file| match file.len()? {
            len if len < expected => Err(half_deleted(format!("files/{number} has {len} bytes instead of {expected}"))),
            _ => Ok(file),
        });
        let slot = match checked {
            Ok(file) => Slot::Open { file, last_use: 0, is_new: true },
            Err(error) if error.kind() == ErrorKind::NotFound => {
                Slot::Failed(half_deleted(format!("files/{number} is missing")))
            }
            Err(error) => Slot::Failed(as_passing(error)),
        };
        state.handles.slots.insert(number, slot);
    });
}
