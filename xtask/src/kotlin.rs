//! `build-kotlin`: the jar with the native libraries inside, its sources and its documentation, as a Maven repository
//! in `target/kotlin`. `test` runs the suite, builds the jar twice and consumes it.

use crate::bindings::Generated;
use crate::library::{self, Flavour};
use crate::native::{self, JNA};
use crate::{aar, files, generate, metadata, paths, readme, run};
use anyhow::{Context, Result, bail};
use camino::{Utf8Path, Utf8PathBuf};
use std::process::Command;

/// The oldest glibc that the library for Linux on aarch64 wants.
const GLIBC: &str = "2.17";
const LINUX_AARCH64: &str = "aarch64-unknown-linux-gnu";

pub fn run(arguments: &[String]) -> Result<()> {
    files::only(arguments, &[], &["--linux-aarch64", "--aar"])?;
    let asked = |name: &str| arguments.iter().any(|one| one == name);
    if let Some(reason) = missing() {
        bail!("{reason}: the Kotlin package needs a JDK from 17 on, and Maven");
    }
    let (built, generated) = generate::bindings()?;
    if asked("--linux-aarch64") {
        library::build_with_zig(Flavour::Full, LINUX_AARCH64, GLIBC)?;
    }
    for line in place_libraries(&built, &generated)? {
        println!("{line}");
    }
    files::fresh_folder(&repository()?)?;
    deploy(&["-DskipTests"])?;
    if asked("--aar") {
        for line in aar::build(&generated, &paths::kotlin()?.join("target/classes"), &repository()?)? {
            println!("{line}");
        }
    }
    println!("{} is a Maven repository that holds:", repository()?);
    for path in files::walk(&repository()?, &|path| path.as_str().contains("maven-metadata"))? {
        if matches!(path.extension(), Some("jar" | "aar" | "pom")) {
            println!("  {path}  {:.2} MB", std::fs::metadata(repository()?.join(&path))?.len() as f64 / 1e6);
        }
    }
    Ok(())
}

/// Why Kotlin cannot be built here, if it cannot.
pub fn missing() -> Option<&'static str> {
    let has = |program: &str, argument: &str| run::probe(Command::new(program).arg(argument)).is_some();
    if !has("javac", "-version") {
        Some("no JDK (javac) in PATH")
    } else if !has("mvn", "--version") {
        Some("no Maven (mvn) in PATH")
    } else {
        None
    }
}

/// Where the jar goes, in the folders of a Maven repository.
fn repository() -> Result<Utf8PathBuf> {
    Ok(paths::target()?.join("kotlin"))
}

/// Where packages of this version are in it.
fn artifact(name: &str) -> Result<Utf8PathBuf> {
    let version = metadata::load()?.version;
    Ok(repository()?.join(format!("org/remotemedia/remotemedia/{version}/remotemedia-{version}{name}")))
}

/// Puts the libraries where the jar takes them from, and only those of this build. Says which.
pub fn place_libraries(built: &Utf8Path, generated: &Generated) -> Result<Vec<String>> {
    let resources = paths::kotlin()?.join("generated/resources");
    let host = run::host()?;
    let needed = native::called(generated.kotlin.values());
    let mut said = Vec::new();
    let mut placed = Vec::new();
    for platform in JNA {
        let found = if platform.triple == host { Some(built.to_owned()) } else { platform.built(&["release"])? };
        let Some(path) = found else { continue };
        let library = if platform.triple == host { library::stripped(&path)? } else { files::read(&path)? };
        platform.check(&path, &library, &needed)?;
        library::place(&library, &resources.join(platform.folder).join(platform.file))?;
        said.push(format!("{}: {path}, {:.2} MB", platform.folder, library.len() as f64 / 1e6));
        placed.push(platform.folder);
    }
    for entry in resources.read_dir_utf8()? {
        let entry = entry?;
        if !placed.iter().any(|folder| *folder == entry.file_name()) {
            std::fs::remove_dir_all(entry.path())?;
        }
    }
    Ok(said)
}

/// Maven, with what it fetches kept below `target`: nothing is written into the home folder, and nothing of an earlier
/// build is taken from there.
fn maven(pom: &Utf8Path) -> Result<Command> {
    let mut maven = run::command("mvn", &paths::root()?);
    let kept = paths::target()?.join("m2");
    clean(&mut maven);
    maven.args(["-B", "-ntp", "-f", pom.as_str(), &format!("-Dmaven.repo.local={kept}")]);
    Ok(maven)
}

/// `cargo run` names its own folders for libraries, and JNA would take the debug build from there instead of the jar's.
fn clean(command: &mut Command) {
    command.env_remove("LD_LIBRARY_PATH");
}

fn deploy(extra: &[&str]) -> Result<()> {
    let place = format!("-DaltDeploymentRepository=target::file:{}", repository()?);
    let pom = paths::kotlin()?.join("pom.xml");
    let mut maven = maven(&pom)?;
    // What an incremental compilation leaves has other line numbers than a whole one.
    maven.args(["-P", "documentation", "clean", "deploy", &place]).args(extra);
    match undocumented(&run::said(&mut maven)?).as_slice() {
        [] => Ok(()),
        names => bail!("public and without documentation: {}", names.join(", ")),
    }
}

