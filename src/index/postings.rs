//! Sorted lists of metric ids: the sets that filters are answered with.

/// Metric ids, ascending, without repetition.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Postings(Vec<u64>);

impl Postings {
    /// Sorts and removes repetitions.
    pub fn from_unsorted(mut ids: Vec<u64>) -> Self {
        if !ids.is_sorted() {
            ids.sort_unstable();
        }
        ids.dedup();
        Self(ids)
    }

    /// The ids.
    pub fn as_slice(&self) -> &[u64] {
        &self.0
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Keeps those for which `keep` holds.
    pub fn retain(&mut self, mut keep: impl FnMut(u64) -> bool) {
        self.0.retain(|&id| keep(id));
    }

    /// Keeps those that are in `other` as well.
    pub fn intersect(&mut self, other: &Self) {
        let mut rest = &other.0[..];
        self.0.retain(|&id| advance(&mut rest, id));
    }

    /// Removes those that are in `other`.
    pub fn subtract(&mut self, other: &Self) {
        let mut rest = &other.0[..];
        self.0.retain(|&id| !advance(&mut rest, id));
    }

    /// Adds those of `other`.
    pub fn union(&mut self, mut other: Self) {
        match (self.0.last(), other.0.first()) {
            (_, None) => {}
            (None, _) => *self = other,
            (Some(last), Some(first)) if last < first => self.0.append(&mut other.0),
            _ => {
                self.0.append(&mut other.0);
                // Two sorted runs, which this sort recognises.
                self.0.sort();
                self.0.dedup();
            }
        }
    }
}

/// Moves `rest` to the first id that is not less than `id`, in growing steps; tells whether it is `id`.
fn advance(rest: &mut &[u64], id: u64) -> bool {
    let mut step = 1;
    while rest.get(step).is_some_and(|&other| other < id) {
        step *= 2;
    }
    let within = &rest[step / 2..rest.len().min(step + 1)];
    let at = step / 2 + within.partition_point(|&other| other < id);
    *rest = &rest[at.min(rest.len())..];
    rest.first() == Some(&id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn they_behave_as_sets() {
        let numbers = |seed: u64, count: u64, range: u64| -> Vec<u64> {
            let mut state = seed;
            let mut next = || {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                (state >> 33) % range
            };
            (0..count).map(|_| next()).collect()
        };
        for (a, b) in [(0, 0), (0, 5), (5, 0), (1, 1), (10, 500), (500, 10), (300, 300)] {
            for range in [3, 100, 100_000] {
                let (a, b) = (numbers(1, a, range), numbers(2, b, range));
                let (set_a, set_b): (BTreeSet<u64>, BTreeSet<u64>) =
                    (a.iter().copied().collect(), b.iter().copied().collect());
                let (a, b) = (Postings::from_unsorted(a), Postings::from_unsorted(b));
                let check = |expected: BTreeSet<u64>, change: fn(&mut Postings, &Postings)| {
                    let mut result = a.clone();
                    change(&mut result, &b);
                    assert!(result.as_slice().iter().eq(expected.iter()));
                };
                check(&set_a & &set_b, Postings::intersect);
                check(&set_a - &set_b, Postings::subtract);
                check(&set_a | &set_b, |a, b| a.union(b.clone()));
            }
        }
    }
}
