//! A log of commits in two files that take turns: what makes several changes one where a storage has no transactions.
//!
//! Pure format and order of steps; the files are behind [`JournalFile`]. All numbers are little-endian.
//!
//! | bytes  | the head of a file                                                    |
//! | ---    | ---                                                                   |
//! | 0..8   | magic `sandglas`                                                      |
//! | 8..12  | version of the layout; these 32 bytes are the same in every version   |
//! | 12..16 | zero                                                                  |
//! | 16..24 | generation: the file with the greater one is valid                    |
//! | 24..32 | xxhash64 of bytes 0..24                                               |
//!
//! Records follow at offsets that are multiples of 8. The first is the *checkpoint*, which holds the whole directory; each
//! later one is a commit.
//!
//! | bytes  | a record                                                              |
//! | ---    | ---                                                                   |
//! | 0..8   | sequence number, one greater than that of the record before           |
//! | 8..16  | length of the content                                                 |
//! | 16..24 | xxhash64 of the content, with the generation as its seed              |
//! | 24..32 | xxhash64 of bytes 0..24, with the generation as its seed              |
//! | 32..   | content: tagged entries, see [`Record`]                               |
//!
//! A record is flushed before the commit is acknowledged and before the next is written. So what lies behind the last whole
//! record was never acknowledged and is ignored. A record that is broken while the head of a later one is whole can only be
//! damage. Bytes of an older generation may follow the end; their checksums have another seed.
//!
//! Who opens a journal flushes what was found before anything else, as the process before may have been killed ahead of its flush.
//!
//! When the log has grown, a checkpoint goes to the other file, with the next generation, and is flushed; then the head of the old file
//! is overwritten with zeros and flushed; only then may commits follow in the new file. So whichever file is found whole holds everything that
//! was acknowledged. Files keep their room: a checkpoint needs none as long as the directory has not grown, and
//! [`ROOM_BYTES`] are always ahead of the log's end, so that files can be removed when the storage is full.

use super::FilePath;
use super::directory::InodeId;
use crate::collections::sorted_map::SortedMap;
use crate::error::{Error, ErrorKind, Result};
use xxhash_rust::xxh64::xxh64;

/// The layout that this version reads and writes: the journal's records, and the stored files that they point into.
pub(super) const LAYOUT: u32 = 1;

/// Nothing is added to a longer journal: it would be a directory of half a million files. Up to twice as much, things can be
/// removed, which is what makes it shorter again; no file that is longer than that is read.
pub(super) const MAX_JOURNAL_BYTES: u64 = if cfg!(test) { 8 << 10 } else { 64 << 20 };

/// Room that is kept ahead of the log's end.
const ROOM_BYTES: u64 = if cfg!(test) { 128 } else { 64 << 10 };

/// A checkpoint is written when so much has come behind the last.
const LOG_BYTES: u64 = if cfg!(test) { 400 } else { 128 << 10 };

const MAGIC: [u8; 8] = *b"sandglas";
const HEAD_BYTES: usize = 32;

/// Greater numbers are damage; far from where sums of them could overflow.
const NUMBERS_END: u64 = 1 << 53;

const TAG_FILE: u8 = 1;
const TAG_ENTRY: u8 = 2;
const TAG_GONE: u8 = 3;

/// One of the two files, as far as the journal uses it.
pub(super) trait JournalFile {
    /// Length of the file in bytes.
    fn len(&self) -> Result<u64>;

    /// Writes all bytes at an offset that is not behind the end. A write that failed may have left anything in that range, but nothing
    /// outside of it.
    fn write(&self, at: u64, bytes: &[u8]) -> Result<()>;

    /// Makes what was written durable.
    fn flush(&self) -> Result<()>;
}

/// Where the bytes of a file lie: from `offset` on in the stored file of this number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Location {
    pub stored: u64,
    pub offset: u64,
}

/// What a commit or a checkpoint says, as it is put together.
#[derive(Default)]
pub(super) struct Record {
    content: Vec<u8>,
    /// The directory becomes larger by it.
    adds: bool,
}

impl Record {
    /// A file that the record makes known: its length, and where its bytes lie.
    pub fn file(&mut self, inode: InodeId, size_bytes: u64, location: Location) {
        self.adds = true;
        self.content.push(TAG_FILE);
        for number in [inode, size_bytes, location.stored, location.offset] {
            self.content.extend_from_slice(&number.to_le_bytes());
        }
    }

