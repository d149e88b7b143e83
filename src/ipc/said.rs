//! What a worker says on its standard output and error, on its way to the log.

use std::io::{BufRead, Read as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::{Duration, Instant};

use serde_json::Value;
use tracing::Level;

/// What the log names as the source of what a worker says.
const TARGET: &str = "remotemedia::worker";
/// The longest line that is logged whole.
const MAX_LINE: usize = 8 << 10;
/// The longest line that is read whole: a record of its `logging` is longer than its text.
const MAX_READ: usize = 64 << 10;
/// Lines a second that are logged; what is above is counted.
const LINES_A_SECOND: usize = 200;
/// The same for records of its `logging` that are warnings or errors.
const MOST_URGENT: usize = 2_000;
/// Lines that wait for a log which is slow, or which nobody reads.
const MOST_WAITING: usize = 1_000;
/// What a record of its `logging` begins with on standard error, as in RFC 7464; JSON follows, to the end of the line.
const RECORD: u8 = 0x1e;

/// Reads a line without its end, and says how many of its bytes were left out. `None` at the end.
pub fn read_line(pipe: &mut impl BufRead, line: &mut Vec<u8>) -> Option<usize> {
    line.clear();
    pipe.by_ref().take(MAX_READ as u64).read_until(b'\n', line).ok().filter(|read| *read > 0)?;
    let mut cut = 0;
    let mut whole = line.ends_with(b"\n") || line.len() < MAX_READ;
    while !whole {
        let Some(more) = pipe.fill_buf().ok().filter(|more| !more.is_empty()) else { break };
        let end = more.iter().position(|byte| *byte == b'\n');
        let used = end.map_or(more.len(), |end| end + 1);
        cut += end.unwrap_or(used);
        whole = end.is_some();
        pipe.consume(used);
    }
    Some(cut)
}

/// Something that a worker has said.
pub struct Said {
    /// The line, or the text of the record.
    pub text: String,
    level: Level,
    logger: Option<String>,
}

impl Said {
    /// What a line of its output says: a record of its `logging`, and before that what a `print` without an end has left.
    /// So many bytes of the line were left out already.
    pub fn of(line: &[u8], cut: usize, is_error: bool) -> Vec<Self> {
        let level = if is_error { Level::WARN } else { Level::INFO };
        let plain = |line: &[u8], cut: usize| {
            let line = line.trim_ascii_end();
            let shown = &line[..line.len().min(MAX_LINE)];
            Self {
                text: shortened(String::from_utf8_lossy(shown), line.len() - shown.len() + cut),
                level,
                logger: None,
            }
        };
        let start = line.iter().position(|byte| *byte == RECORD).filter(|_| is_error);
        let record = start.and_then(|start| Self::record(&line[start + 1..]).map(|record| (start, record)));
        match record {
            Some((0, record)) => vec![record],
            Some((start, record)) => vec![plain(&line[..start], 0), record],
            None => vec![plain(line, cut)],
        }
    }

    fn record(line: &[u8]) -> Option<Self> {
        let value: Value = serde_json::from_slice(line).ok()?;
        let text = value["text"].as_str()?;
        let end = (0..=text.len().min(MAX_LINE)).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
        let shown = &text[..end];
        let text = shortened(shown.into(), text.len() - shown.len());
        let logger = value["logger"].as_str().map(str::to_owned);
        Some(Self { text, level: value["level"].as_str()?.parse().ok()?, logger })
    }

    fn is_urgent(&self) -> bool {
        self.logger.is_some() && self.level <= Level::WARN
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

fn shortened(text: std::borrow::Cow<'_, str>, cut: usize) -> String {
    if cut == 0 { text.into_owned() } else { format!("{text}... ({cut} bytes more)") }
}

/// The way of a worker's lines to the log: a queue, and a thread that logs. When the log stands still, because nobody
/// reads it, what does not fit is counted, and whoever reads the worker's output goes on.
#[derive(Clone)]
pub struct Log {
    lines: SyncSender<Vec<Said>>,
    dropped: Arc<AtomicUsize>,
    end: Arc<std::sync::Mutex<Option<Receiver<()>>>>,
}

impl Log {
    /// `None` without a thread: then nothing is logged.
    pub fn start(node: &str) -> Option<Self> {
        let (lines, waiting) = sync_channel(MOST_WAITING);
        let (done, end) = sync_channel(1);
        let dropped = Arc::new(AtomicUsize::new(0));
        let (node, lost) = (node.to_owned(), dropped.clone());
        let work = move || {
            log_all(&node, &waiting, &lost);
            let _ = done.send(());
        };
        std::thread::Builder::new().name("remotemedia-log".into()).spawn(work).ok()?;
        Some(Self { lines, dropped, end: Arc::new(std::sync::Mutex::new(Some(end))) })
    }

    /// Gives it lines to log, if there is room.
    pub fn put(&self, said: Vec<Said>) {
        if self.lines.try_send(said).is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// What says that all is logged, when nobody has this any more.
    pub fn into_end(self) -> Receiver<()> {
        let end = self.end.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take();
        end.unwrap_or_else(|| sync_channel(1).1)
    }
}

fn log_all(node: &str, lines: &Receiver<Vec<Said>>, lost: &AtomicUsize) {
    let (mut second, mut count, mut dropped) = (Instant::now(), 0_usize, 0_usize);
    let tell = |dropped: &mut usize| {
        *dropped += lost.swap(0, Ordering::Relaxed);
        if *dropped > 0 {
            tracing::warn!(target: TARGET, node, dropped = *dropped, "lines of a worker's output were not logged");
        }
        *dropped = 0;
    };
    while let Ok(said) = lines.recv() {
        if second.elapsed() > Duration::from_secs(1) {
            tell(&mut dropped);
            (second, count) = (Instant::now(), 0);
        }
        count += 1;
        // Records of what went wrong have more room than what is printed.
        if count > if said.iter().any(Said::is_urgent) { MOST_URGENT } else { LINES_A_SECOND } {
            dropped += 1;
        } else {
            said.iter().for_each(|said| said.log(node));
        }
    }
    tell(&mut dropped);
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

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(input: &[u8]) -> Vec<String> {
        let (mut pipe, mut line, mut found) = (std::io::BufReader::new(input), Vec::new(), Vec::new());
        while let Some(cut) = read_line(&mut pipe, &mut line) {
            found.extend(Said::of(&line, cut, true).into_iter().map(|said| said.text));
        }
        found
    }

    #[test]
    fn a_long_line_is_cut_at_8_kib_and_the_rest_is_counted() {
        for len in [MAX_LINE - 1, MAX_LINE, MAX_LINE + 1, MAX_READ - 1, MAX_READ, MAX_READ + 1, 1 << 20] {
            let input = [&vec![b'x'; len][..], b"\nnext\n"].concat();
            let shown = "x".repeat(len.min(MAX_LINE));
            let want = if len <= MAX_LINE { shown } else { format!("{shown}... ({} bytes more)", len - MAX_LINE) };
            assert_eq!(texts(&input), [want, "next".to_owned()], "{len}");
        }
    }

    #[test]
    fn the_text_of_a_record_is_cut_as_well() {
        let record =
            |text: &str| format!("\u{1e}{}\n", serde_json::json!({"level": "INFO", "logger": "a", "text": text}));
        assert_eq!(texts(format!("begun{}", record("done")).as_bytes()), ["begun", "done"]);
        let text = "\u{e9}".repeat(MAX_LINE);
        assert_eq!(
            texts(record(&text).as_bytes()),
            [format!("{}... ({MAX_LINE} bytes more)", "\u{e9}".repeat(MAX_LINE / 2))]
        );
    }

    #[test]
    fn a_log_that_stands_still_holds_nobody_up() {
        let (lines, waiting) = sync_channel(2);
        let dropped = Arc::new(AtomicUsize::new(0));
        let log = Log { lines, dropped: dropped.clone(), end: Arc::default() };
        for _ in 0..10 {
            log.put(Said::of(b"line", 0, true));
        }
        assert_eq!((waiting.try_iter().count(), dropped.load(Ordering::Relaxed)), (2, 8));
    }
}
