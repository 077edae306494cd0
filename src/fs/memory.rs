//! A file system in memory: every operation is complete when it was submitted. Reads of published files share their bytes.

use super::{Change, Completion, Entry, EntryKind, FilePath, FileSystem, FileSystemStats, OpId, Reply, Request};
use crate::error::{Error, ErrorKind, Result};
use crate::time::TimestampMs;
use bytes::Bytes;
use std::collections::{BTreeMap, HashMap};
use std::ops::Bound;
use std::rc::Rc;

/// What a name stands for. Hard links are further names of the same counted content.
#[derive(Clone, Debug)]
enum Node {
    /// Complete; never changes.
    Published(Rc<Bytes>),
    /// Grows by appends below `tmp/`.
    Growing(Rc<Vec<u8>>),
}

impl Node {
    fn len(&self) -> u64 {
        match self {
            Self::Published(bytes) => bytes.len() as u64,
            Self::Growing(bytes) => bytes.len() as u64,
        }
    }

    /// Tells hard links of one file from files of one content.
    fn identity(&self) -> usize {
        match self {
            Self::Published(bytes) => Rc::as_ptr(bytes) as usize,
            Self::Growing(bytes) => Rc::as_ptr(bytes) as usize,
        }
    }
}

type Nodes = BTreeMap<String, Node>;

/// Files in memory, gone with the process.
#[derive(Debug, Default)]
pub struct MemoryFileSystem {
    nodes: Nodes,
    completions: Vec<Completion>,
    traffic: FileSystemStats,
}

impl MemoryFileSystem {
    /// An empty file system.
    pub fn new() -> Self {
        Self::default()
    }

    /// The content of a file, for tests and tools.
    pub fn file(&self, path: &str) -> Option<Bytes> {
        match self.nodes.get(path)? {
            Node::Published(bytes) => Some((**bytes).clone()),
            Node::Growing(bytes) => Some(Bytes::copy_from_slice(bytes)),
        }
    }

    /// Puts a published file, for tests and tools.
    pub fn put(&mut self, path: &str, bytes: impl Into<Bytes>) {
        self.nodes.insert(path.into(), Node::Published(Rc::new(bytes.into())));
    }

    /// The paths of all files, sorted.
    pub fn paths(&self) -> impl Iterator<Item = &str> {
        self.nodes.keys().map(String::as_str)
    }

    fn carry_out(&mut self, request: Request) -> Result<Reply> {
        match request {
            Request::List { dir } => Ok(Reply::Entries(list(&self.nodes, &dir))),
            Request::Read { file, range } => {
                let node = self.nodes.get(file.as_str()).ok_or_else(|| not_found(&file))?;
                if range.start > range.end || range.end > node.len() {
                    return Err(Error::corrupt(format!(
                        "{file}: bytes {}..{} were asked for, but the file has {}",
                        range.start,
                        range.end,
                        node.len()
                    )));
                }
                // Within the file's length, which fits into memory.
                let range = range.start as usize..range.end as usize;
                self.traffic.read_bytes += range.len() as u64;
                Ok(Reply::Bytes(match node {
                    Node::Published(bytes) => bytes.slice(range),
                    Node::Growing(bytes) => Bytes::copy_from_slice(&bytes[range]),
                }))
            }
            Request::Append { file, bytes } => {
                let node = self.nodes.entry(file.as_str().into()).or_insert_with(|| Node::Growing(Rc::default()));
                let Node::Growing(content) = node else {
                    return Err(Error::new(
                        ErrorKind::Storage,
                        format!("{file}: a published file can't be appended to"),
                    ));
                };
                Rc::make_mut(content).extend_from_slice(&bytes);
                self.traffic.written_bytes += bytes.len() as u64;
                Ok(Reply::Done)
            }
            Request::Sync { file } => {
                self.nodes.contains_key(file.as_str()).then_some(Reply::Done).ok_or_else(|| not_found(&file))
            }
            Request::Commit { changes } => {
                let mut undo = Undo::default();
                for change in &changes {
                    if let Err(error) = self.apply(change, &mut undo) {
                        undo.roll_back(&mut self.nodes);
                        return Err(error);
                    }
                }
                self.traffic.written_bytes += changes
                    .iter()
                    .map(|change| if let Change::Put { bytes, .. } = change { bytes.len() as u64 } else { 0 })
                    .sum::<u64>();
                self.traffic.commits += 1;
                Ok(Reply::Done)
            }
        }
    }

