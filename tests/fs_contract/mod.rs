//! What every file system promises, checked through its mailbox. Run over each back end, in each environment.

use bytes::Bytes;
use sandglass::error::{ErrorKind, Result};
use sandglass::fs::{Change, Completion, Entry, EntryKind, FilePath, FileSystem, OpId, Reply, Request};

/// Drives a file system from a test: `idle` lets time pass while an operation is under way.
pub struct Driver<F> {
    pub files: F,
    next_op: u64,
    now: i64,
    done: Vec<Completion>,
}

/// Lets the environment go on: nothing in memory, one turn of the event loop in a browser.
pub trait Idle {
    fn idle(&self) -> impl Future<Output = ()>;
}

pub fn path(text: &str) -> FilePath {
    FilePath::new(text).expect("a path of the tests")
}

impl<F: FileSystem> Driver<F> {
    pub fn new(files: F) -> Self {
        Self { files, next_op: 0, now: 0, done: Vec::new() }
    }

    pub fn submit(&mut self, request: Request) -> OpId {
        let op = OpId(self.next_op);
        self.next_op += 1;
        self.files.submit(op, request);
        op
    }

    pub async fn finish(&mut self, op: OpId, idle: &impl Idle) -> Result<Reply> {
        for _ in 0..100_000 {
            self.now += 1;
            self.files.poll(self.now, &mut self.done);
            if let Some(at) = self.done.iter().position(|completion| completion.op == op) {
                return self.done.remove(at).result;
            }
            idle.idle().await;
        }
        panic!("{op:?} never completes")
    }

    pub async fn run(&mut self, request: Request, idle: &impl Idle) -> Result<Reply> {
        let op = self.submit(request);
        self.finish(op, idle).await
    }

    pub async fn append(&mut self, file: &str, bytes: &[u8], idle: &impl Idle) -> Result<()> {
        let request = Request::Append { file: path(file), bytes: Bytes::copy_from_slice(bytes) };
        self.run(request, idle).await.map(drop)
    }

    pub async fn commit(&mut self, changes: Vec<Change>, idle: &impl Idle) -> Result<()> {
        self.run(Request::Commit { changes }, idle).await.map(drop)
    }

    pub async fn read(&mut self, file: &str, range: std::ops::Range<u64>, idle: &impl Idle) -> Result<Vec<u8>> {
        match self.run(Request::Read { file: path(file), range }, idle).await? {
            Reply::Bytes(bytes) => Ok(bytes.to_vec()),
            reply => panic!("a read answered {reply:?}"),
        }
    }

    /// The entries of a directory, spelt `name:size` and `name/`.
    pub async fn list(&mut self, dir: &str, idle: &impl Idle) -> String {
        match self.run(Request::List { dir: path(dir) }, idle).await {
            Ok(Reply::Entries(entries)) => entries.iter().map(spell).collect::<Vec<_>>().join(" "),
            other => panic!("a listing answered {other:?}"),
        }
    }
}

fn spell(entry: &Entry) -> String {
    match entry.kind {
        EntryKind::File { size_bytes } => format!("{}:{size_bytes}", entry.name),
        EntryKind::Directory => format!("{}/", entry.name),
    }
}

fn kind<T: std::fmt::Debug>(result: Result<T>) -> ErrorKind {
    result.expect_err("this must fail").kind()
}

pub fn publish(from: &str, to: &str) -> Change {
    Change::Publish { from: path(from), to: path(to) }
}

pub fn link(from: &str, to: &str) -> Change {
    Change::Link { from: path(from), to: path(to) }
}

pub fn put(file: &str, bytes: &'static [u8]) -> Change {
    Change::Put { file: path(file), bytes: Bytes::from_static(bytes) }
}

pub fn put_briefly(file: &str, bytes: &[u8]) -> Change {
    Change::PutBriefly { file: path(file), bytes: Bytes::copy_from_slice(bytes) }
}

pub fn remove(at: &str) -> Change {
    Change::Remove { path: path(at) }
}

/// Bytes that differ from place to place, so that a wrong offset shows.
pub fn pattern(len: usize, seed: u8) -> Vec<u8> {
    (0..len).map(|at| (at as u8).wrapping_mul(31) ^ ((at >> 8) as u8) ^ seed).collect()
}

