//! Where the files of an archive go. The engine keeps the layout of servers up to v1.89; newer ones have the same bytes below
//! other names, with lists of the parts that count.

use super::inventory::{DataDirectory, Described, Inventory, PartFiles, TableFiles, check_alone, shown};
use super::place::{Extent, TableId, hex_name};
use crate::collections::sorted_map::SortedMap;
use crate::error::{Error, ErrorKind, Result};
use crate::index::{COMPOSITE_TIMESTAMP_FILE, CONVERTED_FILE, INDEX_DIR, generation_name};
use crate::part::{MIN_DEDUP_INTERVAL_FILE, PartHeader};
use crate::time::PartitionName;
use std::collections::HashMap;
use xxhash_rust::xxh64::xxh64;

/// Which servers write so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Counts in names, transaction files.
    UpTo1_89,
    /// Lists of parts.
    From1_90,
    /// An index a month.
    From1_133,
}

impl Format {
    /// As people read it.
    pub fn text(self) -> &'static str {
        match self {
            Self::UpTo1_89 => "VictoriaMetrics up to 1.89",
            Self::From1_90 => "VictoriaMetrics 1.90 to 1.132",
            Self::From1_133 => "VictoriaMetrics 1.133 and later",
        }
    }
}

/// What is not taken over, or does not do what one would expect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeftOut {
    /// The part or the directory.
    pub path: String,
    /// Why.
    pub message: String,
}

/// A part that goes into the database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlannedPart {
    /// Where its files lie in the data directory.
    pub from: String,
    /// Where they go.
    pub to: String,
    /// What describes a data part; none of an index part.
    pub header: Option<PartHeader>,
    /// Whether its de-duplication interval is to be written, since it was in a file of another kind.
    pub puts_dedup_interval: bool,
}

/// What becomes of an archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// What lies above the data directory in the archive.
    pub root: String,
    /// Which servers write so.
    pub format: Format,
    /// The parts.
    pub parts: Vec<PlannedPart>,
    /// Directories of merges that are to be finished, which keep their names.
    pub transaction_dirs: Vec<String>,
    /// The generations that the index has, the newest last.
    pub generations: [u64; 2],
    /// The content of `metadata/minTimestampForCompositeIndex`; what is missing is made at opening.
    pub composite_timestamp: Option<Vec<u8>>,
    /// What is not taken over.
    pub left_out: Vec<LeftOut>,
}

impl Plan {
    /// Says something of the archive as a whole, or of a place in it.
    pub fn note(&mut self, path: String, message: &str) {
        self.left_out.push(LeftOut { path, message: message.into() });
    }

    /// Files of a database that no archive holds, by path, with their content.
    pub fn made_files(&self) -> Vec<(String, Vec<u8>)> {
        let mut files = Vec::new();
        for part in self.parts.iter().filter(|part| part.puts_dedup_interval) {
            if let Some(header) = &part.header {
                let text = header.min_dedup_interval_text();
                files.push((format!("{}/{MIN_DEDUP_INTERVAL_FILE}", part.to), text.into()));
            }
        }
        for generation in self.generations {
            let file = format!("{INDEX_DIR}/{}/{CONVERTED_FILE}", generation_name(generation));
            files.push((file, b"ok".to_vec()));
        }
        if let Some(bytes) = &self.composite_timestamp {
            files.push((COMPOSITE_TIMESTAMP_FILE.into(), bytes.clone()));
        }
        files
    }

    /// Leaves out the parts with a file that reaches behind the end of an archive that was cut off.
    pub fn leave_out_behind(&mut self, size_bytes: u64, files: &HashMap<String, Extent>) {
        let is_cut = |extent: &Extent| extent.offset.saturating_add(extent.size_bytes) > size_bytes;
        let cut: Vec<&str> = files.iter().filter(|(_, extent)| is_cut(extent)).map(|(path, _)| path.as_str()).collect();
        let root = self.root.clone();
        let mut left_out = Vec::new();
        self.parts.retain(|part| {
            let dir = format!("{root}{}/", part.from);
            let is_whole = !cut.iter().any(|path| path.starts_with(&dir));
            if !is_whole {
                left_out
                    .push(LeftOut { path: part.from.clone(), message: "the archive was cut off in this part".into() });
            }
            is_whole
        });
        self.left_out.extend(left_out);
    }
}

