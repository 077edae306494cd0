//! The legal lives of parts and merges, checked over the stream of events.
//!
//! A part is created, may be leased by one merge at a time, is retired and then removed, in this order and each but the lease
//! once. A merge starts on parts that are there and free, and either finishes, when all its sources have been retired and no
//! row got lost on the way, or is aborted, when they are as they were.

use super::event::{Event, MergeId, PartId};
use crate::collections::sorted_map::SortedMap;

/// Why an event can't follow those before it.
pub type Illegal = String;

/// Watches one database from the moment at which it begins to open; events must not be left out.
#[derive(Debug, Default)]
pub struct Lifecycle {
    parts: SortedMap<PartId, Part>,
    merges: SortedMap<MergeId, Merge>,
    /// Those that are there.
    partitions: SortedMap<String, ()>,
}

#[derive(Debug)]
struct Part {
    partition: String,
    rows: u64,
    bytes: u64,
    made_by: Option<MergeId>,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Live,
    Leased(MergeId),
    /// With the merge that took it out of the list, if it was one.
    Retired(Option<MergeId>),
    Removed,
}

#[derive(Debug)]
struct Merge {
    partition: String,
    sources: Vec<PartId>,
    rows: u64,
    rows_done: u64,
    has_ended: bool,
}

impl Lifecycle {
    /// Takes note of the next event.
    ///
    /// # Errors
    /// What is wrong with it, when it can't follow what was seen before.
    pub fn observe(&mut self, event: &Event) -> Result<(), Illegal> {
        match event {
            Event::PartitionCreated { partition } => match self.partitions.insert(partition.clone(), ()) {
                None => Ok(()),
                Some(()) => Err(format!("partition {partition} was created twice")),
            },
            Event::PartitionDropped { partition } => self.partition_dropped(partition),
            Event::PartCreated { part, partition, rows, bytes, merge, .. } => {
                self.part_created(*part, partition, *rows, *bytes, *merge)
            }
            Event::RawRowsFlushed { partition, parts, .. } => {
                for id in parts {
                    let part = self.part(*id)?;
                    ensure(part.partition == *partition, || format!("part {id} was flushed into another partition"))?;
                    ensure(part.made_by.is_none(), || format!("part {id} comes from raw rows and from a merge"))?;
                }
                Ok(())
            }
            Event::PartRetired { part: id, partition } => {
                let part = self.part(*id)?;
                ensure(part.partition == *partition, || format!("part {id} retired from another partition"))?;
                part.state = match part.state {
                    State::Live => State::Retired(None),
                    State::Leased(merge) => State::Retired(Some(merge)),
                    state => return Err(format!("part {id} was retired while it was {state:?}")),
                };
                Ok(())
            }
            Event::PartRemoved { part: id, .. } => {
                let part = self.part(*id)?;
                ensure(matches!(part.state, State::Retired(_)), || {
                    format!("part {id} was removed while {:?}", part.state)
                })?;
                part.state = State::Removed;
                Ok(())
            }
            Event::MergeStarted { merge, partition, sources, rows, bytes, .. } => {
                self.merge_started(*merge, partition, sources, *rows, *bytes)
            }
            Event::MergeProgressed { merge: id, rows_done, rows_total, .. } => {
                let merge = self.running(*id)?;
                let is_forward =
                    merge.rows_done <= *rows_done && *rows_done <= *rows_total && *rows_total == merge.rows;
                ensure(is_forward, || {
                    format!("merge {id} went from {} to {rows_done} of {rows_total} rows", merge.rows_done)
                })?;
                merge.rows_done = *rows_done;
                Ok(())
            }
            Event::MergeFinished { merge, output, rows_merged, rows_deleted, rows_deduplicated, .. } => {
                self.merge_finished(*merge, *output, rows_merged + rows_deleted + rows_deduplicated)
            }
            Event::MergeAborted { merge, .. } => self.merge_aborted(*merge),
            _ => Ok(()),
        }
    }

