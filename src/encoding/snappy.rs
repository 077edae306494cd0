//! Blocks of snappy. The only file that names its crate.

use crate::error::{Error, ErrorKind, Result};

/// Bytes of a block that can become no more than so many each: a copy of 64 takes three.
const GROWTH: usize = 22;

/// Bytes as one block.
///
/// # Panics
/// Beyond four GiB, which nothing here comes near.
pub fn compress(content: &[u8]) -> Vec<u8> {
    snap::raw::Encoder::new().compress_vec(content).expect("less than four GiB")
}

/// Appends the content of one block. What it announces is believed as far as its bytes can hold that much.
///
/// # Errors
/// `Corrupt` for what is no such block, `Limit` for one of more than `max_len` bytes.
pub fn decompress(block: &[u8], max_len: usize, out: &mut Vec<u8>) -> Result<()> {
    let wrong = |error: snap::Error| Error::corrupt(format!("what was compressed by snappy can't be read: {error}"));
    let len = snap::raw::decompress_len(block).map_err(wrong)?;
    if len > max_len {
        return Err(Error::new(
            ErrorKind::Limit,
            format!("what was compressed by snappy has at most {} MiB", max_len >> 20),
        ));
    }
    if len > block.len().saturating_mul(GROWTH) {
        let message = format!("what was compressed by snappy announces {len} bytes, which {} can't hold", block.len());
        return Err(Error::corrupt(message));
    }
    let start = out.len();
    out.resize(start + len, 0);
    snap::raw::Decoder::new().decompress(block, &mut out[start..]).map_err(wrong)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_that_announces_more_than_it_holds_allocates_nothing() {
        for block in [&[0xff, 0xff, 0xff, 0x1f][..], &[0xff, 0xff, 0xff, 0xff, 0xf], &[0x80, 0x80, 0x80, 8, 0]] {
            let mut out = Vec::new();
            assert!(decompress(block, 64 << 20, &mut out).is_err());
            assert_eq!(out.capacity(), 0);
        }
    }

    #[test]
    fn no_more_comes_out_than_is_asked_for() {
        let block = compress(&[7; 1000]);
        let mut out = vec![1];
        assert_eq!(decompress(&block, 999, &mut out).unwrap_err().kind(), ErrorKind::Limit);
        decompress(&block, 1000, &mut out).unwrap();
        assert_eq!(out, [&[1][..], &[7; 1000]].concat());
    }
}
