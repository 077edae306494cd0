//! The power is cut between any two steps and within each.

use super::*;

#[test]
fn a_crash_between_any_two_steps_or_within_one_loses_nothing_acknowledged() {
    let (disk, acknowledged) = history();
    let steps = disk.borrow().steps.clone();
    let (mut outcomes, mut second_cuts) = (0, 0);
    for crash in 0..=steps.len() {
        let known = acknowledged.iter().rposition(|(until, _)| *until <= crash);
        let mut flushed = [Vec::new(), Vec::new()];
        let mut loose: Vec<&Step> = Vec::new();
        for step in &steps[..crash] {
            match step {
                Step::Write { .. } => loose.push(step),
                Step::Flush { slot: flushed_slot } => loose.retain(|step| {
                    let Step::Write { slot, at, bytes } = step else { return false };
                    if slot == flushed_slot {
                        overwrite(&mut flushed[*slot], *at, bytes);
                    }
                    slot != flushed_slot
                }),
            }
        }
        assert!(loose.len() < 8, "{} writes without a flush", loose.len());
        // Any of the writes that were not flushed may be lost, and the last one torn.
        for survivors in 0..1_usize << loose.len() {
            let last_len =
                loose.last().map_or(0, |step| if let Step::Write { bytes, .. } = step { bytes.len() } else { 0 });
            for torn_at in 0..=last_len {
                let mut contents = flushed.clone();
                for (number, step) in loose.iter().enumerate() {
                    let Step::Write { slot, at, bytes } = step else { continue };
                    let is_last = number + 1 == loose.len();
                    if survivors >> number & 1 == 1 {
                        overwrite(&mut contents[*slot], *at, &bytes[..if is_last { torn_at } else { bytes.len() }]);
                    }
                }
                let possible = known.map(|known| &acknowledged[known..(known + 2).min(acknowledged.len())]);
                let steps = check_recovery(contents.clone(), possible);
                outcomes += 1;
                // A process that was killed leaves all it has written to the system, until the power goes as well.
                if survivors + 1 == 1_usize << loose.len() && torn_at == last_len {
                    second_cuts += check_second_cut(flushed.clone(), &loose, &steps, possible);
                }
            }
        }
    }
    assert!(outcomes > 5_000, "only {outcomes} crashes were tried");
    assert!(second_cuts > 1_000, "only {second_cuts} second crashes were tried");
}

/// A restart has made `steps` when the power is cut, or fewer of them; what came before it was in part not flushed either.
fn check_second_cut(
    mut flushed: [Vec<u8>; 2],
    before: &[&Step],
    steps: &[Step],
    possible: Option<&[(usize, Model)]>,
) -> u64 {
    let mut killed = flushed.clone();
    for step in before {
        let Step::Write { slot, at, bytes } = step else { continue };
        overwrite(&mut killed[*slot], *at, bytes);
    }
    let adopted = replay_pair(&killed).unwrap().as_ref().map(model_of);
    let committed = commit(1000, &adopted.clone().unwrap_or_default()).1;
    let (mut loose, mut cuts) = (before.to_vec(), 0);
    for made in 0..=steps.len() {
        if let Some(step) = made.checked_sub(1).map(|last| &steps[last]) {
            loose.push(step);
            if let Step::Flush { slot } = step {
                let is_flushed = |step: &&Step| matches!(step, Step::Write { slot: of, .. } if of == slot);
                for step in loose.iter().copied().filter(is_flushed) {
                    let Step::Write { slot, at, bytes } = step else { continue };
                    overwrite(&mut flushed[*slot], *at, bytes);
                }
                loose.retain(|step| matches!(step, Step::Write { slot: of, .. } if of != slot));
            }
        }
        for survivors in 0..1_usize << loose.len() {
            let mut contents = flushed.clone();
            for (_, step) in loose.iter().enumerate().filter(|(number, _)| survivors >> number & 1 == 1) {
                let Step::Write { slot, at, bytes } = step else { continue };
                overwrite(&mut contents[*slot], *at, bytes);
            }
            let found = replay_pair(&contents).unwrap().as_ref().map(model_of);
            let is_possible = match possible {
                _ if found.as_ref() == Some(&committed) => true,
                // It was acknowledged.
                _ if made == steps.len() => false,
                Some(possible) => possible.iter().any(|(_, possible)| found.as_ref() == Some(possible)),
                None => found.as_ref().is_none_or(|found| found.is_empty()),
            };
            assert!(is_possible, "{made} steps behind a kill: {found:?}");
            cuts += 1;
        }
    }
    cuts
}

/// What a crash has left is the last acknowledged state or the one that was being committed, and the journal goes on from it.
/// Answers with the steps of that.
fn check_recovery(contents: [Vec<u8>; 2], possible: Option<&[(usize, Model)]>) -> Vec<Step> {
    let found = replay_pair(&contents).unwrap();
    let model = found.as_ref().map(model_of);
    match possible {
        Some(possible) => {
            assert!(possible.iter().any(|(_, possible)| model.as_ref() == Some(possible)), "{model:?}")
        }
        None => assert!(model.is_none_or(|model| model.is_empty())),
    }
    let model = found.as_ref().map(model_of).unwrap_or_default();
    let (disk, files) = pair(contents);
    let mut journal = Journal::start(files, found.as_ref()).unwrap();
    let (record, after) = commit(1000, &model);
    journal.commit(&record, 0, || whole(&model)).unwrap();
    let again = replay_pair(&disk.borrow().contents).unwrap().unwrap();
    assert_eq!(model_of(&again), after);
    assert_ne!(found.map(|found| found.version()), Some(again.version()));
    disk.borrow().steps.clone()
}
