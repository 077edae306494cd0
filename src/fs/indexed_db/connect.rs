//! Opening a database: a connection within a deadline, and why there is none.

use super::deadline::{finish, in_time};
use super::layout::{FORMAT, LAYOUT, MARK, META, PREFIX, STORES, new_mark};
use super::trouble::{Attempt, Trouble, name_of};
use crate::error::{Error, ErrorKind, Result};
use js_sys::{Array, Function, Promise, Reflect};
use std::cell::Cell;
use std::rc::Rc;
use wasm_bindgen::prelude::*;
use web_sys::{IdbDatabase, IdbFactory};

/// `indexedDB` of the window or the worker.
pub(super) fn factory() -> Result<IdbFactory> {
    match Reflect::get(&js_sys::global(), &"indexedDB".into()) {
        Ok(found) if found.is_object() => Ok(found.unchecked_into()),
        Ok(_) => Err(kept_out("it has no IndexedDB")),
        Err(refused) => Err(kept_out(&format!("{refused:?}"))),
    }
}

fn kept_out(why: &str) -> Error {
    let what_to_do =
        "allow this site to store data, leave the private window, or open the database with storage \"memory\"";
    Error::new(ErrorKind::Unsupported, format!("this browser keeps no data for this page ({why}); {what_to_do}"))
}

/// Connects to the database of this name, and creates it if it may. `NotFound` when it would have to.
pub(super) async fn connect(name: &str, may_create: bool) -> Attempt<IdbDatabase> {
    let request =
        factory()?.open_with_u32(&format!("{PREFIX}{name}"), FORMAT).map_err(|refused| open_error(&refused))?;
    let (may_create, is_missing) = (Rc::new(Cell::new(may_create)), Rc::new(Cell::new(false)));
    let on_upgrade = Closure::<dyn FnMut()>::new({
        let (request, may_create, is_missing) = (request.clone(), may_create.clone(), is_missing.clone());
        move || {
            // Without its stores the database is of no use, and whoever looks for them says so.
            let Ok(db) = request.result().map(IdbDatabase::from) else { return };
            // There is no earlier layout, so that a database without stores is a new one.
            if may_create.get() {
                for store in STORES {
                    let _ = db.create_object_store(store);
                }
                if let Some(meta) = request.transaction().and_then(|creating| creating.object_store(META).ok()) {
                    let _ = meta.put_with_key(&FORMAT.into(), &LAYOUT.into());
                    let _ = meta.put_with_key(&new_mark(), &MARK.into());
                }
            } else if let Some(creating) = request.transaction() {
                is_missing.set(true);
                let _ = creating.abort();
            }
        }
    });
    request.set_onupgradeneeded(Some(on_upgrade.as_ref().unchecked_ref()));
    let outcome = finish(&request).await;
    let db: IdbDatabase = match outcome {
        Ok(db) => db.unchecked_into(),
        Err(Trouble::Refused(refused)) if is_version_error(&refused) => return Err(other_version(name).await.into()),
        Err(_) if is_missing.get() => {
            return Err(Error::new(ErrorKind::NotFound, format!("there is no database \"{name}\"")).into());
        }
        Err(Trouble::Refused(refused)) => return Err(open_error(&refused).into()),
        Err(trouble) => {
            // Should it be opened after all, nobody wants it any more, and it would stand in others' way.
            may_create.set(false);
            on_upgrade.forget();
            let close = Closure::once_into_js({
                let request = request.clone();
                move || request.result().map(|db| IdbDatabase::from(db).close()).unwrap_or_default()
            });
            request.set_onsuccess(Some(close.unchecked_ref()));
            return Err(trouble);
        }
    };
    let there = Reflect::get(&db, &"objectStoreNames".into()).map(|names| Array::from(&names)).unwrap_or_default();
    match STORES.iter().find(|store| !there.includes(&JsValue::from_str(store), 0)) {
        None => {
            request.set_onupgradeneeded(None);
            Ok(db)
        }
        Some(missing) => {
            db.close();
            Err(Error::corrupt(format!(
                "the database \"{name}\" has no object store {missing:?}: the browser or another program has removed a part of it. Nothing was changed; destroy(\"{name}\") begins anew"
            ))
            .into())
        }
    }
}

/// Why a browser does not open a database.
fn open_error(refused: &JsValue) -> Error {
    match name_of(refused).as_str() {
        // Sandboxed frames, storage switched off, private windows: browsers differ in the word for it.
        "SecurityError" | "InvalidStateError" | "NotAllowedError" | "NotSupportedError" => {
            kept_out(&Trouble::describe(refused))
        }
        _ => Trouble::from(refused.clone()).into(),
    }
}

fn is_version_error(refused: &JsValue) -> bool {
    name_of(refused) == "VersionError"
}

/// The version of IndexedDB's is the layout's.
async fn other_version(name: &str) -> Error {
    let version_of = |entry: JsValue| {
        let own = Reflect::get(&entry, &"name".into()).ok()?.as_string()?.strip_prefix(PREFIX)? == name;
        Reflect::get(&entry, &"version".into()).ok()?.as_f64().filter(|_| own)
    };
    let layout = listing().await.ok().and_then(|entries| entries.iter().find_map(version_of));
    other_layout(name, layout)
}

pub(super) fn other_layout(name: &str, layout: Option<f64>) -> Error {
    let layout = layout.map_or_else(|| format!("later than {FORMAT}"), |layout| layout.to_string());
    Error::new(
        ErrorKind::Unsupported,
        format!(
            "the database \"{name}\" was written by another version of this package: its layout is {layout}, this version knows {FORMAT}. Nothing was changed; open it with the version that wrote it"
        ),
    )
}

/// What `indexedDB.databases()` says; nothing where there is no such call.
pub(super) async fn listing() -> Result<Array> {
    let factory = factory()?;
    let Some(databases) =
        Reflect::get(&factory, &"databases".into()).ok().and_then(|found| found.dyn_into::<Function>().ok())
    else {
        return Ok(Array::new());
    };
    let promise = databases.call0(&factory).map_err(Trouble::from)?;
    Ok(Array::from(&in_time(Promise::resolve(&promise)).await?))
}
