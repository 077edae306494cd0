//! What a series is called: a metric group and tags in canonical order, and their bytes in the index (index-format §3, §4).

use super::tsid::Tsid;
use crate::error::{Error, Result};
use std::cmp::Ordering;
use xxhash_rust::xxh64::xxh64;

/// The label that holds the metric group.
pub const NAME_LABEL: &[u8] = b"__name__";
/// Labels of one series; those behind are dropped. `__name__` counts and stays.
pub const MAX_LABELS: usize = 30;
/// Bytes of a label's key; longer ones are cut.
pub const MAX_KEY_LEN: usize = 256;
/// Bytes of a label's value; longer ones are cut.
pub const MAX_VALUE_LEN: usize = 16_384;

/// Ends an escaped string.
pub const TAG_SEPARATOR: u8 = 1;
/// Stands between a name and its TSID. In escaped strings it can't occur, as all of 0, 1 and 2 can't.
pub const KEY_VALUE_SEPARATOR: u8 = 2;
const ESCAPE: u8 = 0;

/// The name of a series. Equal series have equal names, since the tags are in canonical order.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MetricName {
    /// The value of `__name__`; may be empty.
    pub metric_group: Vec<u8>,
    /// The other labels, in canonical order: job-like ones, instance-like ones, then by key.
    pub tags: Vec<(Vec<u8>, Vec<u8>)>,
}

impl MetricName {
    /// The name of the series with these labels, whatever their order: empty values are left out, of labels with the same key the
    /// last one wins, and the limits on labels hold.
    pub fn from_labels<'a, K, V>(labels: impl IntoIterator<Item = (&'a K, &'a V)>) -> Self
    where
        K: AsRef<[u8]> + ?Sized + 'a,
        V: AsRef<[u8]> + ?Sized + 'a,
    {
        Self::from_labels_within_limits(labels).0
    }

    /// As [`MetricName::from_labels`], with the number of labels that were left out or shortened for the limits. Those that come
    /// last in canonical order are left out, so that it does not matter in which order they were given; the name never is.
    pub fn from_labels_within_limits<'a, K, V>(labels: impl IntoIterator<Item = (&'a K, &'a V)>) -> (Self, u64)
    where
        K: AsRef<[u8]> + ?Sized + 'a,
        V: AsRef<[u8]> + ?Sized + 'a,
    {
        let mut name = Self::default();
        for (key, value) in labels.into_iter().map(|(key, value)| (key.as_ref(), value.as_ref())) {
            match value {
                [] => {}
                value if key == NAME_LABEL || key.is_empty() => name.metric_group = value.to_vec(),
                value => name.tags.push((key.to_vec(), value.to_vec())),
            }
        }
        name.sort_tags();
        let allowed = MAX_LABELS - usize::from(!name.metric_group.is_empty());
        let mut cut = name.tags.len().saturating_sub(allowed) as u64;
        name.tags.truncate(allowed);
        let mut shorten = |text: &mut Vec<u8>, limit: usize| {
            let is_too_long = text.len() > limit;
            if is_too_long {
                text.truncate(limit);
                // The name is kept, and is not to keep what was cut.
                text.shrink_to_fit();
            }
            cut += u64::from(is_too_long);
            is_too_long
        };
        shorten(&mut name.metric_group, MAX_VALUE_LEN);
        let mut has_new_keys = false;
        for (key, value) in &mut name.tags {
            shorten(value, MAX_VALUE_LEN);
            has_new_keys |= shorten(key, MAX_KEY_LEN);
        }
        if has_new_keys {
            // Keys may have become equal, and a key that has become another one may belong elsewhere.
            name.sort_tags();
        }
        (name, cut)
    }

    /// Puts the tags in canonical order; of tags with the same key the last one stays.
    pub fn sort_tags(&mut self) {
        self.tags.sort_by(|a, b| compare_keys(&a.0, &b.0));
        // The later of two equal neighbours moves into the place that stays.
        self.tags.dedup_by(|later, earlier| {
            let is_same = later.0 == earlier.0;
            if is_same {
                std::mem::swap(later, earlier);
            }
            is_same
        });
    }

    /// Appends `esc(metricGroup) { esc(key) esc(value) }*`.
    pub fn marshal(&self, out: &mut Vec<u8>) {
        escape(&self.metric_group, out);
        for (key, value) in &self.tags {
            escape(key, out);
            escape(value, out);
        }
    }

    /// Reads a marshaled name, to its end.
    pub fn unmarshal(src: &[u8]) -> Result<Self> {
        let mut name = Self::default();
        let mut rest = unescape(src, &mut name.metric_group)?;
        while !rest.is_empty() {
            let (mut key, mut value) = (Vec::new(), Vec::new());
            rest = unescape(rest, &mut key)?;
            rest = unescape(rest, &mut value)?;
            name.tags.push((key, value));
        }
        Ok(name)
    }

