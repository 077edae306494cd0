//! What the index holds: items whose first byte tells their kind (index-format §5).
//!
//! ```text
//! 00 name 02 tsid                          name -> TSID
//! 01 esc(key) esc(value) metricID+         tag -> metric ids, for all days
//! 02 metricID tsid                         metric id -> TSID
//! 03 metricID name                         metric id -> name
//! 04 metricID                              a deleted series
//! 05 date metricID                         a series with samples on a day
//! 06 date esc(key) esc(value) metricID+    tag -> metric ids, for one day
//! ```
//!
//! Numbers are eight bytes, big-endian. Rows of kinds 01 and 06 name the metric group by the empty key, a group with dots once
//! more reversed under the key `ff`, and each tag once more under a composite key `fe varuint(|group|) group key`.

use crate::encoding::int::{put_u64, put_varuint, take_u64};
use crate::error::{Error, Result};
use crate::metric::name::{KEY_VALUE_SEPARATOR, MetricName, escape, escape_open, split_escaped};
use crate::metric::tsid::Tsid;

/// Name to TSID.
pub const NAME_TO_TSID: u8 = 0;
/// Tag to metric ids, for all days.
pub const TAG_TO_METRIC_IDS: u8 = 1;
/// Metric id to TSID.
pub const METRIC_ID_TO_TSID: u8 = 2;
/// Metric id to name.
pub const METRIC_ID_TO_NAME: u8 = 3;
/// A deleted series.
pub const DELETED_METRIC_ID: u8 = 4;
/// A series with samples on a day.
pub const DATE_TO_METRIC_ID: u8 = 5;
/// Tag to metric ids, for one day.
pub const DATE_TAG_TO_METRIC_IDS: u8 = 6;

/// The key under which a metric group with dots stands reversed.
pub const REVERSED_GROUP_KEY: &[u8] = &[0xff];
/// First byte of a composite key.
const COMPOSITE_KEY: u8 = 0xfe;

/// The key that stands for a tag of series of one metric group.
pub fn composite_key(group: &[u8], key: &[u8]) -> Vec<u8> {
    let mut composite = vec![COMPOSITE_KEY];
    put_varuint(&mut composite, group.len() as u64);
    composite.extend_from_slice(group);
    composite.extend_from_slice(key);
    composite
}

/// Whether a key of a tag row is one of those that the index makes up: composite and reversed ones.
pub fn is_artificial_key(key: &[u8]) -> bool {
    matches!(key.first(), Some(&COMPOSITE_KEY)) || key == REVERSED_GROUP_KEY
}

/// What keys begin with that follow all artificial ones of this one's kind.
pub fn behind_composite_keys(artificial_key: &[u8]) -> &'static [u8] {
    if artificial_key.first() == Some(&COMPOSITE_KEY) { REVERSED_GROUP_KEY } else { &[0xff, 2] }
}

/// Hands the items of a new series to `add`, in the order that a crash may cut short: 00, 03, 02, then the 01 rows.
pub fn series_items(name: &MetricName, tsid: &Tsid, mut add: impl FnMut(&[u8])) {
    let mut marshaled = Vec::new();
    name.marshal(&mut marshaled);
    let mut item = Vec::with_capacity(marshaled.len() + 64);
    name_prefix(&marshaled, &mut item);
    tsid.marshal(&mut item);
    add(&item);
    metric_id_item(METRIC_ID_TO_NAME, tsid.metric_id, &mut item);
    item.extend_from_slice(&marshaled);
    add(&item);
    metric_id_item(METRIC_ID_TO_TSID, tsid.metric_id, &mut item);
    tsid.marshal(&mut item);
    add(&item);
    tag_rows(name, tsid.metric_id, &[TAG_TO_METRIC_IDS], &mut item, &mut add);
}

/// Hands the items of a series' first sample on `date` to `add`: 05, then the 06 rows.
pub fn date_items(date: u64, metric_id: u64, name: &MetricName, mut add: impl FnMut(&[u8])) {
    let mut item = date_prefix(date);
    put_u64(&mut item, metric_id);
    add(&item);
    let mut prefix = vec![DATE_TAG_TO_METRIC_IDS];
    put_u64(&mut prefix, date);
    tag_rows(name, metric_id, &prefix, &mut item, &mut add);
}

/// A tag row for each way in which a series can be looked for.
fn tag_rows(name: &MetricName, metric_id: u64, prefix: &[u8], item: &mut Vec<u8>, add: &mut impl FnMut(&[u8])) {
    let mut row = |key: &[u8], value: &[u8]| {
        item.clear();
        item.extend_from_slice(prefix);
        escape(key, item);
        escape(value, item);
        put_u64(item, metric_id);
        add(item);
    };
    let group = &name.metric_group[..];
    row(b"", group);
    if group.contains(&b'.') {
        let reversed: Vec<u8> = group.iter().rev().copied().collect();
        row(REVERSED_GROUP_KEY, &reversed);
    }
    for (key, value) in &name.tags {
        row(key, value);
    }
    for (key, value) in &name.tags {
        row(&composite_key(group, key), value);
    }
}

/// What all 00 items of a name begin with: the TSID follows.
pub fn name_prefix(marshaled_name: &[u8], item: &mut Vec<u8>) {
    item.clear();
    item.push(NAME_TO_TSID);
    item.extend_from_slice(marshaled_name);
    item.push(KEY_VALUE_SEPARATOR);
}

/// A kind and a metric id: an 04 item, or what 02 and 03 items begin with.
pub fn metric_id_item(kind: u8, metric_id: u64, item: &mut Vec<u8>) {
    item.clear();
    item.push(kind);
    put_u64(item, metric_id);
}