    /// Says that a number was given out and must not be again, whatever has become of its file: as an empty file without a name,
    /// which versions that know nothing of this take for one that is gone.
    pub fn number_used(&mut self, inode: InodeId) {
        self.file(inode, 0, Location { stored: inode, offset: 0 });
    }

    /// The inode that a path names from now on; `None` for a path that is gone.
    pub fn entry(&mut self, path: &FilePath, inode: Option<InodeId>) {
        match inode {
            Some(inode) => {
                self.adds = true;
                self.content.push(TAG_ENTRY);
                self.content.extend_from_slice(&inode.to_le_bytes());
            }
            None => self.content.push(TAG_GONE),
        }
        let path = path.as_str().as_bytes();
        self.content.extend_from_slice(&(path.len() as u64).to_le_bytes());
        self.content.extend_from_slice(path);
    }
}

// ---- reading -----------------------------------------------------------------------------------------------------------

/// What a journal says, and where it goes on.
#[derive(Debug, Default)]
pub(super) struct Replayed {
    /// The inode that each path names.
    pub paths: SortedMap<FilePath, InodeId>,
    /// The length of each file in bytes; of files that are gone as well.
    pub sizes: SortedMap<InodeId, u64>,
    /// Where each file lies; files that are gone as well.
    pub locations: SortedMap<InodeId, Location>,
    place: Place,
}

/// The end of the log.
#[derive(Clone, Copy, Debug, Default)]
struct Place {
    slot: usize,
    generation: u64,
    sequence: u64,
    checkpoint_end: u64,
    end: u64,
}

/// Reads a journal from the contents of its two files. `None` when neither holds a whole one: the database is new, or it has
/// lost its journal.
///
/// # Errors
/// `Unsupported` for another version's journal, `Corrupt` for one that is damaged before its end.
pub(super) fn replay(contents: [&[u8]; 2]) -> Result<Option<Replayed>> {
    let heads = [head(contents[0])?, head(contents[1])?];
    let first = usize::from(heads[1] > heads[0]);
    for slot in [first, 1 - first] {
        let Some(generation) = heads[slot] else { continue };
        if let Some(replayed) = replay_file(contents[slot], slot, generation)? {
            return Ok(Some(replayed));
        }
        // Its checkpoint is not whole: the process ended while it was written, and the other file is still valid.
    }
    Ok(None)
}

/// The generation of a file; `None` without a whole head.
fn head(content: &[u8]) -> Result<Option<u64>> {
    let Some(head) = content.get(..HEAD_BYTES) else { return Ok(None) };
    let generation = number_at(head, 16);
    if head[..8] != MAGIC || number_at(head, 24) != xxh64(&head[..24], 0) || generation >= NUMBERS_END {
        return Ok(None);
    }
    let layout = number_at(head, 8) & u64::from(u32::MAX);
    if layout != u64::from(LAYOUT) {
        return Err(Error::new(
            ErrorKind::Unsupported,
            format!(
                "the database has layout {layout}, this version of sandglass knows layout {LAYOUT}; open it with the version that wrote it. \
                 Nothing was changed"
            ),
        ));
    }
    Ok(Some(generation))
}

fn replay_file(content: &[u8], slot: usize, generation: u64) -> Result<Option<Replayed>> {
    let mut replayed = Replayed::default();
    let mut at = HEAD_BYTES;
    let mut last: Option<u64> = None;
    while let Some((sequence, payload)) = record_at(content, at, generation)
        && last.is_none_or(|last| sequence == last + 1)
    {
        replayed.apply(payload).ok_or_else(|| {
            Error::corrupt(format!("journal-{}: the record at byte {at} can't be understood", name_of(slot)))
        })?;
        // Within the content, which `record_at` has checked.
        at += (HEAD_BYTES + payload.len()).next_multiple_of(8);
        replayed.place.sequence = sequence;
        if last.replace(sequence).is_none() {
            replayed.place.checkpoint_end = at as u64;
        }
    }
    let Some(last) = last else { return Ok(None) };
    // Nothing is written before what came before it is durable.
    let is_later = |at: usize| record_head(content, at, generation).is_some_and(|(sequence, ..)| sequence > last + 1);
    if let Some(later) = (at..content.len()).step_by(8).find(|&at| is_later(at)) {
        return Err(Error::corrupt(format!(
            "journal-{}: the record at byte {at} is damaged, since a later one follows at byte {later}",
            name_of(slot)
        )));
    }
    let mut total = 0_u64;
    if replayed.sizes.values().any(|size| {
        total = total.saturating_add(*size);
        total >= NUMBERS_END
    }) {
        return Err(Error::corrupt(format!("journal-{}: its files are larger than any storage", name_of(slot))));
    }
    replayed.place.slot = slot;
    replayed.place.generation = generation;
    replayed.place.end = at as u64;
    Ok(Some(replayed))
}

