//! The query languages: parsing, printing, and what each function makes of samples and rows. Tests of whole queries against stored data
//! are in `tests/it`.

mod functions;
mod models;
mod shapes;
mod small;
mod tables;
