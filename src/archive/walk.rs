//! The walk over the entries of an archive: which of them are files of a data directory, which of these are hard links to another,
//! and whose content is looked at. Where files lie, or are written, is for those to know who walk.

use super::inventory::{Inventory, MAX_SMALL_FILE_BYTES};
use super::place::{Located, Worth, look_at, normal};
use super::tar::{Entry, EntryKind};
use crate::error::{Error, ErrorKind, Result};
use std::collections::HashMap;

/// A file on the walk.
#[derive(Debug)]
pub struct WalkedFile {
    /// What lies above the data directory; empty, or with a slash at its end.
    pub root: String,
    /// The path below that.
    pub path: String,
    /// Length of its content.
    pub size_bytes: u64,
    /// Whether its content is to be kept; that of others is looked at alone.
    pub is_kept: bool,
    /// What has come of its content, when that is looked at.
    content: Option<Vec<u8>>,
}

impl WalkedFile {
    /// The path in the archive.
    pub fn whole_path(&self) -> String {
        format!("{}{}", self.root, self.path)
    }

    /// Whether its content is looked at.
    pub fn is_looked_at(&self) -> bool {
        self.content.is_some()
    }

    /// Some of its content has come.
    pub fn take(&mut self, bytes: &[u8]) {
        if let Some(content) = &mut self.content {
            content.extend_from_slice(bytes);
        }
    }
}

/// What an entry turns out to be.
#[derive(Debug)]
pub enum Begun {
    /// Nothing that has content which matters.
    Passed,
    /// A file of a data directory. Whoever walks hands it to [`Walk::end`]: at once, or when its content has come, if that is looked at.
    File(WalkedFile),
    /// A file of a server's own snapshot, to which the live data may be linked. These are numbered as they come, from 0 on.
    Spare(WalkedFile),
    /// A file of a data directory that is a hard link to the spare file of this number, and is taken down with that.
    Linked(WalkedFile, usize),
}

/// A file of a server's own snapshot.
#[derive(Debug)]
struct Spare {
    number: usize,
    size_bytes: u64,
    /// What a part says of itself in it.
    content: Vec<u8>,
}

/// Walks over the entries of an archive.
#[derive(Debug, Default)]
pub struct Walk {
    inventory: Inventory,
    /// By their paths. The last one of a path counts.
    spare: HashMap<String, Spare>,
    spares: usize,
}

impl Walk {
    /// What the archive holds, as far as the walk has come.
    pub fn inventory(&self) -> &Inventory {
        &self.inventory
    }

    /// An entry begins.
    ///
    /// # Errors
    /// `Limit` for what no server has.
    pub fn begin(&mut self, entry: Entry) -> Result<Begun> {
        let Entry { path, kind, size_bytes } = entry;
        self.inventory.count(&path);
        match (look_at(&path), kind) {
            (Worth::Companion, _) => self.inventory.companions += 1,
            (Worth::Leftover, _) => self.inventory.leftovers += 1,
            (Worth::Wanted(located), EntryKind::File) => return file_at(&located, size_bytes).map(Begun::File),
            (Worth::Wanted(located), EntryKind::HardLink(target)) => {
                if let Some(spare) = self.spare.get(&normal(&target)) {
                    let file = file_at(&located, spare.size_bytes)?;
                    self.inventory.add(&located, spare.size_bytes, &spare.content)?;
                    return Ok(Begun::Linked(file, spare.number));
                }
            }
            (Worth::Spare, EntryKind::File) => {
                let path = normal(&path);
                let spare = Spare { number: self.spares, size_bytes, content: Vec::new() };
                self.spare.insert(path.clone(), spare);
                self.spares += 1;
                let content = Inventory::holds_spare(&path, size_bytes).then(Vec::new);
                return Ok(Begun::Spare(WalkedFile { root: String::new(), path, size_bytes, is_kept: true, content }));
            }
            (Worth::Spare | Worth::Ignored, EntryKind::SymbolicLink(target)) => self.inventory.note_link(path, target),
            _ => {}
        }
        Ok(Begun::Passed)
    }

    /// All of a file has come that is wanted.
    ///
    /// # Errors
    /// As [`Inventory::add`]'s.
    pub fn end(&mut self, file: WalkedFile) -> Result<()> {
        let path = file.whole_path();
        let content = file.content.unwrap_or_default();
        if let Worth::Wanted(located) = look_at(&path) {
            self.inventory.add(&located, file.size_bytes, &content)?;
        } else if let Some(spare) = self.spare.get_mut(&path) {
            self.inventory.hold(&content)?;
            spare.content = content;
        }
        Ok(())
    }
}

fn file_at(located: &Located<'_>, size_bytes: u64) -> Result<WalkedFile> {
    let content = Inventory::looks_at_content(&located.place).then(Vec::new);
    let is_kept = !Inventory::reads_content(&located.place);
    let file = WalkedFile { root: located.root.clone(), path: located.path.clone(), size_bytes, is_kept, content };
    if file.is_looked_at() && size_bytes > MAX_SMALL_FILE_BYTES {
        let message = format!("{}: {size_bytes} bytes are more than such a file has", file.whole_path());
        return Err(Error::new(ErrorKind::Limit, message));
    }
    Ok(file)
}
