//! What a database remembers of how it is to be treated: retention and de-duplication belong to its data, not to whoever opens it.
//! The file lies where a server looks for nothing, and is no part of snapshots.

use super::{Storage, StorageOptions};
use crate::error::{Error, ErrorKind, Result};
use crate::fs::{Change, EntryKind, FilePath};
use crate::runtime::Context;
use crate::time::{DAY_MS, MAX_RETENTION_MS};
use crate::trace::event::Event;

/// Lines of a name, a blank and a number.
const SETTINGS_FILE: &str = "metadata/sandglass_settings";

/// What is longer was not written by us.
const MAX_FILE_BYTES: u64 = 1024;

/// What holds for the data of a database until somebody wants it otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Settings {
    retention_ms: i64,
    dedup_interval_ms: i64,
}

impl Settings {
    fn to_text(self) -> String {
        format!("retention_ms {}\ndedup_interval_ms {}\n", self.retention_ms, self.dedup_interval_ms)
    }

    /// Lines of other names are left to whoever has written them.
    fn parse(bytes: &[u8]) -> Option<Self> {
        let text = str::from_utf8(bytes).ok()?;
        let number = |name: &str| -> Option<i64> {
            let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '))?;
            line.parse().ok()
        };
        let (retention_ms, dedup_interval_ms) = (number("retention_ms")?, number("dedup_interval_ms")?);
        let is_possible = (DAY_MS..=MAX_RETENTION_MS).contains(&retention_ms) && dedup_interval_ms >= 0;
        is_possible.then_some(Self { retention_ms, dedup_interval_ms })
    }
}

/// The options with what the database remembers in the place of what was left out, and what it remembered.
///
/// # Errors
/// `Corrupt` when it can't be read and one of the two was left out; what storage says.
pub(super) async fn resolve(context: &Context, wanted: StorageOptions) -> Result<(StorageOptions, Option<Settings>)> {
    let remembered = match read(context).await {
        Err(error) if error.kind() == ErrorKind::Corrupt && wanted.gives_retention && wanted.gives_dedup_interval => {
            None
        }
        read => read?,
    };
    let mut options = wanted;
    match remembered {
        Some(remembered) => {
            if !options.gives_retention {
                options.retention_ms = remembered.retention_ms;
            }
            if !options.gives_dedup_interval {
                options.dedup_interval_ms = remembered.dedup_interval_ms;
            }
        }
        // A server's directory does not say how long its data was to be kept, so that none of it may go.
        None if !options.gives_retention && has_data(context).await? => options.retention_ms = MAX_RETENTION_MS,
        None => {}
    }
    Ok((options, remembered))
}

async fn read(context: &Context) -> Result<Option<Settings>> {
    let file = FilePath::root().join(SETTINGS_FILE);
    let entries = context.list(&file.parent()).await?;
    let Some(entry) = entries.into_iter().find(|entry| entry.name == file.name()) else { return Ok(None) };
    let unreadable = || {
        Error::corrupt(format!(
            "{SETTINGS_FILE}: expected the retention and the de-duplication interval of the database, found something else; \
             open it once with retention and dedupInterval given, which writes the file anew"
        ))
    };
    match entry.kind {
        EntryKind::File { size_bytes } if size_bytes <= MAX_FILE_BYTES => {
            let bytes = context.read(&file, 0..size_bytes).await?;
            Settings::parse(&bytes).map(Some).ok_or_else(unreadable)
        }
        _ => Err(unreadable()),
    }
}

/// Whether something was stored before.
async fn has_data(context: &Context) -> Result<bool> {
    for directory in ["indexdb", "data/small", "data/big"] {
        if !context.list(&FilePath::root().join(directory)).await?.is_empty() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// What has to be written so that the database remembers how it was opened; nothing when it does.
pub(super) fn to_be_written(options: &StorageOptions, remembered: Option<Settings>) -> Option<Change> {
    let settings = Settings { retention_ms: options.retention_ms, dedup_interval_ms: options.dedup_interval_ms };
    let is_known = options.read_only || remembered == Some(settings);
    let file = FilePath::root().join(SETTINGS_FILE);
    (!is_known).then(|| Change::Put { file, bytes: settings.to_text().into_bytes().into() })
}

/// Writes what [`to_be_written`] has said. A full storage is no hindrance, since less data may be just what it needs.
///
/// # Errors
/// What storage says, unless it is full.
pub(super) async fn write(context: &Context, change: Change) -> Result<()> {
    match context.commit(vec![change]).await {
        Err(error) if error.kind() == ErrorKind::Quota => {
            let error =
                error.at(format!("{SETTINGS_FILE} is not written; who leaves the options out gets what it says"));
            context.degraded(&error, error.to_string());
            Ok(())
        }
        written => written,
    }
}

impl Storage {
    /// Tells of a retention that is shorter than before, since data will go for it. The jobs that remove data have not begun.
    pub(super) fn tell_of_shorter_retention(&self, remembered: Option<Settings>) {
        let after_ms = self.options.retention_ms;
        let Some(before_ms) = remembered.map(|settings| settings.retention_ms).filter(|before| after_ms < *before)
        else {
            return;
        };
        let partitions = self.table.partitions();
        let going = partitions.iter().filter(|partition| partition.is_over());
        let partitions: Vec<String> = going.map(|partition| partition.name().to_string()).collect();
        let months = match &partitions[..] {
            [] => String::new(),
            partitions => format!(", and the months {} go a minute from now", partitions.join(", ")),
        };
        let message = format!(
            "the retention is {} days now and was {} days: older samples go with the next merges{months}; to keep what is still there, \
             close the database and open it with the retention it had",
            after_ms / DAY_MS,
            before_ms / DAY_MS,
        );
        self.context.announce(Event::RetentionShortened { before_ms, after_ms, partitions, message });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_come_back_and_others_are_refused() {
        let settings = Settings { retention_ms: 30 * DAY_MS, dedup_interval_ms: 15_000 };
        assert_eq!(Settings::parse(settings.to_text().as_bytes()), Some(settings));
        let with_more = format!("later 1\n{}later 2", settings.to_text());
        assert_eq!(Settings::parse(with_more.as_bytes()), Some(settings));
        for bad in [
            "",
            "retention_ms 2592000000\n",
            "dedup_interval_ms 0\n",
            "retention_ms 1\ndedup_interval_ms 0\n",
            "retention_ms 2592000000\ndedup_interval_ms -1\n",
            "retention_ms 99999999999999999999\ndedup_interval_ms 0\n",
            "retention_ms 3214080000001\ndedup_interval_ms 0\n",
            "retention_ms\ndedup_interval_ms\n",
        ] {
            assert_eq!(Settings::parse(bad.as_bytes()), None, "{bad:?}");
        }
        assert_eq!(Settings::parse(b"retention_ms 2592000000\ndedup_interval_ms 0\n\xff"), None);
    }
}
