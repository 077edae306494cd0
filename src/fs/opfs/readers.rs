//! Who reads the database beside its writer. Readers share a lock of the browser's, which tells the writer of them.

use js_sys::{Array, Function, Promise, Reflect};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;

/// The readers of a database: while there are any, files that nothing leads to any more stay for a moment, so that they come to the end
/// of what they read.
#[derive(Clone, Debug)]
pub struct Readers {
    /// The name of the lock that they hold.
    pub lock: String,
    /// How long a file stays.
    pub delay_ms: u32,
}

impl Readers {
    /// Whether anybody holds the lock. A browser that can't tell has none.
    pub(super) async fn are_there(&self) -> bool {
        self.find().await.unwrap_or(false)
    }

    async fn find(&self) -> Result<bool, JsValue> {
        let of = |object: &JsValue, key: &str| Reflect::get(object, &key.into());
        let locks = of(&of(&js_sys::global(), "navigator")?, "locks")?;
        let query: Function = of(&locks, "query")?.dyn_into()?;
        let found = JsFuture::from(query.call0(&locks)?.dyn_into::<Promise>()?).await?;
        let held: Array = of(&found, "held")?.dyn_into()?;
        let is_theirs =
            |lock: JsValue| of(&lock, "name").is_ok_and(|name| name.as_string().as_ref() == Some(&self.lock));
        Ok(held.iter().any(is_theirs))
    }
}
