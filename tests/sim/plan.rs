//! What a seed stands for: how the database is configured, how the disk behaves, how many lives there are.

use sandglass::engine::{Clock, Config};
use sandglass::time::{DAY_MS, HOUR_MS, MAX_RETENTION_MS, MINUTE_MS, TimestampMs};
use std::cell::Cell;

/// SplitMix64: small, and the same everywhere.
#[derive(Clone, Debug)]
pub struct Random(Cell<u64>);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(Cell::new(seed))
    }

    pub fn next(&self) -> u64 {
        let mut z = self.0.get().wrapping_add(0x9e37_79b9_7f4a_7c15);
        self.0.set(z);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// From 0 to `bound` - 1.
    pub fn below(&self, bound: u64) -> u64 {
        self.next() % bound.max(1)
    }

    pub fn chance(&self, percent: u64) -> bool {
        self.below(100) < percent
    }

    pub fn of<T: Copy>(&self, choices: &[T]) -> T {
        choices[self.below(choices.len() as u64) as usize]
    }
}

/// How much work a pump may do.
#[derive(Clone, Copy, Debug)]
pub enum Budget {
    /// As much as there is.
    Unlimited,
    /// Always the same, in units.
    Fixed(u64),
    /// Another one for each pump, in units.
    UpTo(u64),
}

/// What goes wrong, as far as the seed decides it beforehand.
#[derive(Clone, Copy, Debug, Default)]
pub struct Faults {
    /// Of a hundred lives, how many end at a chosen storage operation.
    pub crash_percent: u64,
    /// Of a hundred lives, in how many some operations fail.
    pub failure_percent: u64,
    /// Of a hundred lives, in how many there is too little room for a while.
    pub quota_percent: u64,
    /// Of a hundred lives, how many end since another writer comes, and go on as if nothing had happened.
    pub zombie_percent: u64,
    /// Commits that a crash may take back.
    pub relaxed_commits: usize,
    /// Of a hundred lives, in how many some reads come back with fewer bytes than were asked for.
    pub short_read_percent: u64,
}

/// A seed, spelled out.
#[derive(Clone, Debug)]
pub struct Plan {
    pub seed: u64,
    pub lives: u64,
    /// Operations of the workload in each life, at most.
    pub steps: u64,
    pub clock: Clock,
    pub start_time: TimestampMs,
    pub retention_ms: i64,
    pub dedup_interval_ms: i64,
    pub cache_bytes: u64,
    pub memory_bytes: u64,
    pub final_merge_delay_ms: i64,
    /// Below five seconds rows go to a log.
    pub durable_within_ms: i64,
    pub budget: Budget,
    pub max_delay_ms: u64,
    /// Of a hundred operations, how many are waited for before the next one begins.
    pub settle_percent: u64,
    /// Series there are at first.
    pub series: u64,
    /// Whether clocks may stand back at a reopening, and jump by days.
    pub wild_clock: bool,
    /// Others read beside the writer.
    pub has_readers: bool,
    /// The engine is told how much room there is, as far as anybody knows.
    pub tells_room: bool,
    pub faults: Faults,
    /// Every life ends with `close`.
    pub is_orderly: bool,
    /// A forced merge after every operation.
    pub merge_often: bool,
}

/// 2024-03-10T12:00:00Z, a Sunday in the midst of a month.
pub const START: TimestampMs = 1_710_072_000_000;

impl Plan {
    pub fn of(seed: u64) -> Self {
        let random = &Random::new(seed ^ 0x51a1_7e57);
        let is_manual = random.chance(15);
        let retention_ms = match random.below(10) {
            0..6 => MAX_RETENTION_MS,
            6..8 => (3 + random.below(40) as i64) * DAY_MS,
            8 => DAY_MS + random.below(40) as i64 * HOUR_MS,
            _ => (30 + random.below(60) as i64) * DAY_MS,
        };
        let faults = match random.below(11) {
            0 => Faults::default(),
            1..4 => Faults { crash_percent: 80, ..Faults::default() },
            4 => Faults { failure_percent: 90, crash_percent: 20, ..Faults::default() },
            5 => Faults { quota_percent: 90, crash_percent: 20, ..Faults::default() },
            6 => Faults { zombie_percent: 80, crash_percent: 30, ..Faults::default() },
            7 => Faults { crash_percent: 90, relaxed_commits: 1 + random.below(12) as usize, ..Faults::default() },
            8 => Faults { short_read_percent: 90, crash_percent: 20, ..Faults::default() },
            _ => Faults {
                crash_percent: 50,
                failure_percent: 40,
                quota_percent: 20,
                zombie_percent: 20,
                relaxed_commits: 0,
                short_read_percent: 10,
            },
        };
        // Months end, and index generations change, four hours behind midnight.
        let near_month_end = 1_711_929_600_000 - random.below(600) as i64 * MINUTE_MS;
        let start_time =
            random.of(&[START, START, near_month_end, START + 12 * HOUR_MS - 2 * MINUTE_MS, START + 15 * HOUR_MS]);
        Self {
            seed,
            lives: 1 + random.below(4),
            steps: 8 + random.below(random.of(&[20, 50, 90])),
            clock: if is_manual { Clock::Manual } else { Clock::Real },
            start_time,
            retention_ms,
            dedup_interval_ms: if random.chance(15) { random.of(&[1, 1_000, 60_000]) } else { 0 },
            cache_bytes: random.of(&[0, 1 << 10, 64 << 10, 64 << 20]),
            memory_bytes: random.of(&[1 << 20, 4 << 30]),
            final_merge_delay_ms: if random.chance(20) { 30_000 } else { 0 },
            durable_within_ms: Random::new(seed ^ 0x0010_9000).of(&[5_000, 5_000, 1_000, 300]),
            budget: match random.below(4) {
                0 => Budget::Unlimited,
                1 => Budget::Fixed(1),
                2 => Budget::Fixed(1 + random.below(20_000)),
                _ => Budget::UpTo(10_000),
            },
            max_delay_ms: if is_manual { 0 } else { random.of(&[0, 0, 1, 20, 300, 3_000]) },
            settle_percent: random.of(&[100, 100, 70, 30]),
            series: 1 + random.below(random.of(&[3, 12, 40])),
            wild_clock: random.chance(30),
            has_readers: random.chance(40),
            tells_room: random.chance(60),
            faults,
            is_orderly: false,
            merge_often: false,
        }
    }

    /// The same workload with nothing going wrong and every operation waited for, so that its answers follow from it alone.
    pub fn quiet(seed: u64) -> Self {
        let plan = Self::of(seed);
        let (faults, budget) = (Faults::default(), Budget::Unlimited);
        Self { max_delay_ms: 0, settle_percent: 100, faults, is_orderly: true, budget, has_readers: false, ..plan }
    }

    pub fn config(&self, start_time: TimestampMs) -> Config {
        Config {
            retention_ms: self.retention_ms,
            dedup_interval_ms: self.dedup_interval_ms,
            clock: self.clock,
            cache_bytes: self.cache_bytes,
            memory_bytes: self.memory_bytes,
            final_merge_delay_ms: self.final_merge_delay_ms,
            durable_within_ms: self.durable_within_ms,
            ..Config::new(start_time)
        }
    }
}
