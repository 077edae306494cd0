//! Which parts to merge (engine-behaviour §4, §4.1). Pure: sizes in, a choice out.

use crate::time::TimestampMs;
use crate::trace::event::PartClass;

/// Parts merged at once at the most.
pub const MAX_PARTS_TO_MERGE: usize = 15;
/// Fewer parts than this are not worth a final merge.
const MIN_PARTS_TO_MERGE_FINALLY: usize = 3;
/// An output must be so many times larger than its largest input, lest rows are written again and again for nothing.
const MIN_GAIN: f64 = 1.7;

/// A part as far as the choice depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PartSize {
    /// Sum of its files' sizes.
    pub bytes: u64,
    /// Its first timestamp.
    pub min_timestamp: TimestampMs,
}

/// Limits on what a merge may produce.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MergeLimits {
    /// A larger result is a big part.
    pub max_small_part_bytes: u64,
    /// The largest result of all.
    pub max_output_bytes: u64,
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

impl MergeLimits {
    /// The class of the part that parts of so many bytes together are merged into.
    pub fn output_class(&self, input_bytes: u64) -> PartClass {
        if input_bytes > self.max_small_part_bytes { PartClass::Big } else { PartClass::Small }
    }
}

/// The parts to merge among those that are in no merge, in list order; a final merge is content with fewer of them.
pub fn select(parts: &[PartSize], max_output_bytes: u64, is_final: bool) -> Choice {
    if !is_final {
        return pick(parts, MAX_PARTS_TO_MERGE, max_output_bytes);
    }
    let mut choice = Choice::default();
    for max_parts in (MIN_PARTS_TO_MERGE_FINALLY..=MAX_PARTS_TO_MERGE).rev() {
        choice = pick(parts, max_parts, max_output_bytes);
        if !choice.parts.is_empty() {
            break;
        }
    }
    choice
}

/// The best window of up to `max_parts` parts of similar size.
pub fn pick(parts: &[PartSize], max_parts: usize, max_output_bytes: u64) -> Choice {
    #[expect(clippy::cast_precision_loss, reason = "the server computes in doubles")]
    let min_gain = (max_parts as f64 / 2.0).max(MIN_GAIN);
    if parts.len() < 2 {
        return Choice { min_gain, ..Choice::default() };
    }
    // The gain is computed in doubles as the server does, so that the same parts are chosen.
    #[expect(clippy::cast_precision_loss, reason = "the server computes in doubles")]
    let max_input_bytes = (max_output_bytes as f64 / MIN_GAIN) as u64;
    let mut candidates: Vec<usize> = (0..parts.len()).filter(|&i| parts[i].bytes <= max_input_bytes).collect();
    candidates.sort_by_key(|&i| (parts[i].bytes, std::cmp::Reverse(parts[i].min_timestamp)));
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
            if gain < best_gain {
                continue;
            }
            best_gain = gain;
            best = window;
        }
    }
    // Parts of no bytes at all have a gain of NaN, which is not below the threshold: they are merged.
    if best_gain < min_gain {
        best = &[];
    }
    Choice { parts: best.to_vec(), gain: best_gain, min_gain }
}
