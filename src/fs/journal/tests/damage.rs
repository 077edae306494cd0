//! Journals that were cut off, damaged, or written by another version.

use super::super::format::{HEAD_BYTES, TAG_CONTENT, TAG_FILE, TAG_GONE, bytes_of, head_bytes, record_at};
use super::*;
use xxhash_rust::xxh64::xxh64;

#[test]
fn a_journal_cut_off_anywhere_is_an_earlier_state_or_none() {
    let (disk, acknowledged) = history();
    let contents = disk.borrow().contents.clone();
    let slot = replay_pair(&contents).unwrap().unwrap().place.slot;
    let mut last = None;
    for len in 0..=contents[slot].len() {
        let mut cut = contents.clone();
        cut[slot].truncate(len);
        let found = replay_pair(&cut).unwrap().map(|found| model_of(&found));
        let state =
            found.map(|found| acknowledged.iter().position(|(_, model)| *model == found).expect("a state there was"));
        assert!(state >= last, "{len} bytes know less than {} did", len - 1);
        last = state;
    }
    assert_eq!(last, Some(acknowledged.len() - 1));
}

#[test]
fn a_flipped_bit_is_found_wherever_it_lies_before_the_last_record() {
    let (disk, acknowledged) = history();
    let mut contents = disk.borrow().contents.clone();
    let place = replay_pair(&contents).unwrap().unwrap().place;
    let whole = contents[place.slot].clone();
    let last_at =
        (0..place.end as usize).step_by(8).rfind(|&at| record_at(&whole, at, place.generation).is_some()).unwrap();
    assert!(last_at as u64 > place.checkpoint_end, "no two records behind the checkpoint");
    let states = |back: usize| &acknowledged[acknowledged.len() - 1 - back].1;
    for slot in [0, 1] {
        for bit in 0..contents[slot].len() * 8 {
            let at = bit / 8;
            contents[slot][at] ^= 1 << (bit % 8);
            let found = replay_pair(&contents).map(|found| found.map(|found| model_of(&found)));
            contents[slot][at] ^= 1 << (bit % 8);
            match found {
                // An empty file, behind the end, or between two records.
                Ok(Some(model)) if model == *states(0) => {
                    assert!(slot != place.slot || at as u64 >= place.end || at >= HEAD_BYTES, "bit {bit}");
                }
                // It looks like a commit that was never acknowledged.
                Ok(Some(model)) => assert!(slot == place.slot && at >= last_at && model == *states(1), "bit {bit}"),
                Ok(None) => assert!(slot == place.slot && (at as u64) < place.checkpoint_end, "bit {bit}"),
                Err(error) => {
                    assert_eq!(error.kind(), ErrorKind::Corrupt);
                    assert!(slot == place.slot && at < last_at, "bit {bit}: {error}");
                }
            }
        }
    }
}

#[test]
fn another_versions_journal_is_left_alone() {
    let (disk, _) = history();
    let mut contents = disk.borrow().contents.clone();
    let slot = replay_pair(&contents).unwrap().unwrap().place.slot;
    contents[slot][8] = 7;
    let checksum = xxh64(&contents[slot][..24], 0);
    contents[slot][24..32].copy_from_slice(&checksum.to_le_bytes());
    let refused = replay_pair(&contents).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Unsupported);
    assert!(refused.message().contains("layout 7") && refused.message().contains("layout 1"), "{refused}");
}

#[test]
fn records_without_meaning_are_refused() {
    for content in [
        vec![0],
        vec![9; 40],
        vec![TAG_FILE; 16],
        [vec![TAG_FILE], 1_u64.to_le_bytes().to_vec(), u64::MAX.to_le_bytes().to_vec()].concat(),
        [TAG_FILE]
            .into_iter()
            .chain([1, NUMBERS_END - 1, 1, 0].into_iter().flat_map(u64::to_le_bytes))
            .chain([TAG_FILE])
            .chain([2_u64, 9, 2, 0].into_iter().flat_map(u64::to_le_bytes))
            .collect(),
        [vec![TAG_GONE], 0_u64.to_le_bytes().to_vec()].concat(),
        [vec![TAG_GONE], 4_u64.to_le_bytes().to_vec(), b"a/..".to_vec()].concat(),
        [vec![TAG_GONE], 2_u64.to_le_bytes().to_vec(), vec![0xff, 0xfe]].concat(),
        [vec![TAG_GONE], (NUMBERS_END - 1).to_le_bytes().to_vec(), b"a".to_vec()].concat(),
        [vec![TAG_CONTENT], 1_u64.to_le_bytes().to_vec(), (NUMBERS_END - 1).to_le_bytes().to_vec(), b"a".to_vec()]
            .concat(),
    ] {
        let mut file = head_bytes(3);
        file.extend_from_slice(&bytes_of(&Record { content: content.clone(), adds: true }, 5, 3));
        assert_eq!(replay([&file, &[]]).unwrap_err().kind(), ErrorKind::Corrupt, "{content:?}");
    }
    // A length far beyond the file is no record.
    let mut file = head_bytes(3);
    let mut head = [5, NUMBERS_END - 1, 0].map(u64::to_le_bytes).concat();
    let checksum = xxh64(&head, 3);
    head.extend_from_slice(&checksum.to_le_bytes());
    file.extend_from_slice(&head);
    assert!(replay([&file, &file]).unwrap().is_none());
}
