//! Writing the log: a record for each batch of rows, and which records are still needed.

use super::record::{MAX_NAMES_BYTES, MAX_ROWS, UNKNOWN_METRIC_ID, pack, put_name, rows_content};
use super::replay::{Replay, ReplayedRows};
use super::{NAMES, ROWS, file, generation_dir, root};
use crate::collections::sorted_map::SortedMap;
use crate::error::{Error, Result};
use crate::fs::{Change, FilePath};
use crate::metric::row::{Rows, SeriesIndex};
use crate::runtime::{Context, Lane, Signal};
use std::cell::{Cell, RefCell};
use std::rc::Rc;

/// A generation with so many files of names ends: the next one names only the series that are still in use.
const MAX_NAME_FILES: u64 = 64;

/// Appends the marshaled name of a series that rows may refer to, and answers its metric id; nothing for one that is unknown.
pub type NameOf = Rc<dyn Fn(SeriesIndex, &mut Vec<u8>) -> Option<u64>>;

/// How far a record is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// The storage has not answered yet.
    Writing,
    /// Its rows are durable.
    Durable,
    /// The storage did not take it: its rows are durable when their part is.
    Failed,
}

/// One record. Parts that hold its rows keep it.
#[derive(Debug)]
pub struct LogRecord {
    path: FilePath,
    generation: u64,
    bytes: u64,
    stage: Cell<Stage>,
}

impl LogRecord {
    /// Whether its rows are in the log, or will be when the storage has answered.
    pub fn is_kept(&self) -> bool {
        self.stage.get() != Stage::Failed
    }
}

/// What a commit removes from the log.
#[derive(Debug)]
pub struct Forgetting {
    records: Vec<Rc<LogRecord>>,
    /// Records that go with the next commit, whichever that is.
    abandoned: Vec<Rc<LogRecord>>,
    /// Older generations of which nothing is needed any more.
    generations: Vec<u64>,
}

impl Forgetting {
    /// What the commit has to change.
    pub fn changes(&self) -> impl Iterator<Item = Change> + '_ {
        let records = self.records.iter().chain(&self.abandoned).map(|record| record.path.clone());
        let generations = self.generations.iter().map(|generation| generation_dir(*generation));
        records.chain(generations).map(|path| Change::Remove { path })
    }
}

/// The log of a database that is open for writing.
pub struct RowLog {
    context: Context,
    interval_ms: Option<i64>,
    name_of: NameOf,
    generation: Cell<u64>,
    next_number: Cell<u64>,
    /// For each series the generation in which its name is durable; 0 for none.
    named_in: RefCell<Vec<u64>>,
    /// Files of names in the present generation.
    name_files: Cell<u64>,
    /// Records that are needed, by generation. An older generation without any goes with the next commit.
    live: RefCell<SortedMap<u64, u64>>,
    live_bytes: Cell<u64>,
    /// Records whose rows are nowhere else and are not wanted any more.
    abandoned: RefCell<Vec<Rc<LogRecord>>>,
    /// Numbers of the records for which the storage has not answered yet.
    writing: RefCell<Vec<u64>>,
    /// Raised when the storage has answered.
    answered: Signal,
}

impl RowLog {
    /// A log that is written every `interval_ms` and goes on behind what was found. Without an interval nothing is added to it, and what
    /// was found goes as its rows come to disk.
    pub fn new(context: &Context, interval_ms: Option<i64>, name_of: NameOf, found: &Replay) -> Rc<Self> {
        let (generation, number) = found.next();
        Rc::new(Self {
            context: context.clone(),
            interval_ms,
            name_of,
            generation: Cell::new(generation),
            next_number: Cell::new(number),
            named_in: RefCell::default(),
            name_files: Cell::new(0),
            // Needed before they are read: what a commit removes from the log must not be one of these.
            live: RefCell::new(found.record_counts().collect()),
            live_bytes: Cell::new(found.record_bytes()),
            abandoned: RefCell::default(),
            writing: RefCell::default(),
            answered: Signal::default(),
        })
    }

    /// Between two records so much time passes at the most; none is written without it.
    pub fn interval_ms(&self) -> Option<i64> {
        self.interval_ms
    }

    /// Bytes of the records that are needed.
    pub fn live_bytes(&self) -> u64 {
        self.live_bytes.get()
    }

    /// Records that are needed.
    pub fn live_records(&self) -> u64 {
        self.live.borrow().values().sum()
    }

