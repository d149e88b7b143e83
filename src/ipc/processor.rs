//! A Python node at work in a pipeline.

use std::collections::{BTreeSet, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use super::local::LocalSeat;
use super::pool::Pool;
use super::python::Declared;
use super::reply::Body;
use super::seat::{Seat, Times};
use super::spec::Spec;
use super::wire::{ABANDONS, Head, Payload};
use crate::data::{Control, Format, Packet, Pts, RuntimeData};
use crate::error::{Error, ErrorKind, Result};
use crate::fork;
use crate::node::{Latency, Nudge, OnCrash, Opened, Opening, Out, PortId, Processor, is_callers_thread};

/// Instances that were made for a stream which then got nothing: the next one takes them.
#[derive(Default)]
pub struct Unused {
    seats: Mutex<Vec<(u32, Box<dyn Seat>)>>,
    closed: AtomicBool,
}

impl Unused {
    // Nothing here waits: a forked child may find the lock taken for ever.

    fn take(&self) -> Option<Box<dyn Seat>> {
        let mut seats = self.seats.try_lock().ok()?;
        seats.retain(|(_, seat)| !seat.is_lost());
        let ours = seats.iter().rposition(|(generation, _)| *generation == fork::generation());
        ours.map(|at| seats.swap_remove(at).1)
    }

    fn put(&self, seats: impl Iterator<Item = Box<dyn Seat>>) {
        if !self.closed.load(Ordering::Relaxed)
            && let Ok(mut kept) = self.seats.try_lock()
        {
            kept.extend(seats.map(|seat| (fork::generation(), seat)));
        }
    }

    /// Lets go of them. None is kept any more.
    pub fn close(&self) {
        self.closed.store(true, Ordering::Relaxed);
        drop(self.seats.try_lock().map(|mut seats| std::mem::take(&mut *seats)));
    }
}

impl std::fmt::Debug for Unused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Unused")
    }
}

/// A Python node of one stream.
pub struct PythonProcessor {
    spec: Arc<Spec>,
    pool: Option<Arc<Pool>>,
    unused: Arc<Unused>,
    declared: Declared,
    opening: Opening,
    /// One; of a node without state, one in each worker.
    seats: Vec<Box<dyn Seat>>,
    next_seat: usize,
    /// What was sent and not answered yet, in order.
    under_way: VecDeque<UnderWay>,
    times: Times,
    /// The time of the next audio that comes out: its origin, the frames since, the rate.
    clock: Option<(Pts, i64, u32)>,
    /// The last packet, whose place in the stream the rest takes.
    last: Option<Packet>,
    /// The instances still hold the stream before. They are told with the next packet: whoever ends a stream does not
    /// wait for the frames of others.
    stale: bool,
    /// Of each seat, what its worker ended with when it is to be started again.
    lost: Vec<Option<Error>>,
    /// What came out while a question was asked, for the next output.
    due: Vec<Packet>,
    due_skipped: u64,
    /// The last thing that came out was a gap: lost frames in a row leave one.
    in_gap: bool,
    /// Parameters that were changed, for other instances.
    changed: Vec<(String, Value)>,
}

struct UnderWay {
    seat: usize,
    sequence: u64,
    packet: Packet,
    /// It was in a worker that has ended: a gap is in its place.
    is_lost: bool,
}

impl PythonProcessor {
    /// Nothing is started before it is prepared or opened.
    pub fn new(spec: Arc<Spec>, pool: Option<Arc<Pool>>, unused: Arc<Unused>, declared: Declared) -> Self {
        Self {
            spec,
            pool,
            unused,
            declared,
            opening: Opening::BATCH,
            seats: Vec::new(),
            next_seat: 0,
            under_way: VecDeque::new(),
            times: Times::default(),
            clock: None,
            last: None,
            stale: false,
            lost: Vec::new(),
            due: Vec::new(),
            due_skipped: 0,
            in_gap: false,
            changed: Vec::new(),
        }
    }

    fn seat(&mut self) -> Result<()> {
        if !self.seats.is_empty() {
            return Ok(());
        }
        self.seats = match &self.pool {
            Some(pool) if self.declared.stateless && self.opening.overlaps => {
                pool.seats()?.into_iter().map(|seat| Box::new(seat) as Box<dyn Seat>).collect()
            }
            pool => vec![match (self.unused.take(), pool) {
                (Some(seat), _) => seat,
                (None, Some(pool)) => Box::new(pool.seat()?),
                (None, None) => Box::new(LocalSeat::open(&self.spec)?),
            }],
        };
        self.next_seat = 0;
        self.lost = vec![None; self.seats.len()];
        for (name, value) in self.changed.clone() {
            self.change(&name, &value)?;
        }
        Ok(())
    }

