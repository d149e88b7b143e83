//! The threads that compute, as many as there are cores, started when first used.

use std::collections::{HashSet, VecDeque};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};

use crate::node::mark_own_thread;

type Task = Box<dyn FnOnce() + Send>;

#[derive(Default)]
struct Queue {
    waiting: VecDeque<(u64, Task)>,
    running: HashSet<u64>,
    /// Running tasks that were given up: their threads do not count.
    abandoned: HashSet<u64>,
    last: u64,
    threads: usize,
    idle: usize,
    closed: bool,
}

#[derive(Default)]
struct Shared {
    queue: Mutex<Queue>,
    wake: Condvar,
    limit: usize,
}

/// A pool of compute threads.
#[derive(Clone)]
pub struct Compute {
    shared: Arc<Shared>,
}

impl std::fmt::Debug for Compute {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Compute").field("limit", &self.shared.limit).finish_non_exhaustive()
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
        Self { shared: Arc::new(Shared { limit: limit.max(1), ..Shared::default() }) }
    }

    /// Runs a task on one of the threads. `None` when the pool is shut down: the task is dropped then.
    pub fn submit(&self, task: impl FnOnce() + Send + 'static) -> Option<Ticket> {
        let mut queue = lock(&self.shared);
        if queue.closed {
            return None;
        }
        queue.last += 1;
        let ticket = Ticket { id: queue.last, shared: Arc::downgrade(&self.shared) };
        queue.waiting.push_back((ticket.id, Box::new(task)));
        if !grow(&self.shared, &mut queue) && queue.threads == 0 {
            // No thread at all can be had: better slow than never.
            let task = queue.waiting.pop_back();
            drop(queue);
            if let Some((_, task)) = task {
                task();
            }
            return Some(ticket);
        }
        self.shared.wake.notify_one();
        Some(ticket)
    }

    /// Refuses new tasks, drops those that wait, and lets the threads end after their present one.
    pub fn shutdown(&self) {
        let mut queue = lock(&self.shared);
        queue.closed = true;
        let waiting = std::mem::take(&mut queue.waiting);
        self.shared.wake.notify_all();
        drop(queue);
        drop(waiting);
    }

    /// Waits until every thread has ended that was not given up, at most `limit`. Call [`shutdown`](Self::shutdown)
    /// before.
    pub fn join(&self, limit: std::time::Duration) -> bool {
        let queue = lock(&self.shared);
        let busy = |queue: &mut Queue| queue.threads > queue.abandoned.len();
        let ended = self.shared.wake.wait_timeout_while(queue, limit, busy);
        !ended.unwrap_or_else(PoisonError::into_inner).1.timed_out()
    }

    /// How many threads were given up and have not come back.
    pub fn abandoned(&self) -> usize {
        lock(&self.shared).abandoned.len()
    }
}

/// A task that was handed in.
#[derive(Debug, Clone)]
pub struct Ticket {
    id: u64,
    shared: Weak<Shared>,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Shared")
    }
}

impl Ticket {
    /// Drops the task if it has not started. Says whether it is running.
    pub fn withdraw(&self) -> bool {
        let Some(shared) = self.shared.upgrade() else { return false };
        let mut queue = lock(&shared);
        let at = queue.waiting.iter().position(|(id, _)| *id == self.id);
        let task = at.and_then(|at| queue.waiting.remove(at));
        let running = queue.running.contains(&self.id);
        drop(queue);
        drop(task);
        running
    }

    /// Gives up the thread that runs the task: it no longer counts, and another one takes its place. The thread ends
    /// when the task does.
    pub fn give_up(&self) {
        let Some(shared) = self.shared.upgrade() else { return };
        let mut queue = lock(&shared);
        if queue.running.contains(&self.id) && queue.abandoned.insert(self.id) {
            tracing::warn!(abandoned = queue.abandoned.len(), "a node does not stop; its thread is given up");
            grow(&shared, &mut queue);
            shared.wake.notify_all();
        }
    }
}

/// Starts a thread if tasks wait that no idle thread will take. False when that was needed and did not work.
fn grow(shared: &Arc<Shared>, queue: &mut Queue) -> bool {
    if queue.idle >= queue.waiting.len() || queue.threads - queue.abandoned.len() >= shared.limit {
        return true;
    }
    let own = shared.clone();
    let name = format!("remotemedia-{}", queue.threads);
    let started = std::thread::Builder::new()
        .name(name)
        .spawn(move || {
            mark_own_thread();
            work(&own);
        })
        .is_ok();
    queue.threads += usize::from(started);
    started
}

fn work(shared: &Shared) {
    let mut queue = lock(shared);
    loop {
        let replaced = queue.threads - queue.abandoned.len() > shared.limit;
        if !replaced && let Some((id, task)) = queue.waiting.pop_front() {
            queue.running.insert(id);
            drop(queue);
            // A panic of a node is caught where it happens; this is for faults of our own.
            let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(task));
            queue = lock(shared);
            queue.running.remove(&id);
            queue.abandoned.remove(&id);
            continue;
        }
        if queue.closed || replaced {
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
    fn a_thread_that_is_given_up_is_replaced() {
        let pool = Compute::new(1);
        let (go, wait) = mpsc::channel::<()>();
        let (started, has_started) = mpsc::channel();
        let stuck = pool.submit(move || {
            started.send(()).unwrap();
            wait.recv().ok();
        });
        has_started.recv().unwrap();
        let (done, finished) = mpsc::channel();
        let behind = pool.submit(move || done.send(()).unwrap()).unwrap();
        let dropped = pool.submit(|| panic!("withdrawn before it starts")).unwrap();
        assert!(!dropped.withdraw() && !behind.withdraw());
        let stuck = stuck.unwrap();
        assert!(stuck.withdraw(), "it is running");
        let (done, finished_again) = mpsc::channel();
        pool.submit(move || done.send(()).unwrap()).unwrap();
        stuck.give_up();
        assert_eq!(pool.abandoned(), 1);
        finished_again.recv_timeout(Duration::from_secs(60)).unwrap();
        assert!(finished.recv().is_err(), "a withdrawn task is dropped");
        pool.shutdown();
        assert!(pool.join(Duration::from_secs(60)), "the stuck thread is not waited for");
        go.send(()).unwrap();
    }

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
        assert!(pool.submit(|| {}).is_none());
    }
}
