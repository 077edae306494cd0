//! What an archive holds, collected while it is read: parts by their directories, lists and descriptions, and what people pack
//! by mistake.

use super::place::{LEAVING_FILE, Located, Place, Role, TableId, normal};
use super::prometheus::BlockFile;
use super::prometheus::log::LogSegment;
use crate::collections::sorted_map::SortedMap;
use crate::error::{Error, ErrorKind, Result};
use crate::mergeset;
use crate::part;
use serde::Deserialize;

/// Data directories that may be in one archive, those of a server's own snapshots included.
const MAX_ROOTS: usize = 1000;

/// Parts, directories of parts and segments that are taken from one archive; a server works with some hundreds.
const MAX_PARTS: usize = 1 << 16;

/// Bytes of lists, tombstones and the like that are held together: an archive of a few bytes may be unpacked to any number of them.
const MAX_HELD_BYTES: u64 = 64 << 20;

/// The longest small file that is read as a whole.
pub(super) const MAX_SMALL_FILE_BYTES: u64 = 16 << 20;

/// The longest description of a part that is kept for live data; those that servers write have some hundred bytes.
const MAX_SPARE_BYTES: u64 = 4096;

/// What a part says of itself beside its name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Described {
    /// Nothing; the name of an older part says all.
    #[default]
    ByName,
    /// `metadata.json` of a data part.
    Data(part::PartHeader),
    /// `metadata.json` of an index part: items and blocks.
    Index(u64, u64),
    /// `metadata.json` can't be read, for this reason.
    Unreadable(String),
}

/// The files of a part.
#[derive(Clone, Debug, Default)]
pub struct PartFiles {
    /// How many there are.
    pub files: u64,
    /// Their length together.
    pub bytes: u64,
    /// Its description.
    pub described: Described,
    /// It was being removed.
    pub is_leaving: bool,
}

/// Which parts count, sorted by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PartsList {
    /// Small parts, or those of an index.
    pub small: Vec<String>,
    /// Big parts.
    pub big: Vec<String>,
}

/// The files of one directory of parts.
#[derive(Clone, Debug, Default)]
pub struct TableFiles {
    /// Its parts by name.
    pub parts: SortedMap<String, PartFiles>,
    /// What `parts.json` says.
    pub list: Option<PartsList>,
    /// Whether merges are to be finished.
    pub has_transactions: bool,
    /// Whether there is something below `tmp/`.
    pub has_unpublished: bool,
    /// It was being removed.
    pub is_leaving: bool,
}

/// One data directory in an archive.
#[derive(Clone, Debug, Default)]
pub struct DataDirectory {
    /// Its directories of parts.
    pub tables: SortedMap<TableId, TableFiles>,
    /// From when on composite rows may be asked.
    pub composite_timestamp: Option<Vec<u8>>,
    /// The mark of a restore that was not finished.
    pub is_unfinished: bool,
    /// Blocks of Prometheus by name.
    pub blocks: SortedMap<String, BlockFiles>,
    /// The segments of Prometheus' log of what is in no block yet.
    pub log: SortedMap<LogSegment, LogFile>,
}

/// A segment of Prometheus' log.
#[derive(Clone, Debug)]
pub struct LogFile {
    /// Below the data directory.
    pub path: String,
    /// Its length.
    pub size_bytes: u64,
}

impl DataDirectory {
    /// Whether there is something in Prometheus' log.
    pub fn has_log(&self) -> bool {
        self.log.values().any(|file| file.size_bytes > 0)
    }

    /// Whether it is the data of a Prometheus.
    pub fn is_prometheus(&self) -> bool {
        !self.blocks.is_empty() || self.has_log()
    }
}

/// The files of a block of Prometheus.
#[derive(Clone, Debug, Default)]
pub struct BlockFiles {
    /// Length of the index, if it is there.
    pub index_bytes: Option<u64>,
    /// Length of each segment of chunks.
    pub segments: SortedMap<u32, u64>,
    /// What was deleted, as it is stored.
    pub tombstones: Vec<u8>,
    /// The timestamp behind the last one, as `meta.json` says.
    pub max_time: Option<i64>,
    /// Whether its samples came behind later ones.
    pub is_out_of_order: bool,
}

