//! Memory that two processes see: files whose pages are there before anybody touches them, and words that wake.
#![allow(unsafe_code)]

use std::cell::RefCell;
use std::fs::{DirBuilder, File, OpenOptions, Permissions};
use std::io;
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;
use std::ptr::NonNull;
use std::sync::atomic::AtomicU32;
use std::time::Duration;

use super::os;
use crate::error::{Error, ErrorKind};

/// Where shared memory lies.
pub const FOLDER: &str = "/dev/shm";

/// Pages are asked for in steps of so many bytes: a signal that comes undoes one step and not all of them.
const STEP: u64 = 4 << 20;

thread_local! {
    /// Why shared memory was refused last on this thread. iceoryx2 says that something has failed, and not what.
    static REFUSED: RefCell<Option<Error>> = const { RefCell::new(None) };
}

/// A file as memory.
#[derive(Debug)]
pub struct Mapping {
    start: NonNull<u8>,
    len: usize,
}

// SAFETY: an address and a length; who reads and writes there is up to the protocol of both sides.
unsafe impl Send for Mapping {}
// SAFETY: as above.
unsafe impl Sync for Mapping {}

impl Mapping {
    /// The first bytes of a file. All of them must be reserved: a page that is not there kills whoever touches it.
    pub fn of(file: &File, len: usize, writable: bool) -> io::Result<Self> {
        let access = if writable { libc::PROT_READ | libc::PROT_WRITE } else { libc::PROT_READ };
        // SAFETY: a new mapping, at an address that the system chooses.
        let start = unsafe { libc::mmap(std::ptr::null_mut(), len, access, libc::MAP_SHARED, file.as_raw_fd(), 0) };
        if start == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let start = NonNull::new(start.cast::<u8>()).ok_or_else(|| io::Error::other("mapped at address 0"))?;
        Ok(Self { start, len })
    }

    /// Opens a file that the other side has made, as long as it is now.
    pub fn open(path: &Path, writable: bool) -> io::Result<Self> {
        let file = OpenOptions::new().read(true).write(writable).custom_flags(libc::O_NOFOLLOW).open(path)?;
        let len = usize::try_from(file.metadata()?.len()).map_err(io::Error::other)?;
        Self::of(&file, len, writable)
    }

    /// Where it lies.
    pub fn start(&self) -> NonNull<u8> {
        self.start
    }

    /// How many bytes it has.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Its first bytes, at most all. Whoever may write there has sent them, and does not write before they are given back.
    pub fn bytes(&self, len: usize) -> &[u8] {
        // SAFETY: mapped as long as `self`, and reserved, so every byte can be read.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), len.min(self.len)) }
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: made by `mmap` with this length, and nobody has it any more.
        unsafe { libc::munmap(self.start.as_ptr().cast(), self.len) };
    }
}

/// Makes a file that its owner alone may read and write, whatever the umask says.
pub fn create(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create_new(true)
        .mode(0o600)
        .custom_flags(libc::O_NOFOLLOW)
        .open(path)?;
    file.set_permissions(Permissions::from_mode(0o600))?;
    Ok(file)
}

/// Makes the folder of a file, if there is none, for its owner alone.
pub fn folder_of(path: &Path) -> io::Result<()> {
    let Some(folder) = path.parent().filter(|folder| !folder.is_dir()) else { return Ok(()) };
    folder_of(folder)?;
    match DirBuilder::new().mode(0o700).create(folder) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        // Whatever the umask says.
        made => made.and_then(|()| std::fs::set_permissions(folder, Permissions::from_mode(0o700))),
    }
}

