//! What the operating system is asked for: signals, the end of a child, the clock that processes share.
#![allow(unsafe_code)]

/// `CLOCK_MONOTONIC` in ns: the same on both sides of a machine.
pub fn now_ns() -> i64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the call writes into a struct of ours.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut time) };
    time.tv_sec * 1_000_000_000 + time.tv_nsec
}

/// Blocks until the child has ended; it can still be signalled then, and must still be waited for.
pub fn wait_for_end(pid: u32) {
    let mut info = std::mem::MaybeUninit::<libc::siginfo_t>::uninit();
    loop {
        // SAFETY: the call writes into a struct of ours, which is not read.
        let done = unsafe { libc::waitid(libc::P_PID, pid, info.as_mut_ptr(), libc::WEXITED | libc::WNOWAIT) };
        if done == 0 || std::io::Error::last_os_error().kind() != std::io::ErrorKind::Interrupted {
            return;
        }
    }
}

/// Sends a signal to a process and its group. The caller makes sure that it was not waited for yet.
pub fn signal(pid: u32, signal: i32) {
    let Ok(pid) = i32::try_from(pid) else { return };
    // SAFETY: plain calls without memory.
    unsafe {
        libc::kill(-pid, signal);
        libc::kill(pid, signal);
    }
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

/// Whether there is a process of this id.
pub fn is_alive(pid: u32) -> bool {
    let Ok(pid) = i32::try_from(pid) else { return false };
    // SAFETY: a plain call without memory; signal 0 is sent to nobody.
    let found = unsafe { libc::kill(pid, 0) } == 0;
    found || std::io::Error::last_os_error().raw_os_error() == Some(libc::EPERM)
}

/// When the process started, in a unit of the system's own. Two processes of one id have different ones.
pub fn started(pid: u32) -> Option<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name, in parentheses, may hold anything.
    stat.rsplit_once(')')?.1.split_whitespace().nth(19)?.parse().ok()
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

/// Free bytes of the file system at a path.
pub fn free_bytes(path: &str) -> Option<u64> {
    let path = std::ffi::CString::new(path).ok()?;
    let mut answer = std::mem::MaybeUninit::<libc::statvfs>::uninit();
    // SAFETY: `path` ends with a zero, and the call writes the whole struct when it returns 0.
    let answer = unsafe { (libc::statvfs(path.as_ptr(), answer.as_mut_ptr()) == 0).then(|| answer.assume_init()) }?;
    Some(answer.f_bavail.saturating_mul(answer.f_frsize))
}
