//! The workers of one node of a pipeline. Sessions are spread over them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Instant;

use super::gate::{Gate, Turn};
use super::local;
use super::reply::Reply;
use super::restart::Restarts;
use super::seat::{Seat, Times};
use super::spec::Spec;
use super::time::{LOOK, deadline, elapsed, left, now_ns};
use super::wire::{Head, Payload};
use super::worker::Worker;
use crate::error::{Error, ErrorKind, Result};
use crate::node::Nudge;

/// The workers of a node. They end with the last pipeline and session that uses it.
#[derive(Debug)]
pub struct Pool {
    spec: Arc<Spec>,
    slots: Vec<Slot>,
    began: Instant,
    /// No pipeline uses it any more: a worker ends with its last seat.
    retired: AtomicBool,
    host: u32,
}

#[derive(Debug)]
struct Slot {
    seats: AtomicUsize,
    inner: Gate<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    worker: Option<Arc<Worker>>,
    starts: u32,
    restarts: Restarts,
    /// When the next one is started in place of this one, which has ended.
    due_ns: Option<i64>,
}

impl Slot {
    /// Waits for the others, but not when Python wants the thread to stop.
    fn enter(&self, until: i64) -> Result<Turn<'_, Inner>> {
        loop {
            if let Some(inner) = self.inner.enter(left(until).min(LOOK)) {
                return Ok(inner);
            }
            local::check_interrupt()?;
            if left(until).is_zero() {
                return Err(Error::new(ErrorKind::Timeout, "another session has not started the worker in time"));
            }
        }
    }
}

impl Pool {
    /// No worker is started before one is needed.
    pub fn new(spec: Arc<Spec>) -> Arc<Self> {
        let slots = (0..spec.execution.workers)
            .map(|_| Slot { seats: AtomicUsize::new(0), inner: Gate::new(Inner::default()) });
        let slots = slots.collect();
        let (retired, host) = (AtomicBool::new(false), std::process::id());
        Arc::new(Self { spec, slots, began: Instant::now(), retired, host })
    }

    /// Ends workers that nobody has a seat in, and the others with their last seat.
    pub fn retire(&self) {
        self.retired.store(true, Ordering::SeqCst);
        self.slots.iter().for_each(|slot| self.end_unused(slot));
    }

    fn end_unused(&self, slot: &Slot) {
        let is_unused = self.retired.load(Ordering::SeqCst) && slot.seats.load(Ordering::SeqCst) == 0;
        // A forked child has copies of its parent's.
        if is_unused && std::process::id() == self.host {
            drop(slot.inner.enter(LOOK).and_then(|mut inner| inner.worker.take()));
        }
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
        self.slots[slot].seats.fetch_add(1, Ordering::SeqCst);
        let taken = Taken { pool: self.clone(), slot };
        let until = deadline(self.spec.execution.startup_timeout_ms);
        let (mut worker, was_there) = self.worker(slot, until)?;
        let mut opened = worker.open(until);
        // One that others have used may have ended just now, and nobody knew.
        if was_there && opened.is_err() && !worker.is_alive() {
            (worker, _) = self.worker(slot, until)?;
            opened = worker.open(until);
        }
        Ok(WorkerSeat { taken, worker, stream: opened?, deadlines: Default::default(), times: Times::default() })
    }

    /// The worker of a slot, and whether it was there; a new one in place of one that has ended.
    fn worker(&self, slot: usize, until: i64) -> Result<(Arc<Worker>, bool)> {
        let mut inner = self.slots[slot].enter(until)?;
        if let Some(worker) = inner.worker.as_ref().filter(|worker| worker.is_alive()) {
            return Ok((worker.clone(), true));
        }
        inner.starts += 1;
        inner.due_ns = None;
        let worker = Worker::start(&self.spec, inner.starts, until)?;
        inner.worker = Some(worker.clone());
        Ok((worker, false))
    }

    /// Whether one that has ended while a session used it is started again, as the policy says. One end is one
    /// restart, however many sessions have used it.
    fn may_replace(&self, slot: usize, lost: &Arc<Worker>) -> Result<bool> {
        lost.wait_for_end();
        let mut inner = self.slots[slot].enter(deadline(self.spec.execution.startup_timeout_ms))?;
        let is_replaced = !inner.worker.as_ref().is_some_and(|worker| Arc::ptr_eq(worker, lost));
        if is_replaced || inner.due_ns.is_some() {
            return Ok(true);
        }
        let now_ms = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        let delay_ms = inner.restarts.next(&self.spec.execution, lost.ended().unwrap_or(true), now_ms);
        inner.due_ns = delay_ms.map(deadline);
        Ok(delay_ms.is_some())
    }

    /// Another worker in place of one that may be replaced, when it is time.
    fn replaced(&self, slot: usize) -> Result<Arc<Worker>> {
        let until = deadline(self.spec.execution.startup_timeout_ms);
        let due_ns = self.slots[slot].enter(until)?.due_ns;
        if let Some(due_ns) = due_ns {
            wait(due_ns)?;
        }
        let (worker, was_there) = self.worker(slot, deadline(self.spec.execution.startup_timeout_ms))?;
        if !was_there {
            tracing::warn!(node = self.spec.node, "the worker was started again");
        }
        Ok(worker)
    }
}

/// Waits, but not when Python wants the thread to stop.
fn wait(until: i64) -> Result<()> {
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
        let slot = &self.pool.slots[self.slot];
        slot.seats.fetch_sub(1, Ordering::SeqCst);
        self.pool.end_unused(slot);
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

    fn receive(&mut self, sequence: u64, nudge: Option<&Nudge>) -> Result<Option<Reply>> {
        while self.deadlines.front().is_some_and(|(number, ..)| *number < sequence) {
            self.deadlines.pop_front();
        }
        let &(_, limit, sent) = self
            .deadlines
            .front()
            .ok_or_else(|| Error::new(ErrorKind::Internal, "a reply is waited for that nobody has asked for"))?;
        let reply = self.worker.receive(self.stream, sequence, limit, &mut self.times, nudge)?;
        let Some(reply) = reply else { return Ok(None) };
        if reply.is_last() {
            self.deadlines.pop_front();
            let [taken, answered] = reply.head.times_ns;
            self.times.frames += 1;
            let of_frame = Times {
                queue: elapsed(sent, taken),
                process: elapsed(taken, answered),
                reply: elapsed(answered, now_ns()),
                ..Times::default()
            };
            self.times = self.times.plus(&of_frame);
            // The time of the next one begins when this one is over: until then it has waited for its turn.
            let begins = deadline(self.taken.pool.spec.execution.frame_timeout_ms);
            if let Some((_, limit, _)) = self.deadlines.front_mut() {
                *limit = begins;
            }
        }
        Ok(Some(reply))
    }

    fn abandon(&mut self) {
        self.worker.abandon(self.stream);
    }

    fn is_lost(&self) -> bool {
        !self.worker.is_alive()
    }

    fn may_renew(&mut self) -> Result<bool> {
        self.taken.pool.may_replace(self.taken.slot, &self.worker)
    }

    fn renew(&mut self) -> Result<()> {
        self.deadlines.clear();
        let worker = self.taken.pool.replaced(self.taken.slot)?;
        self.stream = worker.open(deadline(self.taken.pool.spec.execution.startup_timeout_ms))?;
        self.worker = worker;
        self.times.restarts += 1;
        Ok(())
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
