//! Archives of data directories: looked through where they lie, and restored into a database that is then read.

use sandglass::archive::tar::{EntryKind, TarPiece, TarReader};
use sandglass::archive::{Plan, Scan};
use sandglass::engine::{Clock, Command, Config, Engine};
use sandglass::error::{Error, ErrorKind, Result};
use sandglass::fs::MemoryFileSystem;
use sandglass::time::{MAX_RETENTION_MS, TimeRange};

const BLOCK: usize = 512;
/// Where a header has its checksum, and the mark by which it is found here.
const CHECKSUM: std::ops::Range<usize> = 148..156;
const MAGIC: std::ops::Range<usize> = 257..262;

/// The cut and the tar of an input. The checksums of headers are mended, as almost no change would get behind them.
pub fn input(data: &[u8]) -> Option<(usize, Vec<u8>)> {
    let (&cut, tar) = data.split_first()?;
    let mut tar = tar.to_vec();
    for header in tar.chunks_exact_mut(BLOCK).filter(|block| &block[MAGIC] == b"ustar") {
        header[CHECKSUM].fill(b' ');
        let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
        header[CHECKSUM].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    }
    Some((tar.len() * usize::from(cut) / 256, tar))
}

/// The entries of a tar that comes in these pieces, with their content, and how it ends.
pub fn entries(pieces: &[&[u8]]) -> (Vec<(String, EntryKind, u64, Vec<u8>)>, Result<()>) {
    let mut reader = TarReader::default();
    let mut found = Vec::new();
    for mut bytes in pieces.iter().copied() {
        loop {
            match reader.read(&mut bytes) {
                Ok(None) => break,
                Ok(Some(TarPiece::Entry(entry))) => found.push((entry.path, entry.kind, entry.size_bytes, Vec::new())),
                Ok(Some(TarPiece::Content(content))) => found.last_mut().unwrap().3.extend_from_slice(content),
                Ok(Some(TarPiece::EndOfEntry)) => {}
                Err(error) => return (found, Err(error)),
            }
        }
        assert!(bytes.is_empty());
    }
    let end = reader.finish();
    (found, end)
}

/// Looks through a tar where it lies.
pub fn look(tar: &[u8]) -> Result<Plan> {
    let mut scan = Scan::of_tar(tar.len() as u64);
    let mut last = 0;
    while let Some((_, range)) = scan.wanted() {
        assert!(range.start < range.end && (last == 0 || range.start > last), "{range:?} behind {last}");
        last = range.start;
        scan.feed(&tar[range.start as usize..range.end as usize])?;
    }
    scan.finish(1).map(|(plan, _)| plan)
}

/// Restores a tar that comes in two pieces, and reads what it holds.
pub fn restore(first: &[u8], second: &[u8]) -> Result<()> {
    let config = Config { clock: Clock::Manual, retention_ms: MAX_RETENTION_MS, ..Config::new(1_800_000_000_000) };
    let (mut engine, opened) = Engine::open(Box::new(MemoryFileSystem::new()), config)?;
    engine.run(opened)?;
    let mut ask = |command| {
        let ticket = engine.send(command);
        engine.run(ticket).map(drop)
    };
    ask(Command::RestoreBegin)?;
    ask(Command::RestoreFeed { bytes: first.to_vec().into() })?;
    ask(Command::RestoreFeed { bytes: second.to_vec().into() })?;
    ask(Command::RestoreEnd)?;
    let all = "{__name__!=\"\"}";
    for command in [
        Command::Select { selector: all.into(), range: TimeRange::ALL },
        Command::LabelNames { selector: None, range: TimeRange::ALL },
        Command::ForceMerge { partition_prefix: String::new() },
        Command::Select { selector: all.into(), range: TimeRange::ALL },
        Command::Close,
    ] {
        ask(command).unwrap_or_else(|error| expect_typed(&error));
    }
    Ok(())
}

/// What is wrong with an archive is nobody's mistake here.
pub fn expect_typed(error: &Error) {
    let is_expected = matches!(
        error.kind(),
        ErrorKind::Corrupt | ErrorKind::Limit | ErrorKind::NotFound | ErrorKind::Unsupported | ErrorKind::Invalid
    );
    assert!(is_expected, "{:?}: {error}", error.kind());
}
