//! Ways to damage a data directory: on the surface, and inside of what is compressed.

use crate::archive::Files;
use crate::support::Random;
use sandglass::encoding::zstd::{self, Effort};
use sandglass::mergeset::block_header;
use sandglass::mergeset::metaindex as index_metaindex;
use sandglass::part::metaindex::MetaindexRow;

/// Damages one thing, and tells what.
pub fn mutate(files: &mut Files, random: &Random2) -> String {
    match random.below(16) {
        0..=3 => flip(files, random),
        4 => truncate(files, random),
        5 => swap(files, random),
        6 => remove(files, random),
        7 => extend(files, random),
        8 => rename_part(files, random),
        9 | 10 => metaindex_number(files, random),
        11 | 12 => index_number(files, random),
        13 | 14 => items_byte(files, random),
        _ => metaindex_rows(files, random),
    }
}

/// [`Random`] behind a shared reference.
pub struct Random2(std::cell::RefCell<Random>);

impl Random2 {
    pub fn new(seed: u64) -> Self {
        Self(std::cell::RefCell::new(Random::new(seed)))
    }

    pub fn next(&self) -> u64 {
        self.0.borrow_mut().next()
    }

    pub fn below(&self, bound: usize) -> usize {
        (self.next() % bound.max(1) as u64) as usize
    }
}

fn choose(files: &Files, random: &Random2, wanted: impl Fn(&str) -> bool) -> Option<String> {
    let paths: Vec<&String> = files.keys().filter(|path| wanted(path)).collect();
    (!paths.is_empty()).then(|| paths[random.below(paths.len())].clone())
}

fn any(files: &Files, random: &Random2) -> String {
    choose(files, random, |_| true).unwrap_or_default()
}

fn flip(files: &mut Files, random: &Random2) -> String {
    let path = any(files, random);
    let Some(bytes) = files.get_mut(&path).filter(|bytes| !bytes.is_empty()) else { return format!("{path} is empty") };
    let (at, bit) = (random.below(bytes.len()), random.below(8));
    bytes[at] ^= 1 << bit;
    format!("bit {bit} of byte {at} of {path} flipped")
}

fn truncate(files: &mut Files, random: &Random2) -> String {
    let path = any(files, random);
    let Some(bytes) = files.get_mut(&path) else { return "nothing".into() };
    bytes.truncate(random.below(bytes.len() + 1));
    format!("{path} cut down to {} bytes", bytes.len())
}

fn swap(files: &mut Files, random: &Random2) -> String {
    let (a, b) = (any(files, random), any(files, random));
    let (Some(of_a), Some(of_b)) = (files.get(&a).cloned(), files.get(&b).cloned()) else { return "nothing".into() };
    files.insert(a.clone(), of_b);
    files.insert(b.clone(), of_a);
    format!("{a} and {b} swapped")
}

fn remove(files: &mut Files, random: &Random2) -> String {
    let path = any(files, random);
    files.remove(&path);
    format!("{path} removed")
}

fn extend(files: &mut Files, random: &Random2) -> String {
    let path = any(files, random);
    let Some(bytes) = files.get_mut(&path) else { return "nothing".into() };
    let more = random.below(300);
    bytes.extend((0..more).map(|_| random.next() as u8));
    format!("{path} longer by {more} bytes")
}

/// A number that nobody would write.
fn absurd(random: &Random2, present: u64) -> u64 {
    match random.below(12) {
        0 => 0,
        1 => u64::MAX,
        2 => u64::MAX / 2,
        3 => 1 << 63,
        4 => u64::from(u32::MAX),
        5 => 1 << 31,
        6 => present.wrapping_add(1),
        7 => present.wrapping_sub(1),
        8 => present.wrapping_mul(2),
        9 => 1 << random.below(64),
        10 => 502_200,
        _ => random.next(),
    }
}

fn rename_part(files: &mut Files, random: &Random2) -> String {
    let Some(path) = choose(files, random, |path| path.ends_with("/metaindex.bin")) else { return "no part".into() };
    let dir = path.trim_end_matches("/metaindex.bin").to_owned();
    let (parent, name) = dir.rsplit_once('/').unwrap_or(("", &dir));
    let mut fields: Vec<String> = name.split('_').map(str::to_owned).collect();
    let at = random.below(fields.len());
    fields[at] = match fields[at].parse::<u64>() {
        Ok(present) if random.below(4) > 0 => absurd(random, present).to_string(),
        _ => format!("{}{}", fields[at], random.below(10)),
    };
    let renamed = format!("{parent}/{}", fields.join("_"));
    let moved: Vec<String> = files.keys().filter(|path| path.starts_with(&format!("{dir}/"))).cloned().collect();
    for path in moved {
        if let Some(bytes) = files.remove(&path) {
            files.insert(format!("{renamed}{}", &path[dir.len()..]), bytes);
        }
    }
    format!("{dir} is called {renamed}")
}

