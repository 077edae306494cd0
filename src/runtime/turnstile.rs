//! Work that one job at a time may do.

use super::context::Context;
use super::signal::Signal;
use std::cell::Cell;
use std::rc::Rc;

/// Lets one job at a time through, in no fixed order.
#[derive(Debug, Default)]
pub struct Turnstile {
    taken: Rc<Cell<bool>>,
    freed: Signal,
}

impl Turnstile {
    /// Waits for its turn and goes in.
    pub async fn enter(&self, context: &Context) -> Passage {
        loop {
            let seen = self.freed.version();
            if !self.taken.replace(true) {
                return Passage { taken: self.taken.clone(), freed: self.freed.clone() };
            }
            context.changed(&self.freed, seen).await;
        }
    }
}

/// The right to be inside; dropping it lets the next one in.
pub struct Passage {
    taken: Rc<Cell<bool>>,
    freed: Signal,
}

impl Drop for Passage {
    fn drop(&mut self) {
        self.taken.set(false);
        self.freed.raise();
    }
}
