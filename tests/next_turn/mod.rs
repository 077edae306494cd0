//! Lets a browser's event loop go on.

use crate::fs_contract::Idle;
use wasm_bindgen_futures::JsFuture;

/// Waits for one turn of the event loop; a message is not held back for 4 ms as a timer is.
pub struct NextTurn;

impl Idle for NextTurn {
    async fn idle(&self) {
        let channel = web_sys::MessageChannel::new().expect("a channel");
        let turn = js_sys::Promise::new(&mut |resolve, _| {
            channel.port1().set_onmessage(Some(&resolve));
            channel.port2().post_message(&wasm_bindgen::JsValue::NULL).expect("a message");
        });
        JsFuture::from(turn).await.expect("a message arrives");
        channel.port1().close();
    }
}
