//! Hostile and heavy inputs: each ends in a typed error or a right answer, in its time and its memory, a slice at a time.

mod alternatives;
mod archive;
mod budget;
mod killed;
mod mutate;
mod mutations;
mod parts;
mod slices;
#[allow(dead_code)]
#[path = "../it/support.rs"]
mod support;
mod time;
