//! Prometheus' own blocks, as its snapshots and data directories hold them: an index of series, and their chunks in segments.

pub mod chunk;
pub mod index;

/// How samples that are in no block yet come into one.
pub const SNAPSHOT_HAS_ALL: &str = "make a snapshot by a POST to /api/v1/admin/tsdb/snapshot (the server needs --web.enable-admin-api for it), which has all of it in blocks";

/// What a file is in a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BlockFile {
    /// `meta.json`.
    Meta,
    /// `index`.
    Index,
    /// `tombstones`.
    Tombstones,
    /// `chunks/000001` and so on; counted from 0.
    Segment(u32),
}

/// The block and the file in it that the components of a path name; nothing for other paths.
pub fn place<'a>(components: &[&'a str]) -> Option<(&'a str, BlockFile)> {
    let [block, rest @ ..] = components else { return None };
    // A ULID.
    let is_block = block.len() == 26 && block.bytes().all(|byte| byte.is_ascii_digit() || byte.is_ascii_uppercase());
    if !is_block {
        return None;
    }
    let file = match rest {
        ["meta.json"] => BlockFile::Meta,
        ["index"] => BlockFile::Index,
        ["tombstones"] => BlockFile::Tombstones,
        ["chunks", segment] if segment.len() == 6 => BlockFile::Segment(segment.parse::<u32>().ok()?.checked_sub(1)?),
        _ => return None,
    };
    Some((block, file))
}
