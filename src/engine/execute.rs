//! Carries out one command against the open storage.

use super::answer::{BlockRecord, HeaderRecord, IndexBlockRecord, PartRecord, text_labels};
use super::selection::{selected, selected_or_all};
use super::{Answer, Command, SeriesData, Shared, SnapshotFile, push, query_log, transfer};
use crate::archive::Layout;
use crate::error::Result;
use crate::executor;
use crate::http::prometheus::ApiRoute;
use crate::http::route::{self, Route};
use crate::http::{HttpRequest, methods};
use crate::runtime::Lane;
use crate::storage::Storage;
use crate::storage::search::MAX_SERIES;
use crate::storage::snapshot::FileSource;
use crate::storage::text::Piece;
use crate::time::TimeRange;
use std::pin::Pin;
use std::rc::Rc;

/// Work that it takes to write the labels of a series as text.
const LABELS_UNITS: u64 = 80;

/// The most headers that one `InspectPart` answers with.
const MAX_INSPECTED_BLOCKS: usize = 10_000;

/// What carries out one command. Each kind of command is a future of its own, so that none is as large as the largest.
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
            let result = storage.ingest(&format, piece, timestamp, &extra_labels).await?;
            storage.wait_for_room().await;
            Ok(Answer::Ingested(result.into()))
        }),
        Command::IngestOpen { format, compression, timestamp, extra_labels } => {
            let ingest = transfer::ingest_open(&shared, format, compression, timestamp, extra_labels);
            Box::pin(std::future::ready(Ok(Answer::Cursor(ingest))))
        }
        Command::IngestPiece { ingest, bytes } => {
            done(async move { transfer::ingest_piece(&storage, &shared, ingest, bytes.into()).await })
        }
        Command::IngestEnd { ingest } => {
            Box::pin(async move { Ok(Answer::Ingested(transfer::ingest_end(&storage, &shared, ingest).await?.into())) })
        }
        Command::IngestClose { ingest } => {
            shared.cursors.end_ingest(ingest);
            done(std::future::ready(Ok(())))
        }
        Command::Select { selector, range } => Box::pin(select(storage, selector, range)),
        Command::Labels { selector, range } => Box::pin(async move {
            let found = storage.find_series(&selected_or_all(selector.as_deref())?, range, MAX_SERIES).await?;
            let mut sets = Vec::with_capacity(found.len());
            for series in &found {
                storage.context().spend(LABELS_UNITS).await;
                sets.push(text_labels(&series.name));
            }
            Ok(Answer::LabelSets(sets))
        }),
        Command::LabelNames { selector, range } => Box::pin(async move {
            let filter_lists = selected_or_all(selector.as_deref())?;
            Ok(Answer::Strings(storage.label_names(&filter_lists, range).await?))
        }),
        Command::LabelValues { name, selector, range } => Box::pin(async move {
            let filter_lists = selected_or_all(selector.as_deref())?;
            Ok(Answer::Strings(storage.label_values(&name, &filter_lists, range).await?))
        }),
        Command::ExportOpen { format, selector, range } => Box::pin(async move {
            let selectors: Vec<_> = selector.iter().map(String::as_str).collect();
            Ok(Answer::Cursor(transfer::export_open(&storage, &shared, format, &selectors, range).await?))
        }),
        Command::ExportNext { cursor } => {
            Box::pin(async move { Ok(Answer::Chunk(transfer::export_next(&storage, &shared, cursor).await?)) })
        }
        Command::ExportClose { cursor } => {
            shared.cursors.end_export(cursor);
            done(std::future::ready(Ok(())))
        }
        Command::PushOpen { protocol, selector, range, from } => Box::pin(async move {
            let format = transfer::push_format(&protocol)?;
            Ok(Answer::Cursor(push::open(&storage, &shared, format, selector.as_deref(), range, &from).await?))
        }),
        Command::PushNext { cursor } => {
            Box::pin(async move { Ok(Answer::PushPiece(push::next(&storage, &shared, cursor).await?)) })
        }
        Command::PushWindows { selector, range, window_ms } => {
            Box::pin(
                async move { Ok(Answer::Times(push::windows(&storage, selector.as_deref(), range, window_ms).await?)) },
            )
        }
        Command::PushWatch { watch, until } => done(async move { storage.late().watch(&watch, until) }),
        Command::PushUnwatch { watch } => {
            storage.late().unwatch(&watch);
            done(std::future::ready(Ok(())))
        }
        Command::PushLate { watch, protocol, selector } => Box::pin(async move {
            let format = transfer::push_format(&protocol)?;
            Ok(Answer::Late(push::late(&storage, &shared, &watch, format, selector.as_deref()).await?))
        }),
        Command::SnapshotCreate => Box::pin(async move { Ok(Answer::Snapshot(storage.create_snapshot().await?)) }),
        Command::SnapshotList => Box::pin(async move { Ok(Answer::Strings(storage.snapshots().list().await?)) }),
        Command::SnapshotDelete { name } => done(async move { storage.snapshots().delete(&name).await }),
        Command::SnapshotDeleteAll => done(async move { storage.snapshots().delete_all().await }),
        Command::SnapshotFiles { name, layout } => Box::pin(snapshot_files(storage, name, layout)),
        Command::SnapshotRead { source, offset, length } => {
            Box::pin(async move { Ok(Answer::Bytes(storage.snapshots().read(&source, offset, length).await?)) })
        }
        Command::RestoreBegin => Box::pin(async move { shared.restore_begin(&storage).await }),
        Command::RestoreFeed { bytes } => Box::pin(async move { shared.restore_feed(&storage, bytes).await }),
        Command::RestoreEnd => Box::pin(async move { shared.restore_end(storage).await }),
        Command::RestoreAbort => Box::pin(async move { shared.restore_abort(&storage).await }),
        Command::Origin => Box::pin(async move { shared.origin(&storage).await }),
        Command::DeleteSeries { selector } => {
            Box::pin(async move { Ok(Answer::Count(storage.delete_series(&selected(&selector)?).await?)) })
        }
        Command::Query(query) => {
            Box::pin(async move { Ok(Answer::Query(Box::new(query_log::query(&storage, &shared, &query).await?))) })
        }
        Command::Latest { selector, within_ms } => Box::pin(async move {
            let min = storage.context().now().saturating_sub(within_ms);
            let range = TimeRange { min, max: i64::MAX };
            let found = executor::latest::latest(&storage, &selected(&selector)?, range).await?;
            Ok(Answer::Latest(found))
        }),
        Command::Count { selector, range } => Box::pin(async move {
            let filters = selected_or_all(selector.as_deref())?;
            Ok(Answer::Count(storage.find_series(&filters, range, MAX_SERIES).await?.len() as u64))
        }),
        Command::Envelope { selector, start_ms, end_ms, columns } => Box::pin(async move {
            let filters = selected(&selector)?;
            Ok(Answer::Envelope(executor::envelope::envelope(&storage, &filters, start_ms, end_ms, columns).await?))
        }),
        Command::InspectPart { part, from, count } => Box::pin(inspect_part(storage, part, from, count)),
        Command::InspectBlock { part, block } => Box::pin(inspect_block(storage, part, block)),
        Command::InspectIndexBlock { table, part, block } => Box::pin(async move {
            let (part, header, items) = storage.inspect_index_block(table, part, block).await?;
            Ok(Answer::IndexBlock(IndexBlockRecord::of(part.dir(), &header, &items)))
        }),
        Command::Http(request) => Box::pin(async move { Ok(respond(&storage, &shared, &request).await) }),
        // `Engine::send` takes it out before.
        Command::Close => done(std::future::ready(Ok(()))),
    }
}

