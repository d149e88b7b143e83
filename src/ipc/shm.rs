//! A channel connects a host and a worker, frames both ways: short ones in iceoryx2's memory, long ones in slots.
#![allow(unsafe_code)]

use std::mem::MaybeUninit;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use iceoryx2::config::Config;
use iceoryx2::port::BackpressureAction;
use iceoryx2::port::listener::Listener;
use iceoryx2::port::notifier::Notifier;
use iceoryx2::port::publisher::Publisher;
use iceoryx2::port::subscriber::Subscriber;
use iceoryx2::prelude::{
    AllocationStrategy, BackpressureStrategy, FileName, LogLevel, Node, NodeBuilder, SemanticString,
    SignalHandlingMode, set_log_level,
};
use iceoryx2::sample::Sample;
use iceoryx2::sample_mut_uninit::SampleMutUninit;
use iceoryx2::service::port_factory::event;

use iceoryx2_bb_elementary_traits::zero_copy_send::ZeroCopySend;

use super::memory::{self, Mapping};
use super::service::Service;
use super::slots::{PLACE, Slots};
use super::wire::MOST_HEAD;
use crate::error::{Error, ErrorKind, Result};

/// How long a frame that must not be lost waits for room before it is tried again.
const ROOM: Duration = Duration::from_micros(200);
/// Frames start at multiples of this in memory.
const ALIGNMENT: usize = 64;

/// Frames of at most so many bytes lie in iceoryx2's memory.
const SHORT: usize = 8_192;

/// The length of a frame that lies in a slot, and of which only the place is sent.
const LONG: u64 = u64::MAX;

/// What iceoryx2's memory is counted in, so that frames start where they must. The bytes of a frame are in its header.
#[derive(Debug, Clone, Copy)]
#[repr(C, align(64))]
pub struct Block([u8; ALIGNMENT]);

// SAFETY: bytes, the same for whoever maps them.
unsafe impl ZeroCopySend for Block {}

/// Where a channel lies: a folder of its own, so that no other run and no stray configuration ever meets it.
#[derive(Debug, Clone)]
pub struct Place {
    /// The folder, in shared memory.
    pub folder: String,
    /// Frames that may be under way in each direction.
    pub frames: usize,
}

/// A frame that was received. Its memory is the sender's again when this is dropped.
#[derive(Debug)]
pub struct Received {
    message: Sample<Service, [Block], u64>,
    /// Of a long frame, where it lies, and its length.
    long: Option<Result<(Arc<Mapping>, usize)>>,
}

impl Received {
    /// The bytes, head first.
    ///
    /// # Errors
    /// `Internal` for more than a head and a payload of `most` bytes. iceoryx2 takes their number from shared memory,
    /// where the other side could have written anything: a smaller wrong one is not found.
    pub fn bytes(&self, most: usize) -> Result<&[u8]> {
        let bytes = match &self.long {
            None => {
                let (blocks, len) = (self.message.payload(), usize::try_from(*self.message.user_header()));
                let len = len
                    .ok()
                    .filter(|len| *len <= size_of_val(blocks))
                    .ok_or_else(|| Error::new(ErrorKind::Internal, "a malformed frame: it is longer than its place"))?;
                // SAFETY: so many bytes of blocks are mapped as long as the message, and bytes may have any value.
                unsafe { std::slice::from_raw_parts(blocks.as_ptr().cast::<u8>(), len) }
            }
            Some(Ok((mapping, len))) => mapping.bytes(*len),
            Some(Err(error)) => return Err(error.clone()),
        };
        if bytes.len() > most.saturating_add(MOST_HEAD) {
            let text = format!("a malformed frame: it has {} bytes, expected at most {most}", bytes.len());
            return Err(Error::new(ErrorKind::Internal, text));
        }
        Ok(bytes)
    }
}

/// Memory of a frame that is still to be sent.
pub struct Loan {
    message: SampleMutUninit<Service, [MaybeUninit<Block>], u64>,
    /// Of a long frame, its slot.
    long: Option<(u64, Arc<Mapping>)>,
    len: usize,
}

