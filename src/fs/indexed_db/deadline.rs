//! Requests, transactions and promises of the browser, awaited no longer than a deadline; and timers.

use super::trouble::{Attempt, Trouble};
use js_sys::{Array, Function, Promise, Reflect};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;
use web_sys::{IdbRequest, IdbTransaction};

/// So long the browser may take for one step. Other tabs can hold up any of them: one that deletes the database and waits for
/// a third, or one that was frozen in the midst of a transaction.
const DEADLINE_MS: i32 = 10_000;

/// The result of a request; an await of it does not end the transaction.
pub(super) async fn finish(request: &IdbRequest) -> Attempt<JsValue> {
    let ended = Promise::new(&mut |resolve, reject| {
        request.set_onsuccess(Some(&resolve));
        request.set_onerror(Some(&reject));
    });
    let outcome = in_time(ended).await;
    request.set_onsuccess(None);
    request.set_onerror(None);
    match outcome {
        Ok(_) => Ok(request.result()?),
        Err(Trouble::Refused(event)) => Err(Trouble::Refused(request.error()?.map_or(event, JsValue::from))),
        Err(trouble) => Err(trouble),
    }
}

pub(super) async fn finish_transaction(transaction: &IdbTransaction) -> Attempt<()> {
    let ended = Promise::new(&mut |resolve, reject| {
        transaction.set_oncomplete(Some(&resolve));
        transaction.set_onabort(Some(&reject));
    });
    let outcome = in_time(ended).await;
    transaction.set_oncomplete(None);
    transaction.set_onabort(None);
    match outcome {
        Ok(_) => Ok(()),
        Err(Trouble::Refused(event)) => Err(transaction.error().map_or(event, JsValue::from).into()),
        Err(trouble) => Err(trouble),
    }
}

/// What a promise comes to, unless the browser takes too long.
pub(super) async fn in_time(promise: Promise) -> Attempt<JsValue> {
    // An object that nothing else resolves with.
    let late: JsValue = js_sys::Object::new().into();
    let timer = after(DEADLINE_MS, &late);
    match JsFuture::from(Promise::race(&Array::of2(&promise, &timer))).await {
        Ok(value) if value == late => Err(Trouble::Stalled),
        Ok(value) => Ok(value),
        Err(refused) => Err(Trouble::Refused(refused)),
    }
}

/// Waits.
pub(super) async fn sleep(ms: i32) {
    // It is never rejected.
    let _ = JsFuture::from(after(ms, &JsValue::UNDEFINED)).await;
}

/// A timer that ends with this value: one that is set keeps all of a database's memory, though the database was closed.
pub(super) struct Timer(JsValue);

impl Timer {
    /// Starts a timer, and a promise that resolves when it is due.
    pub(super) fn start(ms: i32) -> (Self, Promise) {
        let mut id = JsValue::UNDEFINED;
        let passed = Promise::new(&mut |resolve, _| {
            if let Some(set_timeout) = global_function("setTimeout") {
                id = set_timeout.call2(&js_sys::global(), &resolve, &ms.into()).unwrap_or_default();
            }
        });
        (Self(id), passed)
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        if let Some(clear_timeout) = global_function("clearTimeout") {
            let _ = clear_timeout.call1(&js_sys::global(), &self.0);
        }
    }
}

/// Windows and workers have it.
fn global_function(name: &str) -> Option<Function> {
    Reflect::get(&js_sys::global(), &name.into()).ok().and_then(|found| found.dyn_into::<Function>().ok())
}

/// A promise that resolves with `value` after some time.
fn after(ms: i32, value: &JsValue) -> Promise {
    Promise::new(&mut |resolve, _| {
        if let Some(set_timeout) = global_function("setTimeout") {
            let _ = set_timeout.call3(&js_sys::global(), &resolve, &ms.into(), value);
        }
    })
}
