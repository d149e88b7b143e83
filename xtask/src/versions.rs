//! One version for all packages: Cargo's.

use crate::{files, metadata, paths};
use anyhow::{Result, bail};

/// Fails unless every file that must repeat the version has it.
pub fn check() -> Result<()> {
    let version = metadata::load()?.version;
    let tag = format!("<version>{version}</version>");
    let kotlin = paths::kotlin()?;
    for (path, words) in [
        (kotlin.join("pom.xml"), format!("<artifactId>remotemedia</artifactId>\n  {tag}")),
        (kotlin.join("example/pom.xml"), format!("<artifactId>remotemedia</artifactId>\n      {tag}")),
        (paths::root()?.join("README.md"), format!("`org.remotemedia:remotemedia:{version}`")),
        (paths::root()?.join("docs/mobile.md"), format!("org.remotemedia:remotemedia-android:{version}")),
    ] {
        if !files::text(&path)?.contains(&words) {
            bail!("{path} does not say `{words}`: Cargo.toml has version {version}");
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the README says of this version: cargo itself refuses to publish.
    #[test]
    fn no_package_can_be_published() {
        for path in ["Cargo.toml", "xtask/Cargo.toml", "src/dsp/Cargo.toml", "fuzz/Cargo.toml"] {
            let text = files::text(&paths::root().unwrap().join(path)).unwrap();
            assert!(text.lines().any(|line| line == "publish = false"), "{path}");
        }
    }
}
