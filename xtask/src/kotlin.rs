//! Compiling the generated Kotlin, where a JDK and Maven are.

use crate::{paths, run};
use anyhow::Result;

/// Why it cannot be compiled here, if it cannot.
pub fn missing() -> Option<&'static str> {
    let has = |program: &str, argument: &str| run::probe(std::process::Command::new(program).arg(argument)).is_some();
    if !has("javac", "-version") {
        Some("no JDK (javac) in PATH")
    } else if !has("mvn", "--version") {
        Some("no Maven (mvn) in PATH")
    } else {
        None
    }
}

/// Compiles with all warnings as errors. Wants `generate` to have run.
pub fn compile() -> Result<()> {
    let pom = paths::kotlin()?.join("pom.xml");
    let mut maven = run::command("mvn", &paths::root()?);
    run::quietly(maven.args(["-q", "-B", "-ntp", "-f", pom.as_str(), "compile"]))
}