    /// A record that an earlier process has written, among those that were found.
    pub fn adopt(&self, replayed: &ReplayedRows) -> Rc<LogRecord> {
        let ReplayedRows { generation, bytes, .. } = *replayed;
        let path = replayed.path.clone();
        Rc::new(LogRecord { path, generation, bytes, stage: Cell::new(Stage::Durable) })
    }

    fn count(&self, generation: u64, bytes: u64) {
        *self.live.borrow_mut().get_or_insert_with(generation, || 0) += 1;
        self.live_bytes.set(self.live_bytes.get() + bytes);
    }

    fn discount(&self, record: &LogRecord) {
        if let Some(live) = self.live.borrow_mut().get_mut(&record.generation) {
            *live = live.saturating_sub(1);
        }
        self.live_bytes.set(self.live_bytes.get().saturating_sub(record.bytes));
    }

    // ---- rows come in ----------------------------------------------------------------------------------------------

    /// Hands rows of one month to the storage. `None`: they are too many, or the storage has no room for them, and become durable with
    /// their part.
    pub fn write(self: &Rc<Self>, rows: &Rows) -> Option<Rc<LogRecord>> {
        if self.interval_ms.is_none() || rows.is_empty() || rows.len() > MAX_ROWS {
            return None;
        }
        match self.try_write(rows) {
            Ok(record) => record,
            Err(error) => {
                self.context.degraded(&error, format!("rows are not logged and go to disk as a part: {error}"));
                None
            }
        }
    }

    fn try_write(self: &Rc<Self>, rows: &Rows) -> Result<Option<Rc<LogRecord>>> {
        if self.name_files.get() >= MAX_NAME_FILES {
            self.begin_generation();
        }
        let generation = self.generation.get();
        let Some((new_series, names)) = self.new_names(rows, generation) else { return Ok(None) };
        self.submit(rows, generation, new_series, names)
    }

    /// Hands over rows of one month whose series have no numbers yet, with what they call these and their marshaled names. As there is
    /// no part that takes the record with it, it stays until the log is read. What the storage has no room for is lost. Answers `false` when
    /// they are too many for one record.
    pub fn write_unnumbered(self: &Rc<Self>, rows: &Rows, names: &[(SeriesIndex, Vec<u8>)]) -> bool {
        if self.interval_ms.is_none() || rows.is_empty() {
            return true;
        }
        if rows.len() > MAX_ROWS {
            return false;
        }
        let mut content = Vec::new();
        for (number, marshaled) in names {
            put_name(&mut content, *number, UNKNOWN_METRIC_ID, marshaled);
        }
        if content.len() > MAX_NAMES_BYTES {
            return false;
        }
        // There is nobody any more who could be told.
        let _ = self.submit(rows, self.generation.get(), Vec::new(), content);
        true
    }

    /// Commits one record: the rows, and names if there are any.
    fn submit(
        self: &Rc<Self>,
        rows: &Rows,
        generation: u64,
        new_series: Vec<SeriesIndex>,
        names: Vec<u8>,
    ) -> Result<Option<Rc<LogRecord>>> {
        let number = self.next_number.get();
        let next = number.checked_add(1).ok_or_else(|| Error::corrupt("all numbers of records are used up"))?;
        let content = pack(&rows_content(rows))?;
        let bytes = content.len() as u64;
        let path = file(generation, number, ROWS);
        let mut changes = Vec::new();
        let mut needed = bytes;
        if !names.is_empty() {
            let names = pack(&names)?;
            needed += names.len() as u64;
            changes.push(Change::PutBriefly { file: file(generation, number, NAMES), bytes: names.into() });
        }
        changes.push(Change::PutBriefly { file: path.clone(), bytes: content.into() });
        if self.context.room().check(needed, path.as_str()).is_err() {
            // The part will be refused, too, and that is told.
            return Ok(None);
        }
        self.next_number.set(next);
        self.count(generation, bytes);
        self.writing.borrow_mut().push(number);
        let record = Rc::new(LogRecord { path, generation, bytes, stage: Cell::new(Stage::Writing) });
        // Submitted here and now: a page that goes away may not come to another turn.
        let committed = self.context.commit(changes);
        let (log, written) = (self.clone(), record.clone());
        self.context.spawn(Lane::Flush, async move {
            let result = committed.await;
            log.writing.borrow_mut().retain(|writing| *writing != number);
            log.settle(&written, &new_series, result);
        });
        Ok(Some(record))
    }

