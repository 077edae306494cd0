//! Why a call of the browser failed, and what follows from it.

use crate::error::{Error, ErrorKind};
use js_sys::Reflect;
use wasm_bindgen::prelude::*;

const STALLED: &str = "IndexedDB does not answer: another tab is deleting the database or was put to sleep while it used it; close the other tabs of this site and try again";

/// Why a call of the browser failed.
pub(super) enum Trouble {
    /// The connection is gone; a new one may do.
    Lost,
    /// The browser does not answer, most likely since another tab stands in the way. It may answer later.
    Stalled,
    Failed(Error),
    /// What the browser has thrown.
    Refused(JsValue),
}

impl Trouble {
    /// The name and the message of what was thrown.
    pub(super) fn describe(thrown: &JsValue) -> String {
        let message = Reflect::get(thrown, &"message".into()).ok().and_then(|text| text.as_string());
        format!("{}: {}", name_of(thrown), message.unwrap_or_else(|| format!("{thrown:?}")))
    }

    /// As an error of who opens or deletes a database: what stands in the way is for people to remove. Later on it is no reason
    /// to end the database, and only `Storage`.
    pub(super) fn at_opening(self) -> Error {
        match self {
            Self::Stalled => Error::new(ErrorKind::Locked, STALLED),
            trouble => trouble.into(),
        }
    }

    pub(super) fn is_want_of_room(&self) -> bool {
        match self {
            Self::Failed(error) => error.kind() == ErrorKind::Quota,
            Self::Refused(thrown) => is_want_of_room(thrown),
            Self::Lost | Self::Stalled => false,
        }
    }

    /// Whether the browser could not store a `Blob`.
    pub(super) fn is_about_blobs(&self) -> bool {
        // One that is stored and can't be read is a `NotReadableError`.
        let is_refusal = |name: &str| matches!(name, "UnknownError" | "DataCloneError");
        matches!(self, Self::Refused(thrown) if is_refusal(&name_of(thrown)) && Self::describe(thrown).contains("Blob"))
    }

    /// Whether there is no database of this name, which does not come back.
    pub(super) fn is_absence(&self) -> bool {
        matches!(self, Self::Failed(error) if error.kind() == ErrorKind::NotFound)
    }

    /// Whether a new connection may do.
    pub(super) fn is_loss(&self) -> bool {
        match self {
            Self::Lost => true,
            Self::Stalled | Self::Failed(_) => false,
            Self::Refused(thrown) => matches!(
                name_of(thrown).as_str(),
                "InvalidStateError" | "UnknownError" | "AbortError" | "TransactionInactiveError" | "NotReadableError"
            ),
        }
    }
}

impl From<Error> for Trouble {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

impl From<JsValue> for Trouble {
    fn from(thrown: JsValue) -> Self {
        Self::Refused(thrown)
    }
}

impl From<Trouble> for Error {
    fn from(trouble: Trouble) -> Self {
        let thrown = match trouble {
            Trouble::Lost => return Error::new(ErrorKind::Storage, "IndexedDB: the browser has closed the connection"),
            Trouble::Stalled => return Error::new(ErrorKind::Storage, STALLED),
            Trouble::Failed(error) => return error,
            Trouble::Refused(thrown) => thrown,
        };
        let kind = match name_of(&thrown).as_str() {
            _ if is_want_of_room(&thrown) => ErrorKind::Quota,
            // An object store is gone.
            "NotFoundError" => ErrorKind::Corrupt,
            _ => ErrorKind::Storage,
        };
        Error::new(kind, format!("IndexedDB: {}", Trouble::describe(&thrown)))
    }
}

/// Chromium has another name for it when it finds the disk full while it writes the file of a `Blob`.
fn is_want_of_room(thrown: &JsValue) -> bool {
    match name_of(thrown).as_str() {
        "QuotaExceededError" => true,
        "DataError" => Trouble::describe(thrown).contains("(IOError)"),
        _ => false,
    }
}

pub(super) type Attempt<T> = std::result::Result<T, Trouble>;

pub(super) fn name_of(thrown: &JsValue) -> String {
    Reflect::get(thrown, &"name".into()).ok().and_then(|name| name.as_string()).unwrap_or_default()
}

/// Why a writer can't go on that does not know what is stored.
pub(super) fn unknown_outcome(error: &Error) -> Error {
    let reason = format!(
        "the connection to IndexedDB was lost during a commit, of which nobody knows what has become ({}); open the database again",
        error.message()
    );
    Error::new(ErrorKind::Closed, reason)
}

/// Why nobody can go on whose database is there no more.
pub(super) fn removed() -> Error {
    let reason = "the browser has removed the database, to make room or at the user's wish, and what was stored in it is gone; open it again to begin a new one";
    Error::new(ErrorKind::Closed, reason)
}

/// Why a writer can't write any more.
pub(super) fn fenced() -> Error {
    let message = "a newer writer has taken the database over, while this one was asleep or had lost its lock; nothing that was not durable is kept. Close this database and open it again";
    Error::new(ErrorKind::Locked, message)
}