/// What all 05 items of a day begin with: the metric id follows.
pub fn date_prefix(date: u64) -> Vec<u8> {
    let mut prefix = vec![DATE_TO_METRIC_ID];
    put_u64(&mut prefix, date);
    prefix
}

/// What all tag rows of a key begin with, of all days or of one.
pub fn tag_key_prefix(date: Option<u64>, key: &[u8]) -> Vec<u8> {
    let mut prefix = match date {
        Some(date) => {
            let mut prefix = vec![DATE_TAG_TO_METRIC_IDS];
            put_u64(&mut prefix, date);
            prefix
        }
        None => vec![TAG_TO_METRIC_IDS],
    };
    escape(key, &mut prefix);
    prefix
}

/// What all tag rows of a key and a value begin with: metric ids follow.
pub fn tag_value_prefix(date: Option<u64>, key: &[u8], value: &[u8]) -> Vec<u8> {
    let mut prefix = tag_key_prefix(date, key);
    escape(value, &mut prefix);
    prefix
}

/// What all tag rows of a key and values that begin with `value_start` begin with.
pub fn tag_value_start_prefix(date: Option<u64>, key: &[u8], value_start: &[u8]) -> Vec<u8> {
    let mut prefix = tag_key_prefix(date, key);
    escape_open(value_start, &mut prefix);
    prefix
}

/// The TSID at the end of a 00 item that begins with a name's prefix.
///
/// # Errors
/// `Corrupt` when it is not exactly a TSID.
pub fn tsid_behind(item: &[u8], prefix_len: usize) -> Result<Tsid> {
    let bytes = item.get(prefix_len..).unwrap_or_default();
    let (tsid, rest) = Tsid::unmarshal(bytes)?;
    if rest.is_empty() {
        Ok(tsid)
    } else {
        Err(Error::corrupt(format!("{} bytes follow a TSID in an index item", rest.len())))
    }
}

/// Metric id and content of an 02, 03 or 04 item.
///
/// # Errors
/// `Corrupt` when the item is too short.
pub fn parse_metric_id_item(item: &[u8]) -> Result<(u64, &[u8])> {
    take_u64(item.get(1..).unwrap_or_default())
}

/// Date and metric id of an 05 item.
///
/// # Errors
/// `Corrupt` when the item has another length.
pub fn parse_date_item(item: &[u8]) -> Result<(u64, u64)> {
    let (date, rest) = take_u64(item.get(1..).unwrap_or_default())?;
    let (metric_id, rest) = take_u64(rest)?;
    if rest.is_empty() {
        Ok((date, metric_id))
    } else {
        Err(Error::corrupt(format!("{} bytes follow a date item", rest.len())))
    }
}

/// A tag row taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TagRow<'a> {
    /// Kind, date and tag: all in front of the metric ids.
    pub prefix: &'a [u8],
    /// The key, escaped.
    pub escaped_key: &'a [u8],
    /// The value, escaped.
    pub escaped_value: &'a [u8],
    metric_ids: &'a [u8],
}

impl<'a> TagRow<'a> {
    /// Takes a row of kind 01 or 06 apart.
    ///
    /// # Errors
    /// `Corrupt` when the tag has no end or the metric ids are not one or more whole numbers.
    pub fn parse(item: &'a [u8]) -> Result<Self> {
        let tag_start = match item.first() {
            Some(&TAG_TO_METRIC_IDS) => 1,
            Some(&DATE_TAG_TO_METRIC_IDS) => 9,
            first => return Err(Error::corrupt(format!("a tag row begins with 01 or 06, found {first:02x?}"))),
        };
        let tag = item
            .get(tag_start..)
            .ok_or_else(|| Error::corrupt(format!("a tag row of {} bytes has no date", item.len())))?;
        let (escaped_key, rest) = split_escaped(tag)?;
        let (escaped_value, metric_ids) = split_escaped(rest)?;
        if metric_ids.is_empty() || metric_ids.len() % 8 != 0 {
            return Err(Error::corrupt(format!(
                "a tag row ends with {} bytes of metric ids, expected a multiple of 8",
                metric_ids.len()
            )));
        }
        Ok(Self { prefix: &item[..item.len() - metric_ids.len()], escaped_key, escaped_value, metric_ids })
    }

    /// How many metric ids the row has, repeated ones counted.
    pub fn metric_id_count(&self) -> usize {
        self.metric_ids.len() / 8
    }

    /// The metric ids in the row's order.
    pub fn metric_ids(&self) -> impl Iterator<Item = u64> + 'a {
        self.metric_ids.as_chunks::<8>().0.iter().map(|bytes| u64::from_be_bytes(*bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_taken_apart_and_damaged_ones_are_refused() {
        let mut item = tag_value_prefix(Some(7), b"job", b"a\x01b");
        let prefix_len = item.len();
        put_u64(&mut item, 3);
        put_u64(&mut item, 9);
        let row = TagRow::parse(&item).unwrap();
        assert_eq!((row.prefix.len(), row.escaped_key, row.escaped_value), (prefix_len, &b"job"[..], &b"a\x001b"[..]));
        assert!(row.metric_ids().eq([3, 9]));
        for cut in [0, 1, 5, 12, prefix_len, prefix_len + 3] {
            assert!(TagRow::parse(&item[..cut]).is_err(), "{cut}");
        }
        assert!(TagRow::parse(b"\x05abc").is_err());
        assert!(
            tsid_behind(&item, item.len() + 5).is_err()
                && parse_metric_id_item(b"").is_err()
                && parse_date_item(&item).is_err()
        );
    }
}
