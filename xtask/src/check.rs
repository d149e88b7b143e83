//! `check`: formats, lints, types, generated files up to date, contents of the wheel.

use crate::steps::Steps;
use crate::{
    bindings, catalogue, claims, deny, dev, documented, files, generate, library, licences, links, metadata, paths,
    python, run, sbom, signatures, versions, wheel,
};
use anyhow::{Result, bail};
use camino::{Utf8Path, Utf8PathBuf};

/// The features of a phone build.
pub const PHONE: &[&str] = &["--no-default-features", "--features", "ffi,audio"];

pub fn run(arguments: &[String]) -> Result<()> {
    files::only(arguments, &[], &[])?;
    let mut steps = Steps::new();
    all(&mut steps);
    steps.finish()
}

/// Every check, as steps.
pub fn all(steps: &mut Steps) {
    rust(steps);
    steps.step("generated code: up to date, the same twice", generated);
    steps.step("exported signatures: no vectors of samples or bytes", signatures::check);
    steps.step("documentation of every public item", documented::check);
    steps.step("one version for all packages", versions::check);
    python_tools(steps);
    steps.step("wheel: contents", wheel_contents);
    if cfg!(target_os = "linux") {
        steps.step("wheel: auditwheel reads the same tag", auditwheel);
    }
    steps.step("packages: licences, versions, sources", deny::check);
    steps.step("claims of README.md and SECURITY.md: each shown by a test or a benchmark row", claims::check);
    steps.step("links of the documents", links::check);
}

fn cargo(arguments: &[&str], extra: &[&str], last: &[&str]) -> Result<()> {
    let mut cargo = run::cargo();
    run::must(cargo.current_dir(paths::root()?).args(arguments).args(extra).args(last))
}

fn rust(steps: &mut Steps) {
    steps.step("cargo fmt", || cargo(&["fmt", "--all", "--check"], &[], &[]));
    let deny = &["--", "-D", "warnings"][..];
    steps.step("clippy, everything", || {
        cargo(&["clippy", "--quiet", "--locked", "--workspace", "--all-targets"], &[], deny)
    });
    steps.step("clippy, phone features", || cargo(&["clippy", "--quiet", "--locked", "--lib"], PHONE, deny));
    steps.step("clippy, no features", || {
        cargo(&["clippy", "--quiet", "--locked", "--lib"], &["--no-default-features"], deny)
    });
    steps.step("rustdoc", || {
        let mut cargo = run::cargo();
        cargo.current_dir(paths::root()?).env("RUSTDOCFLAGS", "-D warnings");
        run::must(cargo.args(["doc", "--quiet", "--locked", "--no-deps", "--lib"]))
    });
}

fn python_tools(steps: &mut Steps) {
    let tool = |arguments: &[&str]| {
        let python = dev::tools()?;
        run::must(run::command(&python, &paths::python()?).arg("-m").args(arguments))
    };
    steps.step("development tools", || dev::tools().map(|_| ()));
    steps.step("ruff check", || tool(&["ruff", "check", "--quiet", ".", "../examples"]));
    steps.step("ruff format", || tool(&["ruff", "format", "--quiet", "--check", ".", "../examples"]));
    // Without the cache: it keeps errors about modules that were not there yet.
    steps.step("mypy --strict", || tool(&["mypy", "--no-incremental"]));
    steps.step("pyright", || {
        let python = dev::tools()?;
        let mut pyright = run::command(&python, &paths::python()?);
        pyright.env("PYRIGHT_PYTHON_IGNORE_WARNINGS", "1").args(["-m", "pyright", "--pythonpath", python.as_str()]);
        run::quietly(&mut pyright)
    });
}

