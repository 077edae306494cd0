//! Counters: values that only grow, but for the resets of whoever counts.

/// Values whose drops are found at once, before they are added up: this way no sample waits for a branch that nobody can foresee.
const CHUNK: usize = 64;

/// Adds to each value what was lost in the resets before it. A drop of less than an eighth counts as a partial reset, of which only the
/// difference was lost.
pub fn remove_resets(values: &mut [f64]) {
    let Some(&(mut previous)) = values.first() else { return };
    let mut lost = 0.0;
    let mut drops = [0.0; CHUNK];
    for chunk in values.chunks_mut(CHUNK) {
        drops[0] = drop_between(previous, chunk[0]);
        for (drop, pair) in drops[1..].iter_mut().zip(chunk.windows(2)) {
            *drop = drop_between(pair[0], pair[1]);
        }
        previous = chunk[chunk.len() - 1];
        for (value, drop) in chunk.iter_mut().zip(&drops) {
            lost += drop;
            *value += lost;
        }
    }
}

/// What a counter has lost between two values.
#[inline]
fn drop_between(previous: f64, value: f64) -> f64 {
    let grown = value - previous;
    let drop = if -grown * 8.0 < previous { -grown } else { previous };
    if grown < 0.0 { drop } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As the definition has it, a value at a time.
    fn one_by_one(values: &mut [f64]) {
        let (mut lost, mut previous) = (0.0, values.first().copied().unwrap_or(0.0));
        for value in values {
            let grown = *value - previous;
            if grown < 0.0 {
                lost += if -grown * 8.0 < previous { -grown } else { previous };
            }
            previous = *value;
            *value += lost;
        }
    }

    #[test]
    fn resets_are_told_from_partial_ones() {
        let mut values = [5.0, 10.0, 2.0, 3.0, 100.0, 99.0, 101.0];
        remove_resets(&mut values);
        assert_eq!(values, [5.0, 10.0, 12.0, 13.0, 110.0, 110.0, 112.0]);
        remove_resets(&mut []);
    }

    #[test]
    fn chunks_give_what_single_values_give() {
        let mut state = 1_u64;
        for len in [1, 2, 63, 64, 65, 128, 129, 1_000] {
            let mut values: Vec<f64> = (0..len)
                .map(|_| {
                    state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                    match state >> 59 {
                        0 => f64::NAN,
                        1 => f64::INFINITY,
                        2 => -1.5,
                        n => (n * 10) as f64 + (state >> 40 & 7) as f64 / 8.0,
                    }
                })
                .collect();
            let mut expected = values.clone();
            one_by_one(&mut expected);
            remove_resets(&mut values);
            let bits = |values: &[f64]| values.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
            assert_eq!(bits(&values), bits(&expected), "{len} values");
        }
    }
}
