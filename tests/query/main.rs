//! The query languages: parsing, printing, and what each function makes of samples and rows. Tests of whole queries against stored data
//! are in `tests/it`.

mod calls;
mod functions;
mod generator;
mod language;
mod models;
mod rollups;
mod shapes;
mod small;
mod tables;
