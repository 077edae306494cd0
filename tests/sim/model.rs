//! What the database may and must answer: every sample that was offered to it, and what was promised of each.

use sandglass::engine::{Labels, SeriesData};
use sandglass::time::{MINUTE_MS, TimeRange};
use std::collections::{BTreeMap, BTreeSet};

/// What is wrong, in words.
pub type Wrong = String;

/// A sample of a series as (timestamp, bits of the value).
pub type Point = (i64, u64);

/// How often each sample must at least and may at most be there.
pub type Bounds = BTreeMap<u64, BTreeMap<Point, (u64, u64)>>;

/// Counts steps of the history; every offer, acceptance and deletion has its own.
pub type Tick = u64;

#[derive(Clone, Debug)]
struct Offer {
    point: Point,
    /// When it was said to be accepted.
    accepted: Option<Tick>,
    /// A deletion that may have come before or after: it may be there or not.
    is_uncertain: bool,
    /// When a deletion of its series was said to be done.
    deleted: Option<Tick>,
}

/// A promise that all accepted before `mark` is durable, made when the disk had seen so many commits.
#[derive(Clone, Copy, Debug)]
struct Promise {
    mark: Tick,
    commits: u64,
}

/// Names one offer until it is answered.
#[derive(Clone, Copy, Debug)]
pub struct OfferId {
    series: u64,
    at: usize,
}

#[derive(Clone, Debug, Default)]
pub struct Model {
    series: BTreeMap<u64, Vec<Offer>>,
    ever_offered: BTreeSet<u64>,
    tick: Tick,
    /// All accepted before can be found.
    visible: Tick,
    promises: Vec<Promise>,
    /// Deletions under way, by the tick at which they began.
    deleting: BTreeMap<Tick, Chosen>,
    /// The latest instant any engine on these files has seen; what was too old then may be gone.
    pub latest: i64,
    pub retention_ms: i64,
    pub dedup_interval_ms: i64,
    pub samples_checked: u64,
}

/// The series a selector names.
#[derive(Clone, Debug)]
pub enum Chosen {
    All,
    One(u64),
    Group(u64),
    /// Those whose number begins with this digit.
    Digit(u64),
    AllBut(u64),
}

const GROUPS: u64 = 4;

impl Chosen {
    pub fn selector(&self) -> String {
        match self {
            Self::All => "{series!=\"\"}".into(),
            Self::One(series) => format!("{{series=\"{series}\"}}"),
            Self::Group(group) => format!("metric_{group}{{series=~\".+\"}}"),
            Self::Digit(digit) => format!("{{series=~\"{digit}.*\"}}"),
            Self::AllBut(series) => format!("{{series!=\"{series}\",__name__=~\"metric_.*\"}}"),
        }
    }

    pub fn has(&self, series: u64) -> bool {
        match self {
            Self::All => true,
            Self::One(only) => series == *only,
            Self::Group(group) => series % GROUPS == *group,
            Self::Digit(digit) => series.to_string().starts_with(&digit.to_string()),
            Self::AllBut(other) => series != *other,
        }
    }

    pub fn group(random: u64) -> Self {
        Self::Group(random % GROUPS)
    }
}

/// The labels of a series, sorted by name.
pub fn labels(series: u64) -> Labels {
    let mut labels =
        vec![("__name__".into(), format!("metric_{}", series % GROUPS)), ("series".into(), series.to_string())];
    if series % 3 == 1 {
        labels.push(("odd \"label\"\\\u{1}\u{0}".into(), "täg=,{}\n\u{2}".into()));
    }
    if series % 3 == 2 {
        labels.push(("job".into(), "node".into()));
    }
    labels.sort();
    labels
}

/// The number of a series.
pub fn number(found: &Labels) -> Result<u64, Wrong> {
    let value = found.iter().find(|(key, _)| key == "series").and_then(|(_, value)| value.parse().ok());
    let number = value.ok_or_else(|| format!("a series with the labels {found:?}, which nobody put in"))?;
    if labels(number) == *found {
        Ok(number)
    } else {
        Err(format!("series {number} came back with the labels {found:?}"))
    }
}

