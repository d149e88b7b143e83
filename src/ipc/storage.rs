//! Where iceoryx2 keeps what both sides share: files of ours, whose pages are there before it touches them.
//!
//! iceoryx2's own are made by `ftruncate`, and the first touch of a page kills the process when memory is full. These
//! also hold no descriptor, and appear under their name when they are ready.
#![allow(unsafe_code)]

use std::marker::PhantomData;
use std::mem::MaybeUninit;
use std::path::{Path, PathBuf};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use iceoryx2::prelude::SemanticString as _;
use iceoryx2_bb_elementary_traits::testing::abandonable::Abandonable;
use iceoryx2_bb_elementary_traits::zero_copy_send::ZeroCopySend;
use iceoryx2_bb_memory::bump_allocator::BumpAllocator;
use iceoryx2_bb_posix::access_mode::AccessMode;
use iceoryx2_bb_system_types::file_name::FileName;
use iceoryx2_cal::dynamic_storage::file::{Configuration, Storage as Theirs};
use iceoryx2_cal::dynamic_storage::{
    DynamicStorage, DynamicStorageBuilder, DynamicStorageCreateError, DynamicStorageOpenError,
    DynamicStorageOpenOrCreateError, Initializer,
};
use iceoryx2_cal::named_concept::{
    NamedConcept, NamedConceptBuilder, NamedConceptConfiguration, NamedConceptDoesExistError, NamedConceptListError,
    NamedConceptMgmt, NamedConceptPathHintRemoveError, NamedConceptRemoveError,
};

use super::memory::{self, Mapping};

/// A value that both sides see, and the memory that belongs to it behind it.
#[derive(Debug)]
pub struct Storage<T: Send + Sync + std::fmt::Debug + ZeroCopySend> {
    memory: Mapping,
    path: PathBuf,
    name: FileName,
    /// Whether the value and the file go with this.
    owned: AtomicBool,
    _of: PhantomData<T>,
}

impl<T: Send + Sync + std::fmt::Debug + ZeroCopySend> Storage<T> {
    fn value(&self) -> *mut T {
        self.memory.start().as_ptr().cast()
    }
}

impl<T: Send + Sync + std::fmt::Debug + ZeroCopySend> Drop for Storage<T> {
    fn drop(&mut self) {
        if self.owned.load(Ordering::Relaxed) {
            // SAFETY: made by the initializer, and dropped by its one owner.
            unsafe { std::ptr::drop_in_place(self.value()) };
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

impl<T: Send + Sync + std::fmt::Debug + ZeroCopySend> Abandonable for Storage<T> {
    unsafe fn abandon_in_place(mut this: NonNull<Self>) {
        // SAFETY: the caller has a whole one, and forgets it after this.
        let this = unsafe { this.as_mut() };
        // SAFETY: as above: the mapping is not used again.
        unsafe { std::ptr::drop_in_place(&raw mut this.memory) };
    }
}

impl<T: Send + Sync + std::fmt::Debug + ZeroCopySend> NamedConcept for Storage<T> {
    fn name(&self) -> &FileName {
        &self.name
    }
}

/// Names and lists are as with iceoryx2's own files.
impl<T: Send + Sync + std::fmt::Debug + ZeroCopySend> NamedConceptMgmt for Storage<T> {
    type Configuration = Configuration<T>;

    unsafe fn remove_cfg(name: &FileName, config: &Configuration<T>) -> Result<bool, NamedConceptRemoveError> {
        // SAFETY: what the caller has promised is what is asked for.
        unsafe { Theirs::<T>::remove_cfg(name, config) }
    }

    fn does_exist_cfg(name: &FileName, config: &Configuration<T>) -> Result<bool, NamedConceptDoesExistError> {
        Theirs::<T>::does_exist_cfg(name, config)
    }

    fn list_cfg(config: &Configuration<T>) -> Result<Vec<FileName>, NamedConceptListError> {
        Theirs::<T>::list_cfg(config)
    }

    fn remove_path_hint(value: &iceoryx2_bb_system_types::path::Path) -> Result<(), NamedConceptPathHintRemoveError> {
        Theirs::<T>::remove_path_hint(value)
    }
}

impl<T: Send + Sync + std::fmt::Debug + ZeroCopySend> DynamicStorage<T> for Storage<T> {
    type Builder<'builder> = Builder<'builder, T>;

    fn does_support_persistency() -> bool {
        true
    }

    fn has_ownership(&self) -> bool {
        self.owned.load(Ordering::Relaxed)
    }

    fn release_ownership(&self) {
        self.owned.store(false, Ordering::Relaxed);
    }

    fn acquire_ownership(&self) {
        self.owned.store(true, Ordering::Relaxed);
    }

    fn get(&self) -> &T {
        // SAFETY: a file appears under its name after its value was made, and `open` has looked at its length.
        unsafe { &*self.value() }
    }

    unsafe fn __internal_set_type_name_in_config(config: &mut Configuration<T>, type_name: &str) {
        // SAFETY: what the caller has promised is what is asked for.
        unsafe { Theirs::<T>::__internal_set_type_name_in_config(config, type_name) };
    }
}

/// Makes or opens one.
#[derive(Debug)]
pub struct Builder<'builder, T: Send + Sync + std::fmt::Debug + ZeroCopySend> {
    name: FileName,
    config: Configuration<T>,
    owned: bool,
    behind: usize,
    initializer: Initializer<'builder, T>,
}

impl<T: Send + Sync + std::fmt::Debug + ZeroCopySend> NamedConceptBuilder<Storage<T>> for Builder<'_, T> {
    fn new(name: &FileName) -> Self {
        let initializer = Initializer::new(|_, _| false);
        Self { name: *name, config: Configuration::default(), owned: true, behind: 0, initializer }
    }

    fn config(mut self, config: &Configuration<T>) -> Self {
        self.config = config.clone();
        self
    }
}

impl<T: Send + Sync + std::fmt::Debug + ZeroCopySend> Builder<'_, T> {
    fn path(&self) -> PathBuf {
        PathBuf::from(String::from_utf8_lossy(self.config.path_for(&self.name).as_bytes()).into_owned())
    }