/// For commands that are answered with nothing but their end.
fn done(work: impl Future<Output = Result<()>> + 'static) -> Execution {
    Box::pin(async move { work.await.map(|()| Answer::Done) })
}

async fn select(storage: Rc<Storage>, selector: String, range: TimeRange) -> Result<Answer> {
    let found = storage.find_series(&selected(&selector)?, range, MAX_SERIES).await?;
    let mut series = Vec::with_capacity(found.len());
    let (samples, _held) = storage.read_held(&found, range).await?;
    for (samples, found) in samples.into_iter().zip(&found) {
        storage.context().spend(LABELS_UNITS).await;
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

async fn snapshot_files(storage: Rc<Storage>, name: String, layout: Layout) -> Result<Answer> {
    let files = storage.snapshots().files(&name, layout).await?.into_iter().map(|file| {
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

async fn respond(storage: &Rc<Storage>, shared: &Shared, request: &HttpRequest) -> Answer {
    if request.method == "OPTIONS" {
        return Answer::Http(methods::preflight());
    }
    if let Some(route) = ApiRoute::parse(&request.path()) {
        if let Err(response) = route.methods().check(&request.method) {
            return Answer::Http(response);
        }
        return Answer::Http(super::api::respond(storage, shared, &route, request).await);
    }
    let keys = &shared.config.auth;
    let keys = route::RequiredKeys {
        snapshot: &keys.snapshot,
        force_flush: &keys.force_flush,
        force_merge: &keys.force_merge,
    };
    let route = match route::Route::parse(request, keys) {
        Ok(route) => route,
        Err(response) => return Answer::Http(response),
    };
    if !route.only_reads() {
        if shared.config.read_only {
            return Answer::Http(route::failed(&route, &shared.config.read_only_error()));
        }
        if let Err(error) = shared.check_not_restoring() {
            return Answer::Http(route::failed(&route, &error));
        }
    }
    let outcome = match &route {
        Route::Import { import, labels, arguments } => {
            let response = transfer::respond_to_import(storage, shared, request, *import, labels, arguments).await;
            return Answer::Http(response);
        }
        Route::Export { export, arguments } => {
            return transfer::respond_to_export(storage, shared, request, *export, arguments).await;
        }
        Route::SnapshotCreate | Route::PrometheusSnapshotCreate => {
            storage.create_snapshot().await.map(|name| route::snapshot_created(&route, &name))
        }
        Route::SnapshotList => storage.snapshots().list().await.map(|names| route::snapshot_list(&names)),
        Route::SnapshotDelete { name } => storage.snapshots().delete(name).await.map(|()| route::ok()),
        Route::SnapshotDeleteAll => storage.snapshots().delete_all().await.map(|()| route::ok()),
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
    Answer::Http(outcome.unwrap_or_else(|error| route::failed(&route, &error)))
}
