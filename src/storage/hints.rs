//! What is done to samples in silence, as the format's rules want it, is told once: nobody looks for samples in a counter.

use super::series::SeriesRegistry;
use super::{IngestCounters, Storage};
use crate::error::{ErrorKind, Result};
use crate::metric::name::{MAX_KEY_LEN, MAX_LABELS, MAX_VALUE_LEN, MetricName};
use crate::storage::search::FoundSeries;
use crate::time::{DAY_MS, TimeRange, TimestampMs};
use crate::trace::event::{DropReason, Event};

/// What was told already.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Told {
    too_old: bool,
    too_new: bool,
    not_a_number: bool,
    labels_cut: bool,
    labels_not_utf8: bool,
    series_refused: bool,
}

impl Told {
    fn of(&mut self, reason: DropReason) -> &mut bool {
        match reason {
            DropReason::TooOld => &mut self.too_old,
            DropReason::TooNew => &mut self.too_new,
            DropReason::NotANumber => &mut self.not_a_number,
        }
    }
}

/// What is to be done with timestamps like this one, when they are in a unit that is mistaken for milliseconds; nothing when they are in none.
fn mistaken_unit(timestamp: TimestampMs, accepted: TimeRange) -> Option<&'static str> {
    let (seconds, nanos) = (timestamp.checked_mul(1_000), timestamp / 1_000_000);
    // What is just older than the retention in milliseconds was a plausible instant; a second of 1970 was not.
    let is_early = timestamp < 300 * DAY_MS;
    match () {
        () if is_early && seconds.is_some_and(|ms| accepted.contains(ms)) => {
            Some("they look like seconds; multiply them by 1000, since milliseconds since the epoch are expected")
        }
        () if timestamp > accepted.max && accepted.contains(timestamp / 1_000) => {
            Some("they look like microseconds; divide them by 1000, since milliseconds since the epoch are expected")
        }
        () if timestamp > accepted.max && accepted.contains(nanos) => {
            Some("they look like nanoseconds; divide them by 1000000, since milliseconds since the epoch are expected")
        }
        () => None,
    }
}

impl IngestCounters {
    /// Why samples were refused; nothing when none was.
    pub(super) fn refusals_in_words(&self) -> Option<String> {
        let kinds = [
            (self.rejected_too_old, "older than the retention"),
            (self.rejected_too_new, "more than two days ahead"),
            (self.rejected_nan, "not a number"),
        ];
        let reasons: Vec<_> = kinds.iter().filter(|(count, _)| *count > 0).map(|(_, reason)| *reason).collect();
        (!reasons.is_empty()).then(|| format!("samples were dropped that are {}", reasons.join(" or ")))
    }

    /// The reason that most of the refused rows share.
    fn main_reason(&self) -> DropReason {
        match () {
            () if self.rejected_nan > self.rejected_too_old.max(self.rejected_too_new) => DropReason::NotANumber,
            () if self.rejected_too_old >= self.rejected_too_new => DropReason::TooOld,
            () => DropReason::TooNew,
        }
    }
}

impl Storage {
    /// The handle of a series with this name. Observers are told the first time that there is no memory for one: who imports a body
    /// may look at what it answers, and may not.
    pub(super) fn handle_in(&self, series: &mut SeriesRegistry, name: MetricName) -> Result<u32> {
        series.handle(name).inspect_err(|error| {
            let mut told = self.told.get();
            if error.kind() == ErrorKind::Limit && !std::mem::replace(&mut told.series_refused, true) {
                self.told.set(told);
                self.context.degraded(error, format!("new series are refused: {}", error.message()));
            }
        })
    }

    /// Says why a call has stored nothing; observers are told the first time for each reason. `timestamp` is one of those that were
    /// refused.
    pub(super) fn tell_all_dropped(&self, refused: IngestCounters, timestamp: TimestampMs) -> String {
        let (reason, samples) = (refused.main_reason(), refused.rejected());
        let message = self.why_all_dropped(samples, reason, timestamp);
        let mut told = self.told.get();
        if !std::mem::replace(told.of(reason), true) {
            self.told.set(told);
            self.context.announce(Event::SamplesDropped { reason, samples, message: message.clone() });
        }
        message
    }

