//! Samples that are appended, as columns, rows and text.

use super::Life;
use super::STALE;
use super::ask::Ask;
use super::figures::all_faults;
use crate::model::{OfferId, Wrong, labels};
use sandglass::engine::{BodyFormat, Command, SeriesHandle, Ticket};
use sandglass::error::Error;
use sandglass::time::{DAY_MS, HOUR_MS, SECOND_MS};
use std::collections::BTreeMap;

impl Life {
    /// Seven digits, two of them decimals: they survive every common exponent exactly. Now and then something special.
    pub(super) fn value(&mut self, is_plain: bool) -> f64 {
        let random = &self.world.random;
        if !is_plain && random.chance(4) {
            return random.of(&[f64::INFINITY, f64::NEG_INFINITY, f64::from_bits(STALE)]);
        }
        (random.below(20_000_001) as f64 - 10_000_000.0) / 100.0
    }

    /// An instant that samples may have now.
    pub(super) fn instant(&mut self) -> i64 {
        let (now, retention_ms) = (self.now, self.world.plan.retention_ms);
        let random = &self.world.random;
        let back = match random.below(20) {
            0..12 => random.below(5 * SECOND_MS as u64) as i64,
            12..16 => random.below(3 * HOUR_MS as u64) as i64,
            16..18 => random.below(3 * DAY_MS as u64) as i64,
            18 => random.below(100 * DAY_MS as u64) as i64,
            // The index forgets series after one or two retention periods, whatever the future has in store for them.
            _ if retention_ms > 1_000 * DAY_MS => -(random.below(DAY_MS as u64) as i64),
            _ => 0,
        };
        (now - back).max(now - retention_ms + HOUR_MS).max(0)
    }

    pub(super) fn handle(&mut self, series: u64) -> Result<SeriesHandle, Wrong> {
        if let Some(handle) = self.handles.get(&series) {
            return Ok(*handle);
        }
        let labels = labels(series);
        let text: Vec<(&str, &str)> = labels.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
        let handle = self.engine.series(&text).map_err(|error| format!("series(): {error}"))?;
        self.handles.insert(series, handle);
        Ok(handle)
    }

    pub(super) fn append_run(&mut self) -> Result<(), Wrong> {
        let series = self.choose_series();
        let count = match self.world.random.below(100) {
            0..40 => 1,
            40..75 => 1 + self.world.random.below(6),
            75..94 => 1 + self.world.random.below(60),
            94..99 => 1 + self.world.random.below(700),
            _ => 9_000 + self.world.random.below(3_000),
        };
        let step = 1 + self.world.random.below(self.world.random.of(&[10, 15_000, 40_000])) as i64;
        let end = self.instant();
        let oldest = (self.now - self.world.plan.retention_ms + HOUR_MS).max(0);
        let mut points: Vec<(i64, f64)> = Vec::new();
        for back in (0..count as i64).rev() {
            let timestamp = end - back * step;
            if timestamp >= oldest {
                points.push((timestamp, self.value(false)));
            }
        }
        if self.world.random.chance(20) {
            points.reverse();
        }
        let random = self.world.random.next();
        if self.world.random.chance(15)
            && let Some(point) = self
                .world
                .model
                .some_point(series, random)
                .filter(|point| (oldest..=self.now + DAY_MS).contains(&point.0))
        {
            points.push((point.0, f64::from_bits(point.1)));
        }
        self.append(series, &points)
    }

    pub(super) fn append(&mut self, series: u64, points: &[(i64, f64)]) -> Result<(), Wrong> {
        self.world.say(|| {
            format!("{}: append {} samples to {series}: {:?}", self.now, points.len(), &points[..points.len().min(3)])
        });
        let handle = self.handle(series)?;
        let offers: Vec<OfferId> = points
            .iter()
            .map(|(timestamp, value)| self.world.model.offer(series, (*timestamp, value.to_bits())))
            .collect();
        let (timestamps, values): (Vec<i64>, Vec<f64>) = points.iter().copied().unzip();
        let faults_before = all_faults(&self.files);
        let result = self.engine.append(handle, &timestamps, &values);
        self.after_append(result, offers, format!("append to {series}"), faults_before)
    }

