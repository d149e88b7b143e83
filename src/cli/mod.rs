//! The command line: arguments in, text and exit code out.

mod doctor;
mod explain;
mod inputs;
mod latency;
mod nodes;
mod outputs;
mod run;
mod stdout;
mod validate;
mod verify;

use std::io::Write as _;
use std::path::PathBuf;

use clap::{CommandFactory as _, FromArgMatches as _, Parser, Subcommand};
use serde_json::json;

use crate::error::Error;
use crate::words::{log_filter_fault, printable};

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
        /// Take manifests that name code, as `run --allow-python` does. Nothing is run.
        #[arg(long)]
        allow_python: bool,
    },
}

/// Runs a command. `arguments` come without the program's name. Returns the exit code: 0 fine, 1 the work failed,
/// 2 wrong usage.
pub fn main(arguments: impl IntoIterator<Item = String>) -> i32 {
    main_beside(arguments, &[])
}

/// Like [`main`], for a program that has further commands, which it sees to itself: the help lists their names and what
/// they do.
pub fn main_beside(arguments: impl IntoIterator<Item = String>, others: &[(&'static str, &'static str)]) -> i32 {
    let arguments = std::iter::once("remotemedia".to_owned()).chain(arguments);
    let others = others.iter().map(|(name, about)| clap::Command::new(*name).about(*about));
    let parser = Arguments::command().subcommands(others);
    let parsed = parser.try_get_matches_from(arguments).and_then(|matches| Arguments::from_arg_matches(&matches));
    let command = match parsed {
        Ok(arguments) => arguments.command,
        // Help and version are not failures; clap knows.
        Err(error) => return usage(&error),
    };
    if let Err(fault) = log_filter() {
        let _ = writeln!(std::io::stderr(), "warning: RUST_LOG: {}", printable(&fault));
    }
    match command {
        Command::Nodes { name, json } => nodes::run(name.as_deref(), json),
        Command::Run(options) => run::run(&options),
        Command::Doctor(options) => doctor::run(&options),
        Command::Latency(options) => latency::run(&options),
        Command::Verify(options) => verify::run(&options),
        Command::Explain { code, json } => explain::run(code.as_deref(), json),
        Command::Validate { manifest, json, allow_python } => validate::run(&manifest, json, allow_python),
    }
}

/// What `RUST_LOG` says, if it is set and can be used.
fn log_filter() -> Result<Option<String>, String> {
    match std::env::var("RUST_LOG") {
        Ok(filter) if filter.trim().is_empty() => Ok(None),
        Ok(filter) => match (tracing_subscriber::EnvFilter::try_new(&filter), log_filter_fault(&filter)) {
            (Err(error), _) => Err(error.to_string()),
            (Ok(_), Some(fault)) => Err(fault),
            (Ok(_), None) => Ok(Some(filter)),
        },
        Err(std::env::VarError::NotPresent) => Ok(None),
        Err(error) => Err(error.to_string()),
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

/// Prints a text and returns the exit code, or that of a failure when it cannot be printed. A reader that has gone, such
/// as `head`, is no failure.
fn say(text: &str, code: i32) -> i32 {
    // Names in it are those of manifests and files: a terminal must not obey them. JSON stays JSON.
    print(&(printable(text).into_owned() + "\n"), code)
}

fn print(text: &str, code: i32) -> i32 {
    match stdout::write(text.as_bytes()) {
        Ok(()) => code,
        Err(error) => complain(&stdout::failed(&error)),
    }
}

/// Says what went wrong, and returns the exit code of a failure.
fn complain(text: &str) -> i32 {
    let _ = writeln!(std::io::stderr(), "error: {}", printable(text));
    1
}

/// Prints the help that was asked for, or what is wrong with the arguments.
fn usage(error: &clap::Error) -> i32 {
    if error.use_stderr() {
        let _ = error.print();
        return error.exit_code();
    }
    print(&error.render().to_string(), error.exit_code())
}
