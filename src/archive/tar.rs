//! A tar as it is read piece by piece: headers and extensions by the `tar` crate, which knows the dialects; the walk over them is
//! ours, since bytes come when they come and nobody may wait for them here.

use crate::error::{Error, ErrorKind, Result};
use tar::{EntryType, Header, PaxExtensions};

const BLOCK: usize = 512;

/// Long names and the like; no path is longer.
const MAX_EXTENSION_BYTES: u64 = 1 << 20;

/// What an entry is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EntryKind {
    /// A file with its content.
    File,
    /// The same file as an earlier entry, of this path.
    HardLink(String),
    /// Says where something else lies.
    SymbolicLink(String),
    /// A directory, a device and whatever else has no content for us.
    Other,
}

/// One entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its path, as it is written.
    pub path: String,
    /// File, link or something else.
    pub kind: EntryKind,
    /// Length of its content.
    pub size_bytes: u64,
}

/// What comes next in a tar.
#[derive(Debug, PartialEq, Eq)]
pub enum TarPiece<'a> {
    /// An entry begins; its content follows.
    Entry(Entry),
    /// Some of the content of the last entry.
    Content(&'a [u8]),
    /// All content of the last entry that is a file has come.
    EndOfEntry,
}

/// Where the reader stands.
#[derive(Debug)]
enum State {
    Header,
    Content { is_file: bool },
    EndOfFile,
    Extension { kind: Extension },
    Ended,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Extension {
    LongName,
    LongLink,
    Pax,
    /// Of no interest here.
    Other,
}

/// Reads a tar from pieces of any size.
#[derive(Debug)]
pub struct TarReader {
    state: State,
    /// A header or an extension that has not come as a whole.
    collected: Vec<u8>,
    content_left: u64,
    padding_left: u64,
    entries: u64,
    long_name: Option<String>,
    long_link: Option<String>,
    pax_size: Option<u64>,
}

impl Default for TarReader {
    fn default() -> Self {
        Self {
            state: State::Header,
            collected: Vec::new(),
            content_left: 0,
            padding_left: 0,
            entries: 0,
            long_name: None,
            long_link: None,
            pax_size: None,
        }
    }
}

impl TarReader {
    /// The next piece in `bytes`, which are moved on; `None` when more are wanted.
    ///
    /// # Errors
    /// `Corrupt` for what is no tar.
    pub fn read<'a>(&mut self, bytes: &mut &'a [u8]) -> Result<Option<TarPiece<'a>>> {
        loop {
            match self.state {
                State::Ended => {
                    *bytes = &[];
                    return Ok(None);
                }
                State::Content { is_file } => {
                    if self.content_left > 0 {
                        if bytes.is_empty() {
                            return Ok(None);
                        }
                        let content = take(bytes, self.content_left);
                        self.content_left -= content.len() as u64;
                        if is_file {
                            return Ok(Some(TarPiece::Content(content)));
                        }
                        continue;
                    }
                    self.state = if is_file { State::EndOfFile } else { State::Header };
                }
                State::EndOfFile => {
                    self.state = State::Header;
                    return Ok(Some(TarPiece::EndOfEntry));
                }
                State::Header | State::Extension { .. } if self.padding_left > 0 => {
                    let padding = take(bytes, self.padding_left);
                    self.padding_left -= padding.len() as u64;
                    if self.padding_left > 0 {
                        return Ok(None);
                    }
                }
                State::Header => {
                    let missing = BLOCK - self.collected.len();
                    self.collected.extend_from_slice(take(bytes, missing as u64));
                    if self.collected.len() < BLOCK {
                        return Ok(None);
                    }
                    if let Some(entry) = self.header()? {
                        return Ok(Some(TarPiece::Entry(entry)));
                    }
                }
                State::Extension { kind } => {
                    let content = take(bytes, self.content_left);
                    self.collected.extend_from_slice(content);
                    self.content_left -= content.len() as u64;
                    if self.content_left > 0 {
                        return Ok(None);
                    }
                    self.extension(kind);
                    self.state = State::Header;
                }
            }
        }
    }

    /// Bytes of content that come before the next header, padding included, and may be left out with [`TarReader::skip`].
    pub fn skippable_bytes(&self) -> u64 {
        match self.state {
            State::Content { .. } => self.content_left.saturating_add(self.padding_left),
            _ => 0,
        }
    }

    /// Goes on with the next header: the caller does not hand in the content of the last entry.
    pub fn skip(&mut self) {
        if let State::Content { .. } = self.state {
            self.content_left = 0;
            self.padding_left = 0;
            self.state = State::Header;
        }
    }

    /// How many entries have come.
    pub fn entries(&self) -> u64 {
        self.entries
    }

    /// Whether the mark at the end has come.
    pub fn has_ended(&self) -> bool {
        matches!(self.state, State::Ended)
    }

    /// Checks that all has come.
    ///
    /// # Errors
    /// `Corrupt` for a tar that was cut off.
    pub fn finish(&self) -> Result<()> {
        if self.has_ended() || (self.entries == 0 && self.collected.is_empty() && matches!(self.state, State::Header)) {
            return Ok(());
        }
        if self.entries == 0 {
            return Err(no_tar(0, looks_like(&self.collected).unwrap_or("it is shorter than the shortest one")));
        }
        Err(Error::corrupt(format!(
            "the tar ends without the mark at its end, behind {} entries: it was cut off; pack it or fetch it again",
            self.entries
        )))
    }

    /// Looks at a header; nothing when it describes no entry.
    fn header(&mut self) -> Result<Option<Entry>> {
        let block = std::mem::take(&mut self.collected);
        if block.iter().all(|byte| *byte == 0) {
            self.state = State::Ended;
            return Ok(None);
        }
        let header = Header::from_byte_slice(&block);
        check_sum(header, &block, self.entries)?;
        let size = match self.pax_size {
            Some(size) => size,
            None => header
                .entry_size()
                .map_err(|_| no_tar(self.entries, "there is no number where a header has its size"))?,
        };
        let padding = (BLOCK as u64 - size % BLOCK as u64) % BLOCK as u64;
        let extension = match header.entry_type() {
            EntryType::GNULongName => Some(Extension::LongName),
            EntryType::GNULongLink => Some(Extension::LongLink),
            EntryType::XHeader => Some(Extension::Pax),
            EntryType::XGlobalHeader => Some(Extension::Other),
            _ => None,
        };
        self.content_left = size;
        self.padding_left = padding;
        if let Some(kind) = extension {
            if size > MAX_EXTENSION_BYTES {
                return Err(no_tar(self.entries, "a name in it is longer than any"));
            }
            // The padding comes behind the content.
            self.content_left = size + padding;
            self.padding_left = 0;
            self.state = State::Extension { kind };
            self.pax_size = None;
            return Ok(None);
        }
        self.pax_size = None;
        let path = self.long_name.take().unwrap_or_else(|| text(&header.path_bytes()));
        let link = self.long_link.take().unwrap_or_else(|| text(&header.link_name_bytes().unwrap_or_default()));
        let kind = match header.entry_type() {
            EntryType::Regular | EntryType::Continuous if path.ends_with('/') => EntryKind::Other,
            EntryType::Regular | EntryType::Continuous => EntryKind::File,
            EntryType::Link => EntryKind::HardLink(link),
            EntryType::Symlink => EntryKind::SymbolicLink(link),
            EntryType::GNUSparse => {
                let message =
                    format!("{path} is packed as a file with holes, which is not read; pack it without --sparse");
                return Err(Error::new(ErrorKind::Unsupported, message));
            }
            _ => EntryKind::Other,
        };
        if !matches!(kind, EntryKind::File | EntryKind::Other) {
            // Links have no content, whatever size they tell.
            self.content_left = 0;
            self.padding_left = 0;
        }
        self.entries += 1;
        let is_file = kind == EntryKind::File;
        self.state = State::Content { is_file };
        Ok(Some(Entry { path, kind, size_bytes: self.content_left }))
    }

    fn extension(&mut self, kind: Extension) {
        let content = std::mem::take(&mut self.collected);
        let name = || text(content.split(|byte| *byte == 0).next().unwrap_or_default());
        match kind {
            Extension::LongName => self.long_name = Some(name()),
            Extension::LongLink => self.long_link = Some(name()),
            Extension::Pax => {
                // Padded with zeros, which no record begins with.
                let end = content.iter().rposition(|byte| *byte != 0).map_or(0, |at| at + 1);
                for extension in PaxExtensions::new(&content[..end]).flatten() {
                    match extension.key_bytes() {
                        b"path" => self.long_name = Some(text(extension.value_bytes())),
                        b"linkpath" => self.long_link = Some(text(extension.value_bytes())),
                        b"size" => {
                            self.pax_size = str::from_utf8(extension.value_bytes()).ok().and_then(|n| n.parse().ok())
                        }
                        _ => {}
                    }
                }
            }
            Extension::Other => {}
        }
    }
}