    /// Changes a parameter of the instances that there are.
    fn change(&mut self, name: &str, value: &Value) -> Result<()> {
        self.ask_alone(&set_param(name, value), 0)
    }

    /// Asks every instance something. What comes out meanwhile is kept for the next output.
    fn ask_alone(&mut self, question: &Value, flags: u8) -> Result<()> {
        let mut out = Out::default();
        let asked = self.ask(question, flags, &mut out);
        self.due.extend(out.drain().map(|(_, packet)| packet));
        self.due_skipped += out.take_skipped();
        asked.and_then(|()| out.take_failed().into_iter().next().map_or(Ok(()), Err))
    }

    /// Puts out what has come out while a question was asked.
    fn put_due(&mut self, out: &mut Out) {
        self.due.drain(..).for_each(|packet| out.emit(PortId::FIRST, packet));
        out.skipped(std::mem::take(&mut self.due_skipped));
    }

    /// Instances that hold nothing of a stream before.
    fn refresh(&mut self) -> Result<()> {
        if self.stale {
            self.stale = false;
            let lost = self.seats.iter().any(|seat| seat.is_lost());
            match if lost { Ok(()) } else { self.ask_alone(&json!({"op": "reset"}), ABANDONS) } {
                Err(error) if error.ends_the_call() => {
                    self.stale = true;
                    return Err(error);
                }
                Ok(()) if !lost => {}
                // Another instance begins afresh.
                _ => self.leave(),
            }
        }
        self.seat()
    }

    /// How many requests may be under way.
    fn window(&self) -> usize {
        let at_once = self.pool.is_none() && is_callers_thread();
        if self.opening.overlaps && !at_once { self.spec.execution.max_in_flight * self.seats.len() } else { 1 }
    }

    /// Gives up the seats: what is still to come from them is nobody's.
    fn leave(&mut self) {
        for seat in self.seats.drain(..) {
            if let Some(times) = seat.times() {
                self.times = self.times.plus(times);
            }
        }
        self.under_way.clear();
    }

    /// Waits for the next reply to the oldest request, and puts it out. What has failed is told through `out`; an error
    /// is the end of the node.
    fn step(&mut self, out: &mut Out, nudge: Option<&Nudge>) -> Result<()> {
        let Some(UnderWay { seat, sequence, packet, is_lost }) = self.under_way.pop_front() else { return Ok(()) };
        if is_lost {
            self.gap(&packet, out);
            return Ok(());
        }
        let reply = match self.seats[seat].receive(sequence, nudge) {
            Ok(Some(reply)) => reply,
            Ok(None) => {
                self.under_way.push_front(UnderWay { seat, sequence, packet, is_lost });
                return Ok(());
            }
            Err(error) => {
                self.lost(seat, error, out)?;
                self.gap(&packet, out);
                return Ok(());
            }
        };
        let last = reply.is_last();
        match reply.body {
            Body::Data(data) => {
                if let Err(error) = self.emit(data, &packet, out) {
                    out.fail(error.at_item(packet.item as usize));
                    return Ok(());
                }
            }
            Body::Failed(error) => {
                self.clock = None;
                out.fail(error.at_item(packet.item as usize));
                return Ok(());
            }
            Body::Nothing | Body::Answer(_) => {}
        }
        if !last {
            self.under_way.push_front(UnderWay { seat, sequence, packet, is_lost });
        }
        Ok(())
    }

    /// Puts out everything that the oldest request gives.
    fn answer(&mut self, out: &mut Out) -> Result<()> {
        let before = self.under_way.len();
        while self.under_way.len() == before && before > 0 {
            self.step(out, None)?;
        }
        Ok(())
    }

    /// Puts out everything that is still to come.
    fn answer_all(&mut self, out: &mut Out) -> Result<()> {
        while !self.under_way.is_empty() {
            self.step(out, None)?;
        }
        Ok(())
    }

    /// Marks the place of a frame that was lost: the nodes behind are told, whoever else is.
    fn gap(&mut self, packet: &Packet, out: &mut Out) {
        self.clock = None;
        if self.spec.execution.on_crash == OnCrash::Skip {
            out.skipped(1);
        }
        if !std::mem::replace(&mut self.in_gap, true) {
            out.emit(PortId::FIRST, packet.with(RuntimeData::Control(Control::Discontinuity), packet.pts));
        }
    }

