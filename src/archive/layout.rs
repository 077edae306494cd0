//! A snapshot in the layout of newer servers: the same bytes below other names, with lists of the parts and their descriptions
//! (part-format §8.2, data-dir-layout §2 and §3).

use super::place::{Place, Role, TableId, Worth, look_at};
use super::plan::suffix_of;
use crate::collections::sorted_map::SortedMap;
use crate::error::{Error, Result};
use crate::part::{METADATA_FILE, MIN_DEDUP_INTERVAL_FILE, PartHeader};

/// Which servers' layout.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Layout {
    /// The engine's own, which servers from v1.72 up to v1.150 open.
    #[default]
    V1_72,
    /// For servers from v1.90 on.
    V1_93,
    /// For servers from v1.133 on, which find the index of all months beside one of each month that is still empty, as after an upgrade.
    V1_150,
}

impl Layout {
    /// Reads a name such as `v1.93`.
    ///
    /// # Errors
    /// `Invalid` for any other.
    pub fn parse(name: &str) -> Result<Self> {
        match name {
            "v1.72" => Ok(Self::V1_72),
            "v1.93" => Ok(Self::V1_93),
            "v1.150" => Ok(Self::V1_150),
            _ => Err(Error::invalid(format!("there is no layout {name:?}; write \"v1.72\", \"v1.93\" or \"v1.150\""))),
        }
    }
}

/// Where a file of a snapshot goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// It keeps its bytes.
    Moved(String),
    /// It is not there in this layout.
    Absent,
}

/// Files that are made for a layout, by path.
pub type MadeFiles = Vec<(String, Vec<u8>)>;

/// Puts a snapshot's files into a newer layout.
#[derive(Debug, Default)]
pub struct Rearrangement {
    /// Names of the parts in each directory of parts.
    lists: SortedMap<TableId, Vec<String>>,
    made: MadeFiles,
}

impl Rearrangement {
    /// Where the file at `path` of our own layout goes. `min_dedup_interval_ms` is that of the part, when the file is its metaindex.
    ///
    /// # Errors
    /// `Corrupt` for a part whose name says nothing of it.
    pub fn place(&mut self, path: &str, min_dedup_interval_ms: i64) -> Result<Target> {
        let Worth::Wanted(located) = look_at(path) else {
            // The mark of old index tables, for one.
            return Ok(Target::Absent);
        };
        let Place::InTable(table, Role::OfPart(name, file)) = located.place else {
            return Ok(Target::Moved(path.into()));
        };
        let is_index = table.is_index();
        if !is_index && matches!(file, MIN_DEDUP_INTERVAL_FILE | METADATA_FILE) {
            return Ok(Target::Absent);
        }
        let new_name = format!("{:016X}", suffix_of(name.rsplit('_').next().unwrap_or(name)));
        if file == "metaindex.bin" {
            self.lists.get_or_insert_with(table, Vec::new).push(new_name.clone());
            if !is_index {
                let (header, _) = PartHeader::parse_dir_name(name).map_err(|error| error.at(path))?;
                let header = PartHeader { min_dedup_interval_ms, ..header };
                let described = format!("{}/{new_name}/{METADATA_FILE}", table.dir());
                self.made.push((described, header.metadata_json().into()));
            }
        }
        Ok(Target::Moved(format!("{}/{new_name}/{file}", table.dir())))
    }

    /// A generation of the index that may have no parts.
    pub fn generation(&mut self, generation: u64) {
        self.lists.get_or_insert_with(TableId::Generation(generation), Vec::new);
    }

    /// All files were placed: those that are made.
    pub fn finish(mut self, layout: Layout) -> MadeFiles {
        let names = |names: Option<&Vec<String>>| {
            let mut names = names.cloned().unwrap_or_default();
            names.sort();
            names
        };
        for (table, parts) in &self.lists {
            match *table {
                // One list for both classes, beside the small parts.
                TableId::Small(month) | TableId::Big(month) => {
                    if *table == TableId::Big(month) && self.lists.contains_key(&TableId::Small(month)) {
                        continue;
                    }
                    let small = json(&names(self.lists.get(&TableId::Small(month))));
                    let big = json(&names(self.lists.get(&TableId::Big(month))));
                    let list = format!("{{\"Small\":{small},\"Big\":{big}}}");
                    self.made.push((format!("data/small/{month}/parts.json"), list.into()));
                    if layout == Layout::V1_150 {
                        self.made.push((format!("data/indexdb/{month}/parts.json"), b"[]".to_vec()));
                    }
                }
                TableId::MonthIndex(_) | TableId::Generation(_) => {
                    self.made.push((format!("{}/parts.json", table.dir()), json(&names(Some(parts))).into()));
                }
            }
        }
        self.made
    }
}

/// Names of parts need no escapes.
fn json(names: &[String]) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("\"{name}\"")).collect();
    format!("[{}]", quoted.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_get_new_names_and_lists() {
        let mut rearrangement = Rearrangement::default();
        let part = "data/small/2024_03/12_3_20240309160000.000_20240309160200.001_18EA4AA891B8650A";
        let moved = |path: &str| Target::Moved(path.into());
        assert_eq!(
            rearrangement.place(&format!("{part}/metaindex.bin"), 30_000),
            Ok(moved("data/small/2024_03/18EA4AA891B8650A/metaindex.bin"))
        );
        assert_eq!(rearrangement.place(&format!("{part}/min_dedup_interval"), 0), Ok(Target::Absent));
        let index = "indexdb/18EA4AA884B4239C/40_1_18EA4AA889CA6B26";
        assert_eq!(
            rearrangement.place(&format!("{index}/metaindex.bin"), 0),
            Ok(moved("indexdb/18EA4AA884B4239C/18EA4AA889CA6B26/metaindex.bin"))
        );
        assert_eq!(
            rearrangement.place(&format!("{index}/metadata.json"), 0),
            Ok(moved("indexdb/18EA4AA884B4239C/18EA4AA889CA6B26/metadata.json"))
        );
        rearrangement.generation(0x18EA_4AA8_84B4_239B);
        let made: SortedMap<String, String> = rearrangement
            .finish(Layout::V1_150)
            .into_iter()
            .map(|(path, content)| (path, String::from_utf8(content).unwrap()))
            .collect();
        let content = |path: &str| made.get(path).map(String::as_str);
        assert_eq!(
            content("data/small/2024_03/18EA4AA891B8650A/metadata.json"),
            Some(
                r#"{"RowsCount":12,"BlocksCount":3,"MinTimestamp":1710000000000,"MaxTimestamp":1710000120001,"MinDedupInterval":30000}"#
            )
        );
        assert_eq!(content("data/small/2024_03/parts.json"), Some(r#"{"Small":["18EA4AA891B8650A"],"Big":[]}"#));
        assert_eq!(content("data/indexdb/2024_03/parts.json"), Some("[]"));
        assert_eq!(content("indexdb/18EA4AA884B4239C/parts.json"), Some(r#"["18EA4AA889CA6B26"]"#));
        assert_eq!(content("indexdb/18EA4AA884B4239B/parts.json"), Some("[]"));
        assert_eq!(made.len(), 5);
    }
}
