//! A worker's process: its start, its output, its end.

use std::collections::VecDeque;
use std::io::{BufReader, Read, Write as _};
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::process::{ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::Receiver;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::kept::Kept;
use super::os::Held;
use super::said::{self, Log, Said};
use crate::error::{Error, ErrorKind, Result};

/// Lines of its standard error that an error shows.
const TAIL: usize = 20;
/// Between asking it to end and making it.
const GRACE: Duration = Duration::from_millis(500);

/// How a process has ended.
#[derive(Debug, Clone)]
pub struct Exit {
    /// In words: "exit code 3", "signal 9 (SIGKILL)".
    pub status: String,
    /// By a signal, or with another code than 0.
    pub failed: bool,
    /// The last lines of its standard error.
    pub stderr: Vec<String>,
    /// Why we have ended it, if we have.
    pub why: Option<String>,
}

#[derive(Debug, Default)]
struct State {
    exit: Option<Exit>,
    /// Everything is cleaned up.
    gone: bool,
    why: Option<String>,
    ending: bool,
    tail: VecDeque<String>,
}

/// A process that a thread of ours watches.
#[derive(Debug)]
pub struct Watched {
    node: String,
    pid: u32,
    process: Held,
    host: u32,
    state: Mutex<State>,
    changed: Condvar,
    /// Open as long as we live: the worker ends when it is closed.
    _stdin: Mutex<Option<Kept<ChildStdin>>>,
}

impl Watched {
    /// Starts a process with a first line on its standard input, which stays open. `ended` is called when it has ended,
    /// before anybody is told that it is gone.
    ///
    /// # Errors
    /// `WorkerStart` when it cannot be started.
    pub fn start(
        node: &str,
        mut command: Command,
        first_line: &str,
        ended: impl FnOnce() + Send + 'static,
        woken: impl Fn() + Send + 'static,
    ) -> Result<Arc<Self>> {
        let (tell, told) = std::sync::mpsc::sync_channel(1);
        let (node, line) = (node.to_owned(), format!("{first_line}\n"));
        let name = format!("remotemedia-{node}").chars().take(15).collect();
        // The system ends a worker with the thread that has started it: this one lives as long as the worker.
        let watch = move || {
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
            let mut child = match command.spawn() {
                Ok(child) => child,
                Err(error) => {
                    let program = command.get_program().to_string_lossy().into_owned();
                    let hint = match error.raw_os_error() {
                        Some(libc::EMFILE | libc::ENFILE) => {
                            "raise the limit of open files (ulimit -n), or use fewer workers"
                        }
                        Some(libc::EAGAIN) => "raise the limit of processes (ulimit -u), or use fewer workers",
                        Some(libc::E2BIG) => "shorten sys.path, which a worker is started with",
                        Some(libc::ENOMEM) => "there is no memory for another process",
                        _ => "name the interpreter in `execution.python`",
                    };
                    let error = Error::new(ErrorKind::WorkerStart, format!("{program}: {error}"));
                    let _ = tell.send(Err(error.at_node(&node).hint(hint)));
                    ended();
                    return;
                }
            };
            // Before it can end of itself: it waits for its first line.
            let process = Held::of(child.id());
            let mut stdin = child.stdin.take();
            if let Some(stdin) = &mut stdin {
                // A worker that has ended already is found below.
                let _ = stdin.write_all(line.as_bytes());
            }
            let watched = Arc::new(Self {
                node,
                pid: child.id(),
                process,
                host: std::process::id(),
                state: Mutex::default(),
                changed: Condvar::new(),
                _stdin: Mutex::new(stdin.map(Kept::new)),
            });
            let log = Log::start(&watched.node);
            let mut readers = vec![
                child.stdout.take().map(|stdout| watched.clone().read(Kept::new(stdout), false, log.clone())),
                child.stderr.take().map(|stderr| watched.clone().read(Kept::new(stderr), true, log.clone())),
            ];
            readers.push(log.map(Log::into_end));
            // Waited for below, and not by its number.
            drop(child);
            let _ = tell.send(Ok(watched.clone()));
            drop(tell);
            watched.see_to_the_end(readers.into_iter().flatten().collect(), woken);
            ended();
            watched.lock().gone = true;
            watched.changed.notify_all();
        };
        let no_thread = |error: std::io::Error| Error::new(ErrorKind::WorkerStart, format!("no thread: {error}"));
        std::thread::Builder::new().name(name).spawn(watch).map_err(no_thread)?;
        told.recv().unwrap_or_else(|_| Err(Error::new(ErrorKind::Internal, "the thread of a worker has ended")))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn see_to_the_end(&self, readers: Vec<Receiver<()>>, woken: impl Fn() + Send + 'static) {
        self.process.wait_for_end();
        // Its last lines belong to the error; a grandchild may hold the pipes open for ever.
        let until = Instant::now() + Duration::from_millis(200);
        for reader in readers {
            let _ = reader.recv_timeout(until.saturating_duration_since(Instant::now()));
        }
        let mut state = self.lock();
        // What it has started itself does not outlive it.
        self.process.signal(libc::SIGKILL);
        let (status, failed) = self.process.status().map_or_else(
            || ("an unknown status, which somebody else in this process has taken".to_owned(), true),
            |status| (words(status), !status.success()),
        );
        tracing::debug!(node = self.node, pid = self.pid, %status, "worker ended");
        let stderr = state.tail.iter().cloned().collect();
        state.exit = Some(Exit { status, failed, stderr, why: state.why.clone() });
        drop(state);
        self.changed.notify_all();
        woken();
    }

    /// Reads a pipe to its end, whatever comes: a worker that writes much must not be blocked by it, and neither by a log
    /// that nobody reads.
    fn read(self: Arc<Self>, pipe: impl Read + Send + 'static, is_error: bool, log: Option<Log>) -> Receiver<()> {
        let (done, ended) = std::sync::mpsc::sync_channel(1);
        let read = move || {
            let mut pipe = BufReader::new(pipe);
            let mut line = Vec::new();
            while let Some(cut) = said::read_line(&mut pipe, &mut line) {
                let said = Said::of(&line, cut, is_error);
                if is_error {
                    let mut state = self.lock();
                    for said in &said {
                        state.tail.push_back(said.text.chars().take(500).collect());
                    }
                    while state.tail.len() > TAIL {
                        state.tail.pop_front();
                    }
                }
                if let Some(log) = &log {
                    log.put(said);
                }
            }
            drop(log);
            let _ = done.send(());
        };
        // Without a thread the pipe is closed, and the worker gets an error when it writes.
        let _ = std::thread::Builder::new().name("remotemedia-read".into()).spawn(read);
        ended
    }

    /// The last lines of its standard error.
    pub fn last_lines(&self) -> Vec<String> {
        self.lock().tail.iter().cloned().collect()
    }

    /// The process id.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// How it has ended, if it has.
    pub fn exit(&self) -> Option<Exit> {
        self.lock().exit.clone()
    }

    /// Whether it has ended, or is being ended.
    pub fn is_ending(&self) -> bool {
        let state = self.lock();
        state.exit.is_some() || state.ending
    }

    /// Whether it has ended.
    pub fn has_ended(&self) -> bool {
        self.lock().exit.is_some()
    }

    /// Asks it to end now, and makes it when it does not. Returns at once.
    pub fn end(self: &Arc<Self>, why: Option<String>, after: Duration) {
        let mut state = self.lock();
        if state.exit.is_some() {
            return;
        }
        if state.why.is_none() {
            state.why = why;
        }
        if std::mem::replace(&mut state.ending, true) && !after.is_zero() {
            return; // Somebody else sees to it.
        }
        drop(state);
        let watched = self.clone();
        let enforce = move || {
            if watched.ends_within(after) {
                return;
            }
            watched.signal(libc::SIGTERM);
            // Something that is stopped does not see a signal before it goes on.
            watched.signal(libc::SIGCONT);
            if !watched.ends_within(GRACE) {
                watched.signal(libc::SIGKILL);
            }
        };
        if std::thread::Builder::new().name("remotemedia-end".into()).spawn(enforce).is_err() {
            self.signal(libc::SIGKILL);
        }
    }

    /// Ends it at once.
    pub fn kill(&self) {
        self.signal(libc::SIGKILL);
    }

    fn signal(&self, signal: i32) {
        if std::process::id() != self.host {
            return; // A forked child has a copy of this.
        }
        if self.lock().exit.is_none() {
            self.process.signal(signal);
        }
    }

    fn ends_within(&self, limit: Duration) -> bool {
        let ended = self.changed.wait_timeout_while(self.lock(), limit, |state| state.exit.is_none());
        ended.unwrap_or_else(PoisonError::into_inner).0.exit.is_some()
    }

    /// Waits until it has ended and nothing is left of it.
    pub fn gone_within(&self, limit: Duration) -> bool {
        let gone = self.changed.wait_timeout_while(self.lock(), limit, |state| !state.gone);
        gone.unwrap_or_else(PoisonError::into_inner).0.gone
    }
}

fn words(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit code {code}"),
        (None, Some(signal)) => {
            let name = match signal {
                libc::SIGKILL => " (SIGKILL)",
                libc::SIGSEGV => " (SIGSEGV)",
                libc::SIGABRT => " (SIGABRT)",
                libc::SIGTERM => " (SIGTERM)",
                libc::SIGBUS => " (SIGBUS)",
                libc::SIGILL => " (SIGILL)",
                _ => "",
            };
            format!("signal {signal}{name}")
        }
        _ => "an unknown status".to_owned(),
    }
}
