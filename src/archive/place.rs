//! What a path in a data directory means (data-dir-layout §1 to §4). Only paths that are known are let in: whatever else an archive
//! holds, `..` and absolute paths too, names nothing.

use super::prometheus::log::LogSegment;
use super::prometheus::{self, BlockFile};
use crate::time::PartitionName;

/// Where a file's bytes are in what was handed in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    /// Which of the files that were handed in.
    pub source: u32,
    /// The first byte there.
    pub offset: u64,
    /// How many.
    pub size_bytes: u64,
}

/// Which directory of parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum TableId {
    /// Data of a month that came lately or is small.
    Small(PartitionName),
    /// Data of a month in big parts.
    Big(PartitionName),
    /// The index of a month, since v1.133.
    MonthIndex(PartitionName),
    /// A generation of the index.
    Generation(u64),
}

impl TableId {
    /// Whether it holds index parts.
    pub fn is_index(self) -> bool {
        matches!(self, Self::MonthIndex(_) | Self::Generation(_))
    }

    /// Its directory below the data directory.
    pub fn dir(self) -> String {
        match self {
            Self::Small(month) => format!("data/small/{month}"),
            Self::Big(month) => format!("data/big/{month}"),
            Self::MonthIndex(month) => format!("data/indexdb/{month}"),
            Self::Generation(generation) => format!("indexdb/{generation:016X}"),
        }
    }
}

/// What a file is in its directory of parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role<'a> {
    /// A file of a part.
    OfPart(&'a str, &'a str),
    /// `parts.json`: which parts count.
    List,
    /// A merge that is to be finished.
    Transaction(&'a str),
    /// A file of what a merge has written.
    OfUnpublished(&'a str, &'a str),
    /// The directory was being removed.
    Leaving,
}

/// What a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place<'a> {
    /// It belongs to a directory of parts.
    InTable(TableId, Role<'a>),
    /// `metadata/minTimestampForCompositeIndex`.
    CompositeTimestamp,
    /// `restore-in-progress`: the directory is not whole.
    UnfinishedRestore,
    /// A file of a block of Prometheus.
    InBlock(&'a str, BlockFile),
    /// A segment of the log of what Prometheus has in no block yet.
    InLog(LogSegment),
}

/// Since v1.110.15: a directory with this file is being removed.
pub const LEAVING_FILE: &str = ".delete-this-dir";

/// A path that names something, and the directory above the data directory that it is in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Located<'a> {
    /// What lies above the data directory; empty, or with a slash at its end.
    pub root: String,
    /// The path below the data directory.
    pub path: String,
    /// What it is.
    pub place: Place<'a>,
}

/// What a path in an archive is worth.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Worth<'a> {
    /// It is a file of a data directory.
    Wanted(Located<'a>),
    /// It may be the content of a hard link that comes later: a server's own snapshots share their files with the live data.
    Spare,
    /// What macOS puts beside files.
    Companion,
    /// What a server left that was removing something.
    Leftover,
    /// Nothing that matters.
    Ignored,
}

/// What `path` is worth.
pub fn look_at(path: &str) -> Worth<'_> {
    let components: Vec<&str> = components(path).collect();
    if components.iter().any(|name| name.starts_with("._") || *name == "__MACOSX" || *name == ".DS_Store") {
        return Worth::Companion;
    }
    if components.iter().any(|name| name.contains(".must-remove.")) {
        return Worth::Leftover;
    }
    if components.iter().any(|name| *name == ".." || name.contains(['\0', '\\'])) {
        return Worth::Ignored;
    }
    for at in 0..components.len() {
        if let Some(place) = place(&components[at..]) {
            let root = components[..at].iter().map(|name| format!("{name}/")).collect();
            return Worth::Wanted(Located { root, path: components[at..].join("/"), place });
        }
    }
    let is_shared = components.contains(&"snapshots") && components.last().is_some_and(|name| is_file_of_part(name));
    if is_shared { Worth::Spare } else { Worth::Ignored }
}

/// The path without what leads nowhere: `./`, doubled slashes and the one at the beginning.
pub fn normal(path: &str) -> String {
    components(path).collect::<Vec<_>>().join("/")
}

fn components(path: &str) -> impl Iterator<Item = &str> {
    path.split('/').filter(|name| !name.is_empty() && *name != ".")
}

