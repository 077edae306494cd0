//! A binary heap of indices of inputs, whose order is told by the caller, since what is compared moves on underneath it.
//!
//! The order of equal elements is that of Go's `container/heap`: it decides in which order samples with equal timestamps come out.

/// Makes a heap of any list.
pub fn build(heap: &mut [usize], is_less: &impl Fn(usize, usize) -> bool) {
    for at in (0..heap.len() / 2).rev() {
        sink(heap, at, is_less);
    }
}

/// Moves the first element down to where it belongs, after it became greater.
pub fn fix_top(heap: &mut [usize], is_less: &impl Fn(usize, usize) -> bool) {
    sink(heap, 0, is_less);
}

/// Takes the first element out.
pub fn pop(heap: &mut Vec<usize>, is_less: &impl Fn(usize, usize) -> bool) {
    if !heap.is_empty() {
        heap.swap_remove(0);
        sink(heap, 0, is_less);
    }
}

/// The least element but the first.
pub fn second(heap: &[usize], is_less: &impl Fn(usize, usize) -> bool) -> Option<usize> {
    match *heap {
        [_, left, right, ..] => Some(if is_less(right, left) { right } else { left }),
        [_, left] => Some(left),
        _ => None,
    }
}

fn sink(heap: &mut [usize], mut at: usize, is_less: &impl Fn(usize, usize) -> bool) {
    loop {
        let mut child = 2 * at + 1;
        if child >= heap.len() {
            return;
        }
        if child + 1 < heap.len() && is_less(heap[child + 1], heap[child]) {
            child += 1;
        }
        if !is_less(heap[child], heap[at]) {
            return;
        }
        heap.swap(at, child);
        at = child;
    }
}
