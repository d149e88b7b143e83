//! The log on standard error, written by a thread of its own: whoever logs has work to do, and who reads may have stopped.

use std::io::{self, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tracing_subscriber::fmt::MakeWriter;

use crate::fork::PerProcess;

/// The most lines that wait. Further ones are dropped, and counted in the next.
const MOST_WAITING: usize = 1000;

/// The thread of this process, once something was logged.
static WRITER: PerProcess<Writer> = PerProcess::new();

#[derive(Default)]
struct Writer {
    lines: Mutex<Option<SyncSender<Vec<u8>>>>,
    dropped: AtomicU64,
    /// Lines that were given to the thread and not written yet.
    waiting: Arc<AtomicU64>,
}

/// One line on its way.
#[derive(Debug, Default)]
pub(super) struct Line(Vec<u8>);

/// Makes the lines.
#[derive(Debug, Clone, Copy)]
pub(super) struct Lines;

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Line;

    fn make_writer(&'a self) -> Line {
        Line::default()
    }
}

impl Write for Line {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        WRITER.get().give(std::mem::take(&mut self.0));
    }
}

impl Writer {
    fn give(&self, line: Vec<u8>) {
        // Who cannot have the lock does not wait for it, either: a line more is dropped.
        let sent = self.lines.try_lock().ok().and_then(|mut lines| {
            let lines = lines.get_or_insert_with(|| self.start());
            self.waiting.fetch_add(1, Ordering::AcqRel);
            let dropped = self.dropped.swap(0, Ordering::Relaxed);
            let line = match dropped {
                0 => line,
                _ => [format!("{dropped} lines of the log were dropped\n").into_bytes(), line].concat(),
            };
            lines
                .try_send(line)
                .inspect_err(|_| {
                    self.waiting.fetch_sub(1, Ordering::AcqRel);
                    self.dropped.fetch_add(dropped, Ordering::Relaxed);
                })
                .or_else(|error| match error {
                    // No thread could be had.
                    TrySendError::Disconnected(line) => io::stderr().write_all(&line).map_err(|_| ()),
                    TrySendError::Full(_) => Err(()),
                })
                .ok()
        });
        if sent.is_none() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn start(&self) -> SyncSender<Vec<u8>> {
        let (lines, given) = sync_channel::<Vec<u8>>(MOST_WAITING);
        let waiting = self.waiting.clone();
        let write = move || {
            for line in given {
                // Nobody can be told that it cannot be written.
                let _ = io::stderr().write_all(&line);
                waiting.fetch_sub(1, Ordering::AcqRel);
            }
        };
        let _ = std::thread::Builder::new().name("remotemedia-log".to_owned()).spawn(write);
        lines
    }
}

/// Waits until everything is written, at most so long.
pub(super) fn flush(limit: Duration) {
    let until = Instant::now() + limit;
    while WRITER.get().waiting.load(Ordering::Acquire) > 0 && Instant::now() < until {
        std::thread::sleep(Duration::from_millis(1));
    }
}