impl Loan {
    /// Where it lies. Whoever writes there does so before it is sent or dropped.
    pub fn address(&mut self) -> u64 {
        let start = match &self.long {
            None => self.message.payload_mut().as_mut_ptr().cast::<u8>(),
            Some((_, mapping)) => mapping.start().as_ptr(),
        };
        start.expose_provenance() as u64
    }

    /// Its length in bytes.
    pub fn byte_len(&self) -> usize {
        self.len
    }
}

/// One side of a channel. Fields are dropped in their order: ports before services, services before the node.
pub struct Channel {
    sender: Publisher<Service, [Block], u64>,
    receiver: Subscriber<Service, [Block], u64>,
    wake: Notifier<Service>,
    woken: Listener<Service>,
    events: event::PortFactory<Service>,
    /// Where long frames of ours are, and where those of the other side.
    to: Slots,
    from: Slots,
    /// Whether a frame without room waits for it instead of coming back.
    surely: Arc<AtomicBool>,
    _node: Node<Service>,
}

/// Wakes the side that waits in [`Channel::wait`].
pub struct Waker(Notifier<Service>);

impl Waker {
    /// Wakes it.
    pub fn wake(&self) {
        if let Err(error) = self.0.notify() {
            tracing::debug!(%error, "nobody could be woken");
        }
    }
}

fn failed(what: &str, error: impl std::fmt::Display) -> Error {
    // iceoryx2 says that something has failed: what it was is known to who has refused it.
    memory::remembered().unwrap_or_else(|| {
        if memory::is_out_of_files() {
            return memory::too_many_files();
        }
        Error::new(ErrorKind::Io, format!("shared memory: {what}: {error}"))
    })
}

fn config(place: &Place) -> Result<Config> {
    let mut config = Config::default();
    config.global.prefix = FileName::new(b"rm_").map_err(|error| failed("the prefix", format!("{error:?}")))?;
    let root = iceoryx2::prelude::Path::new(place.folder.as_bytes());
    config.global.set_root_path(&root.map_err(|error| failed("the folder", format!("{error:?}")))?);
    // What is left of dead processes is removed with its folder.
    config.global.service.cleanup_dead_nodes_on_open = false;
    config.global.node.cleanup_dead_nodes_on_creation = false;
    config.global.node.cleanup_dead_nodes_on_destruction = false;
    Ok(config)
}

impl Channel {
    /// Makes a channel: the host's side.
    ///
    /// # Errors
    /// `Io` when the system gives no shared memory.
    pub fn create(place: &Place) -> Result<Self> {
        Self::new(place, true)
    }

    /// Opens a channel that the host has made: the worker's side.
    ///
    /// # Errors
    /// `Io` when it cannot be opened.
    pub fn open(place: &Place) -> Result<Self> {
        Self::new(place, false)
    }

    fn new(place: &Place, host: bool) -> Result<Self> {
        set_log_level(LogLevel::Fatal);
        let config = config(place)?;
        let node = NodeBuilder::new()
            .signal_handling_mode(SignalHandlingMode::Disabled)
            .config(&config)
            .create::<Service>()
            .map_err(|error| failed("no node", error))?;
        let (to, from) = if host { ("in", "out") } else { ("out", "in") };
        let frames = |name: &str| {
            let name = name.try_into().map_err(|error| failed("a name", error))?;
            let service = node
                .service_builder(&name)
                .publish_subscribe::<[Block]>()
                .user_header::<u64>()
                .enable_safe_overflow(false)
                .history_size(0)
                .subscriber_max_buffer_size(place.frames)
                // A worker takes requests before their turn.
                .subscriber_max_borrowed_samples(2 * place.frames)
                .max_publishers(1)
                .max_subscribers(1)
                .max_nodes(2);
            if host {
                service.create().map_err(|error| failed("no channel", error))
            } else {
                service.open().map_err(|error| failed("the channel cannot be opened", error))
            }
        };
        let event = |name: &str| {
            let name = name.try_into().map_err(|error| failed("a name", error))?;
            let service = node.service_builder(&name).event().max_nodes(2).max_listeners(1).max_notifiers(3);
            if host {
                service.create().map_err(|error| failed("no event", error))
            } else {
                service.open().map_err(|error| failed("the event cannot be opened", error))
            }
        };
        let (sends, receives) = (frames(to)?, frames(from)?);
        let surely = Arc::new(AtomicBool::new(false));
        let waits = surely.clone();
        let no_room = move || {
            if !waits.load(Ordering::Relaxed) {
                return BackpressureAction::DiscardDataAndFail;
            }
            std::thread::sleep(ROOM);
            BackpressureAction::Retry
        };
        let (wakes, events) = (event(&format!("wake-{to}"))?, event(&format!("wake-{from}"))?);
        Ok(Self {
            sender: sends
                .publisher_builder()
                .max_loaned_samples(place.frames)
                .initial_max_slice_len(SHORT / ALIGNMENT)
                .allocation_strategy(AllocationStrategy::Static)
                .backpressure_strategy(BackpressureStrategy::DiscardData)
                .set_backpressure_handler(move |_| no_room())
                .create()
                .map_err(|error| failed("no sender", error))?,
            receiver: receives.subscriber_builder().create().map_err(|error| failed("no receiver", error))?,
            wake: wakes.notifier_builder().create().map_err(|error| failed("no notifier", error))?,
            woken: events.listener_builder().create().map_err(|error| failed("no listener", error))?,
            events,
            to: Slots::new(&place.folder, to),
            from: Slots::new(&place.folder, from),
            surely,
            _node: node,
        })
    }