impl Model {
    pub fn tick(&mut self) -> Tick {
        self.tick += 1;
        self.tick
    }

    // ---- what happens -------------------------------------------------------------------------------------------------

    pub fn offer(&mut self, series: u64, point: Point) -> OfferId {
        self.tick();
        self.ever_offered.insert(series);
        let offers = self.series.entry(series).or_default();
        offers.push(Offer { point, accepted: None, is_uncertain: false, deleted: None });
        OfferId { series, at: offers.len() - 1 }
    }

    pub fn accepted(&mut self, offers: &[OfferId]) {
        let tick = self.tick();
        for id in offers {
            let is_being_deleted = self.is_being_deleted(id.series);
            let Some(offer) = self.series.get_mut(&id.series).and_then(|offers| offers.get_mut(id.at)) else {
                continue;
            };
            offer.accepted = Some(tick);
            offer.is_uncertain |= is_being_deleted;
        }
    }

    /// All accepted before `mark` can be found from now on.
    pub fn visible(&mut self, mark: Tick) {
        self.visible = self.visible.max(mark);
    }

    /// All accepted before `mark` is durable, and what else the disk has when it has seen so many commits.
    pub fn durable(&mut self, mark: Tick, commits: u64) {
        self.promises.push(Promise { mark, commits });
    }

    /// A deletion begins. What is under way may come before it or after it.
    pub fn delete_begins(&mut self, chosen: &Chosen) -> Tick {
        let tick = self.tick();
        for (_, offers) in self.series.iter_mut().filter(|(series, _)| chosen.has(**series)) {
            for offer in offers.iter_mut().filter(|offer| offer.accepted.is_none()) {
                offer.is_uncertain = true;
            }
        }
        self.deleting.insert(tick, chosen.clone());
        tick
    }

    pub fn delete_ends(&mut self, began: Tick, is_done: bool) {
        let tick = self.tick();
        let Some(chosen) = self.deleting.remove(&began) else { return };
        for offer in self.series.iter_mut().filter(|(series, _)| chosen.has(**series)).flat_map(|(_, offers)| offers) {
            if is_done && offer.accepted.is_some_and(|accepted| accepted < began) {
                offer.deleted.get_or_insert(tick);
            } else {
                offer.is_uncertain = true;
            }
        }
    }

    fn is_being_deleted(&self, series: u64) -> bool {
        self.deleting.values().any(|chosen| chosen.has(series))
    }

    /// Nothing more will be heard of what is under way.
    pub fn life_ends(&mut self) {
        for began in self.deleting.keys().copied().collect::<Vec<_>>() {
            self.delete_ends(began, false);
        }
    }

    /// After a crash: only what was promised must be there, and not even that when the disk lost commits.
    pub fn crashed(&mut self, commits_left: u64, lost_commits: u64) {
        self.life_ends();
        self.promises.retain(|promise| promise.commits <= commits_left);
        // The disk counts from zero again, and what has survived a crash survives the next one.
        self.promises.iter_mut().for_each(|promise| promise.commits = 0);
        self.visible = self.promises.iter().map(|promise| promise.mark).max().unwrap_or(0);
        for offer in self.series.values_mut().flatten() {
            if offer.accepted.is_some_and(|accepted| accepted >= self.visible) {
                offer.accepted = None;
                offer.is_uncertain = true;
            }
        }
        if lost_commits > 0 {
            // Deletions may be undone as well.
            for offer in self.series.values_mut().flatten() {
                if offer.deleted.take().is_some() {
                    offer.is_uncertain = true;
                }
            }
        }
    }

    /// After an orderly end: all that was promised is on disk, whatever it has lost before.
    pub fn closed(&mut self) {
        self.life_ends();
        self.promises.iter_mut().for_each(|promise| promise.commits = 0);
    }

