//! `build-swift`: the Swift package, complete with its generated sources and the library. `test` runs it where Swift is
//! installed, or in a Debian folder that holds Swift (`swift_root.sh`).

use crate::{files, generate, library, paths, python, readme, run};
use anyhow::{Context, Result, bail};
use camino::{Utf8Path, Utf8PathBuf};
use std::process::Command;

const SCRIPT: &str = include_str!("swift_root.sh");

pub fn run(arguments: &[String]) -> Result<()> {
    files::only(arguments, &[], &[])?;
    for line in build()? {
        println!("{line}");
    }
    Ok(())
}

/// Completes the package, and says what is in it.
fn build() -> Result<Vec<String>> {
    let (built, generated) = generate::bindings()?;
    let folder = paths::swift()?.join("generated");
    let library = library::stripped(&built)?;
    let place = folder.join("lib").join(library::file_name());
    library::place(&library, &place)?;
    let mut said: Vec<String> = generated.swift.keys().map(|path| folder.join(path).to_string()).collect();
    said.push(format!("{place}, {:.2} MB", library.len() as f64 / 1e6));
    Ok(said)
}

/// Where Swift is.
pub enum Toolchain {
    /// In PATH.
    Here,
    /// In a folder made for it.
    Folder(Utf8PathBuf),
}

impl Toolchain {
    /// The one of this machine.
    pub fn here() -> Option<Self> {
        run::probe(Command::new("swift").arg("--version")).map(|_| Self::Here)
    }

    /// The folder; made on first use, which fetches 525 MB. Where it cannot be, the error says why.
    pub fn folder() -> Result<Self> {
        if !cfg!(all(target_os = "linux", target_arch = "x86_64")) {
            bail!("a Debian folder with Swift can be made on Linux x86-64 only");
        }
        let mut alone = Command::new("unshare");
        let root = run::probe(Command::new("id").arg("-u")).as_deref() == Some("0");
        alone.args(if root { &[][..] } else { &["--user", "--map-root-user"] });
        if run::probe(alone.args(["--mount", "--pid", "--net", "--fork", "true"])).is_none() {
            bail!("this system gives no namespaces (`unshare --mount --pid --net`)");
        }
        let folder = paths::target()?.join(format!("swift-root-{}", python::short_hash(SCRIPT.as_bytes())));
        let made = Self::Folder(folder);
        run::quietly(&mut made.command(&paths::root()?, &["swift", "--version"])?)
            .context("a Debian folder with Swift could not be made")?;
        Ok(made)
    }

    /// A command inside a folder of the repository, with our library to link and to load.
    fn command(&self, folder: &Utf8Path, words: &[&str]) -> Result<Command> {
        match self {
            Self::Here => {
                let mut command = run::command(words[0], folder);
                let library = paths::swift()?.join("generated/lib");
                for name in ["LIBRARY_PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH"] {
                    command.env(name, &library);
                }
                command.env("REMOTEMEDIA_ROOT", paths::root()?).args(&words[1..]);
                Ok(command)
            }
            Self::Folder(root) => {
                let script = paths::target()?.join("xtask/swift_root.sh");
                files::write(&script, SCRIPT.as_bytes())?;
                let repository = paths::root()?;
                let inside = folder.strip_prefix(&repository).unwrap_or(Utf8Path::new("."));
                let mut command = run::command("bash", &repository);
                command.args([script.as_str(), root.as_str(), repository.as_str(), inside.as_str()]).args(words);
                command.env("DEBIAN_MIRROR", mirror()?);
                Ok(command)
            }
        }
    }
}

/// The Debian archive that this machine's own apt uses.
fn mirror() -> Result<String> {
    let folder = Utf8Path::new("/etc/apt");
    let listed = files::walk(folder, &|path| path.as_str().ends_with('~')).unwrap_or_default();
    let texts = listed.iter().filter(|path| matches!(path.extension(), Some("list" | "sources")));
    let texts: Vec<String> = texts.filter_map(|path| std::fs::read_to_string(folder.join(path)).ok()).collect();
    archive(&texts.join("\n")).context("apt's sources name no Debian archive (`.../debian`)")
}

/// The first address that ends with `/debian`, in either form of apt's sources.
fn archive(sources: &str) -> Option<String> {
    let lines = sources.lines().map(str::trim).filter(|line| !line.starts_with('#'));
    let mut words = lines.flat_map(str::split_whitespace).map(|word| word.trim_end_matches('/'));
    words.find(|word| word.contains("://") && word.ends_with("/debian")).map(str::to_owned)
}

/// The suite, warnings as errors.
pub fn suite(swift: &Toolchain) -> Result<()> {
    build()?;
    let mut test = swift.command(&paths::swift()?, &["swift", "test", "-Xswiftc", "-warnings-as-errors"])?;
    let said = run::said(&mut test)?;
    // The last such line is the sum of all classes.
    let sum = said.lines().rev().find(|line| line.contains("Executed ") && !line.contains("Executed 0 tests"));
    println!("{}", sum.context("swift ran no test")?.trim());
    Ok(())
}

/// A second package that uses the first: the README's lines, and a manifest on a recording. Returns the folder of what
/// it finds.
pub fn consume(swift: &Toolchain) -> Result<Utf8PathBuf> {
    let example = paths::swift()?.join("Example");
    let generated = example.join("generated");
    files::write(&generated.join("Readme/main.swift"), readme::block("swift")?.as_bytes())?;
    let build = ["swift", "build", "-c", "release", "-Xswiftc", "-warnings-as-errors"];
    run::quietly(&mut swift.command(&example, &build)?)?;
    let folder = readme::folder(&generated.join("run"))?;
    run::must(&mut swift.command(&folder, &["../../.build/release/Readme"])?)?;
    // Paths that are the same inside and outside of a folder with Swift.
    let [manifest, recording] = readme::DEMO.map(|path| format!("../../../{path}"));
    let found = generated.join("found");
    files::fresh_folder(&found)?;
    run::must(&mut swift.command(&example, &[".build/release/Speech", &manifest, &recording, "generated/found"])?)?;
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_archive_is_found_in_both_forms_of_sources() {
        let old = "# deb http://a.example/debian bookworm main\ndeb http://b.example/debian/ bookworm main\n";
        assert_eq!(archive(old).as_deref(), Some("http://b.example/debian"));
        let new = "Types: deb\nURIs: https://c.example/debian-security https://c.example/debian\nSuites: bookworm\n";
        assert_eq!(archive(new).as_deref(), Some("https://c.example/debian"));
        assert_eq!(archive("deb http://archive.example/ubuntu noble main"), None);
    }
}