    /// As [`Storage::tell_all_dropped`], for calls that answer nothing.
    #[cold]
    pub(super) fn tell_all_dropped_once(&self, refused: IngestCounters, timestamp: TimestampMs) {
        let mut told = self.told.get();
        if !*told.of(refused.main_reason()) {
            self.tell_all_dropped(refused, timestamp);
        }
    }

    /// The words for a call that has stored nothing.
    fn why_all_dropped(&self, samples: u64, reason: DropReason, timestamp: TimestampMs) -> String {
        let (accepted, now) = (self.accepted_range(), self.context.now());
        let what = format!("all {samples} samples that came together were dropped");
        let cause = match reason {
            DropReason::NotANumber => {
                return format!("{what}: their values are not a number, which is not kept; leave such samples out");
            }
            DropReason::TooOld => format!(
                "the timestamp {timestamp} is older than the retention of {} days, seen from {now}",
                self.options.retention_ms / DAY_MS
            ),
            DropReason::TooNew => format!("the timestamp {timestamp} is more than two days ahead of {now}"),
        };
        let remedy = mistaken_unit(timestamp, accepted).unwrap_or(match reason {
            DropReason::TooOld => {
                "open the database with a longer retention to keep such samples, or look for a clock that is off"
            }
            _ => "look for a clock that is off",
        });
        format!("{what}: {cause}; {remedy}")
    }

    /// Counts labels that were cut, and says so the first time.
    pub(super) fn note_labels_cut(&self, name: &MetricName, labels: u64) {
        if labels == 0 {
            return;
        }
        self.ingested.borrow_mut().labels_cut += labels;
        let mut told = self.told.get();
        if std::mem::replace(&mut told.labels_cut, true) {
            return;
        }
        self.told.set(told);
        let series = String::from_utf8_lossy(&name.metric_group).chars().take(100).collect::<String>();
        let message = format!(
            "{labels} labels of a series {series:?} were left out or shortened: a series has at most {MAX_LABELS} labels, those \
             that come last by name are left out; names have at most {MAX_KEY_LEN} bytes, and values {MAX_VALUE_LEN}"
        );
        self.context.announce(Event::LabelsCut { labels, message });
    }

    /// Says, the first time, that an export holds labels that JSON can't hold.
    pub fn tell_labels_not_utf8(&self, series: &[FoundSeries]) {
        let is_text = |bytes: &[u8]| str::from_utf8(bytes).is_ok();
        let is_lossy = |found: &&FoundSeries| !found.name.labels().all(|(key, value)| is_text(key) && is_text(value));
        let mut told = self.told.get();
        if told.labels_not_utf8 {
            return;
        }
        let series = series.iter().filter(is_lossy).count() as u64;
        if series == 0 {
            return;
        }
        told.labels_not_utf8 = true;
        self.told.set(told);
        let message = format!(
            "{series} series of an export have labels that are not UTF-8, which JSON can't hold: the bytes that are none appear as \
             U+FFFD, and an import makes one series of those that differ in them alone; take a snapshot to move them"
        );
        self.context.announce(Event::LabelsNotUtf8 { series, message });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_recognised() {
        let now = 1_790_000_000_000;
        let accepted = TimeRange { min: now - 365 * DAY_MS, max: now + 2 * DAY_MS };
        let unit = |timestamp| mistaken_unit(timestamp, accepted).map(|words| words.split_whitespace().nth(3).unwrap());
        assert_eq!(unit(now / 1_000), Some("seconds;"));
        assert_eq!(unit(now * 1_000), Some("microseconds;"));
        assert_eq!(unit(now * 1_000_000), Some("nanoseconds;"));
        for other in [0, -1, i64::MIN, i64::MAX, now - 400 * DAY_MS, now + 3 * DAY_MS] {
            assert_eq!(unit(other), None, "{other}");
        }
    }
}
