//! From filters to series (index-format §6).
//!
//! A table answers a query day by day, or from its global rows when there are many days. Every filter becomes either a set
//! of series that pass it, or, when series without the label pass, the set of those that don't. A set that would be costly
//! to read is not read: the names of what is left by then are matched instead.

use super::Index;
use super::postings::Postings;
use super::schema::{self, TagRow};
use crate::collections::u64_set::U64Set;
use crate::error::{Error, ErrorKind, Result};
use crate::mergeset::{Table, TableSearch};
use crate::metric::filter::TagFilter;
use crate::metric::name::{MetricName, NAME_LABEL, TAG_SEPARATOR, unescape};
use crate::metric::tsid::Tsid;
use crate::runtime::{Context, MemoryShare, sorted_by};
use crate::time::{TimeRange, date_of};
use std::collections::BTreeSet;
use std::rc::Rc;

/// Over more days than this the global rows are asked.
const MAX_DAYS_FOR_DAILY_ROWS: u64 = 40;
/// A row with so many ids is followed by more of the kind: it is worth a seek to get past them.
const IDS_WORTH_A_SEEK: usize = 32;
/// Reading a name costs about as much as reading so many rows.
const ROWS_PER_NAME: u64 = 20;
/// Work that is collected before it is accounted for.
const SPEND_STEP: u64 = 512;

/// What a text of a set takes beside its bytes, roughly.
const TEXT_BYTES: u64 = 48;

/// Texts that were found, each once, within the memory that there is. The empty one is none.
struct TextSet {
    texts: BTreeSet<Vec<u8>>,
    memory: MemoryShare,
}

impl TextSet {
    fn new(context: &Context) -> Self {
        Self { texts: BTreeSet::new(), memory: context.memory().share() }
    }

    fn add(&mut self, text: &[u8]) -> Result<()> {
        if !text.is_empty() && !self.texts.contains(text) {
            self.memory.grow(text.len() as u64 + TEXT_BYTES)?;
            self.texts.insert(text.to_vec());
        }
        Ok(())
    }

    fn into_sorted(self) -> Vec<Vec<u8>> {
        self.texts.into_iter().collect()
    }
}

impl Index {
    /// The series that pass all filters and may have samples in `range`, sorted by TSID. Deleted ones are left out.
    ///
    /// # Errors
    /// `Limit` when more than `limit` series pass; `Corrupt` when the index can't be read.
    pub async fn search_tsids(&self, filters: &[TagFilter], range: TimeRange, limit: usize) -> Result<Vec<Tsid>> {
        let mut tsids = Vec::new();
        let too_many = |found: usize| {
            Error::new(
                ErrorKind::Limit,
                format!("{found} series match, which is more than the {limit} that are allowed"),
            )
        };
        for table in self.tables() {
            let mut ids = self.search_table(&table, filters, range).await?;
            let deleted = self.deleted();
            if !deleted.is_empty() {
                ids.retain(|id| !deleted.contains(id));
            }
            if ids.len() > limit {
                return Err(too_many(ids.len()));
            }
            let mut search = table.search();
            let mut key = Vec::new();
            for &id in ids.as_slice() {
                schema::metric_id_item(schema::METRIC_ID_TO_TSID, id, &mut key);
                search.seek(&key).await?;
                // A row without its TSID in the same table is passed over, as the server does.
                if let Some(item) = search.item_with(&key) {
                    tsids.push(schema::tsid_behind(item, key.len())?);
                }
            }
        }
        let mut tsids = sorted_by(&self.context, tsids, Tsid::cmp).await;
        tsids.dedup();
        if tsids.len() > limit { Err(too_many(tsids.len())) } else { Ok(tsids) }
    }

    /// The name of a series; `None` when the index does not know it.
    pub async fn metric_name(&self, metric_id: u64) -> Result<Option<MetricName>> {
        let names = self.metric_names(&[metric_id]).await?;
        Ok(names.into_iter().next().flatten().map(Rc::unwrap_or_clone))
    }

