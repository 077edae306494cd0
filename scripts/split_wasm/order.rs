//! The order of functions in a module, which means nothing to those who run it and much to those who compress it: gzip finds only
//! what was there within the last 32 KiB.

use anyhow::{Result, bail};
use std::collections::HashMap;
use walrus::Module;
use wasmparser::{Parser, Payload};

/// So many bytes in a row make two functions alike.
const RUN_BYTES: usize = 5;
/// Runs that more functions have say nothing of any of them.
const MAX_SHARED_BY: usize = 300;
/// How much likeness to the function before counts, to the one before that, and so on.
const WEIGHTS: [f64; 12] = [1.0, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.35, 0.3, 0.25, 0.2, 0.15];
/// Short functions would win by what all functions have.
const SHORT_BYTES: f64 = 30.0;

/// Puts the number of its place in front of each function's name, for wasm-opt to sort by: each behind one that it is like.
pub fn name_by_likeness(module: &mut Module) -> Result<()> {
    let emitted = module.emit_wasm();
    let mut bodies = Vec::new();
    for payload in Parser::new(0).parse_all(&emitted) {
        if let Payload::CodeSectionEntry(body) = payload? {
            bodies.push(body.as_bytes());
        }
    }
    // Read back, so that functions stand in the order in which they were written.
    let mut config = walrus::ModuleConfig::new();
    config.generate_producers_section(false);
    *module = config.parse(&emitted)?;
    let functions: Vec<_> = module.funcs.iter_local().map(|(id, _)| id).collect();
    if functions.len() != bodies.len() {
        bail!("the module has {} functions and {} bodies", functions.len(), bodies.len());
    }
    for (rank, place) in by_likeness(&bodies).into_iter().enumerate() {
        let function = module.funcs.get_mut(functions[place]);
        function.name = Some(format!("{rank:06} {}", function.name.as_deref().unwrap_or_default()));
    }
    Ok(())
}

/// The places of the bodies: the longest first, and behind each the one that shares the most rare runs with it and those before it.
fn by_likeness(bodies: &[&[u8]]) -> Vec<usize> {
    let mut having: HashMap<&[u8], Vec<usize>> = HashMap::new();
    for (place, body) in bodies.iter().enumerate() {
        for run in body.windows(RUN_BYTES) {
            let places = having.entry(run).or_default();
            if places.last() != Some(&place) {
                places.push(place);
            }
        }
    }
    having.retain(|_, places| (2..=MAX_SHARED_BY).contains(&places.len()));
    // Per body the runs that it shares, each once.
    let mut shared: Vec<Vec<&Vec<usize>>> = vec![Vec::new(); bodies.len()];
    let mut runs: Vec<_> = having.iter().collect();
    runs.sort();
    for (_, places) in runs {
        for place in places {
            shared[*place].push(places);
        }
    }

    let mut by_length: Vec<usize> = (0..bodies.len()).collect();
    by_length.sort_by_key(|place| (std::cmp::Reverse(bodies[*place].len()), *place));
    let mut by_length = by_length.into_iter();
    let mut is_taken = vec![false; bodies.len()];
    let mut order: Vec<usize> = Vec::with_capacity(bodies.len());
    let mut scores = vec![0.0; bodies.len()];
    while order.len() < bodies.len() {
        scores.fill(0.0);
        for (before, weight) in order.iter().rev().zip(WEIGHTS) {
            for places in &shared[*before] {
                let worth = weight / (places.len() as f64).sqrt();
                for place in places.iter() {
                    scores[*place] += worth;
                }
            }
        }
        let score = |place: usize| scores[place] / (bodies[place].len() as f64 + SHORT_BYTES).sqrt();
        let likest = (0..bodies.len()).filter(|place| !is_taken[*place] && scores[*place] > 0.0);
        let next = likest.max_by(|one, other| score(*one).total_cmp(&score(*other)).then(other.cmp(one)));
        let Some(next) = next.or_else(|| by_length.find(|place| !is_taken[*place])) else { break };
        is_taken[next] = true;
        order.push(next);
    }
    order
}
