//! Writing a journal: commits, checkpoints, and taking back what failed.

use super::format::{HEAD_BYTES, Record, bytes_for, bytes_of, head_bytes};
use super::replay::{Place, Replayed};
use crate::error::{Error, ErrorKind, Result};

/// Nothing is added to a longer journal: it would be a directory of half a million files. Up to twice as much, things can be
/// removed, which is what makes it shorter again; no file that is longer than that is read.
pub(in crate::fs) const MAX_JOURNAL_BYTES: u64 = if cfg!(test) { 8 << 10 } else { 64 << 20 };

/// Room that is kept ahead of the log's end.
const ROOM_BYTES: u64 = if cfg!(test) { 128 } else { 64 << 10 };

/// A checkpoint is written when so much has come behind the last.
pub(super) const LOG_BYTES: u64 = if cfg!(test) { 400 } else { 128 << 10 };

/// A checkpoint waits until the contents that it has to carry over are no more than this part of what it takes the place of.
const CONTENTS_SHARE: u64 = 4;

/// One of the two files, as far as the journal uses it.
pub(in crate::fs) trait JournalFile {
    /// Length of the file in bytes.
    fn len(&self) -> Result<u64>;

    /// Writes all bytes at an offset that is not behind the end. A write that failed may have left anything in that range, but nothing
    /// outside of it.
    fn write(&self, at: u64, bytes: &[u8]) -> Result<()>;

    /// Makes what was written durable.
    fn flush(&self) -> Result<()>;
}

/// A journal that is being written. It owns both files.
pub(in crate::fs) struct Journal<F> {
    files: [F; 2],
    pub(super) place: Place,
    /// The generation of the last checkpoint that was tried.
    last_generation: u64,
    /// Why nothing can be written any more.
    broken: Option<Error>,
}

impl<F: JournalFile> Journal<F> {
    /// Goes on where `replayed` ends, or begins a new journal in files that hold none.
    ///
    /// # Errors
    /// Those of the files.
    pub fn start(files: [F; 2], replayed: Option<&Replayed>) -> Result<Self> {
        let place = replayed.map_or(Place { slot: 1, ..Place::default() }, |replayed| replayed.place);
        let mut journal = Self { files, place, last_generation: place.generation, broken: None };
        if replayed.is_some() {
            // A process that was killed may have written what is gone on from and not flushed it: the system still shows it. It must
            // outlive a power cut before the other file, which may be all that is durable, goes, and before another record follows.
            journal.files[place.slot].flush()?;
            // What a process that ended during a checkpoint has left: the old file, or half of the new one.
            journal.erase_head(1 - place.slot)?;
        } else {
            journal.checkpoint(&Record::default())?;
        }
        Ok(journal)
    }

    /// Makes a commit durable, or changes nothing. `directory` is what is so before the commit, for a checkpoint, and `held_bytes` what of
    /// it are contents.
    ///
    /// # Errors
    /// Those of the files, `Quota` among them; `Limit` for a commit beyond all measure; `Storage` once an unsuccessful commit
    /// could not be taken back.
    pub fn commit(&mut self, record: &Record, held_bytes: u64, directory: impl Fn() -> Record) -> Result<()> {
        if let Some(broken) = &self.broken {
            return Err(broken.clone());
        }
        let record_bytes = bytes_for(record.content.len() as u64);
        // As far as the log goes with the room ahead of it, it is read.
        let limit = if record.adds { MAX_JOURNAL_BYTES } else { 2 * (MAX_JOURNAL_BYTES - ROOM_BYTES) };
        let fits = self.place.end + record_bytes <= limit;
        let log_bytes = self.place.end - self.place.checkpoint_end;
        // Contents go soon: who waits for that writes few of them again.
        let has_grown = log_bytes >= LOG_BYTES && log_bytes / CONTENTS_SHARE >= held_bytes;
        if (has_grown || (fits && !self.make_room(self.place.end + record_bytes)))
            && let Err(error) = self.checkpoint(&directory())
            && self.broken.is_some()
        {
            return Err(error);
        }
        // Without room for a checkpoint the log just goes on, as long as it can.
        let new_end = self.place.end + record_bytes;
        if new_end > limit {
            let why = format!(
                "the commit would make the journal {new_end} bytes long, and {limit} are the most: there are too many files"
            );
            return Err(Error::new(ErrorKind::Limit, why));
        }
        self.add(record)
    }