/// The whole contract over an empty file system. Leaves the files of [`check_left_behind`].
pub async fn check<F: FileSystem>(driver: &mut Driver<F>, idle: &impl Idle) {
    growing_files(driver, idle).await;
    publishing(driver, idle).await;
    links_are_counted(driver, idle).await;
    all_or_nothing(driver, idle).await;
    order_without_waiting(driver, idle).await;
    hostile_requests(driver, idle).await;
    large_files(driver, idle).await;
}

/// What [`check`] has left, seen again after a restart.
pub async fn check_left_behind<F: FileSystem>(driver: &mut Driver<F>, idle: &impl Idle) {
    assert_eq!(driver.list("", idle).await, "flags/ kept/ large/");
    assert_eq!(driver.list("kept/a", idle).await, "one:5 two:0");
    assert_eq!(driver.list("kept/b", idle).await, "one:5 two:0");
    assert_eq!(driver.read("kept/b/one", 0..5, idle).await.unwrap(), b"hello");
    assert_eq!(driver.read("kept/b/two", 0..0, idle).await.unwrap(), b"");
    assert_eq!(driver.list("flags", idle).await, "state:6");
    assert_eq!(driver.read("flags/state", 0..6, idle).await.unwrap(), b"second");
    let expected = pattern(LARGE_LEN, 7);
    assert!(driver.read("large/values.bin", 0..LARGE_LEN as u64, idle).await.unwrap() == expected);
    let stats = driver.files.stats();
    assert_eq!((stats.files, stats.links), (4, 6));
    assert_eq!(stats.stored_bytes, 5 + 6 + LARGE_LEN as u64);
}

async fn growing_files<F: FileSystem>(driver: &mut Driver<F>, idle: &impl Idle) {
    assert_eq!(driver.list("", idle).await, "");
    assert_eq!(driver.list("no/such/directory", idle).await, "");
    driver.append("tmp/p/one", b"hel", idle).await.unwrap();
    driver.append("tmp/p/one", b"lo", idle).await.unwrap();
    driver.append("tmp/p/two", b"", idle).await.unwrap();
    driver.append("tmp/p.x", b"?", idle).await.unwrap();
    assert_eq!(driver.list("tmp/p", idle).await, "one:5 two:0");
    // "p.x" lies between "p" and "p/one" among paths.
    assert_eq!(driver.list("tmp", idle).await, "p/ p.x:1");
    assert_eq!(driver.read("tmp/p/one", 1..4, idle).await.unwrap(), b"ell");
    assert_eq!(kind(driver.read("tmp/p/one", 1..6, idle).await), ErrorKind::Corrupt);
    assert_eq!(kind(driver.read("tmp/p/three", 0..0, idle).await), ErrorKind::NotFound);
    assert_eq!(kind(driver.append("data/x", b"1", idle).await), ErrorKind::Invalid);
    assert_eq!(kind(driver.append("tmp", b"1", idle).await), ErrorKind::Invalid);
    assert_eq!(kind(driver.append("tmp/p", b"1", idle).await), ErrorKind::Invalid);
    assert_eq!(kind(driver.append("tmp/p.x/y", b"1", idle).await), ErrorKind::Invalid);
    assert_eq!(kind(driver.read("tmp/none", 0..0, idle).await), ErrorKind::NotFound);
    driver.commit(vec![remove("tmp/p.x")], idle).await.unwrap();
    assert_eq!(driver.list("tmp", idle).await, "p/");
    let stats = driver.files.stats();
    assert_eq!((stats.files, stats.links, stats.stored_bytes, stats.written_bytes), (2, 2, 5, 6));
}

async fn publishing<F: FileSystem>(driver: &mut Driver<F>, idle: &impl Idle) {
    driver.commit(vec![publish("tmp/p", "kept/a"), put("flags/state", b"first")], idle).await.unwrap();
    assert_eq!(driver.list("", idle).await, "flags/ kept/");
    assert_eq!(driver.list("kept/a", idle).await, "one:5 two:0");
    assert_eq!(driver.read("kept/a/one", 0..5, idle).await.unwrap(), b"hello");
    assert_eq!(kind(driver.read("tmp/p/one", 0..1, idle).await), ErrorKind::NotFound);
    driver.commit(vec![put("flags/state", b"second")], idle).await.unwrap();
    assert_eq!(driver.read("flags/state", 0..6, idle).await.unwrap(), b"second");
    // One that soon goes is a file like any other.
    driver.commit(vec![put_briefly("log/1", b"rows"), put_briefly("log/2", b"")], idle).await.unwrap();
    driver.commit(vec![put_briefly("log/1", b"more rows")], idle).await.unwrap();
    assert_eq!(driver.list("log", idle).await, "1:9 2:0");
    assert_eq!(driver.read("log/1", 5..9, idle).await.unwrap(), b"rows");
    assert_eq!(kind(driver.read("log/1", 5..10, idle).await), ErrorKind::Corrupt);
    driver.commit(vec![remove("log")], idle).await.unwrap();
    // A file that went through a commit never changes, wherever it lies.
    driver.commit(vec![put("tmp/q/done", b"x")], idle).await.unwrap();
    assert_eq!(kind(driver.append("tmp/q/done", b"y", idle).await), ErrorKind::Invalid);
    driver.commit(vec![publish("tmp/q/done", "tmp/r"), remove("tmp")], idle).await.unwrap();
    let stats = driver.files.stats();
    assert_eq!((stats.files, stats.links, stats.stored_bytes), (3, 3, 11));
}

