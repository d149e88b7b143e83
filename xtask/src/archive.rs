//! Zip archives whose bytes depend on the content alone: wheels, AARs.

use anyhow::Result;
use std::io::{Cursor, Write};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, System, ZipWriter};

/// A zip of these files, in this order, with one time for all. Libraries may be executed.
pub fn zip<'a>(files: impl IntoIterator<Item = (&'a str, &'a [u8])>) -> Result<Vec<u8>> {
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Deflated)
        .compression_level(Some(9))
        .last_modified_time(DateTime::default()) // 1980-01-01
        .system(System::Unix);
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (path, content) in files {
        let is_library = path.ends_with(std::env::consts::DLL_SUFFIX) || path.ends_with(".so");
        zip.start_file(path, options.unix_permissions(if is_library { 0o755 } else { 0o644 }))?;
        zip.write_all(content)?;
    }
    Ok(zip.finish()?.into_inner())
}