    /// The names of many series, in the order asked. Ids are read in ascending order, so that neighbours cost little.
    pub async fn metric_names(&self, metric_ids: &[u64]) -> Result<Vec<Option<Rc<MetricName>>>> {
        let mut names = vec![None; metric_ids.len()];
        let mut missing = Vec::new();
        {
            for (at, &id) in metric_ids.iter().enumerate() {
                names[at] = self.names.borrow_mut().get(id);
                if names[at].is_none() {
                    missing.push((id, at));
                }
                self.context.spend(10).await;
            }
        }
        missing.sort_unstable();
        let mut memory = self.context.memory().share();
        for table in self.tables() {
            if missing.is_empty() {
                break;
            }
            let mut search = table.search();
            let mut still_missing = Vec::new();
            for (id, at) in missing {
                match read_name(&mut search, id).await? {
                    Some(name) => {
                        memory.grow(name.memory_bytes() as u64)?;
                        let name = Rc::new(name);
                        self.names.borrow_mut().insert(id, name.clone());
                        names[at] = Some(name);
                    }
                    None => still_missing.push((id, at)),
                }
            }
            missing = still_missing;
        }
        Ok(names)
    }

    /// The metric ids that the current generation knows to have samples on `date`.
    pub async fn metric_ids_of_date(&self, date: u64) -> Result<U64Set> {
        let mut ids = U64Set::new();
        let prefix = schema::date_prefix(date);
        let mut search = self.current().search();
        search.seek(&prefix).await?;
        while let Some(item) = search.item_with(&prefix) {
            ids.insert(schema::parse_date_item(item)?.1);
            search.next().await?;
        }
        Ok(ids)
    }

    /// Names of labels, `__name__` among them, of the series that pass all filters of one of the lists and may have samples in
    /// `range`; sorted.
    ///
    /// # Errors
    /// `Limit` when more than `limit` series pass the filters of a list, or the names take more memory than there is.
    pub async fn label_names(
        &self,
        filter_lists: &[Vec<TagFilter>],
        range: TimeRange,
        limit: usize,
    ) -> Result<Vec<Vec<u8>>> {
        let mut keys = TextSet::new(&self.context);
        for filters in filter_lists {
            if filters.is_empty() {
                let add = |key: &[u8], _: &[u8]| keys.add(if key.is_empty() { NAME_LABEL } else { key });
                self.scan_tags(None, range, add).await?;
                continue;
            }
            for name in self.search_names(filters, range, limit).await? {
                self.context.spend(50).await;
                name.labels().try_for_each(|(key, _)| keys.add(key))?;
            }
        }
        Ok(keys.into_sorted())
    }

    /// Values of a label of the series that pass all filters of one of the lists and may have samples in `range`; sorted.
    ///
    /// # Errors
    /// As [`Index::label_names`].
    pub async fn label_values(
        &self,
        key: &[u8],
        filter_lists: &[Vec<TagFilter>],
        range: TimeRange,
        limit: usize,
    ) -> Result<Vec<Vec<u8>>> {
        let key = if key == NAME_LABEL { b"" } else { key };
        let mut values = TextSet::new(&self.context);
        for filters in filter_lists {
            if filters.is_empty() {
                self.scan_tags(Some(key), range, |_, value| values.add(value)).await?;
                continue;
            }
            for name in self.search_names(filters, range, limit).await? {
                self.context.spend(20).await;
                values.add(name.value(key))?;
            }
        }
        Ok(values.into_sorted())
    }

    async fn search_names(&self, filters: &[TagFilter], range: TimeRange, limit: usize) -> Result<Vec<Rc<MetricName>>> {
        let tsids = self.search_tsids(filters, range, limit).await?;
        let ids: Vec<u64> = tsids.iter().map(|tsid| tsid.metric_id).collect();
        Ok(self.metric_names(&ids).await?.into_iter().flatten().collect())
    }

