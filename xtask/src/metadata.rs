//! The package's metadata: `python/pyproject.toml`, the version of `Cargo.toml`, the README and the licences.

use crate::{files, paths};
use anyhow::{Context, Result, bail};
use std::collections::BTreeMap;
use std::fmt::Write;
use toml::{Table, Value};

/// The licence files at the root that go into every wheel and archive.
pub const LICENCES: &[&str] = &["LICENSE-APACHE", "LICENSE-MIT", "THIRD-PARTY-LICENSES"];

/// What the wheel, the archive and the checks need to know about the package.
pub struct Package {
    pub name: String,
    pub version: String,
    project: Table,
    readme: String,
}

/// Reads it from the workspace.
pub fn load() -> Result<Package> {
    let root = paths::root()?;
    let cargo: Table = files::text(&root.join("Cargo.toml"))?.parse().context("Cargo.toml")?;
    let version = cargo.get("workspace").and_then(|one| one.get("package")).and_then(|one| one.get("version"));
    let version = version.and_then(Value::as_str).context("Cargo.toml has no workspace.package.version")?;
    let file = paths::python()?.join("pyproject.toml");
    let pyproject: Table = files::text(&file)?.parse().with_context(|| file.to_string())?;
    let project = pyproject.get("project").and_then(Value::as_table).context("pyproject.toml has no [project]")?;
    let name = project.get("name").and_then(Value::as_str).context("pyproject.toml has no project.name")?;
    Ok(Package {
        name: name.to_owned(),
        version: version.to_owned(),
        project: project.clone(),
        readme: files::text(&root.join("README.md"))?,
    })
}

impl Package {
    /// `remotemedia-0.5.0`, as file names start.
    pub fn stem(&self) -> String {
        format!("{}-{}", self.name.replace('-', "_"), self.version)
    }

    pub fn dist_info(&self) -> String {
        format!("{}.dist-info", self.stem())
    }

    fn text(&self, key: &str) -> Result<&str> {
        self.project.get(key).and_then(Value::as_str).with_context(|| format!("pyproject.toml has no project.{key}"))
    }

    /// The METADATA of a wheel, the PKG-INFO of an archive.
    pub fn metadata(&self) -> Result<String> {
        let mut text = String::from("Metadata-Version: 2.4\n");
        let _ = writeln!(text, "Name: {}\nVersion: {}", self.name, self.version);
        let _ = writeln!(text, "Summary: {}", self.text("description")?);
        if let Some(words) = self.project.get("keywords") {
            let _ = writeln!(text, "Keywords: {}", strings(words)?.join(","));
        }
        let _ = writeln!(text, "License-Expression: {}", self.text("license")?);
        for file in LICENCES {
            let _ = writeln!(text, "License-File: {file}");
        }
        if let Some(list) = self.project.get("classifiers") {
            for one in strings(list)? {
                let _ = writeln!(text, "Classifier: {one}");
            }
        }
        let _ = writeln!(text, "Requires-Python: {}", self.text("requires-python")?);
        if let Some(list) = self.project.get("dependencies") {
            for one in strings(list)? {
                let _ = writeln!(text, "Requires-Dist: {one}");
            }
        }
        let extras = self.project.get("optional-dependencies").and_then(Value::as_table).cloned().unwrap_or_default();
        for (extra, list) in &extras {
            let _ = writeln!(text, "Provides-Extra: {extra}");
            for one in strings(list)? {
                if one.contains(';') {
                    bail!("optional dependencies with markers are not supported: {one}");
                }
                let _ = writeln!(text, "Requires-Dist: {one}; extra == \"{extra}\"");
            }
        }
        let _ = write!(text, "Description-Content-Type: text/markdown\n\n{}", self.readme);
        Ok(text)
    }

    /// The console scripts, or None when there are none.
    pub fn entry_points(&self) -> Option<String> {
        let scripts = self.project.get("scripts")?.as_table()?;
        let lines = scripts.iter().filter_map(|(name, target)| Some(format!("{name} = {}\n", target.as_str()?)));
        Some(format!("[console_scripts]\n{}", lines.collect::<String>()))
    }

    /// The files of the dist-info folder that do not depend on the tag: METADATA, entry points, licences.
    pub fn dist_info_files(&self) -> Result<BTreeMap<String, Vec<u8>>> {
        let folder = self.dist_info();
        let mut found = BTreeMap::from([(format!("{folder}/METADATA"), self.metadata()?.into_bytes())]);
        if let Some(text) = self.entry_points() {
            found.insert(format!("{folder}/entry_points.txt"), text.into_bytes());
        }
        for name in LICENCES {
            found.insert(format!("{folder}/licenses/{name}"), files::read(&paths::root()?.join(name))?);
        }
        Ok(found)
    }
}

fn strings(value: &Value) -> Result<Vec<&str>> {
    let list = value.as_array().context("pyproject.toml: a list of strings is expected")?;
    list.iter().map(|one| one.as_str().context("pyproject.toml: a string is expected")).collect()
}

#[cfg(test)]
pub mod tests {
    use super::*;

    /// A small package.
    pub fn package() -> Package {
        let project = r#"
            name = "remotemedia"
            description = "Media."
            license = "MIT"
            requires-python = ">=3.10"
            dependencies = ["numpy>=1.26"]
            [scripts]
            remotemedia = "remotemedia.__main__:main"
            [optional-dependencies]
            test = ["pytest>=8"]
        "#;
        let project: Table = project.parse().unwrap();
        Package { name: "remotemedia".into(), version: "0.5.0".into(), project, readme: "# Readme\n".into() }
    }

    #[test]
    fn metadata_has_the_fields_that_pip_reads() {
        let text = package().metadata().unwrap();
        for line in [
            "Name: remotemedia",
            "Version: 0.5.0",
            "Requires-Dist: numpy>=1.26",
            "Requires-Python: >=3.10",
            "Provides-Extra: test",
            "Requires-Dist: pytest>=8; extra == \"test\"",
            "License-File: LICENSE-MIT",
        ] {
            assert!(text.lines().any(|one| one == line), "{line} is missing in {text}");
        }
        assert!(text.ends_with("\n\n# Readme\n"));
        assert_eq!(package().entry_points().unwrap(), "[console_scripts]\nremotemedia = remotemedia.__main__:main\n");
        assert_eq!(package().dist_info(), "remotemedia-0.5.0.dist-info");
    }
}
