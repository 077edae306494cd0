//! Looks through an archive without reading what is in its parts: which files there are, and where each of them begins.

use super::inventory::{Inventory, MAX_SMALL_FILE_BYTES};
use super::place::{Extent, Located, Worth, look_at, normal};
use super::plan::Plan;
use super::tar::{EntryKind, TarPiece, TarReader};
use crate::error::{Error, ErrorKind, Result};
use crate::index::{COMPOSITE_TIMESTAMP_FILE, CONVERTED_FILE, INDEX_DIR, generation_name};
use crate::part::{METADATA_FILE, MIN_DEDUP_INTERVAL_FILE};
use std::collections::HashMap;
use std::ops::Range;

/// Bytes of a tar that are read at once: headers, and the small files between them.
const WINDOW_BYTES: u64 = 64 << 10;

/// A file of the database that an archive stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// It lies in the archive.
    Stored(Extent),
    /// It is made here.
    Made(Vec<u8>),
}

/// Looks through an archive. Whoever drives it reads what it wants.
#[derive(Default)]
pub struct Scan {
    inventory: Inventory,
    /// The files of data directories, by their whole paths.
    files: HashMap<String, Extent>,
    /// Files of a server's own snapshots, to which the live data may be linked, and what a part says of itself in them.
    spare: HashMap<String, (Extent, Vec<u8>)>,
    input: Input,
}

enum Input {
    Tar(Box<TarScan>),
    /// Small files that are to be read, the next one last.
    Files(Vec<(String, Extent)>),
}

impl Default for Input {
    fn default() -> Self {
        Self::Files(Vec::new())
    }
}

struct TarScan {
    reader: TarReader,
    size_bytes: u64,
    /// Where the next bytes are wanted from.
    offset: u64,
    coming: Option<(String, u64, Vec<u8>)>,
    /// Why nothing behind some entry can be found.
    damage: Option<Error>,
}

impl Scan {
    /// Of one tar, not compressed.
    pub fn of_tar(size_bytes: u64) -> Self {
        let scan = TarScan { reader: TarReader::default(), size_bytes, offset: 0, coming: None, damage: None };
        Self { input: Input::Tar(Box::new(scan)), ..Self::default() }
    }

    /// Of the files of a folder, with their lengths.
    ///
    /// # Errors
    /// `Limit` for a small file that is too long.
    pub fn of_files(files: &[(String, u64)]) -> Result<Self> {
        let mut scan = Self::default();
        let mut small = Vec::new();
        for (source, (path, size_bytes)) in files.iter().enumerate() {
            let extent = Extent { source: source as u32, offset: 0, size_bytes: *size_bytes };
            scan.inventory.count(path);
            match look_at(path) {
                Worth::Companion => scan.inventory.companions += 1,
                Worth::Leftover => scan.inventory.leftovers += 1,
                Worth::Wanted(located) => {
                    if scan.take_file(&located, extent)? {
                        small.push((normal(path), extent));
                    }
                }
                Worth::Spare | Worth::Ignored => {}
            }
        }
        small.reverse();
        scan.input = Input::Files(small);
        Ok(scan)
    }

    /// The bytes that are wanted next, and of which file; nothing when all is known.
    pub fn wanted(&self) -> Option<(u32, Range<u64>)> {
        match &self.input {
            Input::Tar(tar) if tar.reader.has_ended() || tar.damage.is_some() || tar.offset >= tar.size_bytes => None,
            Input::Tar(tar) => Some((0, tar.offset..(tar.offset + WINDOW_BYTES).min(tar.size_bytes))),
            Input::Files(small) => small.last().map(|(_, extent)| (extent.source, 0..extent.size_bytes)),
        }
    }

    /// Takes the bytes that were wanted.
    ///
    /// # Errors
    /// `Corrupt` for what is no tar.
    pub fn feed(&mut self, bytes: &[u8]) -> Result<()> {
        match &mut self.input {
            Input::Files(small) => {
                let Some((path, extent)) = small.pop() else { return Ok(()) };
                if let Worth::Wanted(located) = look_at(&path) {
                    self.inventory.add(&located, extent.size_bytes, bytes)?;
                }
                Ok(())
            }
            Input::Tar(_) => self.feed_tar(bytes),
        }
    }

    fn feed_tar(&mut self, mut bytes: &[u8]) -> Result<()> {
        loop {
            let Input::Tar(tar) = &mut self.input else { return Ok(()) };
            let before = bytes.len();
            let piece = match tar.reader.read(&mut bytes) {
                Err(damage) if damage.kind() == ErrorKind::Corrupt && tar.reader.entries() > 0 => {
                    tar.damage = Some(damage);
                    return Ok(());
                }
                piece => piece?,
            };
            tar.offset += (before - bytes.len()) as u64;
            let Some(piece) = piece else { return Ok(()) };
            match piece {
                TarPiece::Entry(entry) => {
                    let extent = Extent { source: 0, offset: tar.offset, size_bytes: entry.size_bytes };
                    let is_read = self.begin_entry(entry.path, entry.kind, extent)?;
                    let Input::Tar(tar) = &mut self.input else { return Ok(()) };
                    if !is_read {
                        let skipped = tar.reader.skippable_bytes();
                        tar.reader.skip();
                        tar.offset = tar.offset.saturating_add(skipped);
                        // What lies in these bytes is passed over, or else the next ones are asked for behind it.
                        match bytes.get(skipped.min(bytes.len() as u64) as usize..) {
                            Some(rest) if skipped <= bytes.len() as u64 => bytes = rest,
                            _ => return Ok(()),
                        }
                    }
                }
                TarPiece::Content(content) => {
                    if let Some((_, _, own)) = &mut tar.coming {
                        own.extend_from_slice(content);
                    }
                }
                TarPiece::EndOfEntry => {
                    let Some((path, size_bytes, content)) = tar.coming.take() else { continue };
                    if let Worth::Wanted(located) = look_at(&path) {
                        self.inventory.add(&located, size_bytes, &content)?;
                    } else if let Some((_, spare)) = self.spare.get_mut(&path) {
                        self.inventory.hold(&content)?;
                        *spare = content;
                    }
                }
            }
        }
    }