    /// Adds a commit while the process is about to end: it outlives that as soon as it is written, and a power cut when it is flushed. There is no
    /// checkpoint, so that the contents that a record holds stay in the journal.
    ///
    /// # Errors
    /// Those of the files; `Limit` when a checkpoint would have to come first; `Storage` as [`commit`](Self::commit) has it.
    pub fn commit_last(&mut self, record: &Record) -> Result<()> {
        if let Some(broken) = &self.broken {
            return Err(broken.clone());
        }
        let new_end = self.place.end + bytes_for(record.content.len() as u64);
        if new_end > 2 * (MAX_JOURNAL_BYTES - ROOM_BYTES) {
            return Err(Error::new(ErrorKind::Limit, format!("a journal of {new_end} bytes needs a checkpoint first")));
        }
        self.add(record)
    }

    /// Writes a record behind the last and flushes it, or leaves nothing of it.
    fn add(&mut self, record: &Record) -> Result<()> {
        let Place { slot, generation, sequence, end, .. } = self.place;
        let bytes = bytes_of(record, sequence + 1, generation);
        if let Err(error) = self.write_durably(slot, end, &bytes) {
            self.take_back(slot, end, &error);
            return Err(error);
        }
        self.place.end += bytes.len() as u64;
        self.place.sequence += 1;
        Ok(())
    }

    /// Whether contents of this length find room without taking any of what is kept for removals.
    #[cfg_attr(not(target_arch = "wasm32"), expect(dead_code, reason = "only OPFS asks for it"))]
    pub fn has_room_for(&mut self, content_bytes: u64) -> bool {
        let end = self.place.end + bytes_for(content_bytes);
        let has_room = |file: &F| file.len().is_ok_and(|len| len >= end + ROOM_BYTES);
        self.broken.is_none() && self.make_room(end) && self.files.iter().all(has_room)
    }

    /// Where the log ends.
    #[cfg_attr(not(target_arch = "wasm32"), expect(dead_code, reason = "only OPFS asks for it"))]
    pub fn end(&self) -> u64 {
        self.place.end
    }

    /// Whether a commit could not be taken back, so that it may be found at the next start.
    pub fn is_broken(&self) -> bool {
        self.broken.is_some()
    }

    /// Writes the whole directory to the other file and goes on there.
    fn checkpoint(&mut self, directory: &Record) -> Result<()> {
        let (slot, sequence) = (1 - self.place.slot, self.place.sequence);
        self.last_generation += 1;
        let generation = self.last_generation;
        let mut bytes = head_bytes(generation);
        bytes.extend_from_slice(&bytes_of(directory, sequence, generation));
        let end = bytes.len() as u64;
        if let Err(error) = self.write_durably(slot, 0, &bytes) {
            self.take_back(slot, 0, &error);
            return Err(error);
        }
        // From here on the new file is the valid one, and the old one must go before another commit comes.
        if let Err(error) = self.erase_head(self.place.slot) {
            self.give_up(&error);
            return Err(error);
        }
        self.place = Place { slot, generation, sequence, checkpoint_end: end, end };
        self.make_room(end);
        Ok(())
    }

    fn write_durably(&self, slot: usize, at: u64, bytes: &[u8]) -> Result<()> {
        self.files[slot].write(at, bytes)?;
        self.files[slot].flush()
    }

    /// Overwrites the head of what could not be written or flushed, so that nobody ever finds it whole.
    fn take_back(&mut self, slot: usize, at: u64, why: &Error) {
        if let Err(error) = self.erase(slot, at) {
            let both = format!("{}; taking that back: {}", why.message(), error.message());
            self.give_up(&Error::new(why.kind(), both));
        }
    }

    fn give_up(&mut self, why: &Error) {
        self.broken = Some(Error::new(
            ErrorKind::Storage,
            format!(
                "a commit failed and its record in the journal could not be taken back ({}); nothing more is written. Close the database and open it again",
                why.message()
            ),
        ));
    }

    /// Lets the other file hold no journal.
    fn erase_head(&self, slot: usize) -> Result<()> {
        self.erase(slot, 0)
    }

    fn erase(&self, slot: usize, at: u64) -> Result<()> {
        let len = self.files[slot].len()?.saturating_sub(at).min(HEAD_BYTES as u64) as usize;
        if len == 0 {
            return Ok(());
        }
        self.write_durably(slot, at, &[0; HEAD_BYTES][..len])
    }

    /// Keeps some room behind `end` in the file in use, and as much in the other for the next checkpoint, which is no longer
    /// than the log. Answers whether all before `end` has its room; where there is none ahead, the log has to do with what it has.
    fn make_room(&self, end: u64) -> bool {
        let mut has_room = true;
        for slot in [self.place.slot, 1 - self.place.slot] {
            let Ok(len) = self.files[slot].len() else { return false };
            if len < end + ROOM_BYTES {
                // Zeros are written and not only counted, so that the blocks of the disk are there as well.
                let is_longer = self.files[slot].write(len, &vec![0; (end + 2 * ROOM_BYTES - len) as usize]).is_ok();
                has_room &= is_longer || slot != self.place.slot || len >= end;
            }
        }
        has_room
    }
}