impl Inventory {
    /// Plans where all goes. A generation that the archive does not name itself gets a number from `next_generation` on.
    ///
    /// # Errors
    /// `Invalid`, with what to do, for what is no data directory; `Corrupt` for one without an index.
    pub fn plan(&self, next_generation: u64) -> Result<Plan> {
        if self.prometheus()?.is_some() {
            return Err(Error::new(
                ErrorKind::Unsupported,
                "this is the data of a Prometheus, which can't be read where it lies",
            ));
        }
        let (root, directory) = self.data_directory()?;
        if directory.is_unfinished {
            return Err(Error::corrupt(format!(
                "{root}restore-in-progress: a restore into this directory was not finished, so that it is not whole; finish it with vmrestore, then pack it again"
            )));
        }
        let mut planning = Planning { directory, left_out: Vec::new(), parts: Vec::new() };
        let mut months = Vec::new();
        for (table, files) in directory.tables.iter().filter(|(table, _)| !table.is_index()) {
            let before = planning.parts.len();
            planning.data(*table, files);
            if let (true, TableId::Small(month) | TableId::Big(month)) = (planning.parts.len() > before, *table) {
                months.push(month);
            }
        }
        let data_parts = planning.parts.len();
        let generations = planning.index(next_generation);
        if planning.parts.len() == data_parts && data_parts > 0 {
            return Err(Error::corrupt(format!(
                "there are {data_parts} parts with samples in {}, but no index, without which nobody knows whose samples they are: indexdb/ (or data/indexdb/, as servers write it since v1.133) has to be packed, too",
                shown(root)
            )));
        }
        planning.look_for_months_without_index(&months);
        let has_lists = directory.tables.values().any(|files| files.list.is_some());
        let is_monthly = directory.tables.keys().any(|table| matches!(table, TableId::MonthIndex(_)));
        let has_new_names = planning.parts.iter().any(|part| part.puts_dedup_interval);
        let mut transaction_dirs = Vec::new();
        for (table, files) in directory.tables.iter() {
            let is_kept = match table {
                TableId::Generation(generation) => generations.contains(generation),
                table => !table.is_index(),
            };
            if is_kept && files.has_transactions {
                transaction_dirs.push(format!("{}/txn", table.dir()));
            }
            // A merge of one class may be announced in the other.
            if is_kept && files.has_unpublished {
                transaction_dirs.push(format!("{}/tmp", table.dir()));
            }
        }
        for beside in self.prometheus_beside() {
            let message =
                "this is the data of a Prometheus, which is not taken over beside that of a server; pack it alone";
            planning.left_out.push(LeftOut { path: beside.into(), message: message.into() });
        }
        Ok(Plan {
            root: root.into(),
            format: match (is_monthly, has_lists || has_new_names) {
                (true, _) => Format::From1_133,
                (false, true) => Format::From1_90,
                (false, false) => Format::UpTo1_89,
            },
            parts: planning.parts,
            transaction_dirs,
            generations,
            composite_timestamp: directory.composite_timestamp.clone().filter(|bytes| bytes.len() == 8),
            left_out: planning.left_out,
        })
    }

    /// The one data directory: the outermost one that has data. Those in its `snapshots/` are of no interest.
    fn data_directory(&self) -> Result<(&str, &DataDirectory)> {
        let is_filled = |directory: &DataDirectory| directory.tables.values().any(|files| !files.parts.is_empty());
        let mut filled: Vec<(&String, &DataDirectory)> =
            self.roots.iter().filter(|(_, directory)| is_filled(directory)).collect();
        filled.sort_by_key(|(root, _)| root.len());
        let Some((root, directory)) = filled.first().copied() else { return Err(self.nothing_there()) };
        check_alone(root, filled.iter().map(|(root, _)| root.as_str()))?;
        Ok((root, directory))
    }

