//! Libraries of other platforms, made on this machine or brought here: what each is called where, and whether a file is
//! what its place says.

use crate::paths;
use anyhow::{Context, Result, bail};
use camino::{Utf8Path, Utf8PathBuf};
use goblin::Object;
use goblin::elf::header::{EM_386, EM_AARCH64, EM_ARM, EM_X86_64};
use goblin::mach::Mach;
use goblin::mach::constants::cputype::{CPU_TYPE_ARM64, CPU_TYPE_X86_64};
use goblin::pe::header::{COFF_MACHINE_ARM64, COFF_MACHINE_X86_64};
use std::collections::BTreeSet;

/// The kind of file and its processor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Machine {
    Elf(u16),
    MachO(u32),
    Pe(u16),
}

/// One platform.
#[derive(Debug)]
pub struct Platform {
    /// As rustc calls it.
    pub triple: &'static str,
    /// The folder that a package has for it: JNA's name, or Android's.
    pub folder: &'static str,
    /// The library's name there.
    pub file: &'static str,
    machine: Machine,
}

const fn platform(triple: &'static str, folder: &'static str, file: &'static str, machine: Machine) -> Platform {
    Platform { triple, folder, file, machine }
}

const SO: &str = "libremotemedia.so";
const DYLIB: &str = "libremotemedia.dylib";
const DLL: &str = "remotemedia.dll";

/// Where JNA looks inside a jar.
pub const JNA: &[Platform] = &[
    platform("x86_64-unknown-linux-gnu", "linux-x86-64", SO, Machine::Elf(EM_X86_64)),
    platform("aarch64-unknown-linux-gnu", "linux-aarch64", SO, Machine::Elf(EM_AARCH64)),
    platform("x86_64-apple-darwin", "darwin-x86-64", DYLIB, Machine::MachO(CPU_TYPE_X86_64)),
    platform("aarch64-apple-darwin", "darwin-aarch64", DYLIB, Machine::MachO(CPU_TYPE_ARM64)),
    platform("x86_64-pc-windows-msvc", "win32-x86-64", DLL, Machine::Pe(COFF_MACHINE_X86_64)),
    platform("aarch64-pc-windows-msvc", "win32-aarch64", DLL, Machine::Pe(COFF_MACHINE_ARM64)),
];

/// The ABIs of Android, as an AAR has them.
pub const ANDROID: &[Platform] = &[
    platform("aarch64-linux-android", "arm64-v8a", SO, Machine::Elf(EM_AARCH64)),
    platform("armv7-linux-androideabi", "armeabi-v7a", SO, Machine::Elf(EM_ARM)),
    platform("x86_64-linux-android", "x86_64", SO, Machine::Elf(EM_X86_64)),
    platform("i686-linux-android", "x86", SO, Machine::Elf(EM_386)),
];

impl Platform {
    /// The library that was built for it, with `cargo build --release --target` or another of these profiles: the newest.
    pub fn built(&self, profiles: &[&str]) -> Result<Option<Utf8PathBuf>> {
        let folder = paths::target()?.join(self.triple);
        let age = |path: &Utf8PathBuf| std::fs::metadata(path).and_then(|about| about.modified()).ok();
        let found = profiles.iter().map(|profile| folder.join(profile).join(self.file));
        Ok(found.filter(|path| path.exists()).max_by_key(age))
    }

    /// Fails unless the file is a library for this platform that exports every function in `needed`.
    pub fn check(&self, path: &Utf8Path, library: &[u8], needed: &BTreeSet<String>) -> Result<()> {
        let (machine, exports) = contents(library).with_context(|| path.to_string())?;
        if machine != self.machine {
            bail!("{path} is a library for {machine:?}, expected {:?} of {}", self.machine, self.triple);
        }
        let missing: Vec<&str> = needed.iter().map(String::as_str).filter(|name| !exports.contains(name)).collect();
        match missing.as_slice() {
            [] => Ok(()),
            [first, ..] => bail!(
                "{path} has not `{first}` and {} more functions that the generated code calls: build it again from this source",
                missing.len() - 1
            ),
        }
    }
}

/// The machine of a library and what it exports.
fn contents(library: &[u8]) -> Result<(Machine, BTreeSet<&str>)> {
    match Object::parse(library)? {
        Object::Elf(elf) => {
            let exported = elf.dynsyms.iter().filter(|symbol| !symbol.is_import());
            let names = exported.filter_map(|symbol| elf.dynstrtab.get_at(symbol.st_name)).collect();
            Ok((Machine::Elf(elf.header.e_machine), names))
        }
        Object::Mach(Mach::Binary(mach)) => {
            let named = mach.symbols().filter_map(|symbol| symbol.ok());
            let names = named.filter(|(_, about)| about.is_global() && !about.is_undefined());
            let names = names.map(|(name, _)| name.strip_prefix('_').unwrap_or(name)).collect();
            Ok((Machine::MachO(mach.header.cputype), names))
        }
        Object::PE(pe) => {
            let names = pe.exports.iter().filter_map(|export| export.name).collect();
            Ok((Machine::Pe(pe.header.coff_header.machine), names))
        }
        _ => bail!("not a library of Linux, macOS, Windows or Android"),
    }
}

/// The functions of the library that generated code calls.
pub fn called<'a>(sources: impl IntoIterator<Item = &'a String>) -> BTreeSet<String> {
    let words = sources.into_iter().flat_map(|text| text.split(|one: char| !one.is_alphanumeric() && one != '_'));
    let ours = words.filter(|word| ["uniffi_remotemedia_", "ffi_remotemedia_"].iter().any(|one| word.starts_with(one)));
    ours.map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn here() -> &'static Platform {
        JNA.iter().find(|one| one.folder == "linux-x86-64").unwrap()
    }

    #[test]
    #[cfg(all(target_os = "linux", target_arch = "x86_64"))]
    fn a_file_of_another_machine_or_another_build_is_refused() {
        // The C library, found through a program that runs: ours.
        let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
        let path = maps.split_whitespace().find(|word| word.ends_with("/libc.so.6")).unwrap().to_owned();
        let library = std::fs::read(&path).unwrap();
        let needs = |name: &str| BTreeSet::from([name.to_owned()]);
        here().check(path.as_str().into(), &library, &needs("malloc")).unwrap();
        let old = here().check("a".into(), &library, &needs("uniffi_remotemedia_fn")).unwrap_err().to_string();
        assert!(old.contains("`uniffi_remotemedia_fn`") && old.contains("build it again"), "{old}");
        let phone = ANDROID[0].check("a".into(), &library, &needs("malloc")).unwrap_err().to_string();
        assert!(phone.contains("aarch64-linux-android"), "{phone}");
        assert!(here().check("a".into(), b"no library", &BTreeSet::new()).is_err());
    }

    #[test]
    fn called_functions_are_found_in_sources() {
        let text = "fun a() = UniffiLib.uniffi_remotemedia_fn_a(1)\nffi_remotemedia_b; other_c".to_owned();
        let found: Vec<String> = called([&text]).into_iter().collect();
        assert_eq!(found, ["ffi_remotemedia_b", "uniffi_remotemedia_fn_a"]);
    }
}
