//! Transactions, and what is written in them.

use super::layout::{META, ended_key};
use super::trouble::Attempt;
use js_sys::{Array, Function, Reflect};
use wasm_bindgen::prelude::*;
use web_sys::{IdbDatabase, IdbTransaction};

/// What a transaction is for. A durable one is on disk when it completes.
#[derive(Clone, Copy)]
pub(super) enum Access {
    Read,
    Write,
    WriteDurably,
}

/// `db.transaction(stores, mode, { durability })`; web-sys has it without durability only. Older browsers ignore that.
pub(super) fn transaction(
    db: &IdbDatabase,
    stores: &[&str],
    access: Access,
) -> std::result::Result<IdbTransaction, JsValue> {
    let names: Array = stores.iter().map(|store| JsValue::from_str(store)).collect();
    let (mode, durability) = match access {
        Access::Read => ("readonly", "default"),
        Access::Write => ("readwrite", "relaxed"),
        Access::WriteDurably => ("readwrite", "strict"),
    };
    let options = js_sys::Object::new();
    Reflect::set(&options, &"durability".into(), &durability.into())?;
    let function: Function = Reflect::get(db, &"transaction".into())?.dyn_into()?;
    function.call3(db, &names, &mode.into(), &options)?.dyn_into()
}

/// Lets a transaction that has made all its requests come to its end. It would wait for this tab to look at each answer else, and all
/// that need the same stores with it, however long the tab is put to sleep.
#[expect(deprecated, reason = "an early draft had no such method; all browsers with wasm SIMD have it")]
pub(super) fn end(transaction: &IdbTransaction) -> std::result::Result<(), JsValue> {
    transaction.commit()
}

/// Lets a transaction that has made all its requests come to its end, unless the writer of this epoch has a successor: the browser
/// refuses to add what is there, and all of the transaction with it, whoever looks or does not.
pub(super) fn end_if_not_ended(transaction: &IdbTransaction, epoch: u64) -> std::result::Result<(), JsValue> {
    let meta = transaction.object_store(META)?;
    meta.add_with_key(&1.into(), &ended_key(epoch))?;
    meta.delete(&ended_key(epoch))?;
    end(transaction)
}

/// Undoes a transaction that was not put together as a whole. What there is of it would come to its end by itself else.
pub(super) fn unless_failed<T>(transaction: &IdbTransaction, outcome: Attempt<T>) -> Attempt<T> {
    if outcome.is_err() {
        // It can only fail when the transaction is at its end already.
        let _ = transaction.abort();
    }
    outcome
}

/// One step of a transaction.
pub(super) struct Write {
    pub(super) store: &'static str,
    /// One key, or a range of keys of what is removed.
    pub(super) key: JsValue,
    /// Absent when it is removed.
    pub(super) value: Option<JsValue>,
}

impl Write {
    pub(super) fn put(store: &'static str, key: JsValue, value: JsValue) -> Self {
        Self { store, key, value: Some(value) }
    }

    pub(super) fn delete(store: &'static str, key: JsValue) -> Self {
        Self { store, key, value: None }
    }

    pub(super) fn carry_out(&self, transaction: &IdbTransaction) -> std::result::Result<(), JsValue> {
        let store = transaction.object_store(self.store)?;
        match &self.value {
            Some(value) => store.put_with_key(value, &self.key).map(drop),
            None => store.delete(&self.key).map(drop),
        }
    }
}
