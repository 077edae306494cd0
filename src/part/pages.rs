//! Reads of a part's files, a page at a time through the block cache.
//!
//! Over IndexedDB a read takes milliseconds, however short it is, and a dashboard reads the same blocks again and again. Pages and not blocks
//! are kept, since what lies beside a block that was asked for is mostly asked for next.

use super::PartFile;
use super::reader::{Part, PartSource};
use crate::error::Result;
use crate::runtime::{BlockKey, Context};
use bytes::Bytes;
use std::ops::Range;
use std::rc::Rc;

/// Bytes of a page, all of them at multiples of this: as much as is cheaper to read along than by itself.
pub(super) const PAGE_BYTES: u64 = 16 << 10;

/// How much of what one search reads is kept for the next one.
#[derive(Debug, Default)]
pub struct Keeping {
    /// Nothing is.
    is_off: bool,
    /// Bytes that were to be kept so far.
    kept_bytes: u64,
}

impl Keeping {
    /// Nothing of what is read.
    pub(super) fn nothing() -> Self {
        Self { is_off: true, kept_bytes: 0 }
    }

    /// Whether the pages of a range are to be kept. One search replaces half of the cache at the most: whoever reads all there is leaves
    /// the rest to others, and finds as much again the next time.
    fn takes(&mut self, context: &Context, bytes: u64) -> bool {
        let limit_bytes = context.block_cache().stats().budget_bytes / 2;
        let takes = !self.is_off && bytes <= limit_bytes.saturating_sub(self.kept_bytes);
        self.kept_bytes += if takes { bytes } else { 0 };
        takes
    }
}

/// A piece of a range, and where in its file the piece begins.
struct Piece<T> {
    start: u64,
    bytes: T,
}

/// Bytes that are here, or on their way.
enum Source<R> {
    Cached(Rc<Bytes>),
    Here(Result<Bytes>),
    UnderWay(R),
}

/// Starts reading a range of one of a part's files; several may be under way. It must lie in the file.
pub(super) fn start_read(
    context: &Context,
    part: &Part,
    file: PartFile,
    range: Range<u64>,
    keeping: &mut Keeping,
) -> impl Future<Output = Result<Bytes>> + use<> {
    let whole = |source| vec![Piece { start: range.start, bytes: source }];
    // Under which number the pages that are read are kept.
    let mut owner = None;
    let pieces = match part.source() {
        _ if range.is_empty() => Vec::new(),
        PartSource::Memory(_) => whole(Source::Here(part.read_in_memory(file, range.clone()))),
        PartSource::Directory(dir) if context.files_are_in_memory() => {
            whole(Source::UnderWay(context.read(&dir.join(file.name()), range.clone())))
        }
        PartSource::Directory(dir) => {
            let path = dir.join(file.name());
            let number = part.cached().owner(context, file);
            let mut pieces = cached_pages(context, number, &range);
            let missing = gaps(&pieces, &range);
            let pages = missing.iter().map(|gap| page_start(gap.end - 1) + PAGE_BYTES - page_start(gap.start));
            if keeping.takes(context, pages.sum()) {
                owner = Some(number);
            }
            for gap in missing {
                let gap = match owner {
                    Some(_) => page_start(gap.start)..(page_start(gap.end - 1) + PAGE_BYTES).min(part.file_size(file)),
                    None => gap,
                };
                let read = context.read(&path, gap.clone());
                pieces.push(Piece { start: gap.start, bytes: Source::UnderWay(read) });
            }
            pieces.sort_by_key(|piece| piece.start);
            pieces
        }
    };
    let context = context.clone();
    async move {
        let mut found = Vec::with_capacity(pieces.len());
        for Piece { start, bytes } in pieces {
            let bytes = match bytes {
                Source::Cached(bytes) => (*bytes).clone(),
                Source::Here(result) => result?,
                Source::UnderWay(read) => {
                    let bytes = read.await?;
                    if let Some(owner) = owner {
                        keep(&context, owner, start, &bytes);
                    }
                    bytes
                }
            };
            found.push(Piece { start, bytes });
        }
        Ok(joined(&found, &range))
    }
}

fn page_start(at: u64) -> u64 {
    at - at % PAGE_BYTES
}

/// The pages of a range that are in the cache, in order.
fn cached_pages<R>(context: &Context, owner: u64, range: &Range<u64>) -> Vec<Piece<Source<R>>> {
    let starts = (page_start(range.start)..range.end).step_by(PAGE_BYTES as usize);
    let page = |start| {
        let bytes = context.block_cache().get::<Bytes>(BlockKey { owner, offset: start })?;
        Some(Piece { start, bytes: Source::Cached(bytes) })
    };
    starts.filter_map(page).collect()
}

/// What of a range lies between the pages that were found.
fn gaps<R>(pages: &[Piece<Source<R>>], range: &Range<u64>) -> Vec<Range<u64>> {
    let mut gaps = Vec::new();
    let mut at = range.start;
    for page in pages {
        gaps.push(at..page.start);
        at = page.start + PAGE_BYTES;
    }
    gaps.push(at..range.end);
    gaps.retain(|gap| !gap.is_empty());
    gaps
}

/// Keeps the pages of which `bytes` are made, the first of which begins at `start`.
fn keep(context: &Context, owner: u64, start: u64, bytes: &Bytes) {
    for (number, page) in bytes.chunks(PAGE_BYTES as usize).enumerate() {
        // A page of its own: one that hung on its neighbours would keep the memory of all of them.
        let page = Bytes::copy_from_slice(page);
        let size_bytes = page.len() as u64;
        let key = BlockKey { owner, offset: start + number as u64 * PAGE_BYTES };
        context.block_cache().insert(key, Rc::new(page), size_bytes);
    }
}

/// A range in one piece, of pieces that follow one another and cover it.
fn joined(pieces: &[Piece<Bytes>], range: &Range<u64>) -> Bytes {
    let of = |piece: &Piece<Bytes>| {
        let len = piece.bytes.len() as u64;
        let start = range.start.saturating_sub(piece.start).min(len);
        let end = range.end.saturating_sub(piece.start).min(len);
        piece.bytes.slice(start as usize..end as usize)
    };
    match pieces {
        [] => Bytes::new(),
        [piece] => of(piece),
        _ => {
            let mut bytes = Vec::with_capacity((range.end - range.start) as usize);
            pieces.iter().for_each(|piece| bytes.extend_from_slice(&of(piece)));
            bytes.into()
        }
    }
}
