//! Packing a wheel: RECORD, and a zip with it at the end.

use crate::archive;
use anyhow::Result;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fmt::Write as _;

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

/// The wheel's bytes. Sorted, RECORD last as the standard recommends.
pub fn pack(files: &Files, dist_info: &str) -> Result<Vec<u8>> {
    let record = record(files, dist_info);
    let name = format!("{dist_info}/RECORD");
    let all = files.iter().map(|(path, content)| (path.as_str(), content.as_slice()));
    archive::zip(all.chain([(name.as_str(), record.as_bytes())]))
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
        let archive = zip::ZipArchive::new(std::io::Cursor::new(bytes)).unwrap();
        let names: Vec<String> = archive.file_names().map(|name| name.unwrap().into_owned()).collect();
        assert_eq!(names, ["a.py", "b.py", "x.dist-info/RECORD"]);
    }
}