    /// What wakes this side, for another thread of it.
    ///
    /// # Errors
    /// `Io`.
    pub fn waker(&self) -> Result<Waker> {
        self.events.notifier_builder().create().map(Waker).map_err(|error| failed("no notifier", error))
    }

    /// Memory for a frame. `Full` when as many are under way as may be.
    ///
    /// # Errors
    /// `Full`; `Io` when there is no memory.
    pub fn loan(&self, bytes: usize) -> Result<Loan> {
        use iceoryx2::port::LoanError;
        let is_long = bytes > SHORT;
        let len = if is_long { PLACE } else { bytes };
        let message = self.sender.loan_slice_uninit(len.div_ceil(ALIGNMENT));
        let mut message = message.map_err(|error| match error {
            LoanError::ExceedsMaxLoans => Error::new(ErrorKind::Full, "as many frames are under way as may be"),
            error => failed(&format!("no memory for a frame of {bytes} bytes"), error),
        })?;
        *message.user_header_mut() = if is_long { LONG } else { len as u64 };
        let address = message.payload().as_ptr().addr();
        let long = if is_long {
            Some(self.to.take(address, bytes)?)
        } else {
            self.to.give_back(address);
            None
        };
        Ok(Loan { message, long, len: bytes })
    }

    /// Sends a frame that `write` fills. `write` gets all of it, and writes what was not written through
    /// [`Loan::address`].
    ///
    /// # Errors
    /// `Full` when the other side has not taken what came before; `Io`.
    pub fn send(&self, mut loan: Loan, write: impl FnOnce(&mut [u8])) -> Result<()> {
        let Loan { message, long, len } = &mut loan;
        let memory = message.payload_mut();
        // SAFETY: a `MaybeUninit<u8>` may hold any byte, and only ever bytes are written to the slice; the memory behind
        // it is mapped and was handed out by the sender's allocator, whose pages the system has zeroed.
        let memory = unsafe { std::slice::from_raw_parts_mut(memory.as_mut_ptr().cast::<u8>(), size_of_val(memory)) };
        match long {
            None => write(&mut memory[..*len]),
            Some((slot, mapping)) => {
                // SAFETY: the slot is mapped for writing, and it is this loan's alone until the message is sent.
                write(unsafe { std::slice::from_raw_parts_mut(mapping.start().as_ptr(), *len) });
                memory[..8].copy_from_slice(&slot.to_le_bytes());
                memory[8..PLACE].copy_from_slice(&(*len as u64).to_le_bytes());
            }
        }
        use iceoryx2::port::SendError;
        // SAFETY: bytes of shared memory are always initialised: the system gives zeroed pages.
        let sample = unsafe { loan.message.assume_init() };
        match sample.send() {
            Ok(_) => {}
            Err(SendError::UnableToDeliver) => {
                return Err(Error::new(ErrorKind::Full, "the other side has not taken the frames before"));
            }
            Err(error) => return Err(failed("a frame was not sent", error)),
        }
        self.wake.notify().map(drop).map_err(|error| failed("the other side was not woken", error))
    }

