//! Running other programs, with one clear line when one is missing or fails.

use crate::paths;
use anyhow::{Context, Result, bail};
use camino::{Utf8Path, Utf8PathBuf};
use std::ffi::OsStr;
use std::io::ErrorKind;
use std::process::{Command, Stdio};

/// The cargo that runs us.
pub fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    // Set by `cargo run` for us; a cargo below us must find its own.
    for name in ["CARGO_MANIFEST_DIR", "CARGO_MANIFEST_PATH", "CARGO_PKG_NAME", "CARGO_PKG_VERSION"] {
        command.env_remove(name);
    }
    command
}

/// The program at `path`, or found through PATH, run inside `folder`.
pub fn command(program: impl AsRef<OsStr>, folder: &Utf8Path) -> Command {
    let mut command = Command::new(program);
    command.current_dir(folder);
    command
}

/// Runs it; what it prints is seen. Fails unless it exits with 0.
pub fn must(command: &mut Command) -> Result<()> {
    let status = command.status().map_err(|error| missing(command, error))?;
    if !status.success() {
        bail!("`{}` failed ({status})", shown(command));
    }
    Ok(())
}

/// Runs it and returns what it prints on stdout; stderr is seen.
pub fn output(command: &mut Command) -> Result<String> {
    let output = command.stderr(Stdio::inherit()).output().map_err(|error| missing(command, error))?;
    if !output.status.success() {
        bail!("`{}` failed ({})", shown(command), output.status);
    }
    String::from_utf8(output.stdout).with_context(|| format!("`{}` printed something else than UTF-8", shown(command)))
}

/// Runs it in silence; None when it is missing or fails.
pub fn probe(command: &mut Command) -> Option<String> {
    let output = command.stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// Runs it and shows its output only when it fails: for programs that talk a lot.
pub fn quietly(command: &mut Command) -> Result<()> {
    said(command).map(|_| ())
}

/// The same; returns what it printed, stderr after stdout.
pub fn said(command: &mut Command) -> Result<String> {
    let output = command.output().map_err(|error| missing(command, error))?;
    let said = [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes).into_owned()).concat();
    if !output.status.success() {
        eprint!("{said}");
        bail!("`{}` failed ({})", shown(command), output.status);
    }
    Ok(said)
}

fn missing(command: &Command, error: std::io::Error) -> anyhow::Error {
    let program = command.get_program().to_string_lossy().into_owned();
    match error.kind() {
        ErrorKind::NotFound => anyhow::anyhow!("`{program}` is missing: install it and run this again"),
        _ => anyhow::anyhow!("`{program}` did not start: {error}"),
    }
}

/// The command line, for messages.
pub fn shown(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy().into_owned()).collect::<Vec<_>>().join(" ")
}

/// The target triple of this machine, as rustc names it.
pub fn host() -> Result<String> {
    let text = output(Command::new("rustc").arg("-vV"))?;
    let host = text.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(str::to_owned).context("`rustc -vV` names no host")
}

/// The folder of the Rust toolchain that the workspace names.
pub fn sysroot() -> Result<Utf8PathBuf> {
    Ok(output(command("rustc", &paths::root()?).args(["--print", "sysroot"]))?.trim().into())
}
