//! The cut.

use crate::module::{named_in, plain_name, read};
use crate::order::name_by_likeness;
use anyhow::{Context, Result, bail, ensure};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use walrus::ir::{UnaryOp, Value};
use walrus::{
    ConstExpr, ElementItems, ElementKind, ExportItem, FunctionBuilder, FunctionId, FunctionKind, GlobalKind, LocalId,
    Module, TableId, ValType,
};

/// The global that tells whether the rest is there.
const IS_ATTACHED: &str = "rest";

/// The rest has its own copy of a function of the core that has no more instructions: a slot would take as much room in the core.
const COPIED_INSTRUCTIONS: u64 = 30;

/// A function by its place in the module, which is the same in both copies of it.
type Place = usize;

/// Which function goes where.
struct Plan {
    /// Slots of functions of the rest that the core needs, and of the core that the rest needs, in the table of functions.
    slots_of_rest: BTreeMap<Place, u64>,
    slots_of_core: BTreeMap<Place, u64>,
}

/// Writes the two halves of `whole`, with names that begin with the place that a function should have.
pub fn split(whole: &str, deferred: &str, core: &str, rest: &str) -> Result<()> {
    let deferred = std::fs::read_to_string(deferred).with_context(|| format!("cannot read {deferred}"))?;
    let deferred: HashSet<&str> = deferred.lines().collect();
    let plan = plan(&read(whole)?, &deferred)?;
    for (mut half, path) in [(core_of(read(whole)?, &plan)?, core), (rest_of(read(whole)?, &plan)?, rest)] {
        name_by_likeness(&mut half)?;
        half.emit_wasm_file(path)?;
    }
    Ok(())
}

fn places(module: &Module) -> Vec<FunctionId> {
    module.funcs.iter().map(|function| function.id()).collect()
}

fn function_table(module: &Module) -> Result<TableId> {
    module.tables.main_function_table()?.context("the module has no table of functions")
}

fn plan(module: &Module, deferred: &HashSet<&str>) -> Result<Plan> {
    let functions = places(module);
    let place_of: HashMap<FunctionId, Place> = functions.iter().enumerate().map(|(place, id)| (*id, place)).collect();
    let local = |place: Place| match &module.funcs.get(functions[place]).kind {
        FunctionKind::Local(local) => Some(local),
        _ => None,
    };
    let is_deferred = |place: &Place| {
        local(*place).is_some() && deferred.contains(plain_name(module.funcs.get(functions[*place])).as_str())
    };
    let rest: BTreeSet<Place> = (0..functions.len()).filter(is_deferred).collect();

    let callees = |place: Place| local(place).map(named_in).unwrap_or_default().into_iter().map(|id| place_of[&id]);
    let mut entered = BTreeSet::new();
    let mut called_by_rest = Vec::new();
    for place in 0..functions.len() {
        let is_in_rest = rest.contains(&place);
        let other_half = callees(place).filter(|callee| rest.contains(callee) != is_in_rest);
        if is_in_rest { called_by_rest.extend(other_half) } else { entered.extend(other_half) }
    }
    let (mut left_for, mut seen) = (BTreeSet::new(), HashSet::new());
    while let Some(place) = called_by_rest.pop() {
        // Imports are given to both.
        let Some(function) = local(place).filter(|_| seen.insert(place)) else { continue };
        if function.size() > COPIED_INSTRUCTIONS {
            left_for.insert(place);
        } else {
            called_by_rest.extend(callees(place).filter(|callee| !rest.contains(callee)));
        }
    }
    for element in module.elements.iter() {
        match &element.items {
            ElementItems::Functions(ids) => {
                entered.extend(ids.iter().map(|id| place_of[id]).filter(|p| rest.contains(p)))
            }
            ElementItems::Expressions(..) => bail!("a table holds what is computed, which this tool does not follow"),
        }
    }
    for export in module.exports.iter() {
        if let ExportItem::Function(id) = export.item {
            entered.extend(Some(place_of[&id]).filter(|place| rest.contains(place)));
        }
    }
    if let Some(start) = module.start {
        ensure!(!rest.contains(&place_of[&start]), "the function that starts the module cannot be in the rest");
    }

    // The core's functions come first: their slots are filled before those of the rest are.
    let table = module.tables.get(function_table(module)?);
    let slots_of_core: BTreeMap<Place, u64> = left_for.into_iter().zip(table.initial..).collect();
    let slots_of_rest = entered.into_iter().zip(table.initial + slots_of_core.len() as u64..).collect();
    Ok(Plan { slots_of_rest, slots_of_core })
}

fn core_of(mut module: Module, plan: &Plan) -> Result<Module> {
    let functions = places(&module);
    let table = function_table(&module)?;
    let slots_of_core = widen(&mut module, table, plan);
    fill(&mut module, table, slots_of_core, plan.slots_of_core.keys().map(|place| functions[*place]).collect());

    let nothing = module.types.add(&[], &[]);
    let (load, _) = module.add_import_func("rest", "load", nothing);
    for (name, id) in shared(&module) {
        if is_unexported(&module, &id) {
            module.exports.add(&name, id);
        }
    }
    let is_attached = module.globals.add_local(ValType::I32, true, false, ConstExpr::Value(Value::I32(0)));
    module.exports.add(IS_ATTACHED, is_attached);
    for (place, slot) in &plan.slots_of_rest {
        replace(&mut module, functions[*place], |body| {
            body.global_get(is_attached).unop(UnaryOp::I32Eqz).if_else(
                None,
                |then| {
                    then.call(load);
                },
                |_| {},
            );
            (*slot, table)
        });
    }
    walrus::passes::gc::run(&mut module);
    Ok(module)
}