    /// Sends a frame that was written through [`Loan::address`] and lies nowhere else: waits until there is room.
    ///
    /// # Errors
    /// `Io`.
    pub fn send_surely(&self, loan: Loan, write: impl FnOnce(&mut [u8])) -> Result<()> {
        self.surely.store(true, Ordering::Relaxed);
        let sent = self.send(loan, write);
        self.surely.store(false, Ordering::Relaxed);
        sent
    }

    /// The next frame, if one has come.
    ///
    /// # Errors
    /// `Io`.
    pub fn receive(&self) -> Result<Option<Received>> {
        let message = self.receiver.receive().map_err(|error| failed("nothing received", error))?;
        Ok(message.map(|message| {
            let place = message.payload().first().filter(|_| *message.user_header() == LONG);
            let long = place.map(|Block(place)| {
                let [slot, len] = [0, 8].map(|at| u64::from_le_bytes(std::array::from_fn(|byte| place[at + byte])));
                let len = usize::try_from(len).unwrap_or(usize::MAX);
                self.from.find(slot, len).map(|mapping| (mapping, len))
            });
            Received { message, long }
        }))
    }

    /// Whether a frame has come.
    pub fn has_come(&self) -> bool {
        // An error is told by `receive`.
        self.receiver.has_samples().unwrap_or(true)
    }

    /// Waits until something has come or somebody wakes this side, at most so long.
    ///
    /// # Errors
    /// `Io`.
    pub fn wait(&self, limit: Duration) -> Result<()> {
        use iceoryx2::port::listener::ListenerWaitError;
        match self.woken.timed_wait(drop, limit) {
            Ok(_) | Err(ListenerWaitError::InterruptSignal) => Ok(()),
            Err(error) => Err(failed("waiting failed", error)),
        }
    }
}

impl std::fmt::Debug for Channel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Channel").finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Waker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Waker").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(name: &str) -> Place {
        let folder = format!("{}/rm_test_{}_{name}", memory::FOLDER, std::process::id());
        std::fs::create_dir(&folder).unwrap();
        Place { folder, frames: 2 }
    }

    #[test]
    fn frames_cross_in_order_and_grow_and_nothing_is_overwritten() {
        let place = place("a");
        let (host, worker) = (Channel::create(&place).unwrap(), Channel::open(&place).unwrap());
        for len in [1, SHORT, SHORT + 1, 100_000, 7] {
            host.send(host.loan(len).unwrap(), |memory| memory.fill(len as u8)).unwrap();
            worker.wait(Duration::from_secs(5)).unwrap();
            let received = worker.receive().unwrap().unwrap();
            assert_eq!(received.bytes(1 << 20).unwrap(), vec![len as u8; len]);
            assert_eq!(received.bytes(1 << 20).unwrap().as_ptr().addr() % ALIGNMENT, 0);
        }
        // Two have room; the third is refused, and the first two are as they were.
        for byte in [1, 2] {
            host.send(host.loan(8).unwrap(), |memory| memory.fill(byte)).unwrap();
        }
        let third = host.loan(8).and_then(|loan| host.send(loan, |memory| memory.fill(3)));
        assert_eq!(third.unwrap_err().kind(), ErrorKind::Full);
        assert_eq!(worker.receive().unwrap().unwrap().bytes(8).unwrap(), [1; 8]);
        assert_eq!(worker.receive().unwrap().unwrap().bytes(8).unwrap(), [2; 8]);
        assert!(worker.receive().unwrap().is_none());
        drop((host, worker));
        std::fs::remove_dir_all(place.folder).unwrap();
    }

    #[test]
    fn a_wait_ends_with_a_waker_or_with_its_time() {
        let place = place("b");
        let (host, worker) = (Channel::create(&place).unwrap(), Channel::open(&place).unwrap());
        let waker = host.waker().unwrap();
        let thread = std::thread::spawn(move || waker.wake());
        host.wait(Duration::from_secs(30)).unwrap();
        thread.join().unwrap();
        worker.wait(Duration::from_millis(1)).unwrap();
        drop((host, worker));
        std::fs::remove_dir_all(place.folder).unwrap();
    }
}
