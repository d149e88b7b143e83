//! `kills`: workers killed at random moments under load, a thousand times.

use crate::dev::{self, Contents};
use crate::{files, paths, run};
use anyhow::Result;

pub fn run(arguments: &[String]) -> Result<()> {
    files::only(arguments, &["--count"], &[])?;
    let count = files::option(arguments, "--count")?.unwrap_or("1000");
    let python = dev::environment(Contents::Package)?;
    crate::python::requirements(&python, &[paths::python()?.join("test-requirements.txt")])?;
    let mut command = run::command(&python, &paths::python()?);
    command.env("REMOTEMEDIA_KILLS", count).env("REMOTEMEDIA_ROOT", paths::root()?);
    run::must(command.args(["-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", "kills", "tests/test_workers.py"]))
}