fn rest_of(mut module: Module, plan: &Plan) -> Result<Module> {
    let functions = places(&module);
    let table = function_table(&module)?;
    let slots_of_rest = widen(&mut module, table, plan) + plan.slots_of_core.len() as u64;
    module.start = None;

    // What there is one of comes from the core, under the names that the core exports it by.
    for (name, item) in shared(&module) {
        let exported = module.exports.iter().find(|export| is_same(&export.item, &item));
        let name = exported.map_or(name, |export| export.name.clone());
        match item {
            ExportItem::Memory(id) => {
                let import = module.imports.add("core", &name, id);
                let memory = module.memories.get_mut(id);
                memory.import = Some(import);
                memory.data_segments.clear();
            }
            ExportItem::Table(id) => {
                let import = module.imports.add("core", &name, id);
                let table = module.tables.get_mut(id);
                table.import = Some(import);
                table.elem_segments.clear();
            }
            ExportItem::Global(id) => {
                let import = module.imports.add("core", &name, id);
                module.globals.get_mut(id).kind = GlobalKind::Import(import);
            }
            ExportItem::Function(_) | ExportItem::Tag(_) => bail!("{name} cannot be shared"),
        }
    }
    for id in module.exports.iter().map(|export| export.id()).collect::<Vec<_>>() {
        module.exports.delete(id);
    }
    for id in module.data.iter().map(|data| data.id()).collect::<Vec<_>>() {
        module.data.delete(id);
    }
    for id in module.elements.iter().map(|element| element.id()).collect::<Vec<_>>() {
        module.elements.delete(id);
    }

    for (place, slot) in &plan.slots_of_core {
        replace(&mut module, functions[*place], |_| (*slot, table));
    }
    fill(&mut module, table, slots_of_rest, plan.slots_of_rest.keys().map(|place| functions[*place]).collect());
    let (is_attached, _) = module.add_import_global("core", IS_ATTACHED, ValType::I32, true, false);
    let mut attach = FunctionBuilder::new(&mut module.types, &[], &[]);
    attach.func_body().i32_const(1).global_set(is_attached);
    module.start = Some(attach.finish(Vec::new(), &mut module.funcs));
    walrus::passes::gc::run(&mut module);
    Ok(module)
}

/// Adds the slots of both halves to the table, and tells the first of them.
fn widen(module: &mut Module, table: TableId, plan: &Plan) -> u64 {
    let table = module.tables.get_mut(table);
    let first = table.initial;
    table.initial += (plan.slots_of_core.len() + plan.slots_of_rest.len()) as u64;
    table.maximum = table.maximum.map(|maximum| maximum.max(table.initial));
    first
}

/// What both halves use and only one can have, each with a name for where it has none.
fn shared(module: &Module) -> Vec<(String, ExportItem)> {
    let memories = module.memories.iter().map(|memory| ExportItem::Memory(memory.id()));
    let tables = module.tables.iter().map(|table| ExportItem::Table(table.id()));
    let globals = module.globals.iter().filter(|global| matches!(global.kind, GlobalKind::Local(_)));
    let globals = globals.map(|global| ExportItem::Global(global.id()));
    memories.chain(tables).chain(globals).enumerate().map(|(number, item)| (format!("rest_{number}"), item)).collect()
}

fn is_same(one: &ExportItem, other: &ExportItem) -> bool {
    match (one, other) {
        (ExportItem::Memory(one), ExportItem::Memory(other)) => one == other,
        (ExportItem::Table(one), ExportItem::Table(other)) => one == other,
        (ExportItem::Global(one), ExportItem::Global(other)) => one == other,
        _ => false,
    }
}

fn is_unexported(module: &Module, item: &ExportItem) -> bool {
    !module.exports.iter().any(|export| is_same(&export.item, item))
}

/// Puts functions into the table, from a slot on.
fn fill(module: &mut Module, table: TableId, from: u64, functions: Vec<FunctionId>) {
    let offset = ConstExpr::Value(Value::I32(from as i32));
    let element = module.elements.add(ElementKind::Active { table, offset }, ElementItems::Functions(functions));
    module.tables.get_mut(table).elem_segments.insert(element);
}

/// Makes a function one that hands its parameters on to a slot of a table, after what `first` puts in front.
fn replace(
    module: &mut Module,
    function: FunctionId,
    first: impl FnOnce(&mut walrus::InstrSeqBuilder<'_>) -> (u64, TableId),
) {
    let ty = module.funcs.get(function).ty();
    let (parameters, results) = (module.types.get(ty).params().to_vec(), module.types.get(ty).results().to_vec());
    let locals: Vec<LocalId> = parameters.iter().map(|parameter| module.locals.add(*parameter)).collect();
    let mut builder = FunctionBuilder::new(&mut module.types, &parameters, &results);
    let mut body = builder.func_body();
    let (slot, table) = first(&mut body);
    for local in &locals {
        body.local_get(*local);
    }
    body.i32_const(slot as i32).call_indirect(ty, table);
    module.funcs.get_mut(function).kind = FunctionKind::Local(builder.local_func(locals));
}
