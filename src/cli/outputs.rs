//! What comes out of `run`: files that appear whole or not at all, and standard output.

use std::io::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};

use camino::{Utf8Path, Utf8PathBuf};
use serde_json::{Value, json};

use super::inputs::Raw;
use super::stdout;
use crate::data::{AudioBuffer, Kind, RuntimeData};
use crate::engine::{PortResult, ResultItem};
use crate::error::{Error, ErrorKind, Result};
use crate::graph::ResultPort;
use crate::media::{Subtype, check_name, wav_bytes, write_at};
use crate::words::nearest;

/// Where a result goes: `FILE`, or `NODE=FILE`, or `NODE.PORT=FILE`.
#[derive(Debug, Clone)]
pub(super) struct Target {
    /// The result; the only one when absent.
    port: Option<String>,
    file: String,
}

impl Target {
    pub(super) fn new(text: &str) -> Self {
        match text.split_once('=') {
            // A folder before the mark: the name of a file, which may have one.
            Some((port, file)) if !port.contains('/') => Self { port: Some(port.to_owned()), file: file.to_owned() },
            _ => Self { port: None, file: text.to_owned() },
        }
    }

    /// Refuses targets that would overwrite one another.
    pub(super) fn check_all(targets: &[Self]) -> Result<()> {
        for (index, target) in targets.iter().enumerate() {
            if targets[..index].iter().any(|before| before.place() == target.place()) {
                let text = format!("two results go to {}", target.file);
                return Err(Error::new(ErrorKind::InputValue, text).at_path(target.file.as_str()));
            }
        }
        Ok(())
    }

    /// Where it is really written: behind a link, what the link names.
    fn place(&self) -> Utf8PathBuf {
        let path = Utf8Path::new(&self.file);
        path.canonicalize_utf8().unwrap_or_else(|_| path.to_owned())
    }

    /// Whether it is a device, a pipe or the like, which is written to and never replaced.
    fn is_special(&self) -> bool {
        std::fs::metadata(&self.file).is_ok_and(|found| !found.is_file() && !found.is_dir())
    }

    pub(super) fn is_standard_output(&self) -> bool {
        self.file == "-"
    }

    /// Refuses what would destroy something: a file that goes in, or one that is there already.
    pub(super) fn check(&self, inputs: &[String], force: bool) -> Result<()> {
        let same = |input: &String| {
            std::fs::canonicalize(input).ok().is_some_and(|path| std::fs::canonicalize(&self.file).ok() == Some(path))
        };
        let refuse = |text: String| Err(Error::new(ErrorKind::InputValue, text).at_path(self.file.as_str()));
        if inputs.iter().any(same) {
            return refuse(format!("{} is an input too", self.file));
        }
        if Utf8Path::new(&self.file).is_dir() {
            return refuse(format!("{} is a folder, expected a file", self.file));
        }
        if !force && !self.is_standard_output() && !self.is_special() && Utf8Path::new(&self.file).exists() {
            return refuse(format!("{} is there already; --force replaces it", self.file));
        }
        Ok(())
    }

