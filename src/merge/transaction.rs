//! Transaction files, `txn/<id>` (data-dir-layout §1.1): which parts a merge replaces, and by what. Partitions and index tables
//! write them with the commit that publishes a merge's output, and carry out at opening those that are left.
//!
//! A server writes absolute paths, `/victoria-metrics-data/data/small/2024_03/…`; where its data lay is of no interest here. The end
//! of a path counts, and it must be a part of the very partition or table: all else is `Corrupt`, as what a path names is removed.

use crate::error::{Error, Result};
use crate::fs::{Change, EntryKind, FilePath};
use crate::runtime::Context;
use bytes::Bytes;

/// Where parts are written.
const TMP: &str = "tmp";
/// Where transaction files lie.
const TXN: &str = "txn";

/// No merge lists that many parts; a longer file isn't read.
const MAX_FILE_BYTES: u64 = 16 << 20;

/// Directories beside the parts that are none.
pub fn is_service_dir(name: &str) -> bool {
    name == TMP || name == TXN || name == "snapshots"
}

/// What a transaction file says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transaction {
    /// The parts that go.
    pub old_parts: Vec<FilePath>,
    /// Where the new part was written.
    pub tmp: FilePath,
    /// Its name; none when no row was left, so that there is no new part.
    pub dst: Option<FilePath>,
}

impl Transaction {
    /// The text of its file, with paths relative to the database.
    pub fn text(&self) -> String {
        let mut text = String::new();
        for old_part in &self.old_parts {
            text.push_str(old_part.as_str());
            text.push('\n');
        }
        let dst = self.dst.as_ref().map_or("", FilePath::as_str);
        text.push_str(&format!("{} -> {dst}\n", self.tmp.as_str()));
        text
    }

    /// The commit that makes it true. When there are old parts, it puts its text into `file`, which is to be removed after them.
    pub fn changes(&self, file: &FilePath) -> Vec<Change> {
        let mut changes = vec![self.publication()];
        if !self.old_parts.is_empty() {
            changes.push(Change::Put { file: file.clone(), bytes: Bytes::from(self.text()) });
        }
        changes
    }

    /// The new part gets its name; when there is none, what was written goes.
    fn publication(&self) -> Change {
        let from = self.tmp.clone();
        match &self.dst {
            Some(dst) => Change::Publish { from, to: dst.clone() },
            None => Change::Remove { path: from },
        }
    }

    /// Reads the text of a file that lies in one of `home`'s directories.
    ///
    /// # Errors
    /// `Corrupt` when it is no such text, or names what is no part there.
    pub fn parse(text: &[u8], home: &Home<'_>) -> Result<Self> {
        let text = str::from_utf8(text).map_err(|_| refused("it is not text"))?;
        let text = text.strip_suffix('\n').ok_or_else(|| refused("its last line has no end"))?;
        let mut lines: Vec<&str> = text.split('\n').collect();
        let last = lines.pop().unwrap_or_default();
        let (tmp, dst) = last.split_once(" -> ").ok_or_else(|| refused("its last line has no arrow"))?;
        let old_parts = lines.into_iter().map(|line| home.part(line)).collect::<Result<Vec<_>>>()?;
        let dst = if dst.is_empty() && home.may_lose_all { None } else { Some(home.part(dst)?) };
        if dst.as_ref().is_some_and(|dst| old_parts.contains(dst)) {
            return Err(refused("a part is to replace itself"));
        }
        Ok(Self { old_parts, tmp: home.unpublished(tmp)?, dst })
    }
}

#[cold]
fn refused(why: &str) -> Error {
    Error::corrupt(format!("the transaction file can't be carried out: {why}"))
}

/// The directories that share their transactions: both of a partition, or that of an index table.
#[derive(Clone, Copy, Debug)]
pub struct Home<'a> {
    /// Parts lie directly in them, `tmp/` and `txn/` beside the parts.
    pub dirs: &'a [FilePath],
    /// Whether a merge may end with nothing. Rows are dropped, entries of the index are not.
    pub may_lose_all: bool,
}