    /// Hands over every key, or every value of one key, that a series has which was not deleted; some more than once.
    async fn scan_tags(
        &self,
        key: Option<&[u8]>,
        range: TimeRange,
        mut found: impl FnMut(&[u8], &[u8]) -> Result<()>,
    ) -> Result<()> {
        let deleted = self.deleted();
        for table in self.tables() {
            for date in days(&table, range).await? {
                let prefix = match key {
                    Some(key) => schema::tag_key_prefix(date, key),
                    // The empty key without its end: what all rows of the day begin with.
                    None => {
                        let mut prefix = schema::tag_key_prefix(date, b"");
                        prefix.pop();
                        prefix
                    }
                };
                let mut search = table.search();
                search.seek(&prefix).await?;
                while let Some(item) = search.item_with(&prefix) {
                    let row = TagRow::parse(item)?;
                    let mut past = row.prefix.to_vec();
                    if key.is_none() {
                        past.truncate(row.prefix.len() - row.escaped_value.len() - 1);
                    }
                    if schema::is_artificial_key(row.escaped_key) {
                        // Composite keys are many, and all in one place.
                        past.clear();
                        past.extend_from_slice(&prefix);
                        past.extend_from_slice(schema::behind_composite_keys(row.escaped_key));
                        search.seek(&past).await?;
                        continue;
                    }
                    if row.metric_ids().all(|id| deleted.contains(id)) {
                        search.next().await?;
                        continue;
                    }
                    found(&unescaped(row.escaped_key)?, &unescaped(row.escaped_value)?)?;
                    to_next_sibling(&mut past);
                    search.seek(&past).await?;
                }
            }
        }
        Ok(())
    }

    /// The ids of one table that pass, deleted ones among them.
    async fn search_table(&self, table: &Table, filters: &[TagFilter], range: TimeRange) -> Result<Postings> {
        let mut ids = Postings::default();
        let may_be_composite = range.min.max(0) >= self.min_timestamp_for_composite;
        for date in days(table, range).await? {
            let query = Query { index: self, table, date, conditions: conditions(filters, may_be_composite) };
            ids.union(query.run().await?);
        }
        Ok(ids)
    }
}

/// What a query of `range` asks of a table: its global rows, or each day that it has series of; nothing at all when it has
/// nothing of the first day or later.
async fn days(table: &Table, range: TimeRange) -> Result<Vec<Option<u64>>> {
    let (first, last) = (date_of(range.min), date_of(range.max));
    let mut search = table.search();
    let mut present = Vec::new();
    let mut date = first;
    loop {
        search.seek(&schema::date_prefix(date)).await?;
        let Some(item) = search.item_with(&[schema::DATE_TO_METRIC_ID]) else { break };
        let found = schema::parse_date_item(item)?.0;
        if last.saturating_sub(first) > MAX_DAYS_FOR_DAILY_ROWS {
            return Ok(vec![None]);
        }
        if found > last {
            break;
        }
        present.push(Some(found));
        let Some(next) = found.checked_add(1) else { break };
        date = next;
    }
    Ok(present)
}

/// A filter and the key of the rows that answer it.
struct Condition<'a> {
    filter: &'a TagFilter,
    row_key: Vec<u8>,
}

impl Condition<'_> {
    /// The least costly first: single values, then prefixes, then whole keys.
    fn cost(&self) -> usize {
        if !self.is_accepting() {
            return usize::MAX;
        }
        match self.filter.values() {
            Some(values) => values.len(),
            None if !self.filter.prefix().is_empty() => 1 << 20,
            None => 1 << 21,
        }
    }

    /// Whether series without the label are left out, so that the condition is a set of series that pass.
    fn is_selective(&self) -> bool {
        !self.filter.matches_empty()
    }

    /// Whether the wanted rows are those with values that the filter's pattern names, and not all others.
    fn is_accepting(&self) -> bool {
        self.is_selective() != self.filter.is_negative()
    }
}

