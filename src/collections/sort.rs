//! Sorting where size counts more than speed.
//!
//! Each use of the standard library's sorts is compiled anew, at 5 to 8 KB of WebAssembly for every type and order. Here all
//! of them share one sort of numbers. Hot paths keep the standard library's.

use std::cmp::Ordering;

/// Sorts `items`; equal ones keep their order.
pub fn sort_by<T>(items: &mut [T], mut compare: impl FnMut(&T, &T) -> Ordering) {
    let mut order = order_of(items.len(), &mut |a, b| compare(&items[a], &items[b]).is_gt());
    // Each cycle of the permutation in turn; what is in place already points to itself.
    for start in 0..items.len() {
        let mut at = start;
        loop {
            let from = std::mem::replace(&mut order[at], at);
            if from == start {
                break;
            }
            items.swap(at, from);
            at = from;
        }
    }
}

/// Sorts `items` by their own order; equal ones keep theirs.
pub fn sort<T: Ord>(items: &mut [T]) {
    sort_by(items, T::cmp);
}

/// Sorts `items` by a key, which is computed for each comparison; equal ones keep their order.
pub fn sort_by_key<T, K: Ord>(items: &mut [T], mut key: impl FnMut(&T) -> K) {
    sort_by(items, |a, b| key(a).cmp(&key(b)));
}

/// Sorts `items` and drops repetitions.
pub fn sort_and_dedup<T: Ord>(items: &mut Vec<T>) {
    sort(items);
    items.dedup();
}

/// The positions `0..len` in the order that `is_greater` makes: a merge sort from the bottom up.
fn order_of(len: usize, is_greater: &mut dyn FnMut(usize, usize) -> bool) -> Vec<usize> {
    let mut from: Vec<usize> = (0..len).collect();
    let mut into = Vec::with_capacity(len);
    let mut width = 1;
    while width < len {
        into.clear();
        for pair in from.chunks(2 * width) {
            let (mut left, mut right) = pair.split_at(width.min(pair.len()));
            // What is sorted already costs one comparison a pair.
            if let (Some(&last), Some(&first)) = (left.last(), right.first())
                && is_greater(last, first)
            {
                while let (Some((&a, left_rest)), Some((&b, right_rest))) = (left.split_first(), right.split_first()) {
                    if is_greater(a, b) {
                        into.push(b);
                        right = right_rest;
                    } else {
                        into.push(a);
                        left = left_rest;
                    }
                }
            }
            into.extend_from_slice(left);
            into.extend_from_slice(right);
        }
        std::mem::swap(&mut from, &mut into);
        width *= 2;
    }
    from
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_sorts_as_the_library_does() {
        for len in [0, 1, 2, 3, 7, 8, 100, 1000] {
            let mut items: Vec<(usize, usize)> = (0..len).map(|i| (i * 7919 % 13, i)).collect();
            let mut expected = items.clone();
            expected.sort_by_key(|item| item.0);
            sort_by_key(&mut items, |item| item.0);
            assert_eq!(items, expected);
            items.reverse();
            sort(&mut items);
            expected.sort();
            assert_eq!(items, expected);
        }
    }

    #[test]
    fn repetitions_go() {
        let mut items = vec!["b", "a", "b", "c", "a"];
        sort_and_dedup(&mut items);
        assert_eq!(items, ["a", "b", "c"]);
    }
}
