//! What is known of a part as a whole, and the directory name that says it (part-format §8).

use crate::error::{Error, Result};
use crate::time::{
    MAX_TIMESTAMP_MS, TimeRange, TimestampMs, format_go_duration, format_part_timestamp, parse_duration_ms,
    parse_part_timestamp,
};
use serde::{Deserialize, Serialize};

/// Counts and bounds of a part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PartHeader {
    /// Samples in all blocks.
    pub rows: u64,
    /// Number of blocks.
    pub blocks: u64,
    /// The first timestamp of all blocks.
    pub min_timestamp: TimestampMs,
    /// The last timestamp of all blocks.
    pub max_timestamp: TimestampMs,
    /// The de-duplication interval of the merge that wrote the part; 0 when there was none.
    pub min_dedup_interval_ms: i64,
}

/// `metadata.json` as it is written.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Metadata {
    rows_count: u64,
    blocks_count: u64,
    min_timestamp: TimestampMs,
    max_timestamp: TimestampMs,
    min_dedup_interval: Option<i64>,
}

impl PartHeader {
    /// From the first to the last timestamp.
    pub fn range(&self) -> TimeRange {
        TimeRange { min: self.min_timestamp, max: self.max_timestamp }
    }

    /// The directory name up to v1.89: `<rows>_<blocks>_<min>_<max>_<suffix>` (part-format §8.1).
    pub fn dir_name(&self, suffix: u64) -> String {
        format!(
            "{}_{}_{}_{}_{suffix:016X}",
            self.rows,
            self.blocks,
            format_part_timestamp(self.min_timestamp),
            format_part_timestamp(self.max_timestamp)
        )
    }

    /// Reads a directory name up to v1.89; the de-duplication interval is not in it and left at 0. The suffix comes with it
    /// when it is the usual hexadecimal number: it only has to be there.
    ///
    /// # Errors
    /// `Corrupt` when the name has another form or breaks a rule of part-format §8.1.
    pub fn parse_dir_name(name: &str) -> Result<(Self, Option<u64>)> {
        let fail = |why: &str| {
            Error::corrupt(format!("{name:?} is no part's name, i.e. <rows>_<blocks>_<min>_<max>_<suffix>: {why}"))
        };
        let fields: Vec<&str> = name.split('_').collect();
        let [rows, blocks, min, max, suffix] = fields[..] else { return Err(fail("it has not five fields")) };
        let count = |text: &str| text.parse::<u64>().map_err(|_| fail("a count is no number"));
        let timestamp = |text: &str| parse_part_timestamp(text).ok_or_else(|| fail("a timestamp can't be read"));
        let header = Self {
            rows: count(rows)?,
            blocks: count(blocks)?,
            min_timestamp: timestamp(min)?,
            max_timestamp: timestamp(max)?,
            min_dedup_interval_ms: 0,
        };
        header.validate().map_err(|error| fail(error.message()))?;
        Ok((header, u64::from_str_radix(suffix, 16).ok()))
    }

    /// Checks what a part's description must fulfil (part-format §8.1).
    pub fn validate(&self) -> Result<()> {
        let Self { rows, blocks, min_timestamp: min, max_timestamp: max, .. } = self;
        if min > max {
            return Err(Error::corrupt(format!("a part's first timestamp {min} is behind its last {max}")));
        }
        if *rows == 0 || *blocks == 0 || blocks > rows {
            return Err(Error::corrupt(format!("{rows} rows can't lie in {blocks} blocks")));
        }
        if self.min_dedup_interval_ms < 0 {
            return Err(Error::corrupt(format!(
                "a de-duplication interval of {} ms is negative",
                self.min_dedup_interval_ms
            )));
        }
        Ok(())
    }

    /// Reads `metadata.json`, by which parts are described since v1.90 (part-format §8.2).
    ///
    /// # Errors
    /// `Corrupt` when it can't be read or its counts make no sense.
    pub fn parse_metadata(text: &[u8]) -> Result<Self> {
        let metadata: Metadata = serde_json::from_slice(text)
            .map_err(|error| Error::corrupt(format!("metadata.json can't be read: {error}")))?;
        for timestamp in [metadata.min_timestamp, metadata.max_timestamp] {
            if !(0..=MAX_TIMESTAMP_MS).contains(&timestamp) {
                return Err(Error::corrupt(format!("metadata.json: the timestamp {timestamp} is beyond all bounds")));
            }
        }
        let header = Self {
            rows: metadata.rows_count,
            blocks: metadata.blocks_count,
            min_timestamp: metadata.min_timestamp,
            max_timestamp: metadata.max_timestamp,
            min_dedup_interval_ms: metadata.min_dedup_interval.unwrap_or(0),
        };
        header.validate().map_err(|error| error.at("metadata.json"))?;
        Ok(header)
    }

    /// The content of `metadata.json`.
    pub fn metadata_json(&self) -> String {
        let metadata = Metadata {
            rows_count: self.rows,
            blocks_count: self.blocks,
            min_timestamp: self.min_timestamp,
            max_timestamp: self.max_timestamp,
            min_dedup_interval: Some(self.min_dedup_interval_ms),
        };
        serde_json::to_string(&metadata).expect("numbers alone")
    }

    /// The content of `min_dedup_interval`.
    pub fn min_dedup_interval_text(&self) -> String {
        format_go_duration(self.min_dedup_interval_ms)
    }

    /// Reads the content of `min_dedup_interval`.
    pub fn parse_min_dedup_interval(text: &[u8]) -> Result<i64> {
        let text = std::str::from_utf8(text)
            .map_err(|_| Error::corrupt("min_dedup_interval is a duration such as 30s, found binary data"))?;
        parse_duration_ms(text).map_err(|error| Error::corrupt(error.message()).at("min_dedup_interval"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bad_names_are_refused() {
        let good = "1494_23_20191231235230.012_20191231235945.908_18EA49F6C41E3204";
        let (header, suffix) = PartHeader::parse_dir_name(good).unwrap();
        assert_eq!(suffix, Some(0x18EA_49F6_C41E_3204));
        assert_eq!(header.dir_name(0x18EA_49F6_C41E_3204), good);
        for bad in [
            "",
            "tmp",
            "18EA49F6C41E3204",
            "0_0_20191231235230.012_20191231235945.908_1",
            "1_2_20191231235230.012_20191231235945.908_1",
            "2_1_20191231235945.908_20191231235230.012_1",
            "2_1_20191231235230.012_20191231235945.908",
            "2_1_20191231235230.012_20191231235945.908_1_1",
            "-2_1_20191231235230.012_20191231235945.908_1",
        ] {
            assert!(PartHeader::parse_dir_name(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_deduplication_interval_is_a_go_duration() {
        let (mut header, _) =
            PartHeader::parse_dir_name("12_3_20191231235230.012_20191231235945.908_18EA49F6C41E3204").unwrap();
        header.min_dedup_interval_ms = 1000;
        assert_eq!(header.min_dedup_interval_text(), "1s");
        assert_eq!(PartHeader::parse_min_dedup_interval(b"1s"), Ok(1000));
    }
}
