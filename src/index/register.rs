//! New series and new days enter the index (index-format §4, §5).

use super::{Index, schema};
use crate::error::{Error, Result};
use crate::mergeset::Table;
use crate::metric::name::MetricName;
use crate::metric::tsid::Tsid;
use crate::trace::event::Event;
use std::collections::HashMap;

/// The longest name, marshaled: all of its items have to fit into 64 KiB.
pub const MAX_NAME_LEN: usize = 65_536 - 64;

/// Series whose items can't be found yet, since they wait for a flush: without them a name asked for twice within a second
/// would get two TSIDs.
#[derive(Debug, Default)]
pub(super) struct PendingNames {
    tsids: HashMap<Vec<u8>, (Tsid, u64)>,
    /// Those of the generation before that could not be found when it ended. Their items are on their way into what is the previous
    /// table now, so that these series have still to be taken over into the current one.
    of_previous: HashMap<Vec<u8>, (Tsid, u64)>,
    /// At this size those that can be found by now are taken out.
    sweep_at: usize,
}

impl PendingNames {
    fn insert(&mut self, marshaled_name: Vec<u8>, tsid: Tsid, table: &Table) {
        if self.tsids.len() >= self.sweep_at {
            self.sweep(table);
            self.sweep_at = 2 * self.tsids.len() + 1024;
        }
        self.tsids.insert(marshaled_name, (tsid, table.flush_number()));
    }

    fn sweep(&mut self, table: &Table) {
        self.tsids.retain(|_, (_, flush_number)| !table.is_searchable(*flush_number));
    }

    /// Another generation has become current, and `previous` the one before.
    pub(super) fn rotate(&mut self, previous: &Table) {
        self.sweep(previous);
        self.of_previous = std::mem::take(&mut self.tsids);
        self.sweep_at = 0;
    }
}

impl Index {
    /// The TSID of the series of this name: looked up in the current generation, then in the previous one, from which it is
    /// taken over into the current one. Deleted series are passed over.
    pub async fn tsid_by_name(&self, name: &MetricName) -> Result<Option<Tsid>> {
        let mut marshaled = Vec::new();
        name.marshal(&mut marshaled);
        let is_alive = |tsid: &Tsid| !self.deletions.contains(tsid.metric_id);
        let pending = self.pending_names.borrow().tsids.get(&marshaled).map(|pending| pending.0);
        if let Some(tsid) = pending.filter(is_alive) {
            return Ok(Some(tsid));
        }
        let mut prefix = Vec::new();
        schema::name_prefix(&marshaled, &mut prefix);
        let current = self.current();
        if let Some(tsid) = self.find_name(&current, &prefix).await? {
            return Ok(Some(tsid));
        }
        let pending = self.pending_names.borrow().of_previous.get(&marshaled).map(|pending| pending.0);
        let tsid = match pending.filter(is_alive) {
            Some(tsid) => tsid,
            None => {
                let previous = self.previous();
                let Some(tsid) = self.find_name(&previous, &prefix).await? else { return Ok(None) };
                tsid
            }
        };
        // The table may have changed while it was searched.
        self.add_series(name, &tsid, marshaled)?;
        Ok(Some(tsid))
    }

    async fn find_name(&self, table: &Table, prefix: &[u8]) -> Result<Option<Tsid>> {
        let mut search = table.search();
        search.seek(prefix).await?;
        while let Some(item) = search.item_with(prefix) {
            let tsid = schema::tsid_behind(item, prefix.len())?;
            if !self.deletions.contains(tsid.metric_id) {
                return Ok(Some(tsid));
            }
            search.next().await?;
        }
        Ok(None)
    }

    /// Gives a new series its TSID and adds its items, which can be found after the next flush.
    ///
    /// # Errors
    /// `Invalid` when the name is too long to be stored: nearly 64 KiB.
    pub fn register_series(&self, name: &MetricName) -> Result<Tsid> {
        let mut marshaled = Vec::new();
        name.marshal(&mut marshaled);
        if marshaled.len() > MAX_NAME_LEN {
            return Err(Error::invalid(format!(
                "the labels of a series have at most {MAX_NAME_LEN} bytes together, found {}",
                marshaled.len()
            )));
        }
        let tsid = name.tsid(self.metric_ids.take()?);
        self.add_series(name, &tsid, marshaled)?;
        self.metric_ids.count_new();
        self.context.emit(|| Event::SeriesRegistered { series: 1 });
        Ok(tsid)
    }

    /// Series that come from here on have greater ids than `greatest`, which another place knows of.
    pub fn skip_metric_ids(&self, greatest: u64) {
        self.metric_ids.skip(greatest);
    }

    fn add_series(&self, name: &MetricName, tsid: &Tsid, marshaled: Vec<u8>) -> Result<()> {
        let table = self.current();
        table.add_items(|add| schema::series_items(name, tsid, add))?;
        self.pending_names.borrow_mut().insert(marshaled, *tsid, &table);
        Ok(())
    }

    /// Notes that a series has samples on `date`, in days since the epoch.
    pub fn register_date(&self, date: u64, metric_id: u64, name: &MetricName) {
        if let Err(error) = self.current().add_items(|add| schema::date_items(date, metric_id, name, add)) {
            // Only a series of another writer can have a name that fits alone, but not with its date.
            self.context.degraded(&error, format!("a series can't be found by day: {error}"));
        }
    }
}
