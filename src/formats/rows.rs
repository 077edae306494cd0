//! Where the rows of all formats go: a series is looked up by the bytes that name it in a body, and its labels are only worked out
//! when these bytes are met for the first time.

use crate::error::{Error, ErrorKind, Result};

/// The most bytes that the labels of one record take.
pub(super) const MAX_LABEL_BYTES: usize = 1 << 20;

/// The most bytes that are looked up for the series of one line, each of which repeats the line's labels.
const MAX_LINE_KEY_BYTES: usize = 64 << 20;

/// How many bytes are looked up for each byte of a message; in all, so many more are free.
const LOOKED_UP_PER_BYTE: u64 = 1024;
const FREE_LOOKED_UP_BYTES: u64 = 64 << 20;

/// Checks that the labels of a record are no longer than any that are meant to be found again.
///
/// # Errors
/// `Limit` when they are.
#[inline]
pub(super) fn check_label_bytes(bytes: usize) -> Result<()> {
    if bytes > MAX_LABEL_BYTES { Err(too_many_label_bytes()) } else { Ok(()) }
}

#[cold]
fn too_many_label_bytes() -> Error {
    let most = MAX_LABEL_BYTES >> 20;
    Error::new(ErrorKind::Limit, format!("the labels of a record take more than {most} MiB"))
}

/// Checks that a line's labels are not repeated for too many series.
///
/// # Errors
/// `Limit` when they are.
#[inline]
pub(super) fn check_line(label_bytes: usize, series: usize) -> Result<()> {
    if label_bytes.saturating_mul(series) <= MAX_LINE_KEY_BYTES {
        return Ok(());
    }
    let most = MAX_LINE_KEY_BYTES >> 20;
    let message =
        format!("{label_bytes} bytes of labels for {series} values of a line are more than {most} MiB together");
    Err(Error::new(ErrorKind::Limit, message))
}

/// Bounds the work for a message in which few bytes may name many samples of long labels.
#[derive(Debug, Default)]
pub(super) struct Budget(u64);

impl Budget {
    /// For a message of so many bytes.
    pub(super) fn of_message(bytes: usize) -> Self {
        Self(bytes as u64 * LOOKED_UP_PER_BYTE + FREE_LOOKED_UP_BYTES)
    }

    /// Takes the bytes that a series is looked up by.
    ///
    /// # Errors
    /// `Limit` when there are not so many left.
    #[inline]
    pub(super) fn spend(&mut self, bytes: usize) -> Result<()> {
        match self.0.checked_sub(bytes as u64) {
            Some(left) => {
                self.0 = left;
                Ok(())
            }
            None => Err(over_budget()),
        }
    }
}

#[cold]
fn over_budget() -> Error {
    let message =
        format!("the labels of all samples take more than {LOOKED_UP_PER_BYTE} times the bytes of the message");
    Error::new(ErrorKind::Limit, message)
}

/// Takes the rows of a body.
pub trait RowSink {
    /// The number of the series that these bytes stood for before.
    fn known(&mut self, key: &[u8]) -> Option<u32>;

    /// The number of the series with these labels, for which the bytes stand from now on. Of labels with the same name the last
    /// one counts.
    ///
    /// # Errors
    /// `Invalid` when these labels name no series; the record they stand in is refused then.
    fn learn(&mut self, key: &[u8], labels: &Labels) -> Result<u32>;

    /// Takes one sample.
    fn sample(&mut self, series: u32, timestamp: i64, value: f64);

    /// Takes samples of one series; the columns have one length.
    fn samples(&mut self, series: u32, timestamps: &[i64], values: &[f64]);
}

/// Names and values of labels, in one buffer that is used again and again.
#[derive(Clone, Debug, Default)]
pub struct Labels {
    bytes: Vec<u8>,
    /// For each label where its name and its value end.
    ends: Vec<[usize; 2]>,
}

impl Labels {
    /// Removes all labels.
    pub fn clear(&mut self) {
        self.truncate(0);
    }

    /// Number of labels.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// About how many bytes they take, many short ones included.
    pub(super) fn size_bytes(&self) -> usize {
        self.bytes.len() + size_of::<[u32; 2]>() * self.ends.len()
    }

    /// Keeps the first `len` labels.
    pub fn truncate(&mut self, len: usize) {
        self.ends.truncate(len);
        self.bytes.truncate(self.ends.last().map_or(0, |[_, end]| *end));
    }

    /// Adds a label.
    pub fn push(&mut self, name: &[u8], value: &[u8]) {
        self.push_with(|out| out.extend_from_slice(name), |out| out.extend_from_slice(value));
    }

    /// Adds a label whose name and value are appended by these.
    pub fn push_with(&mut self, name: impl FnOnce(&mut Vec<u8>), value: impl FnOnce(&mut Vec<u8>)) {
        name(&mut self.bytes);
        let name_end = self.bytes.len();
        value(&mut self.bytes);
        self.ends.push([name_end, self.bytes.len()]);
    }

