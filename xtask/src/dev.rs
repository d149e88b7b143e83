//! `dev`: `.venv` at the root, with the package editable and the development tools.

use crate::{files, paths, python, wheel};
use anyhow::Result;
use camino::Utf8PathBuf;

pub fn run(arguments: &[String]) -> Result<()> {
    files::only(arguments, &[], &[])?;
    environment(Contents::Tools)?;
    println!("ready: `. .venv/bin/activate`, then `cargo test` and `pytest python/tests`");
    Ok(())
}

/// How much the environment needs.
#[derive(PartialEq)]
pub enum Contents {
    /// The package and what it depends on.
    Package,
    /// All that, and what tests and checks use.
    Tools,
}

/// Makes or completes `.venv` with the package of this tree, and returns its Python.
pub fn environment(contents: Contents) -> Result<Utf8PathBuf> {
    let wheel = wheel::build_editable(&paths::target()?.join("xtask/editable"))?;
    let program = python::venv(&python::default()?, &paths::venv()?)?;
    match contents {
        Contents::Tools => {
            python::requirements(&program, &[paths::python()?.join("dev-requirements.txt")])?;
            python::pip_install(&program, &["--no-deps", "--force-reinstall", wheel.as_str()])?;
        }
        // Brings numpy along unless it is there.
        Contents::Package => python::pip_install(&program, &["--force-reinstall", "--no-deps", wheel.as_str()])
            .and_then(|()| python::pip_install(&program, &["numpy>=1.26"]))?,
    }
    Ok(program)
}

/// A Python with all development tools: `.venv` when it has them, else an environment below `target`.
pub fn tools() -> Result<Utf8PathBuf> {
    let list = [paths::python()?.join("dev-requirements.txt")];
    let folder = match python::has_requirements(&paths::venv()?, &list) {
        true => paths::venv()?,
        false => paths::target()?.join("tools/dev"),
    };
    let program = python::venv(&python::default()?, &folder)?;
    python::requirements(&program, &list)?;
    Ok(program)
}
