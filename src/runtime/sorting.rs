//! Sorting that is accounted for: names of some hundred thousand series take longer than a slice may last.

use super::context::Context;
use std::cmp::Ordering;

/// Items that are sorted, or merged, at once.
const RUN: usize = 256;
/// Work that one comparison takes: texts in memory of their own.
const COMPARISON_UNITS: u64 = 4;

/// The items in order; equal ones keep theirs. Others get their turns meanwhile.
pub async fn sorted_by<T>(context: &Context, items: Vec<T>, compare: impl Fn(&T, &T) -> Ordering) -> Vec<T> {
    let mut in_order = 0;
    for pair in items.windows(2) {
        if compare(&pair[0], &pair[1]).is_gt() {
            break;
        }
        in_order += 1;
        if in_order % RUN == 0 {
            context.spend(RUN as u64 * COMPARISON_UNITS).await;
        }
    }
    if in_order + 1 >= items.len() {
        return items;
    }
    let mut runs: Vec<Vec<T>> = Vec::with_capacity(items.len() / RUN + 1);
    let mut items = items.into_iter();
    loop {
        let mut run: Vec<T> = items.by_ref().take(RUN).collect();
        if run.is_empty() {
            break;
        }
        run.sort_by(&compare);
        context.spend((RUN * 8) as u64 * COMPARISON_UNITS).await;
        runs.push(run);
    }
    while runs.len() > 1 {
        let mut merged = Vec::with_capacity(runs.len() / 2 + 1);
        let mut pairs = runs.into_iter();
        while let Some(left) = pairs.next() {
            merged.push(match pairs.next() {
                Some(right) => merge(context, left, right, &compare).await,
                None => left,
            });
        }
        runs = merged;
    }
    runs.pop().unwrap_or_default()
}

async fn merge<T>(context: &Context, left: Vec<T>, right: Vec<T>, compare: &impl Fn(&T, &T) -> Ordering) -> Vec<T> {
    let mut merged = Vec::with_capacity(left.len() + right.len());
    let (mut left, mut right) = (left.into_iter().peekable(), right.into_iter().peekable());
    while let (Some(a), Some(b)) = (left.peek(), right.peek()) {
        let is_right_first = compare(a, b).is_gt();
        merged.extend(if is_right_first { right.next() } else { left.next() });
        if merged.len() % RUN == 0 {
            context.spend(RUN as u64 * COMPARISON_UNITS).await;
        }
    }
    merged.extend(left);
    merged.extend(right);
    merged
}
