//! The series ingestion knows: from labels or a line's text to the number that rows carry, without asking the index again.

use crate::collections::equality::are_equal_bytes;
use crate::collections::u64_set::U64Set;
use crate::error::{Error, ErrorKind, Result};
use crate::index::register::MAX_NAME_LEN;
use crate::metric::name::MetricName;
use crate::metric::row::{SeriesIndex, SeriesTable};
use crate::metric::tsid::Tsid;
use serde::Serialize;
use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

type Hasher = foldhash::fast::RandomState;

/// What a handle is before its series was looked up.
pub(super) const UNRESOLVED: SeriesIndex = SeriesIndex::MAX;

/// Texts of lines are forgotten all at once when they take more than this; the next line of each is parsed again.
const TEXT_CACHE_BYTES: usize = 32 << 20;
/// What each of them takes beside its bytes: its place in the list and in the map, and the two counts of its pointer.
const TEXT_ENTRY_BYTES: usize = size_of::<TextEntry>() + size_of::<(Rc<[u8]>, u32)>() + 2 * size_of::<usize>();

/// What a series takes beside its labels, which are kept by name, by number, and in the index until they are written.
const ENTRY_BYTES: u64 = 256;
const COPIES_OF_LABELS: u64 = 3;

/// Days whose series are remembered; beyond that the least recently used ones are forgotten.
const REMEMBERED_DAYS: usize = 128;

/// How the last day is written down on which a series was registered; 0 is none.
pub(super) fn registered_mark(date: u64) -> u32 {
    u32::try_from(date + 1).unwrap_or(u32::MAX)
}

/// What is known of one series. Kept small: the hot path reads `row_series` and `registered_date` of each sample's series.
struct Entry {
    name: Rc<MetricName>,
    /// What the index said of the series last, and the number that rows carry for it. Kept when all is looked up anew, which mostly
    /// finds the same: numbers are never taken back, so that a new one each time would let their table grow without end.
    numbered: Option<(Tsid, SeriesIndex)>,
}

/// The names of the series that rows refer to, by the number that these carry.
pub(super) type NumberedNames = Rc<RefCell<Vec<Rc<MetricName>>>>;

/// Handles are dense numbers, given out in order and valid until the database is closed.
pub struct SeriesRegistry {
    table: Rc<SeriesTable>,
    /// The name of each series in the table.
    numbered_names: NumberedNames,
    entries: Vec<Entry>,
    /// For each handle the number that rows carry, or [`UNRESOLVED`].
    row_series: Vec<SeriesIndex>,
    /// For each handle the last date that is known to be in the index, plus one; 0 for none.
    registered_date: Vec<u32>,
    by_name: HashMap<Rc<[u8]>, u32, Hasher>,
    /// What all series take, about, and the most that they may: the memory must not run out.
    bytes: u64,
    limit_bytes: u64,
    texts: TextCache,
    /// For each handle the body in which it was last counted; see [`SeriesRegistry::count_in_body`].
    counted_in: Vec<u32>,
    /// Metric ids the current index generation has an entry for, by day; `u64` counts uses.
    days: HashMap<u64, (U64Set, u64)>,
    uses: u64,
    /// The index generation that all of the above was learnt from.
    generation: u64,
}

/// Texts of lines and what they stand for. Scrapes repeat their lines in one order, so that the text behind the last one is tried
/// before any hash is computed.
#[derive(Default)]
struct TextCache {
    entries: Vec<TextEntry>,
    by_text: HashMap<Rc<[u8]>, u32, Hasher>,
    bytes: usize,
    /// The entry that was met last.
    last: usize,
}

struct TextEntry {
    text: Rc<[u8]>,
    handle: u32,
    /// The entry that followed this one when it was last met.
    next: u32,
}

impl TextCache {
    /// The entry that is likely to come next.
    fn next(&self) -> Option<&TextEntry> {
        self.entries.get(self.entries.get(self.last)?.next as usize)
    }

