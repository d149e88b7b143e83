//! The threads that compute, as many as there are cores, started when first used.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

type Task = Box<dyn FnOnce() + Send>;

#[derive(Default)]
struct Queue {
    tasks: VecDeque<Task>,
    threads: usize,
    idle: usize,
    closed: bool,
}

#[derive(Default)]
struct Shared {
    queue: Mutex<Queue>,
    wake: Condvar,
}

/// A pool of compute threads.
#[derive(Clone)]
pub struct Compute {
    shared: Arc<Shared>,
    limit: usize,
}

impl std::fmt::Debug for Compute {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Compute").field("limit", &self.limit).finish_non_exhaustive()
    }
}

impl Default for Compute {
    fn default() -> Self {
        Self::new(std::thread::available_parallelism().map_or(1, usize::from))
    }
}

fn lock(shared: &Shared) -> MutexGuard<'_, Queue> {
    shared.queue.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Compute {
    /// A pool of at most `limit` threads. None is started yet.
    pub fn new(limit: usize) -> Self {
        Self { shared: Arc::default(), limit: limit.max(1) }
    }

    /// Runs a task on one of the threads. Returns false when the pool is shut down: the task is dropped then.
    pub fn submit(&self, task: impl FnOnce() + Send + 'static) -> bool {
        let mut queue = lock(&self.shared);
        if queue.closed {
            return false;
        }
        queue.tasks.push_back(Box::new(task));
        if queue.idle < queue.tasks.len() && queue.threads < self.limit {
            let shared = self.shared.clone();
            let name = format!("remotemedia-{}", queue.threads);
            if std::thread::Builder::new().name(name).spawn(move || work(&shared)).is_ok() {
                queue.threads += 1;
            } else if queue.threads == 0 {
                // No thread at all can be had: better slow than never.
                let task = queue.tasks.pop_back();
                drop(queue);
                if let Some(task) = task {
                    task();
                }
                return true;
            }
        }
        self.shared.wake.notify_one();
        true
    }

    /// Refuses new tasks, drops those that wait, and lets the threads end after their present one.
    pub fn shutdown(&self) {
        let mut queue = lock(&self.shared);
        queue.closed = true;
        let waiting = std::mem::take(&mut queue.tasks);
        self.shared.wake.notify_all();
        drop(queue);
        drop(waiting);
    }

    /// Waits until every thread has ended, at most `limit`. Call [`shutdown`](Self::shutdown) before.
    pub fn join(&self, limit: std::time::Duration) -> bool {
        let queue = lock(&self.shared);
        let ended = self.shared.wake.wait_timeout_while(queue, limit, |queue| queue.threads > 0);
        !ended.unwrap_or_else(PoisonError::into_inner).1.timed_out()
    }
}

fn work(shared: &Shared) {
    let mut queue = lock(shared);
    loop {
        if let Some(task) = queue.tasks.pop_front() {
            drop(queue);
            // A panic of a node is caught where it happens; this is for faults of our own.
            let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(task));
            queue = lock(shared);
            continue;
        }
        if queue.closed {
            queue.threads -= 1;
            shared.wake.notify_all();
            return;
        }
        queue.idle += 1;
        queue = shared.wake.wait(queue).unwrap_or_else(PoisonError::into_inner);
        queue.idle -= 1;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::time::Duration;

    use super::*;

    #[test]
    fn every_task_runs_and_a_panic_hurts_nobody() {
        let pool = Compute::new(2);
        let (done, finished) = mpsc::channel();
        for number in 0..100 {
            let done = done.clone();
            pool.submit(move || {
                assert!(number % 10 != 0, "a test's own panic");
                done.send(number).unwrap();
            });
        }
        drop(done);
        assert_eq!(finished.iter().count(), 90);
        pool.shutdown();
        assert!(pool.join(Duration::from_secs(10)));
        assert!(!pool.submit(|| {}));
    }
}
