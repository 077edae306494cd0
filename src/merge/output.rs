//! A file that a merge writes: what was appended and not handed to storage yet.

use bytes::Bytes;

/// One growing file.
#[derive(Debug, Default)]
pub struct OutputStream {
    taken_len: u64,
    /// What was not taken out yet. Whoever writes appends here.
    pub pending: Vec<u8>,
}

impl OutputStream {
    /// Bytes written so far.
    pub fn len(&self) -> u64 {
        self.taken_len + self.pending.len() as u64
    }

    /// Whether nothing was written.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Takes out what waits.
    pub fn take(&mut self) -> Bytes {
        self.taken_len += self.pending.len() as u64;
        Bytes::from(std::mem::take(&mut self.pending))
    }

    /// Takes out what waits in those streams in which at least `min_len` bytes do.
    pub fn take_chunks<File, const COUNT: usize>(
        streams: [(File, &mut Self); COUNT],
        min_len: usize,
    ) -> Vec<(File, Bytes)> {
        let full = streams.into_iter().filter(|(_, stream)| stream.pending.len() >= min_len.max(1));
        full.map(|(file, stream)| (file, stream.take())).collect()
    }
}
