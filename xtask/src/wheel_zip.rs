//! Packing a wheel: RECORD, and a zip whose bytes depend on the content alone.

use anyhow::Result;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{Cursor, Write as _};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, System, ZipWriter};

/// The files of a wheel by their path in it.
pub type Files = BTreeMap<String, Vec<u8>>;

/// The WHEEL file. `purelib` says that the files belong to no platform.
pub fn wheel_file(tag: &str, purelib: bool) -> String {
    let purelib = if purelib { "true" } else { "false" };
    format!("Wheel-Version: 1.0\nGenerator: remotemedia xtask\nRoot-Is-Purelib: {purelib}\nTag: {tag}\n")
}

/// The RECORD: path, hash and size of each file, its own line without them.
pub fn record(files: &Files, dist_info: &str) -> String {
    let mut text = String::new();
    for (path, content) in files {
        let hash = URL_SAFE_NO_PAD.encode(Sha256::digest(content));
        let _ = writeln!(text, "{path},sha256={hash},{}", content.len());
    }
    text + &format!("{dist_info}/RECORD,,\n")
}

/// The wheel's bytes. Sorted, one time for all, RECORD last as the standard recommends.
pub fn pack(files: &Files, dist_info: &str) -> Result<Vec<u8>> {
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Deflated)
        .compression_level(Some(9))
        .last_modified_time(DateTime::default()) // 1980-01-01
        .system(System::Unix);
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    let record = record(files, dist_info);
    let name = format!("{dist_info}/RECORD");
    let all = files.iter().map(|(path, content)| (path, content.as_slice())).chain([(&name, record.as_bytes())]);
    for (path, content) in all {
        let is_library = path.ends_with(std::env::consts::DLL_SUFFIX);
        zip.start_file(path.as_str(), options.unix_permissions(if is_library { 0o755 } else { 0o644 }))?;
        zip.write_all(content)?;
    }
    Ok(zip.finish()?.into_inner())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files() -> Files {
        Files::from([("b.py".to_owned(), b"hello\n".to_vec()), ("a.py".to_owned(), Vec::new())])
    }

    #[test]
    fn record_has_the_hashes_of_the_standard() {
        // The hashes by `sha256sum`, turned into URL-safe base64 without padding.
        let expected = "a.py,sha256=47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU,0\n\
                        b.py,sha256=WJG1tSLV3whtD_CxEPvZ0hu0_HFjrzTQgoai6Eb2vgM,6\n\
                        x.dist-info/RECORD,,\n";
        let found = record(&files(), "x.dist-info");
        assert_eq!(found, expected);
    }

    #[test]
    fn the_same_files_give_the_same_bytes_with_record_last() {
        let bytes = pack(&files(), "x.dist-info").unwrap();
        assert_eq!(bytes, pack(&files(), "x.dist-info").unwrap());
        let archive = zip::ZipArchive::new(Cursor::new(bytes)).unwrap();
        let names: Vec<String> = archive.file_names().map(|name| name.unwrap().into_owned()).collect();
        assert_eq!(names, ["a.py", "b.py", "x.dist-info/RECORD"]);
    }
}
