//! What a Linux library asks of the system it is loaded on: its wheel tag is read from the file, never assumed.

use anyhow::{Context, Result, bail};
use goblin::elf::Elf;
use goblin::elf::header::{EM_AARCH64, EM_X86_64};

/// The libraries that every manylinux system has (PEP 600), as far as a library of Rust may need them.
const PROVIDED: &[&str] = &[
    "libc.so.6",
    "libm.so.6",
    "libpthread.so.0",
    "libdl.so.2",
    "librt.so.1",
    "libgcc_s.so.1",
    "ld-linux-x86-64.so.2",
    "ld-linux-aarch64.so.1",
];

/// The wheel's platform tag, such as `manylinux_2_34_x86_64`.
pub fn platform_tag(library: &[u8]) -> Result<String> {
    let elf = Elf::parse(library).context("the library is not an ELF file: wheels are made on Linux only so far")?;
    let arch = match elf.header.e_machine {
        EM_X86_64 => "x86_64",
        EM_AARCH64 => "aarch64",
        other => bail!("there is no wheel tag for the ELF machine {other}"),
    };
    not_provided(&elf.libraries)?;
    let (major, minor) = highest_glibc(versions(&elf))?;
    Ok(format!("manylinux_{major}_{minor}_{arch}"))
}

/// Fails when the library could reach another machine: it looks up no host, parses no address, and takes no call. Its
/// sockets are those of iceoryx2: local ones, by which a worker process and its host wake one another.
pub fn reaches_no_host(library: &[u8]) -> Result<()> {
    let elf = Elf::parse(library).context("the library is not an ELF file")?;
    let imported = elf.dynsyms.iter().filter(|symbol| symbol.is_import());
    no_network(imported.filter_map(|symbol| elf.dynstrtab.get_at(symbol.st_name)))
}

fn not_provided(libraries: &[&str]) -> Result<()> {
    let foreign: Vec<&str> = libraries.iter().copied().filter(|name| !PROVIDED.contains(name)).collect();
    if !foreign.is_empty() {
        bail!("the library needs {}, which a manylinux wheel may not expect of the system", foreign.join(", "));
    }
    Ok(())
}

/// The names of the C library by which another machine is found, or finds this one.
fn no_network<'a>(imported: impl IntoIterator<Item = &'a str>) -> Result<()> {
    let forbidden = [
        "listen",
        "accept",
        "accept4",
        "getaddrinfo",
        "getnameinfo",
        "gethostbyname",
        "gethostbyname_r",
        "inet_addr",
        "inet_aton",
        "inet_pton",
        "res_init",
    ];
    match imported.into_iter().find(|name| forbidden.contains(name)) {
        Some(name) => bail!("the library uses `{name}`: it must not use the network"),
        None => Ok(()),
    }
}

/// The symbol versions that the library needs: `GLIBC_2.34`, `GCC_3.0`, ...
fn versions<'a>(elf: &'a Elf) -> Vec<&'a str> {
    let Some(needs) = &elf.verneed else { return Vec::new() };
    let names = needs.iter().flat_map(|need| need.iter().map(|one| one.vna_name).collect::<Vec<_>>());
    names.filter_map(|name| elf.dynstrtab.get_at(name)).collect()
}

/// The highest glibc among the version names. 2.5 is the lowest that a manylinux tag can name.
fn highest_glibc<'a>(names: impl IntoIterator<Item = &'a str>) -> Result<(u32, u32)> {
    let mut highest = (2, 5);
    for name in names {
        let version = match name.strip_prefix("GLIBC_") {
            None => continue,
            Some("ABI_DT_RELR") => (2, 36), // relative relocations: the loader knows them from 2.36 on
            Some("PRIVATE") => bail!("the library uses private symbols of glibc: no wheel tag allows that"),
            Some(version) => {
                let mut parts = version.split('.').map(|part| part.parse::<u32>());
                match (parts.next(), parts.next()) {
                    (Some(Ok(major)), Some(Ok(minor))) => (major, minor),
                    _ => bail!("the library needs `{name}`, which names no glibc version"),
                }
            }
        };
        highest = highest.max(version);
    }
    Ok(highest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_highest_version_wins_as_a_number() {
        let names = ["GLIBC_2.2.5", "GCC_3.0", "GLIBC_2.17", "GLIBC_2.9", "LIBC_9.9"];
        assert_eq!(highest_glibc(names).unwrap(), (2, 17));
        assert_eq!(highest_glibc(["GLIBC_2.17", "GLIBC_ABI_DT_RELR"]).unwrap(), (2, 36));
        assert_eq!(highest_glibc([]).unwrap(), (2, 5));
        assert!(highest_glibc(["GLIBC_PRIVATE"]).is_err());
    }

    #[test]
    fn what_no_wheel_may_need_is_refused() {
        assert!(not_provided(&["libc.so.6", "libm.so.6"]).is_ok());
        let error = not_provided(&["libc.so.6", "libssl.so.3"]).unwrap_err().to_string();
        assert!(error.contains("libssl.so.3"));
        assert!(no_network(["memcpy", "read", "connect"]).is_ok());
        assert!(no_network(["memcpy", "getaddrinfo"]).is_err());
    }

    #[test]
    fn our_own_program_has_a_tag() {
        let program = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        assert!(platform_tag(&program).unwrap().starts_with("manylinux_2_"));
        assert!(platform_tag(b"no library").is_err());
    }
}