    fn take_next(&mut self) -> Option<u32> {
        let next = self.entries.get(self.last)?.next as usize;
        let handle = self.entries.get(next)?.handle;
        self.last = next;
        Some(handle)
    }

    fn look_up(&mut self, text: &[u8]) -> Option<u32> {
        if self.next().is_some_and(|entry| are_equal_bytes(&entry.text, text)) {
            return self.take_next();
        }
        let found = *self.by_text.get(text)?;
        self.follow(found);
        Some(self.entries[found as usize].handle)
    }

    fn insert(&mut self, text: &[u8], handle: u32) {
        if self.bytes + TEXT_ENTRY_BYTES + text.len() > TEXT_CACHE_BYTES {
            *self = Self::default();
        }
        let text: Rc<[u8]> = text.into();
        self.bytes += TEXT_ENTRY_BYTES + text.len();
        let at = self.entries.len() as u32;
        self.entries.push(TextEntry { text: text.clone(), handle, next: at + 1 });
        self.by_text.insert(text, at);
        self.follow(at);
    }

    fn follow(&mut self, at: u32) {
        if let Some(last) = self.entries.get_mut(self.last) {
            last.next = at;
        }
        self.last = at as usize;
    }
}

/// The registry as `inspect()` shows it.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SeriesState {
    /// Handles given out.
    pub handles: u64,
    /// Handles whose series have samples.
    pub resolved: u64,
    /// Texts of lines that are remembered.
    pub remembered_texts: u64,
    /// Bytes that these take.
    pub remembered_text_bytes: u64,
    /// Days whose series are remembered.
    pub remembered_days: u64,
}

impl SeriesRegistry {
    pub(super) fn new(
        table: Rc<SeriesTable>,
        numbered_names: NumberedNames,
        generation: u64,
        limit_bytes: u64,
    ) -> Self {
        Self {
            bytes: 0,
            limit_bytes,
            table,
            numbered_names,
            entries: Vec::new(),
            row_series: Vec::new(),
            registered_date: Vec::new(),
            by_name: HashMap::default(),
            texts: TextCache::default(),
            counted_in: Vec::new(),
            days: HashMap::new(),
            uses: 0,
            generation,
        }
    }

    /// The handle of a name; the same name gives the same handle.
    ///
    /// # Errors
    /// `Invalid` for a name without labels or with too many bytes; `Limit` for one more than there is memory for.
    pub(super) fn handle(&mut self, name: MetricName) -> Result<u32> {
        self.handle_within(name, self.limit_bytes)
    }

    /// As [`handle`](Self::handle), of a series whose samples were accepted before: it is there, whatever memory it takes.
    pub(super) fn known_handle(&mut self, name: MetricName) -> Result<u32> {
        self.handle_within(name, u64::MAX)
    }

    fn handle_within(&mut self, name: MetricName, limit_bytes: u64) -> Result<u32> {
        if name.is_empty() {
            return Err(Error::invalid("a series needs at least one label with a value, such as __name__"));
        }
        let mut key = Vec::new();
        name.marshal(&mut key);
        if let Some(&handle) = self.by_name.get(&key[..]) {
            return Ok(handle);
        }
        if key.len() > MAX_NAME_LEN {
            let message =
                format!("the labels of a series have at most {MAX_NAME_LEN} bytes together, found {}", key.len());
            return Err(Error::invalid(message));
        }
        let bytes = self.bytes + ENTRY_BYTES + COPIES_OF_LABELS * key.len() as u64;
        if bytes > limit_bytes {
            return Err(self.full());
        }
        self.bytes = bytes;
        let handle = self.entries.len() as u32;
        self.by_name.insert(key.into(), handle);
        self.entries.push(Entry { name: Rc::new(name), numbered: None });
        self.row_series.push(UNRESOLVED);
        self.registered_date.push(0);
        Ok(handle)
    }