/// As many bytes as there are, at most `most`.
fn take<'a>(bytes: &mut &'a [u8], most: u64) -> &'a [u8] {
    let count = (bytes.len() as u64).min(most) as usize;
    let (taken, rest) = bytes.split_at(count);
    *bytes = rest;
    taken
}

/// The sum of a header's bytes, its own field counted as blanks.
fn check_sum(header: &Header, block: &[u8], entries: u64) -> Result<()> {
    let other = |why| no_tar(entries, looks_like(block).filter(|_| entries == 0).unwrap_or(why));
    let stored = header.cksum().map_err(|_| other("there is no number where a header has its checksum"))?;
    let outside = block[..148].iter().chain(&block[156..]);
    let sum: u32 = outside.map(|byte| u32::from(*byte)).sum::<u32>() + 8 * u32::from(b' ');
    if sum == stored { Ok(()) } else { Err(other("the sum of a header's bytes is another one")) }
}

/// What people hand in for a tar.
fn looks_like(bytes: &[u8]) -> Option<&'static str> {
    bytes.trim_ascii_start().starts_with(b"{").then_some("it looks like exported JSON lines, which ingest takes")
}

#[cold]
fn no_tar(entries: u64, why: &str) -> Error {
    Error::corrupt(if entries == 0 {
        format!(
            "this is no tar ({why}). A snapshot is a folder: pack it with tar -chf snapshot.tar -C snapshots/NAME . or hand in the files of the folder"
        )
    } else {
        format!("the tar is damaged behind entry {entries}: {why}")
    })
}