fn unpacked(files: &Files, path: &str) -> Option<Vec<u8>> {
    let mut content = Vec::new();
    zstd::decompress(files.get(path)?, 1 << 22, &mut content).ok()?;
    Some(content)
}

fn pack(content: &[u8]) -> Vec<u8> {
    let mut frame = Vec::new();
    zstd::compress(content, Effort::Fast, &mut frame).unwrap_or_else(|error| panic!("{error}"));
    frame
}

/// Overwrites one, two, four or eight bytes with an absurd number.
fn damage(content: &mut [u8], random: &Random2) -> String {
    let width = [1, 2, 4, 8][random.below(4)];
    if content.len() < width {
        return "nothing".into();
    }
    let at = random.below(content.len() - width + 1);
    let mut present = [0; 8];
    present[8 - width..].copy_from_slice(&content[at..at + width]);
    let number = absurd(random, u64::from_be_bytes(present));
    content[at..at + width].copy_from_slice(&number.to_be_bytes()[8 - width..]);
    format!("{width} bytes at {at} are {number}")
}

fn metaindex_number(files: &mut Files, random: &Random2) -> String {
    let Some(path) = choose(files, random, |path| path.ends_with("/metaindex.bin")) else { return "no part".into() };
    let Some(mut content) = unpacked(files, &path) else { return "no frame".into() };
    let what = damage(&mut content, random);
    files.insert(path.clone(), pack(&content));
    format!("in {path} {what}")
}

/// Repeats, drops or turns round rows of a data part's metaindex.
fn metaindex_rows(files: &mut Files, random: &Random2) -> String {
    let Some(path) = choose(files, random, |path| path.starts_with("data/") && path.ends_with("/metaindex.bin")) else {
        return "no part".into();
    };
    let Some(content) = unpacked(files, &path) else { return "no frame".into() };
    let mut rows: Vec<Vec<u8>> = content.chunks(MetaindexRow::SIZE).map(<[u8]>::to_vec).collect();
    if rows.is_empty() {
        return "no rows".into();
    }
    let at = random.below(rows.len());
    let what = match random.below(3) {
        0 => {
            let times = random.below(700) + 1;
            let row = rows[at].clone();
            rows.splice(at..at, std::iter::repeat_n(row, times));
            format!("row {at} {times} times more")
        }
        1 => {
            rows.remove(at);
            format!("row {at} gone")
        }
        _ => {
            rows.reverse();
            "rows turned round".into()
        }
    };
    files.insert(path.clone(), pack(&rows.concat()));
    format!("{path}: {what}")
}

/// Damages the headers of a part with one index block, whose size is set right in the metaindex.
fn index_number(files: &mut Files, random: &Random2) -> String {
    let Some(path) = choose(files, random, |path| path.ends_with("/index.bin")) else { return "no part".into() };
    let Some(mut content) = unpacked(files, &path) else { return "more than one index block".into() };
    let what = damage(&mut content, random);
    put_index(files, &path, &content);
    format!("in {path} {what}")
}

fn put_index(files: &mut Files, path: &str, content: &[u8]) {
    let frame = pack(content);
    let metaindex = path.replace("/index.bin", "/metaindex.bin");
    let Some(rows) = unpacked(files, &metaindex) else { return };
    let mut out = Vec::new();
    if path.starts_with("data/") {
        if let Ok((row, _)) = MetaindexRow::unmarshal(&rows) {
            MetaindexRow { index_block_size: frame.len() as u32, ..row }.marshal(&mut out);
        }
    } else if let Ok((row, _)) = index_metaindex::MetaindexRow::unmarshal(&rows) {
        index_metaindex::MetaindexRow { index_block_size: frame.len() as u32, ..row }.marshal(&mut out);
    }
    files.insert(metaindex, pack(&out));
    files.insert(path.to_owned(), frame);
}

/// Damages the items of an index part with one block, inside of their frame; all sizes are set right.
fn items_byte(files: &mut Files, random: &Random2) -> String {
    let is_lens = random.below(3) == 0;
    let name = if is_lens { "/lens.bin" } else { "/items.bin" };
    let Some(path) = choose(files, random, |path| path.ends_with(name)) else { return "no index part".into() };
    let index = path.replace(name, "/index.bin");
    let Some(headers) = unpacked(files, &index) else { return "more than one index block".into() };
    let (Ok((mut header, rest)), Some(mut content)) =
        (block_header::BlockHeader::unmarshal(&headers), unpacked(files, &path))
    else {
        return "more than one block".into();
    };
    if !rest.is_empty() {
        return "more than one block".into();
    }
    let what = damage(&mut content, random);
    let frame = pack(&content);
    if is_lens {
        header.lens_block_size = frame.len() as u32;
    } else {
        header.items_block_size = frame.len() as u32;
    }
    files.insert(path.clone(), frame);
    let mut headers = Vec::new();
    header.marshal(&mut headers);
    put_index(files, &index, &headers);
    format!("inside {path} {what}")
}