    #[cold]
    fn full(&self) -> Error {
        let message = format!(
            "the {} series that got samples since the database was opened take {} bytes of memory, and {} are the most; close it and open it \
             again, which forgets those that get none any more, or give series fewer and shorter labels",
            self.entries.len(),
            self.bytes,
            self.limit_bytes
        );
        Error::new(ErrorKind::Limit, message)
    }

    /// The text that followed the last one when that was met before.
    pub(super) fn expected_text(&self) -> Option<Rc<[u8]>> {
        self.texts.next().map(|entry| entry.text.clone())
    }

    /// The handle that [`expected_text`](Self::expected_text) stands for, once a line has begun with it.
    pub(super) fn expected_handle(&mut self) -> Option<u32> {
        self.texts.take_next()
    }

    /// The handle a line's text stood for before.
    pub(super) fn handle_of_text(&mut self, text: &[u8]) -> Option<u32> {
        self.texts.look_up(text)
    }

    /// Remembers what a line's text stands for.
    pub(super) fn remember_text(&mut self, text: &[u8], handle: u32) {
        self.texts.insert(text, handle);
    }

    /// Forgets the texts of lines, whose meaning depends on the labels that were added to them.
    pub(super) fn forget_texts(&mut self) {
        self.texts = TextCache::default();
    }

    /// How many of `handles` are met for the first time in the body numbered `body`, which is never 0.
    pub(super) fn count_in_body(&mut self, handles: &[u32], body: u32) -> u64 {
        self.counted_in.resize(self.entries.len(), 0);
        let mut series = 0;
        for &handle in handles {
            series += u64::from(std::mem::replace(&mut self.counted_in[handle as usize], body) != body);
        }
        series
    }

    /// Whether a handle was given out.
    pub(super) fn contains(&self, handle: u32) -> bool {
        (handle as usize) < self.entries.len()
    }

    /// The number rows carry, if the series was looked up.
    #[inline]
    pub(super) fn row_series(&self, handle: u32) -> SeriesIndex {
        self.row_series[handle as usize]
    }

    /// The columns the hot path reads: row numbers and registered dates (plus one) by handle.
    #[inline]
    pub(super) fn hot_columns(&self) -> (&[SeriesIndex], &[u32]) {
        (&self.row_series, &self.registered_date)
    }

    /// The names of all handles, in their order.
    pub(super) fn names(&self) -> impl Iterator<Item = &MetricName> {
        self.entries.iter().map(|entry| &*entry.name)
    }

    pub(super) fn name(&self, handle: u32) -> Rc<MetricName> {
        self.entries[handle as usize].name.clone()
    }

    /// Of a series that was looked up.
    pub(super) fn tsid(&self, handle: u32) -> Option<Tsid> {
        let is_resolved = self.row_series(handle) != UNRESOLVED;
        self.entries[handle as usize].numbered.filter(|_| is_resolved).map(|(tsid, _)| tsid)
    }

    /// Takes down what the index said of a series.
    pub(super) fn resolve(&mut self, handle: u32, tsid: Tsid) {
        let entry = &mut self.entries[handle as usize];
        let number = match entry.numbered {
            Some((known, number)) if known == tsid => number,
            _ => {
                self.numbered_names.borrow_mut().push(entry.name.clone());
                self.table.push(tsid)
            }
        };
        entry.numbered = Some((tsid, number));
        self.row_series[handle as usize] = number;
        self.registered_date[handle as usize] = 0;
    }

    /// Whether the series of `date` are remembered.
    pub(super) fn knows_day(&self, date: u64) -> bool {
        self.days.contains_key(&date)
    }

    /// Forgets the days used longest ago until at most [`REMEMBERED_DAYS`] remain, but none of those in `needed`: an append
    /// may span more days than are usually remembered.
    pub(super) fn trim_days(&mut self, needed: &[u64]) {
        let mut others: Vec<(u64, u64)> = self
            .days
            .iter()
            .filter(|(date, _)| !needed.contains(date))
            .map(|(date, (_, used))| (*used, *date))
            .collect();
        others.sort();
        let excess = self.days.len().saturating_sub(REMEMBERED_DAYS);
        for (_, date) in others.into_iter().take(excess) {
            self.days.remove(&date);
        }
    }

