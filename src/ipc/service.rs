//! The parts that iceoryx2 is put together from here: memory that is reserved, wake-ups without sockets, no descriptors.
#![allow(unsafe_code)]

use std::mem::MaybeUninit;
use std::path::PathBuf;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use iceoryx2::prelude::SemanticString as _;
use iceoryx2::service::internal::ServiceInternal;
use iceoryx2_bb_elementary_traits::testing::abandonable::Abandonable;
use iceoryx2_bb_elementary_traits::zero_copy_send::ZeroCopySend;
use iceoryx2_bb_lock_free::mpmc::counting_bit_set::RelocatableCountingBitSet;
use iceoryx2_bb_system_types::file_name::FileName;
use iceoryx2_bb_system_types::path::Path;
use iceoryx2_cal::event::common::EventImpl;
use iceoryx2_cal::event::trigger::{self, HandlerInterface, State, WaiterInterface};
use iceoryx2_cal::event::{ListenerCreateError, ListenerWaitError, NotifierNotifyError, NotifierOpenError};
use iceoryx2_cal::monitoring::{self, Monitoring};
use iceoryx2_cal::named_concept::{
    NamedConcept, NamedConceptBuilder, NamedConceptConfiguration as _, NamedConceptDoesExistError,
    NamedConceptListError, NamedConceptMgmt, NamedConceptPathHintRemoveError, NamedConceptRemoveError,
};
use iceoryx2_cal::shm_allocator::bump_allocator::BumpAllocator;
use iceoryx2_cal::shm_allocator::pool_allocator::PoolAllocator;
use iceoryx2_cal::static_storage::file::{Configuration, Storage as Theirs};
use iceoryx2_cal::static_storage::{
    StaticStorage, StaticStorageBuilder, StaticStorageCreateError, StaticStorageLocked, StaticStorageOpenError,
    StaticStorageReadError, StaticStorageUnlockError, StaticStorageView,
};
use iceoryx2_cal::{
    arc_sync_policy, bag, hash, reactor, resizable_shared_memory, serialize, shared_memory, zero_copy_connection,
};

use super::memory;
use super::storage::Storage;

/// Memory of frames.
type Memory<Allocator> = shared_memory::common::details::Memory<
    Allocator,
    Storage<shared_memory::common::details::AllocatorDetails<Allocator>>,
>;

/// What a channel is made of.
#[derive(Debug, Clone)]
pub struct Service;

impl ServiceInternal<Self> for Service {}

impl iceoryx2::service::Service for Service {
    type StaticStorage = Text;
    type ConfigSerializer = serialize::recommended::Recommended;
    type PersistentDynamicStorage<T: std::fmt::Debug + Send + Sync + ZeroCopySend + 'static> = Storage<T>;
    type Bag = bag::recommended::Recommended;
    type DynamicStorage<T: std::fmt::Debug + Send + Sync + ZeroCopySend + 'static> = Storage<T>;
    type ServiceNameHasher = hash::recommended::Recommended;
    type SharedMemory = Memory<PoolAllocator>;
    type ResizableSharedMemory = resizable_shared_memory::dynamic::DynamicMemory<PoolAllocator, Memory<PoolAllocator>>;
    type Connection = zero_copy_connection::common::details::Connection<
        Storage<zero_copy_connection::common::details::SharedManagementData>,
    >;
    type Event = EventImpl<RelocatableCountingBitSet, Bell, Bells, Ring, Ear>;
    type Monitoring = Unwatched;
    type Reactor = reactor::recommended::Ipc;
    type ArcThreadSafetyPolicy<T: Send + std::fmt::Debug + Abandonable> =
        arc_sync_policy::mutex_protected::MutexProtected<T>;
    type BlackboardMgmt<T: Send + Sync + std::fmt::Debug + ZeroCopySend + 'static> = Storage<T>;
    type BlackboardPayload = Memory<BumpAllocator>;
    type UniqueId = iceoryx2::unique_id_generator::unique_system_id::UniqueSystemId;
}

// --- wake-ups: a word of shared memory that the system lets threads sleep on ------------------------------------------

/// A word that is 1 when somebody is to wake up.
#[derive(Debug)]
#[repr(C)]
pub struct Bell(AtomicU32);

// SAFETY: a word, the same for whoever maps it.
unsafe impl ZeroCopySend for Bell {}

type Bells = Storage<State<RelocatableCountingBitSet, Bell>>;

/// A bell in memory that the owner of this keeps mapped: iceoryx2 keeps it beside the [`Storage`] that the bell is in.
#[derive(Debug)]
struct Shared(NonNull<Bell>);

// SAFETY: the word is atomic.
unsafe impl Send for Shared {}
// SAFETY: as above.
unsafe impl Sync for Shared {}

impl Shared {
    fn word(&self) -> &AtomicU32 {
        // SAFETY: mapped as long as this lives, see above.
        unsafe { &self.0.as_ref().0 }
    }
}

/// Rings a bell.
#[derive(Debug)]
pub struct Ring(Shared);

impl Abandonable for Ring {
    unsafe fn abandon_in_place(_: NonNull<Self>) {}
}