async fn links_are_counted<F: FileSystem>(driver: &mut Driver<F>, idle: &impl Idle) {
    let before = driver.files.stats();
    driver.commit(vec![link("kept/a", "kept/b"), link("kept/a/one", "snap/deep/one")], idle).await.unwrap();
    let after = driver.files.stats();
    assert_eq!(after.written_bytes, before.written_bytes, "linking copies nothing");
    assert_eq!((after.files, after.links, after.stored_bytes), (before.files, before.links + 3, before.stored_bytes));
    assert_eq!(driver.read("snap/deep/one", 0..5, idle).await.unwrap(), b"hello");
    // Replacing one name leaves the others' content alone.
    driver.commit(vec![put("snap/deep/one", b"other")], idle).await.unwrap();
    assert_eq!(driver.read("kept/b/one", 0..5, idle).await.unwrap(), b"hello");
    driver.commit(vec![link("kept/b/one", "snap/again"), remove("kept/a")], idle).await.unwrap();
    assert_eq!(driver.read("snap/again", 0..5, idle).await.unwrap(), b"hello");
    driver.commit(vec![remove("snap"), link("kept/b", "kept/a")], idle).await.unwrap();
    assert_eq!(driver.files.stats().stored_bytes, before.stored_bytes);
    // A directory's links are its direct files, not what lies deeper.
    driver.commit(vec![put("top/sub/f", b"1"), put("top/g", b"2"), link("top", "side")], idle).await.unwrap();
    assert_eq!(driver.list("side", idle).await, "g:1");
    driver.commit(vec![remove("top"), remove("side"), remove("never/was")], idle).await.unwrap();
    assert_eq!(driver.files.stats().stored_bytes, before.stored_bytes);
    assert_eq!(driver.files.stats().links, before.links + 2);
}

async fn all_or_nothing<F: FileSystem>(driver: &mut Driver<F>, idle: &impl Idle) {
    driver.append("tmp/new/f", b"abc", idle).await.unwrap();
    let before = driver.files.stats();
    let good = || vec![publish("tmp/new", "kept/c"), put("flags/state", b"third"), remove("kept/a"), put("z", b"")];
    for bad in [
        publish("tmp/absent", "kept/d"),
        publish("kept/b", "kept/c"),
        publish("kept/b", "kept/b/in"),
        publish("kept/b", "kept/b"),
        link("tmp/absent", "kept/d"),
        link("kept/b", "kept/c/f/x"),
        link("kept/b/one", "kept/b/two"),
        put("kept", b"a directory"),
        put("flags/state/below", b"a file"),
        put("", b"the root"),
    ] {
        let mut changes = good();
        let expected = if format!("{bad:?}").contains("absent") { ErrorKind::NotFound } else { ErrorKind::Invalid };
        changes.push(bad.clone());
        assert_eq!(kind(driver.commit(changes, idle).await), expected, "{bad:?}");
        assert_eq!(driver.list("", idle).await, "flags/ kept/ tmp/", "{bad:?}");
        assert_eq!(driver.list("kept", idle).await, "a/ b/", "{bad:?}");
        assert_eq!(driver.read("flags/state", 0..6, idle).await.unwrap(), b"second");
    }
    let after = driver.files.stats();
    assert_eq!(
        (after.files, after.links, after.stored_bytes, after.written_bytes, after.commits),
        (before.files, before.links, before.stored_bytes, before.written_bytes, before.commits)
    );
    // The file can still grow, and its commit go through; an unpublished file can't be linked.
    driver.append("tmp/new/f", b"def", idle).await.unwrap();
    assert_eq!(kind(driver.commit(vec![link("tmp/new", "kept/c")], idle).await), ErrorKind::Invalid);
    driver.commit(vec![publish("tmp/new", "kept/c"), link("kept/c", "kept/d")], idle).await.unwrap();
    assert_eq!(driver.read("kept/d/f", 0..6, idle).await.unwrap(), b"abcdef");
    // A chain within one commit: replaced, renamed, linked, removed.
    let chain = vec![
        remove("kept/c"),
        publish("kept/d", "kept/c"),
        link("kept/c/f", "kept/e"),
        remove("kept/c"),
        publish("kept/e", "kept/c"),
        put("kept/f", b"short-lived"),
        remove("kept/f"),
    ];
    driver.commit(chain, idle).await.unwrap();
    assert_eq!(driver.list("kept", idle).await, "a/ b/ c:6");
    assert_eq!(driver.read("kept/c", 3..6, idle).await.unwrap(), b"def");
    driver.commit(vec![remove("kept/c")], idle).await.unwrap();
    assert_eq!(driver.files.stats().stored_bytes, before.stored_bytes - 3);
}

