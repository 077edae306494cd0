//! Merges of a whole month: forced ones, and the final de-duplication (engine-behaviour §7).

use super::Partition;
use super::merge::Merges;
use super::parts::{PartEntry, bytes_of};
use crate::error::Result;
use crate::merge::policy::MAX_PARTS_TO_MERGE;
use crate::runtime::Lane;
use crate::trace::event::{MergeReason, PartClass};
use std::rc::Rc;

impl Partition {
    /// Waits for merges that are under way and then merges all parts of this instant into one.
    ///
    /// # Errors
    /// `Quota` when the result would not fit; when storage fails or a part is corrupt; the parts stay as they are.
    pub async fn force_merge(&self) -> Result<()> {
        self.merge_all(MergeReason::Forced).await
    }

    /// Whether some part was written with a smaller de-duplication interval than is wanted now (engine-behaviour §7).
    pub fn needs_final_deduplication(&self) -> bool {
        let wanted = self.month.options.dedup.map_or(0, |dedup| dedup.interval_ms);
        let list = self.parts.list();
        let smallest = list.iter().map(|entry| entry.part().header().min_dedup_interval_ms).min();
        smallest.is_some_and(|smallest| wanted > smallest)
    }

    /// Merges all parts into one, when they need it, so that the present de-duplication interval holds for all of them.
    pub async fn deduplicate_finally(&self) -> Result<()> {
        if self.needs_final_deduplication() { self.merge_all(MergeReason::Deduplication).await } else { Ok(()) }
    }

    async fn merge_all(&self, reason: MergeReason) -> Result<()> {
        let (merges, small_merger, big_merger) =
            (self.merges.clone(), self.small_merger.clone(), self.big_merger.clone());
        self.month
            .in_job(Lane::BigMerge, async move {
                let Merges { month, parts: live_parts, .. } = &*merges;
                let _turn = merges.take_forced_turn().await?;
                merges.wait_until_none().await;
                let mut parts: Vec<Rc<PartEntry>> = live_parts.list().iter().cloned().collect();
                // Nothing is begun that could not be ended: what is merged in two rounds is there twice beside its sources.
                let rounds = if parts.len() > MAX_PARTS_TO_MERGE { 2 } else { 1 };
                let what = format!("merging the {} parts of {}", parts.len(), month.place());
                if let Err(error) = month.context.room().check(bytes_of(&parts).saturating_mul(rounds), &what) {
                    if reason != MergeReason::Deduplication {
                        return Err(error);
                    }
                    let of_big = parts.first().is_some_and(|first| first.class() == PartClass::Big);
                    if of_big { &big_merger } else { &small_merger }.put_off(&parts);
                    return Ok(());
                }
                // The first round rewrites even a single part.
                let mut is_first_round = true;
                while is_first_round || parts.len() > 1 {
                    is_first_round = false;
                    let mut waiting = live_parts.lease(std::mem::take(&mut parts));
                    let is_last_round = waiting.parts().len() <= MAX_PARTS_TO_MERGE;
                    while !waiting.parts().is_empty() {
                        if waiting.parts().len() == 1 && !is_last_round {
                            // Not worth writing alone; it joins the next round.
                            parts.extend_from_slice(waiting.parts());
                            break;
                        }
                        let lease = waiting.split_off_first(MAX_PARTS_TO_MERGE, month.options.ids.next_merge());
                        parts.extend(merges.run(lease, reason, None).await?);
                    }
                }
                Ok(())
            })
            .await
    }
}
