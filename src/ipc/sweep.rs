//! What dead processes have left in shared memory.

use std::path::{Path, PathBuf};
use std::sync::Once;

use super::os;
use super::shm::remove;

/// Removes what dead hosts have left, once in the life of this process.
pub fn once() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let removed = leftovers().into_iter().inspect(|left| left.remove()).count();
        if removed > 0 {
            tracing::debug!(removed, "leftovers of dead processes were removed from shared memory");
        }
    });
}

/// What one run of a dead host has left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leftover {
    /// What its files begin with.
    pub prefix: String,
    /// The host that is gone.
    pub pid: u32,
}

impl Leftover {
    /// Removes it.
    pub fn remove(&self) {
        let name = self.prefix.trim_end_matches('_');
        for folder in folders() {
            remove(&self.prefix, &folder.join(name));
        }
    }
}

fn folders() -> Vec<PathBuf> {
    let mut folders = vec![PathBuf::from("/tmp"), std::env::temp_dir()];
    folders.dedup();
    folders
}

/// Everything that dead hosts have left. What another user has left is not ours to remove, and stays.
pub fn leftovers() -> Vec<Leftover> {
    let mut found: Vec<Leftover> = Vec::new();
    for folder in folders().iter().map(PathBuf::as_path).chain([Path::new("/dev/shm")]) {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            let Some(left) = dead(&name) else { continue };
            if !found.contains(&left) {
                found.push(left);
            }
        }
    }
    found
}

/// The run that a name is of, if its host is dead: `rm_PID_STARTED_NUMBER` in hexadecimal digits.
fn dead(name: &str) -> Option<Leftover> {
    let mut parts = name.strip_prefix("rm_")?.split('_');
    let pid = u32::from_str_radix(parts.next()?, 16).ok()?;
    let started = u64::from_str_radix(parts.next()?, 16).ok()?;
    let number = u64::from_str_radix(parts.next()?, 16).ok()?;
    // Ids are used again: a process of the same id that has started at another time is another one.
    let lives = os::is_alive(pid) && os::started(pid).is_none_or(|now| now == started);
    (!lives).then(|| Leftover { prefix: format!("rm_{pid:x}_{started:x}_{number:x}_"), pid })
}
