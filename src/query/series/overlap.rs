//! Series that follow each other, such as those of a process that was started anew under another label.

/// How many instants two series may share and still count as one that goes on; a series ends a few points late.
const MAX_SHARED: usize = 2;

/// Puts the values of one column into the gaps of another if hardly both have a value anywhere. Columns of one or two points are never
/// joined, since they don't show whether one series follows the other.
pub fn merge(into: &mut [f64], from: &[f64]) -> bool {
    let shared = into.iter().zip(from).filter(|(a, b)| !a.is_nan() && !b.is_nan()).count();
    if shared > MAX_SHARED || into.len() <= 2 {
        return false;
    }
    for (value, &other) in into.iter_mut().zip(from) {
        if !other.is_nan() {
            *value = other;
        }
    }
    true
}
