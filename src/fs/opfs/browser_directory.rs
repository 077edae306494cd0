//! Directories of the origin private file system, and what the browser throws.

use crate::error::{Error, ErrorKind, Result};
use js_sys::{Function, IteratorNext, Promise, Reflect};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;
use web_sys::{FileSystemDirectoryHandle, FileSystemGetDirectoryOptions, StorageManager};

/// A page that is being reloaded lets go of its handles a moment after the new one has begun.
pub(super) const PATIENCE_MS: u32 = 750;
pub(super) const PAUSE_MS: u32 = 50;

/// The origin's own directory.
pub(in crate::fs) async fn root() -> Result<FileSystemDirectoryHandle> {
    let unsupported = |why: &str| {
        Error::new(
            ErrorKind::Unsupported,
            format!(
                "this environment has no origin private file system ({why}), as in private windows of some browsers or with storage switched off; use storage \"indexeddb\" or \"memory\""
            ),
        )
    };
    let property = |of: &JsValue, name: &str| Reflect::get(of, &name.into()).unwrap_or(JsValue::UNDEFINED);
    let storage = property(&property(&js_sys::global(), "navigator"), "storage");
    if !property(&storage, "getDirectory").is_function() {
        return Err(unsupported("navigator.storage.getDirectory is missing"));
    }
    let storage: StorageManager = storage.unchecked_into();
    let root = JsFuture::from(storage.get_directory()).await.map_err(|why| unsupported(error_of(why).message()))?;
    Ok(root.unchecked_into())
}

/// Opens a directory; makes it as well, if it is to `create` one.
pub(in crate::fs) async fn subdirectory(
    dir: &FileSystemDirectoryHandle,
    name: &str,
    create: bool,
) -> Result<FileSystemDirectoryHandle> {
    let options = FileSystemGetDirectoryOptions::new();
    options.set_create(create);
    let found = JsFuture::from(dir.get_directory_handle_with_options(name, &options)).await;
    found.map(JsCast::unchecked_into).map_err(|error| error_of(error).at(name))
}

/// The directory of a database, which is made when it is missing. While a site's data are being cleared, browsers answer for a moment that
/// what they knew of a directory has changed; it has to be asked for anew then.
pub(super) async fn home_of(directory: &str) -> Result<FileSystemDirectoryHandle> {
    let mut waited_ms = 0;
    loop {
        let found =
            async { subdirectory(&subdirectory(&root().await?, "sandglass", true).await?, directory, true).await };
        match found.await {
            Err(error) if waited_ms < PATIENCE_MS && error.message().contains("InvalidStateError") => {
                pause(PAUSE_MS).await
            }
            found => return found,
        }
        waited_ms += PAUSE_MS;
    }
}

/// The numbers of the files that are stored, sorted. Names that are no numbers are not ours.
pub(super) async fn stored_numbers(files: &FileSystemDirectoryHandle) -> Result<Vec<u64>> {
    let names = files.keys();
    let mut numbers = Vec::new();
    loop {
        let next = JsFuture::from(names.next().map_err(error_of)?).await.map_err(error_of)?;
        let next: IteratorNext = next.unchecked_into();
        if next.done() {
            break;
        }
        let name = next.value().as_string().unwrap_or_default();
        numbers.extend(name.parse::<u64>().ok().filter(|number| *number < 1 << 53 && number.to_string() == name));
    }
    numbers.sort();
    Ok(numbers)
}

pub(super) async fn pause(ms: u32) {
    let passed = Promise::new(&mut |resolve, _| {
        let set_timeout = Reflect::get(&js_sys::global(), &"setTimeout".into()).ok();
        match set_timeout.and_then(|found| found.dyn_into::<Function>().ok()) {
            Some(set_timeout) => drop(set_timeout.call2(&JsValue::UNDEFINED, &resolve, &ms.into())),
            None => drop(resolve.call0(&JsValue::UNDEFINED)),
        }
    });
    let _ = JsFuture::from(passed).await;
}

pub(super) fn half_deleted(what: String) -> Error {
    Error::corrupt(format!(
        "{what}; the browser or somebody has deleted part of the database. Nothing was changed: copy what is left if it matters, then destroy the database and fill it again"
    ))
}

/// What the browser has thrown at who holds the database or only reads it: nobody else can lock that one out for good, so that
/// `Locked` is not among it.
pub(in crate::fs) fn passing_error_of(thrown: JsValue) -> Error {
    as_passing(error_of(thrown))
}

/// The database is ours all the same, and whoever has its file may let go of it.
pub(super) fn as_passing(error: Error) -> Error {
    if error.kind() == ErrorKind::Locked { Error::new(ErrorKind::Storage, error.message()) } else { error }
}

/// What the browser has thrown.
pub(in crate::fs) fn error_of(thrown: JsValue) -> Error {
    let text = |key: &str| Reflect::get(&thrown, &key.into()).ok().and_then(|text| text.as_string());
    let name = text("name").unwrap_or_default();
    let message = text("message").unwrap_or_else(|| format!("{thrown:?}"));
    let kind = match name.as_str() {
        "QuotaExceededError" => ErrorKind::Quota,
        "NoModificationAllowedError" => ErrorKind::Locked,
        "NotFoundError" => ErrorKind::NotFound,
        "NotAllowedError" | "SecurityError" => ErrorKind::Unsupported,
        "TypeError" => ErrorKind::Invalid,
        _ => ErrorKind::Storage,
    };
    Error::new(kind, format!("OPFS: {name}: {message}"))
}