/// The conditions that answer all filters. With an exact metric group the composite rows are asked, which hold series of
/// that group alone.
fn conditions(filters: &[TagFilter], may_be_composite: bool) -> Vec<Condition<'_>> {
    let exact_group = |filter: &&TagFilter| {
        let is_exact = filter.key().is_empty() && !filter.is_negative();
        is_exact && filter.values().is_some_and(|values| values.len() == 1 && !values[0].is_empty())
    };
    let group_filter = filters.iter().find(exact_group).filter(|_| may_be_composite);
    let group = group_filter.and_then(|filter| filter.values()).and_then(|values| values.first());
    let is_narrowed =
        group.is_some() && filters.iter().any(|filter| !filter.key().is_empty() && !filter.matches_empty());
    let mut conditions: Vec<Condition<'_>> = Vec::with_capacity(filters.len());
    for filter in filters {
        let is_group = group_filter.is_some_and(|group| std::ptr::eq(group, filter));
        if is_group && is_narrowed {
            continue;
        }
        let row_key = match group {
            Some(group) if !filter.key().is_empty() => schema::composite_key(group, filter.key()),
            _ => filter.key().to_vec(),
        };
        conditions.push(Condition { filter, row_key });
    }
    conditions.sort_by_key(|condition| (!condition.is_selective(), condition.cost()));
    conditions
}

/// The filters of one search, asked of one day, or of all time, of one table.
struct Query<'a> {
    index: &'a Index,
    table: &'a Table,
    date: Option<u64>,
    conditions: Vec<Condition<'a>>,
}

impl Query<'_> {
    async fn run(&self) -> Result<Postings> {
        let mut candidates: Option<Postings> = None;
        let mut by_name = Vec::new();
        for condition in &self.conditions {
            let ids = match &mut candidates {
                None if condition.is_selective() => {
                    candidates = Some(self.read(condition, u64::MAX).await?.unwrap_or_default());
                    continue;
                }
                None => candidates.insert(self.all().await?),
                Some(ids) => ids,
            };
            if ids.is_empty() {
                break;
            }
            let budget = 1000 + ROWS_PER_NAME * ids.len() as u64;
            match self.read(condition, budget).await? {
                Some(passing) if condition.is_selective() => ids.intersect(&passing),
                Some(failing) => ids.subtract(&failing),
                None => by_name.push(condition.filter),
            }
        }
        let candidates = match candidates {
            Some(candidates) => candidates,
            None => self.all().await?,
        };
        self.match_names(candidates, &by_name).await
    }

    /// All series of the day, or of the table.
    async fn all(&self) -> Result<Postings> {
        let prefix = match self.date {
            Some(date) => schema::date_prefix(date),
            None => vec![schema::METRIC_ID_TO_TSID],
        };
        let mut ids = Vec::new();
        let mut search = self.table.search();
        search.seek(&prefix).await?;
        while let Some(item) = search.item_with(&prefix) {
            ids.push(match self.date {
                Some(_) => schema::parse_date_item(item)?.1,
                None => schema::parse_metric_id_item(item)?.0,
            });
            search.next().await?;
        }
        Ok(Postings::from_unsorted(ids))
    }

    /// The ids in the rows that a condition wants: the series that pass, or those that don't. `None` when that takes more
    /// than `budget` rows.
    async fn read(&self, condition: &Condition<'_>, budget: u64) -> Result<Option<Postings>> {
        let mut search = self.table.search();
        let mut ids = Vec::new();
        let mut budget = budget;
        let filter = condition.filter;
        if condition.is_accepting()
            && let Some(values) = filter.values()
        {
            let mut prefixes = Vec::with_capacity(values.len());
            for value in values {
                prefixes.push(schema::tag_value_prefix(self.date, &condition.row_key, value));
                self.index.context.spend(5).await;
            }
            // Escapes may change the order.
            if !prefixes.is_sorted() {
                prefixes.sort();
            }
            let mut rest = &prefixes[..];
            while let Some((prefix, behind)) = rest.split_first() {
                search.seek(prefix).await?;
                while let Some(item) = search.item_with(prefix) {
                    let row = TagRow::parse(item)?;
                    let Some(left) = budget.checked_sub(1 + row.metric_id_count() as u64 / 8) else { return Ok(None) };
                    budget = left;
                    ids.extend(row.metric_ids());
                    search.next().await?;
                }
                // Values that the index does not have are passed over: whoever names many mostly means few.
                let Some(item) = search.item() else { break };
                rest = &behind[behind.partition_point(|prefix| prefix[..] < *item && !item.starts_with(prefix))..];
            }
            return Ok(Some(Postings::from_unsorted(ids)));
        }
        let start = if condition.is_accepting() { filter.prefix() } else { b"" };
        let prefix = schema::tag_value_start_prefix(self.date, &condition.row_key, start);
        let mut last_value: Vec<u8> = Vec::new();
        let mut is_wanted = None;
        let mut matching = 0;
        search.seek(&prefix).await?;
        while let Some(item) = search.item_with(&prefix) {
            let row = TagRow::parse(item)?;
            if is_wanted.is_none() || row.escaped_value != last_value {
                last_value.clear();
                last_value.extend_from_slice(row.escaped_value);
                let value = unescaped(row.escaped_value)?;
                // A regular expression costs more than a row.
                let cost = filter.cost(&value)?;
                let passes = filter.matches(&value);
                is_wanted = Some(passes == condition.is_selective());
                budget = budget.saturating_sub(3 + cost);
                matching += cost;
            }
            let Some(left) = budget.checked_sub(1 + row.metric_id_count() as u64 / 8) else { return Ok(None) };
            budget = left;
            if is_wanted == Some(true) {
                ids.extend(row.metric_ids());
            }
            let is_passed_over = is_wanted != Some(true) && row.metric_id_count() >= IDS_WORTH_A_SEEK;
            let past = is_passed_over.then(|| {
                let mut past = row.prefix.to_vec();
                to_next_sibling(&mut past);
                past
            });
            if matching >= SPEND_STEP {
                self.index.context.spend(std::mem::take(&mut matching)).await;
            }
            if let Some(past) = past {
                search.seek(&past).await?;
            } else {
                search.next().await?;
            }
        }
        Ok(Some(Postings::from_unsorted(ids)))
    }

    async fn match_names(&self, mut candidates: Postings, filters: &[&TagFilter]) -> Result<Postings> {
        if filters.is_empty() || candidates.is_empty() {
            return Ok(candidates);
        }
        let names = self.index.metric_names(candidates.as_slice()).await?;
        let mut passing = Vec::with_capacity(names.len());
        for name in &names {
            let mut passes = name.is_some();
            let mut cost = 2;
            for filter in filters.iter().take(if passes { filters.len() } else { 0 }) {
                let value = name.as_ref().map_or(&b""[..], |name| name.value(filter.key()));
                cost += filter.cost(value)?;
                passes = passes && filter.matches(value);
            }
            passing.push(passes);
            self.index.context.spend(cost).await;
        }
        let mut passing = passing.into_iter();
        candidates.retain(|_| passing.next() == Some(true));
        Ok(candidates)
    }
}

