//! An open connection.

use super::flight::Handler;
use wasm_bindgen::prelude::*;
use web_sys::IdbDatabase;

/// An open connection with its two handlers.
pub(super) struct Connection {
    pub(super) db: IdbDatabase,
    _handlers: [Handler; 2],
}

impl Connection {
    /// `when_closed` is called when the browser has closed it, `when_in_the_way` when somebody waits for its end; it is closed then.
    pub(super) fn new(
        db: IdbDatabase,
        when_closed: impl FnMut() + 'static,
        mut when_in_the_way: impl FnMut() + 'static,
    ) -> Self {
        let on_close = Handler::new(when_closed);
        let on_version_change = Handler::new({
            let db = db.clone();
            move || {
                // Transactions under way still end well.
                db.close();
                when_in_the_way();
            }
        });
        db.set_onclose(Some(on_close.as_ref().unchecked_ref()));
        db.set_onversionchange(Some(on_version_change.as_ref().unchecked_ref()));
        Self { db, _handlers: [on_close, on_version_change] }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.db.set_onclose(None);
        self.db.set_onversionchange(None);
        self.db.close();
    }
}
