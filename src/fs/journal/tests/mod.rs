//! Journals on a disk that fails and loses power, compared with a model.

mod damage;
mod faults;
mod power_cuts;

use super::format::NUMBERS_END;
use super::{Journal, JournalFile, Location, Record, Replayed, replay};
use crate::error::{Error, ErrorKind, Result};
use crate::fs::FilePath;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

/// Two files, and every write and flush that was made.
#[derive(Default)]
struct Disk {
    contents: [Vec<u8>; 2],
    steps: Vec<Step>,
    /// These steps fail; a write leaves half of its bytes.
    fail: Vec<usize>,
    /// No file gets longer than this.
    full_at: Option<u64>,
}

#[derive(Clone)]
enum Step {
    Write { slot: usize, at: usize, bytes: Vec<u8> },
    Flush { slot: usize },
}

struct SimFile {
    disk: Rc<RefCell<Disk>>,
    slot: usize,
}

impl JournalFile for SimFile {
    fn len(&self) -> Result<u64> {
        Ok(self.disk.borrow().contents[self.slot].len() as u64)
    }

    fn write(&self, at: u64, bytes: &[u8]) -> Result<()> {
        let disk = &mut *self.disk.borrow_mut();
        let (slot, at) = (self.slot, at as usize);
        assert!(at <= disk.contents[slot].len(), "a write leaves a hole");
        let quota = || Err(Error::new(ErrorKind::Quota, "simulated"));
        if disk.full_at.is_some_and(|full_at| (at + bytes.len()) as u64 > full_at) {
            return quota();
        }
        let fails = disk.fail.contains(&disk.steps.len());
        let bytes = if fails { &bytes[..bytes.len() / 2] } else { bytes };
        overwrite(&mut disk.contents[slot], at, bytes);
        disk.steps.push(Step::Write { slot, at, bytes: bytes.to_vec() });
        if fails { quota() } else { Ok(()) }
    }

    fn flush(&self) -> Result<()> {
        let disk = &mut *self.disk.borrow_mut();
        if disk.fail.contains(&disk.steps.len()) {
            disk.steps.push(Step::Write { slot: self.slot, at: 0, bytes: Vec::new() });
            return Err(Error::new(ErrorKind::Quota, "simulated"));
        }
        disk.steps.push(Step::Flush { slot: self.slot });
        Ok(())
    }
}

fn overwrite(content: &mut Vec<u8>, at: usize, bytes: &[u8]) {
    content.resize(content.len().max(at + bytes.len()), 0);
    content[at..at + bytes.len()].copy_from_slice(bytes);
}

fn pair(contents: [Vec<u8>; 2]) -> (Rc<RefCell<Disk>>, [SimFile; 2]) {
    let disk = Rc::new(RefCell::new(Disk { contents, ..Disk::default() }));
    let files = [0, 1].map(|slot| SimFile { disk: disk.clone(), slot });
    (disk, files)
}

fn replay_pair(contents: &[Vec<u8>; 2]) -> Result<Option<Replayed>> {
    replay([&contents[0], &contents[1]])
}

/// Paths with inodes and sizes.
type Model = BTreeMap<String, (u64, u64)>;

fn location(inode: u64) -> Location {
    Location { stored: inode / 2, offset: inode * 7 }
}

fn model_of(replayed: &Replayed) -> Model {
    replayed
        .paths
        .iter()
        .map(|(path, id)| {
            assert_eq!(replayed.locations.get(id), Some(&location(*id)));
            (path.as_str().to_owned(), (*id, replayed.sizes.get(id).copied().unwrap()))
        })
        .collect()
}

fn whole(model: &Model) -> Record {
    let mut record = Record::default();
    record.number_used(NUMBERS_END - 1);
    for (path, (inode, size)) in model {
        record.file(*inode, *size, location(*inode));
        record.entry(&FilePath::new(path).unwrap(), Some(*inode));
    }
    record
}

