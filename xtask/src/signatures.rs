//! No `Vec<f32>` and no `Vec<u8>` in an exported signature: UniFFI would copy them element by element.
//!
//! UniFFI's metadata cannot tell `Vec<u8>` from our `Blob`, so the sources of the layer are read as text.

use crate::{files, paths};
use anyhow::{Result, bail};
use camino::Utf8Path;

const SLOW: &[&str] = &["Vec<u8>", "Vec<f32>", "Vec<f64>", "Vec<i16>"];

/// Reads `bindings/api.txt` and every file of `src/ffi`.
pub fn check() -> Result<()> {
    let api = files::text(&paths::api_txt()?)?;
    if let Some(line) = api.lines().find(|line| {
        !line.starts_with('#') && ["[f32]", "[f64]", "[i16]", "[u8]"].iter().any(|word| line.contains(word))
    }) {
        bail!("bindings/api.txt exports a list of samples: {}", line.trim());
    }
    let folder = paths::root()?.join("src/ffi");
    for file in files::walk(&folder, &|path: &Utf8Path| path.extension().is_some_and(|one| one != "rs"))? {
        if let Some(signature) = slow(&files::text(&folder.join(&file))?) {
            bail!("src/ffi/{file}: `{signature}` is slow to cross; use `&[u8]` in and `Blob` out");
        }
    }
    Ok(())
}

/// The first public signature or exported record with a slow type. Functions that are not `pub` do not cross.
fn slow(source: &str) -> Option<String> {
    let code: String =
        source.lines().map(|line| line.split("//").next().unwrap_or_default()).collect::<Vec<_>>().join("\n");
    let has = |text: &str| SLOW.iter().any(|word| text.contains(word));
    for start in ["pub fn ", "pub async fn "] {
        for (place, _) in code.match_indices(start) {
            let signature = code[place..].split(['{', ';']).next().unwrap_or_default();
            if has(signature) {
                return Some(signature.split_whitespace().collect::<Vec<_>>().join(" "));
            }
        }
    }
    for derive in ["uniffi::Record", "uniffi::Enum"] {
        for (place, _) in code.match_indices(derive) {
            let item = code[place..].split("\n}").next().unwrap_or_default();
            if has(item) {
                return item.lines().find(|line| has(line)).map(|line| line.trim().to_owned());
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slow_signatures_are_found() {
        assert!(slow("pub fn a(\n  x: Vec<u8>,\n) -> u8 {").is_some());
        assert!(slow("pub async fn a() -> Result<Vec<f32>, E> {").is_some());
        assert!(slow("#[derive(uniffi::Record)]\npub struct A {\n    pub a: Vec<u8>,\n}").is_some());
    }

    #[test]
    fn what_does_not_cross_is_free() {
        assert!(slow("pub fn a(x: &[u8]) -> Blob {\n let y: Vec<u8> = x.to_vec();").is_none());
        assert!(slow("fn inner() -> Vec<u8> {").is_none());
        assert!(slow("pub(crate) fn inner() -> Vec<u8> {").is_none());
        assert!(slow("// pub fn a() -> Vec<u8> {").is_none());
    }
}
