//! What the operating system is asked for: signals, the end of a child, the clock that processes share.
#![allow(unsafe_code)]

use std::io;
use std::os::fd::{AsRawFd as _, FromRawFd as _, IntoRawFd as _, OwnedFd, RawFd};
use std::os::unix::process::ExitStatusExt as _;
use std::process::ExitStatus;

/// `CLOCK_MONOTONIC` in ns: the same on both sides of a machine.
pub fn now_ns() -> i64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the call writes into a struct of ours.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut time) };
    time.tv_sec * 1_000_000_000 + time.tv_nsec
}

/// A child of ours, held by a descriptor of the system: its number may be another's already, this never is.
#[derive(Debug)]
pub struct Held {
    pid: u32,
    fd: Option<OwnedFd>,
}

/// `PIDFD_SIGNAL_PROCESS_GROUP`, which libc does not name: since Linux 6.9.
const GROUP: libc::c_uint = 1 << 2;

impl Held {
    /// Takes hold of a child that was not waited for yet.
    pub fn of(pid: u32) -> Self {
        // SAFETY: a plain call without memory.
        let fd = unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) };
        // SAFETY: a descriptor that the system has just made for us, closed on exec.
        let fd = i32::try_from(fd).ok().filter(|fd| *fd >= 0).map(|fd| unsafe { OwnedFd::from_raw_fd(fd) });
        Self { pid, fd }
    }

    /// The descriptor, if it is still of this process: a host that closes all of its own gets the number for another file.
    fn ours(&self) -> Option<&OwnedFd> {
        self.fd.as_ref().filter(|fd| {
            match std::fs::read_to_string(format!("/proc/self/fdinfo/{}", fd.as_raw_fd())) {
                // -1 when it was waited for.
                Ok(text) => text.lines().filter_map(|line| line.strip_prefix("Pid:")).any(|pid| {
                    let pid = pid.trim();
                    pid == "-1" || pid == self.pid.to_string()
                }),
                // Nothing can be seen: there is no /proc.
                Err(_) => !std::path::Path::new("/proc/self/fdinfo").is_dir(),
            }
        })
    }

    /// Blocks until it has ended, whoever waits for it.
    pub fn wait_for_end(&self) {
        let Some(fd) = self.ours() else {
            // A system without such descriptors.
            self.ended(libc::P_PID, self.pid, libc::WNOWAIT);
            return;
        };
        let mut poll = libc::pollfd { fd: fd.as_raw_fd(), events: libc::POLLIN, revents: 0 };
        loop {
            // SAFETY: the call reads and writes a struct of ours.
            let found = unsafe { libc::poll(&raw mut poll, 1, -1) };
            if found >= 0 || io::Error::last_os_error().kind() != io::ErrorKind::Interrupted {
                break;
            }
        }
        if poll.revents & libc::POLLNVAL != 0 || self.ours().is_none() {
            // Somebody has closed it. The end is still seen, if nobody else waits for it.
            self.ended(libc::P_PID, self.pid, libc::WNOWAIT);
        }
    }

    /// How it has ended. `None` when somebody else was told: a host that waits for all its children, or ignores `SIGCHLD`.
    pub fn status(&self) -> Option<ExitStatus> {
        let info = match self.ours() {
            Some(fd) => self.ended(libc::P_PIDFD, fd.as_raw_fd().cast_unsigned(), 0),
            None => self.ended(libc::P_PID, self.pid, 0),
        }?;
        // SAFETY: `waitid` has filled it in for a child.
        let status = unsafe { info.si_status() };
        // As `wait` says it: the code in the second byte, the signal in the first.
        Some(ExitStatus::from_raw(if info.si_code == libc::CLD_EXITED { (status & 0xff) << 8 } else { status & 0x7f }))
    }

    fn ended(&self, kind: libc::idtype_t, id: u32, flags: i32) -> Option<libc::siginfo_t> {
        // SAFETY: all zeros are a value of this struct.
        let mut info: libc::siginfo_t = unsafe { std::mem::zeroed() };
        loop {
            // SAFETY: the call writes into a struct of ours.
            if unsafe { libc::waitid(kind, id, &raw mut info, libc::WEXITED | flags) } == 0 {
                return Some(info);
            }
            if io::Error::last_os_error().kind() != io::ErrorKind::Interrupted {
                return None;
            }
        }
    }

    /// Sends a signal to it and to the group that it leads. Nobody else ever gets it.
    pub fn signal(&self, signal: i32) {
        let (Some(fd), Ok(pid)) = (self.ours(), i32::try_from(self.pid)) else { return self.signal_by_number(signal) };
        let send = |flags: libc::c_uint| {
            // SAFETY: a plain call; without an information of ours the system makes one.
            unsafe { libc::syscall(libc::SYS_pidfd_send_signal, fd.as_raw_fd(), signal, std::ptr::null::<u8>(), flags) }
        };
        let unknown = || io::Error::last_os_error().raw_os_error() == Some(libc::EINVAL);
        // On older systems the group is named by a number, which is its own as long as nobody has waited for the process.
        if send(GROUP) != 0 && unknown() && self.is_waited_for_by_nobody() {
            // SAFETY: a plain call without memory.
            unsafe { libc::kill(-pid, signal) };
        }
        send(0);
    }

    fn is_waited_for_by_nobody(&self) -> bool {
        let fd = self.ours().map_or(-1, |fd| fd.as_raw_fd()).cast_unsigned();
        self.ended(libc::P_PIDFD, fd, libc::WNOWAIT | libc::WNOHANG).is_some()
    }

    /// The way of systems without such descriptors.
    fn signal_by_number(&self, signal: i32) {
        let waits = self.ended(libc::P_PID, self.pid, libc::WNOWAIT | libc::WNOHANG).is_some();
        if let (true, Ok(pid)) = (waits, i32::try_from(self.pid)) {
            // SAFETY: plain calls without memory, for a child that was not waited for yet.
            unsafe {
                libc::kill(-pid, signal);
                libc::kill(pid, signal);
            }
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if self.ours().is_none()
            && let Some(fd) = self.fd.take()
        {
            // Closing it is for whoever has it now.
            let _ = fd.into_raw_fd();
        }
    }
}