    /// What must and may be there now.
    pub fn everything(&self) -> Bounds {
        self.bounds(&Chosen::All, TimeRange::ALL, self.tick + 1, self.visible)
    }

    /// What was found after a restart is on disk, so that it must stay; what was not found never comes.
    pub fn adopt(&mut self, found: &[SeriesData]) -> Result<(), Wrong> {
        if self.dedup_interval_ms > 0 {
            // Of samples that share an interval another one may be answered after the next merge.
            for offer in self.series.values_mut().flatten() {
                offer.accepted = None;
                offer.is_uncertain = true;
            }
        } else {
            self.series.clear();
        }
        self.promises.clear();
        for data in found {
            let series = number(&data.labels)?;
            for (timestamp, value) in data.timestamps.iter().zip(&data.values) {
                let id = self.offer(series, (*timestamp, value.to_bits()));
                self.accepted(&[id]);
            }
        }
        self.visible = self.tick() + 1;
        self.durable(self.visible, 0);
        Ok(())
    }

    // ---- what is expected ---------------------------------------------------------------------------------------------

    /// What a search that began at `began` and is answered now must and may find.
    pub fn bounds(&self, chosen: &Chosen, range: TimeRange, began: Tick, visible: Tick) -> Bounds {
        // The index may forget a series some minutes before the last of its samples is too old.
        let oldest = self.latest - self.retention_ms + 15 * MINUTE_MS;
        let mut bounds = Bounds::new();
        for (&series, offers) in self.series.iter().filter(|(series, _)| chosen.has(**series)) {
            let mut of_series: BTreeMap<Point, (u64, u64)> = BTreeMap::new();
            let is_being_deleted = self.is_being_deleted(series);
            for offer in offers {
                if !range.contains(offer.point.0) || offer.deleted.is_some_and(|deleted| deleted < began) {
                    continue;
                }
                let must = offer.accepted.is_some_and(|accepted| accepted < visible)
                    && !offer.is_uncertain
                    && !is_being_deleted
                    && offer.deleted.is_none()
                    && offer.point.0 >= oldest
                    && self.interval_end(offer.point.0) <= range.max;
                let entry = of_series.entry(offer.point).or_default();
                entry.0 += u64::from(must);
                entry.1 += 1;
            }
            bounds.insert(series, of_series);
        }
        bounds
    }

    /// Whether the index may know the series, though none of its samples is there: it was offered some since it was last deleted.
    pub fn may_be_known(&self, series: u64, began: Tick) -> bool {
        let offers = self.series.get(&series).into_iter().flatten();
        self.ever_offered.contains(&series)
            && offers.clone().all(|offer| offer.deleted.is_none_or(|deleted| deleted >= began))
    }

    pub fn promise_count(&self) -> usize {
        self.promises.len()
    }

    /// The last instant of the de-duplication interval of an instant: a sample between the two may take its place.
    fn interval_end(&self, timestamp: i64) -> i64 {
        match self.dedup_interval_ms {
            interval if interval > 0 => (timestamp + interval - 1).div_euclid(interval) * interval,
            _ => timestamp,
        }
    }

    pub fn visible_mark(&self) -> Tick {
        self.visible
    }

