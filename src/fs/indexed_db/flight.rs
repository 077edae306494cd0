//! An operation that waits for the browser: its transaction, and what becomes true when that has ended well.

use super::layout::{EPOCH, META};
use super::transaction::end;
use super::trouble::{Attempt, Trouble, fenced};
use crate::fs::directory::{CommitPlan, InodeId};
use js_sys::Function;
use std::cell::Cell;
use std::ops::Range;
use std::rc::Rc;
use wasm_bindgen::prelude::*;
use web_sys::{IdbRequest, IdbTransaction};

/// An unpublished file: how many chunks are stored, and what comes behind them.
#[derive(Default)]
pub(super) struct Growing {
    pub(super) chunks: u64,
    pub(super) tail: Vec<u8>,
}

/// An operation that waits for the browser. Its handlers live as long as it does.
pub(super) struct Flight {
    pub(super) transaction: IdbTransaction,
    pub(super) request: Option<IdbRequest>,
    pub(super) handlers: Vec<Handler>,
    pub(super) effect: Effect,
    pub(super) epoch: Rc<Cell<Epoch>>,
}

/// What a writing transaction has found of the epoch.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Epoch {
    /// Nothing yet: the transaction is not at its end.
    Unknown,
    /// This writer's, so that nothing stands in the way of its end.
    Own,
    /// That of another one.
    Others,
}

pub(super) type Handler = Closure<dyn FnMut()>;

/// What becomes true when the browser has done its part.
pub(super) enum Effect {
    Read { inode: InodeId, range: Range<u64> },
    Append { inode: InodeId, created: bool, grown: Growing },
    Commit(CommitPlan),
}

impl Flight {
    pub(super) fn new(transaction: IdbTransaction, effect: Effect) -> Self {
        Self { transaction, request: None, handlers: Vec::new(), effect, epoch: Rc::new(Cell::new(Epoch::Unknown)) }
    }

    pub(super) fn handler(&mut self, handle: impl FnMut() + 'static) -> Function {
        let closure = Handler::new(handle);
        let function = closure.as_ref().unchecked_ref::<Function>().clone();
        self.handlers.push(closure);
        function
    }

    /// Settles the operation when the transaction has ended, well or not, and lets it end well only while the epoch is the same.
    pub(super) fn settle_when_written<S: FnMut() + 'static>(
        &mut self,
        epoch: u64,
        settles: impl Fn(bool) -> S,
    ) -> Attempt<()> {
        let request = self.transaction.object_store(META)?.get(&EPOCH.into())?;
        let on_epoch = self.handler({
            let (request, transaction, found) = (request.clone(), self.transaction.clone(), self.epoch.clone());
            move || {
                // This was its last request. Both can only fail when it is at its end already.
                let _ = if request.result().ok().and_then(|stored| stored.as_f64()) == Some(epoch as f64) {
                    found.set(Epoch::Own);
                    end(&transaction)
                } else {
                    found.set(Epoch::Others);
                    transaction.abort()
                };
            }
        });
        request.set_onsuccess(Some(&on_epoch));
        self.request = Some(request);
        let on_complete = self.handler(settles(true));
        self.transaction.set_oncomplete(Some(&on_complete));
        let on_abort = self.handler(settles(false));
        self.transaction.set_onabort(Some(&on_abort));
        Ok(())
    }

    /// Why the transaction was aborted.
    pub(super) fn trouble(&self) -> Trouble {
        if self.epoch.get() == Epoch::Others {
            return Trouble::Failed(fenced());
        }
        match self.transaction.error() {
            Some(error) => JsValue::from(error).into(),
            None => Trouble::Lost,
        }
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        self.transaction.set_oncomplete(None);
        self.transaction.set_onabort(None);
        if let Some(request) = &self.request {
            request.set_onsuccess(None);
        }
    }
}