/// Makes a file longer, with all its pages there: nobody who touches them is killed because memory is full. When it is,
/// the file is as long as before.
pub fn reserve(file: &File, len: usize) -> io::Result<()> {
    let (before, len) = (file.metadata()?.len(), len as u64);
    // What cannot fit is refused before others have lost their memory to it.
    if os::room(FOLDER).is_some_and(|(free, _)| len.saturating_sub(before) > free) {
        return Err(io::Error::from_raw_os_error(libc::ENOSPC));
    }
    let mut at = before;
    while at < len {
        let step = STEP.min(len - at);
        // SAFETY: a plain call without memory.
        match unsafe { libc::posix_fallocate(file.as_raw_fd(), at as libc::off_t, step as libc::off_t) } {
            0 => at += step,
            libc::EINTR => {}
            error => {
                file.set_len(before)?;
                return Err(io::Error::from_raw_os_error(error));
            }
        }
    }
    Ok(())
}

/// Locks a file for this process, until the file is closed or the process has ended. A forked child does not have the
/// lock. Says whether it was free.
pub fn lock(file: &File) -> io::Result<bool> {
    // SAFETY: all zeros are a `flock`: the whole file, from its beginning.
    let mut lock: libc::flock = unsafe { std::mem::zeroed() };
    lock.l_type = libc::F_WRLCK as libc::c_short;
    // SAFETY: the call reads a struct of ours.
    if unsafe { libc::fcntl(file.as_raw_fd(), libc::F_SETLK, &raw const lock) } == 0 {
        return Ok(true);
    }
    let error = io::Error::last_os_error();
    if matches!(error.raw_os_error(), Some(libc::EACCES | libc::EAGAIN)) { Ok(false) } else { Err(error) }
}

/// Sleeps as long as a word of shared memory has a value, until it is woken, at most so long. `false`: by a signal.
pub fn sleep_while(word: &AtomicU32, value: u32, limit: Option<Duration>) -> io::Result<bool> {
    let time = limit.map(|limit| libc::timespec {
        tv_sec: limit.as_secs().try_into().unwrap_or(libc::time_t::MAX),
        tv_nsec: limit.subsec_nanos().into(),
    });
    let time = time.as_ref().map_or(std::ptr::null(), std::ptr::from_ref);
    // SAFETY: the word and the time live as long as the call. The time is relative, so nobody's clock matters.
    let slept = unsafe { libc::syscall(libc::SYS_futex, word.as_ptr(), libc::FUTEX_WAIT, value, time) };
    if slept == 0 {
        return Ok(true);
    }
    let error = io::Error::last_os_error();
    match error.raw_os_error() {
        Some(libc::EAGAIN | libc::ETIMEDOUT) => Ok(true),
        Some(libc::EINTR) => Ok(false),
        _ => Err(error),
    }
}

/// Wakes whoever sleeps on a word.
pub fn wake(word: &AtomicU32) {
    // SAFETY: the word lives as long as the call.
    unsafe { libc::syscall(libc::SYS_futex, word.as_ptr(), libc::FUTEX_WAKE, i32::MAX) };
}

/// A number of bytes, for people.
pub fn megabytes(bytes: u64) -> String {
    if bytes < 1_000_000 { format!("{} kB", bytes.div_ceil(1000)) } else { format!("{:.1} MB", bytes as f64 / 1e6) }
}

/// Memory that others may have taken between a refusal and the look at what is free.
const SPARE: u64 = 64 << 20;

/// What is wrong when the system refuses memory or a file of ours, and what to do about it.
pub fn refused(path: &Path, needed: usize, error: &io::Error) -> Error {
    let folder = if path.starts_with(FOLDER) { FOLDER } else { "the folder" };
    let says = |text: String| Error::new(ErrorKind::Io, text);
    match error.raw_os_error() {
        Some(libc::EFBIG) => says(format!("this process may not make a file of {}", megabytes(needed as u64)))
            .hint("raise the limit of file sizes (ulimit -f)"),
        Some(libc::ENOSPC) if os::room(FOLDER).is_some_and(|(free, _)| free > 2 * needed as u64 + SPARE) => {
            says(format!("{folder} takes no more files: {error}, though memory is free"))
                .hint("look at its inodes (df -i /dev/shm) and at quotas")
        }
        Some(libc::ENOSPC | libc::ENOMEM | libc::EDQUOT) => {
            let room = os::room(FOLDER)
                .map_or(String::new(), |(free, all)| format!(", {} of {} are free", megabytes(free), megabytes(all)));
            says(format!("shared memory is full: {} are needed{room} in {folder}", megabytes(needed as u64)))
                .hint("give it more (docker run --shm-size=1g), shorter frames, or fewer at a time (`execution.max_in_flight`)")
        }
        Some(libc::EMFILE | libc::ENFILE) => too_many_files(),
        _ => says(format!("shared memory: {}: {error}", path.display()))
            .hint(format!("workers need a folder {FOLDER} that can be written to")),
    }
}