    /// Appends bytes that no other labels give.
    pub fn append_key(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&(self.ends.len() as u32).to_le_bytes());
        self.ends.as_flattened().iter().for_each(|end| out.extend_from_slice(&(*end as u32).to_le_bytes()));
        out.extend_from_slice(&self.bytes);
    }

    /// Names and values in the order in which they were added.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        let starts = std::iter::once(0).chain(self.ends.iter().map(|[_, end]| *end));
        starts.zip(&self.ends).map(|(start, &[name, value])| (&self.bytes[start..name], &self.bytes[name..value]))
    }
}

/// Series are looked up by bytes that begin so: a line feed, which no text of a line holds, and a letter for the format. So the
/// bytes of one format never stand for what those of another do.
pub(super) fn begin_key(key: &mut Vec<u8>, format: u8) {
    key.clear();
    key.extend_from_slice(&[b'\n', format]);
}

/// Appends bytes with their length, so that what follows can't be taken for a part of them.
pub(super) fn put_counted(key: &mut Vec<u8>, bytes: &[u8]) {
    key.extend_from_slice(&(bytes.len() as u32).to_le_bytes());
    key.extend_from_slice(bytes);
}

/// The series that `key` stands for; `fill` puts its labels down when it is new.
///
/// # Errors
/// What `fill` and the sink say.
#[inline]
pub(super) fn series_of(
    sink: &mut dyn RowSink,
    key: &[u8],
    labels: &mut Labels,
    fill: impl FnOnce(&mut Labels) -> Result<()>,
) -> Result<u32> {
    if let Some(series) = sink.known(key) {
        return Ok(series);
    }
    labels.clear();
    fill(labels)?;
    sink.learn(key, labels)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::metric::name::MetricName;
    use std::collections::{BTreeMap, HashMap};

    /// Counts samples, and keeps nothing.
    pub(crate) struct Counted(pub(crate) usize);

    impl RowSink for Counted {
        fn known(&mut self, _key: &[u8]) -> Option<u32> {
            None
        }

        fn learn(&mut self, _key: &[u8], _labels: &Labels) -> Result<u32> {
            Ok(0)
        }

        fn sample(&mut self, _series: u32, _timestamp: i64, _value: f64) {
            self.0 += 1;
        }

        fn samples(&mut self, _series: u32, timestamps: &[i64], _values: &[f64]) {
            self.0 += timestamps.len();
        }
    }

    /// Keeps samples by series, and every series by what it was looked up with.
    #[derive(Default)]
    pub(crate) struct Kept {
        names: Vec<String>,
        keys: HashMap<Vec<u8>, u32>,
        pub(crate) samples: BTreeMap<String, Vec<(i64, f64)>>,
    }

    impl Kept {
        /// One line for each series: labels, then samples as `value@timestamp`.
        pub(crate) fn lines(&self) -> Vec<String> {
            let sample = |(timestamp, value): &(i64, f64)| format!("{value}@{timestamp}");
            let line = |(name, samples): (&String, &Vec<_>)| {
                format!("{name} {}", samples.iter().map(sample).collect::<Vec<_>>().join(" "))
            };
            self.samples.iter().map(line).collect()
        }
    }

    impl RowSink for Kept {
        fn known(&mut self, key: &[u8]) -> Option<u32> {
            self.keys.get(key).copied()
        }

        fn learn(&mut self, key: &[u8], labels: &Labels) -> Result<u32> {
            let name = MetricName::from_labels(labels.iter());
            if name.is_empty() {
                return Err(crate::error::Error::invalid("no labels"));
            }
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            let labels: Vec<_> = name.labels().map(|(name, value)| format!("{}={}", text(name), text(value))).collect();
            self.names.push(labels.join("|"));
            self.keys.insert(key.to_vec(), self.names.len() as u32 - 1);
            Ok(self.names.len() as u32 - 1)
        }

        fn sample(&mut self, series: u32, timestamp: i64, value: f64) {
            let name = self.names[series as usize].clone();
            self.samples.entry(name).or_default().push((timestamp, value));
        }

        fn samples(&mut self, series: u32, timestamps: &[i64], values: &[f64]) {
            assert_eq!(timestamps.len(), values.len());
            timestamps.iter().zip(values).for_each(|(&timestamp, &value)| self.sample(series, timestamp, value));
        }
    }

    #[test]
    fn a_budget_is_in_proportion_to_the_message() {
        let mut budget = Budget::of_message(1000);
        assert_eq!(budget.spend(64 << 20), Ok(()));
        assert_eq!(budget.spend(1_024_000), Ok(()));
        assert!(budget.spend(1).unwrap_err().message().contains("1024 times the bytes"));
        assert_eq!(budget.spend(0), Ok(()));
    }

    #[test]
    fn labels_come_back_in_order_and_can_be_cut() {
        let mut labels = Labels::default();
        labels.push(b"a", b"b");
        labels.push(b"", b"");
        labels.push_with(|out| out.push(b'c'), |out| out.extend_from_slice(b"dd"));
        let all: Vec<_> = labels.iter().collect();
        assert_eq!(all, [(&b"a"[..], &b"b"[..]), (b"", b""), (b"c", b"dd")]);
        labels.truncate(1);
        labels.push(b"e", b"f");
        assert_eq!(labels.iter().collect::<Vec<_>>(), [(&b"a"[..], &b"b"[..]), (b"e", b"f")]);
        labels.clear();
        assert!(labels.is_empty() && labels.iter().next().is_none());
    }
}
