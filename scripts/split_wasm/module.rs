//! What both commands do with modules.

use anyhow::{Context, Result};
use std::collections::HashSet;
use walrus::ir::{Visitor, dfs_in_order};
use walrus::{Function, FunctionId, LocalFunction, Module, ModuleConfig};

/// Reads a module from a file.
pub fn read(path: &str) -> Result<Module> {
    let mut config = ModuleConfig::new();
    config.generate_producers_section(false);
    Module::from_file_with_config(path, &config).with_context(|| format!("cannot read {path}"))
}

/// The name of a function without the hashes of crates, which change with the compiler.
pub fn plain_name(function: &Function) -> String {
    let mut name = function.name.as_deref().unwrap_or_default();
    let mut plain = String::with_capacity(name.len());
    while let Some(open) = name.find('[') {
        let (before, behind) = name.split_at(open);
        plain.push_str(before);
        let close = behind.find(']').unwrap_or(behind.len() - 1);
        let inside = &behind[1..close.max(1)];
        let is_hash = inside.len() >= 12 && inside.bytes().all(|byte| byte.is_ascii_hexdigit());
        if !is_hash {
            plain.push_str(&behind[..=close]);
        }
        name = &behind[close + 1..];
    }
    plain.push_str(name);
    plain
}

/// The functions that a function calls or takes the address of.
pub fn named_in(function: &LocalFunction) -> HashSet<FunctionId> {
    struct Found(HashSet<FunctionId>);
    impl<'instr> Visitor<'instr> for Found {
        fn visit_function_id(&mut self, function: &FunctionId) {
            self.0.insert(*function);
        }
    }
    let mut found = Found(HashSet::new());
    dfs_in_order(&mut found, function, function.entry_block());
    found.0
}
