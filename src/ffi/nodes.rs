//! Nodes that are written in Python: how they are registered, called in this process, and served in a worker.

use std::sync::Arc;

use serde_json::Value;

use super::error::RemoteMediaError;
use super::raw::{Here, handle};
use crate::data::{AudioFormat, Format, Pts};
use crate::error::{Error, ErrorKind, Result};
use crate::ipc::{self, ClassRef, Declared, Interpreter, Output, PythonNode, Serving};
use crate::runtime::Runtime;

type Answer<T> = std::result::Result<T, RemoteMediaError>;

/// Makes nodes of this process possible; `remotemedia_python_nodes` has said how they are called.
#[uniffi::export]
pub fn raw_nodes_install() {
    ipc::install(Box::new(Here));
}

/// Says which interpreter workers are started with: its program, its flags and `sys.path` as JSON.
#[uniffi::export]
pub fn raw_interpreter(executable: String, flags_json: String, sys_path_json: String) -> Answer<()> {
    let list = |name: &str, json: &str| {
        serde_json::from_str(json).map_err(|error| Error::new(ErrorKind::InputValue, format!("{name}: {error}")))
    };
    let (flags, sys_path) = (list("the flags", &flags_json)?, list("sys.path", &sys_path_json)?);
    ipc::set_interpreter(Interpreter { executable: executable.into(), flags, sys_path });
    Ok(())
}

/// Adds a class of Python's to the nodes there are, in place of one that was added before under its name.
#[uniffi::export]
pub fn raw_register_node(definition_json: String) -> Answer<()> {
    let definition = super::session::parsed("definition", &definition_json)?;
    Ok(Runtime::shared().register(&(Arc::new(node(&definition)?) as _))?)
}

fn node(definition: &Value) -> Result<PythonNode> {
    let text = |key: &str| definition[key].as_str();
    let missing = |key: &str| Error::new(ErrorKind::InputValue, format!("the definition has no `{key}`"));
    let class = ClassRef {
        module: text("module").ok_or_else(|| missing("module"))?.to_owned(),
        name: text("class").ok_or_else(|| missing("class"))?.to_owned(),
        file: text("file").map(str::to_owned),
        key: text("key").map(str::to_owned),
    };
    let output = match &definition["output"] {
        Value::Null => Output::Unknown,
        Value::String(same) if same == "same" => Output::Same,
        value => Output::Format(format(value)?),
    };
    let latency = definition["latency_frames"].as_i64().zip(definition["latency_rate"].as_i64());
    let latency = latency.and_then(|(frames, rate)| Some(Pts::frames(frames, u32::try_from(rate).ok()?)));
    let changeable = definition["changeable"].as_array().into_iter().flatten();
    let declared = Declared {
        input: format(&definition["input"])?,
        output,
        latency,
        stateless: definition["stateless"] == Value::Bool(true),
        changeable: changeable.filter_map(Value::as_str).map(str::to_owned).collect(),
    };
    let name = text("name").ok_or_else(|| missing("name"))?;
    Ok(PythonNode::named(name, text("description").unwrap_or_default(), class, definition["params"].clone(), declared))
}

/// A format as a decorator declares it: null, a kind, or rate and channels of audio.
fn format(value: &Value) -> Result<Format> {
    let number = |key: &str| value[key].as_u64().and_then(|number| u32::try_from(number).ok());
    let kind = value.as_str().or_else(|| value["kind"].as_str());
    Ok(match kind {
        None => Format::Unknown,
        Some("audio") => {
            let (rate, channels) = (number("sample_rate_hz"), number("channels"));
            let channels = channels.and_then(|channels| u16::try_from(channels).ok());
            AudioFormat::new(rate.unwrap_or(48_000), channels.unwrap_or(1))?;
            Format::Audio { sample_rate_hz: rate, channels }
        }
        Some("video") => Format::VIDEO,
        Some("array") => Format::Array { dtype: None, shape: None },
        Some("text") => Format::Text,
        Some("json") => Format::Json,
        Some("binary") => Format::Binary,
        Some(other) => {
            let text = format!("a format is `{other}`, expected audio, video, array, text, json or binary");
            return Err(Error::new(ErrorKind::InputValue, text));
        }
    })
}

/// A worker process at its work.
#[derive(Debug, uniffi::Object)]
pub struct RawServing {
    inner: Serving,
}

impl RawServing {
    pub(super) fn next(&self) -> Result<[u64; 4]> {
        self.inner.next()
    }

    pub(super) fn reply(&self, head: &[u8], payload: &[u8]) -> Result<()> {
        self.inner.reply(head, payload)
    }
}

#[uniffi::export]
impl RawServing {
    /// Opens the channel of the host, whose first line this is. `life_line` is the file that ends this process when the
    /// host's end of it is closed.
    #[uniffi::constructor]
    pub fn new(first_line: String, life_line: String) -> Answer<Arc<Self>> {
        let inner = Serving::start(&first_line)?;
        let file = std::fs::File::open(&life_line)
            .map_err(|error| Error::new(ErrorKind::Io, format!("{life_line}: {error}")))?;
        Serving::end_with(file);
        Ok(Arc::new(Self { inner }))
    }

    /// What the plain calls take. Keep this object while they may be made.
    pub fn raw_handle(&self) -> u64 {
        handle(self)
    }

    /// Keeps the memory of the request that was taken last: its number.
    pub fn keep(&self) -> Answer<u64> {
        Ok(self.inner.keep()?)
    }

    /// Gives back memory that was kept.
    pub fn release(&self, number: u64) {
        self.inner.release(number);
    }

    /// Memory for the payload of a result, by a number that was not used before: its address; 0 when as much is lent as
    /// may be.
    pub fn lend(&self, number: u64, payload_len: u64) -> Answer<u64> {
        let len = usize::try_from(payload_len).unwrap_or(usize::MAX);
        Ok(self.inner.lend(number, len)?.unwrap_or(0))
    }

    /// Sends a reply whose payload was written to memory that was lent, and that nobody looks at any more.
    pub fn reply_lent(&self, number: u64, head: &[u8]) -> Answer<()> {
        Ok(self.inner.reply_lent(number, head)?)
    }

    /// Takes back memory that was lent and that nobody looks at any more.
    pub fn take_back(&self, number: u64) {
        self.inner.take_back(number);
    }

    /// Ends this process at once.
    pub fn exit(&self, code: i32) {
        ipc::exit_now(code);
    }
}
