//! The folder of a run in shared memory, and the folders that dead processes have left.
//!
//! A run belongs to who holds the lock on its file. The system drops it with the process, whatever ends that, and it is
//! seen from everywhere that the folder is seen from: other containers, other users. Process ids are not.

use std::collections::hash_map::RandomState;
use std::fs::{DirBuilder, File, OpenOptions, Permissions};
use std::hash::{BuildHasher as _, Hasher as _};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::kept::Kept;
use super::memory::{self, FOLDER};
use crate::error::Result;

/// The file that is locked as long as the owner of a run lives.
const LOCK: &str = "lock";

/// How long a folder may be unready.
const UNREADY: Duration = Duration::from_secs(60);

/// How often a name that somebody else has is replaced by another.
const TRIES: usize = 8;

/// What the folders of this process begin with. Another process of the same id may see the same folder, so a random
/// number is part of it.
fn ours() -> String {
    static OURS: AtomicU64 = AtomicU64::new(0);
    let is_ours = |both: &u64| both & u64::from(u32::MAX) == u64::from(std::process::id());
    let new = RandomState::new().build_hasher().finish() << 32 | u64::from(std::process::id());
    // A forked child has the number of its parent, and takes another one.
    let updated = OURS.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |both| (!is_ours(&both)).then_some(new));
    format!("rm_{:x}_{:x}_", std::process::id(), updated.map_or_else(|ours| ours, |_| new) >> 32)
}

/// A folder in shared memory that is ours, and gone with this.
#[derive(Debug)]
pub struct Run {
    folder: PathBuf,
    host: u32,
    _lock: Kept<File>,
}

impl Run {
    /// Makes one; removes what dead processes have left when it is the first of this process.
    ///
    /// # Errors
    /// `Io` when shared memory cannot be written to, or is full.
    pub fn new() -> Result<Self> {
        sweep_once();
        static NUMBER: AtomicU64 = AtomicU64::new(1);
        let mut made = Err(io::Error::from(io::ErrorKind::AlreadyExists));
        for _ in 0..TRIES {
            made = Self::at(&format!("{}{:x}", ours(), NUMBER.fetch_add(1, Ordering::Relaxed)));
            if !made.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::AlreadyExists) {
                break;
            }
        }
        made.map_err(|error| memory::refused(Path::new(FOLDER), 4_096, &error))
    }

    /// The lock is held before the folder has the name that others look for.
    fn at(name: &str) -> io::Result<Self> {
        let (unready, folder) = (Path::new(FOLDER).join(format!(".{name}")), Path::new(FOLDER).join(name));
        DirBuilder::new().mode(0o700).create(&unready)?;
        let made = || {
            std::fs::set_permissions(&unready, Permissions::from_mode(0o700))?;
            let lock = memory::create(&unready.join(LOCK))?;
            memory::lock(&lock)?;
            std::fs::rename(&unready, &folder)?;
            Ok(Self { folder, host: std::process::id(), _lock: Kept::new(lock) })
        };
        made().inspect_err(|_| {
            let _ = std::fs::remove_dir_all(&unready);
        })
    }

    /// Where it is.
    pub fn folder(&self) -> String {
        self.folder.to_string_lossy().into_owned()
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        // A forked child has a copy, and the folder is its parent's.
        if std::process::id() == self.host {
            let _ = std::fs::remove_dir_all(&self.folder);
        }
    }
}

/// Removes what dead hosts have left, once in the life of a process.
fn sweep_once() {
    static SWEPT: AtomicU64 = AtomicU64::new(0);
    let pid = u64::from(std::process::id());
    if SWEPT.swap(pid, Ordering::Relaxed) == pid {
        return;
    }
    let removed = leftovers().iter().filter(|left| left.remove()).count();
    if removed > 0 {
        tracing::debug!(removed, "leftovers of dead processes were removed from shared memory");
    }
}

/// What one run of a dead host has left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leftover {
    /// Its folder.
    pub folder: PathBuf,
    /// The id that its host had, wherever that was.
    pub pid: u32,
}

impl Leftover {
    /// Removes it, if it is dead still.
    pub fn remove(&self) -> bool {
        // Held meanwhile: nobody else removes it.
        let Some(_lock) = dead(&self.folder) else { return false };
        std::fs::remove_dir_all(&self.folder).is_ok()
    }
}

/// Everything that dead hosts have left. What another user has left is not ours to remove, and stays.
pub fn leftovers() -> Vec<Leftover> {
    let ours = ours();
    let entries = std::fs::read_dir(FOLDER).into_iter().flatten().flatten();
    entries
        .filter_map(|entry| {
            let name = entry.file_name().to_string_lossy().into_owned();
            // One with a dot was not ready when its host ended; or is not yet, so that it is left alone for a while.
            let ready = name.strip_prefix('.').unwrap_or(&name);
            let pid = u32::from_str_radix(ready.strip_prefix("rm_")?.split('_').next()?, 16).ok()?;
            // Ours live. To open and close a file ends the lock that this process has on it.
            if ready.starts_with(&ours) || (ready != name && !is_old(&entry.path())) {
                return None;
            }
            let folder = entry.path();
            dead(&folder).map(|_| Leftover { folder, pid })
        })
        .collect()
}

/// Whether a folder was last changed longer ago than it takes to make it ready.
fn is_old(folder: &Path) -> bool {
    let changed = std::fs::metadata(folder).and_then(|folder| folder.modified());
    changed.is_ok_and(|changed| changed.elapsed().is_ok_and(|ago| ago > UNREADY))
}

/// Of a run whose owner is dead, its lock, if it is there still.
fn dead(folder: &Path) -> Option<Option<File>> {
    match OpenOptions::new().read(true).write(true).custom_flags(libc::O_NOFOLLOW).open(folder.join(LOCK)) {
        Ok(file) => memory::lock(&file).is_ok_and(|free| free).then_some(Some(file)),
        // A folder gets its name with its lock: who has begun to remove this one has not come to the end.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Some(None),
        // It is somebody else's.
        Err(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt as _;

    use super::*;

    #[test]
    fn a_run_is_left_alone_as_long_as_its_owner_lives() {
        let run = Run::new().unwrap();
        let folder = run.folder.clone();
        assert_eq!(std::fs::metadata(&folder).unwrap().mode() & 0o777, 0o700);
        assert!(leftovers().iter().all(|left| left.folder != folder));
        drop(run);
        assert!(!folder.exists());
        // One whose owner is another process that has ended; an id that nobody has.
        let folder = Path::new(FOLDER).join("rm_7fffffff_test");
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join(LOCK), "").unwrap();
        std::fs::write(folder.join("more"), "").unwrap();
        let left = leftovers().into_iter().find(|left| left.folder == folder).unwrap();
        assert_eq!(left.pid, 0x7fff_ffff);
        assert!(left.remove() && !folder.exists());
        // One that was removed in part.
        std::fs::create_dir(&folder).unwrap();
        assert!(left.remove() && !folder.exists());
    }
}
