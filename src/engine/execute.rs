//! Carries out one command against the open storage.

use super::answer::{BlockRecord, HeaderRecord, IndexBlockRecord, PartRecord, text_labels};
use super::follow::read_only;
use super::{Answer, BodyFormat, Command, SeriesData, Shared, SnapshotFile};
use crate::archive::Layout;
use crate::error::{Error, Result};
use crate::formats::jsonl;
use crate::http::{HttpRequest, HttpResponse, route};
use crate::runtime::Lane;
use crate::storage::Storage;
use crate::storage::search::FoundSeries;
use crate::storage::snapshot::FileSource;
use crate::storage::text::Piece;
use crate::time::TimeRange;
use std::pin::Pin;
use std::rc::Rc;

/// An export piece ends with the line that reaches this size.
const EXPORT_PIECE_BYTES: usize = 64 * 1024;

/// The most headers that one `InspectPart` answers with.
const MAX_INSPECTED_BLOCKS: usize = 10_000;

/// An export that is being read: the series still to come, the next one last.
pub(super) struct ExportCursor {
    series: Vec<FoundSeries>,
    range: TimeRange,
}

/// What carries out one command. Each kind of command is a future of its own, so that none is as large as the largest, and what
/// is seldom asked for can be left out of the code that is loaded first (docs/decisions/wasm-size.md).
pub(super) type Execution = Pin<Box<dyn Future<Output = Result<Answer>>>>;

pub(super) fn execute(storage: Rc<Storage>, shared: Rc<Shared>, command: Command) -> Execution {
    if command.waits_for_restoration()
        && let Err(error) = shared.check_not_restoring()
    {
        return done(std::future::ready(Err(error)));
    }
    match command {
        Command::Flush => done(async move { storage.flush().await }),
        Command::Sync => done(async move { storage.sync().await }),
        Command::ForceMerge { partition_prefix } => done(async move { storage.force_merge(&partition_prefix).await }),
        Command::Ingest { format, body, timestamp, extra_labels, first_line, body_number } => Box::pin(async move {
            let piece = Piece { text: &body, first_line, body: body_number.max(1) };
            let result = match format {
                BodyFormat::Prometheus => storage.ingest_prometheus(piece, timestamp, &extra_labels).await?,
                BodyFormat::JsonLines => storage.ingest_json_lines(piece, &extra_labels).await?,
            };
            storage.wait_for_room().await;
            Ok(Answer::Ingested(result.into()))
        }),
        Command::Select { selector, range } => Box::pin(select(storage, selector, range)),
        Command::Labels { selector, range } => Box::pin(async move {
            let found = storage.find_series(selector.as_deref(), range).await?;
            Ok(Answer::LabelSets(found.iter().map(|series| text_labels(&series.name)).collect()))
        }),
        Command::LabelNames { selector, range } => {
            Box::pin(async move { Ok(Answer::Strings(storage.label_names(selector.as_deref(), range).await?)) })
        }
        Command::LabelValues { name, selector, range } => {
            Box::pin(async move { Ok(Answer::Strings(storage.label_values(&name, selector.as_deref(), range).await?)) })
        }
        Command::ExportOpen { selector, range } => Box::pin(async move {
            let mut series = storage.find_series(selector.as_deref(), range).await?;
            series.reverse();
            let id = shared.next_cursor.get();
            shared.next_cursor.set(id + 1);
            shared.cursors.borrow_mut().insert(id, ExportCursor { series, range });
            Ok(Answer::Cursor(id))
        }),
        Command::ExportNext { cursor } => Box::pin(export_next(storage, shared, cursor)),
        Command::ExportClose { cursor } => {
            shared.cursors.borrow_mut().remove(&cursor);
            done(std::future::ready(Ok(())))
        }
        Command::SnapshotCreate => Box::pin(async move { Ok(Answer::Snapshot(storage.create_snapshot().await?)) }),
        Command::SnapshotList => Box::pin(async move { Ok(Answer::Strings(storage.list_snapshots().await?)) }),
        Command::SnapshotDelete { name } => done(async move { storage.delete_snapshot(&name).await }),
        Command::SnapshotDeleteAll => done(async move { storage.delete_all_snapshots().await }),
        Command::SnapshotFiles { name, layout } => Box::pin(snapshot_files(storage, name, layout)),
        Command::SnapshotRead { source, offset, length } => {
            Box::pin(async move { Ok(Answer::Bytes(storage.read_snapshot_file(&source, offset, length).await?)) })
        }
        Command::RestoreBegin => Box::pin(async move { shared.restore_begin(&storage).await }),
        Command::RestoreFeed { bytes } => Box::pin(async move { shared.restore_feed(&storage, bytes).await }),
        Command::RestoreEnd => Box::pin(async move { shared.restore_end(storage).await }),
        Command::RestoreAbort => Box::pin(async move { shared.restore_abort(&storage).await }),
        Command::Origin => Box::pin(async move { shared.origin(&storage).await }),
        Command::DeleteSeries { selector } => {
            Box::pin(async move { Ok(Answer::Count(storage.delete_series(&selector).await?)) })
        }
        Command::InspectPart { part, from, count } => Box::pin(inspect_part(storage, part, from, count)),
        Command::InspectBlock { part, block } => Box::pin(inspect_block(storage, part, block)),
        Command::InspectIndexBlock { table, part, block } => Box::pin(async move {
            let (part, header, items) = storage.inspect_index_block(table, part, block).await?;
            Ok(Answer::IndexBlock(IndexBlockRecord::of(part.dir(), &header, &items)))
        }),
        Command::Http(request) => Box::pin(async move { Ok(Answer::Http(respond(&storage, &shared, &request).await)) }),
        // `Engine::send` takes it out before.
        Command::Close => done(std::future::ready(Ok(()))),
    }
}