impl HandlerInterface<RelocatableCountingBitSet, Bell, Bells> for Ring {
    fn open(_: &FileName, _: &trigger::Configuration, bell: &Bell) -> Result<Self, NotifierOpenError> {
        Ok(Self(Shared(NonNull::from(bell))))
    }

    fn notify(&self) -> Result<(), NotifierNotifyError> {
        let word = self.0.word();
        if word.swap(1, Ordering::SeqCst) == 0 {
            memory::wake(word);
        }
        Ok(())
    }
}

/// Hears a bell.
#[derive(Debug)]
pub struct Ear(Shared);

impl Abandonable for Ear {
    unsafe fn abandon_in_place(_: NonNull<Self>) {}
}

impl Ear {
    fn hear(&self, limit: Option<Duration>) -> Result<(), ListenerWaitError> {
        let word = self.0.word();
        if word.swap(0, Ordering::SeqCst) != 0 {
            return Ok(());
        }
        match memory::sleep_while(word, 0, limit) {
            Ok(true) => {
                word.store(0, Ordering::SeqCst);
                Ok(())
            }
            Ok(false) => Err(ListenerWaitError::InterruptSignal),
            Err(_) => Err(ListenerWaitError::InternalFailure),
        }
    }
}

impl WaiterInterface<RelocatableCountingBitSet, Bell, Bells> for Ear {
    const IS_FILE_DESCRIPTOR_BASED: bool = false;

    unsafe fn remove(_: &FileName, _: &trigger::Configuration) -> Result<bool, NamedConceptRemoveError> {
        Ok(true)
    }

    fn remove_path_hint(_: &Path) -> Result<(), NamedConceptPathHintRemoveError> {
        Ok(())
    }

    fn create(
        _: &FileName,
        _: &trigger::Configuration,
        bell: &mut MaybeUninit<Bell>,
    ) -> Result<Self, ListenerCreateError> {
        Ok(Self(Shared(NonNull::from(bell.write(Bell(AtomicU32::new(0)))))))
    }

    fn try_wait(&self) -> Result<(), ListenerWaitError> {
        self.empty_buffer()
    }

    fn timed_wait(&self, limit: Duration) -> Result<(), ListenerWaitError> {
        self.hear(Some(limit))
    }

    fn blocking_wait(&self) -> Result<(), ListenerWaitError> {
        self.hear(None)
    }

    fn empty_buffer(&self) -> Result<(), ListenerWaitError> {
        self.0.word().store(0, Ordering::SeqCst);
        Ok(())
    }
}

// --- what is written once: a file that is read whole and not kept open -----------------------------------------------

/// Something that is written once.
#[derive(Debug)]
pub struct Text {
    name: FileName,
    config: Configuration,
    owned: AtomicBool,
    content: Vec<u8>,
}

fn path(name: &FileName, config: &Configuration) -> PathBuf {
    PathBuf::from(String::from_utf8_lossy(config.path_for(name).as_bytes()).into_owned())
}

impl Text {
    fn path(&self) -> PathBuf {
        path(&self.name, &self.config)
    }
}

impl Drop for Text {
    fn drop(&mut self) {
        if self.owned.load(Ordering::Relaxed) {
            let _ = std::fs::remove_file(self.path());
        }
    }
}

impl Abandonable for Text {
    unsafe fn abandon_in_place(_: NonNull<Self>) {}
}

impl NamedConcept for Text {
    fn name(&self) -> &FileName {
        &self.name
    }
}

/// Names and lists are as with iceoryx2's own files.
impl NamedConceptMgmt for Text {
    type Configuration = Configuration;

    unsafe fn remove_cfg(name: &FileName, config: &Configuration) -> Result<bool, NamedConceptRemoveError> {
        // SAFETY: what the caller has promised is what is asked for.
        unsafe { Theirs::remove_cfg(name, config) }
    }

    fn does_exist_cfg(name: &FileName, config: &Configuration) -> Result<bool, NamedConceptDoesExistError> {
        Ok(path(name, config).exists())
    }

    fn list_cfg(config: &Configuration) -> Result<Vec<FileName>, NamedConceptListError> {
        Theirs::list_cfg(config)
    }

    fn remove_path_hint(value: &Path) -> Result<(), NamedConceptPathHintRemoveError> {
        Theirs::remove_path_hint(value)
    }
}

impl StaticStorageView for Text {
    fn len(&self) -> u64 {
        self.content.len() as u64
    }

    fn is_empty(&self) -> bool {
        self.content.is_empty()
    }

    fn read(&self, content: &mut [u8]) -> Result<(), StaticStorageReadError> {
        let place = content.get_mut(..self.content.len()).ok_or(StaticStorageReadError::BufferTooSmall)?;
        place.copy_from_slice(&self.content);
        Ok(())
    }
}

impl StaticStorage for Text {
    type Builder = TextBuilder;
    type Locked = Unwritten;
    type View = Self;

    fn view(&self) -> &Self {
        self
    }

    fn release_ownership(&self) {
        self.owned.store(false, Ordering::Relaxed);
    }

    fn acquire_ownership(&self) {
        self.owned.store(true, Ordering::Relaxed);
    }
}