/// What an archive holds.
#[derive(Clone, Debug, Default)]
pub struct Inventory {
    /// Data directories by what lies above them.
    pub roots: SortedMap<String, DataDirectory>,
    /// A symbolic link, with what it points at.
    pub symbolic_link: Option<(String, String)>,
    /// Files that macOS has put beside the others.
    pub companions: u64,
    /// Files that a server was removing.
    pub leftovers: u64,
    /// Files and directories of any kind.
    pub entries: u64,
    /// The first of them.
    pub first: Option<String>,
    parts: usize,
    /// Bytes of small files whose content is kept until all has come.
    held_bytes: u64,
}

impl Inventory {
    /// Takes down that there is an entry, whatever it is worth.
    pub(super) fn count(&mut self, path: &str) {
        self.entries += 1;
        if self.first.is_none() && !path.trim_matches(['.', '/']).is_empty() {
            self.first = Some(path.chars().take(200).collect());
        }
    }

    /// Takes down a symbolic link, if it stands where a snapshot has its data.
    pub(super) fn note_link(&mut self, path: String, target: String) {
        let own = normal(&path);
        if ["data", "small", "big", "indexdb"].iter().any(|name| own.rsplit('/').next() == Some(name)) {
            self.symbolic_link.get_or_insert((path, target));
        }
    }

    /// Whether a file's content is read here and not stored.
    pub(super) fn reads_content(place: &Place<'_>) -> bool {
        match place {
            Place::CompositeTimestamp | Place::UnfinishedRestore => true,
            Place::InLog(_) => false,
            Place::InBlock(_, file) => matches!(file, BlockFile::Meta | BlockFile::Tombstones),
            Place::InTable(table, role) => match role {
                Role::List | Role::Leaving => true,
                Role::OfPart(_, file) => *file == LEAVING_FILE || (*file == "metadata.json" && !table.is_index()),
                Role::Transaction(_) | Role::OfUnpublished(..) => false,
            },
        }
    }

    /// Whether a file's content is looked at here.
    pub(super) fn looks_at_content(place: &Place<'_>) -> bool {
        Self::reads_content(place) || matches!(place, Place::InTable(_, Role::OfPart(_, "metadata.json")))
    }

    /// Adds a file; `content` is that of one that is looked at.
    ///
    /// # Errors
    /// `Corrupt` for a list of parts that can't be read, `Limit` for more of anything than any server has.
    pub(super) fn add(&mut self, located: &Located<'_>, size_bytes: u64, content: &[u8]) -> Result<()> {
        if self.roots.len() >= MAX_ROOTS && !self.roots.contains_key(&located.root) {
            let message = format!("the archive holds more than {MAX_ROOTS} data directories");
            return Err(Error::new(ErrorKind::Limit, message));
        }
        if matches!(located.place, Place::InBlock(_, BlockFile::Tombstones) | Place::InTable(_, Role::List)) {
            self.hold(content)?;
        }
        let root = self.roots.get_or_insert_with(located.root.clone(), DataDirectory::default);
        let (table, role) = match located.place {
            Place::CompositeTimestamp => {
                // One of another length says nothing.
                root.composite_timestamp = (content.len() == 8).then(|| content.to_vec());
                return Ok(());
            }
            Place::UnfinishedRestore => {
                root.is_unfinished = true;
                return Ok(());
            }
            Place::InLog(segment) => {
                let file = LogFile { path: located.path.clone(), size_bytes };
                let is_new = root.log.insert(segment, file).is_none();
                return self.count_part(is_new);
            }
            Place::InBlock(block, file) => {
                let mut is_new = root.blocks.get(block).is_none();
                let files = root.blocks.get_or_insert_with(block.to_owned(), BlockFiles::default);
                match file {
                    BlockFile::Index => files.index_bytes = Some(size_bytes),
                    BlockFile::Segment(number) => is_new |= files.segments.insert(number, size_bytes).is_none(),
                    BlockFile::Tombstones => files.tombstones = content.to_vec(),
                    BlockFile::Meta => {
                        // What can't be read says nothing; the chunks tell their time themselves.
                        let meta: BlockMeta = serde_json::from_slice(content).unwrap_or_default();
                        let hints = meta.compaction.and_then(|compaction| compaction.hints).unwrap_or_default();
                        files.max_time = meta.max_time;
                        files.is_out_of_order = hints.iter().any(|hint| hint == "from-out-of-order");
                    }
                }
                return self.count_part(is_new);
            }
            Place::InTable(table, role) => (table, role),
        };
        let mut is_new = !root.tables.contains_key(&table);
        let files = root.tables.get_or_insert_with(table, TableFiles::default);
        match role {
            Role::List => {
                let list = read_list(content).map_err(|error| error.at(format!("{}{}", located.root, located.path)))?;
                files.list = Some(list);
            }
            Role::Leaving => files.is_leaving = true,
            Role::Transaction(_) => files.has_transactions = true,
            Role::OfUnpublished(..) => files.has_unpublished = true,
            Role::OfPart(name, file) => {
                is_new |= files.parts.get(name).is_none();
                let part = files.parts.get_or_insert_with(name.to_owned(), PartFiles::default);
                if file == LEAVING_FILE {
                    part.is_leaving = true;
                } else {
                    part.files += 1;
                    part.bytes = part.bytes.saturating_add(size_bytes);
                }
                if file == "metadata.json" {
                    part.described = describe(table, content);
                }
            }
        }
        self.count_part(is_new)
    }