/// No descriptor is left.
pub fn too_many_files() -> Error {
    let most = os::most_files().map_or(String::new(), |most| format!(" (at most {most})"));
    Error::new(ErrorKind::Io, format!("this process has too many open files{most}"))
        .hint("raise the limit (ulimit -n), or use fewer workers")
}

/// Whether no file can be opened because too many are open.
pub fn is_out_of_files() -> bool {
    let opened = File::open("/");
    opened.is_err_and(|error| matches!(error.raw_os_error(), Some(libc::EMFILE | libc::ENFILE)))
}

/// Keeps an error for whoever reports that something has failed on this thread.
pub fn remember(error: Error) {
    REFUSED.with(|last| *last.borrow_mut() = Some(error));
}

/// Takes the error that was kept.
pub fn remembered() -> Option<Error> {
    REFUSED.with(|last| last.borrow_mut().take())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(name: &str) -> (std::path::PathBuf, File) {
        let path = Path::new(FOLDER).join(format!("rm_test_{}_{name}", std::process::id()));
        let file = create(&path).unwrap();
        (path, file)
    }

    #[test]
    fn reserved_pages_are_there_before_they_are_touched() {
        use std::os::unix::fs::MetadataExt as _;
        let (path, made) = file("reserve");
        assert_eq!(made.metadata().unwrap().mode() & 0o777, 0o600);
        for len in [1, 4_096, 10 << 20, 5_000] {
            let before = made.metadata().unwrap().len();
            reserve(&made, len).unwrap();
            let is = made.metadata().unwrap();
            assert_eq!(is.len(), before.max(len as u64));
            assert!(is.blocks() * 512 >= is.len(), "{} blocks for {} bytes", is.blocks(), is.len());
        }
        // More than there is: refused, and nothing has changed.
        let (_, all) = os::room(FOLDER).unwrap();
        let before = made.metadata().unwrap();
        let needed = usize::try_from(all).unwrap() + (64 << 20);
        let error = reserve(&made, needed).unwrap_err();
        let said = refused(&path, needed, &error).to_string();
        assert!(said.contains(&format!("{} are needed", megabytes(needed as u64))), "{said}");
        assert!(said.contains("--shm-size"), "{said}");
        // Memory is there, and so it is something else.
        let said = refused(&path, 1, &error).to_string();
        assert!(said.contains("inodes") && !said.contains("--shm-size"), "{said}");
        assert_eq!(
            (made.metadata().unwrap().len(), made.metadata().unwrap().blocks()),
            (before.len(), before.blocks())
        );
        std::fs::remove_file(path).unwrap();
    }

    #[test]
    fn a_sleep_ends_with_a_wake_with_its_time_and_when_the_word_is_another() {
        let word = AtomicU32::new(0);
        assert!(sleep_while(&word, 1, None).unwrap());
        assert!(sleep_while(&word, 0, Some(Duration::from_millis(1))).unwrap());
        std::thread::scope(|scope| {
            scope.spawn(|| {
                word.store(1, std::sync::atomic::Ordering::SeqCst);
                wake(&word);
            });
            while word.load(std::sync::atomic::Ordering::SeqCst) == 0 {
                assert!(sleep_while(&word, 0, Some(Duration::from_secs(30))).unwrap());
            }
        });
    }
}