    /// Compares what a search found with what it must and may find.
    pub fn compare(&mut self, found: &[SeriesData], bounds: &Bounds) -> Result<(), Wrong> {
        let mut seen = BTreeSet::new();
        let nothing = BTreeMap::new();
        for data in found {
            let series = number(&data.labels)?;
            if !seen.insert(series) {
                return Err(format!("series {series} was answered twice"));
            }
            if data.timestamps.is_empty() || data.timestamps.len() != data.values.len() {
                return Err(format!("series {series} came with {} timestamps", data.timestamps.len()));
            }
            if !data.timestamps.is_sorted() {
                return Err(format!("the samples of series {series} are out of order"));
            }
            self.samples_checked += data.timestamps.len() as u64;
            let of_series = bounds.get(&series).unwrap_or(&nothing);
            // What is too old may be there or not, as merges come.
            let oldest = self.latest.saturating_sub(self.retention_ms);
            compare_series(series, data, of_series, oldest, self.dedup_interval_ms).map_err(|wrong| {
                let first: Vec<String> =
                    data.timestamps.iter().zip(&data.values).take(8).map(|(t, v)| spell((*t, v.to_bits()))).collect();
                format!("{wrong}; found are {} samples: {first:?}", data.timestamps.len())
            })?;
        }
        for (series, of_series) in bounds.iter().filter(|(series, _)| !seen.contains(series)) {
            if let Some((point, _)) = of_series.iter().find(|(_, (min, _))| *min > 0) {
                return Err(format!("series {series} is missing, with the sample {}", spell(*point)));
            }
        }
        Ok(())
    }

    /// Series that must, and series that may have a sample.
    pub fn series_bounds(&self, chosen: &Chosen, began: Tick, visible: Tick) -> (BTreeSet<u64>, BTreeSet<u64>) {
        let bounds = self.bounds(chosen, TimeRange::ALL, began, visible);
        let must = bounds.iter().filter(|(_, points)| points.values().any(|(min, _)| *min > 0));
        let may = bounds.iter().filter(|(_, points)| !points.is_empty());
        (must.map(|(series, _)| *series).collect(), may.map(|(series, _)| *series).collect())
    }

    /// A series that was offered samples, if any, by a random number.
    pub fn some_series(&self, random: u64) -> Option<u64> {
        let count = self.series.len() as u64;
        self.series.keys().nth(random.checked_rem(count)? as usize).copied()
    }

    /// A sample that was offered, if any.
    pub fn some_point(&self, series: u64, random: u64) -> Option<Point> {
        let offers = self.series.get(&series)?;
        offers.get(random.checked_rem(offers.len() as u64)? as usize).map(|offer| offer.point)
    }
}

fn spell((timestamp, bits): Point) -> String {
    format!("{} at {timestamp}", f64::from_bits(bits))
}

fn compare_series(
    series: u64,
    data: &SeriesData,
    bounds: &BTreeMap<Point, (u64, u64)>,
    oldest: i64,
    dedup_interval_ms: i64,
) -> Result<(), Wrong> {
    let mut counts: BTreeMap<Point, u64> = BTreeMap::new();
    for (timestamp, value) in data.timestamps.iter().zip(&data.values) {
        *counts.entry((*timestamp, value.to_bits())).or_default() += 1;
    }
    for (point, count) in counts.iter().filter(|(point, _)| point.0 >= oldest) {
        let max = bounds.get(point).map_or(0, |(_, max)| *max);
        if *count > max {
            return Err(format!("series {series} has {} {count} times where {max} are possible", spell(*point)));
        }
    }
    if dedup_interval_ms <= 0 {
        for (point, (min, _)) in bounds {
            let count = counts.get(point).copied().unwrap_or(0);
            if count < *min {
                return Err(format!("series {series} has {} {count} times where {min} were promised", spell(*point)));
            }
        }
        return Ok(());
    }
    // Of each interval, which ends with its last instant, the last sample stays.
    let interval = |timestamp: i64| (timestamp + dedup_interval_ms - 1).div_euclid(dedup_interval_ms);
    let mut last: BTreeMap<i64, i64> = BTreeMap::new();
    for timestamp in &data.timestamps {
        if last.insert(interval(*timestamp), *timestamp).is_some() {
            return Err(format!("series {series} has two samples in the interval that ends at or behind {timestamp}"));
        }
    }
    for (point, _) in bounds.iter().filter(|(_, (min, _))| *min > 0) {
        if last.get(&interval(point.0)).is_none_or(|kept| *kept < point.0) {
            return Err(format!("series {series} has nothing for {} and its interval", spell(*point)));
        }
    }
    Ok(())
}
