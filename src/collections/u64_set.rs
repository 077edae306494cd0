//! A set of numbers that mostly follow one another, such as metric ids: for each stretch of 4096 numbers a bitmap, or
//! the few that there are.

use super::sorted_map::SortedMap;

const WORDS: usize = 64;
const STRETCH_BITS: u32 = 12;
/// So many numbers of a stretch are listed one by one; a bitmap would take more.
const FEW: usize = 7;

type Bitmap = [u64; WORDS];

/// The numbers of one stretch, as their offsets in it; never none.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Stretch {
    /// Up to [`FEW`] offsets in order; what is behind `len` is 0.
    Few { len: u8, offsets: [u16; FEW] },
    /// A bit for each offset.
    Many(Box<Bitmap>),
}

impl Stretch {
    const EMPTY: Self = Self::Few { len: 0, offsets: [0; FEW] };

    fn few(&self) -> &[u16] {
        match self {
            Self::Few { len, offsets } => &offsets[..usize::from(*len)],
            Self::Many(_) => &[],
        }
    }

    fn contains(&self, offset: u16) -> bool {
        match self {
            Self::Few { .. } => self.few().contains(&offset),
            Self::Many(bitmap) => bitmap[usize::from(offset / 64)] & (1 << (offset % 64)) != 0,
        }
    }

    fn insert(&mut self, offset: u16) -> bool {
        if self.contains(offset) {
            return false;
        }
        match self {
            Self::Few { len, offsets } if usize::from(*len) < FEW => {
                let at = offsets[..usize::from(*len)].partition_point(|other| *other < offset);
                offsets.copy_within(at..usize::from(*len), at + 1);
                offsets[at] = offset;
                *len += 1;
            }
            Self::Few { .. } => {
                let mut bitmap = self.bitmap();
                set(&mut bitmap, offset);
                *self = Self::Many(Box::new(bitmap));
            }
            Self::Many(bitmap) => set(bitmap, offset),
        }
        true
    }

    fn bitmap(&self) -> Bitmap {
        match self {
            Self::Few { .. } => {
                let mut bitmap = [0; WORDS];
                self.few().iter().for_each(|offset| set(&mut bitmap, *offset));
                bitmap
            }
            Self::Many(bitmap) => **bitmap,
        }
    }

    /// In whichever form is right for it; `None` when nothing is in it.
    fn of(bitmap: &Bitmap) -> Option<Self> {
        let len = count(bitmap);
        if len == 0 {
            return None;
        }
        if len > FEW {
            return Some(Self::Many(Box::new(*bitmap)));
        }
        let mut few = Self::EMPTY;
        for offset in offsets_of(bitmap) {
            few.insert(offset);
        }
        Some(few)
    }

    fn len(&self) -> usize {
        match self {
            Self::Few { len, .. } => usize::from(*len),
            Self::Many(bitmap) => count(bitmap),
        }
    }

    fn offsets(&self) -> impl Iterator<Item = u16> + '_ {
        let bitmap = match self {
            Self::Few { .. } => None,
            Self::Many(bitmap) => Some(&**bitmap),
        };
        self.few().iter().copied().chain(bitmap.into_iter().flat_map(offsets_of))
    }

    fn last(&self) -> u16 {
        match self {
            Self::Few { .. } => self.few().last().copied().unwrap_or(0),
            Self::Many(bitmap) => bitmap.iter().rposition(|bits| *bits != 0).map_or(0, |word| {
                let bit = 63 - bitmap[word].leading_zeros();
                (word as u32 * 64 + bit) as u16
            }),
        }
    }
}

fn set(bitmap: &mut Bitmap, offset: u16) {
    bitmap[usize::from(offset / 64)] |= 1 << (offset % 64);
}

fn count(bitmap: &Bitmap) -> usize {
    bitmap.iter().map(|bits| bits.count_ones() as usize).sum()
}

fn offsets_of(bitmap: &Bitmap) -> impl Iterator<Item = u16> + '_ {
    bitmap.iter().enumerate().flat_map(|(word, bits)| {
        std::iter::successors(Some(*bits), |bits| Some(bits & bits.wrapping_sub(1)))
            .take_while(|bits| *bits != 0)
            .map(move |bits| (word as u32 * 64 + bits.trailing_zeros()) as u16)
    })
}