fn place<'a>(components: &[&'a str]) -> Option<Place<'a>> {
    match components {
        ["metadata", "minTimestampForCompositeIndex"] => Some(Place::CompositeTimestamp),
        ["wal" | "wbl", ..] => prometheus::place_in_log(components).map(Place::InLog),
        ["restore-in-progress"] => Some(Place::UnfinishedRestore),
        ["data", class @ ("small" | "big" | "indexdb"), month, rest @ ..] => {
            let month = PartitionName::parse(month)?;
            let table = match *class {
                "small" => TableId::Small(month),
                "big" => TableId::Big(month),
                _ => TableId::MonthIndex(month),
            };
            Some(Place::InTable(table, role(rest)?))
        }
        ["indexdb", generation, rest @ ..] => {
            Some(Place::InTable(TableId::Generation(hex_name(generation)?), role(rest)?))
        }
        _ => prometheus::place(components).map(|(block, file)| Place::InBlock(block, file)),
    }
}

fn role<'a>(components: &[&'a str]) -> Option<Role<'a>> {
    match components {
        ["parts.json"] => Some(Role::List),
        [LEAVING_FILE] => Some(Role::Leaving),
        ["txn", name] => Some(Role::Transaction(name)),
        ["tmp", name, file] if is_file_of_part(file) => Some(Role::OfUnpublished(name, file)),
        ["txn" | "tmp" | "snapshots" | "cache", ..] => None,
        [part, file] if is_file_of_part(file) || *file == LEAVING_FILE => Some(Role::OfPart(part, file)),
        _ => None,
    }
}

/// 16 upper-case hexadecimal digits, as generations and new parts are named.
pub fn hex_name(name: &str) -> Option<u64> {
    let is_hex = name.len() == 16 && name.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'A'..=b'F'));
    is_hex.then(|| u64::from_str_radix(name, 16).ok()).flatten()
}

fn is_file_of_part(name: &str) -> bool {
    matches!(
        name,
        "timestamps.bin"
            | "values.bin"
            | "index.bin"
            | "metaindex.bin"
            | "items.bin"
            | "lens.bin"
            | "metadata.json"
            | "min_dedup_interval"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::archive::prometheus::log::LogDirectory;

    fn wanted(path: &str) -> (String, String) {
        match look_at(path) {
            Worth::Wanted(located) => (located.root, located.path),
            other => panic!("{path}: {other:?}"),
        }
    }

    #[test]
    fn data_directories_are_found_wherever_they_lie() {
        let own = "data/small/2024_03/1_1_a/index.bin";
        for root in ["", "./", "/", "vm/", "./vm/storage/", "snapshots/20240101000000-17A3/", "data/"] {
            let expected = root.trim_start_matches("./").trim_start_matches('/');
            assert_eq!(wanted(&format!("{root}{own}")), (expected.to_owned(), own.to_owned()));
        }
        assert_eq!(wanted("indexdb/18EA4AA9218B92E2/txn/18EA").1, "indexdb/18EA4AA9218B92E2/txn/18EA");
        assert_eq!(wanted("data/indexdb/2024_03/parts.json").1, "data/indexdb/2024_03/parts.json");
        for (path, directory, number) in [
            ("wal/00000012", LogDirectory::InOrder, 12),
            ("wal/checkpoint.00000384/00000000", LogDirectory::Checkpoint(384), 0),
            ("wal/checkpoint.000384/000001", LogDirectory::Checkpoint(384), 1),
            ("wbl/00000000", LogDirectory::OutOfOrder, 0),
        ] {
            let Worth::Wanted(Located { place: Place::InLog(segment), .. }) = look_at(path) else { panic!("{path}") };
            assert_eq!(segment, LogSegment { directory, number }, "{path}");
        }
    }

    #[test]
    fn whatever_else_names_nothing() {
        for path in [
            "data/small/2024_03/../../../../etc/passwd/index.bin",
            "data/small/2024_13/a/index.bin",
            "data/small/snapshots",
            "data/small/2024_03/a/b/index.bin",
            "data/small/2024_03/a/evil.sh",
            "data/small/2024_03/tmp/index.bin",
            "cache/metricID_tsid/index.bin",
            "indexdb/18ea4aa9218b92e2/a/index.bin",
            "flock.lock",
            "wal/1234567890",
            "wal/12.tmp",
            "wal/checkpoint.00000003.tmp/00000000",
            "chunks_head/000001",
            "",
        ] {
            assert_eq!(look_at(path), Worth::Ignored, "{path}");
        }
        assert_eq!(look_at("data/small/snapshots/20240101000000-1/2024_03/a/index.bin"), Worth::Spare);
        assert_eq!(look_at("data/small/2024_03/a/._index.bin"), Worth::Companion);
        assert_eq!(look_at("data/small/2024_03/a.must-remove.12/index.bin"), Worth::Leftover);
    }
}
