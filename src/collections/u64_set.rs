//! A set of numbers that mostly follow one another, such as metric ids: a bitmap for each stretch of 4096 numbers.

use super::sorted_map::SortedMap;

const WORDS: usize = 64;
const STRETCH_BITS: u32 = 12;

type Bitmap = Box<[u64; WORDS]>;

/// A sorted set of `u64`, at a bit a number where numbers are dense.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct U64Set {
    /// Bitmaps by the upper bits of their numbers; none of them is empty.
    stretches: SortedMap<u64, Bitmap>,
    len: usize,
}

fn place(number: u64) -> (u64, usize, u64) {
    let low = number & ((1 << STRETCH_BITS) - 1);
    (number >> STRETCH_BITS, (low / 64) as usize, 1 << (low % 64))
}

impl U64Set {
    /// An empty set.
    pub fn new() -> Self {
        Self::default()
    }

    /// How many numbers are in the set.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether the set is empty.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Whether `number` is in the set.
    pub fn contains(&self, number: u64) -> bool {
        let (stretch, word, bit) = place(number);
        self.stretches.get(&stretch).is_some_and(|bitmap| bitmap[word] & bit != 0)
    }

    /// Adds a number. True when it was not there before.
    pub fn insert(&mut self, number: u64) -> bool {
        let (stretch, word, bit) = place(number);
        let bitmap = self.stretches.get_or_insert_with(stretch, || Box::new([0; WORDS]));
        let is_new = bitmap[word] & bit == 0;
        bitmap[word] |= bit;
        self.len += usize::from(is_new);
        is_new
    }

    /// The numbers in order.
    pub fn iter(&self) -> impl Iterator<Item = u64> + '_ {
        self.stretches.iter().flat_map(|(stretch, bitmap)| {
            bitmap.iter().enumerate().flat_map(move |(word, bits)| {
                let base = (stretch << STRETCH_BITS) + word as u64 * 64;
                std::iter::successors(Some(*bits), |bits| Some(bits & bits.wrapping_sub(1)))
                    .take_while(|bits| *bits != 0)
                    .map(move |bits| base + u64::from(bits.trailing_zeros()))
            })
        })
    }

    /// The smallest number.
    pub fn first(&self) -> Option<u64> {
        self.iter().next()
    }

    /// The greatest number.
    pub fn last(&self) -> Option<u64> {
        let (stretch, bitmap) = self.stretches.last()?;
        let word = bitmap.iter().rposition(|bits| *bits != 0)?;
        Some((stretch << STRETCH_BITS) + word as u64 * 64 + 63 - u64::from(bitmap[word].leading_zeros()))
    }

    /// Adds all numbers of `other`.
    pub fn union(&mut self, other: &Self) {
        for (stretch, bitmap) in &other.stretches {
            let into = self.stretches.get_or_insert_with(*stretch, || Box::new([0; WORDS]));
            for (into, bits) in into.iter_mut().zip(bitmap.iter()) {
                *into |= bits;
            }
        }
        self.recount();
    }

    /// Keeps the numbers that are in `other` too.
    pub fn intersect(&mut self, other: &Self) {
        self.stretches.retain(|stretch, bitmap| match other.stretches.get(stretch) {
            Some(kept) => {
                bitmap.iter_mut().zip(kept.iter()).for_each(|(bits, kept)| *bits &= kept);
                bitmap.iter().any(|bits| *bits != 0)
            }
            None => false,
        });
        self.recount();
    }

    /// Removes the numbers that are in `other`.
    pub fn subtract(&mut self, other: &Self) {
        self.stretches.retain(|stretch, bitmap| {
            if let Some(removed) = other.stretches.get(stretch) {
                bitmap.iter_mut().zip(removed.iter()).for_each(|(bits, removed)| *bits &= !removed);
            }
            bitmap.iter().any(|bits| *bits != 0)
        });
        self.recount();
    }

    /// Bytes of memory it takes, roughly.
    pub fn memory_bytes(&self) -> usize {
        self.stretches.len() * (size_of::<[u64; WORDS]>() + 4 * size_of::<u64>())
    }

    fn recount(&mut self) {
        self.len =
            self.stretches.values().flat_map(|bitmap| bitmap.iter()).map(|bits| bits.count_ones() as usize).sum();
    }
}

impl FromIterator<u64> for U64Set {
    fn from_iter<I: IntoIterator<Item = u64>>(numbers: I) -> Self {
        let mut set = Self::new();
        set.extend(numbers);
        set
    }
}

impl Extend<u64> for U64Set {
    fn extend<I: IntoIterator<Item = u64>>(&mut self, numbers: I) {
        for number in numbers {
            self.insert(number);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn it_behaves_as_the_librarys_set_does() {
        let numbers = |seed: u64, count: u64| -> Vec<u64> {
            let mut state = seed;
            (0..count)
                .map(|_| {
                    state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                    if state.is_multiple_of(3) { state >> 50 } else { u64::MAX - (state >> 52) }
                })
                .collect()
        };
        let (a, b) = (numbers(1, 5_000), numbers(2, 4_000));
        let (model_a, model_b): (BTreeSet<u64>, BTreeSet<u64>) =
            (a.iter().copied().collect(), b.iter().copied().collect());
        let (set_a, set_b): (U64Set, U64Set) = (a.into_iter().collect(), b.into_iter().collect());
        let check = |set: &U64Set, model: BTreeSet<u64>| {
            assert_eq!(set.len(), model.len());
            assert_eq!((set.first(), set.last()), (model.first().copied(), model.last().copied()));
            assert!(set.iter().eq(model.iter().copied()));
            assert!(model.iter().all(|number| set.contains(*number)));
        };
        check(&set_a, model_a.clone());
        let combined = |combine: fn(&mut U64Set, &U64Set)| {
            let mut set = set_a.clone();
            combine(&mut set, &set_b);
            set
        };
        check(&combined(U64Set::union), &model_a | &model_b);
        check(&combined(U64Set::intersect), &model_a & &model_b);
        check(&combined(U64Set::subtract), &model_a - &model_b);
        assert!(U64Set::new().is_empty() && U64Set::new().last().is_none());
    }
}
