//! The database's own metrics.

use crate::http::HttpResponse;
use crate::http::metrics::MetricsText;
use crate::storage::Storage;
use crate::trace::event::PartClass;

/// What one kind of parts has in all.
#[derive(Clone, Copy, Default)]
struct Sum {
    parts: u64,
    rows: u64,
    blocks: u64,
    bytes: u64,
    merges: u64,
}

/// The reply of `/metrics`.
pub(super) fn metrics(storage: &Storage) -> HttpResponse {
    let mut text = MetricsText::default();
    let mut pending_rows = 0;
    let mut classes = [Sum::default(); 3];
    let (mut merges, mut merged_rows) = (0, 0);
    let partitions = storage.table().partitions();
    for state in partitions.iter().map(|partition| partition.state()) {
        pending_rows += state.shards.iter().map(|shard| shard.rows).sum::<u64>() + state.pending_conversion_rows;
        for part in &state.parts {
            let sum = &mut classes[part.class as usize];
            sum.parts += 1;
            sum.rows += part.rows;
            sum.blocks += part.blocks;
            sum.bytes += part.bytes;
        }
        for merge in &state.merges {
            classes[merge.output_class as usize].merges += 1;
        }
        merges += state.merged.flushes.done + state.merged.merges.done;
        merged_rows += state.merged.merges.rows;
    }
    let index = storage.index().state();
    let index_parts = || index.tables.iter().flat_map(|generation| &generation.table.parts);
    let of_index = Sum {
        parts: index_parts().count() as u64,
        rows: index_parts().map(|part| part.items).sum(),
        blocks: index_parts().map(|part| part.blocks).sum(),
        bytes: index_parts().map(|part| part.bytes).sum(),
        merges: index_parts().any(|part| part.is_merging).into(),
    };
    for (kind, sum) in [
        ("storage/inmemory", classes[PartClass::InMemory as usize]),
        ("storage/small", classes[PartClass::Small as usize]),
        ("storage/big", classes[PartClass::Big as usize]),
        ("indexdb", of_index),
    ] {
        let labels = format!("type=\"{kind}\"");
        text.put("vm_parts", &labels, sum.parts as f64);
        text.put("vm_rows", &labels, sum.rows as f64);
        text.put("vm_blocks", &labels, sum.blocks as f64);
        text.put("vm_data_size_bytes", &labels, sum.bytes as f64);
        text.put("vm_active_merges", &labels, sum.merges as f64);
    }
    text.put("vm_merges_total", "type=\"storage\"", merges as f64);
    text.put("vm_rows_merged_total", "type=\"storage\"", merged_rows as f64);
    text.put("vm_pending_rows", "type=\"storage\"", pending_rows as f64);
    text.put("vm_pending_rows", "type=\"indexdb\"", index.pending_items as f64);
    text.put("vm_partitions", "", partitions.len() as f64);
    let ingested = storage.ingest_counters();
    text.put("vm_rows_added_to_storage_total", "", ingested.rows as f64);
    text.put("vm_rows_ignored_total", "reason=\"nan_value\"", ingested.rejected_nan as f64);
    text.put("vm_rows_ignored_total", "reason=\"small_timestamp\"", ingested.rejected_too_old as f64);
    text.put("vm_rows_ignored_total", "reason=\"big_timestamp\"", ingested.rejected_too_new as f64);
    if let Some(series) = index.series {
        text.put("vm_timeseries", "", (series - index.deleted_series.min(series)) as f64);
    }
    text.put("vm_deleted_metrics_total", "type=\"indexdb\"", index.deleted_series as f64);
    let context = storage.context();
    let cache = context.block_cache().stats();
    let labels = "type=\"blocks\"";
    text.put("vm_cache_entries", labels, cache.blocks as f64);
    text.put("vm_cache_size_bytes", labels, cache.bytes as f64);
    text.put("vm_cache_size_max_bytes", labels, cache.budget_bytes as f64);
    text.put("vm_cache_requests_total", labels, (cache.hits + cache.misses) as f64);
    text.put("vm_cache_misses_total", labels, cache.misses as f64);
    let files = context.file_system_stats();
    text.put("vm_fs_files", "", files.files as f64);
    text.put("vm_fs_stored_bytes", "", files.stored_bytes as f64);
    text.put("vm_fs_read_bytes_total", "", files.read_bytes as f64);
    text.put("vm_fs_written_bytes_total", "", files.written_bytes as f64);
    text.put("vm_fs_commits_total", "", files.commits as f64);
    if let Some(left_bytes) = context.room().left_bytes() {
        text.put("vm_free_disk_space_bytes", "", left_bytes as f64);
    }
    text.put("vm_retention_seconds", "", storage.options().retention_ms as f64 / 1e3);
    let version = env!("CARGO_PKG_VERSION");
    text.put("vm_app_version", &format!("version=\"sandglass-{version}\",short_version=\"{version}\""), 1.0);
    text.reply()
}