    pub(super) fn after_append(
        &mut self,
        result: Result<Option<Ticket>, Error>,
        offers: Vec<OfferId>,
        what: String,
        faults_before: u64,
    ) -> Result<(), Wrong> {
        match result {
            // Appending gives its job a turn at once, in which an operation of it may have failed.
            Ok(Some(ticket)) => self.expect_since(ticket, Ask::Append { offers }, what, faults_before),
            Ok(None) => self.world.model.accepted(&offers),
            Err(error) => self.failed(&what, &error, faults_before, self.now)?,
        }
        Ok(())
    }

    pub(super) fn append_row(&mut self) -> Result<(), Wrong> {
        let timestamp = self.instant();
        let count = 1 + self.world.random.below(self.world.plan.series.max(2));
        let first = self.world.random.below(self.world.plan.series.max(1));
        self.world.say(|| format!("{}: append a row of {count} series from {first} at {timestamp}", self.now));
        let (mut handles, mut values, mut offers) = (Vec::new(), Vec::new(), Vec::new());
        for series in first..first + count {
            handles.push(self.handle(series)?.0);
            let value = self.value(false);
            values.push(value);
            offers.push(self.world.model.offer(series, (timestamp, value.to_bits())));
        }
        let faults_before = all_faults(&self.files);
        let result = self.engine.append_row(&handles, timestamp, &values);
        self.after_append(result, offers, "append_row".into(), faults_before)
    }

    /// A body of text, some lines of which are broken.
    pub(super) fn ingest(&mut self) -> Result<(), Wrong> {
        let is_json = self.world.random.chance(50);
        let (mut body, mut offers, mut bad_lines) = (String::new(), Vec::new(), 0);
        for _ in 0..1 + self.world.random.below(12) {
            if self.world.random.chance(12) {
                let prometheus: &[&str] =
                    &["metric_1{series=\"5\" 1 2", "metric_1 one", "{} 1", "metric_1{series=\"5\"} 1 two"];
                let json: &[&str] =
                    &["{\"metric\":", "[]", "{\"metric\":{},\"values\":[1],\"timestamps\":[1]}", "null"];
                body += self.world.random.of(if is_json { json } else { prometheus });
                body.push('\n');
                bad_lines += 1;
                continue;
            }
            if self.world.random.chance(5) {
                body.push('\n');
            }
            let mut series = self.choose_series();
            // Plain labels only: what text can spell is not what this is about.
            series += u64::from(series % 3 == 1);
            let count = if is_json { 1 + self.world.random.below(20) } else { 1 };
            let (mut timestamps, mut values) = (Vec::new(), Vec::new());
            for _ in 0..count {
                let (timestamp, value) = (self.instant(), self.value(true));
                offers.push(self.world.model.offer(series, (timestamp, value.to_bits())));
                timestamps.push(timestamp);
                values.push(value);
            }
            let labels = labels(series);
            if is_json {
                let labels: BTreeMap<String, String> = labels.into_iter().collect();
                body +=
                    &serde_json::json!({ "metric": labels, "values": values, "timestamps": timestamps }).to_string();
            } else {
                let text: Vec<String> = labels[1..].iter().map(|(key, value)| format!("{key}=\"{value}\"")).collect();
                body += &format!("{}{{{}}} {} {}", labels[0].1, text.join(","), values[0], timestamps[0]);
            }
            body.push('\n');
        }
        let format = if is_json { BodyFormat::JsonLines } else { BodyFormat::Prometheus };
        let body_number = self.world.random.next() as u32 | 1;
        let command = Command::Ingest {
            format,
            body: body.into(),
            timestamp: self.now,
            extra_labels: Vec::new(),
            first_line: 1,
            body_number,
        };
        self.send(command, Ask::Ingest { offers, bad_lines });
        Ok(())
    }

    /// Samples that must never be seen.
    pub(super) fn append_refused(&mut self) -> Result<(), Wrong> {
        let series = self.choose_series();
        let handle = self.handle(series)?;
        let too_old = (self.now - self.world.plan.retention_ms - 1).min(-1);
        let too_new = self.now + 2 * DAY_MS + 60_000 + 400 * DAY_MS;
        let value = self.value(true);
        let (timestamp, value) = self.world.random.of(&[
            (self.now, f64::NAN),
            (too_old, value),
            (too_new, value),
            (i64::MIN, value),
            (i64::MAX, value),
        ]);
        self.world.say(|| format!("{}: append {value} at {timestamp} to {series}, which is refused", self.now));
        let faults_before = all_faults(&self.files);
        let result = self.engine.append(handle, &[timestamp], &[value]);
        self.after_append(result, Vec::new(), "append of a sample to be refused".into(), faults_before)
    }
}