    /// Takes down which series have an entry for `date`.
    pub(super) fn remember_day(&mut self, date: u64, metric_ids: U64Set) {
        self.uses += 1;
        self.days.insert(date, (metric_ids, self.uses));
    }

    /// Notes that a resolved series has samples on a remembered `date`. True when the index does not know it yet.
    pub(super) fn is_new_on_day(&mut self, handle: u32, date: u64) -> bool {
        let (Some(tsid), Some((metric_ids, used))) = (self.tsid(handle), self.days.get_mut(&date)) else {
            debug_assert!(false, "handle {handle} or day {date} was not prepared");
            return false;
        };
        self.uses += 1;
        *used = self.uses;
        self.registered_date[handle as usize] = registered_mark(date);
        metric_ids.insert(tsid.metric_id)
    }

    /// Forgets what was learnt from another index generation, or before series were deleted. Handles stay good.
    pub(super) fn unresolve_all(&mut self, generation: u64) {
        self.generation = generation;
        self.days.clear();
        self.row_series.fill(UNRESOLVED);
        self.registered_date.fill(0);
    }

    pub(super) fn generation(&self) -> u64 {
        self.generation
    }

    pub(super) fn state(&self) -> SeriesState {
        SeriesState {
            handles: self.entries.len() as u64,
            resolved: self.row_series.iter().filter(|series| **series != UNRESOLVED).count() as u64,
            remembered_texts: self.texts.entries.len() as u64,
            remembered_text_bytes: self.texts.bytes as u64,
            remembered_days: self.days.len() as u64,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_texts_take_no_more_memory_than_long_ones() {
        for len in [8, 1_000] {
            let mut texts = TextCache::default();
            let mut most = 0;
            for number in 0..TEXT_CACHE_BYTES {
                texts.insert(format!("{number:0len$}").as_bytes(), number as u32);
                if texts.entries.len() < most {
                    break;
                }
                most = texts.entries.len();
            }
            // A text, two pointers to it with what they point at, and two numbers each.
            let bytes = most * (len + 2 * size_of::<Rc<[u8]>>() + 4 * size_of::<u32>() + 2 * size_of::<usize>());
            assert!(most > 1_000 && bytes <= TEXT_CACHE_BYTES, "{most} texts of {len} bytes take {bytes}");
            assert!(bytes > TEXT_CACHE_BYTES - 2_000, "{most} texts of {len} bytes take {bytes} alone");
        }
    }

    #[test]
    fn a_series_that_is_looked_up_anew_keeps_its_number() {
        let table = Rc::<SeriesTable>::default();
        let mut registry = SeriesRegistry::new(table.clone(), NumberedNames::default(), 0, u64::MAX);
        let tsid = |metric_id| Tsid { metric_id, ..Tsid::default() };
        let handles: Vec<u32> = (0..1_000)
            .map(|n: u32| registry.handle(MetricName::from_labels([(&b"n"[..], n.to_string().as_bytes())])).unwrap())
            .collect();
        for deletion in 0..500 {
            registry.unresolve_all(deletion);
            assert!(handles.iter().all(|&handle| registry.tsid(handle).is_none()));
            for &handle in &handles {
                // The first series is deleted each time, and comes again as another.
                let metric_id = if handle == 0 { 10_000 + deletion } else { u64::from(handle) };
                registry.resolve(handle, tsid(metric_id));
                assert_eq!(registry.tsid(handle), Some(tsid(metric_id)));
                assert_eq!(table.tsid(registry.row_series(handle)), tsid(metric_id));
            }
        }
        assert_eq!(table.len(), 999 + 500);
    }
}
