//! stub
use crate::error::Result;
use crate::query::dialect::Dialect;
use crate::query::series::{grid::Grid, labels::Labels, row::Row};
/// p
#[derive(Clone, Debug)]
pub enum Parameter {
    /// n
    Numbers(Vec<f64>),
    /// t
    Text(String),
    /// t
    Texts(Vec<String>),
}
/// s
#[derive(Default)]
pub struct Scratch;
/// c
pub struct RollupCall;
impl RollupCall {
    /// n
    pub fn new(_: &str, _: Dialect, _: Option<i64>, _: Vec<Parameter>) -> Result<Self> {
        Ok(Self)
    }
    /// l
    pub fn with_lookback(self, _: Option<i64>) -> Self {
        self
    }
    /// r
    pub fn read_range(&self, grid: &Grid) -> (i64, i64) {
        (grid.start_ms, grid.end_ms())
    }
    /// k
    pub fn keeps_name(&self) -> bool {
        false
    }
    /// r
    pub fn roll(&self, _: &Labels, _: &mut Vec<i64>, _: &mut Vec<f64>, _: &Grid, _: &mut Scratch) -> Result<Vec<Row>> {
        Ok(vec![])
    }
}
