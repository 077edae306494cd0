//! Equality of long slices: the `memcmp` that comes with wasm, which `==` calls, goes byte by byte.

/// Whether two byte strings are equal; 32 bytes are compared at a time, then eight.
#[inline]
pub fn are_equal_bytes(a: &[u8], b: &[u8]) -> bool {
    if a.len() != b.len() {
        return false;
    }
    let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<32>(), b.as_chunks::<32>());
    let ((a_words, a_rest), (b_words, b_rest)) = (a_rest.as_chunks::<8>(), b_rest.as_chunks::<8>());
    a.iter().zip(b).all(|(a, b)| a.iter().zip(b).fold(0, |bits, (a, b)| bits | (a ^ b)) == 0)
        && a_words.iter().zip(b_words).all(|(a, b)| u64::from_ne_bytes(*a) == u64::from_ne_bytes(*b))
        && a_rest.iter().eq(b_rest)
}

/// Whether two columns are equal; whole vectors are compared at a time.
pub fn are_equal_columns(a: &[i64], b: &[i64]) -> bool {
    const LANES: usize = 32;
    a.len() == b.len()
        && a.chunks(LANES)
            .zip(b.chunks(LANES))
            .all(|(a, b)| a.iter().zip(b).fold(0, |bits, (a, b)| bits | (a ^ b)) == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_anywhere_is_seen() {
        for len in [0, 1, 7, 8, 9, 31, 32, 33, 100] {
            let bytes: Vec<u8> = (0..len as u8).collect();
            let column: Vec<i64> = (0..len as i64).collect();
            assert!(are_equal_bytes(&bytes, &bytes.clone()) && are_equal_columns(&column, &column.clone()));
            for at in 0..len {
                let (mut other_bytes, mut other_column) = (bytes.clone(), column.clone());
                other_bytes[at] ^= 0x80;
                other_column[at] ^= i64::MIN;
                assert!(!are_equal_bytes(&bytes, &other_bytes) && !are_equal_columns(&column, &other_column), "{at}");
            }
            assert!(len == 0 || !are_equal_bytes(&bytes, &bytes[1..]) && !are_equal_columns(&column, &column[1..]));
        }
    }
}