    /// Says what is there in place of a data directory.
    fn nothing_there(&self) -> Error {
        let how = "pack it with tar -chf snapshot.tar -C snapshots/NAME .";
        Error::invalid(if let Some((link, target)) = &self.symbolic_link {
            format!(
                "there are symbolic links ({link} to {target}) in place of the files: links have to be followed; {how}"
            )
        } else if self.entries == 0 || self.first.is_none() {
            format!("it is empty: there is no file in it; of a snapshot {how}")
        } else if !self.roots.is_empty() {
            "there is no part in it, neither of samples nor of an index: the snapshot of a server that has no data yet"
                .into()
        } else {
            let first = self.first.as_deref().unwrap_or_default();
            let more = if self.entries > 1 { format!(" and {} more", self.entries - 1) } else { String::new() };
            format!(
                "there is no data/small or data/big in it, but \u{201c}{first}\u{201d}{more}: a snapshot of VictoriaMetrics has data/ and indexdb/ at its top; {how}"
            )
        })
    }
}

struct Planning<'a> {
    directory: &'a DataDirectory,
    left_out: Vec<LeftOut>,
    parts: Vec<PlannedPart>,
}

impl Planning<'_> {
    fn leave_out(&mut self, path: String, message: impl Into<String>) {
        self.left_out.push(LeftOut { path, message: message.into() });
    }

    /// The parts of one class of a month.
    fn data(&mut self, table: TableId, files: &TableFiles) {
        let (TableId::Small(month) | TableId::Big(month)) = table else { return };
        let small = self.directory.tables.get(&TableId::Small(month));
        if files.is_leaving || small.is_some_and(|small| small.is_leaving) {
            return;
        }
        // One list for both classes.
        let list = small.and_then(|small| small.list.as_ref());
        let list = list.map(|list| if table == TableId::Small(month) { &list.small } else { &list.big });
        let dir = table.dir();
        for name in list.into_iter().flatten().filter(|name| !files.parts.contains_key(name)) {
            self.leave_out(format!("{dir}/{name}"), "parts.json lists the part, but it is not there");
        }
        let mut taken = SortedMap::default();
        for (name, part) in files.parts.iter().filter(|(name, part)| counts(list, name, part)) {
            let from = format!("{dir}/{name}");
            match data_header(name, part) {
                Ok(Header { header, suffix: None }) => {
                    taken.insert(name.clone(), ());
                    let to = from.clone();
                    self.parts.push(PlannedPart { from, to, header: Some(header), puts_dedup_interval: false });
                }
                Ok(Header { header, suffix: Some(suffix) }) => {
                    let name = free_name(&mut taken, suffix, |suffix| header.dir_name(suffix));
                    let to = format!("{dir}/{name}");
                    self.parts.push(PlannedPart { from, to, header: Some(header), puts_dedup_interval: true });
                }
                Err(message) => self.leave_out(from, message),
            }
        }
    }

    /// The parts of the index, and its two generations. A part is a sorted set of items, so that those of all months, and of the
    /// generations before there was one a month, can stand in one table.
    fn index(&mut self, next_generation: u64) -> [u64; 2] {
        let tables = &self.directory.tables;
        let generations: Vec<u64> = tables
            .keys()
            .filter_map(|table| if let TableId::Generation(generation) = table { Some(*generation) } else { None })
            .collect();
        let is_monthly = tables.keys().any(|table| matches!(table, TableId::MonthIndex(_)));
        let has_next =
            tables.iter().any(|(table, files)| matches!(table, TableId::Generation(_)) && files.list.is_some());
        // Since v1.92 there is one that is filled ahead of time.
        let newest = &generations[generations.len().saturating_sub(if has_next || is_monthly { 3 } else { 2 })..];
        let fresh = next_generation.max(generations.last().map_or(0, |last| last.saturating_add(1)));
        let kept = match *newest {
            _ if is_monthly => [fresh, fresh.saturating_add(1)],
            [] => [fresh, fresh.saturating_add(1)],
            // As a server takes it that finds one.
            [only] => [only, fresh],
            [previous, current, ..] => [previous, current],
        };
        let mut taken = SortedMap::default();
        for (table, files) in tables.iter() {
            let target = match table {
                TableId::MonthIndex(_) => kept[1],
                TableId::Generation(generation) if newest.contains(generation) => match is_monthly {
                    true => kept[1],
                    false => (*generation).min(kept[1]),
                },
                _ => continue,
            };
            self.index_table(*table, files, TableId::Generation(target), &mut taken);
        }
        kept
    }

    fn index_table(&mut self, table: TableId, files: &TableFiles, target: TableId, taken: &mut SortedMap<String, ()>) {
        if files.is_leaving {
            return;
        }
        let (dir, target) = (table.dir(), target.dir());
        let list = files.list.as_ref().map(|list| &list.small);
        for name in list.into_iter().flatten().filter(|name| !files.parts.contains_key(name)) {
            self.leave_out(format!("{dir}/{name}"), "parts.json lists the part, but it is not there");
        }
        for (name, part) in files.parts.iter().filter(|(name, part)| counts(list, name, part)) {
            let from = format!("{dir}/{name}");
            let (items, blocks) = match &part.described {
                Described::Index(items, blocks) => (*items, *blocks),
                Described::Unreadable(message) => {
                    self.leave_out(from, message.clone());
                    continue;
                }
                _ => {
                    self.leave_out(from, "metadata.json is missing, without which no server opens the part either");
                    continue;
                }
            };
            let mut fields = name.split('_');
            let is_named = fields.next().is_some_and(|field| field.parse() == Ok(items))
                && fields.next().is_some_and(|field| field.parse() == Ok(blocks));
            let suffix = fields.next().filter(|_| is_named).unwrap_or(name);
            let name = free_name(taken, suffix_of(suffix), |suffix| format!("{items}_{blocks}_{suffix:016X}"));
            let to = format!("{target}/{name}");
            self.parts.push(PlannedPart { from, to, header: None, puts_dedup_interval: false });
        }
    }

    /// An index a month knows the series of that month alone.
    fn look_for_months_without_index(&mut self, months: &[PartitionName]) {
        let tables = &self.directory.tables;
        let has_parts = |table: TableId| tables.get(&table).is_some_and(|files| !files.parts.is_empty());
        let is_monthly = tables.keys().any(|table| matches!(table, TableId::MonthIndex(_)));
        let mut of_all_months = tables.keys().filter(|table| matches!(table, TableId::Generation(_)));
        if !is_monthly || of_all_months.any(|table| has_parts(*table)) {
            return;
        }
        for month in months {
            let path = TableId::MonthIndex(*month).dir();
            let is_known = self.left_out.iter().any(|left_out| left_out.path == path);
            if !is_known && !has_parts(TableId::MonthIndex(*month)) {
                let message = format!(
                    "the index of {month} is missing: its samples are taken over, but those of series that no other month knows can't be found"
                );
                self.leave_out(path, message);
            }
        }
    }
}

