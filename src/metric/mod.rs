//! What a series is called, the number it goes by inside, rows of samples, and what is done to counters.

pub mod counter;
pub mod date_numbers;
pub mod filter;
pub mod name;
pub mod regex_cost;
pub mod regex_syntax;
pub mod row;
pub mod row_sort;
pub mod samples;
pub mod tsid;
