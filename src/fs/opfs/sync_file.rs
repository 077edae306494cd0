//! A file that is open for this worker alone.

use super::browser_directory::{PATIENCE_MS, PAUSE_MS, error_of, passing_error_of, pause};
use crate::error::{Error, ErrorKind, Result};
use crate::fs::journal::JournalFile;
use js_sys::{Reflect, Uint8Array};
use std::ops::Range;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;
use web_sys::{
    FileSystemDirectoryHandle, FileSystemFileHandle, FileSystemGetFileOptions, FileSystemReadWriteOptions,
    FileSystemSyncAccessHandle,
};

/// What is read in one call.
const READ_BYTES: u64 = 1 << 20;

/// An open handle, which excludes all others until it is dropped.
pub(super) struct SyncFile(FileSystemSyncAccessHandle);

impl SyncFile {
    /// Adds the bytes of a range, all of which must be there.
    pub(super) fn read(&self, range: Range<u64>, bytes: &mut Vec<u8>) -> Result<()> {
        let len = range.end.saturating_sub(range.start);
        bytes
            .try_reserve_exact(usize::try_from(len).unwrap_or(usize::MAX))
            .map_err(|_| Error::new(ErrorKind::Limit, format!("{len} bytes don't fit into memory")))?;
        let mut at = range.start;
        while at < range.end {
            // The browser gets an array of its own: WebKit copies the whole memory behind a view of it.
            let piece = Uint8Array::new_with_length((range.end - at).min(READ_BYTES) as u32);
            let count = self.0.read_with_js_u8_array_and_options(&piece, &position(at)).map_err(passing_error_of)?;
            if count != f64::from(piece.length()) {
                let why = format!("{count} bytes are stored where {} were asked for, at {at}", piece.length());
                return Err(Error::corrupt(why));
            }
            let old_len = bytes.len();
            bytes.resize(old_len + piece.length() as usize, 0);
            piece.copy_to(&mut bytes[old_len..]);
            at += u64::from(piece.length());
        }
        Ok(())
    }
}

impl JournalFile for SyncFile {
    fn len(&self) -> Result<u64> {
        let len = self.0.get_size().map_err(passing_error_of)?;
        if len >= 0.0 {
            Ok(len as u64)
        } else {
            Err(Error::new(ErrorKind::Storage, format!("OPFS: a file of {len} bytes")))
        }
    }

    /// Writes all bytes or leaves the file as long as it was.
    fn write(&self, at: u64, bytes: &[u8]) -> Result<()> {
        if bytes.is_empty() {
            return Ok(());
        }
        let len_before = self.len()?;
        let written = self.0.write_with_js_u8_array_and_options(&Uint8Array::from(bytes), &position(at));
        // At the limit browsers answer with fewer bytes, or with numbers such as 4294967288, instead of an error.
        let error = match written {
            Ok(count) if count == bytes.len() as f64 => return Ok(()),
            Ok(count) => Error::new(
                ErrorKind::Quota,
                format!("OPFS: of {} bytes {count} were written; there is no room left", bytes.len()),
            ),
            Err(error) => passing_error_of(error),
        };
        // Should that fail as well, the next write goes to the same place.
        let _ = self.0.truncate_with_f64(len_before as f64);
        Err(error)
    }

    fn flush(&self) -> Result<()> {
        self.0.flush().map_err(passing_error_of)
    }
}

impl Drop for SyncFile {
    fn drop(&mut self) {
        self.0.close();
    }
}

fn position(at: u64) -> FileSystemReadWriteOptions {
    let options = FileSystemReadWriteOptions::new();
    options.set_at(at as f64);
    options
}

/// Opens a file for this worker alone. Waits a moment for one that has it open and is about to end.
pub(super) async fn open_file(dir: &FileSystemDirectoryHandle, name: &str, create: bool) -> Result<SyncFile> {
    let options = FileSystemGetFileOptions::new();
    options.set_create(create);
    let mut waited_ms = 0;
    loop {
        let mut opened = JsFuture::from(dir.get_file_handle_with_options(name, &options)).await;
        if let Ok(file) = &opened {
            if !Reflect::has(file, &"createSyncAccessHandle".into()).unwrap_or(false) {
                return Err(Error::new(
                    ErrorKind::Unsupported,
                    "storage \"opfs\" runs in a dedicated worker only, where files have synchronous handles; open the database in a worker, or use storage \"indexeddb\"",
                ));
            }
            opened = JsFuture::from(file.unchecked_ref::<FileSystemFileHandle>().create_sync_access_handle()).await;
        }
        match opened.map_err(error_of) {
            Ok(handle) => return Ok(SyncFile(handle.unchecked_into())),
            Err(error) if error.kind() != ErrorKind::Locked || waited_ms >= PATIENCE_MS => return Err(error.at(name)),
            Err(_) => pause(PAUSE_MS).await,
        }
        waited_ms += PAUSE_MS;
    }
}