/// Whether a part is one: servers remove what a list does not name, and directories without files.
fn counts(list: Option<&Vec<String>>, name: &String, part: &PartFiles) -> bool {
    part.files > 0 && !part.is_leaving && list.is_none_or(|list| list.binary_search(name).is_ok())
}

struct Header {
    header: PartHeader,
    /// The number at the end of the name that it gets; none where it has its name already.
    suffix: Option<u64>,
}

fn data_header(name: &str, part: &PartFiles) -> std::result::Result<Header, String> {
    if let Ok((header, _)) = PartHeader::parse_dir_name(name) {
        return Ok(Header { header, suffix: None });
    }
    match &part.described {
        Described::Data(header) => Ok(Header { header: *header, suffix: Some(suffix_of(name)) }),
        Described::Unreadable(message) => Err(message.clone()),
        _ => Err("metadata.json is missing, and the name says nothing of what is in the part".into()),
    }
}

/// The number that a name stands for. Servers write a number of 16 digits, but take any text.
pub(super) fn suffix_of(name: &str) -> u64 {
    hex_name(name).unwrap_or_else(|| xxh64(name.as_bytes(), 0) >> 1)
}

/// A name that no other part in the directory has.
fn free_name(taken: &mut SortedMap<String, ()>, mut suffix: u64, name: impl Fn(u64) -> String) -> String {
    loop {
        let free = name(suffix);
        if taken.insert(free.clone(), ()).is_none() {
            return free;
        }
        suffix = suffix.wrapping_add(1);
    }
}

/// For callers that have no words of their own: nothing can be restored over what is there.
pub fn not_empty() -> Error {
    Error::new(
        ErrorKind::Invalid,
        "a snapshot is restored into an empty database, and this one has series or samples; open another name, or destroy() this one first",
    )
}
