//! The command line: arguments in, text and exit code out.

mod doctor;
mod explain;
mod inputs;
mod latency;
mod nodes;
mod outputs;
mod run;
mod validate;
mod verify;

use std::io::Write as _;
use std::path::PathBuf;

use clap::{Parser, Subcommand};
use serde_json::json;

use crate::error::Error;

/// Runs media pipelines described by a JSON manifest.
#[derive(Debug, Parser)]
#[command(name = "remotemedia", version, disable_help_subcommand = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run a manifest over files. They are one stream, in the order given, and are read whole.
    #[command(after_help = run::EXAMPLES)]
    Run(run::Options),
    /// Check that the library works here.
    Doctor(doctor::Options),
    /// List the nodes, or describe one.
    Nodes {
        /// The node to describe.
        name: Option<String>,
        /// Everything as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Say what the code of an error means, or list all codes.
    Explain {
        /// Such as RM0103.
        code: Option<String>,
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Say how much later than its input each result comes, and where media is copied. Nothing is run.
    Latency(latency::Options),
    /// Feed a node or a manifest in many ways and compare. Exit code 1 when something differs.
    Verify(verify::Options),
    /// Check a manifest. Exit code 1 when it cannot run.
    Validate {
        /// The manifest's file; `-` reads standard input.
        manifest: PathBuf,
        /// The problems as JSON.
        #[arg(long)]
        json: bool,
    },
}

/// Runs a command. `arguments` come without the program's name. Returns the exit code: 0 fine, 1 the work failed,
/// 2 wrong usage.
pub fn main(arguments: impl IntoIterator<Item = String>) -> i32 {
    let arguments = std::iter::once("remotemedia".to_owned()).chain(arguments);
    let command = match Arguments::try_parse_from(arguments) {
        Ok(arguments) => arguments.command,
        Err(error) => {
            // Help and version are not failures; clap knows.
            let _ = error.print();
            return error.exit_code();
        }
    };
    match command {
        Command::Nodes { name, json } => nodes::run(name.as_deref(), json),
        Command::Run(options) => run::run(&options),
        Command::Doctor(options) => doctor::run(&options),
        Command::Latency(options) => latency::run(&options),
        Command::Verify(options) => verify::run(&options),
        Command::Explain { code, json } => explain::run(code.as_deref(), json),
        Command::Validate { manifest, json } => validate::run(&manifest, json),
    }
}

/// Says what went wrong, as text or as JSON, and returns the exit code of a failure.
fn fail(error: &Error, as_json: bool) -> i32 {
    if as_json {
        let value = json!({
            "error": {
                "kind": error.kind().name(),
                "code": error.code(),
                "message": error.to_string(),
                "node": error.node(),
                "path": error.path(),
                "item_index": error.item_index(),
                "problems": error.problems().iter().map(validate::entry).collect::<Vec<_>>(),
            }
        });
        return say(&format!("{value:#}"), 1);
    }
    complain(&error.to_string())
}

/// Prints a text and returns the exit code. A reader that has gone, such as `head`, is no failure.
fn say(text: &str, code: i32) -> i32 {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{text}").and_then(|()| out.flush());
    code
}

/// Says what went wrong, and returns the exit code of a failure.
fn complain(text: &str) -> i32 {
    let _ = writeln!(std::io::stderr(), "error: {text}");
    1
}