    /// Whether the content of a file of a server's own snapshot is kept: live data that is linked to it says nothing itself.
    pub(super) fn holds_spare(path: &str, size_bytes: u64) -> bool {
        path.ends_with("/metadata.json") && size_bytes <= MAX_SPARE_BYTES
    }

    /// Counts content that is kept.
    ///
    /// # Errors
    /// `Limit` when it is more than any server has.
    pub(super) fn hold(&mut self, content: &[u8]) -> Result<()> {
        self.held_bytes += content.len() as u64;
        if self.held_bytes > MAX_HELD_BYTES {
            let most = MAX_HELD_BYTES >> 20;
            let message =
                format!("the archive's lists of parts, tombstones and descriptions take more than {most} MiB");
            return Err(Error::new(ErrorKind::Limit, message));
        }
        Ok(())
    }

    fn count_part(&mut self, is_new: bool) -> Result<()> {
        self.parts += usize::from(is_new);
        if self.parts > MAX_PARTS {
            let message = format!("the archive holds more than {MAX_PARTS} parts and segments, which no server has");
            return Err(Error::new(ErrorKind::Limit, message));
        }
        Ok(())
    }

    /// The data of a Prometheus, and what lies above it, if the archive holds such in place of a server's data directory: the outermost
    /// one. What is in its `snapshots/` is in it, too.
    ///
    /// # Errors
    /// `Invalid` when there are several.
    pub fn prometheus(&self) -> Result<Option<(&str, &DataDirectory)>> {
        if self.roots.values().any(|root| !root.tables.is_empty()) {
            return Ok(None);
        }
        let mut found: Vec<_> = self.roots.iter().filter(|(_, root)| root.is_prometheus()).collect();
        found.sort_by_key(|(root, _)| root.len());
        let Some((root, directory)) = found.first().copied() else { return Ok(None) };
        check_alone(root, found.iter().map(|(root, _)| root.as_str()))?;
        Ok(Some((root, directory)))
    }

    /// What lies above data of a Prometheus that are there beside a server's data directory.
    pub fn prometheus_beside(&self) -> impl Iterator<Item = &str> {
        self.roots.iter().filter(|(_, root)| root.is_prometheus()).map(|(root, _)| root.as_str())
    }
}

/// What lies above a data directory, for people.
pub(super) fn shown(root: &str) -> &str {
    if root.is_empty() { "the top folder" } else { root }
}

/// Refuses data directories beside the outermost one, but for those in its `snapshots/`.
pub(super) fn check_alone<'a>(outermost: &str, all: impl Iterator<Item = &'a str>) -> Result<()> {
    let is_strange = |other: &&str| {
        other.strip_prefix(outermost).is_none_or(|below| !below.is_empty() && !below.starts_with("snapshots/"))
    };
    match { all }.find(is_strange) {
        Some(other) => Err(Error::invalid(format!(
            "there are several data directories, in {} and in {}; pack one of them alone",
            shown(outermost),
            shown(other)
        ))),
        None => Ok(()),
    }
}

