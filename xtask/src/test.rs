//! `test`: everything CI runs, in the README's order. `--quick` leaves packages, other Pythons, Kotlin, Swift and phones
//! out; `--mobile` runs these three alone; `--integrations` runs the tests with other frameworks, else left to CI.

use crate::python::{self, Python};
use crate::steps::{Action, Steps};
use crate::{check, files, fuzz, metadata, mobile, paths, run, sanitize, sdist, wheel};
use anyhow::{Context, Result, bail};
use camino::{Utf8Path, Utf8PathBuf};
use std::collections::BTreeMap;

pub fn run(arguments: &[String]) -> Result<()> {
    files::only(arguments, &[], &["--quick", "--integrations", "--mobile", "--swift-chroot"])?;
    let asked = |name: &str| arguments.iter().any(|one| one == name);
    let quick = asked("--quick");
    let chroot = asked("--swift-chroot") || std::env::var_os("CI").is_some();
    let mut steps = Steps::new();
    if asked("--integrations") || asked("--mobile") {
        let wheel = wheel::build(&paths::target()?.join("wheels"), None)?.path;
        if asked("--integrations") {
            steps.step("pytest with pipecat", || pipecat(&wheel));
        }
        if asked("--mobile") {
            mobile::all(&mut steps, &wheel, chroot);
        }
        return steps.finish();
    }
    let cargo = |arguments: &[&str]| run::must(run::cargo().current_dir(paths::root()?).args(arguments));
    steps.step("cargo test", || cargo(&["test", "--workspace", "--locked"]));
    steps.step("the library as a plain crate", || {
        cargo(&["check", "--quiet", "--locked", "--lib", "--no-default-features"])
    });
    steps.step("the library with the phone features", || {
        cargo(&[&["check", "--quiet", "--locked", "--lib"], check::PHONE].concat())
    });
    check::all(&mut steps);
    let wheel = pythons(&mut steps, quick);
    if !quick {
        packages(&mut steps);
        // Each in a target folder of its own, and much of it on one core.
        let mut beside: Vec<(String, Action<'_>)> = Vec::new();
        let sdist = "build-sdist; a wheel from it has the same files";
        beside.push((sdist.to_owned(), Box::new(from_sdist)));
        let sanitized = "unsafe code: sanitized";
        match sanitize::missing() {
            Ok(Some(reason)) => steps.left_out(sanitized, &reason),
            _ => beside.push((sanitized.to_owned(), Box::new(sanitize::sanitize))),
        }
        let fuzzed = "manifests: a minute of fuzzing";
        match fuzz::missing() {
            Some(reason) => steps.left_out(fuzzed, &reason),
            None => beside.push((fuzzed.to_owned(), Box::new(|| fuzz::fuzz(60)))),
        }
        if let Some(wheel) = &wheel {
            let looked_at = "the boundary under Python: valgrind";
            match sanitize::valgrind_missing() {
                Some(reason) => steps.left_out(looked_at, &reason),
                None => beside.push((looked_at.to_owned(), Box::new(|| sanitize::under_python(wheel)))),
            }
        }
        steps.in_pairs(beside);
        if let Some(wheel) = wheel {
            mobile::all(&mut steps, &wheel, chroot);
        }
    }
    steps.finish()
}

/// The wheel, tested in a fresh environment of each CPython found, outside the source tree.
fn pythons(steps: &mut Steps, quick: bool) -> Option<Utf8PathBuf> {
    let mut path: Option<Utf8PathBuf> = None;
    steps.step("build-wheel", || {
        let built = wheel::build(&paths::target()?.join("wheels"), None)?;
        println!("{} ({:.2} MB)", built.path, built.size as f64 / 1e6);
        path = Some(built.path);
        Ok(())
    });
    let wheel = path?;
    let found = match (quick, python::default()) {
        (true, Ok(python)) => BTreeMap::from([(python.minor, python)]),
        _ => python::all(),
    };
    let main = python::default().ok().map(|python| python.minor);
    let mut others: Vec<(String, Action<'_>)> = Vec::new();
    for minor in python::MINORS {
        let name = format!("pytest on the wheel, CPython 3.{minor}");
        match found.get(&minor) {
            // What no other Python would do differently, on the first one alone.
            Some(python) if main.is_some_and(|main| main != minor) => {
                others.push((name, Box::new(|| pytest(python, &wheel, true))))
            }
            Some(python) => steps.step(&name, || pytest(python, &wheel, false)),
            None if quick => {}
            None => steps.left_out(&name, "this Python is not installed"),
        }
    }
    if !quick {
        let mut more = |name: &str, action: Action<'static>| others.push((name.to_owned(), action));
        let of = wheel.clone();
        more("speech recognition in a worker process", Box::new(move || speech_recognition(&of)));
        // Some 300 MB of packages, so not for everybody.
        let of = wheel.clone();
        match std::env::var_os("CI") {
            Some(_) => more("pytest with pipecat", Box::new(move || pipecat(&of))),
            None => steps.left_out("pytest with pipecat", "say `cargo xtask test --integrations`"),
        }
    }
    steps.in_pairs(others);
    if !quick {
        steps.step("demo of the wheel in an empty folder", || demo(&wheel));
        steps.step("no network", || no_network(&wheel));
    }
    Some(wheel)
}

/// An environment that holds the wheel, numpy and the test tools; kept until the requirements change.
pub fn environment(python: &Python, wheel: &Utf8Path) -> Result<Utf8PathBuf> {
    environment_of(python, &format!("3.{}", python.minor), paths::python()?.join("test-requirements.txt"), wheel)
}

/// The same by name, with requirements of its own.
fn environment_of(python: &Python, name: &str, requirements: Utf8PathBuf, wheel: &Utf8Path) -> Result<Utf8PathBuf> {
    let program = python::venv(python, &paths::target()?.join("test-envs").join(name))?;
    python::requirements(&program, &[requirements])?;
    python::pip_install(&program, &["--no-deps", "--force-reinstall", wheel.as_str()])?;
    Ok(program)
}

/// A Python that sees the installed package only.
pub fn isolated(program: &Utf8Path, folder: &Utf8Path) -> Result<std::process::Command> {
    let mut command = run::command(program, folder);
    for name in ["PYTHONPATH", "PYTHONHOME", "MYPYPATH", "VIRTUAL_ENV"] {
        command.env_remove(name);
    }
    // Tests that read recordings, examples or the README of the repository find it here.
    command.env("REMOTEMEDIA_ROOT", paths::root()?);
    Ok(command)
}

fn pytest(python: &Python, wheel: &Utf8Path, short: bool) -> Result<()> {
    let (program, folder) = prepared(python, wheel, &format!("3.{}", python.minor))?;
    let mut tests = isolated(&program, &folder)?;
    tests.args(["-m", "pytest", "-q", "-p", "no:cacheprovider", "tests"]);
    if !short {
        return run::must(&mut tests);
    }
    // Another Python's tests run at the same time: what they say is shown in one piece.
    let said = run::said(tests.args(["-m", "not thorough"]))?;
    println!("CPython 3.{}: {}", python.minor, said.lines().last().unwrap_or_default());
    Ok(())
}

/// A Python with the wheel, and a folder with the tests, outside the source tree.
pub fn prepared(python: &Python, wheel: &Utf8Path, name: &str) -> Result<(Utf8PathBuf, Utf8PathBuf)> {
    let program = environment(python, wheel)?;
    let folder = paths::target()?.join("test-runs").join(name);
    files::fresh_folder(&folder)?;
    files::copy_tree(&paths::python()?.join("tests"), &folder.join("tests"))?;
    files::write(&folder.join("pyproject.toml"), &files::read(&paths::python()?.join("pyproject.toml"))?)?;
    let question = "import remotemedia; print(remotemedia.__file__)";
    let answer = run::output(isolated(&program, &folder)?.args(["-c", question]))?;
    if !answer.contains("site-packages") {
        bail!("the tests would run on {} instead of the installed wheel", answer.trim());
    }
    Ok((program, folder))
}

/// Speech recognition in a worker process, with the model of another package.
fn speech_recognition(wheel: &Utf8Path) -> Result<()> {
    let requirements = paths::python()?.join("asr-requirements.txt");
    let program = environment_of(&python::default()?, "asr", requirements, wheel)?;
    let folder = paths::target()?.join("test-runs/asr");
    files::fresh_folder(&folder)?;
    let script = paths::root()?.join("examples/asr.py");
    let said = run::output(isolated(&program, &folder)?.arg(script.as_str()))?;
    // Three words that are said there; the recogniser finds about six in seven.
    for word in ["married", "respectable", "himself"] {
        if !said.split_whitespace().any(|found| found == word) {
            bail!("examples/asr.py did not find `{word}` in:\n{said}");
        }
    }
    // Somebody who speaks without a pause: one piece, one line that is not indented.
    let pieces = said.lines().filter(|line| line.contains(" s  ")).count();
    if pieces != 1 {
        bail!("examples/asr.py found {pieces} pieces of speech, expected 1, in:\n{said}");
    }
    Ok(())
}

/// The wheel beside the real pipecat, in an environment of their own.
fn pipecat(wheel: &Utf8Path) -> Result<()> {
    let tests = paths::python()?.join("tests_integrations");
    let program = environment_of(&python::default()?, "pipecat", tests.join("requirements.txt"), wheel)?;
    let runs = paths::target()?.join("test-runs/pipecat");
    files::fresh_folder(&runs)?;
    files::copy_tree(&tests, &runs.join("tests"))?;
    run::must(isolated(&program, &runs)?.args(["-m", "pytest", "-q", "-p", "no:cacheprovider", "tests"]))
}

fn demo(wheel: &Utf8Path) -> Result<()> {
    let program = environment(&python::default()?, wheel)?;
    let folder = paths::target()?.join("test-runs/demo");
    files::fresh_folder(&folder)?;
    let script = program.parent().context("a Python without a folder")?.join("remotemedia");
    run::must(isolated(&script, &folder)?.arg("demo"))?;
    let report = files::text(&folder.join("remotemedia-demo.html"))?;
    match report.contains("<html") {
        true => Ok(()),
        false => bail!("remotemedia-demo.html is no page"),
    }
}

/// The core in a process that has no network at all, where the system lets us make one.
fn no_network(wheel: &Utf8Path) -> Result<()> {
    let program = environment(&python::default()?, wheel)?;
    let script = paths::python()?.join("tests/offline.py");
    let folder = paths::target()?.join("test-runs");
    let alone = ["-rn", "--"];
    let may = run::probe(std::process::Command::new("unshare").args(alone).arg("true")).is_some();
    let mut command = if may {
        let mut unshare = isolated("unshare".into(), &folder)?;
        unshare.args(alone).arg(&program);
        unshare
    } else {
        println!("no network namespace can be made here: only what Python's audit hook sees is checked");
        isolated(&program, &folder)?
    };
    run::must(command.arg(script))
}

/// Installing from source.
fn packages(steps: &mut Steps) {
    steps.step("pip wheel ./python", || {
        let out = paths::target()?.join("test-runs/pip-wheel");
        files::fresh_folder(&out)?;
        pip(&["wheel", "--no-deps", "-w", out.as_str(), paths::python()?.as_str()], None)?;
        the_wheel(&out).map(|_| ())
    });
    steps.step("pip install -e ./python", || {
        let folder = paths::target()?.join("test-envs/editable");
        files::fresh_folder(&folder)?;
        let program = python::venv(&python::default()?, &folder)?;
        python::pip_install(&program, &["numpy>=1.26"])?;
        let source = paths::python()?;
        python::pip_install(&program, &["--no-deps", "-e", source.as_str()])?;
        let question = "import remotemedia; print(remotemedia.__version__, remotemedia.__file__)";
        let answer = run::output(isolated(&program, &paths::target()?)?.args(["-c", question]))?;
        let expected = format!("{} {}", metadata::load()?.version, source.join("remotemedia/__init__.py"));
        match answer.trim() == expected {
            true => Ok(()),
            false => bail!("the editable package says `{}`, expected `{expected}`", answer.trim()),
        }
    });
}

/// A wheel that was built from the archive elsewhere has the files of ours.
fn from_sdist() -> Result<()> {
    let out = paths::target()?.join("test-runs/from-sdist");
    files::fresh_folder(&out)?;
    let archive = sdist::build(&paths::target()?.join("wheels"))?;
    let elsewhere = paths::target()?.join("sdist-target");
    pip(&["wheel", "--no-deps", "-w", out.as_str(), archive.as_str()], Some(&elsewhere))?;
    let theirs = the_wheel(&out)?;
    let name = theirs.file_name().context("a wheel without a name")?;
    let ours = paths::target()?.join("wheels").join(name);
    same_files(&ours, &theirs)
}

fn pip(arguments: &[&str], target: Option<&Utf8Path>) -> Result<()> {
    let program = python::tools("pip", &["pip"])?;
    let mut pip = isolated(&program, &paths::root()?)?;
    pip.args(["-m", "pip", "--disable-pip-version-check", "--no-input", "--no-cache-dir"]).args(arguments);
    if let Some(target) = target {
        pip.env("CARGO_TARGET_DIR", target);
    }
    run::quietly(&mut pip)
}

fn the_wheel(folder: &Utf8Path) -> Result<Utf8PathBuf> {
    let found = files::walk(folder, &|path| path.extension() != Some("whl"))?;
    match found.as_slice() {
        [one] => Ok(folder.join(one)),
        others => bail!("{folder} has {} wheels, expected one", others.len()),
    }
}

/// Two wheels hold the same files with the same bytes. The library (and so RECORD) is left out:
/// LLVM orders a few vector instructions of rubato's inner loops differently from one compilation to the next.
fn same_files(ours: &Utf8Path, theirs: &Utf8Path) -> Result<()> {
    let open = |path: &Utf8Path| -> Result<zip::ZipArchive<std::fs::File>> {
        Ok(zip::ZipArchive::new(std::fs::File::open(path).with_context(|| format!("cannot open {path}"))?)?)
    };
    let (mut left, mut right) = (open(ours)?, open(theirs)?);
    if left.len() != right.len() {
        bail!("{ours} has {} files, {theirs} {}", left.len(), right.len());
    }
    for index in 0..left.len() {
        let (mut one, mut other) = (Vec::new(), Vec::new());
        let mut entry = left.by_index(index)?;
        let name = entry.name()?.into_owned();
        std::io::Read::read_to_end(&mut entry, &mut one)?;
        std::io::Read::read_to_end(&mut right.by_name(&name)?, &mut other)?;
        let compiled = name.ends_with(".so") || name.ends_with("/RECORD");
        if !compiled && one != other {
            bail!("{name} differs between {ours} and {theirs}");
        }
    }
    Ok(())
}