/// Operations on one file take effect in the order of their submission, without waiting in between.
async fn order_without_waiting<F: FileSystem>(driver: &mut Driver<F>, idle: &impl Idle) {
    let append = |bytes: &'static [u8]| Request::Append { file: path("tmp/o/f"), bytes: Bytes::from_static(bytes) };
    let read = |file: &str, len| Request::Read { file: path(file), range: 0..len };
    let commit = |changes| Request::Commit { changes };
    let ops = [
        append(b"ab"),
        append(b"cd"),
        read("tmp/o/f", 4),
        commit(vec![publish("tmp/o", "o")]),
        read("o/f", 4),
        read("tmp/o/f", 0),
        commit(vec![link("o", "o2"), remove("o")]),
        append(b"new"),
        read("o2/f", 4),
        commit(vec![remove("o2")]),
        read("o2/f", 4),
        commit(vec![remove("tmp")]),
    ]
    .map(|request| driver.submit(request));
    let mut outcomes = String::new();
    for op in ops {
        outcomes += &match driver.finish(op, idle).await {
            Ok(Reply::Bytes(bytes)) => format!("{} ", String::from_utf8_lossy(&bytes)),
            Ok(_) => "done ".into(),
            Err(error) => format!("{} ", error.kind().code()),
        };
    }
    assert_eq!(outcomes, "done done abcd done abcd not_found done done abcd done not_found done ");
}

async fn hostile_requests<F: FileSystem>(driver: &mut Driver<F>, idle: &impl Idle) {
    #[expect(clippy::reversed_empty_ranges, reason = "that is what is asked")]
    let backwards = 4..2;
    assert_eq!(kind(driver.read("kept/a/one", backwards, idle).await), ErrorKind::Invalid);
    assert_eq!(kind(driver.read("kept/a/one", 0..u64::MAX, idle).await), ErrorKind::Corrupt);
    assert_eq!(kind(driver.read("kept/a/one", u64::MAX..u64::MAX, idle).await), ErrorKind::Corrupt);
    assert_eq!(kind(driver.read("kept/a", 0..1, idle).await), ErrorKind::NotFound);
}

const LARGE_LEN: usize = 1_700_001;

/// Files of several chunks: any range of them, before and after they are published.
async fn large_files<F: FileSystem>(driver: &mut Driver<F>, idle: &impl Idle) {
    let content = pattern(LARGE_LEN, 7);
    for piece in content.chunks(100_003) {
        driver.append("tmp/large/values.bin", piece, idle).await.unwrap();
    }
    for file in ["tmp/large/values.bin", "large/values.bin"] {
        if !file.starts_with("tmp") {
            driver.commit(vec![publish("tmp/large", "large")], idle).await.unwrap();
        }
        for range in [
            0..1,
            0..262_144,
            262_143..262_145,
            262_144..524_288,
            500_000..1_400_000,
            524_288..524_288,
            1..LARGE_LEN,
            1_699_000..LARGE_LEN,
            LARGE_LEN..LARGE_LEN,
        ] {
            let read = driver.read(file, range.start as u64..range.end as u64, idle).await.unwrap();
            assert!(read == content[range.clone()], "{file} {range:?}");
        }
        let past_end = LARGE_LEN as u64..LARGE_LEN as u64 + 1;
        assert_eq!(kind(driver.read(file, past_end, idle).await), ErrorKind::Corrupt);
    }
}