    /// Asks one instance, of which nothing is under way.
    fn tell(&mut self, seat: usize, question: &Value) -> Result<()> {
        let (head, message) = Payload::control(0, question);
        let sequence = self.seats[seat].send(head, &message)?;
        match self.seats[seat].receive(sequence, None)?.map(|reply| reply.body) {
            Some(Body::Failed(error)) => Err(error),
            _ => Ok(()),
        }
    }

    /// Starts a worker again that has ended, if the policy has said so.
    fn renew(&mut self, seat: usize) -> Result<()> {
        let Some(before) = self.lost[seat].take() else { return Ok(()) };
        self.seats[seat].renew().map_err(|next| {
            let both = format!("{}\nafter {}", next.message(), before.message());
            if next.kind() == ErrorKind::Closed {
                self.lost[seat] = Some(before); // The wait was stopped.
                return next;
            }
            Error::new(next.kind(), both).at_node(&self.spec.node)
        })?;
        for (name, value) in self.changed.clone() {
            self.tell(seat, &set_param(&name, &value))?;
        }
        Ok(())
    }

    /// A worker has ended: a frame is lost, and those of it that are noted as under way. The next frame starts it again, if
    /// the policy says so.
    fn lost(&mut self, seat: usize, error: Error, out: &mut Out) -> Result<()> {
        // Also a frame whose time is over before its worker had a turn: the worker is well.
        if !matches!(error.kind(), ErrorKind::WorkerCrashed | ErrorKind::Timeout) || !self.seats[seat].is_lost() {
            return Err(error);
        }
        let mut in_flight = 1;
        for under_way in self.under_way.iter_mut().filter(|under_way| under_way.seat == seat && !under_way.is_lost) {
            under_way.is_lost = true;
            in_flight += 1;
        }
        let error = if in_flight > 1 { with_count(error, in_flight) } else { error };
        if !self.seats[seat].may_renew()? {
            return Err(error);
        }
        self.lost[seat] = Some(error.clone());
        match self.spec.execution.on_crash {
            OnCrash::Fail => out.fail(error.session_goes_on()),
            OnCrash::Skip => tracing::warn!(%error, in_flight, "frames of a worker that has ended are skipped"),
        }
        Ok(())
    }

    /// Audio is placed by its own count of frames from where the stream began; anything else at its input.
    fn emit(&mut self, data: RuntimeData, packet: &Packet, out: &mut Out) -> Result<()> {
        self.declared.check_output(&data.format())?;
        let pts = match &data {
            RuntimeData::Audio(audio) => {
                let rate = audio.sample_rate_hz();
                let (origin, frames, _) =
                    self.clock.filter(|(_, _, before)| *before == rate).unwrap_or((packet.pts, 0, rate));
                self.clock = Some((origin, frames + audio.frames() as i64, rate));
                origin.plus(Pts::frames(frames, rate))
            }
            _ => packet.pts,
        };
        self.in_gap = false;
        out.emit(PortId::FIRST, packet.with(data, pts));
        Ok(())
    }

    /// Sends a request to a seat, which is started again if it has to be. Says whether it was sent; in the place of one
    /// that was lost is a gap.
    fn send(&mut self, seat: usize, head: Head, payload: &Payload<'_>, packet: &Packet, out: &mut Out) -> Result<bool> {
        self.renew(seat)?;
        let sent = self.seats[seat].send(head, payload);
        let is_lost = sent.is_err();
        let sequence = match sent {
            Ok(sequence) => sequence,
            Err(error) => self.lost(seat, error, out).map(|()| 0)?,
        };
        self.under_way.push_back(UnderWay { seat, sequence, packet: packet.clone(), is_lost });
        Ok(!is_lost)
    }

    fn ask(&mut self, question: &Value, flags: u8, out: &mut Out) -> Result<()> {
        let packet = self.last.clone().unwrap_or_else(|| Packet::new(RuntimeData::text(""), Pts::ZERO));
        for seat in 0..self.seats.len() {
            // The stream is the seat's to fill in.
            let (mut head, message) = Payload::control(0, question);
            (head.pts, head.flags) = (packet.pts, flags);
            self.send(seat, head, &message, &packet, out)?;
        }
        self.answer_all(out)
    }
}