/// The commit of this number: a new file, and an older one gone.
fn commit(number: u64, model: &Model) -> (Record, Model) {
    let mut record = Record::default();
    let mut after = model.clone();
    let path = format!("data/{number}");
    record.file(number, number * 1000, location(number));
    record.entry(&FilePath::new(&path).unwrap(), Some(number));
    after.insert(path, (number, number * 1000));
    if number % 2 == 1 && number > 3 {
        let gone = format!("data/{}", number - 3);
        record.entry(&FilePath::new(&gone).unwrap(), None);
        after.remove(&gone);
    }
    (record, after)
}

const COMMITS: u64 = 24;

/// A journal of many commits and several checkpoints; for each acknowledged one the steps until then, and what it knew.
fn history() -> (Rc<RefCell<Disk>>, Vec<(usize, Model)>) {
    let (disk, files) = pair(Default::default());
    let mut journal = Journal::start(files, None).unwrap();
    let mut model = Model::new();
    let mut acknowledged = vec![(disk.borrow().steps.len(), model.clone())];
    for number in 0..COMMITS {
        let (mut record, after) = commit(number, &model);
        if number % 7 == 6 {
            // The process ends with this commit, and another goes on.
            record.content(location(number).stored, b"content");
            journal.commit_last(&record).unwrap();
            let replayed = replay_pair(&disk.borrow().contents).unwrap();
            let files = [0, 1].map(|slot| SimFile { disk: disk.clone(), slot });
            journal = Journal::start(files, replayed.as_ref()).unwrap();
        } else {
            journal.commit(&record, 0, || whole(&model)).unwrap();
        }
        model = after;
        acknowledged.push((disk.borrow().steps.len(), model.clone()));
    }
    assert!(journal.place.generation > 4, "only {} checkpoints", journal.place.generation);
    (disk, acknowledged)
}

#[test]
fn checkpoints_carry_over_what_lies_nowhere_else_and_come_the_less_often_the_more_that_is() {
    let generations = |held_bytes: usize| {
        let (disk, files) = pair(Default::default());
        let mut journal = Journal::start(files, None).unwrap();
        let content = vec![7; held_bytes];
        let mut model = Model::new();
        let directory = |model: &Model| {
            let mut record = whole(model);
            record.content(1_000, &content);
            record
        };
        for number in 0..60 {
            let (mut record, after) = commit(number, &model);
            if number == 0 {
                record.content(1_000, &content);
            }
            journal.commit(&record, held_bytes as u64, || directory(&model)).unwrap();
            model = after;
            let found = replay_pair(&disk.borrow().contents).unwrap().unwrap();
            assert_eq!((model_of(&found), found.contents.get(&1_000)), (model.clone(), Some(&content)), "{number}");
        }
        journal.place.generation
    };
    let (none, some) = (generations(0), generations(300));
    assert!(none > 5 && (2..none / 2).contains(&some), "{none} checkpoints, {some} that carry something over");
}

#[test]
fn a_last_commit_holds_its_contents_until_the_next_checkpoint() {
    let (disk, files) = pair(Default::default());
    let mut journal = Journal::start(files, None).unwrap();
    let (mut record, model) = commit(0, &Model::new());
    record.content(location(0).stored, b"content");
    journal.commit_last(&record).unwrap();
    let found = replay_pair(&disk.borrow().contents).unwrap().unwrap();
    assert_eq!(model_of(&found), model);
    assert_eq!(found.contents.get(&location(0).stored).map(|bytes| &bytes[..]), Some(&b"content"[..]));
    drop(journal);

    let files = [0, 1].map(|slot| SimFile { disk: disk.clone(), slot });
    let mut journal = Journal::start(files, Some(&found)).unwrap();
    let (mut model, mut number) = (model, 1);
    while journal.place.generation == found.place.generation {
        let (record, after) = commit(number, &model);
        journal.commit(&record, 0, || whole(&model)).unwrap();
        (model, number) = (after, number + 1);
    }
    let found = replay_pair(&disk.borrow().contents).unwrap().unwrap();
    assert_eq!((model_of(&found), found.contents.len()), (model, 0));
}
