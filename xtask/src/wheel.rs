//! `build-wheel`: one wheel for every CPython from 3.10 on, made without Python.

use crate::library::Flavour;
use crate::metadata::{self, Package};
use crate::wheel_zip::{self, Files};
use crate::{bindings, elf, files, generate, library, paths, sbom};
use anyhow::{Context, Result, bail};
use camino::{Utf8Path, Utf8PathBuf};

/// Over this the build fails: people install the package on small machines and slow lines. 0.9 MB of it is iceoryx2.
const LARGEST: usize = 6 * 1024 * 1024;
const SHIMS: &[&str] = &["remotemedia_ffi.py", "remotemedia_runtime.py"];

/// A wheel on disk.
pub struct Wheel {
    pub path: Utf8PathBuf,
    pub tag: String,
    pub size: usize,
}

pub fn run(arguments: &[String]) -> Result<()> {
    files::only(arguments, &["--glibc", "--out"], &[])?;
    let wheel = build(&folder(arguments)?, files::option(arguments, "--glibc")?)?;
    println!("{}\n{} bytes ({:.2} MB), {}", wheel.path, wheel.size, wheel.size as f64 / 1e6, wheel.tag);
    Ok(())
}

/// `--out`, else `target/wheels`.
fn folder(arguments: &[String]) -> Result<Utf8PathBuf> {
    match files::option(arguments, "--out")? {
        Some(folder) => Ok(Utf8PathBuf::try_from(std::env::current_dir()?)?.join(folder)),
        None => Ok(paths::target()?.join("wheels")),
    }
}

/// Builds the wheel into `out`.
pub fn build(out: &Utf8Path, glibc: Option<&str>) -> Result<Wheel> {
    let package = metadata::load()?;
    let host = library::build(Flavour::Full)?;
    let module = bindings::make(&host)?.python;
    let shipped = match glibc {
        Some(version) => library::build_for_glibc(version)?,
        None => host,
    };
    let library = library::stripped(&shipped)?;
    let platform = elf::platform_tag(&library)?;
    if let Some(version) = glibc {
        not_above(&platform, version)?;
    }
    nothing_of_this_machine(&library)?;
    elf::reaches_no_host(&library)?;
    let tag = format!("py3-none-{platform}");
    let mut contents = sources()?;
    contents.insert("remotemedia/_native/__init__.py".to_owned(), generate::NATIVE_INIT.as_bytes().to_vec());
    contents.insert("remotemedia/_native/remotemedia.py".to_owned(), module.into_bytes());
    contents.insert(format!("remotemedia/_native/{}", library::file_name()), library);
    contents.extend(package.dist_info_files()?);
    contents.insert(format!("{}/sboms/{}", package.dist_info(), sbom::NAME), sbom::render(&package)?.into_bytes());
    contents.insert(format!("{}/WHEEL", package.dist_info()), wheel_zip::wheel_file(&tag, false).into_bytes());
    write(out, &package, &contents, &tag)
}

fn write(out: &Utf8Path, package: &Package, contents: &Files, tag: &str) -> Result<Wheel> {
    let bytes = wheel_zip::pack(contents, &package.dist_info())?;
    if bytes.len() > LARGEST {
        bail!("the wheel has {} bytes, at most {LARGEST} are allowed", bytes.len());
    }
    let path = out.join(format!("{}-{tag}.whl", package.stem()));
    files::write(&path, &bytes)?;
    Ok(Wheel { path, tag: tag.to_owned(), size: bytes.len() })
}

/// The Python sources: the package without what is generated, and the one-file modules beside it.
fn sources() -> Result<Files> {
    let python = paths::python()?;
    let skip = |path: &Utf8Path| files::is_litter(path) || path == "_native" || path.file_name() == Some(".gitignore");
    let mut found = Files::new();
    for path in files::walk(&python.join("remotemedia"), &skip)? {
        found.insert(format!("remotemedia/{path}"), files::read(&python.join("remotemedia").join(&path))?);
    }
    for name in SHIMS {
        found.insert((*name).to_owned(), files::read(&python.join(name))?);
    }
    for needed in ["remotemedia/__init__.py", "remotemedia/py.typed", "remotemedia/nodes.py"] {
        if !found.contains_key(needed) {
            bail!("python/{needed} is missing: a wheel without it would not work");
        }
    }
    Ok(found)
}

fn not_above(platform: &str, version: &str) -> Result<()> {
    let asked = format!("manylinux_{}_", version.replace('.', "_"));
    let numbers = |text: &str| -> Option<(u32, u32)> {
        let mut parts = text.strip_prefix("manylinux_")?.split('_');
        Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
    };
    let asked = numbers(&asked).with_context(|| format!("--glibc wants a version such as 2.17, not `{version}`"))?;
    if numbers(platform).is_none_or(|found| found > asked) {
        bail!("glibc {version} was asked for, but the library needs {platform}");
    }
    Ok(())
}

/// A path of this machine in the library would make two folders give two wheels.
fn nothing_of_this_machine(library: &[u8]) -> Result<()> {
    for (folder, _) in library::folders()? {
        if folder.as_str().len() > 1 && contains(library, folder.as_str().as_bytes()) {
            bail!("the library contains the path {folder}: --remap-path-prefix did not reach it");
        }
    }
    Ok(())
}

fn contains(bytes: &[u8], wanted: &[u8]) -> bool {
    // Whole folders only: `/root` alone would also be found in `/rooted`.
    let mut rest = bytes;
    while let Some(place) = rest.windows(wanted.len()).position(|window| window == wanted) {
        if rest.get(place + wanted.len()) == Some(&b'/') {
            return true;
        }
        rest = &rest[place + 1..];
    }
    false
}

/// For the PEP 660 hook: the library and its module in place, and a wheel that points to `python/`.
pub fn run_editable(arguments: &[String]) -> Result<()> {
    files::only(arguments, &["--out"], &[])?;
    println!("{}", build_editable(&folder(arguments)?)?);
    Ok(())
}

/// The same for `dev`. Returns the wheel.
pub fn build_editable(out: &Utf8Path) -> Result<Utf8PathBuf> {
    generate::bindings()?;
    let package = metadata::load()?;
    let mut contents = package.dist_info_files()?;
    contents.insert("remotemedia_editable.pth".to_owned(), format!("{}\n", paths::python()?).into_bytes());
    let tag = "py3-none-any";
    contents.insert(format!("{}/WHEEL", package.dist_info()), wheel_zip::wheel_file(tag, true).into_bytes());
    Ok(write(out, &package, &contents, tag)?.path)
}

/// For the metadata hook: the dist-info folder without building anything.
pub fn run_dist_info(arguments: &[String]) -> Result<()> {
    files::only(arguments, &["--out"], &[])?;
    let package = metadata::load()?;
    let out = folder(arguments)?;
    for (path, content) in package.dist_info_files()? {
        files::write(&out.join(path), &content)?;
    }
    println!("{}", package.dist_info());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_old_glibc_is_held() {
        assert!(not_above("manylinux_2_17_x86_64", "2.17").is_ok());
        assert!(not_above("manylinux_2_5_x86_64", "2.17").is_ok());
        assert!(not_above("manylinux_2_34_x86_64", "2.17").is_err());
        assert!(not_above("manylinux_2_17_x86_64", "old").is_err());
    }

    #[test]
    fn only_whole_folders_count() {
        assert!(contains(b"..../home/me/x", b"/home/me"));
        assert!(!contains(b"..../home/melon/x", b"/home/me"));
        assert!(contains(b"/home/melon /home/me/x", b"/home/me"));
    }
}