fn set_param(name: &str, value: &Value) -> Value {
    json!({"op": "set_param", "name": name, "value": value})
}

fn with_count(error: Error, in_flight: usize) -> Error {
    let node = error.node().unwrap_or_default().to_owned();
    Error::new(error.kind(), format!("{} ({in_flight} frames were under way)", error.message())).at_node(&node)
}

impl Processor for PythonProcessor {
    fn prepare(&mut self, opening: Opening) -> Result<()> {
        self.opening = opening;
        self.refresh()
    }

    fn open(&mut self, inputs: &[Format], opening: Opening) -> Result<Opened> {
        self.opening = opening;
        let output = self.declared.output_for(inputs.first().unwrap_or(&Format::Unknown))?;
        let opened =
            Opened::new(vec![output], Latency { delay: self.declared.latency.unwrap_or(Pts::ZERO), block: Pts::ZERO });
        Ok(if self.declared.latency.is_some() { opened } else { opened.with_latency(PortId::FIRST, None) })
    }

    fn process(&mut self, _: PortId, packet: Packet, out: &mut Out) -> Result<()> {
        if let RuntimeData::Control(Control::Discontinuity) = packet.data {
            self.answer_all(out)?;
            self.reset();
            out.emit(PortId::FIRST, packet);
            return Ok(());
        }
        if let RuntimeData::Control(Control::Gap { until, format }) = packet.data {
            // What it holds back still comes.
            self.answer_all(out)?;
            let until = self.declared.latency.map_or(until, |latency| until.minus(latency));
            let gap = packet.with(RuntimeData::Control(Control::Gap { until, format }), packet.pts.min(until));
            out.emit(PortId::FIRST, gap);
            return Ok(());
        }
        self.refresh()?;
        self.put_due(out);
        while self.under_way.len() >= self.window() {
            self.answer(out)?;
        }
        let payload = Payload::of(&packet.data)?;
        let head = Head::of(&packet.data, packet.pts, payload.byte_len());
        let seat = self.next_seat;
        self.next_seat = (seat + 1) % self.seats.len();
        let place = Packet { data: RuntimeData::text(""), ..packet };
        if self.send(seat, head, &payload, &place, out)? {
            self.last = Some(place);
        }
        if self.window() == 1 {
            return self.answer(out);
        }
        Ok(())
    }

    fn is_under_way(&self) -> bool {
        !self.under_way.is_empty()
    }

    fn settle(&mut self, out: &mut Out, nudge: &Nudge) -> Result<()> {
        self.step(out, Some(nudge))
    }

    fn end(&mut self, _: PortId, out: &mut Out) -> Result<()> {
        self.answer_all(out)?;
        if self.stale {
            return Ok(()); // Nothing of this stream has come.
        }
        self.put_due(out);
        self.ask(&json!({"op": "flush"}), 0, out)
    }

    fn reset(&mut self) {
        self.clock = None;
        for seat in self.under_way.iter().map(|under_way| under_way.seat).collect::<BTreeSet<_>>() {
            self.seats[seat].abandon();
            tracing::debug!(node = self.spec.node, "what waits at the node is not wanted any more");
        }
        self.under_way.clear();
        self.due.clear();
        (self.due_skipped, self.in_gap) = (0, false);
        // Instances that got nothing have nothing to forget.
        self.stale |= self.last.take().is_some() && !self.seats.is_empty();
    }

    fn set_param(&mut self, name: &str, value: &Value) -> Result<()> {
        if !self.declared.changeable.iter().any(|changeable| changeable == name) {
            return Err(Error::new(ErrorKind::Unsupported, format!("`{name}` cannot be changed while running"))
                .at_node(&self.spec.node)
                .hint("name it in rm.node(changeable=...), and write set_param(self, name, value)"));
        }
        self.changed.retain(|(changed, _)| changed != name);
        self.changed.push((name.to_owned(), value.clone()));
        if self.seats.is_empty() {
            return Ok(());
        }
        self.change(name, value)
    }

    fn metrics(&self) -> Option<Value> {
        self.pool.as_ref()?;
        let seats = self.seats.iter().filter_map(|seat| seat.times());
        Some(seats.fold(self.times.clone(), |sum, times| sum.plus(times)).to_json())
    }
}

impl Drop for PythonProcessor {
    fn drop(&mut self) {
        if self.last.is_none() && !self.stale && self.changed.is_empty() {
            self.unused.put(self.seats.drain(..));
        }
    }
}
