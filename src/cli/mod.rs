//! The command line: arguments in, text and exit code out.

mod explain;
mod nodes;
mod validate;

use std::io::Write as _;
use std::path::PathBuf;

use clap::{Parser, Subcommand};

/// Runs media pipelines described by a JSON manifest.
#[derive(Debug, Parser)]
#[command(name = "remotemedia", version, disable_help_subcommand = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
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
        Command::Explain { code, json } => explain::run(code.as_deref(), json),
        Command::Validate { manifest, json } => validate::run(&manifest, json),
    }
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
