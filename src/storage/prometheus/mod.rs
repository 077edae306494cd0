//! Data of Prometheus that was staged: float samples are written as all samples are, histograms are counted.

mod block;
mod log;

use super::Storage;
use crate::archive::inventory::{BlockFiles, DataDirectory};
use crate::archive::plan::LeftOut;
use crate::error::{Error, ErrorKind, Result};
use crate::fs::FilePath;
use crate::time::TimestampMs;
use block::Block;
use log::Log;
use std::cell::Cell;

/// Bytes of a file that are read at once.
const READ_BYTES: u64 = 1 << 20;

/// Data that waits to be imported: blocks, and the log of what is in none of them.
pub struct PrometheusData {
    staging: FilePath,
    directory: DataDirectory,
}

/// Native histograms, which are not taken over.
#[derive(Default)]
struct Omitted {
    histograms: u64,
    series_with_histograms: u64,
}

impl Omitted {
    fn tell(&self, path: &str, left_out: &mut Vec<LeftOut>) {
        let Self { histograms, series_with_histograms } = self;
        if *histograms > 0 {
            let message = format!(
                "{histograms} samples of {series_with_histograms} series are native histograms, which are not taken over"
            );
            left_out.push(LeftOut { path: path.into(), message });
        }
    }
}

/// Whether to go on.
fn check_wanted(is_given_up: &Cell<bool>) -> Result<()> {
    if is_given_up.get() { Err(Error::new(ErrorKind::Aborted, "the restore was given up")) } else { Ok(()) }
}

/// What an imported block was.
#[derive(Default)]
struct Imported {
    omitted: Omitted,
    /// Behind the last timestamp of its chunks.
    end: TimestampMs,
}

impl PrometheusData {
    pub(super) fn new(staging: FilePath, directory: DataDirectory) -> Self {
        Self { staging, directory }
    }

    /// Writes all samples, and makes them durable. Tells what was not taken over.
    ///
    /// # Errors
    /// `Corrupt` with the block's name; `Invalid` when all is older than the retention; `Aborted` when it is given up; what storage says.
    pub async fn import(self, storage: &Storage, is_given_up: &Cell<bool>) -> Result<Vec<LeftOut>> {
        let Self { staging, directory } = self;
        let mut left_out = Vec::new();
        let context = &storage.context;
        let how = "open the database with a longer retention, such as retention: \"100y\"";
        let oldest = context.now().saturating_sub(storage.options.retention_ms);
        let is_over = |files: &BlockFiles| files.max_time.is_some_and(|end| end < oldest);
        if !directory.has_log() && directory.blocks.values().all(is_over) {
            let message = format!(
                "all samples in it are older than the database's retention and would be dropped at once; {how}"
            );
            return Err(Error::invalid(message));
        }
        Storage::import_begins(context).await?;
        let before = storage.ingest_counters();
        // A server that starts takes nothing from its log that is in a block already.
        let mut begin = TimestampMs::MIN;
        for (name, files) in &directory.blocks {
            let imported = Block { storage, is_given_up, dir: staging.join(name), files }.import().await;
            let Imported { omitted, end } = imported.map_err(|error| error.at(format!("block {name}")))?;
            omitted.tell(name, &mut left_out);
            if !files.is_out_of_order {
                begin = begin.max(files.max_time.unwrap_or(end));
            }
        }
        Log::new(storage, is_given_up, staging, begin, &directory.log).import(&mut left_out).await?;
        storage.sync().await?;
        Storage::import_ended(context).await?;
        let counters = storage.ingest_counters();
        let mut tell = |message| left_out.push(LeftOut { path: String::new(), message });
        let too_old = counters.rejected_too_old - before.rejected_too_old;
        if too_old > 0 {
            tell(format!("{too_old} samples are older than the database's retention; {how}"));
        }
        let too_new = counters.rejected_too_new - before.rejected_too_new;
        if too_new > 0 {
            tell(format!("{too_new} samples lie more than two days in the future, and are not stored"));
        }
        Ok(left_out)
    }
}