    /// The labels, `__name__` first unless it is empty.
    pub fn labels(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        let group = (!self.metric_group.is_empty()).then_some((NAME_LABEL, &self.metric_group[..]));
        group.into_iter().chain(self.tags.iter().map(|(key, value)| (&key[..], &value[..])))
    }

    /// Whether there is no label at all.
    pub fn is_empty(&self) -> bool {
        self.metric_group.is_empty() && self.tags.is_empty()
    }

    /// The value of a label; empty when there is none. The empty key stands for `__name__`, as in the index.
    pub fn value(&self, key: &[u8]) -> &[u8] {
        if key.is_empty() || key == NAME_LABEL {
            return &self.metric_group;
        }
        self.tags.iter().find(|tag| tag.0 == key).map_or(&[], |tag| &tag.1)
    }

    /// The TSID of the series that gets the number `metric_id` (index-format §4).
    pub fn tsid(&self, metric_id: u64) -> Tsid {
        let low_hash = |at: usize| self.tags.get(at).map_or(0, |tag| xxh64(&tag.1, 0) as u32);
        Tsid { metric_group_id: xxh64(&self.metric_group, 0), job_id: low_hash(0), instance_id: low_hash(1), metric_id }
    }

    /// Bytes of memory it takes, roughly.
    pub fn memory_bytes(&self) -> usize {
        let tags: usize = self.tags.iter().map(|(key, value)| key.len() + value.len() + 2 * size_of::<Vec<u8>>()).sum();
        size_of::<Self>() + self.metric_group.len() + tags
    }
}

/// Appends `value` escaped, with the byte that ends it.
pub fn escape(value: &[u8], out: &mut Vec<u8>) {
    escape_open(value, out);
    out.push(TAG_SEPARATOR);
}

/// Appends `value` escaped, without the byte that ends it: the prefix of all escaped strings that begin so.
pub fn escape_open(value: &[u8], out: &mut Vec<u8>) {
    if value.iter().all(|&byte| byte > KEY_VALUE_SEPARATOR) {
        out.extend_from_slice(value);
        return;
    }
    for &byte in value {
        match byte {
            ESCAPE..=KEY_VALUE_SEPARATOR => out.extend_from_slice(&[ESCAPE, b'0' + byte]),
            _ => out.push(byte),
        }
    }
}

/// Appends what an escaped string at the front of `src` says, and returns what follows it.
pub fn unescape<'a>(src: &'a [u8], out: &mut Vec<u8>) -> Result<&'a [u8]> {
    let (mut escaped, rest) = split_escaped(src)?;
    while let Some(at) = escaped.iter().position(|&byte| byte == ESCAPE) {
        out.extend_from_slice(&escaped[..at]);
        match escaped.get(at + 1) {
            Some(&digit @ b'0'..=b'2') => out.push(digit - b'0'),
            other => return Err(Error::corrupt(format!("a 0 byte escapes '0', '1' or '2', found {other:?}"))),
        }
        escaped = &escaped[at + 2..];
    }
    out.extend_from_slice(escaped);
    Ok(rest)
}

/// Cuts an escaped string off the front, without the byte that ends it.
pub fn split_escaped(src: &[u8]) -> Result<(&[u8], &[u8])> {
    match src.iter().position(|&byte| byte == TAG_SEPARATOR) {
        Some(at) => Ok((&src[..at], &src[at + 1..])),
        None => Err(Error::corrupt(format!("an escaped string of {} bytes has no end", src.len()))),
    }
}

/// Keys that go before all others: they tell a job, or an instance, and so bring related series together on disk. The number
/// is the last two bytes of the sort key.
const SORT_KEYS: [(&str, u16); 24] = [
    ("namespace", 0x0000),
    ("ns", 0x0001),
    ("datacenter", 0x0008),
    ("dc", 0x0009),
    ("environment", 0x000c),
    ("env", 0x000d),
    ("cluster", 0x0010),
    ("service", 0x0018),
    ("job", 0x0020),
    ("model", 0x0028),
    ("type", 0x0030),
    ("sensor_type", 0x0038),
    ("db", 0x0040),
    ("instance", 0x0100),
    ("host", 0x0108),
    ("server", 0x0110),
    ("pod", 0x0118),
    ("node", 0x0120),
    ("device", 0x0128),
    ("tenant", 0x0130),
    ("client", 0x0138),
    ("name", 0x0140),
    ("measurement", 0x0148),
    ("SensorType", 0x0038),
];