/// For commands that are answered with nothing but their end.
fn done(work: impl Future<Output = Result<()>> + 'static) -> Execution {
    Box::pin(async move { work.await.map(|()| Answer::Done) })
}

async fn select(storage: Rc<Storage>, selector: String, range: TimeRange) -> Result<Answer> {
    let found = storage.find_series(Some(&selector), range).await?;
    let mut series = Vec::with_capacity(found.len());
    for (samples, found) in storage.read_all(&found, range).await?.into_iter().zip(&found) {
        if !samples.timestamps.is_empty() {
            series.push(SeriesData {
                labels: text_labels(&found.name),
                timestamps: samples.timestamps,
                values: samples.values,
            });
        }
    }
    Ok(Answer::Series(series))
}

async fn export_next(storage: Rc<Storage>, shared: Rc<Shared>, id: u32) -> Result<Answer> {
    // Taken out while it is read, so that no borrow lasts over an await.
    let cursor = shared.cursors.borrow_mut().remove(&id);
    let mut cursor =
        cursor.ok_or_else(|| Error::invalid(format!("there is no export {id}; it has ended or was closed")))?;
    let mut piece = Vec::new();
    while piece.len() < EXPORT_PIECE_BYTES {
        let Some(found) = cursor.series.pop() else { break };
        let samples = match storage.read_one(&found, cursor.range).await {
            Ok(samples) => samples,
            Err(error) => {
                // It can go on, when what could not be read can be read at the second attempt.
                cursor.series.push(found);
                shared.cursors.borrow_mut().insert(id, cursor);
                return if piece.is_empty() { Err(error) } else { Ok(Answer::Chunk(Some(piece))) };
            }
        };
        if !samples.timestamps.is_empty() {
            jsonl::write_export_line(&found.name, &samples.timestamps, &samples.values, &mut piece);
        }
    }
    if piece.is_empty() {
        return Ok(Answer::Chunk(None));
    }
    shared.cursors.borrow_mut().insert(id, cursor);
    Ok(Answer::Chunk(Some(piece)))
}

async fn snapshot_files(storage: Rc<Storage>, name: String, layout: Layout) -> Result<Answer> {
    let files = storage.snapshot_files(&name, layout).await?.into_iter().map(|file| {
        // What is made for a layout is JSON.
        let (source, content) = match file.source {
            FileSource::Stored(source) => (source.as_str().into(), None),
            FileSource::Made(content) => (String::new(), Some(String::from_utf8_lossy(&content).into_owned())),
        };
        SnapshotFile { path: file.path, source, size_bytes: file.size_bytes, content }
    });
    Ok(Answer::Files(files.collect()))
}

async fn inspect_part(storage: Rc<Storage>, part: u64, from: u64, count: usize) -> Result<Answer> {
    let found = storage.inspect_part(part, from, count.min(MAX_INSPECTED_BLOCKS)).await?;
    let headers = found.headers.iter().zip(&found.names);
    Ok(Answer::Part(PartRecord {
        partition: found.partition,
        blocks: found.blocks,
        index_blocks: found.index_blocks,
        file_bytes: found.file_bytes,
        headers: headers.map(|(header, name)| HeaderRecord::of(header, name.as_deref())).collect(),
    }))
}

async fn inspect_block(storage: Rc<Storage>, part: u64, block: u64) -> Result<Answer> {
    let (block, name) = storage.inspect_block(part, block).await?;
    let record = BlockRecord {
        header: HeaderRecord::of(&block.header, name.as_deref()),
        timestamps_course: block.timestamps.course,
        values_course: block.mantissas.course,
    };
    Ok(Answer::Block(Box::new(block), record))
}

async fn respond(storage: &Rc<Storage>, shared: &Shared, request: &HttpRequest) -> HttpResponse {
    let keys = &shared.config.auth;
    let keys = route::RequiredKeys {
        snapshot: &keys.snapshot,
        force_flush: &keys.force_flush,
        force_merge: &keys.force_merge,
    };
    let route = match route::Route::parse(request, keys) {
        Ok(route) => route,
        Err(response) => return response,
    };
    use route::Route;
    if shared.config.read_only && !matches!(route, Route::SnapshotList) {
        return route::failed(&route, &read_only(&shared.config));
    }
    if !matches!(route, Route::SnapshotList)
        && let Err(error) = shared.check_not_restoring()
    {
        return route::failed(&route, &error);
    }
    let outcome = match &route {
        Route::SnapshotCreate | Route::PrometheusSnapshotCreate => {
            storage.create_snapshot().await.map(|name| route::snapshot_created(&route, &name))
        }
        Route::SnapshotList => storage.list_snapshots().await.map(|names| route::snapshot_list(&names)),
        Route::SnapshotDelete { name } => storage.delete_snapshot(name).await.map(|()| route::ok()),
        Route::SnapshotDeleteAll => storage.delete_all_snapshots().await.map(|()| route::ok()),
        Route::ForceFlush => storage.flush().await.map(|()| route::empty()),
        Route::ForceMerge { partition_prefix } => {
            // The server answers at once and merges in the background.
            let (storage, partition_prefix) = (storage.clone(), partition_prefix.clone());
            storage.context().clone().spawn(Lane::BigMerge, async move {
                if let Err(error) = storage.force_merge(&partition_prefix).await {
                    storage.report(&error.at("cannot complete forced merge"));
                }
            });
            Ok(route::empty())
        }
    };
    outcome.unwrap_or_else(|error| route::failed(&route, &error))
}