impl Replayed {
    /// Differs from one commit to the next, and between a journal and one that has taken its place.
    pub fn version(&self) -> (u64, u64) {
        (self.place.generation, self.place.sequence)
    }

    /// Carries out one record; `None` when it has no meaning.
    fn apply(&mut self, mut payload: &[u8]) -> Option<()> {
        while let Some((tag, rest)) = payload.split_first() {
            payload = rest;
            match *tag {
                TAG_FILE => {
                    let inode = take_number(&mut payload)?;
                    self.sizes.insert(inode, take_number(&mut payload)?);
                    let (stored, offset) = (take_number(&mut payload)?, take_number(&mut payload)?);
                    self.locations.insert(inode, Location { stored, offset });
                }
                TAG_ENTRY => {
                    let inode = take_number(&mut payload)?;
                    let path = take_path(&mut payload)?;
                    self.paths.insert(path, inode);
                }
                TAG_GONE => {
                    let path = take_path(&mut payload)?;
                    self.paths.remove(&path);
                }
                _ => return None,
            }
        }
        Some(())
    }
}

/// A whole record: its sequence number and its content.
fn record_at(content: &[u8], at: usize, generation: u64) -> Option<(u64, &[u8])> {
    let (sequence, len, checksum) = record_head(content, at, generation)?;
    let payload = content.get(at + HEAD_BYTES..)?.get(..usize::try_from(len).ok()?)?;
    (xxh64(payload, generation) == checksum).then_some((sequence, payload))
}

/// The whole head of a record: sequence number, length and checksum of the content.
fn record_head(content: &[u8], at: usize, generation: u64) -> Option<(u64, u64, u64)> {
    let head = content.get(at..)?.get(..HEAD_BYTES)?;
    let sequence = number_at(head, 0);
    // The checksum comes last: it costs more, and nearly every place is ruled out before.
    let is_whole = sequence < NUMBERS_END && number_at(head, 24) == xxh64(&head[..24], generation);
    is_whole.then(|| (sequence, number_at(head, 8), number_at(head, 16)))
}

fn number_at(bytes: &[u8], at: usize) -> u64 {
    bytes.get(at..).and_then(|rest| rest.first_chunk()).map_or(0, |number| u64::from_le_bytes(*number))
}

fn take_number(payload: &mut &[u8]) -> Option<u64> {
    let (number, rest) = payload.split_first_chunk()?;
    *payload = rest;
    Some(u64::from_le_bytes(*number)).filter(|number| *number < NUMBERS_END)
}

fn take_path(payload: &mut &[u8]) -> Option<FilePath> {
    let len = usize::try_from(take_number(payload)?).ok()?;
    let (path, rest) = payload.split_at_checked(len)?;
    *payload = rest;
    FilePath::new(std::str::from_utf8(path).ok()?).ok().filter(|path| !path.as_str().is_empty())
}

/// The files are called `journal-a` and `journal-b`.
fn name_of(slot: usize) -> char {
    if slot == 0 { 'a' } else { 'b' }
}

// ---- writing -----------------------------------------------------------------------------------------------------------

/// A journal that is being written. It owns both files.
pub(super) struct Journal<F> {
    files: [F; 2],
    place: Place,
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

