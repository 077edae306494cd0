//! The handles of stored files that are open: which, and which is closed for another.

use super::sync_file::SyncFile;
use crate::collections::sorted_map::SortedMap;
use crate::error::{Error, ErrorKind, Result};
use std::collections::VecDeque;
use wasm_bindgen_futures::{JsFuture, spawn_local};
use web_sys::FileSystemDirectoryHandle;

/// Handles of files that are open or being opened at any time, the journal's two aside.
pub const MAX_HANDLES: usize = 32;

/// How many looks at what the browser does an opening outlives; see `opening.rs`.
const MAX_LOOKS: usize = 3;

/// Files that wait for their removal have at most so many bytes together.
const MAX_LEAVING_BYTES: u64 = 64 << 20;

/// The handles that are open.
pub(super) struct Handles {
    pub(super) files: FileSystemDirectoryHandle,
    pub(super) slots: SortedMap<u64, Slot>,
    pub(super) uses: u64,
    pub(super) openings: u64,
    /// Somebody looks from time to time whether the browser gets on with opening.
    pub(super) is_watched: bool,
    /// Stored files that nothing leads to any more and readers may still be reading, in the order in which they go, with their bytes.
    leaving: VecDeque<(u64, u64)>,
    leaving_bytes: u64,
    spare: Option<Spare>,
}

/// A stored file that is still empty and open, for the next commit: what is there already needs no turn of the event loop, which a page
/// that goes away may not give any more.
enum Spare {
    Opening,
    Open { number: u64, file: SyncFile },
}

pub(super) enum Slot {
    Opening {
        /// Which of all openings it is: one that was given up may still come to its end.
        opening: u64,
        /// So often it was found to be under way.
        looks: usize,
        /// Nothing leads to the file any more: it is removed when it is open.
        is_wanted: bool,
    },
    /// The next that asks is told why.
    Failed(Error),
    Open {
        file: SyncFile,
        last_use: u64,
        /// Somebody asked for it and is told in this very turn, so that it must not be closed for others before.
        is_new: bool,
    },
}

impl Handles {
    /// No handle is open yet; the files lie in this directory.
    pub(super) fn new(files: FileSystemDirectoryHandle) -> Self {
        Self {
            files,
            slots: SortedMap::new(),
            uses: 0,
            openings: 0,
            is_watched: false,
            leaving: VecDeque::new(),
            leaving_bytes: 0,
            spare: None,
        }
    }

    /// Whether a spare file has to be opened; who asks does.
    pub(super) fn begin_spare(&mut self) -> bool {
        let begins = self.spare.is_none() && self.make_room();
        if begins {
            self.spare = Some(Spare::Opening);
        }
        begins
    }

    /// The spare file is open; `None` when none could be had.
    pub(super) fn end_spare(&mut self, opened: Option<(u64, SyncFile)>) {
        self.spare = opened.map(|(number, file)| Spare::Open { number, file });
    }

    /// Makes the spare file an ordinary one, if there is one, and answers its number.
    pub(super) fn use_spare(&mut self) -> Option<u64> {
        let spare = self.spare.take_if(|spare| matches!(spare, Spare::Open { .. }))?;
        let Spare::Open { number, file } = spare else { return None };
        self.slots.insert(number, Slot::Open { file, last_use: self.uses, is_new: true });
        Some(number)
    }

    /// Handles that are open or being opened.
    pub(super) fn count(&self) -> usize {
        self.slots.len() + usize::from(self.spare.is_some())
    }

    /// Begins to open a stored file, unless that is done already or there is no room for it; which of all openings it is.
    pub(super) fn begin_opening(&mut self, number: u64) -> Option<u64> {
        if self.slots.contains_key(&number) || !self.make_room() {
            return None;
        }
        self.openings += 1;
        self.slots.insert(number, Slot::Opening { opening: self.openings, looks: 0, is_wanted: true });
        Some(self.openings)
    }