/// Which file a descriptor is of: its device and its number there. `None` when it is closed.
pub fn file_of(fd: RawFd) -> Option<(u64, u64)> {
    // SAFETY: all zeros are a value of this struct, and the call writes into it.
    let mut stat: libc::stat = unsafe { std::mem::zeroed() };
    // SAFETY: as above.
    let found = unsafe { libc::fstat(fd, &raw mut stat) } == 0;
    #[allow(clippy::unnecessary_cast)] // Of other widths elsewhere.
    found.then_some((stat.st_dev as u64, stat.st_ino as u64))
}

/// The core that this thread runs on, from 1; 0 where the system does not say.
pub fn core() -> i64 {
    #[cfg(target_os = "linux")]
    // SAFETY: a plain call without memory. It gives -1 when it does not know.
    return i64::from(unsafe { libc::sched_getcpu() }) + 1;
    #[cfg(not(target_os = "linux"))]
    0
}

/// Whether this thread is the first of its process.
pub fn is_main_thread() -> bool {
    #[cfg(target_os = "linux")]
    // SAFETY: plain calls without memory.
    return unsafe { libc::gettid() == libc::getpid() };
    #[cfg(target_vendor = "apple")]
    // SAFETY: a plain call without memory.
    return unsafe { libc::pthread_main_np() != 0 };
    #[cfg(not(any(target_os = "linux", target_vendor = "apple")))]
    true
}

/// Has the system end this process with the thread that has started it; says whether that one is still there.
pub fn die_with_parent(parent: u32) -> bool {
    #[cfg(target_os = "linux")]
    // SAFETY: plain calls without memory.
    unsafe {
        libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
    }
    std::os::unix::process::parent_id() == parent
}

/// Ends this process at once: nothing is flushed, nobody is asked.
pub fn exit_now(code: i32) -> ! {
    // SAFETY: ends the process.
    unsafe { libc::_exit(code) }
}

/// Free bytes of the file system at a path, and all that it has.
pub fn room(path: &str) -> Option<(u64, u64)> {
    let path = std::ffi::CString::new(path).ok()?;
    let mut answer = std::mem::MaybeUninit::<libc::statvfs>::uninit();
    // SAFETY: `path` ends with a zero, and the call writes the whole struct when it returns 0.
    let answer = unsafe { (libc::statvfs(path.as_ptr(), answer.as_mut_ptr()) == 0).then(|| answer.assume_init()) }?;
    Some((answer.f_bavail.saturating_mul(answer.f_frsize), answer.f_blocks.saturating_mul(answer.f_frsize)))
}

/// How many files this process may have open.
pub fn most_files() -> Option<u64> {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the call writes into a struct of ours.
    (unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) } == 0).then_some(limit.rlim_cur)
}
