//! Which parts of an index table to merge (engine-behaviour §4.1). Pure: sizes in, a choice out.

/// Parts merged at once at the most.
pub const MAX_PARTS_TO_MERGE: usize = 15;
/// The largest part that a merge makes, in bytes.
pub const MAX_PART_SIZE: u64 = 400_000_000_000;
/// A final merge is content with two parts.
const MIN_PARTS_TO_MERGE_FINALLY: usize = 2;
/// An output must be so many times larger than its largest input.
const MIN_GAIN: f64 = 1.7;

/// Indices of the parts to merge, smallest first, among those with a size; parts that are in a merge have none. Empty when
/// nothing is worth it.
pub fn select(sizes: &[Option<u64>], max_output: u64, is_final: bool) -> Vec<usize> {
    if !is_final {
        return pick(sizes, MAX_PARTS_TO_MERGE, max_output);
    }
    let choices = (MIN_PARTS_TO_MERGE_FINALLY..=MAX_PARTS_TO_MERGE).rev().map(|count| pick(sizes, count, max_output));
    choices.into_iter().find(|choice| !choice.is_empty()).unwrap_or_default()
}

/// The best choice of at most `max_parts` parts.
pub fn pick(sizes: &[Option<u64>], max_parts: usize, max_output: u64) -> Vec<usize> {
    let candidates = sizes.iter().flatten().count();
    if candidates < 2 {
        return Vec::new();
    }
    let limit = (max_output as f64 / MIN_GAIN) as u64;
    let mut parts: Vec<(u64, usize)> =
        sizes.iter().enumerate().filter_map(|(at, size)| Some(((*size)?, at))).filter(|part| part.0 <= limit).collect();
    parts.sort();
    let most = max_parts.min(parts.len());
    let least = most.div_ceil(2).max(2);
    let mut best: &[(u64, usize)] = &[];
    let mut best_gain = 0.0;
    for count in least..=most {
        for window in parts.windows(count) {
            let (smallest, largest) = (window[0].0, window[count - 1].0);
            // Too unbalanced: the large ones would be rewritten for the sake of the small ones.
            if smallest.saturating_mul(count as u64) < largest {
                continue;
            }
            let output = window.iter().fold(0u64, |sum, part| sum.saturating_add(part.0));
            if output > max_output {
                break;
            }
            let gain = output as f64 / largest as f64;
            // Not `gain >= best_gain`: parts without bytes make it NaN, which is to pass. Later windows win ties.
            if gain < best_gain {
                continue;
            }
            best_gain = gain;
            best = window;
        }
    }
    if best_gain < (max_parts as f64 / 2.0).max(MIN_GAIN) {
        return Vec::new();
    }
    best.iter().map(|part| part.1).collect()
}