/// The place of a key that is in the table; such keys may also begin with an upper-case letter.
fn sort_key(key: &[u8]) -> Option<[u8; 3]> {
    if !(2..=11).contains(&key.len()) {
        return None;
    }
    let matches = |name: &str| {
        let name = name.as_bytes();
        name.len() == key.len()
            && name[1..] == key[1..]
            && (name[0] == key[0] || (name[0].is_ascii_lowercase() && name[0].to_ascii_uppercase() == key[0]))
    };
    let (_, rank) = SORT_KEYS.iter().find(|(name, _)| matches(name))?;
    let [class, place] = rank.to_be_bytes();
    Some([0, class, place])
}

fn compare_keys(a: &[u8], b: &[u8]) -> Ordering {
    let (key_a, key_b) = (sort_key(a), sort_key(b));
    key_a.as_ref().map_or(a, |key| &key[..]).cmp(key_b.as_ref().map_or(b, |key| &key[..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_limited_and_sorted() {
        let long = "v".repeat(MAX_VALUE_LEN + 1);
        let mut labels =
            vec![("zone", "z"), ("Instance", "i"), ("empty", ""), ("__name__", "m"), ("job", "a"), ("job", "b")];
        labels.push(("long", &long));
        let name = MetricName::from_labels(labels.iter().map(|&(key, value)| (key, value)));
        let keys: Vec<_> = name.tags.iter().map(|tag| str::from_utf8(&tag.0).unwrap()).collect();
        assert_eq!(keys, ["job", "Instance", "long", "zone"]);
        assert_eq!(
            (name.value(b"job"), name.value(b"__name__"), name.value(b"none")),
            (&b"b"[..], &b"m"[..], &b""[..])
        );
        assert_eq!(name.value(b"long").len(), MAX_VALUE_LEN);
        let many: Vec<_> = (0..100).map(|i| (format!("k{i:03}"), "v")).collect();
        let name = MetricName::from_labels(many.iter().map(|(key, value)| (key, *value)));
        assert_eq!((name.tags.len(), &name.tags[29].0[..]), (30, &b"k029"[..]));
    }

    #[test]
    fn the_order_of_labels_does_not_count_and_the_name_stays() {
        let mut labels: Vec<(String, String)> = (0..40).map(|i| (format!("k{i:02}"), "v".into())).collect();
        labels.extend([("__name__".into(), "wide".into()), ("job".into(), "app".into())]);
        let read = |labels: &[(String, String)]| {
            MetricName::from_labels_within_limits(labels.iter().map(|(key, value)| (key, value)))
        };
        let (name, cut) = read(&labels);
        assert_eq!((&name.metric_group[..], name.value(b"job"), cut), (&b"wide"[..], &b"app"[..], 12));
        assert_eq!((name.tags.len(), name.value(b"k27"), name.value(b"k28")), (29, &b"v"[..], &b""[..]));
        for turn in 1..labels.len() {
            labels.rotate_left(1);
            assert_eq!(read(&labels), (name.clone(), cut), "turned {turn} times");
        }
    }

    #[test]
    fn what_is_shortened_is_counted() {
        let (long_key, long_value) = ("k".repeat(MAX_KEY_LEN + 1), "v".repeat(MAX_VALUE_LEN + 1));
        let labels = [("__name__", &long_value[..]), (&long_key[..], "a"), ("b", &long_value[..]), ("c", "short")];
        let (name, cut) = MetricName::from_labels_within_limits(labels);
        assert_eq!((cut, name.tags.len(), name.metric_group.len()), (3, 3, MAX_VALUE_LEN));
        let name = MetricName::from_labels([("__name__", &"m".repeat(1 << 20)[..])]);
        assert!(name.metric_group.capacity() <= 2 * MAX_VALUE_LEN, "{}", name.metric_group.capacity());
        // Keys that become equal become one label.
        let longer = format!("{long_key}l");
        let (name, _) = MetricName::from_labels_within_limits([(&long_key[..], "a"), (&longer[..], "b")]);
        assert_eq!(name.tags.len(), 1);
    }

    #[test]
    fn names_come_back_and_damaged_ones_are_refused() {
        let name = MetricName::from_labels([("__name__", "a\0b\u{1}c\u{2}"), ("k\u{1}", "\0\0"), ("plain", "text")]);
        let mut bytes = Vec::new();
        name.marshal(&mut bytes);
        assert_eq!(MetricName::unmarshal(&bytes), Ok(name));
        for bad in [&b""[..], b"abc", b"a\x01b\x01", b"\x00\x33\x01", b"\x00\x01", b"a\x01k\x01v"] {
            assert!(MetricName::unmarshal(bad).is_err(), "{bad:?}");
        }
    }
}