    /// Checks that the file can be written, before there is anything to write: that its folder is there, and takes files.
    pub(super) fn prepare(&self) -> Result<()> {
        if self.is_standard_output() || self.is_special() {
            return Ok(());
        }
        let place = self.place();
        // A name that is too long, a folder on the way that is a file, or one that may not be looked into.
        match std::fs::symlink_metadata(&place) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(self.failed(error)),
            _ => {}
        }
        if place.file_name().is_none() || self.file.ends_with('/') {
            let text = format!("`{}` is no name of a file", self.file);
            return Err(Error::new(ErrorKind::InputValue, text).at_path(self.file.as_str()));
        }
        let part = part_of(&place);
        let tried = std::fs::File::create_new(&part).and_then(|_| std::fs::remove_file(&part));
        tried.map_err(|error| self.failed(error))
    }

    /// Checks that a file of this name can hold the result, as far as it is known what the result is.
    pub(super) fn check_kind(
        &self,
        result: &str,
        kind: Option<Kind>,
        is_raw: bool,
        subtype: Option<Subtype>,
    ) -> Result<()> {
        let refuse = |text: String, hint: &str| {
            Err(Error::new(ErrorKind::InputValue, text).at_path(self.file.as_str()).hint(hint))
        };
        let named_audio = self.is_named_audio();
        match kind {
            _ if self.is_standard_output() || self.is_special() => Ok(()),
            None => Ok(()),
            Some(Kind::Audio) if is_raw && !named_audio => Ok(()),
            Some(Kind::Audio) => check_name(Utf8Path::new(&self.file), subtype),
            Some(kind @ (Kind::Text | Kind::Json)) if named_audio => {
                refuse(format!("{}: `{result}` is {kind} and no audio", self.file), "name the file .txt or .jsonl")
            }
            Some(Kind::Text | Kind::Json) => Ok(()),
            Some(kind) => refuse(
                format!("{}: `{result}` is {kind}, which cannot be written", self.file),
                "write audio, text or JSON, or use the library",
            ),
        }
    }

    /// The result that is meant.
    pub(super) fn result<'a>(&self, ports: &'a [ResultPort]) -> Result<&'a ResultPort> {
        let names: Vec<String> = ports.iter().map(ResultPort::name).collect();
        let Some(wanted) = &self.port else {
            let outs: Vec<&ResultPort> = ports.iter().filter(|port| !port.stream).collect();
            return match (ports, outs.as_slice()) {
                ([one], _) => Ok(one),
                (_, [one]) => Ok(one),
                _ => Err(Error::new(
                    ErrorKind::InputValue,
                    format!("the pipeline has {} results: {}", ports.len(), names.join(", ")),
                )
                .hint(format!(
                    "say which: -o {}={}",
                    names.first().map_or("node", String::as_str),
                    self.file
                ))),
            };
        };
        ports.iter().find(|port| port.name() == *wanted).ok_or_else(|| {
            let error = Error::new(
                ErrorKind::InputValue,
                format!("there is no result `{wanted}`, expected {}", names.join(" or ")),
            );
            match nearest(wanted, names.iter().map(String::as_str)) {
                Some(near) => error.hint(format!("did you mean `{near}`?")),
                None => error,
            }
        })
    }

    /// Writes the result. A file gets its name when it is whole.
    pub(super) fn write(&self, items: &[ResultItem], subtype: Option<Subtype>, raw: Option<Raw>) -> Result<()> {
        let audio = joined(items)?;
        if self.is_standard_output() || self.is_special() {
            let bytes = match (&audio, raw) {
                (Some(audio), Some(raw)) => raw.bytes(audio),
                (Some(audio), None) => wav_bytes(audio, subtype)?,
                (None, _) => lines(items)?.into_bytes(),
            };
            if !self.is_standard_output() {
                let opened = std::fs::OpenOptions::new().write(true).open(&self.file);
                return opened.and_then(|mut file| file.write_all(&bytes)).map_err(|error| self.failed(error));
            }
            return stdout::write(&bytes)
                .map_err(|error| Error::new(ErrorKind::Io, stdout::failed(&error)).at_path("-").caused_by(error));
        }
        let path = self.place();
        let path = path.as_path();
        let part = part_of(path);
        let raw = raw.filter(|_| !self.is_named_audio());
        let written = match (&audio, raw) {
            (Some(audio), Some(raw)) => std::fs::write(&part, raw.bytes(audio)).map_err(|error| self.failed(error)),
            (Some(audio), None) => write_at(&part, Utf8Path::new(&self.file), audio, subtype),
            (None, _) => lines(items).and_then(|text| std::fs::write(&part, text).map_err(|error| self.failed(error))),
        };
        let done = written.and_then(|()| std::fs::rename(&part, path).map_err(|error| self.failed(error)));
        if done.is_err() {
            let _ = std::fs::remove_file(&part);
        }
        done
    }

    /// Whether the name says that audio is in it.
    fn is_named_audio(&self) -> bool {
        check_name(Utf8Path::new(&self.file), None).is_ok()
    }

    fn failed(&self, error: std::io::Error) -> Error {
        Error::of_file(&self.file, error)
    }
}

/// A name beside the file. It has nothing of the file's own name, which may be as long as a name can be.
fn part_of(path: &Utf8Path) -> Utf8PathBuf {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    path.with_file_name(format!(".remotemedia-{}-{number}.part", std::process::id()))
}

/// The audio of all items, as one; nothing when they are no audio.
fn joined(items: &[ResultItem]) -> Result<Option<AudioBuffer>> {
    let mut format = None;
    let mut samples = Vec::new();
    for item in items {
        match &item.data {
            RuntimeData::Audio(audio) => {
                format.get_or_insert(audio.format());
                samples.extend_from_slice(audio.samples());
            }
            _ if format.is_some() => {
                return Err(Error::new(ErrorKind::Unsupported, "the result is partly audio and partly something else"));
            }
            _ => {}
        }
    }
    format.map(|format| AudioBuffer::new(samples, format)).transpose()
}

/// Text as it is, all else as JSON; a line an item.
fn lines(items: &[ResultItem]) -> Result<String> {
    let mut text = String::new();
    for item in items {
        match &item.data {
            RuntimeData::Text(line) => text.push_str(line),
            RuntimeData::Json(value) => text.push_str(&value.to_string()),
            other => {
                let kind = other.kind();
                return Err(Error::new(ErrorKind::Unsupported, format!("a result of kind {kind} cannot be written")));
            }
        }
        text.push('\n');
    }
    Ok(text)
}

/// A result in JSON: events and texts themselves, of audio what it is.
pub(super) fn summary(port: &PortResult) -> Result<Value> {
    if let Some(audio) = joined(&port.items)? {
        let (rate, channels) = (audio.sample_rate_hz(), audio.channels());
        return Ok(json!({"frames": audio.frames(), "sample_rate_hz": rate, "channels": channels}));
    }
    let value = |item: &ResultItem| match &item.data {
        RuntimeData::Text(text) => json!(&**text),
        RuntimeData::Json(value) => (**value).clone(),
        other => json!({"kind": other.kind().name()}),
    };
    Ok(Value::Array(port.items.iter().map(value).collect()))
}