    /// Whether the entry's content is to be read.
    fn begin_entry(&mut self, path: String, kind: EntryKind, extent: Extent) -> Result<bool> {
        self.inventory.count(&path);
        match (look_at(&path), kind) {
            (Worth::Companion, _) => self.inventory.companions += 1,
            (Worth::Leftover, _) => self.inventory.leftovers += 1,
            (Worth::Wanted(located), EntryKind::File) => {
                let is_read = self.take_file(&located, extent)?;
                if let (true, Input::Tar(tar)) = (is_read, &mut self.input) {
                    tar.coming = Some((normal(&path), extent.size_bytes, Vec::new()));
                }
                return Ok(is_read);
            }
            (Worth::Wanted(located), EntryKind::HardLink(target)) => {
                if let Some((extent, content)) = self.spare.get(&normal(&target)).cloned()
                    && self.take_file(&located, extent)?
                {
                    self.inventory.add(&located, extent.size_bytes, &content)?;
                }
            }
            (Worth::Spare, EntryKind::File) => {
                let path = normal(&path);
                let is_read = Inventory::holds_spare(&path, extent.size_bytes);
                self.spare.insert(path.clone(), (extent, Vec::new()));
                if let (true, Input::Tar(tar)) = (is_read, &mut self.input) {
                    tar.coming = Some((path, extent.size_bytes, Vec::new()));
                }
                return Ok(is_read);
            }
            (Worth::Spare | Worth::Ignored, EntryKind::SymbolicLink(target)) => {
                self.inventory.note_link(path, target);
            }
            _ => {}
        }
        Ok(false)
    }

    /// Takes a file down; whether its content is to be read.
    fn take_file(&mut self, located: &Located<'_>, extent: Extent) -> Result<bool> {
        let path = format!("{}{}", located.root, located.path);
        let is_read = Inventory::looks_at_content(&located.place);
        if is_read && extent.size_bytes > MAX_SMALL_FILE_BYTES {
            let message = format!("{path}: {} bytes are more than such a file has", extent.size_bytes);
            return Err(Error::new(ErrorKind::Limit, message));
        }
        if !is_read {
            self.inventory.add(located, extent.size_bytes, &[])?;
        }
        self.files.insert(path, extent);
        Ok(is_read)
    }

    /// All is known: what the database's files are, by path, and the plan that they come from. An archive that was cut off or is damaged
    /// gives what is whole before that place, and says so.
    ///
    /// # Errors
    /// As [`Inventory::plan`]'s.
    pub fn finish(self, next_generation: u64) -> Result<(Plan, Vec<(String, Content)>)> {
        if let Input::Tar(tar) = &self.input
            && tar.reader.entries() == 0
        {
            tar.reader.finish()?;
        }
        let ended = match &self.input {
            Input::Tar(tar) => tar.damage.clone().or_else(|| tar.reader.finish().err()),
            Input::Files(_) => None,
        };
        let mut plan = self.inventory.plan(next_generation).map_err(|missing| match &ended {
            Some(ended) => Error::new(ended.kind(), format!("{}. Until there, {}", ended.message(), missing.message())),
            None => missing,
        })?;
        if let Input::Tar(tar) = &self.input {
            if let Some(ended) = ended {
                plan.note(String::new(), ended.message());
            }
            plan.leave_out_behind(tar.size_bytes, &self.files);
        }
        let mut files = Vec::new();
        let mut by_dir: HashMap<&str, Vec<(&str, Extent)>> = HashMap::new();
        for (path, extent) in &self.files {
            let Some(path) = path.strip_prefix(plan.root.as_str()) else { continue };
            let Some((dir, name)) = path.rsplit_once('/') else { continue };
            by_dir.entry(dir).or_default().push((name, *extent));
        }
        for part in &plan.parts {
            for (name, extent) in by_dir.get(part.from.as_str()).into_iter().flatten() {
                if !(part.puts_dedup_interval && *name == METADATA_FILE) {
                    files.push((format!("{}/{name}", part.to), Content::Stored(*extent)));
                }
            }
            if let (Some(header), true) = (&part.header, part.puts_dedup_interval) {
                let text = header.min_dedup_interval_text();
                files.push((format!("{}/{MIN_DEDUP_INTERVAL_FILE}", part.to), Content::Made(text.into())));
            }
        }
        for (dir, own) in &by_dir {
            let is_kept = |kept: &String| {
                dir.strip_prefix(kept.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
            };
            if plan.transaction_dirs.iter().any(is_kept) {
                files.extend(own.iter().map(|(name, extent)| (format!("{dir}/{name}"), Content::Stored(*extent))));
            }
        }
        for generation in plan.generations {
            let file = format!("{INDEX_DIR}/{}/{CONVERTED_FILE}", generation_name(generation));
            files.push((file, Content::Made(b"ok".to_vec())));
        }
        if let Some(bytes) = &plan.composite_timestamp {
            files.push((COMPOSITE_TIMESTAMP_FILE.into(), Content::Made(bytes.clone())));
        }
        files.sort_by(|a, b| a.0.cmp(&b.0));
        Ok((plan, files))
    }
}
