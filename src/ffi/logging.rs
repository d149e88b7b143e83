//! Logging for a process that is not ours: on stderr by `RUST_LOG`, or to the other side, which asks for each record.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, Once, OnceLock, PoisonError, TryLockError};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use serde_json::json;
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Registry, filter, fmt, reload};

use super::error::RemoteMediaError;
use crate::error::{Error, ErrorKind};

/// The most records that wait for the other side. Further ones are dropped, and counted in the next.
const MOST_WAITING: usize = 1024;

/// Records on their way to the other side, while it wants them.
static BRIDGE: ArcSwapOption<Bridge> = ArcSwapOption::const_empty();

/// The one before, until what waits in it was taken.
static ENDED: ArcSwapOption<Bridge> = ArcSwapOption::const_empty();

static FILTER: OnceLock<reload::Handle<EnvFilter, Registry>> = OnceLock::new();

#[derive(Default)]
struct Bridge {
    waiting: Mutex<VecDeque<String>>,
    dropped: AtomicU64,
    ended: AtomicBool,
    wake: Condvar,
}

/// Sets up logging once, unless the process has a subscriber, and keeps panics of nodes off stderr: they come back as
/// errors.
pub(super) fn start() {
    static STARTED: Once = Once::new();
    STARTED.call_once(|| {
        let (filter, fault) = from_environment();
        let (filter, handle) = reload::Layer::new(filter);
        let stderr = fmt::layer()
            .with_writer(super::log_writer::Lines)
            .with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr()) && std::env::var_os("NO_COLOR").is_none())
            .with_filter(filter::dynamic_filter_fn(|_, _| BRIDGE.load().is_none()));
        // An error means that a subscriber is there already: the records are its own then.
        if Registry::default().with(filter).with(stderr).with(ToBridge).try_init().is_ok() {
            let _ = FILTER.set(handle);
        }
        if let Some(fault) = fault {
            tracing::warn!("RUST_LOG is not used: {fault}");
        }
        std::panic::set_hook(Box::new(|panic| tracing::debug!(%panic, "panic")));
    });
}

/// What `RUST_LOG` says, else `info`; and what is wrong with it.
fn from_environment() -> (EnvFilter, Option<String>) {
    let otherwise = || EnvFilter::new("info");
    match std::env::var("RUST_LOG") {
        Ok(text) if text.trim().is_empty() => (otherwise(), None),
        Ok(text) => match (EnvFilter::try_new(&text), crate::words::log_filter_fault(&text)) {
            (Ok(filter), None) => (filter, None),
            (Err(error), _) => (otherwise(), Some(error.to_string())),
            (_, fault) => (otherwise(), fault),
        },
        Err(std::env::VarError::NotPresent) => (otherwise(), None),
        Err(error) => (otherwise(), Some(error.to_string())),
    }
}

/// From now on records go to whoever calls `raw_log_next`, and not to stderr. `directives` are those of `RUST_LOG`;
/// without any, `RUST_LOG` itself is asked.
#[uniffi::export]
pub fn raw_log_attach(directives: String) -> Result<(), RemoteMediaError> {
    start();
    let filter = if directives.is_empty() { Ok(from_environment().0) } else { EnvFilter::try_new(&directives) };
    let filter = filter.map_err(|error| {
        Error::new(ErrorKind::InputValue, format!("the level is {directives:?}: {error}")).hint("use such as \"debug\"")
    })?;
    let Some(handle) = FILTER.get() else {
        return Err(Error::new(ErrorKind::Unsupported, "this process logs with a subscriber of its own").into());
    };
    handle.reload(filter).map_err(|error| Error::new(ErrorKind::Internal, format!("no change of level: {error}")))?;
    ENDED.store(None);
    if BRIDGE.load().is_none() {
        BRIDGE.store(Some(Arc::default()));
    }
    Ok(())
}

/// The next record as JSON; empty after `timeout_ms` without one; nothing once it is over.
#[uniffi::export]
pub fn raw_log_next(timeout_ms: i64) -> Option<String> {
    let bridge = BRIDGE.load_full().or_else(|| ENDED.load_full())?;
    let limit = Duration::from_millis(u64::try_from(timeout_ms).unwrap_or(0));
    let waiting = bridge.waiting.lock().unwrap_or_else(PoisonError::into_inner);
    let nothing = |waiting: &mut VecDeque<String>| waiting.is_empty() && !bridge.ended.load(Ordering::Relaxed);
    let (mut waiting, _) =
        bridge.wake.wait_timeout_while(waiting, limit, nothing).unwrap_or_else(PoisonError::into_inner);
    match waiting.pop_front() {
        Some(record) => Some(record),
        None if bridge.ended.load(Ordering::Relaxed) => {
            ENDED.store(None);
            None
        }
        None => Some(String::new()),
    }
}

/// Records go to stderr again. Who asks for the next one gets those that wait, and is then released.
#[uniffi::export]
pub fn raw_log_detach() {
    if let Some(bridge) = BRIDGE.swap(None) {
        ENDED.store(Some(bridge.clone()));
        bridge.end();
    }
    if let Some(handle) = FILTER.get() {
        let _ = handle.reload(from_environment().0);
    }
}

impl Bridge {
    fn end(&self) {
        self.ended.store(true, Ordering::Relaxed);
        drop(self.lock());
        self.wake.notify_all();
    }

    /// Never waits long: whoever logs has work to do, and in a forked child the lock may be taken for ever.
    fn lock(&self) -> Option<MutexGuard<'_, VecDeque<String>>> {
        for _ in 0..1000 {
            match self.waiting.try_lock() {
                Ok(waiting) => return Some(waiting),
                Err(TryLockError::Poisoned(waiting)) => return Some(waiting.into_inner()),
                Err(TryLockError::WouldBlock) => std::thread::yield_now(),
            }
        }
        None
    }
}

/// Hands records to the bridge, if there is one.
struct ToBridge;

impl<S: Subscriber> Layer<S> for ToBridge {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let bridge = BRIDGE.load();
        let Some(bridge) = bridge.as_ref() else { return };
        let full = |waiting: &VecDeque<String>| waiting.len() >= MOST_WAITING;
        let Some(mut waiting) = bridge.lock().filter(|waiting| !full(waiting)) else {
            bridge.dropped.fetch_add(1, Ordering::Relaxed);
            return;
        };
        let mut text = Text::default();
        event.record(&mut text);
        let metadata = event.metadata();
        waiting.push_back(
            json!({
                "level": metadata.level().as_str(),
                "target": metadata.target(),
                "logger": text.logger,
                "text": text.message + &text.fields,
                "dropped": bridge.dropped.swap(0, Ordering::Relaxed),
            })
            .to_string(),
        );
        drop(waiting);
        bridge.wake.notify_one();
    }
}

/// An event in words: its message, then its fields.
#[derive(Default)]
struct Text {
    message: String,
    fields: String,
    /// Of a record from a worker, the logger there.
    logger: Option<String>,
}

impl Visit for Text {
    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "logger" {
            self.logger = Some(value.to_owned());
        } else {
            self.record_debug(field, &value);
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        let _ = match field.name() {
            "message" => write!(self.message, "{value:?}"),
            name => write!(self.fields, " {name}={value:?}"),
        };
    }
}
