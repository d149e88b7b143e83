//! A run on a compute thread: waited for by blocking or by `await`, stopped at any time.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

use super::run::RunResults;
use super::stop::StopFlag;
use crate::error::{Error, ErrorKind, Result};

enum State {
    Working,
    Done(Result<RunResults>),
    Taken,
}

struct Shared {
    state: Mutex<State>,
    done: Condvar,
    notify: Notify,
    stop: StopFlag,
    /// Called when the run is told to stop before it has ended.
    on_stop: OnceLock<Box<dyn Fn() + Send + Sync>>,
}

/// A run under way. Cloning shares it; dropping the last one stops the run.
#[derive(Clone)]
pub struct Job {
    shared: Arc<Shared>,
    _alive: Arc<StopOnDrop>,
}

struct StopOnDrop(Arc<Shared>);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        stop(&self.0, || Error::new(ErrorKind::Closed, "the run was stopped"));
    }
}

/// The side of a [`Job`] that finishes it. Dropped without a result, it leaves an error.
pub(crate) struct Finisher(Arc<Shared>);

impl Job {
    /// A job that is not finished, and the side that finishes it.
    pub(crate) fn new(stop: StopFlag) -> (Self, Finisher) {
        let shared = Arc::new(Shared {
            state: Mutex::new(State::Working),
            done: Condvar::new(),
            notify: Notify::new(),
            stop,
            on_stop: OnceLock::new(),
        });
        (Self { shared: shared.clone(), _alive: Arc::new(StopOnDrop(shared.clone())) }, Finisher(shared))
    }

    /// What to do once when the run is told to stop before it has ended.
    pub(crate) fn on_stop(&self, act: impl Fn() + Send + Sync + 'static) {
        let _ = self.shared.on_stop.set(Box::new(act));
    }

    /// Blocks until the run has ended, at most `limit`. Says whether it has.
    pub fn wait(&self, limit: Duration) -> bool {
        let state = lock(&self.shared);
        let waited = self.shared.done.wait_timeout_while(state, limit, |state| matches!(state, State::Working));
        !waited.unwrap_or_else(PoisonError::into_inner).1.timed_out()
    }

    /// Waits until the run has ended. Dropping the wait does not stop the run.
    pub async fn finished(&self) {
        finished(&self.shared).await;
    }

    /// Ends the run with an error of kind `Timeout` when it has not ended in time. Needs tokio's timers. Does not keep
    /// the run going: when every [`Job`] is dropped it stops all the same.
    pub(crate) fn expire_after(&self, timeout_ms: u64) -> impl Future<Output = ()> + Send + use<> {
        let shared = self.shared.clone();
        async move {
            let limit = Duration::from_millis(timeout_ms);
            if tokio::time::timeout(limit, finished(&shared)).await.is_err() {
                let late = || Error::new(ErrorKind::Timeout, format!("the run did not end within {timeout_ms} ms"));
                stop(&shared, || late().hint("allow more time, or give it less to do"));
            }
        }
    }

    /// Asks the run to stop: it ends soon, with an error of kind `Closed`. Whoever waits is released at once.
    pub fn stop(&self) {
        stop(&self.shared, || Error::new(ErrorKind::Closed, "the run was stopped"));
    }

    /// The results, once.
    ///
    /// # Errors
    /// The run's error; `Busy` while it runs; `Closed` when they were taken before.
    pub fn take(&self) -> Result<RunResults> {
        let mut state = lock(&self.shared);
        match std::mem::replace(&mut *state, State::Taken) {
            State::Done(results) => results,
            State::Working => {
                *state = State::Working;
                Err(Error::new(ErrorKind::Busy, "the run has not ended").hint("wait for it first"))
            }
            State::Taken => Err(Error::new(ErrorKind::Closed, "the results were taken before")),
        }
    }
}

impl Finisher {
    /// Ends the job with its results, unless it has ended (stopped, timed out).
    pub(crate) fn finish(self, results: Result<RunResults>) {
        finish(&self.0, results);
    }
}

impl Drop for Finisher {
    fn drop(&mut self) {
        finish(&self.0, Err(Error::new(ErrorKind::Closed, "the runtime was shut down before the run ended")));
    }
}

async fn finished(shared: &Shared) {
    loop {
        let notified = shared.notify.notified();
        tokio::pin!(notified);
        notified.as_mut().enable();
        if !matches!(*lock(shared), State::Working) {
            return;
        }
        notified.await;
    }
}

fn lock(shared: &Shared) -> MutexGuard<'_, State> {
    shared.state.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Ends a run that has not ended, with an error, and sees to it that the work stops.
fn stop(shared: &Shared, error: impl FnOnce() -> Error) {
    if matches!(*lock(shared), State::Working) {
        shared.stop.stop();
        if finish(shared, Err(error()))
            && let Some(act) = shared.on_stop.get()
        {
            act();
        }
    }
}

/// Says whether this was the end, and not an earlier one.
fn finish(shared: &Shared, results: Result<RunResults>) -> bool {
    let mut state = lock(shared);
    let first = matches!(*state, State::Working);
    if first {
        *state = State::Done(results);
        drop(state);
        shared.done.notify_all();
        shared.notify.notify_waiters();
    }
    first
}

impl std::fmt::Debug for Job {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Job").finish_non_exhaustive()
    }
}