/// A sorted set of `u64`, at a bit a number where numbers are dense, at some 32 bytes a number where each is far from the next.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct U64Set {
    /// The numbers by their upper bits.
    stretches: SortedMap<u64, Stretch>,
    len: usize,
}

fn place(number: u64) -> (u64, u16) {
    (number >> STRETCH_BITS, (number & ((1 << STRETCH_BITS) - 1)) as u16)
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
        let (stretch, offset) = place(number);
        self.stretches.get(&stretch).is_some_and(|stretch| stretch.contains(offset))
    }

    /// Adds a number. True when it was not there before.
    pub fn insert(&mut self, number: u64) -> bool {
        let (stretch, offset) = place(number);
        let is_new = self.stretches.get_or_insert_with(stretch, || Stretch::EMPTY).insert(offset);
        self.len += usize::from(is_new);
        is_new
    }

    /// The numbers in order.
    pub fn iter(&self) -> impl Iterator<Item = u64> + '_ {
        self.stretches.iter().flat_map(|(upper, stretch)| {
            stretch.offsets().map(move |offset| (upper << STRETCH_BITS) + u64::from(offset))
        })
    }

    /// The smallest number.
    pub fn first(&self) -> Option<u64> {
        self.iter().next()
    }

    /// The greatest number.
    pub fn last(&self) -> Option<u64> {
        let (upper, stretch) = self.stretches.last()?;
        Some((upper << STRETCH_BITS) + u64::from(stretch.last()))
    }

    /// Adds all numbers of `other`.
    pub fn union(&mut self, other: &Self) {
        for (upper, stretch) in &other.stretches {
            let into = self.stretches.get_or_insert_with(*upper, || Stretch::EMPTY);
            match stretch {
                Stretch::Few { .. } => stretch.few().iter().for_each(|offset| {
                    into.insert(*offset);
                }),
                Stretch::Many(added) => {
                    let mut bitmap = into.bitmap();
                    bitmap.iter_mut().zip(added.iter()).for_each(|(bits, added)| *bits |= added);
                    *into = Stretch::Many(Box::new(bitmap));
                }
            }
        }
        self.recount();
    }

    /// Keeps the numbers that are in `other` too.
    pub fn intersect(&mut self, other: &Self) {
        self.combine(|upper, bits| match other.stretches.get(upper) {
            Some(kept) => bits.iter_mut().zip(kept.bitmap()).for_each(|(bits, kept)| *bits &= kept),
            None => bits.fill(0),
        });
    }

    /// Removes the numbers that are in `other`.
    pub fn subtract(&mut self, other: &Self) {
        self.combine(|upper, bits| {
            if let Some(removed) = other.stretches.get(upper) {
                bits.iter_mut().zip(removed.bitmap()).for_each(|(bits, removed)| *bits &= !removed);
            }
        });
    }

    fn combine(&mut self, mut change: impl FnMut(&u64, &mut Bitmap)) {
        self.stretches.retain(|upper, stretch| {
            let mut bitmap = stretch.bitmap();
            change(upper, &mut bitmap);
            match Stretch::of(&bitmap) {
                Some(left) => *stretch = left,
                None => return false,
            }
            true
        });
        self.recount();
    }

    /// Bytes of memory it takes, roughly.
    pub fn memory_bytes(&self) -> usize {
        let bitmaps = self.stretches.values().filter(|stretch| matches!(stretch, Stretch::Many(_))).count();
        self.stretches.len() * (size_of::<u64>() + size_of::<Stretch>()) + bitmaps * size_of::<Bitmap>()
    }

    fn recount(&mut self) {
        self.len = self.stretches.values().map(Stretch::len).sum();
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

    #[test]
    fn numbers_far_apart_take_memory_by_their_number() {
        let set: U64Set = (0..100_000).map(|n| n * 4_096 + n % 3).collect();
        assert_eq!((set.len(), set.last()), (100_000, Some(99_999 * 4_096)));
        assert!(set.memory_bytes() < 100_000 * 40, "{}", set.memory_bytes());
        assert!(set.iter().is_sorted() && set.contains(4_097) && !set.contains(4_098));
        let mut rest = set.clone();
        rest.subtract(&(0..50_000).map(|n| n * 4_096 + n % 3).collect());
        assert_eq!((rest.len(), rest.first()), (50_000, Some(50_000 * 4_096 + 2)));
    }
}
