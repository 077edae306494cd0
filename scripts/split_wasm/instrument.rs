//! A module that tells which of its functions are called.

use crate::module::{plain_name, read};
use anyhow::Result;
use walrus::ir::Value;
use walrus::{FunctionId, ValType};

/// A function of fewer instructions is not worth a stub.
const MIN_INSTRUCTIONS: u64 = 12;

/// Lets each function begin with a call of the import `profile.called`, to which it gives the number of its line in `names`. A
/// line is empty when the function is too small to be left out of the core.
pub fn instrument(whole: &str, instrumented: &str, names: &str) -> Result<()> {
    let mut module = read(whole)?;
    let called = module.types.add(&[ValType::I32], &[]);
    let (called, _) = module.add_import_func("profile", "called", called);
    let functions: Vec<FunctionId> = module.funcs.iter_local().map(|(id, _)| id).collect();
    let mut lines = String::new();
    for (number, id) in functions.into_iter().enumerate() {
        let function = module.funcs.get_mut(id);
        let name = plain_name(function);
        let local = function.kind.unwrap_local_mut();
        if local.size() >= MIN_INSTRUCTIONS {
            lines.push_str(&name);
        }
        lines.push('\n');
        local.builder_mut().func_body().const_at(0, Value::I32(number as i32)).call_at(1, called);
    }
    std::fs::write(names, lines)?;
    module.emit_wasm_file(instrumented)
}