    /// The stored file of a number; `None` while it is being opened or waits for its turn.
    pub(super) fn get(&mut self, number: u64) -> Result<Option<&SyncFile>> {
        if let Some(Slot::Failed(error)) = self.slots.get_mut(&number) {
            let error = error.clone();
            self.slots.remove(&number);
            return Err(error);
        }
        self.uses += 1;
        let uses = self.uses;
        Ok(self.slots.get_mut(&number).and_then(|slot| match slot {
            Slot::Open { file, last_use, is_new } => {
                *last_use = uses;
                *is_new = false;
                Some(&*file)
            }
            Slot::Opening { is_wanted, .. } => {
                *is_wanted = true;
                None
            }
            Slot::Failed(_) => None,
        }))
    }

    /// Whether somebody has to begin to look whether the browser gets on; who asks does.
    pub(super) fn begin_watching(&mut self) -> bool {
        !std::mem::replace(&mut self.is_watched, true)
    }

    /// Closes the handle of a file that is not written any more: Chromium sets a megabyte or more of the quota aside for each
    /// that was written, until it is closed.
    pub(super) fn close(&mut self, number: u64) {
        self.slots.remove(&number);
    }

    /// Makes room for one more; answers whether there is some.
    fn make_room(&mut self) -> bool {
        if self.count() < MAX_HANDLES {
            return true;
        }
        let idle = self.slots.iter().filter_map(|(number, slot)| match slot {
            Slot::Open { last_use, is_new: false, .. } => Some((*last_use, *number)),
            _ => None,
        });
        let least_used = idle.min();
        least_used.is_some_and(|(_, number)| self.slots.remove(&number).is_some())
    }

    /// All that wait have been asked: who did not take what was new does not need it any more.
    pub(super) fn end_turn(&mut self) {
        self.slots.retain(|_, slot| {
            if let Slot::Open { is_new, .. } = slot {
                *is_new = false;
            }
            !matches!(slot, Slot::Failed(_))
        });
    }

    /// Lets fail what the browser has not opened for too long.
    pub(super) fn give_up_what_stalls(&mut self) {
        let mut is_watched = false;
        self.slots.retain(|_, slot| {
            if let Slot::Opening { looks, .. } = slot {
                *looks += 1;
                is_watched |= *looks < MAX_LOOKS;
                if *looks >= MAX_LOOKS {
                    *slot = Slot::Failed(Error::new(ErrorKind::Storage, "OPFS: the browser does not open the file"));
                }
            }
            true
        });
        self.is_watched = is_watched;
    }

    /// Keeps a file that nothing leads to any more for those who read it now, until [`Self::remove_leaving`].
    pub(super) fn leave(&mut self, number: u64, len_bytes: u64) {
        self.slots.remove(&number);
        self.leaving.push_back((number, len_bytes));
        self.leaving_bytes += len_bytes;
        while self.leaving_bytes > MAX_LEAVING_BYTES
            && let Some((oldest, _)) = self.leaving.front().copied()
        {
            self.remove_leaving(oldest);
        }
    }

    /// Removes a file that was kept, unless it has gone before its time.
    pub(super) fn remove_leaving(&mut self, number: u64) {
        let Some(at) = self.leaving.iter().position(|(leaving, _)| *leaving == number) else { return };
        if let Some((_, len_bytes)) = self.leaving.remove(at) {
            self.leaving_bytes -= len_bytes;
            self.remove_file(number);
        }
    }

    pub(super) fn remove_all_leaving(&mut self) {
        while let Some((number, _)) = self.leaving.front().copied() {
            self.remove_leaving(number);
        }
    }

    /// Removes a file that nothing leads to any more. What is left is removed at the next start.
    pub(super) fn remove_file(&mut self, number: u64) {
        if let Some(Slot::Opening { is_wanted, .. }) = self.slots.get_mut(&number) {
            *is_wanted = false;
            return;
        }
        self.slots.remove(&number);
        let removed = self.files.remove_entry(&number.to_string());
        spawn_local(async move {
            let _ = JsFuture::from(removed).await;
        });
    }
}

impl Drop for Handles {
    /// Who closes a database leaves nothing behind that the next start would have to remove.
    fn drop(&mut self) {
        self.remove_all_leaving();
        if let Some(Spare::Open { number, file }) = self.spare.take() {
            drop(file);
            self.remove_file(number);
        }
    }
}
