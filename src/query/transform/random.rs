//! Random numbers. A seed gives the same numbers each time.

use super::{Call, Function, Known, Names};
use crate::error::Result;
use crate::query::series::row::Row;

pub(super) const FUNCTIONS: &[Function] = &[
    Function::rows("rand", Known::MetricsQl, (0, 1), Names::Drop, |call| each(call, Generator::uniform)),
    Function::rows("rand_normal", Known::MetricsQl, (0, 1), Names::Drop, |call| {
        each(call, |numbers| {
            // Two uniform numbers are an angle and a distance of a normal one.
            let distance = (-2.0 * (1.0 - numbers.uniform()).ln()).sqrt();
            distance * (std::f64::consts::TAU * numbers.uniform()).cos()
        })
    }),
    Function::rows("rand_exponential", Known::MetricsQl, (0, 1), Names::Drop, |call| {
        each(call, |numbers| -(1.0 - numbers.uniform()).ln())
    }),
];

struct Generator(u64);

impl Generator {
    /// SplitMix64.
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// At least 0, below 1.
    fn uniform(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }
}

fn each(call: &mut Call, of: fn(&mut Generator) -> f64) -> Result<Vec<Row>> {
    let seed = match call.arguments.left() {
        0 => call.context.seed,
        _ => call.arguments.number()? as i64 as u64,
    };
    let mut numbers = Generator(seed);
    Ok(vec![call.context.column((0..call.context.grid.points).map(|_| of(&mut numbers)).collect())])
}
