//! The zones of the world, as the browser knows them.

use crate::query::call::TimeZones;
use js_sys::{Array, Function, Object, Reflect};
use std::cell::RefCell;
use std::collections::HashMap;
use wasm_bindgen::prelude::*;

/// No zone moves its clocks within such a span.
const QUARTER_MS: i64 = 900_000;

/// Zones that are remembered; there are some six hundred, and a dashboard has one or two.
const REMEMBERED: usize = 64;

/// Asks `Intl.DateTimeFormat`.
#[derive(Default)]
pub(super) struct BrowserZones {
    /// By zone: what formats its dates, unless it is unknown, and the last answer with the quarter of an hour it holds for.
    zones: RefCell<HashMap<String, (Option<JsValue>, Option<(i64, i64)>)>>,
}

impl TimeZones for BrowserZones {
    fn offset_seconds(&self, zone: &str, at_ms: i64) -> Option<i64> {
        let zone = if zone.is_empty() { "UTC" } else { zone };
        let mut zones = self.zones.borrow_mut();
        if zones.len() >= REMEMBERED && !zones.contains_key(zone) {
            zones.clear();
        }
        let (format, last) = zones.entry(zone.to_owned()).or_insert_with(|| (format_of(zone).ok(), None));
        let quarter = at_ms.div_euclid(QUARTER_MS);
        match *last {
            Some((known, seconds)) if known == quarter => Some(seconds),
            _ => {
                let seconds = offset_at(format.as_ref()?, at_ms)?;
                *last = Some((quarter, seconds));
                Some(seconds)
            }
        }
    }
}

/// What formats dates of a zone with their distance from GMT.
fn format_of(zone: &str) -> Result<JsValue, JsValue> {
    let class = Reflect::get(&Reflect::get(&js_sys::global(), &"Intl".into())?, &"DateTimeFormat".into())?;
    let options = Object::new();
    Reflect::set(&options, &"timeZone".into(), &zone.into())?;
    Reflect::set(&options, &"timeZoneName".into(), &"longOffset".into())?;
    let arguments = Array::of2(&"en-US".into(), &options);
    Reflect::construct(class.unchecked_ref::<Function>(), &arguments)
}

fn offset_at(format: &JsValue, at_ms: i64) -> Option<i64> {
    let method = Reflect::get(format, &"formatToParts".into()).ok()?;
    let parts = method.dyn_ref::<Function>()?.call1(format, &(at_ms as f64).into()).ok()?;
    let text = |part: &JsValue, key: &str| Reflect::get(part, &key.into()).ok()?.as_string();
    let name = Array::from(&parts).iter().find(|part| text(part, "type").as_deref() == Some("timeZoneName"))?;
    seconds_of(&text(&name, "value")?)
}

/// `GMT`, `GMT+05:30` or `GMT-00:25:21` in seconds.
fn seconds_of(name: &str) -> Option<i64> {
    let distance = name.strip_prefix("GMT")?;
    let (sign, digits) = match distance.strip_prefix('-').or_else(|| distance.strip_prefix('\u{2212}')) {
        Some(digits) => (-1, digits),
        None => (1, distance.trim_start_matches('+')),
    };
    let parts = digits.split(':').zip([3_600, 60, 1]);
    let mut seconds = 0;
    for (part, unit) in parts.filter(|(part, _)| !part.is_empty()) {
        seconds += part.parse::<i64>().ok()? * unit;
    }
    Some(sign * seconds)
}
