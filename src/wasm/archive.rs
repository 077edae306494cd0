//! A snapshot that is opened where it lies: looked through first, then read a range at a time.

use crate::archive::Scan;
use crate::archive::scan::Content;
use crate::engine::Origin;
use crate::error::{Error, Result};
use crate::fs::ranges::{RangeFileSystem, Start, read_range};
use js_sys::{Array, Function, Reflect};

/// The files of an archive, and what is known of it. `files` are pairs of a path and a length; one without a path is a tar.
pub(super) async fn open(
    files: &Array,
    read: Function,
    notify: impl Fn() + 'static,
    next_generation: u64,
) -> Result<(RangeFileSystem, Origin)> {
    let files = files.iter().map(|file| {
        let part = |at: u32| Reflect::get_u32(&file, at).ok();
        let (path, length) = (part(0).and_then(|path| path.as_string()), part(1).and_then(|length| length.as_f64()));
        path.zip(length).ok_or_else(|| Error::invalid("a file of a snapshot is a path and a length"))
    });
    let files: Vec<(String, u64)> =
        files.map(|file| file.map(|(path, length)| (path, length as u64))).collect::<Result<_>>()?;
    let mut scan = match &files[..] {
        [(path, size_bytes)] if path.is_empty() => Scan::of_tar(*size_bytes),
        files => Scan::of_files(files)?,
    };
    while let Some((source, range)) = scan.wanted() {
        let bytes = read_range(&read, source, &range).await?;
        scan.feed(&bytes)?;
    }
    let (plan, contents) = scan.finish(next_generation)?;
    let stored = contents.iter().filter_map(|(path, content)| match content {
        Content::Stored(extent) => {
            Some((path.clone(), Start { source: extent.source, offset: extent.offset }, extent.size_bytes))
        }
        Content::Made(_) => None,
    });
    let made = contents.iter().filter_map(|(path, content)| match content {
        Content::Made(bytes) => Some((path.clone(), bytes.clone())),
        Content::Stored(_) => None,
    });
    let file_system = RangeFileSystem::new(stored, made, read, notify)?;
    let left_out = plan.left_out.into_iter().map(|one| (one.path, one.message)).collect();
    Ok((file_system, Origin { format: plan.format.text(), left_out }))
}
