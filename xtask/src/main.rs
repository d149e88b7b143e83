//! The project's chores, as `cargo xtask COMMAND`. This file only dispatches.

mod aar;
mod api;
mod archive;
mod bench;
mod bindings;
mod catalogue;
mod check;
mod claims;
mod demo;
mod deny;
mod dev;
mod documented;
mod elf;
mod errors_md;
mod exits;
mod files;
mod fuzz;
mod generate;
mod kills;
mod kotlin;
mod library;
mod licences;
mod linked;
mod links;
mod metadata;
mod mobile;
mod native;
mod nodes_md;
mod nodes_py;
mod patches;
mod paths;
mod phone;
mod python;
mod readme;
mod run;
mod sanitize;
mod sbom;
mod schema;
mod sdist;
mod signatures;
mod steps;
mod swift;
mod test;
mod versions;
mod visibility;
mod wheel;
mod wheel_zip;

use anyhow::{Result, bail};

const USAGE: &str = "\
cargo xtask COMMAND

  demo                            run the demo over the recordings in examples/data; report in target/demo/report.html
  demo --asr                      speech recognition in a worker process: examples/asr.py
  bench [--quick] [--only WORD] [--seed-claims] [--no-peers]   time ours and the peers; writes docs/benchmarks.md
  bench --kotlin                  what calls cost on this JVM
  test [--quick|--integrations|--mobile] [--swift-chroot]
                                  everything CI runs; --quick leaves the packages, the other Pythons, Kotlin, Swift and
                                  phones out, --mobile runs those three alone, --integrations the tests with other
                                  frameworks (pipecat); --swift-chroot makes a Debian folder with Swift where none is installed
  dev                             make .venv with the package (editable) and the development tools
  generate                        library, bindings for Python, Kotlin and Swift, bindings/api.txt, nodes.py, docs/nodes.md, docs/errors.md
  check                           formats, lints, types, generated files up to date, wheel contents
  build-wheel [--glibc X.Y] [--out DIR]   one wheel for every CPython from 3.10 on
  build-kotlin [--linux-aarch64] [--aar]   the jar with the libraries inside, sources and documentation: target/kotlin;
                                  --linux-aarch64 cross-builds one more library, --aar adds the package for Android
  build-swift                     the Swift package in bindings/swift, with its generated sources and the library
  build-sdist [--out DIR]         a source archive from which the wheel can be built
  exits [--runs N]                start and end N (200) interpreters with work in flight, pinned and not: all exit with 0
  kills [--count N]               kill N (1000) workers at random moments under load: nothing hangs, nothing is left
  fuzz [--seconds N]              random manifests, steered by coverage, for N (60) seconds
  sanitize                        the unsafe code under Miri or AddressSanitizer
  licences                        rewrite THIRD-PARTY-LICENSES from the packages in Cargo.lock";

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let Err(error) = dispatch(&arguments) {
        eprintln!("xtask: {error:#}");
        std::process::exit(1);
    }
}

fn dispatch(arguments: &[String]) -> Result<()> {
    let (command, rest) = match arguments.split_first() {
        Some((command, rest)) => (command.as_str(), rest),
        None => ("help", &[][..]),
    };
    match command {
        "bench" => bench::run(rest),
        "demo" => demo::run(rest),
        "test" => test::run(rest),
        "dev" => dev::run(rest),
        "exits" => exits::run(rest),
        "kills" => kills::run(rest),
        "fuzz" => fuzz::run(rest),
        "sanitize" => sanitize::run(rest),
        "generate" => generate::run(rest),
        "check" => check::run(rest),
        "build-wheel" => wheel::run(rest),
        "build-kotlin" => kotlin::run(rest),
        "build-swift" => swift::run(rest),
        "build-sdist" => sdist::run(rest),
        "licences" => licences::run(rest),
        // Called by the PEP 517 backend in python/build_backend.
        "build-editable" => wheel::run_editable(rest),
        "dist-info" => wheel::run_dist_info(rest),
        "help" | "-h" | "--help" => {
            println!("{USAGE}");
            Ok(())
        }
        other => bail!("there is no command `{other}`; `cargo xtask help` lists them"),
    }
}
