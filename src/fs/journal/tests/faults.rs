//! Storages that fail or are full, and too many files.

use super::super::MAX_JOURNAL_BYTES;
use super::super::writer::LOG_BYTES;
use super::*;

#[test]
fn a_failed_commit_changes_nothing() {
    let steps = history().0.borrow().steps.len();
    for failing in 0..steps + 20 {
        // The second failure is that of taking the commit back.
        for fail in [vec![failing], vec![failing, failing + 1], vec![failing, failing + 2]] {
            let (disk, files) = pair(Default::default());
            disk.borrow_mut().fail = fail;
            let Ok(mut journal) = Journal::start(files, None) else { continue };
            let mut model = Model::new();
            let mut uncertain = None;
            for number in 0..COMMITS {
                let (record, after) = commit(number, &model);
                match journal.commit(&record, 0, || whole(&model)) {
                    Ok(()) => {
                        assert!(uncertain.is_none(), "a broken journal goes on");
                        model = after;
                    }
                    Err(error) if !journal.is_broken() => assert_eq!(error.kind(), ErrorKind::Quota),
                    Err(error) => {
                        assert!(uncertain.is_none() || error.kind() == ErrorKind::Storage);
                        uncertain.get_or_insert(after);
                    }
                }
            }
            let contents = &disk.borrow().contents;
            let found = model_of(&replay_pair(contents).unwrap().unwrap());
            assert!(found == model || Some(found) == uncertain, "step {failing} failed");
        }
    }
}

#[test]
fn files_can_be_removed_when_the_storage_is_full() {
    let (disk, files) = pair(Default::default());
    let mut journal = Journal::start(files, None).unwrap();
    let mut model = Model::new();
    for number in 0..37 {
        let (record, after) = commit(number, &model);
        journal.commit(&record, 0, || whole(&model)).unwrap();
        model = after;
    }
    let longest = disk.borrow().contents.iter().map(Vec::len).max().unwrap();
    disk.borrow_mut().full_at = Some(longest as u64);
    while let Some((path, _)) = model.first_key_value() {
        let path = path.clone();
        let mut record = Record::default();
        record.entry(&FilePath::new(&path).unwrap(), None);
        journal.commit(&record, 0, || whole(&model)).unwrap();
        model.remove(&path);
    }
    let found = replay_pair(&disk.borrow().contents).unwrap().unwrap();
    assert!(found.paths.is_empty());
    assert_eq!(found.sizes.last(), Some((&(NUMBERS_END - 1), &0)), "numbers are not given out again");
    // The log stays short as well.
    assert!(longest < 8 * LOG_BYTES as usize, "{longest}");
}

#[test]
fn too_many_files_can_be_removed_again() {
    // At once, as a deleted snapshot goes or what a restart finds to be removed, and one by one.
    for at_once in [true, false] {
        let (disk, files) = pair(Default::default());
        let mut journal = Journal::start(files, None).unwrap();
        let mut model = Model::new();
        let add = |number: u64| {
            let mut record = Record::default();
            record.file(number, number, location(number));
            record.entry(&FilePath::new(&format!("data/{number}")).unwrap(), Some(number));
            record
        };
        let refused = loop {
            let number = model.len() as u64;
            match journal.commit(&add(number), 0, || whole(&model)) {
                Ok(()) => drop(model.insert(format!("data/{number}"), (number, number))),
                Err(error) => break error,
            }
        };
        assert_eq!(refused.kind(), ErrorKind::Limit, "{refused}");
        assert!(model.len() > 100, "only {} files", model.len());
        // What is refused leaves no trace either.
        let mut huge = add(5_000);
        huge.entry(&FilePath::new(&"x".repeat(3 * MAX_JOURNAL_BYTES as usize)).unwrap(), Some(5_000));
        assert_eq!(journal.commit(&huge, 0, || whole(&model)).unwrap_err().kind(), ErrorKind::Limit);

        let contents = disk.borrow().contents.clone();
        let found = replay_pair(&contents).unwrap();
        assert_eq!(found.as_ref().map(model_of), Some(model.clone()));
        let (disk, files) = pair(contents);
        let mut journal = Journal::start(files, found.as_ref()).unwrap();
        while !model.is_empty() {
            let paths: Vec<_> = model.keys().take(if at_once { usize::MAX } else { 1 }).cloned().collect();
            let mut record = Record::default();
            for path in &paths {
                record.entry(&FilePath::new(path).unwrap(), None);
            }
            journal.commit(&record, 0, || whole(&model)).unwrap();
            model.retain(|path, _| !paths.contains(path));
        }
        journal.commit(&add(6_000), 0, || whole(&model)).unwrap();
        let contents = &disk.borrow().contents;
        assert_eq!(replay_pair(contents).unwrap().map(|found| found.paths.len()), Some(1));
        let longest = contents.iter().map(Vec::len).max().unwrap() as u64;
        assert!(longest <= 2 * MAX_JOURNAL_BYTES, "{longest} bytes are not read");
    }
}