impl Home<'_> {
    /// A part's directory.
    fn part(&self, text: &str) -> Result<FilePath> {
        let (dir, name) = split(text)?;
        if is_service_dir(name) {
            return Err(refused(&format!("{text:?} is no part")));
        }
        Ok(self.find(dir, text)?.join(name))
    }

    /// A directory below `tmp/`.
    fn unpublished(&self, text: &str) -> Result<FilePath> {
        let (tmp, name) = split(text)?;
        let (dir, TMP) = split(tmp)? else {
            return Err(refused(&format!("{text:?} is not below {TMP}/")));
        };
        Ok(self.find(dir, text)?.join(TMP).join(name))
    }

    /// Which of the directories this is, whatever it is below of.
    fn find(&self, dir: &str, text: &str) -> Result<&FilePath> {
        let is =
            |own: &&FilePath| dir.strip_suffix(own.as_str()).is_some_and(|rest| rest.is_empty() || rest.ends_with('/'));
        self.dirs.iter().find(is).ok_or_else(|| refused(&format!("{text:?} lies elsewhere")))
    }

    /// Finishes what transaction files announce, in the order of their names, and removes what was being written.
    ///
    /// # Errors
    /// `Corrupt` with a file's path when it makes no sense; nothing is touched then that was not said to be removed before.
    pub async fn recover(&self, context: &Context) -> Result<()> {
        for dir in self.dirs {
            let transactions = dir.join(TXN);
            for entry in context.list(&transactions).await? {
                let EntryKind::File { size_bytes } = entry.kind else { continue };
                if is_unfinished_file(&entry.name) {
                    continue;
                }
                let file = transactions.join(&entry.name);
                if size_bytes > MAX_FILE_BYTES {
                    return Err(refused("it is too long").at(&file));
                }
                let text = context.read(&file, 0..size_bytes).await?;
                let transaction = Transaction::parse(&text, self).map_err(|error| error.at(&file))?;
                let mut changes = self.rest(context, transaction).await?;
                changes.push(Change::Remove { path: file });
                context.commit(changes).await?;
            }
        }
        let mut leftovers = Vec::new();
        for dir in self.dirs {
            for path in [dir.join(TMP), dir.join(TXN)] {
                if !context.list(&path).await?.is_empty() {
                    leftovers.push(Change::Remove { path });
                }
            }
        }
        if leftovers.is_empty() { Ok(()) } else { context.commit(leftovers).await }
    }

    /// What is left to be done of a transaction.
    async fn rest(&self, context: &Context, transaction: Transaction) -> Result<Vec<Change>> {
        // A commit of our own publishes and writes the file at once, so that something temporary is left only by other writers.
        let has_tmp = !context.list(&transaction.tmp).await?.is_empty();
        let is_published = match &transaction.dst {
            Some(dst) => !context.list(dst).await?.is_empty(),
            None => true,
        };
        if !is_published && !has_tmp && !self.has_younger(context, &transaction).await? {
            // The new part is nowhere, and in no part made later: somebody has copied the directory without `tmp/`. The old ones
            // have all of it. (If all that was merged further was dropped, it is deleted or too old, and nobody will see it.)
            return Ok(Vec::new());
        }
        let publication = transaction.publication();
        let Transaction { old_parts, tmp, .. } = transaction;
        let mut changes: Vec<Change> = old_parts.into_iter().map(|path| Change::Remove { path }).collect();
        if has_tmp {
            // What is published already is complete.
            changes.push(if is_published { Change::Remove { path: tmp } } else { publication });
        }
        Ok(changes)
    }

    /// Whether a part was made after the transaction's: its rows may have been merged into that one.
    async fn has_younger(&self, context: &Context, transaction: &Transaction) -> Result<bool> {
        let own = transaction.dst.as_ref().and_then(|dst| suffix(dst.name()));
        for dir in self.dirs {
            for entry in context.list(dir).await? {
                let is_part = entry.kind == EntryKind::Directory && !is_service_dir(&entry.name);
                if is_part
                    && suffix(&entry.name) > own
                    && !transaction.old_parts.iter().any(|old| old.below(dir) == Some(&entry.name))
                {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }
}

/// The number at the end of a part's name; it grows from part to part.
fn suffix(name: &str) -> Option<u64> {
    u64::from_str_radix(name.rsplit('_').next()?, 16).ok()
}

/// A path's directory and its last name, neither of which may lead elsewhere.
fn split(path: &str) -> Result<(&str, &str)> {
    match path.rsplit_once('/') {
        Some((dir, name)) if !matches!(name, "" | "." | "..") && !name.contains(['\0', '\\', ' ']) => Ok((dir, name)),
        _ => Err(refused(&format!("{path:?} is no path of a part"))),
    }
}

/// `<name>.tmp.<digits>`: a file that was being written by the server when it ended.
fn is_unfinished_file(name: &str) -> bool {
    name.rsplit_once(".tmp.").is_some_and(|(_, n)| !n.is_empty() && n.bytes().all(|byte| byte.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;

    fn path(text: &str) -> FilePath {
        FilePath::new(text).unwrap()
    }

    fn dirs() -> [FilePath; 2] {
        [path("data/small/2024_03"), path("data/big/2024_03")]
    }

    #[test]
    fn texts_come_back_whatever_they_were_below_of() {
        let dirs = dirs();
        let home = Home { dirs: &dirs, may_lose_all: true };
        let [small, big] = &dirs;
        let transaction =
            Transaction { old_parts: vec![small.join("a")], tmp: big.join("tmp/1"), dst: Some(big.join("b")) };
        assert_eq!(transaction.text(), "data/small/2024_03/a\ndata/big/2024_03/tmp/1 -> data/big/2024_03/b\n");
        for prefix in ["", "/", "/victoria-metrics-data/", "//x/", "vm/", "/data/small/2024_03/", "C:\\vm/"] {
            let text =
                format!("{prefix}data/small/2024_03/a\n{prefix}data/big/2024_03/tmp/1 -> {prefix}data/big/2024_03/b\n");
            assert_eq!(Transaction::parse(text.as_bytes(), &home).unwrap(), transaction, "{text:?}");
        }
        let all_gone = Transaction { dst: None, ..transaction };
        assert_eq!(Transaction::parse(all_gone.text().as_bytes(), &home).unwrap(), all_gone);
        let home = Home { may_lose_all: false, ..home };
        assert!(Transaction::parse(all_gone.text().as_bytes(), &home).is_err());
    }

    #[test]
    fn strange_texts_are_refused() {
        let dirs = dirs();
        let home = Home { dirs: &dirs, may_lose_all: true };
        for bad in [
            "",
            "\n",
            "data/small/2024_03/a",
            "data/small/2024_03/a\n",
            " -> \n",
            " -> data/small/2024_03/a\n",
            "data/small/2024_03/tmp/1 -> \n\n",
            "\ndata/small/2024_03/tmp/1 -> \n",
            "data/small/2024_03/a -> \n",
            "data/small/2024_03 -> \n",
            "data/small/2024_03/tmp -> \n",
            "data/small/2024_03/tmp/.. -> \n",
            "data/small/2024_03/tmp/1/2 -> \n",
            "data/small/2024_03/../2024_04/tmp/1 -> \n",
            "data/small/2024_04/tmp/1 -> \n",
            "mydata/small/2024_03/tmp/1 -> \n",
            "small/2024_03/tmp/1 -> \n",
            "/2024_03/tmp/1 -> \n",
            "data/small/2024_03/tmp/1 -> data/small/2024_03/tmp/2\n",
            "data/small/2024_03/tmp/1 -> data/small/2024_03/txn\n",
            "data/small/2024_03/tmp/1 -> data/small/2024_03/\n",
            "data/small/2024_03/tmp/1 -> data/small/2024_03/..\n",
            "data/small/2024_03/tmp/1 -> data/small/2024_03/a/b\n",
            "data/small/2024_03/tmp/1 -> data/small/2024_03/a\0\n",
            "data/small/2024_03/tmp/1 -> data/small/2024_03/a -> \n",
            "data/small/2024_03/txn\ndata/small/2024_03/tmp/1 -> \n",
            "data/small/2024_03\ndata/small/2024_03/tmp/1 -> \n",
            "/etc/passwd\ndata/small/2024_03/tmp/1 -> \n",
            "../../indexdb/a\ndata/small/2024_03/tmp/1 -> \n",
            "data/small/2024_03/a\ndata/small/2024_03/tmp/1 -> data/small/2024_03/a\n",
        ] {
            let error = Transaction::parse(bad.as_bytes(), &home).expect_err(bad);
            assert_eq!(error.kind(), ErrorKind::Corrupt, "{bad:?}");
        }
        assert!(Transaction::parse(b"data/small/2024_03/tmp/\xff -> \n", &home).is_err());
    }

    #[test]
    fn unfinished_files_are_told_by_their_name() {
        assert!(is_unfinished_file("18EA49F6C41E3204.tmp.12"));
        assert!(!is_unfinished_file("18EA49F6C41E3204"));
        assert!(!is_unfinished_file("18EA49F6C41E3204.tmp.x"));
    }
}