    fn apply(&mut self, change: &Change, undo: &mut Undo) -> Result<()> {
        match change {
            Change::Publish { from, to } => {
                let moved = subtree(&self.nodes, from);
                if moved.is_empty() {
                    return Err(not_found(from));
                }
                if !subtree(&self.nodes, to).is_empty() {
                    return Err(exists(to));
                }
                for path in moved {
                    let renamed = format!("{}{}", to.as_str(), &path[from.as_str().len()..]);
                    let Some(node) = undo.remove(&mut self.nodes, &path) else { continue };
                    undo.insert(&mut self.nodes, renamed, published(node));
                }
            }
            Change::Link { from, to } => {
                let linked: Vec<(String, Node)> = match self.nodes.get(from.as_str()) {
                    Some(node) => vec![(to.as_str().to_owned(), node.clone())],
                    None => subtree(&self.nodes, from)
                        .into_iter()
                        .filter_map(|path| {
                            let name = &path[from.as_str().len() + 1..];
                            (!name.contains('/'))
                                .then(|| (format!("{}/{name}", to.as_str()), self.nodes[&path].clone()))
                        })
                        .collect(),
                };
                if linked.is_empty() {
                    return Err(not_found(from));
                }
                for (path, node) in linked {
                    if matches!(node, Node::Growing(_)) {
                        return Err(Error::new(
                            ErrorKind::Storage,
                            format!("{from}: an unpublished file can't be linked"),
                        ));
                    }
                    if self.nodes.contains_key(&path) {
                        return Err(exists(to));
                    }
                    undo.insert(&mut self.nodes, path, node);
                }
            }
            Change::Put { file, bytes } => {
                undo.insert(&mut self.nodes, file.as_str().into(), Node::Published(Rc::new(bytes.clone())));
            }
            Change::Remove { path } => {
                for path in subtree(&self.nodes, path) {
                    undo.remove(&mut self.nodes, &path);
                }
            }
        }
        Ok(())
    }
}

/// What a commit has overwritten, in order, to be put back when a later change fails.
#[derive(Default)]
struct Undo(Vec<(String, Option<Node>)>);

impl Undo {
    fn insert(&mut self, nodes: &mut Nodes, path: String, node: Node) {
        let before = nodes.insert(path.clone(), node);
        self.0.push((path, before));
    }

    fn remove(&mut self, nodes: &mut Nodes, path: &str) -> Option<Node> {
        let before = nodes.remove(path);
        self.0.push((path.into(), before.clone()));
        before
    }

    fn roll_back(self, nodes: &mut Nodes) {
        for (path, before) in self.0.into_iter().rev() {
            match before {
                Some(node) => nodes.insert(path, node),
                None => nodes.remove(&path),
            };
        }
    }
}

fn published(node: Node) -> Node {
    match node {
        // The buffer is handed on, not copied, as nobody else holds an unpublished file.
        Node::Growing(bytes) => Node::Published(Rc::new(Rc::unwrap_or_clone(bytes).into())),
        published => published,
    }
}

/// The paths of `path` itself and of all below it.
fn subtree(nodes: &Nodes, path: &FilePath) -> Vec<String> {
    if path.as_str().is_empty() {
        return nodes.keys().cloned().collect();
    }
    let mut found: Vec<String> =
        nodes.contains_key(path.as_str()).then(|| path.as_str().to_owned()).into_iter().collect();
    let prefix = format!("{}/", path.as_str());
    let below = nodes.range::<str, _>((Bound::Included(prefix.as_str()), Bound::Unbounded));
    found.extend(below.map(|(path, _)| path).take_while(|path| path.starts_with(&prefix)).cloned());
    found
}

fn list(nodes: &Nodes, dir: &FilePath) -> Vec<Entry> {
    let prefix = if dir.as_str().is_empty() { String::new() } else { format!("{}/", dir.as_str()) };
    let mut entries: BTreeMap<&str, EntryKind> = BTreeMap::new();
    let below = nodes.range::<str, _>((Bound::Included(prefix.as_str()), Bound::Unbounded));
    for (path, node) in below.take_while(|(path, _)| path.starts_with(&prefix)) {
        match path[prefix.len()..].split_once('/') {
            Some((name, _)) => entries.insert(name, EntryKind::Directory),
            None => entries.insert(&path[prefix.len()..], EntryKind::File { size_bytes: node.len() }),
        };
    }
    entries.into_iter().map(|(name, kind)| Entry { name: name.into(), kind }).collect()
}

fn not_found(path: &FilePath) -> Error {
    Error::new(ErrorKind::NotFound, format!("{path}: there is no such file"))
}

fn exists(path: &FilePath) -> Error {
    Error::new(ErrorKind::Storage, format!("{path}: exists already"))
}

impl FileSystem for MemoryFileSystem {
    fn submit(&mut self, op: OpId, request: Request) {
        let result = self.carry_out(request);
        self.traffic.operations += 1;
        self.completions.push(Completion { op, result });
    }

    fn poll(&mut self, _: TimestampMs, done: &mut Vec<Completion>) {
        done.append(&mut self.completions);
    }

    fn stats(&self) -> FileSystemStats {
        let distinct: HashMap<usize, u64> = self.nodes.values().map(|node| (node.identity(), node.len())).collect();
        FileSystemStats {
            stored_bytes: distinct.values().sum(),
            files: distinct.len() as u64,
            links: self.nodes.len() as u64,
            ..self.traffic
        }
    }
}