    /// The parts that can be searched, in the order of their numbers.
    pub fn live_parts(&self) -> impl Iterator<Item = PartId> + '_ {
        let is_live = |part: &Part| matches!(part.state, State::Live | State::Leased(_));
        self.parts.iter().filter(move |(_, part)| is_live(part)).map(|(id, _)| *id)
    }

    /// The merges under way, in the order of their numbers.
    pub fn running_merges(&self) -> impl Iterator<Item = MergeId> + '_ {
        self.merges.iter().filter(|(_, merge)| !merge.has_ended).map(|(id, _)| *id)
    }

    fn part_created(
        &mut self,
        id: PartId,
        partition: &str,
        rows: u64,
        bytes: u64,
        made_by: Option<MergeId>,
    ) -> Result<(), Illegal> {
        let last = self.parts.keys().next_back().copied();
        ensure(last.is_none_or(|last| last < id), || format!("part {id} was created after part {last:?}"))?;
        ensure(rows > 0, || format!("part {id} has no rows"))?;
        if let Some(merge) = made_by {
            let merge = self.running(merge)?;
            ensure(merge.partition == partition, || format!("part {id} was made by a merge of another partition"))?;
        }
        let partition = partition.to_owned();
        self.parts.insert(id, Part { partition, rows, bytes, made_by, state: State::Live });
        Ok(())
    }

    fn partition_dropped(&mut self, partition: &str) -> Result<(), Illegal> {
        let is_there = |part: &Part| matches!(part.state, State::Live | State::Leased(_));
        let left = self.parts.iter().find(|(_, part)| part.partition == partition && is_there(part));
        ensure(left.is_none(), || format!("partition {partition} was dropped with part {left:?}"))?;
        ensure(self.partitions.remove(&partition.to_owned()).is_some(), || {
            format!("partition {partition} was dropped, but it was not there")
        })
    }

    fn merge_started(
        &mut self,
        id: MergeId,
        partition: &str,
        sources: &[PartId],
        rows: u64,
        bytes: u64,
    ) -> Result<(), Illegal> {
        ensure(self.merges.get(&id).is_none(), || format!("merge {id} started twice"))?;
        ensure(!sources.is_empty(), || format!("merge {id} has no sources"))?;
        let (mut rows_found, mut bytes_found) = (0, 0);
        for source in sources {
            let part = self.part(*source)?;
            ensure(part.state == State::Live, || format!("merge {id} took part {source}, which is {:?}", part.state))?;
            ensure(part.partition == partition, || format!("merge {id} took part {source} of another partition"))?;
            part.state = State::Leased(id);
            rows_found += part.rows;
            bytes_found += part.bytes;
        }
        ensure((rows_found, bytes_found) == (rows, bytes), || {
            format!("merge {id} says {rows} rows in {bytes} bytes, its sources have {rows_found} in {bytes_found}")
        })?;
        let merge =
            Merge { partition: partition.to_owned(), sources: sources.to_vec(), rows, rows_done: 0, has_ended: false };
        self.merges.insert(id, merge);
        Ok(())
    }

    fn merge_finished(&mut self, id: MergeId, output: Option<PartId>, rows: u64) -> Result<(), Illegal> {
        let merge = self.running(id)?;
        merge.has_ended = true;
        ensure(merge.rows == rows, || format!("merge {id} had {} rows and accounts for {rows}", merge.rows))?;
        for source in merge.sources.clone() {
            let state = self.part(source)?.state;
            ensure(matches!(state, State::Retired(Some(by)) if by == id), || {
                format!("merge {id} finished while its source {source} was {state:?}")
            })?;
        }
        if let Some(output) = output {
            let part = self.part(output)?;
            ensure(part.made_by == Some(id) && part.state == State::Live, || {
                format!("merge {id} finished with part {output}, which is {part:?}")
            })?;
        }
        Ok(())
    }

    fn merge_aborted(&mut self, id: MergeId) -> Result<(), Illegal> {
        let merge = self.running(id)?;
        merge.has_ended = true;
        for source in merge.sources.clone() {
            let part = self.part(source)?;
            ensure(part.state == State::Leased(id), || {
                format!("merge {id} was aborted while its source {source} was {:?}", part.state)
            })?;
            part.state = State::Live;
        }
        let output = self.parts.iter().find(|(_, part)| part.made_by == Some(id));
        ensure(output.is_none(), || format!("merge {id} was aborted and left part {output:?}"))
    }

    fn part(&mut self, id: PartId) -> Result<&mut Part, Illegal> {
        self.parts.get_mut(&id).ok_or_else(|| format!("part {id} was never created"))
    }

    fn running(&mut self, id: MergeId) -> Result<&mut Merge, Illegal> {
        let merge = self.merges.get_mut(&id).ok_or_else(|| format!("merge {id} never started"))?;
        if merge.has_ended { Err(format!("merge {id} has ended before")) } else { Ok(merge) }
    }
}

