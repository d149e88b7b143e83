//! The README's examples in Kotlin and Swift, which the tests compile and run. Those in Python are run by its own tests.

use crate::{files, paths};
use anyhow::{Result, bail};
use camino::{Utf8Path, Utf8PathBuf};

/// What the examples of all languages work on: a manifest and a recording of the repository.
pub const DEMO: [&str; 2] = ["examples/manifests/speech.json", "examples/data/librivox_ss_a.flac"];

/// Where these are.
pub fn demo() -> Result<[Utf8PathBuf; 2]> {
    let root = paths::root()?;
    Ok(DEMO.map(|path| root.join(path)))
}

/// The one block of a language.
pub fn block(language: &str) -> Result<String> {
    one(&files::text(&paths::root()?.join("README.md"))?, language)
}

fn one(text: &str, language: &str) -> Result<String> {
    let head = format!("\n```{language}\n");
    let mut blocks = text.split(&head).skip(1);
    let first = blocks.next().and_then(|rest| rest.split_once("\n```"));
    match (first, blocks.next()) {
        (Some((block, _)), None) => Ok(format!("{block}\n")),
        (None, _) => bail!("the README has no block of `{language}`"),
        (_, Some(_)) => bail!("the README has several blocks of `{language}`, expected one"),
    }
}

/// A folder with the files that the README's examples name.
pub fn folder(path: &Utf8Path) -> Result<Utf8PathBuf> {
    files::fresh_folder(path)?;
    for (from, to) in demo()?.iter().zip(["talk.json", "speech.flac"]) {
        files::write(&path.join(to), &files::read(from)?)?;
    }
    Ok(path.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_one_block_of_a_language_is_found() {
        let text = "a\n\n```kotlin\nval a = 1\nval b = 2\n```\n\n```python\nx\n```\n```python\ny\n```\n";
        assert_eq!(one(text, "kotlin").unwrap(), "val a = 1\nval b = 2\n");
        assert!(one(text, "swift").unwrap_err().to_string().contains("no block"));
        assert!(one(text, "python").unwrap_err().to_string().contains("several"));
    }
}
