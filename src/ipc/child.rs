//! A worker's process: its start, its output, its end.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read, Write as _};
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde_json::Value;
use tracing::Level;

use super::os;
use crate::error::{Error, ErrorKind, Result};

/// What the log names as the source of what a worker says.
const TARGET: &str = "remotemedia::worker";
/// Lines of its standard error that an error shows.
const TAIL: usize = 20;
/// The longest line that is logged whole.
const MAX_LINE: usize = 64 << 10;
/// Lines a second that are logged; what is above is counted.
const LINES_A_SECOND: usize = 200;
/// The same for records of its `logging` that are warnings or errors.
const MOST_URGENT: usize = 2_000;
/// What a record of its `logging` begins with on standard error, as in RFC 7464; JSON follows, to the end of the line.
const RECORD: u8 = 0x1e;
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
    host: u32,
    state: Mutex<State>,
    changed: Condvar,
    /// Open as long as we live: the worker ends when it is closed.
    _stdin: Mutex<Option<ChildStdin>>,
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
                    let _ = tell.send(Err(Error::new(ErrorKind::WorkerStart, format!("{program}: {error}"))
                        .at_node(&node)
                        .hint("name the interpreter in `execution.python`")));
                    ended();
                    return;
                }
            };
            let mut stdin = child.stdin.take();
            if let Some(stdin) = &mut stdin {
                // A worker that has ended already is found below.
                let _ = stdin.write_all(line.as_bytes());
            }
            let watched = Arc::new(Self {
                node,
                pid: child.id(),
                host: std::process::id(),
                state: Mutex::default(),
                changed: Condvar::new(),
                _stdin: Mutex::new(stdin),
            });
            let readers = [
                child.stdout.take().map(|stdout| watched.clone().read(stdout, false)),
                child.stderr.take().map(|stderr| watched.clone().read(stderr, true)),
            ];
            let _ = tell.send(Ok(watched.clone()));
            drop(tell);
            watched.see_to_the_end(&mut child, readers.into_iter().flatten().collect(), woken);
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

    fn see_to_the_end(
        &self,
        child: &mut Child,
        readers: Vec<std::sync::mpsc::Receiver<()>>,
        woken: impl Fn() + Send + 'static,
    ) {
        os::wait_for_end(self.pid);
        // Its last lines belong to the error; a grandchild may hold the pipes open for ever.
        let until = Instant::now() + Duration::from_millis(200);
        for reader in readers {
            let _ = reader.recv_timeout(until.saturating_duration_since(Instant::now()));
        }
        let mut state = self.lock();
        // What it has started itself does not outlive it. Its own id is not free before `wait`.
        os::signal(self.pid, libc::SIGKILL);
        let (status, failed) =
            child.wait().map_or_else(|error| (error.to_string(), true), |s| (words(s), !s.success()));
        tracing::debug!(node = self.node, pid = self.pid, %status, "worker ended");
        let stderr = state.tail.iter().cloned().collect();
        state.exit = Some(Exit { status, failed, stderr, why: state.why.clone() });
        drop(state);
        self.changed.notify_all();
        woken();
    }

    /// Reads a pipe to its end, whatever comes: a worker that writes much must not be blocked by it.
    fn read(self: Arc<Self>, pipe: impl Read + Send + 'static, is_error: bool) -> std::sync::mpsc::Receiver<()> {
        let (done, ended) = std::sync::mpsc::sync_channel(1);
        let read = move || {
            let mut pipe = BufReader::new(pipe);
            let (mut line, mut second, mut count, mut dropped) = (Vec::new(), Instant::now(), 0_usize, 0_usize);
            while pipe.by_ref().take(MAX_LINE as u64).read_until(b'\n', &mut line).is_ok_and(|read| read > 0) {
                let said = Said::of(&line, is_error);
                line.clear();
                if is_error {
                    let mut state = self.lock();
                    for said in &said {
                        state.tail.push_back(said.text.chars().take(500).collect());
                    }
                    while state.tail.len() > TAIL {
                        state.tail.pop_front();
                    }
                }
                if second.elapsed() > Duration::from_secs(1) {
                    if dropped > 0 {
                        tracing::warn!(target: TARGET, node = self.node, dropped, "lines of a worker's output were not logged");
                    }
                    (second, count, dropped) = (Instant::now(), 0, 0);
                }
                count += 1;
                // Records of what went wrong have more room than what is printed.
                let urgent = said.iter().any(|said| said.logger.is_some() && said.level <= Level::WARN);
                if count > if urgent { MOST_URGENT } else { LINES_A_SECOND } {
                    dropped += 1;
                } else {
                    said.iter().for_each(|said| said.log(&self.node));
                }
            }
            if dropped > 0 {
                tracing::warn!(target: TARGET, node = self.node, dropped, "lines of a worker's output were not logged");
            }
            let _ = done.send(());
        };
        // Without a thread the pipe is closed, and the worker gets an error when it writes.
        let _ = std::thread::Builder::new().name("remotemedia-log".into()).spawn(read);
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
        let state = self.lock();
        // Before the end is known it was not waited for: the id is still its own.
        if state.exit.is_none() {
            os::signal(self.pid, signal);
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

/// Something that a worker has said.
struct Said {
    text: String,
    level: Level,
    logger: Option<String>,
}

impl Said {
    /// What a line of its output says: a record of its `logging`, and before that what a `print` without an end has left.
    fn of(line: &[u8], is_error: bool) -> Vec<Self> {
        let plain = |line: &[u8]| {
            let text = String::from_utf8_lossy(line).trim_end().to_owned();
            Self { text, level: if is_error { Level::WARN } else { Level::INFO }, logger: None }
        };
        let start = line.iter().position(|byte| *byte == RECORD).filter(|_| is_error);
        let record = start.and_then(|start| Self::record(&line[start + 1..]).map(|record| (start, record)));
        match record {
            Some((0, record)) => vec![record],
            Some((start, record)) => vec![plain(&line[..start]), record],
            None => vec![plain(line)],
        }
    }

    fn record(line: &[u8]) -> Option<Self> {
        let value: Value = serde_json::from_slice(line).ok()?;
        let text = |key: &str| value[key].as_str().map(str::to_owned);
        let level = value["level"].as_str()?.parse().ok()?;
        Some(Self { text: text("text")?, level, logger: text("logger") })
    }

    fn log(&self, node: &str) {
        let Self { text, logger, level } = self;
        macro_rules! log {
            ($level:ident) => {
                tracing::event!(target: TARGET, Level::$level, node, logger, "{text}")
            };
        }
        match *level {
            Level::ERROR => log!(ERROR),
            Level::WARN => log!(WARN),
            Level::INFO => log!(INFO),
            Level::DEBUG => log!(DEBUG),
            Level::TRACE => log!(TRACE),
        }
    }
}

/// The least level of what a worker says that is logged here.
pub fn log_level() -> &'static str {
    use tracing::enabled;
    match () {
        () if enabled!(target: TARGET, Level::TRACE) => "TRACE",
        () if enabled!(target: TARGET, Level::DEBUG) => "DEBUG",
        () if enabled!(target: TARGET, Level::INFO) => "INFO",
        () if enabled!(target: TARGET, Level::WARN) => "WARN",
        () => "ERROR",
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
