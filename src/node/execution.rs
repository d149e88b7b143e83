//! How a node runs, where its type leaves a choice.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::params::{Params, schema_of};
use crate::error::{Problem, Severity};

/// `execution` of a node in a manifest, but for `on_error`, which is the engine's.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Execution {
    /// Where it runs: in this process, or in worker processes.
    pub placement: Placement,
    /// Worker processes; sessions are spread over them.
    #[schemars(range(min = 1, max = 256))]
    pub workers: usize,
    /// When a worker that has ended is started again while its session goes on.
    pub restart: Restart,
    /// Starts in the restart window after which the session fails; 0: no limit.
    pub max_restarts: u32,
    /// Wait before a restart, doubled with each one.
    pub restart_delay_ms: u64,
    /// The longest such wait.
    pub max_restart_delay_ms: u64,
    /// After this time, counted from the first restart in it, restarts are counted anew.
    #[schemars(range(min = 1))]
    pub restart_window_ms: u64,
    /// What becomes of the frame that a worker had when it ended, under a restart policy.
    pub on_crash: OnCrash,
    /// The time that a frame may take.
    #[schemars(range(min = 1))]
    pub frame_timeout_ms: u64,
    /// The time that a worker may take to start, with the node's own setup.
    #[schemars(range(min = 1))]
    pub startup_timeout_ms: u64,
    /// The time that a worker has to end when it is asked to.
    pub stop_timeout_ms: u64,
    /// Frames that may be under way at a time.
    #[schemars(range(min = 1, max = 64))]
    pub max_in_flight: usize,
    /// The longest frame.
    #[schemars(range(min = 1))]
    pub max_frame_bytes: usize,
    /// The interpreter of the workers; without one, that of this process.
    pub python: Option<String>,
    /// Whether the node gets a copy of each input, which it may keep and write to, instead of a view.
    pub copy_inputs: bool,
}

/// Where a node runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Placement {
    /// In this process.
    #[default]
    Inline,
    /// In worker processes.
    Process,
}

/// When a worker is started again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Restart {
    /// Never: the session fails.
    #[default]
    Never,
    /// When it has ended by a signal, or with another exit code than 0.
    OnFailure,
    /// Also when it has ended with 0.
    Always,
}

/// What becomes of the frame of a worker that has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnCrash {
    /// Its caller gets the error; the next frame goes on.
    #[default]
    Fail,
    /// It is dropped and counted; the gap is marked.
    Skip,
}

impl Default for Execution {
    fn default() -> Self {
        Self {
            placement: Placement::Inline,
            workers: 1,
            restart: Restart::Never,
            max_restarts: 0,
            restart_delay_ms: 100,
            max_restart_delay_ms: 10_000,
            restart_window_ms: 60_000,
            on_crash: OnCrash::Fail,
            frame_timeout_ms: 30_000,
            startup_timeout_ms: 300_000,
            stop_timeout_ms: 5_000,
            max_in_flight: 4,
            max_frame_bytes: 256 << 20,
            python: None,
            copy_inputs: false,
        }
    }
}

/// The checks, made once: a manifest may have 10,000 nodes.
fn checks() -> &'static Params {
    static CHECKS: OnceLock<Params> = OnceLock::new();
    CHECKS.get().unwrap_or_else(|| {
        // Before it is kept: a child that is forked meanwhile would wait for ever.
        let checks = Params::new(&schema_of::<Execution>());
        CHECKS.get_or_init(|| checks)
    })
}

impl Execution {
    /// The settings of an object, and everything that is wrong with it; paths are relative to it. What is wrong has its
    /// default. An unknown key is a warning: it never had an effect in `execution`, and manifests in the wild carry them.
    pub fn read(object: &Map<String, Value>) -> (Self, Vec<Problem>) {
        if object.is_empty() {
            return (Self::default(), Vec::new());
        }
        let mut problems = Vec::new();
        let mut known = Map::new();
        for (key, value) in object {
            if problems.len() == 100 {
                break; // Nobody reads further.
            }
            let one = Map::from_iter([(key.clone(), value.clone())]);
            let mut wrong = checks().check(&one);
            for problem in &mut wrong {
                if problem.code == "RM0110" {
                    (problem.code, problem.severity) = ("RM0130", Severity::Warning);
                }
            }
            if wrong.is_empty() {
                known.extend(one);
            }
            problems.append(&mut wrong);
        }
        // Only what the schema cannot say can be wrong still, such as a number that is too large for its type.
        let execution = serde_json::from_value(Value::Object(known)).unwrap_or_else(|error| {
            problems.push(Problem::error("RM0112", "", format!("execution: {error}")));
            Self::default()
        });
        (execution, problems)
    }
}

/// What runs a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Runs {
    /// Code of the library: it never waits.
    #[default]
    Natively,
    /// A Python interpreter in this process.
    InPython,
    /// Another process: whoever calls it waits.
    Elsewhere,
}

thread_local! {
    static OURS: std::cell::Cell<bool> = const { std::cell::Cell::new(false) };
}

thread_local! {
    static STOP: std::cell::RefCell<Option<StopCheck>> = const { std::cell::RefCell::new(None) };
}

/// Whether a wait shall end.
pub type StopCheck = Arc<dyn Fn() -> bool + Send + Sync>;

/// While it lives, a node that waits on this thread asks the function whether it shall go on waiting.
pub struct StopWaiting(Option<StopCheck>);

impl StopWaiting {
    /// Begins.
    #[must_use]
    pub fn when(is_stopped: impl Fn() -> bool + Send + Sync + 'static) -> Self {
        Self(STOP.replace(Some(Arc::new(is_stopped))))
    }

    /// Whether a wait on this thread shall end.
    pub fn is_asked() -> bool {
        STOP.with_borrow(|check| check.as_ref().is_some_and(|check| check()))
    }

    /// The function, for what another thread does for this one.
    pub fn check() -> Option<StopCheck> {
        STOP.with_borrow(Clone::clone)
    }
}

impl Drop for StopWaiting {
    fn drop(&mut self) {
        STOP.set(self.0.take());
    }
}

impl std::fmt::Debug for StopWaiting {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("StopWaiting")
    }
}

type Wake = Arc<dyn Fn() + Send + Sync>;

/// Calls back whoever waits for an answer, because there is something else to do.
#[derive(Default)]
pub struct Nudge {
    asked: AtomicBool,
    wake: Mutex<Option<Wake>>,
}

impl Nudge {
    /// Asks whoever waits to come back.
    pub fn ask(&self) {
        self.asked.store(true, Ordering::SeqCst);
        let wake = self.wake.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(wake) = wake {
            wake();
        }
    }

    /// Whether somebody has asked since the last [`clear`](Self::clear).
    pub fn is_asked(&self) -> bool {
        self.asked.load(Ordering::SeqCst)
    }

    /// Forgets what was asked.
    pub fn clear(&self) {
        self.asked.store(false, Ordering::SeqCst);
    }

    /// Says what ends the wait that begins now. Look at [`is_asked`](Self::is_asked) once more before it begins.
    pub fn wake_with(&self, wake: impl Fn() + Send + Sync + 'static) {
        *self.wake.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(wake));
    }
}

impl std::fmt::Debug for Nudge {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Nudge").field("asked", &self.asked).finish_non_exhaustive()
    }
}

/// Says that this thread is one of the library's own: no code of another language may be called on it.
pub fn mark_own_thread() {
    OURS.set(true);
}

/// Whether this thread was started by somebody else, who is waiting in a call of ours.
pub fn is_callers_thread() -> bool {
    !OURS.get()
}