/// The name that a table has for a series.
async fn read_name(search: &mut TableSearch, metric_id: u64) -> Result<Option<MetricName>> {
    let mut key = Vec::with_capacity(9);
    schema::metric_id_item(schema::METRIC_ID_TO_NAME, metric_id, &mut key);
    search.seek(&key).await?;
    match search.item_with(&key) {
        Some(item) => MetricName::unmarshal(&item[key.len()..]).map(Some),
        None => Ok(None),
    }
}

/// Makes of a prefix that ends with the end of an escaped string what all longer and greater strings begin behind.
fn to_next_sibling(prefix: &mut [u8]) {
    if let Some(last) = prefix.last_mut() {
        debug_assert_eq!(*last, TAG_SEPARATOR);
        *last += 1;
    }
}

fn unescaped(escaped: &[u8]) -> Result<std::borrow::Cow<'_, [u8]>> {
    if !escaped.contains(&0) {
        return Ok(escaped.into());
    }
    let terminated = [escaped, &[TAG_SEPARATOR]].concat();
    let mut value = Vec::with_capacity(escaped.len());
    unescape(&terminated, &mut value)?;
    Ok(value.into())
}

/// Distinct ids of the series that a table has, below `limit_id`.
pub(super) async fn metric_ids_below(table: &Table, limit_id: u64) -> Result<U64Set> {
    let mut ids = U64Set::new();
    let mut search = table.search();
    let prefix = [schema::METRIC_ID_TO_TSID];
    search.seek(&prefix).await?;
    while let Some(item) = search.item_with(&prefix) {
        let (id, _) = schema::parse_metric_id_item(item)?;
        if id >= limit_id {
            break;
        }
        ids.insert(id);
        search.next().await?;
    }
    Ok(ids)
}