    /// Makes a commit durable, or changes nothing. `directory` is what is so before the commit, for a checkpoint.
    ///
    /// # Errors
    /// Those of the files, `Quota` among them; `Limit` for a commit beyond all measure; `Storage` once an unsuccessful commit
    /// could not be taken back.
    pub fn commit(&mut self, record: &Record, directory: impl Fn() -> Record) -> Result<()> {
        if let Some(broken) = &self.broken {
            return Err(broken.clone());
        }
        let record_bytes = (HEAD_BYTES + record.content.len()).next_multiple_of(8) as u64;
        // As far as the log goes with the room ahead of it, it is read.
        let limit = if record.adds { MAX_JOURNAL_BYTES } else { 2 * (MAX_JOURNAL_BYTES - ROOM_BYTES) };
        let fits = self.place.end + record_bytes <= limit;
        let has_grown = self.place.end - self.place.checkpoint_end >= LOG_BYTES;
        if (has_grown || (fits && !self.make_room(self.place.end + record_bytes)))
            && let Err(error) = self.checkpoint(&directory())
            && self.broken.is_some()
        {
            return Err(error);
        }
        // Without room for a checkpoint the log just goes on, as long as it can.
        let Place { slot, generation, sequence, end, .. } = self.place;
        let new_end = end + record_bytes;
        if new_end > limit {
            let why = format!(
                "the commit would make the journal {new_end} bytes long, and {limit} are the most: there are too many files"
            );
            return Err(Error::new(ErrorKind::Limit, why));
        }
        let bytes = bytes_of(record, sequence + 1, generation);
        if let Err(error) = self.write_durably(slot, end, &bytes) {
            self.take_back(slot, end, &error);
            return Err(error);
        }
        self.place.end = new_end;
        self.place.sequence += 1;
        Ok(())
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

fn head_bytes(generation: u64) -> Vec<u8> {
    let mut bytes = MAGIC.to_vec();
    bytes.extend_from_slice(&u64::from(LAYOUT).to_le_bytes());
    bytes.extend_from_slice(&generation.to_le_bytes());
    let checksum = xxh64(&bytes, 0);
    bytes.extend_from_slice(&checksum.to_le_bytes());
    bytes
}

fn bytes_of(Record { content, .. }: &Record, sequence: u64, generation: u64) -> Vec<u8> {
    let mut bytes = Vec::with_capacity((HEAD_BYTES + content.len()).next_multiple_of(8));
    for number in [sequence, content.len() as u64, xxh64(content, generation)] {
        bytes.extend_from_slice(&number.to_le_bytes());
    }
    let checksum = xxh64(&bytes, generation);
    bytes.extend_from_slice(&checksum.to_le_bytes());
    bytes.extend_from_slice(content);
    bytes.resize(bytes.len().next_multiple_of(8), 0);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;
    use std::collections::BTreeMap;
    use std::rc::Rc;

    /// Two files, and every write and flush that was made.
    #[derive(Default)]
    struct Disk {
        contents: [Vec<u8>; 2],
        steps: Vec<Step>,
        /// These steps fail; a write leaves half of its bytes.
        fail: Vec<usize>,
        /// No file gets longer than this.
        full_at: Option<u64>,
    }

    #[derive(Clone)]
    enum Step {
        Write { slot: usize, at: usize, bytes: Vec<u8> },
        Flush { slot: usize },
    }

    struct SimFile {
        disk: Rc<RefCell<Disk>>,
        slot: usize,
    }

    impl JournalFile for SimFile {
        fn len(&self) -> Result<u64> {
            Ok(self.disk.borrow().contents[self.slot].len() as u64)
        }

        fn write(&self, at: u64, bytes: &[u8]) -> Result<()> {
            let disk = &mut *self.disk.borrow_mut();
            let (slot, at) = (self.slot, at as usize);
            assert!(at <= disk.contents[slot].len(), "a write leaves a hole");
            let quota = || Err(Error::new(ErrorKind::Quota, "simulated"));
            if disk.full_at.is_some_and(|full_at| (at + bytes.len()) as u64 > full_at) {
                return quota();
            }
            let fails = disk.fail.contains(&disk.steps.len());
            let bytes = if fails { &bytes[..bytes.len() / 2] } else { bytes };
            overwrite(&mut disk.contents[slot], at, bytes);
            disk.steps.push(Step::Write { slot, at, bytes: bytes.to_vec() });
            if fails { quota() } else { Ok(()) }
        }

        fn flush(&self) -> Result<()> {
            let disk = &mut *self.disk.borrow_mut();
            if disk.fail.contains(&disk.steps.len()) {
                disk.steps.push(Step::Write { slot: self.slot, at: 0, bytes: Vec::new() });
                return Err(Error::new(ErrorKind::Quota, "simulated"));
            }
            disk.steps.push(Step::Flush { slot: self.slot });
            Ok(())
        }
    }

    fn overwrite(content: &mut Vec<u8>, at: usize, bytes: &[u8]) {
        content.resize(content.len().max(at + bytes.len()), 0);
        content[at..at + bytes.len()].copy_from_slice(bytes);
    }

    fn pair(contents: [Vec<u8>; 2]) -> (Rc<RefCell<Disk>>, [SimFile; 2]) {
        let disk = Rc::new(RefCell::new(Disk { contents, ..Disk::default() }));
        let files = [0, 1].map(|slot| SimFile { disk: disk.clone(), slot });
        (disk, files)
    }

    fn replay_pair(contents: &[Vec<u8>; 2]) -> Result<Option<Replayed>> {
        replay([&contents[0], &contents[1]])
    }

    /// Paths with inodes and sizes.
    type Model = BTreeMap<String, (u64, u64)>;

    fn location(inode: u64) -> Location {
        Location { stored: inode / 2, offset: inode * 7 }
    }

    fn model_of(replayed: &Replayed) -> Model {
        replayed
            .paths
            .iter()
            .map(|(path, id)| {
                assert_eq!(replayed.locations.get(id), Some(&location(*id)));
                (path.as_str().to_owned(), (*id, replayed.sizes.get(id).copied().unwrap()))
            })
            .collect()
    }

    fn whole(model: &Model) -> Record {
        let mut record = Record::default();
        record.number_used(NUMBERS_END - 1);
        for (path, (inode, size)) in model {
            record.file(*inode, *size, location(*inode));
            record.entry(&FilePath::new(path).unwrap(), Some(*inode));
        }
        record
    }

    /// The commit of this number: a new file, and an older one gone.
    fn commit(number: u64, model: &Model) -> (Record, Model) {
        let mut record = Record::default();
        let mut after = model.clone();
        let path = format!("data/{number}");
        record.file(number, number * 1000, location(number));
        record.entry(&FilePath::new(&path).unwrap(), Some(number));
        after.insert(path, (number, number * 1000));
        if number % 2 == 1 && number > 3 {
            let gone = format!("data/{}", number - 3);
            record.entry(&FilePath::new(&gone).unwrap(), None);
            after.remove(&gone);
        }
        (record, after)
    }

    const COMMITS: u64 = 24;

    /// A journal of many commits and several checkpoints; for each acknowledged one the steps until then, and what it knew.
    fn history() -> (Rc<RefCell<Disk>>, Vec<(usize, Model)>) {
        let (disk, files) = pair(Default::default());
        let mut journal = Journal::start(files, None).unwrap();
        let mut model = Model::new();
        let mut acknowledged = vec![(disk.borrow().steps.len(), model.clone())];
        for number in 0..COMMITS {
            let (record, after) = commit(number, &model);
            journal.commit(&record, || whole(&model)).unwrap();
            model = after;
            acknowledged.push((disk.borrow().steps.len(), model.clone()));
        }
        assert!(journal.place.generation > 4, "only {} checkpoints", journal.place.generation);
        (disk, acknowledged)
    }

    #[test]
    fn a_crash_between_any_two_steps_or_within_one_loses_nothing_acknowledged() {
        let (disk, acknowledged) = history();
        let steps = disk.borrow().steps.clone();
        let (mut outcomes, mut second_cuts) = (0, 0);
        for crash in 0..=steps.len() {
            let known = acknowledged.iter().rposition(|(until, _)| *until <= crash);
            let mut flushed = [Vec::new(), Vec::new()];
            let mut loose: Vec<&Step> = Vec::new();
            for step in &steps[..crash] {
                match step {
                    Step::Write { .. } => loose.push(step),
                    Step::Flush { slot: flushed_slot } => loose.retain(|step| {
                        let Step::Write { slot, at, bytes } = step else { return false };
                        if slot == flushed_slot {
                            overwrite(&mut flushed[*slot], *at, bytes);
                        }
                        slot != flushed_slot
                    }),
                }
            }
            assert!(loose.len() < 8, "{} writes without a flush", loose.len());
            // Any of the writes that were not flushed may be lost, and the last one torn.
            for survivors in 0..1_usize << loose.len() {
                let last_len =
                    loose.last().map_or(0, |step| if let Step::Write { bytes, .. } = step { bytes.len() } else { 0 });
                for torn_at in 0..=last_len {
                    let mut contents = flushed.clone();
                    for (number, step) in loose.iter().enumerate() {
                        let Step::Write { slot, at, bytes } = step else { continue };
                        let is_last = number + 1 == loose.len();
                        if survivors >> number & 1 == 1 {
                            overwrite(&mut contents[*slot], *at, &bytes[..if is_last { torn_at } else { bytes.len() }]);
                        }
                    }
                    let possible = known.map(|known| &acknowledged[known..(known + 2).min(acknowledged.len())]);
                    let steps = check_recovery(contents.clone(), possible);
                    outcomes += 1;
                    // A process that was killed leaves all it has written to the system, until the power goes as well.
                    if survivors + 1 == 1_usize << loose.len() && torn_at == last_len {
                        second_cuts += check_second_cut(flushed.clone(), &loose, &steps, possible);
                    }
                }
            }
        }
        assert!(outcomes > 5_000, "only {outcomes} crashes were tried");
        assert!(second_cuts > 1_000, "only {second_cuts} second crashes were tried");
    }

    /// A restart has made `steps` when the power is cut, or fewer of them; what came before it was in part not flushed either.
    fn check_second_cut(
        mut flushed: [Vec<u8>; 2],
        before: &[&Step],
        steps: &[Step],
        possible: Option<&[(usize, Model)]>,
    ) -> u64 {
        let mut killed = flushed.clone();
        for step in before {
            let Step::Write { slot, at, bytes } = step else { continue };
            overwrite(&mut killed[*slot], *at, bytes);
        }
        let adopted = replay_pair(&killed).unwrap().as_ref().map(model_of);
        let committed = commit(1000, &adopted.clone().unwrap_or_default()).1;
        let (mut loose, mut cuts) = (before.to_vec(), 0);
        for made in 0..=steps.len() {
            if let Some(step) = made.checked_sub(1).map(|last| &steps[last]) {
                loose.push(step);
                if let Step::Flush { slot } = step {
                    let is_flushed = |step: &&Step| matches!(step, Step::Write { slot: of, .. } if of == slot);
                    for step in loose.iter().copied().filter(is_flushed) {
                        let Step::Write { slot, at, bytes } = step else { continue };
                        overwrite(&mut flushed[*slot], *at, bytes);
                    }
                    loose.retain(|step| matches!(step, Step::Write { slot: of, .. } if of != slot));
                }
            }
            for survivors in 0..1_usize << loose.len() {
                let mut contents = flushed.clone();
                for (_, step) in loose.iter().enumerate().filter(|(number, _)| survivors >> number & 1 == 1) {
                    let Step::Write { slot, at, bytes } = step else { continue };
                    overwrite(&mut contents[*slot], *at, bytes);
                }
                let found = replay_pair(&contents).unwrap().as_ref().map(model_of);
                let is_possible = match possible {
                    _ if found.as_ref() == Some(&committed) => true,
                    // It was acknowledged.
                    _ if made == steps.len() => false,
                    Some(possible) => possible.iter().any(|(_, possible)| found.as_ref() == Some(possible)),
                    None => found.as_ref().is_none_or(|found| found.is_empty()),
                };
                assert!(is_possible, "{made} steps behind a kill: {found:?}");
                cuts += 1;
            }
        }
        cuts
    }

    /// What a crash has left is the last acknowledged state or the one that was being committed, and the journal goes on from it.
    /// Answers with the steps of that.
    fn check_recovery(contents: [Vec<u8>; 2], possible: Option<&[(usize, Model)]>) -> Vec<Step> {
        let found = replay_pair(&contents).unwrap();
        let model = found.as_ref().map(model_of);
        match possible {
            Some(possible) => {
                assert!(possible.iter().any(|(_, possible)| model.as_ref() == Some(possible)), "{model:?}")
            }
            None => assert!(model.is_none_or(|model| model.is_empty())),
        }
        let model = found.as_ref().map(model_of).unwrap_or_default();
        let (disk, files) = pair(contents);
        let mut journal = Journal::start(files, found.as_ref()).unwrap();
        let (record, after) = commit(1000, &model);
        journal.commit(&record, || whole(&model)).unwrap();
        let again = replay_pair(&disk.borrow().contents).unwrap().unwrap();
        assert_eq!(model_of(&again), after);
        assert_ne!(found.map(|found| found.version()), Some(again.version()));
        disk.borrow().steps.clone()
    }

    #[test]
    fn a_journal_cut_off_anywhere_is_an_earlier_state_or_none() {
        let (disk, acknowledged) = history();
        let contents = disk.borrow().contents.clone();
        let slot = replay_pair(&contents).unwrap().unwrap().place.slot;
        let mut last = None;
        for len in 0..=contents[slot].len() {
            let mut cut = contents.clone();
            cut[slot].truncate(len);
            let found = replay_pair(&cut).unwrap().map(|found| model_of(&found));
            let state = found
                .map(|found| acknowledged.iter().position(|(_, model)| *model == found).expect("a state there was"));
            assert!(state >= last, "{len} bytes know less than {} did", len - 1);
            last = state;
        }
        assert_eq!(last, Some(acknowledged.len() - 1));
    }

    #[test]
    fn a_flipped_bit_is_found_wherever_it_lies_before_the_last_record() {
        let (disk, acknowledged) = history();
        let mut contents = disk.borrow().contents.clone();
        let place = replay_pair(&contents).unwrap().unwrap().place;
        let whole = contents[place.slot].clone();
        let last_at =
            (0..place.end as usize).step_by(8).rfind(|&at| record_at(&whole, at, place.generation).is_some()).unwrap();
        assert!(last_at as u64 > place.checkpoint_end, "no two records behind the checkpoint");
        let states = |back: usize| &acknowledged[acknowledged.len() - 1 - back].1;
        for slot in [0, 1] {
            for bit in 0..contents[slot].len() * 8 {
                let at = bit / 8;
                contents[slot][at] ^= 1 << (bit % 8);
                let found = replay_pair(&contents).map(|found| found.map(|found| model_of(&found)));
                contents[slot][at] ^= 1 << (bit % 8);
                match found {
                    // An empty file, behind the end, or between two records.
                    Ok(Some(model)) if model == *states(0) => {
                        assert!(slot != place.slot || at as u64 >= place.end || at >= HEAD_BYTES, "bit {bit}");
                    }
                    // It looks like a commit that was never acknowledged.
                    Ok(Some(model)) => assert!(slot == place.slot && at >= last_at && model == *states(1), "bit {bit}"),
                    Ok(None) => assert!(slot == place.slot && (at as u64) < place.checkpoint_end, "bit {bit}"),
                    Err(error) => {
                        assert_eq!(error.kind(), ErrorKind::Corrupt);
                        assert!(slot == place.slot && at < last_at, "bit {bit}: {error}");
                    }
                }
            }
        }
    }

    #[test]
    fn a_failed_commit_changes_nothing() {
        let steps = history().0.borrow().steps.len();
        for failing in 0..steps + 20 {
            // The second failure is that of taking the commit back.
            for fail in [vec![failing], vec![failing, failing + 1], vec![failing, failing + 2]] {
                let (disk, files) = pair(Default::default());
                disk.borrow_mut().fail = fail;
                let Ok(mut journal) = Journal::start(files, None) else { continue };
                let mut model = Model::new();
                let mut uncertain = None;
                for number in 0..COMMITS {
                    let (record, after) = commit(number, &model);
                    match journal.commit(&record, || whole(&model)) {
                        Ok(()) => {
                            assert!(uncertain.is_none(), "a broken journal goes on");
                            model = after;
                        }
                        Err(error) if !journal.is_broken() => assert_eq!(error.kind(), ErrorKind::Quota),
                        Err(error) => {
                            assert!(uncertain.is_none() || error.kind() == ErrorKind::Storage);
                            uncertain.get_or_insert(after);
                        }
                    }
                }
                let contents = &disk.borrow().contents;
                let found = model_of(&replay_pair(contents).unwrap().unwrap());
                assert!(found == model || Some(found) == uncertain, "step {failing} failed");
            }
        }
    }

    #[test]
    fn files_can_be_removed_when_the_storage_is_full() {
        let (disk, files) = pair(Default::default());
        let mut journal = Journal::start(files, None).unwrap();
        let mut model = Model::new();
        for number in 0..37 {
            let (record, after) = commit(number, &model);
            journal.commit(&record, || whole(&model)).unwrap();
            model = after;
        }
        let longest = disk.borrow().contents.iter().map(Vec::len).max().unwrap();
        disk.borrow_mut().full_at = Some(longest as u64);
        while let Some((path, _)) = model.first_key_value() {
            let path = path.clone();
            let mut record = Record::default();
            record.entry(&FilePath::new(&path).unwrap(), None);
            journal.commit(&record, || whole(&model)).unwrap();
            model.remove(&path);
        }
        let found = replay_pair(&disk.borrow().contents).unwrap().unwrap();
        assert!(found.paths.is_empty());
        assert_eq!(found.sizes.last(), Some((&(NUMBERS_END - 1), &0)), "numbers are not given out again");
        // The log stays short as well.
        assert!(longest < 8 * LOG_BYTES as usize, "{longest}");
    }

    #[test]
    fn too_many_files_can_be_removed_again() {
        // At once, as a deleted snapshot goes or what a restart finds to be removed, and one by one.
        for at_once in [true, false] {
            let (disk, files) = pair(Default::default());
            let mut journal = Journal::start(files, None).unwrap();
            let mut model = Model::new();
            let add = |number: u64| {
                let mut record = Record::default();
                record.file(number, number, location(number));
                record.entry(&FilePath::new(&format!("data/{number}")).unwrap(), Some(number));
                record
            };
            let refused = loop {
                let number = model.len() as u64;
                match journal.commit(&add(number), || whole(&model)) {
                    Ok(()) => drop(model.insert(format!("data/{number}"), (number, number))),
                    Err(error) => break error,
                }
            };
            assert_eq!(refused.kind(), ErrorKind::Limit, "{refused}");
            assert!(model.len() > 100, "only {} files", model.len());
            // What is refused leaves no trace either.
            let mut huge = add(5_000);
            huge.entry(&FilePath::new(&"x".repeat(3 * MAX_JOURNAL_BYTES as usize)).unwrap(), Some(5_000));
            assert_eq!(journal.commit(&huge, || whole(&model)).unwrap_err().kind(), ErrorKind::Limit);

            let contents = disk.borrow().contents.clone();
            let found = replay_pair(&contents).unwrap();
            assert_eq!(found.as_ref().map(model_of), Some(model.clone()));
            let (disk, files) = pair(contents);
            let mut journal = Journal::start(files, found.as_ref()).unwrap();
            while !model.is_empty() {
                let paths: Vec<_> = model.keys().take(if at_once { usize::MAX } else { 1 }).cloned().collect();
                let mut record = Record::default();
                for path in &paths {
                    record.entry(&FilePath::new(path).unwrap(), None);
                }
                journal.commit(&record, || whole(&model)).unwrap();
                model.retain(|path, _| !paths.contains(path));
            }
            journal.commit(&add(6_000), || whole(&model)).unwrap();
            let contents = &disk.borrow().contents;
            assert_eq!(replay_pair(contents).unwrap().map(|found| found.paths.len()), Some(1));
            let longest = contents.iter().map(Vec::len).max().unwrap() as u64;
            assert!(longest <= 2 * MAX_JOURNAL_BYTES, "{longest} bytes are not read");
        }
    }

    #[test]
    fn another_versions_journal_is_left_alone() {
        let (disk, _) = history();
        let mut contents = disk.borrow().contents.clone();
        let slot = replay_pair(&contents).unwrap().unwrap().place.slot;
        contents[slot][8] = 7;
        let checksum = xxh64(&contents[slot][..24], 0);
        contents[slot][24..32].copy_from_slice(&checksum.to_le_bytes());
        let refused = replay_pair(&contents).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Unsupported);
        assert!(refused.message().contains("layout 7") && refused.message().contains("layout 1"), "{refused}");
    }

    #[test]
    fn records_without_meaning_are_refused() {
        for content in [
            vec![0],
            vec![9; 40],
            vec![TAG_FILE; 16],
            [vec![TAG_FILE], 1_u64.to_le_bytes().to_vec(), u64::MAX.to_le_bytes().to_vec()].concat(),
            [TAG_FILE]
                .into_iter()
                .chain([1, NUMBERS_END - 1, 1, 0].into_iter().flat_map(u64::to_le_bytes))
                .chain([TAG_FILE])
                .chain([2_u64, 9, 2, 0].into_iter().flat_map(u64::to_le_bytes))
                .collect(),
            [vec![TAG_GONE], 0_u64.to_le_bytes().to_vec()].concat(),
            [vec![TAG_GONE], 4_u64.to_le_bytes().to_vec(), b"a/..".to_vec()].concat(),
            [vec![TAG_GONE], 2_u64.to_le_bytes().to_vec(), vec![0xff, 0xfe]].concat(),
            [vec![TAG_GONE], (NUMBERS_END - 1).to_le_bytes().to_vec(), b"a".to_vec()].concat(),
        ] {
            let mut file = head_bytes(3);
            file.extend_from_slice(&bytes_of(&Record { content: content.clone(), adds: true }, 5, 3));
            assert_eq!(replay([&file, &[]]).unwrap_err().kind(), ErrorKind::Corrupt, "{content:?}");
        }
        // A length far beyond the file is no record.
        let mut file = head_bytes(3);
        let mut head = [5, NUMBERS_END - 1, 0].map(u64::to_le_bytes).concat();
        let checksum = xxh64(&head, 3);
        head.extend_from_slice(&checksum.to_le_bytes());
        file.extend_from_slice(&head);
        assert!(replay([&file, &file]).unwrap().is_none());
    }
}