/// Paths that matter are plain; others need only be recognisable.
fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packed() -> Vec<u8> {
        let mut builder = tar::Builder::new(Vec::new());
        let long = format!("data/{}x", "long/".repeat(60));
        for (path, content) in [("a", &b"one"[..]), (&long, &[7; 600]), ("empty", b"")] {
            let mut header = Header::new_gnu();
            header.set_size(content.len() as u64);
            builder.append_data(&mut header, path, content).unwrap();
        }
        let mut header = Header::new_gnu();
        header.set_entry_type(EntryType::Link);
        header.set_size(0);
        builder.append_link(&mut header, "link", "a").unwrap();
        builder.into_inner().unwrap()
    }

    fn read(bytes: &[u8], piece: usize) -> Result<Vec<(String, EntryKind, Vec<u8>)>> {
        let mut reader = TarReader::default();
        let mut found: Vec<(String, EntryKind, Vec<u8>)> = Vec::new();
        for mut bytes in bytes.chunks(piece) {
            while let Some(piece) = reader.read(&mut bytes)? {
                match piece {
                    TarPiece::Entry(entry) => found.push((entry.path, entry.kind, Vec::new())),
                    TarPiece::Content(content) => found.last_mut().unwrap().2.extend_from_slice(content),
                    TarPiece::EndOfEntry => {}
                }
            }
            assert!(bytes.is_empty());
        }
        reader.finish()?;
        Ok(found)
    }

    #[test]
    fn what_is_no_tar_is_told_in_words_of_ours() {
        let export = b"{\"metric\":{\"__name__\":\"up\"},\"values\":[1],\"timestamps\":[1]}\n".repeat(20);
        for len in [60, 511, 512, 1000] {
            assert!(
                read(&export[..len], 100).unwrap_err().message().contains("JSON lines, which ingest takes"),
                "{len}"
            );
        }
        let noise: Vec<u8> = (0..2000_u32).map(|i| (i * i % 251) as u8 | 0x80).collect();
        let message = read(&noise, 100).unwrap_err();
        assert!(message.message().starts_with("this is no tar (there is no number where a header"), "{message}");
    }

    #[test]
    fn tars_come_in_pieces_of_any_size() {
        let packed = packed();
        let whole = read(&packed, packed.len()).unwrap();
        assert_eq!(whole.len(), 4);
        assert_eq!(whole[0], ("a".into(), EntryKind::File, b"one".to_vec()));
        assert!(whole[1].0.ends_with("long/x") && whole[1].2 == [7; 600]);
        assert_eq!(whole[3].1, EntryKind::HardLink("a".into()));
        for piece in [1, 7, 511, 512, 513, 2000] {
            assert_eq!(read(&packed, piece).unwrap(), whole, "in pieces of {piece}");
        }
    }

    #[test]
    fn cut_and_damaged_tars_are_errors_and_never_panics() {
        let packed = packed();
        let end = packed.len() - 1024;
        for cut in (1..=end).step_by(13) {
            assert!(read(&packed[..cut], 1000).is_err(), "cut at {cut}");
        }
        for bit in (0..1024 * 8).step_by(3) {
            let mut damaged = packed.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            let _ = read(&damaged, 1000);
        }
        assert!(read(b"this is no tar", 100).is_err());
    }
}
