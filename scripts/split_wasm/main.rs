//! Cuts a module of WebAssembly in two that share one memory: the *core*, which is loaded first and works by itself, and the
//! *rest*, which is attached to it later or when one of its functions is called for the first time.
//!
//! - `split-wasm split WHOLE.wasm DEFERRED.txt CORE.wasm REST.wasm`
//! - `split-wasm instrument WHOLE.wasm INSTRUMENTED.wasm NAMES.txt` writes a module that tells which functions are called.
//!
//! `WHOLE.wasm` needs its names. `DEFERRED.txt` names the functions of the rest, one a line; a function that is not named, because
//! it is new or has another name now, stays in the core. So an old list costs bytes and nothing else.
//!
//! # What the two agree on
//!
//! Functions of the one reach those of the other through the table of functions, in slots of their own behind the compiler's.
//! In the core each function of the rest that is called from there, or whose address is taken, is a *stub*: it calls the import
//! `rest.load` while the global `rest` is 0, then the slot. The rest imports memory, tables and globals from the core's exports,
//! which are to be given to it as the module `core`; instantiating it fills the slots and sets `rest` to 1.

mod instrument;
mod module;
mod order;
mod split;

use anyhow::{Result, bail};

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["instrument", whole, instrumented, names] => instrument::instrument(whole, instrumented, names),
        ["split", whole, deferred, core, rest] => split::split(whole, deferred, core, rest),
        _ => {
            bail!("usage: split-wasm split WHOLE DEFERRED CORE REST, or split-wasm instrument WHOLE INSTRUMENTED NAMES")
        }
    }
}
