//! Logging for a process that is not ours: set up on first use, on stderr, by `RUST_LOG`.

use std::sync::Once;

use tracing_subscriber::EnvFilter;

/// Sets up logging once, unless the process has a subscriber, and keeps panics of nodes off stderr: they come back as
/// errors.
pub(super) fn start() {
    static STARTED: Once = Once::new();
    STARTED.call_once(|| {
        let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
        // An error means that a subscriber is there already.
        let _ = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).try_init();
        std::panic::set_hook(Box::new(|panic| tracing::debug!(%panic, "panic")));
    });
}
