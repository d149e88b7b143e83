//! `exits`: many interpreters that end straight after use, with work in flight; the tests do the same with fewer.

use crate::{files, paths, python, run, test, wheel};
use anyhow::Result;

pub fn run(arguments: &[String]) -> Result<()> {
    files::only(arguments, &["--runs"], &[])?;
    let runs = files::option(arguments, "--runs")?.unwrap_or("200");
    let wheel = wheel::build(&paths::target()?.join("wheels"), None)?;
    let program = test::environment(&python::default()?, &wheel.path)?;
    let folder = paths::target()?.join("test-runs/exits");
    files::fresh_folder(&folder)?;
    files::copy_tree(&paths::python()?.join("tests"), &folder.join("tests"))?;
    files::write(&folder.join("pyproject.toml"), &files::read(&paths::python()?.join("pyproject.toml"))?)?;
    let mut pytest = test::isolated(&program, &folder)?;
    pytest.env("REMOTEMEDIA_EXIT_RUNS", runs);
    run::must(pytest.args(["-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/test_exits.py"]))
}
