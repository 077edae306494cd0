//! The clock that queries are timed with: it goes on evenly, whatever the wall clock is set to.

use crate::executor::Stopwatch;
use wasm_bindgen::prelude::*;

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(js_namespace = performance, js_name = now)]
    fn performance_now() -> f64;
}

/// `performance.now()`, which pages, workers and Node have.
pub(super) struct PerformanceClock;

impl Stopwatch for PerformanceClock {
    fn milliseconds(&self) -> f64 {
        performance_now()
    }
}
