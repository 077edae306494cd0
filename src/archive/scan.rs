//! Looks through an archive without reading what is in its parts: which files there are, and where each of them begins.

use super::place::Extent;
use super::plan::Plan;
use super::tar::{Entry, EntryKind, TarPiece, TarReader};
use super::walk::{Begun, Walk, WalkedFile};
use crate::error::{Error, ErrorKind, Result};
use crate::part::METADATA_FILE;
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
    walk: Walk,
    /// The files of data directories, by their whole paths.
    files: HashMap<String, Extent>,
    /// Where the spare files of the walk lie, by their numbers.
    spare: Vec<Extent>,
    input: Input,
}

enum Input {
    Tar(Box<TarScan>),
    /// Small files that are to be read, with the numbers of their sources, the next one last.
    Files(Vec<(u32, WalkedFile)>),
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
    coming: Option<WalkedFile>,
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
            let entry = Entry { path: path.clone(), kind: EntryKind::File, size_bytes: *size_bytes };
            // There are no links in it that lead to spare files.
            if let Begun::File(file) = scan.walk.begin(entry)? {
                small.extend(scan.take_file(file, extent)?.map(|file| (extent.source, file)));
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
            Input::Files(small) => small.last().map(|(source, file)| (*source, 0..file.size_bytes)),
        }
    }

    /// Takes the bytes that were wanted.
    ///
    /// # Errors
    /// `Corrupt` for what is no tar.
    pub fn feed(&mut self, bytes: &[u8]) -> Result<()> {
        match &mut self.input {
            Input::Files(small) => {
                let Some((_, mut file)) = small.pop() else { return Ok(()) };
                file.take(bytes);
                self.walk.end(file)
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
                    let coming = self.begin_entry(entry, extent)?;
                    let Input::Tar(tar) = &mut self.input else { return Ok(()) };
                    tar.coming = coming;
                    if tar.coming.is_none() {
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
                    if let Some(file) = &mut tar.coming {
                        file.take(content);
                    }
                }
                TarPiece::EndOfEntry => {
                    if let Some(file) = tar.coming.take() {
                        self.walk.end(file)?;
                    }
                }
            }
        }
    }

    /// Takes down an entry of a tar. The file, if its content is to be read.
    fn begin_entry(&mut self, entry: Entry, extent: Extent) -> Result<Option<WalkedFile>> {
        match self.walk.begin(entry)? {
            Begun::Passed => Ok(None),
            Begun::File(file) => self.take_file(file, extent),
            Begun::Spare(file) => {
                self.spare.push(extent);
                Ok(Some(file).filter(WalkedFile::is_looked_at))
            }
            Begun::Linked(file, number) => {
                self.files.insert(file.whole_path(), self.spare[number]);
                Ok(None)
            }
        }
    }

    /// Takes down where a file lies. The file, if its content is to be read.
    fn take_file(&mut self, file: WalkedFile, extent: Extent) -> Result<Option<WalkedFile>> {
        self.files.insert(file.whole_path(), extent);
        if file.is_looked_at() {
            return Ok(Some(file));
        }
        self.walk.end(file)?;
        Ok(None)
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
        let mut plan = self.walk.inventory().plan(next_generation).map_err(|missing| match &ended {
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
        }
        for (dir, own) in &by_dir {
            let is_kept = |kept: &String| {
                dir.strip_prefix(kept.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
            };
            if plan.transaction_dirs.iter().any(is_kept) {
                files.extend(own.iter().map(|(name, extent)| (format!("{dir}/{name}"), Content::Stored(*extent))));
            }
        }
        files.extend(plan.made_files().into_iter().map(|(path, bytes)| (path, Content::Made(bytes))));
        files.sort_by(|a, b| a.0.cmp(&b.0));
        Ok((plan, files))
    }
}
