//! The workers of one node of a pipeline. Sessions are spread over them.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use super::local;
use super::reply::Reply;
use super::restart::Restarts;
use super::seat::{Seat, Times};
use super::spec::Spec;
use super::time::{LOOK, deadline, elapsed, left, now_ns};
use super::wire::{Head, Payload};
use super::worker::Worker;
use crate::error::{Error, ErrorKind, Result};

/// The workers of a node. They end with the last pipeline and session that uses it.
#[derive(Debug)]
pub struct Pool {
    spec: Arc<Spec>,
    slots: Vec<Slot>,
    began: Instant,
}

#[derive(Debug, Default)]
struct Slot {
    seats: AtomicUsize,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    worker: Option<Arc<Worker>>,
    starts: u32,
    restarts: Restarts,
}

impl Pool {
    /// No worker is started before one is needed.
    pub fn new(spec: Arc<Spec>) -> Arc<Self> {
        let slots = (0..spec.execution.workers).map(|_| Slot::default()).collect();
        Arc::new(Self { spec, slots, began: Instant::now() })
    }

    /// A seat in the worker with the fewest.
    ///
    /// # Errors
    /// `WorkerStart`, `Timeout`.
    pub fn seat(self: &Arc<Self>) -> Result<WorkerSeat> {
        let slot =
            (0..self.slots.len()).min_by_key(|slot| self.slots[*slot].seats.load(Ordering::Relaxed)).unwrap_or(0);
        self.seat_in(slot)
    }

    /// A seat in each worker.
    ///
    /// # Errors
    /// `WorkerStart`, `Timeout`.
    pub fn seats(self: &Arc<Self>) -> Result<Vec<WorkerSeat>> {
        (0..self.slots.len()).map(|slot| self.seat_in(slot)).collect()
    }

    fn seat_in(self: &Arc<Self>, slot: usize) -> Result<WorkerSeat> {
        self.slots[slot].seats.fetch_add(1, Ordering::Relaxed);
        let taken = Taken { pool: self.clone(), slot };
        let until = deadline(self.spec.execution.startup_timeout_ms);
        let worker = self.worker(slot, until)?;
        let stream = worker.open(until)?;
        Ok(WorkerSeat { taken, worker, stream, deadlines: Default::default(), times: Times::default() })
    }

    /// The worker of a slot; a new one in place of one that has ended.
    fn worker(&self, slot: usize, until: i64) -> Result<Arc<Worker>> {
        let mut inner = self.slots[slot].inner.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(worker) = inner.worker.as_ref().filter(|worker| worker.is_alive()) {
            return Ok(worker.clone());
        }
        self.start(&mut inner, until)
    }

    fn start(&self, inner: &mut Inner, until: i64) -> Result<Arc<Worker>> {
        inner.starts += 1;
        let worker = Worker::start(&self.spec, inner.starts, until)?;
        inner.worker = Some(worker.clone());
        Ok(worker)
    }

    /// Another worker in place of one that has ended while a session used it, as the policy says.
    fn replaced(&self, slot: usize, lost: &Worker) -> Result<Option<Arc<Worker>>> {
        let mut inner = self.slots[slot].inner.lock().unwrap_or_else(PoisonError::into_inner);
        // Another session was here first: one end is one restart.
        if let Some(worker) = inner.worker.as_ref().filter(|worker| worker.is_alive()) {
            return Ok(Some(worker.clone()));
        }
        lost.wait_for_end();
        let now_ms = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        let failed = lost.ended().unwrap_or(true);
        let Some(delay_ms) = inner.restarts.next(&self.spec.execution, failed, now_ms) else { return Ok(None) };
        wait(delay_ms)?;
        tracing::warn!(node = self.spec.node, delay_ms, "the worker is started again");
        self.start(&mut inner, deadline(self.spec.execution.startup_timeout_ms)).map(Some)
    }
}

/// Waits, but not when Python wants the thread to stop.
fn wait(delay_ms: u64) -> Result<()> {
    let until = deadline(delay_ms);
    loop {
        let left = left(until);
        if left.is_zero() {
            return Ok(());
        }
        local::check_interrupt()?;
        std::thread::sleep(left.min(LOOK));
    }
}

/// A seat is taken.
#[derive(Debug)]
struct Taken {
    pool: Arc<Pool>,
    slot: usize,
}

impl Drop for Taken {
    fn drop(&mut self) {
        self.pool.slots[self.slot].seats.fetch_sub(1, Ordering::Relaxed);
    }
}

/// An instance in a worker.
#[derive(Debug)]
pub struct WorkerSeat {
    taken: Taken,
    worker: Arc<Worker>,
    stream: u32,
    /// Of the requests under way: number, deadline, when it was sent.
    deadlines: std::collections::VecDeque<(u64, i64, i64)>,
    times: Times,
}

impl Seat for WorkerSeat {
    fn send(&mut self, mut head: Head, payload: &Payload<'_>) -> Result<u64> {
        let sent = now_ns();
        let limit = deadline(self.taken.pool.spec.execution.frame_timeout_ms);
        (head.stream, head.deadline_ns) = (self.stream, limit);
        let sequence = self.worker.send(head, payload, &mut self.times)?;
        self.deadlines.push_back((sequence, limit, sent));
        Ok(sequence)
    }

    fn receive(&mut self, sequence: u64) -> Result<Reply> {
        while self.deadlines.front().is_some_and(|(number, ..)| *number < sequence) {
            self.deadlines.pop_front();
        }
        let &(_, limit, sent) = self
            .deadlines
            .front()
            .ok_or_else(|| Error::new(ErrorKind::Internal, "a reply is waited for that nobody has asked for"))?;
        let reply = self.worker.receive(self.stream, sequence, limit, &mut self.times)?;
        if reply.is_last() {
            self.deadlines.pop_front();
            let [taken, answered] = reply.head.times_ns;
            self.times.frames += 1;
            self.times.queue += elapsed(sent, taken);
            self.times.process += elapsed(taken, answered);
            self.times.reply += elapsed(answered, now_ns());
            // The time of the next one begins when this one is over: until then it has waited for its turn.
            let begins = deadline(self.taken.pool.spec.execution.frame_timeout_ms);
            if let Some((_, limit, _)) = self.deadlines.front_mut() {
                *limit = begins;
            }
        }
        Ok(reply)
    }

    fn is_lost(&self) -> bool {
        !self.worker.is_alive()
    }

    fn renew(&mut self) -> Result<bool> {
        self.deadlines.clear();
        let Some(worker) = self.taken.pool.replaced(self.taken.slot, &self.worker)? else { return Ok(false) };
        self.stream = worker.open(deadline(self.taken.pool.spec.execution.startup_timeout_ms))?;
        self.worker = worker;
        self.times.restarts += 1;
        Ok(true)
    }

    fn times(&self) -> Option<&Times> {
        Some(&self.times)
    }
}

impl Drop for WorkerSeat {
    fn drop(&mut self) {
        self.worker.close(self.stream);
    }
}
