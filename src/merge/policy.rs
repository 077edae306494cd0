//! Which parts to merge, of a partition or of an index table (engine-behaviour §4, §4.1). Pure: sizes in, a choice out.

use crate::time::TimestampMs;
use std::cmp::Reverse;

/// Parts merged at once at the most.
pub const MAX_PARTS_TO_MERGE: usize = 15;
/// An output must be so many times larger than its largest input, lest rows are written again and again for nothing.
const MIN_GAIN: f64 = 1.7;

/// A part as far as the choice depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PartSize {
    /// Sum of its files' sizes.
    pub bytes: u64,
    /// Its first timestamp; of parts of an index, which have none, any that is the same for all.
    pub min_timestamp: TimestampMs,
}

/// What [`pick`] and [`select`] answer.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Choice {
    /// Indices of the parts to merge, smallest first; empty when there is nothing worth merging.
    pub parts: Vec<usize>,
    /// How many times larger than its largest input the result of the best window would be; 0 when there was no window.
    pub gain: f64,
    /// The least gain that is worth a merge.
    pub min_gain: f64,
}

/// The parts to merge among those that are in no merge, in list order. A final merge is content with fewer of them, as few as
/// `fewest_finally`; `None` is no final merge.
pub fn select(parts: &[PartSize], max_output_bytes: u64, fewest_finally: Option<usize>) -> Choice {
    let Some(fewest) = fewest_finally else {
        return pick(parts, MAX_PARTS_TO_MERGE, max_output_bytes);
    };
    let mut choice = Choice::default();
    for max_parts in (fewest..=MAX_PARTS_TO_MERGE).rev() {
        choice = pick(parts, max_parts, max_output_bytes);
        if !choice.parts.is_empty() {
            break;
        }
    }
    choice
}

/// Indices of the parts in the order in which they are looked at: small ones first, of equal ones the latest.
pub fn by_size(parts: &[PartSize]) -> Vec<usize> {
    let mut indices: Vec<usize> = (0..parts.len()).collect();
    indices.sort_by_key(|&i| (parts[i].bytes, Reverse(parts[i].min_timestamp)));
    indices
}

/// The best window of up to `max_parts` parts of similar size.
pub fn pick(parts: &[PartSize], max_parts: usize, max_output_bytes: u64) -> Choice {
    #[expect(clippy::cast_precision_loss, reason = "the server computes in doubles")]
    let min_gain = (max_parts as f64 / 2.0).max(MIN_GAIN);
    // The gain is computed in doubles as the server does, so that the same parts are chosen.
    #[expect(clippy::cast_precision_loss, reason = "the server computes in doubles")]
    let max_input_bytes = (max_output_bytes as f64 / MIN_GAIN) as u64;
    let mut candidates = by_size(parts);
    candidates.retain(|&i| parts[i].bytes <= max_input_bytes);
    let most = max_parts.min(candidates.len());
    let fewest = most.div_ceil(2).max(2);
    let mut best: &[usize] = &[];
    let mut best_gain = 0.0;
    for count in fewest..=most {
        for window in candidates.windows(count) {
            let (smallest, largest) = (parts[window[0]].bytes, parts[window[count - 1]].bytes);
            let output = window.iter().fold(0u64, |sum, &i| sum.saturating_add(parts[i].bytes));
            if smallest.saturating_mul(count as u64) < largest {
                // Too unbalanced: the largest would be rewritten for the sake of little.
                continue;
            }
            if output > max_output_bytes {
                // Later windows are larger still.
                break;
            }
            #[expect(clippy::cast_precision_loss, reason = "the server computes in doubles")]
            let gain = output as f64 / largest as f64;
            // Not `gain >= best_gain`: parts of no bytes at all make it NaN, which is to pass. Later windows win ties.
            if gain < best_gain {
                continue;
            }
            best_gain = gain;
            best = window;
        }
    }
    // NaN is not below the threshold either: such parts are merged.
    if best_gain < min_gain {
        best = &[];
    }
    Choice { parts: best.to_vec(), gain: best_gain, min_gain }
}