/// Makes or opens one.
#[derive(Debug)]
pub struct TextBuilder {
    name: FileName,
    config: Configuration,
    owned: bool,
}

impl NamedConceptBuilder<Text> for TextBuilder {
    fn new(name: &FileName) -> Self {
        Self { name: *name, config: Configuration::default(), owned: true }
    }

    fn config(mut self, config: &Configuration) -> Self {
        self.config = config.clone();
        self
    }
}

impl TextBuilder {
    fn with(self, content: Vec<u8>) -> Text {
        Text { name: self.name, config: self.config, owned: AtomicBool::new(self.owned), content }
    }
}

impl StaticStorageBuilder<Text> for TextBuilder {
    fn has_ownership(mut self, value: bool) -> Self {
        self.owned = value;
        self
    }

    fn create_locked(self) -> Result<Unwritten, StaticStorageCreateError> {
        let text = self.with(Vec::new());
        let path = text.path();
        let made = memory::folder_of(&path).and_then(|()| memory::create(&path));
        match made {
            Ok(_) => Ok(Unwritten(text)),
            Err(error) => {
                text.release_ownership();
                if error.kind() == std::io::ErrorKind::AlreadyExists {
                    return Err(StaticStorageCreateError::AlreadyExists);
                }
                memory::remember(memory::refused(&path, 0, &error));
                Err(StaticStorageCreateError::InternalError)
            }
        }
    }

    fn open(self, _: Duration) -> Result<Text, StaticStorageOpenError> {
        let mut text = self.with(Vec::new());
        match std::fs::read(text.path()) {
            Ok(content) => {
                text.content = content;
                Ok(text)
            }
            Err(error) => {
                text.release_ownership();
                if error.kind() == std::io::ErrorKind::NotFound {
                    return Err(StaticStorageOpenError::DoesNotExist);
                }
                memory::remember(memory::refused(&text.path(), 0, &error));
                Err(StaticStorageOpenError::Read)
            }
        }
    }
}

/// One whose text is still to come. The other side is started when all are written.
#[derive(Debug)]
pub struct Unwritten(Text);

impl Abandonable for Unwritten {
    unsafe fn abandon_in_place(_: NonNull<Self>) {}
}

impl NamedConcept for Unwritten {
    fn name(&self) -> &FileName {
        &self.0.name
    }
}

impl StaticStorageLocked<Text> for Unwritten {
    fn unlock(mut self, contents: &[u8]) -> Result<Text, StaticStorageUnlockError> {
        let path = self.0.path();
        if let Err(error) = std::fs::write(&path, contents) {
            memory::remember(memory::refused(&path, contents.len(), &error));
            return Err(StaticStorageUnlockError::NoSpaceLeft);
        }
        self.0.content = contents.to_vec();
        Ok(self.0)
    }
}

// --- who lives: the lock of a run says that, and the thread that watches a process -----------------------------------

/// Nobody is watched by iceoryx2: everybody is taken to live.
#[derive(Debug)]
pub struct Unwatched {
    name: FileName,
}

impl Abandonable for Unwatched {
    unsafe fn abandon_in_place(_: NonNull<Self>) {}
}

impl NamedConcept for Unwatched {
    fn name(&self) -> &FileName {
        &self.name
    }
}

impl NamedConceptMgmt for Unwatched {
    type Configuration = Configuration;

    unsafe fn remove_cfg(_: &FileName, _: &Configuration) -> Result<bool, NamedConceptRemoveError> {
        Ok(false)
    }

    fn does_exist_cfg(_: &FileName, _: &Configuration) -> Result<bool, NamedConceptDoesExistError> {
        Ok(true)
    }

    fn list_cfg(_: &Configuration) -> Result<Vec<FileName>, NamedConceptListError> {
        Ok(Vec::new())
    }

    fn remove_path_hint(_: &Path) -> Result<(), NamedConceptPathHintRemoveError> {
        Ok(())
    }
}

impl NamedConceptBuilder<Self> for Unwatched {
    fn new(name: &FileName) -> Self {
        Self { name: *name }
    }

    fn config(self, _: &Configuration) -> Self {
        self
    }
}

impl Monitoring for Unwatched {
    type Token = Self;
    type Monitor = Self;
    type Cleaner = Self;
    type Builder = Self;
}

impl monitoring::MonitoringToken for Unwatched {}

impl monitoring::MonitoringMonitor for Unwatched {
    fn state(&self) -> Result<monitoring::State, monitoring::MonitoringStateError> {
        Ok(monitoring::State::Alive)
    }
}

impl monitoring::MonitoringCleaner for Unwatched {
    fn relinquish(self) {}
}

impl monitoring::MonitoringBuilder<Self> for Unwatched {
    fn token(self) -> Result<Self, monitoring::MonitoringCreateTokenError> {
        Ok(self)
    }

    fn monitor(self) -> Result<Self, monitoring::MonitoringCreateMonitorError> {
        Ok(self)
    }

    fn cleaner(self) -> Result<Self, monitoring::MonitoringCreateCleanerError> {
        Err(monitoring::MonitoringCreateCleanerError::InstanceStillAlive)
    }
}