fn describe(table: TableId, content: &[u8]) -> Described {
    let described = if table.is_index() {
        mergeset::PartHeader::parse_metadata(content).map(|header| Described::Index(header.items, header.blocks))
    } else {
        part::PartHeader::parse_metadata(content).map(Described::Data)
    };
    described.unwrap_or_else(|error| Described::Unreadable(error.message().into()))
}

/// What is of interest in a block's `meta.json`.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct BlockMeta {
    max_time: Option<i64>,
    compaction: Option<Compaction>,
}

/// How a block came about.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Compaction {
    hints: Option<Vec<String>>,
}

/// `parts.json` of a month.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ListOfMonth {
    small: Option<Vec<String>>,
    big: Option<Vec<String>>,
}

/// `["a","b"]` of an index, `{"Small":["a"],"Big":["b"]}` of a month.
fn read_list(content: &[u8]) -> Result<PartsList> {
    let fail = |error: serde_json::Error| Error::corrupt(format!("the list of parts can't be read: {error}"));
    let (mut small, mut big) = if content.trim_ascii_start().starts_with(b"{") {
        let list: ListOfMonth = serde_json::from_slice(content).map_err(fail)?;
        (list.small.unwrap_or_default(), list.big.unwrap_or_default())
    } else {
        let list: Option<Vec<String>> = serde_json::from_slice(content).map_err(fail)?;
        (list.unwrap_or_default(), Vec::new())
    };
    small.sort();
    big.sort();
    Ok(PartsList { small, big })
}

#[cfg(test)]
mod tests {
    use super::super::place::{Worth, look_at};
    use super::*;

    #[test]
    fn lists_are_read_in_both_forms() {
        let list = |text: &str| read_list(text.as_bytes());
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        assert_eq!(list(r#"["a","b"]"#), Ok(PartsList { small: names(&["a", "b"]), big: Vec::new() }));
        let both = r#"{"Small":["a"],"Big":["b"]}"#;
        assert_eq!(list(both), Ok(PartsList { small: names(&["a"]), big: names(&["b"]) }));
        assert_eq!(list(r#"{"Small":null,"Big":null}"#), Ok(PartsList::default()));
        for none in ["null", "[]", "{}"] {
            assert_eq!(list(none), Ok(PartsList::default()), "{none}");
        }
        for bad in ["", "{", "1", "[1]", "[null,null]", r#"[["a"],["b"]]"#, r#"{"Small":"a"}"#] {
            assert!(list(bad).is_err(), "{bad}");
        }
    }

    /// What is said when files with these names follow one another.
    fn refusal(content: &[u8], path: impl Fn(usize) -> String) -> String {
        let mut inventory = Inventory::default();
        for number in 0..2 * MAX_PARTS {
            let path = path(number);
            let Worth::Wanted(located) = look_at(&path) else { panic!("{path}") };
            if let Err(error) = inventory.add(&located, content.len() as u64, content) {
                assert_eq!(error.kind(), ErrorKind::Limit);
                return format!("{number}: {}", error.message());
            }
        }
        "nothing".into()
    }

    #[test]
    fn no_more_of_anything_is_taken_than_any_server_has() {
        for file in ["restore-in-progress", "metadata/minTimestampForCompositeIndex", "data/small/2024_03/txn/a"] {
            let told = refusal(b"", |number| format!("{number:05}/{file}"));
            assert_eq!(told, "1000: the archive holds more than 1000 data directories", "{file}");
        }
        let most = "65536: the archive holds more than 65536 parts and segments, which no server has";
        assert_eq!(refusal(b"[]", |number| format!("indexdb/{number:016X}/parts.json")), most);
        assert_eq!(refusal(b"", |number| format!("data/small/2024_03/{number:06}/.delete-this-dir")), most);
        assert_eq!(refusal(b"", |number| format!("01HRJ5Z6Q8N3X4V7W2Y9T0ABCD/chunks/{:06}", number + 1)), most);
        assert_eq!(refusal(b"", |number| format!("wal/{number:08}")), most);
        let told = refusal(&vec![0; 8 << 20], |number| format!("01HRJ5Z6Q8N3X4V7W2Y9T0ABC{number}/tombstones"));
        assert_eq!(told, "8: the archive's lists of parts, tombstones and descriptions take more than 64 MiB");
    }
}