    /// The series that this generation does not know yet, and the content of their file of names; `None` when that would be too long.
    fn new_names(&self, rows: &Rows, generation: u64) -> Option<(Vec<SeriesIndex>, Vec<u8>)> {
        let mut named_in = self.named_in.borrow_mut();
        let (mut series, mut content, mut marshaled) = (Vec::new(), Vec::new(), Vec::new());
        let mut last = None;
        for &number in &rows.series {
            if last.replace(number) == Some(number) {
                continue;
            }
            let at = number as usize;
            if named_in.len() <= at {
                named_in.resize(at + 1, 0);
            }
            if named_in[at] == generation {
                continue;
            }
            series.push(number);
            // For this walk alone; it counts when the storage has it.
            named_in[at] = generation;
            marshaled.clear();
            let metric_id = (self.name_of)(number, &mut marshaled);
            if let Some(metric_id) = metric_id {
                put_name(&mut content, number, metric_id, &marshaled);
            }
            if metric_id.is_none() || content.len() > MAX_NAMES_BYTES {
                series.iter().for_each(|number| named_in[*number as usize] = 0);
                return None;
            }
        }
        series.iter().for_each(|number| named_in[*number as usize] = 0);
        Some((series, content))
    }

    fn settle(&self, record: &LogRecord, new_series: &[SeriesIndex], result: Result<()>) {
        match result {
            Ok(()) => {
                record.stage.set(Stage::Durable);
                if record.generation == self.generation.get() {
                    let mut named_in = self.named_in.borrow_mut();
                    new_series.iter().for_each(|number| named_in[*number as usize] = record.generation);
                    self.name_files.set(self.name_files.get() + u64::from(!new_series.is_empty()));
                }
            }
            // Its part goes to disk in its place, and tells if that is refused as well.
            Err(_) => record.stage.set(Stage::Failed),
        }
        self.answered.raise();
    }

    fn begin_generation(&self) {
        self.generation.set(self.generation.get() + 1);
        self.name_files.set(0);
    }

    /// Waits until the storage has answered for all records written so far.
    pub async fn settled(&self) {
        let next = self.next_number.get();
        loop {
            let seen = self.answered.version();
            // Those that are written meanwhile are nothing to wait for: there may always be one.
            if self.writing.borrow().iter().all(|number| *number >= next) {
                return;
            }
            self.context.changed(&self.answered, seen).await;
        }
    }

    // ---- rows are in parts -----------------------------------------------------------------------------------------

    /// What goes with the commit of a part that holds the rows of `records`. To be ended with [`RowLog::forgotten`] or
    /// [`RowLog::remembered`].
    pub fn forget(&self, records: Vec<Rc<LogRecord>>) -> Forgetting {
        let abandoned = self.abandoned.take();
        let mut gone: SortedMap<u64, u64> = SortedMap::new();
        for record in records.iter().chain(&abandoned) {
            *gone.get_or_insert_with(record.generation, || 0) += 1;
        }
        let current = self.generation.get();
        let is_over =
            |generation: u64, live: u64| generation != current && gone.get(&generation).copied().unwrap_or(0) >= live;
        let live = self.live.borrow();
        let generations = live.iter().filter(|(generation, live)| is_over(**generation, **live)).map(|(at, _)| *at);
        Forgetting { records, abandoned, generations: generations.collect() }
    }

    /// The commit has come to pass.
    pub fn forgotten(&self, forgetting: Forgetting) {
        forgetting.records.iter().chain(&forgetting.abandoned).for_each(|record| self.discount(record));
        self.live.borrow_mut().retain(|generation, _| !forgetting.generations.contains(generation));
    }

    /// The commit has failed.
    pub fn remembered(&self, forgetting: Forgetting) {
        self.abandoned.borrow_mut().extend(forgetting.abandoned);
    }

    /// The rows of these are not wanted any more, such as those of a month that was dropped.
    pub fn abandon(&self, records: &[Rc<LogRecord>]) {
        self.abandoned.borrow_mut().extend_from_slice(records);
    }

    /// Removes the whole log, when all its rows are in parts.
    ///
    /// # Errors
    /// What the storage says.
    pub async fn remove_all(&self) -> Result<()> {
        if self.live.borrow().is_empty() {
            return Ok(());
        }
        self.context.commit(vec![Change::Remove { path: root() }]).await
    }
}