/// What Dokka reports, but for what an enum has of itself and nobody can document.
fn undocumented(said: &str) -> Vec<&str> {
    let names = said.lines().filter_map(|line| line.split_once("Undocumented: ")).map(|(_, name)| name);
    let own = ["/values/", "/valueOf/", "/getEntries/"];
    names.filter(|name| !own.iter().any(|one| name.contains(one))).collect()
}

/// The suite, and the jar from a build that passed it.
pub fn suite() -> Result<()> {
    let (built, generated) = generate::bindings()?;
    for line in place_libraries(&built, &generated)? {
        println!("{line}");
    }
    files::fresh_folder(&repository()?)?;
    deploy(&[])?;
    let reports = paths::kotlin()?.join("target/surefire-reports");
    let mut tests = 0;
    for path in files::walk(&reports, &|path| path.extension() != Some("txt"))? {
        let text = files::text(&reports.join(path))?;
        let count = text.split("Tests run: ").nth(1).and_then(|rest| rest.split(',').next());
        tests += count.and_then(|count| count.parse::<usize>().ok()).context("a report without `Tests run`")?;
    }
    println!("{tests} tests of Kotlin passed");
    if tests == 0 {
        bail!("Maven ran no test");
    }
    Ok(())
}

/// What calls cost on this JVM.
pub fn bench() -> Result<()> {
    let (built, generated) = generate::bindings()?;
    place_libraries(&built, &generated)?;
    let pom = paths::kotlin()?.join("pom.xml");
    let mut maven = maven(&pom)?;
    let text = run::output(maven.args(["test-compile", "surefire:test", "-Dgroups=bench", "-DexcludedGroups="]))?;
    for line in text.lines().filter(|line| line.starts_with("JVM ") || line.ends_with(" us")) {
        println!("{line}");
    }
    Ok(())
}

/// The jars of a second build have the same bytes.
pub fn reproducible() -> Result<()> {
    let pom = paths::kotlin()?.join("pom.xml");
    run::quietly(maven(&pom)?.args(["clean", "package", "-DskipTests"]))?;
    let version = metadata::load()?.version;
    for name in [".jar", "-sources.jar"] {
        let again = paths::kotlin()?.join(format!("target/remotemedia-{version}{name}"));
        if files::read(&again)? != files::read(&artifact(name)?)? {
            bail!("{again} has other bytes than {}", artifact(name)?);
        }
    }
    Ok(())
}

/// A program that knows the jar alone: the README's lines, and a manifest on a recording. Returns the folder of what
/// it finds. No Java may print anything of its own: JNA and newer JDKs warn on standard error.
pub fn consume(javas: &[Utf8PathBuf]) -> Result<Utf8PathBuf> {
    let example = paths::kotlin()?.join("example");
    let target = example.join("target");
    files::fresh_folder(&target)?;
    let block = readme::block("kotlin")?;
    files::write(&target.join("readme/Readme.kt"), format!("package readme\n\n{block}").as_bytes())?;
    // Maven keeps what it has resolved, and this jar is another one with each build.
    let kept = paths::target()?.join("m2/org/remotemedia");
    if kept.exists() {
        std::fs::remove_dir_all(kept)?;
    }
    let place = format!("-Dremotemedia.repository=file:{}", repository()?);
    run::quietly(maven(&example.join("pom.xml"))?.args(["package", &place]))?;
    let libraries = format!("{target}/speech.jar:{target}/lib/*");
    let folder = readme::folder(&target.join("run"))?;
    let found = target.join("found");
    let [manifest, recording] = readme::demo()?;
    for java in javas {
        let start = |arguments: &[&str]| {
            let mut command = run::command(java, &folder);
            clean(&mut command);
            // A folder of its own for what JNA unpacks.
            silent(command.args(["-cp", &libraries, &format!("-Djna.tmpdir={folder}")]).args(arguments))
        };
        start(&["readme.ReadmeKt"])?;
        start(&["org.remotemedia.example.SpeechKt", manifest.as_str(), recording.as_str(), found.as_str()])?;
    }
    Ok(found)
}

/// Runs it, shows what it prints, and fails if it prints to standard error.
fn silent(command: &mut Command) -> Result<()> {
    let output = command.output().with_context(|| run::shown(command))?;
    print!("{}", String::from_utf8_lossy(&output.stdout));
    let errors = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() || !errors.is_empty() {
        bail!("`{}` ({}) printed: {errors}", run::shown(command), output.status);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_no_documentation_is_found() {
        let said = "[INFO] x\n[WARNING] Undocumented: org.remotemedia/Session/feed/#/ (JVM)\n\
                    [WARNING] Undocumented: org.remotemedia/WhenFull/values/#/ (JVM)\n";
        assert_eq!(undocumented(said), ["org.remotemedia/Session/feed/#/ (JVM)"]);
    }
}
