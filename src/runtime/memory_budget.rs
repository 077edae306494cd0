//! One budget of bytes for all that grows with what is asked for: names that are found, samples
//! that are read, answers that wait to be taken. Who gets nothing fails with `limit`; that the memory itself runs out would end everything.

use crate::error::{Error, ErrorKind, Result};
use std::cell::Cell;
use std::rc::Rc;

/// The budget. It hangs on the context; clones are the same budget.
#[derive(Clone, Debug)]
pub struct MemoryBudget(Rc<Bytes>);

#[derive(Debug)]
struct Bytes {
    limit: Cell<u64>,
    taken: Cell<u64>,
}

impl Default for MemoryBudget {
    /// Without a limit, until one is set.
    fn default() -> Self {
        Self(Rc::new(Bytes { limit: Cell::new(u64::MAX), taken: Cell::new(0) }))
    }
}

impl MemoryBudget {
    /// How many bytes may be taken. What was taken before stays so.
    pub fn set_limit_bytes(&self, limit_bytes: u64) {
        self.0.limit.set(limit_bytes);
    }

    /// How many bytes may be taken in all.
    pub fn limit_bytes(&self) -> u64 {
        self.0.limit.get()
    }

    /// How many bytes are taken now.
    pub fn taken_bytes(&self) -> u64 {
        self.0.taken.get()
    }

    /// A share of nothing, which can grow.
    pub fn share(&self) -> MemoryShare {
        MemoryShare { budget: self.clone(), bytes: 0 }
    }

    /// A share for what exists already, whether there is room or not.
    pub fn share_of(&self, bytes: u64) -> MemoryShare {
        self.0.taken.set(self.0.taken.get().saturating_add(bytes));
        MemoryShare { budget: self.clone(), bytes }
    }
}

/// What one of those who draw from the budget has taken. It goes back when this is dropped.
#[derive(Debug)]
pub struct MemoryShare {
    budget: MemoryBudget,
    bytes: u64,
}

impl MemoryShare {
    /// Bytes of this share.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Takes more.
    ///
    /// # Errors
    /// `Limit` when the budget has not so much left; nothing is taken then.
    pub fn grow(&mut self, bytes: u64) -> Result<()> {
        let Bytes { limit, taken } = &*self.budget.0;
        let wanted = taken.get().saturating_add(bytes);
        if wanted > limit.get() {
            return Err(self.refused(bytes));
        }
        taken.set(wanted);
        self.bytes += bytes;
        Ok(())
    }

    /// Gives back all but `bytes`.
    pub fn shrink_to(&mut self, bytes: u64) {
        let back = self.bytes.saturating_sub(bytes);
        self.budget.0.taken.set(self.budget.0.taken.get().saturating_sub(back));
        self.bytes -= back;
    }

    #[cold]
    fn refused(&self, bytes: u64) -> Error {
        let Bytes { limit, taken } = &*self.budget.0;
        let others = taken.get().saturating_sub(self.bytes);
        let message = format!(
            "{bytes} more bytes of memory are needed, {} are taken here and {others} by all others, of {} in all; ask for less at \
             once: fewer series, a shorter time, or an export, which needs little",
            self.bytes,
            limit.get()
        );
        Error::new(ErrorKind::Limit, message)
    }
}

impl Drop for MemoryShare {
    fn drop(&mut self) {
        self.shrink_to(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_dropped_goes_back() {
        let budget = MemoryBudget::default();
        budget.set_limit_bytes(100);
        let (mut a, mut b) = (budget.share(), budget.share());
        a.grow(60).unwrap();
        b.grow(40).unwrap();
        assert_eq!(b.grow(1).unwrap_err().kind(), ErrorKind::Limit);
        a.shrink_to(10);
        b.grow(50).unwrap();
        drop(b);
        assert_eq!(budget.taken_bytes(), 10);
        let forced = budget.share_of(200);
        assert!(a.grow(1).is_err());
        drop((forced, a));
        assert_eq!(budget.taken_bytes(), 0);
    }
}
