//! The plain functions.

use std::sync::Arc;

use super::error::RemoteMediaError;
use super::item::{Item, Output};
use super::pipeline::Pipeline;

/// The version of the library.
#[uniffi::export]
pub fn version() -> String {
    crate::VERSION.to_owned()
}

/// Everything the nodes say of themselves, as JSON: names, ports, parameters with their schema.
#[uniffi::export]
pub fn node_catalog() -> String {
    crate::runtime::Runtime::shared().registry().catalog().to_string()
}

/// Runs a pipeline whose sources make their own data.
#[uniffi::export]
pub async fn execute_pipeline(manifest_json: String) -> Result<Vec<Output>, RemoteMediaError> {
    execute_pipeline_with_input(manifest_json, Vec::new()).await
}

/// Compiles a manifest and runs items through it as one stream.
#[uniffi::export]
pub async fn execute_pipeline_with_input(
    manifest_json: String,
    input: Vec<Item>,
) -> Result<Vec<Output>, RemoteMediaError> {
    let pipeline: Arc<Pipeline> = Pipeline::new(manifest_json)?;
    pipeline.run(input).await
}

/// The command line: what the program `remotemedia` does, without its name. Returns the exit code.
#[cfg(feature = "cli")]
#[uniffi::export]
pub fn cli_main(arguments: Vec<String>) -> i32 {
    // The Python package has these, and sees to them before it comes here.
    let others = [
        ("demo", "Find speech in a recording and write a report"),
        ("bench", "Time RemoteMedia and the peers that are installed"),
    ];
    crate::cli::main_beside(arguments, if cfg!(feature = "python") { &others } else { &[] })
}

/// Forgets the threads of the parent in a forked child.
#[cfg(feature = "python")]
#[uniffi::export]
pub fn raw_after_fork() {
    crate::fork::forked();
    // The next use makes a runtime of this process: it compares process ids.
    drop(crate::runtime::Runtime::shared());
}

/// Ends our threads before the interpreter goes away, and lets none of them into it any more.
#[cfg(feature = "python")]
#[uniffi::export]
pub fn raw_shutdown() {
    crate::runtime::Runtime::shutdown_shared(std::time::Duration::from_secs(2));
    super::interpreter::close(std::time::Duration::from_millis(500));
    super::log_writer::flush(std::time::Duration::from_millis(200));
}