/// Generates twice, and compares the committed files with what they should be.
fn generated() -> Result<()> {
    let (built, first) = generate::bindings()?;
    if bindings::make(&built)? != first {
        bail!("generating twice gave two results");
    }
    let mut stale: Vec<String> = Vec::new();
    let mut expected = generate::committed(&first, &catalogue::load()?)?;
    expected.insert(licences::file()?, licences::render()?);
    for (path, text) in expected {
        if std::fs::read_to_string(&path).ok().as_deref() != Some(&text) {
            stale.push(path.strip_prefix(paths::root()?).unwrap_or(&path).to_string());
        }
    }
    match stale.is_empty() {
        true => Ok(()),
        false => bail!("not up to date: {}; run `cargo xtask generate` and `cargo xtask licences`", stale.join(", ")),
    }
}

/// Software that we did not write comes to the same platform tag.
fn auditwheel() -> Result<()> {
    let wheel = wheel::build(&paths::target()?.join("xtask/check-wheel"), None)?;
    let program = python::tools("auditwheel", &["auditwheel==6.8.2"])?;
    let mut show = run::command(&program, &paths::root()?);
    let text = run::output(show.args(["-m", "auditwheel", "show", wheel.path.as_str()]))?;
    let platform = wheel.tag.trim_start_matches("py3-none-");
    let words: Vec<&str> = text.split_whitespace().collect();
    match words.join(" ").contains(&format!("platform tag: \"{platform}\"")) {
        true => Ok(()),
        false => bail!("the wheel's tag is {platform}, and auditwheel says: {}", words.join(" ")),
    }
}

/// Nothing but the package, its two modules and the dist-info; nothing of tests or caches.
fn wheel_contents() -> Result<()> {
    let wheel = wheel::build(&paths::target()?.join("xtask/check-wheel"), None)?;
    let archive = zip::ZipArchive::new(std::io::Cursor::new(files::read(&wheel.path)?))?;
    let names: Vec<Utf8PathBuf> =
        archive.file_names().map(|name| Ok(Utf8PathBuf::from(name?.into_owned()))).collect::<Result<_>>()?;
    for name in &names {
        if !belongs(name) {
            bail!("{name} does not belong into the wheel");
        }
    }
    let module = Utf8Path::new("remotemedia/_native");
    let needed = [module.join("remotemedia.py"), module.join(library::file_name()), "remotemedia_ffi.py".into()];
    if let Some(missing) = needed.iter().find(|one| !names.contains(one)) {
        bail!("{missing} is not in the wheel");
    }
    let sboms = format!("{}/sboms/{}", metadata::load()?.dist_info(), sbom::NAME);
    for needed in [sboms.as_str(), &format!("{}/licenses/THIRD-PARTY-LICENSES", metadata::load()?.dist_info())] {
        if !names.iter().any(|name| name == needed) {
            bail!("{needed} is not in the wheel");
        }
    }
    if !names.iter().any(|name| name.starts_with("remotemedia/_demo_data")) {
        bail!("the demo's recording (remotemedia/_demo_data) is not in the wheel");
    }
    Ok(())
}

fn belongs(name: &Utf8Path) -> bool {
    let first = name.components().next().map(|one| one.to_string()).unwrap_or_default();
    let place = matches!(first.as_str(), "remotemedia" | "remotemedia_ffi.py" | "remotemedia_runtime.py")
        || first.ends_with(".dist-info");
    let library = name.file_name() != Some(&library::file_name()) || name.starts_with("remotemedia/_native");
    place
        && library
        && !name.components().any(|one| files::is_litter(Utf8Path::new(one.as_str())) || one.as_str() == "tests")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strangers_are_seen() {
        assert!(belongs(Utf8Path::new("remotemedia/_native/remotemedia.py")));
        assert!(belongs(Utf8Path::new("remotemedia-0.5.0.dist-info/licenses/LICENSE-MIT")));
        for name in
            ["tests/test_a.py", "remotemedia/tests/a.py", "remotemedia/__pycache__/a.pyc", "remotemedia.libs/x.so"]
        {
            assert!(!belongs(Utf8Path::new(name)), "{name}");
        }
    }
}