    fn whole(&self, path: PathBuf, memory: Mapping, owned: bool) -> Storage<T> {
        Storage { memory, path, name: self.name, owned: AtomicBool::new(owned), _of: PhantomData }
    }

    fn opened(&self, mode: AccessMode) -> Result<Storage<T>, DynamicStorageOpenError> {
        let path = self.path();
        match Mapping::open(&path, mode != AccessMode::Read) {
            Ok(memory) if memory.len() >= size_of::<T>() => Ok(self.whole(path, memory, false)),
            Ok(_) => Err(DynamicStorageOpenError::InternalError),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Err(DynamicStorageOpenError::DoesNotExist),
            Err(error) => {
                memory::remember(memory::refused(&path, 0, &error));
                Err(DynamicStorageOpenError::InternalError)
            }
        }
    }

    fn created(&mut self) -> Result<Storage<T>, DynamicStorageCreateError> {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let (path, len) = (self.path(), size_of::<T>() + self.behind);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let unready = PathBuf::from(format!("{}.{:x}.{number:x}", path.display(), std::process::id()));
        let made = self.made(&unready, len).map_err(|error| {
            memory::remember(memory::refused(&path, len, &error));
            DynamicStorageCreateError::InternalError
        });
        let made = made.and_then(|made| made.ok_or(DynamicStorageCreateError::InitializationFailed));
        // Under its name when it is ready, and only if there is none.
        let linked = made.and_then(|made| match std::fs::hard_link(&unready, &path) {
            Ok(()) => Ok(made),
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
                Err(DynamicStorageCreateError::AlreadyExists)
            }
            Err(error) => {
                memory::remember(memory::refused(&path, len, &error));
                Err(DynamicStorageCreateError::InternalError)
            }
        });
        let _ = std::fs::remove_file(&unready);
        linked.map(|made| self.whole(path, made, self.owned))
    }

    /// The memory with its value; `None` when the value could not be made.
    fn made(&mut self, path: &Path, len: usize) -> std::io::Result<Option<Mapping>> {
        memory::folder_of(path)?;
        let file = memory::create(path)?;
        memory::reserve(&file, len)?;
        let memory = Mapping::of(&file, len, true)?;
        let start = memory.start();
        // SAFETY: mapped memory of `len` bytes begins here, aligned to a page; nobody else knows of it yet.
        let (value, behind) = unsafe { (start.cast::<MaybeUninit<T>>().as_mut(), start.add(size_of::<T>())) };
        let mut allocator = BumpAllocator::new(behind, self.behind);
        Ok(self.initializer.call(value, &mut allocator).then_some(memory))
    }
}

impl<'builder, T: Send + Sync + std::fmt::Debug + ZeroCopySend> DynamicStorageBuilder<'builder, T, Storage<T>>
    for Builder<'builder, T>
{
    fn has_ownership(mut self, value: bool) -> Self {
        self.owned = value;
        self
    }

    /// For their owner alone, whoever asks for more.
    fn enable_global_access(self, _: bool) -> Self {
        self
    }

    fn supplementary_size(mut self, value: usize) -> Self {
        self.behind = value;
        self
    }

    /// A file is ready when it is there.
    fn timeout(self, _: Duration) -> Self {
        self
    }

    fn initializer<F: FnMut(&mut MaybeUninit<T>, &mut BumpAllocator) -> bool + 'builder>(mut self, value: F) -> Self {
        self.initializer = Initializer::new(value);
        self
    }

    fn create(mut self) -> Result<Storage<T>, DynamicStorageCreateError> {
        self.created()
    }

    fn open(self, mode: AccessMode) -> Result<Storage<T>, DynamicStorageOpenError> {
        self.opened(mode)
    }

    fn open_or_create(mut self) -> Result<Storage<T>, DynamicStorageOpenOrCreateError> {
        loop {
            match self.opened(AccessMode::ReadWrite) {
                Err(DynamicStorageOpenError::DoesNotExist) => match self.created() {
                    Err(DynamicStorageCreateError::AlreadyExists) => {}
                    created => return Ok(created?),
                },
                opened => return Ok(opened?),
            }
        }
    }
}