fn ensure(is_legal: bool, why: impl FnOnce() -> String) -> Result<(), Illegal> {
    if is_legal { Ok(()) } else { Err(why()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::event::{MergeReason, PartClass};

    fn created(part: PartId, rows: u64, merge: Option<MergeId>) -> Event {
        Event::PartCreated {
            part,
            partition: "2024_03".into(),
            class: PartClass::Small,
            name: String::new(),
            rows,
            blocks: 1,
            bytes: 10,
            min_timestamp: 0,
            max_timestamp: 1,
            merge,
        }
    }

    fn started(merge: MergeId, sources: &[PartId], rows: u64) -> Event {
        Event::MergeStarted {
            merge,
            partition: "2024_03".into(),
            reason: MergeReason::Background,
            sources: sources.to_vec(),
            rows,
            bytes: 10 * sources.len() as u64,
            output_class: PartClass::Small,
            choice: None,
        }
    }

    fn retired(part: PartId) -> Event {
        Event::PartRetired { part, partition: "2024_03".into() }
    }

    fn removed(part: PartId) -> Event {
        Event::PartRemoved { part, partition: "2024_03".into() }
    }

    fn finished(merge: MergeId, output: PartId, rows: u64) -> Event {
        Event::MergeFinished {
            merge,
            partition: "2024_03".into(),
            output: Some(output),
            rows_merged: rows,
            rows_deleted: 1,
            rows_deduplicated: 0,
        }
    }

    fn aborted(merge: MergeId) -> Event {
        Event::MergeAborted { merge, partition: "2024_03".into(), message: String::new() }
    }

    /// Whether all events but the last are legal, and what the last one is.
    fn last_of(events: &[Event]) -> Result<(), Illegal> {
        let mut lifecycle = Lifecycle::default();
        let (last, first) = events.split_last().unwrap();
        first.iter().for_each(|event| lifecycle.observe(event).unwrap());
        lifecycle.observe(last)
    }

    #[test]
    fn a_part_is_created_leased_retired_and_removed() {
        let life = [
            created(1, 3, None),
            created(2, 4, None),
            started(1, &[1, 2], 7),
            aborted(1),
            started(2, &[1, 2], 7),
            created(3, 6, Some(2)),
            retired(1),
            retired(2),
            finished(2, 3, 6),
            removed(2),
            removed(1),
            retired(3),
        ];
        for end in 1..=life.len() {
            last_of(&life[..end]).unwrap();
        }
        let mut lifecycle = Lifecycle::default();
        life.iter().for_each(|event| lifecycle.observe(event).unwrap());
        assert_eq!((lifecycle.live_parts().count(), lifecycle.running_merges().count()), (0, 0));
    }

    #[test]
    fn any_other_order_is_illegal() {
        let two = [created(1, 3, None), created(2, 4, None)];
        let bad: &[&[Event]] = &[
            &[created(1, 3, None)],
            &[created(3, 3, Some(1))],
            &[removed(1)],
            &[retired(9)],
            &[retired(1), retired(1)],
            &[retired(1), started(1, &[1, 2], 7)],
            &[started(1, &[1, 2], 8)],
            &[started(1, &[1], 3), started(2, &[1, 2], 7)],
            &[started(1, &[1], 3), aborted(1), aborted(1)],
            &[started(1, &[1, 2], 7), retired(1), aborted(1)],
            &[started(1, &[1, 2], 7), created(3, 6, Some(1)), retired(1), finished(1, 3, 6)],
            &[started(1, &[1], 3), created(3, 1, Some(1)), retired(1), finished(1, 3, 1)],
            &[retired(1), removed(1), removed(1)],
        ];
        for events in bad {
            let all = [&two[..], events].concat();
            assert!(last_of(&all).is_err(), "{events:?}");
        }
    }
}
