//! How fast samples become bytes and bytes become samples, in ns a sample and MB/s (of 16 bytes a sample).
//!
//! `cargo bench --bench encoding`: medians over many rounds of one block of 8192 samples each, after a warm-up.

use std::hint::black_box;
use std::time::Instant;

use sandglass::block::{Block, Decoder, merge_into_pending};
use sandglass::encoding::decimal;
use sandglass::encoding::marshal::{marshal_int64s, unmarshal_int64s};
use sandglass::encoding::zstd::Effort;
use sandglass::metric::tsid::Tsid;
use sandglass::time::TimeRange;

const ROWS: usize = 8192;

fn main() {
    let mut noise = Noise(88_172_645_463_325_252);
    let regular: Vec<i64> = (0..ROWS as i64).map(|i| 1_700_000_000_000 + i * 10_000).collect();
    let jittered: Vec<i64> = regular.iter().map(|t| t + (noise.unit() * 20.0) as i64).collect();
    let mut walk = |step: f64, scale: f64| -> Vec<f64> {
        let mut level = 50.0_f64;
        let mut next = || {
            level = (level + noise.normal() * step).clamp(0.0, 100.0);
            if scale == 0.0 { level } else { (level * scale).trunc() / scale }
        };
        (0..ROWS).map(|_| next()).collect()
    };
    let cpu = walk(1.0, 1.0);
    let hundredths = walk(1.0, 100.0);
    let floats = walk(1.0, 0.0);
    let mut total = 0.0;
    let counter: Vec<f64> = (0..ROWS)
        .map(|_| {
            total += (noise.unit() * 1000.0).floor();
            total
        })
        .collect();

    println!("{:34} {:>9} {:>9} {:>9}", "one block of 8192 samples", "ns/sample", "MB/s", "bytes/sample");
    for (name, values, timestamps) in [
        ("cpu gauge 0..100", &cpu, &regular),
        ("gauge with 2 decimals", &hundredths, &regular),
        ("float gauge", &floats, &regular),
        ("counter", &counter, &jittered),
    ] {
        column(name, values);
        block(name, timestamps, values);
    }
    merge(&regular, &cpu);
}

/// The stages of one column of values.
fn column(name: &str, values: &[f64]) {
    let mut mantissas = Vec::new();
    let exponent = decimal::to_decimal(values, &mut mantissas);
    let mut scratch = Vec::new();
    report(&format!("{name}: to_decimal"), None, || {
        scratch.clear();
        decimal::to_decimal(black_box(values), &mut scratch);
    });
    for effort in [Effort::Fast, Effort::Thorough] {
        let mut data = Vec::new();
        let (marshal_type, first) = marshal_int64s(&mantissas, 64, effort, &mut data).unwrap();
        let size = data.len();
        report(&format!("{name}: marshal {effort:?} {marshal_type:?}"), Some(size), || {
            data.clear();
            marshal_int64s(black_box(&mantissas), 64, effort, &mut data).unwrap();
        });
        report(&format!("{name}: unmarshal"), None, || {
            scratch.clear();
            unmarshal_int64s(marshal_type, first, black_box(&data), ROWS, &mut scratch).unwrap();
        });
    }
    let mut floats = Vec::new();
    report(&format!("{name}: to_floats"), None, || {
        floats.clear();
        decimal::to_floats(black_box(&mantissas), exponent, &mut floats);
    });
}

/// Whole blocks, as a flush writes and a query reads them.
fn block(name: &str, timestamps: &[i64], values: &[f64]) {
    let mut block = Block::default();
    report(&format!("{name}: rows to block"), None, || {
        block.fill_from_rows(Tsid::default(), black_box(timestamps), black_box(values), 64, None);
        block.encode(Effort::Fast).unwrap();
    });
    let (timestamps_data, values_data) = block.data();
    let size = timestamps_data.len() + values_data.len();
    let mut decoder = Decoder::default();
    let (mut read_timestamps, mut read_values) = (Vec::new(), Vec::new());
    report(&format!("{name}: block to samples"), Some(size), || {
        read_timestamps.clear();
        read_values.clear();
        decoder
            .append(
                block.header(),
                timestamps_data,
                values_data,
                TimeRange::ALL,
                &mut read_timestamps,
                &mut read_values,
            )
            .unwrap();
    });
}

/// Small blocks of one series, merged into a full one as a merge of sixteen parts does.
fn merge(timestamps: &[i64], values: &[f64]) {
    let small: Vec<Block> = timestamps
        .chunks(ROWS / 16)
        .zip(values.chunks(ROWS / 16))
        .map(|(timestamps, values)| {
            let mut block = Block::from_rows(Tsid::default(), timestamps, values, 64, None);
            block.encode(Effort::Fast).unwrap();
            block
        })
        .collect();
    let (mut pending, mut next, mut scratch) = (Block::default(), Block::default(), Block::default());
    report("cpu gauge: 16 blocks to one", None, || {
        pending.reset();
        for block in &small {
            next.copy_from_encoded(block.header(), block.data().0, block.data().1);
            if pending.is_empty() {
                std::mem::swap(&mut pending, &mut next);
            } else {
                merge_into_pending(&mut pending, &mut next, &mut scratch, 0).unwrap();
            }
        }
        pending.encode(Effort::Fast).unwrap();
    });
}

/// Prints the median time of a round over one block.
fn report(name: &str, size: Option<usize>, mut round: impl FnMut()) {
    const ROUNDS: usize = 301;
    (0..20).for_each(|_| round());
    let mut times: Vec<u128> = (0..ROUNDS)
        .map(|_| {
            let start = Instant::now();
            round();
            start.elapsed().as_nanos()
        })
        .collect();
    times.sort_unstable();
    let per_sample = times[ROUNDS / 2] as f64 / ROWS as f64;
    let size = size.map(|size| format!("{:9.3}", size as f64 / ROWS as f64)).unwrap_or_default();
    println!("{name:50} {per_sample:9.2} {:9.0} {size}", 16e3 / per_sample);
}

/// A small random generator, so that every run measures the same data.
struct Noise(u64);

impl Noise {
    fn unit(&mut self) -> f64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.unit()).sum::<f64>() - 6.0
    }
}
