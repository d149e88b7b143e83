//! Every stable code of an error: what it means, an example, and what to do. `docs/errors.md` is made from this.

use crate::error::ErrorKind;

/// What is known of a code.
#[derive(Debug, Clone, Copy)]
pub struct Code {
    /// Such as `RM0103`. Stable.
    pub code: &'static str,
    /// The kind of the errors that carry it.
    pub kind: ErrorKind,
    /// In a few words.
    pub title: &'static str,
    /// What it means and what to do, in a few sentences.
    pub text: &'static str,
    /// A manifest that gives it, where one does.
    pub manifest: Option<&'static str>,
}

/// The entry of a code.
pub fn find(code: &str) -> Option<&'static Code> {
    CODES.iter().find(|entry| entry.code.eq_ignore_ascii_case(code))
}

const fn manifest(code: &'static str, title: &'static str, text: &'static str, example: &'static str) -> Code {
    Code { code, kind: ErrorKind::Manifest, title, text, manifest: Some(example) }
}

const fn format(code: &'static str, title: &'static str, text: &'static str, example: &'static str) -> Code {
    Code { code, kind: ErrorKind::Format, title, text, manifest: Some(example) }
}

const fn run_time(code: &'static str, kind: ErrorKind, title: &'static str, text: &'static str) -> Code {
    Code { code, kind, title, text, manifest: None }
}

/// All codes, in order.
pub const CODES: &[Code] = &[
    run_time(
        "RM0100",
        ErrorKind::Manifest,
        "The manifest cannot be used",
        "A manifest that never became JSON text: a file that is no UTF-8 or too large, or a dict with a value that JSON \
         cannot hold. The message names the place in the dict.",
    ),
    manifest(
        "RM0101",
        "The manifest is not JSON",
        "The text breaks the grammar of JSON at the place that is shown. JSON has no comments, no trailing commas and no \
         single quotes.",
        "{\"version\": \"v1\", \"nodes\": [}",
    ),
    run_time(
        "RM0102",
        ErrorKind::Manifest,
        "The manifest is too large or too deep",
        "At most 16 MiB of text, nested at most 127 levels. Generated manifests that are larger are better split into \
         several pipelines.",
    ),
    manifest(
        "RM0103",
        "Unknown node_type",
        "No node of this name is registered. The nearest name is suggested, and names of other systems are answered with \
         what does their work here. `remotemedia nodes` lists the nodes.",
        r#"{"version": "v1", "nodes": [{"id": "a", "node_type": "AudioResampel"}]}"#,
    ),
    manifest(
        "RM0104",
        "Something required is missing",
        "A manifest needs `version` and `nodes`, a node `id` and `node_type`, a connection `from` and `to`.",
        r#"{"version": "v1", "nodes": [{"id": "a"}]}"#,
    ),
    manifest(
        "RM0105",
        "A value of the wrong JSON type",
        "The value that stands there is of another type than what is expected, such as a number in place of text.",
        r#"{"version": "v1", "nodes": {}}"#,
    ),
    manifest(
        "RM0106",
        "Unknown version",
        "This library reads manifests of version \"v1\".",
        r#"{"version": "v99", "nodes": [{"id": "a", "node_type": "PassThrough"}]}"#,
    ),
    manifest("RM0107", "No nodes", "A pipeline has at least one node.", r#"{"version": "v1", "nodes": []}"#),
    manifest(
        "RM0108",
        "An id used twice",
        "Ids tell nodes apart in connections and results, so each must be unique.",
        r#"{"version": "v1", "nodes": [{"id": "a", "node_type": "PassThrough"}, {"id": "a", "node_type": "PassThrough"}],
 "connections": []}"#,
    ),
    manifest(
        "RM0110",
        "Unknown parameter",
        "The node has no parameter of this name. A parameter that is not understood is never ignored.",
        r#"{"version": "v1", "nodes": [{"id": "a", "node_type": "Gain", "params": {"gain_bd": -6}}]}"#,
    ),
    manifest(
        "RM0111",
        "A parameter of the wrong type",
        "The value of the parameter is of another type than the node takes.",
        r#"{"version": "v1", "nodes": [{"id": "a", "node_type": "Gain", "params": {"gain_db": "loud"}}]}"#,
    ),
    manifest(
        "RM0112",
        "A value out of range",
        "The value is outside of the range, or none of the words, that are allowed there. It is never clipped to the range.",
        r#"{"version": "v1", "nodes": [{"id": "a", "node_type": "AudioResample", "params": {"target_rate": 0}}]}"#,
    ),
    manifest(
        "RM0113",
        "A required parameter is missing",
        "The node cannot work without this parameter and has no default for it.",
        r#"{"version": "v1", "nodes": [{"id": "a", "node_type": "AudioResample"}]}"#,
    ),
    manifest(
        "RM0114",
        "A connection to a node that is not there",
        "`from` and `to` hold ids of nodes of this manifest.",
        r#"{"version": "v1", "nodes": [{"id": "a", "node_type": "PassThrough"}, {"id": "b", "node_type": "PassThrough"}],
 "connections": [{"from": "a", "to": "c"}]}"#,
    ),
    manifest(
        "RM0115",
        "A port that is not there",
        "Every node has the output `out`; nodes that analyse have `events` too. `remotemedia nodes NAME` lists the ports.",
        r#"{"version": "v1", "nodes": [{"id": "a", "node_type": "Gain"}, {"id": "b", "node_type": "PassThrough"}],
 "connections": [{"from": "a", "from_port": "events", "to": "b"}]}"#,
    ),
    manifest(
        "RM0116",
        "A node connected to itself",
        "A pipeline flows one way.",
        r#"{"version": "v1", "nodes": [{"id": "a", "node_type": "PassThrough"}],
 "connections": [{"from": "a", "to": "a"}]}"#,
    ),
    manifest(
        "RM0117",
        "A cycle",
        "A pipeline flows one way: the connections must not lead back. The message names the nodes of one cycle.",
        r#"{"version": "v1", "nodes": [{"id": "a", "node_type": "PassThrough"}, {"id": "b", "node_type": "PassThrough"}],
 "connections": [{"from": "a", "to": "b"}, {"from": "b", "to": "a"}]}"#,
    ),
    manifest(
        "RM0118",
        "Two connections into one input",
        "An input takes one connection. Two streams are not mixed unasked.",
        r#"{"version": "v1", "nodes": [{"id": "a", "node_type": "PassThrough"}, {"id": "b", "node_type": "PassThrough"},
           {"id": "c", "node_type": "PassThrough"}],
 "connections": [{"from": "a", "to": "c"}, {"from": "b", "to": "c"}]}"#,
    ),
    manifest(
        "RM0119",
        "Kinds of data that do not fit",
        "What the one node gives is not what the other takes, such as text into a resampler.",
        r#"{"version": "v1", "nodes": [{"id": "a", "node_type": "TextCase", "params": {"mode": "upper"}},
           {"id": "b", "node_type": "Gain"}],
 "connections": [{"from": "a", "to": "b"}]}"#,
    ),
    manifest(
        "RM0120",
        "Several nodes and no connections",
        "Nobody could know whether they were meant as a chain or side by side. Say which: connect them.",
        r#"{"version": "v1", "nodes": [{"id": "a", "node_type": "PassThrough"}, {"id": "b", "node_type": "PassThrough"}]}"#,
    ),
    manifest(
        "RM0121",
        "A place where the node cannot run",
        "Worker processes run nodes that are written in Python. Built-in nodes never need one.",
        r#"{"version": "v1", "nodes": [{"id": "a", "node_type": "PassThrough", "execution": {"placement": "process"}}]}"#,
    ),
    manifest(
        "RM0122",
        "A key written twice",
        "JSON readers keep one of the two in silence. Which one was meant, only you know.",
        r#"{"version": "v1", "version": "v1", "nodes": [{"id": "a", "node_type": "PassThrough"}]}"#,
    ),
    manifest(
        "RM0123",
        "An output that is not there, or named twice",
        "`outputs` lists results as `node` or `node.port`, each once.",
        r#"{"version": "v1", "nodes": [{"id": "a", "node_type": "PassThrough"}], "outputs": ["b"]}"#,
    ),
    run_time(
        "RM0124",
        ErrorKind::Manifest,
        "Too many nodes or connections",
        "At most 10,000 nodes and 100,000 connections.",
    ),
    manifest(
        "RM0125",
        "Input declared for a node that is not there",
        "`input` is one format, or formats by the ids of the nodes without a connected input.",
        r#"{"version": "v1", "nodes": [{"id": "a", "node_type": "PassThrough"}],
 "input": {"b": {"type": "audio", "sample_rate_hz": 48000}}}"#,
    ),
    manifest(
        "RM0130",
        "A key without effect (warning)",
        "The manifest runs; the key is not read by anything. Often it is misspelt.",
        r#"{"version": "v1", "comment": "mine", "nodes": [{"id": "a", "node_type": "PassThrough"}]}"#,
    ),
    manifest(
        "RM0131",
        "auto_negotiate has no effect (warning)",
        "Formats are always settled before data flows, and nothing is converted unasked. Leave the key out.",
        r#"{"version": "v1", "metadata": {"name": "a", "auto_negotiate": true},
 "nodes": [{"id": "a", "node_type": "PassThrough"}]}"#,
    ),
    manifest(
        "RM0141",
        "A limit that is no number",
        "`budget` takes `latency_ms`, in milliseconds, and `copies`, a whole number; both from 0.",
        r#"{"version": "v1", "budget": {"copies": "few"}, "nodes": [{"id": "a", "node_type": "PassThrough"}]}"#,
    ),
    manifest(
        "RM0142",
        "Over the latency budget",
        "A result can come later than `budget.latency_ms` after its input. The message names the nodes that hold the most \
         back. The formats of the input must be declared: latency depends on the sample rate.",
        r#"{"version": "v1", "budget": {"latency_ms": 5}, "input": {"type": "audio", "sample_rate_hz": 48000, "channels": 1}, "nodes": [{"id": "a", "node_type": "AudioResample", "params": {"target_rate": 16000}}]}"#,
    ),
    manifest(
        "RM0143",
        "Over the copy budget",
        "Media is copied or converted in more places than `budget.copies` allows. The message lists them.",
        r#"{"version": "v1", "budget": {"copies": 0}, "nodes": [{"id": "a", "node_type": "Chunk", "params": {"frames": 512}}]}"#,
    ),
    run_time(
        "RM0144",
        ErrorKind::Manifest,
        "A manifest that names code",
        "Running it would import a class, or start an interpreter, that the manifest names. That is allowed only where the \
         caller says so: `allow_python=True`, `--allow-python`.",
    ),
    run_time(
        "RM0200",
        ErrorKind::Format,
        "A format that cannot be used",
        "The stream's rate, channels, size or element type is not what is needed here. The message names both.",
    ),
    format(
        "RM0201",
        "A format that the node does not take",
        "The rate or the channels that come in are not those that the node or the manifest's `input` states. Put an \
         AudioResample or AudioChannels before it, or correct the declaration.",
        r#"{"version": "v1", "input": {"type": "audio", "sample_rate_hz": 44100, "channels": 2},
 "nodes": [{"id": "a", "node_type": "AudioResample", "params": {"source_rate": 48000, "target_rate": 16000}}]}"#,
    ),
    run_time(
        "RM0202",
        ErrorKind::Format,
        "A bare array without a rate",
        "An array says nothing of its sample rate. Pass `rm.Audio(x, sample_rate)`, or declare `input` in the manifest.",
    ),
    run_time(
        "RM0203",
        ErrorKind::Format,
        "The format changes within a stream",
        "The items of one call are one stream, of one rate and one number of channels. Run streams of other formats by \
         calls of their own.",
    ),
    run_time(
        "RM0204",
        ErrorKind::Format,
        "An element type that is no audio",
        "Audio is float16, float32, float64, int16, int32 or uint8. Convert other types, and say by that how they are \
         scaled.",
    ),
    run_time("RM0205", ErrorKind::Format, "Channels come first", "Audio arrays are `(frames, channels)`. Pass `x.T`."),
    run_time(
        "RM0206",
        ErrorKind::Format,
        "A shape that is no audio",
        "Audio arrays are `(frames,)` or `(frames, channels)`, and their channels are those declared.",
    ),
    run_time(
        "RM0300",
        ErrorKind::InputType,
        "An item of a type that cannot be used",
        "The item is none of: array, Audio, VideoFrame, text, bytes, JSON value, published dict.",
    ),
    run_time(
        "RM0301",
        ErrorKind::InputType,
        "An item of a kind that the node does not take",
        "The message names the kind that came in and the kinds that the node takes.",
    ),
    run_time(
        "RM0310",
        ErrorKind::InputValue,
        "A value that cannot be used",
        "The item or the argument is of the right type, and its value (length, range, shape) is not. The message names \
         the value and what is expected.",
    ),
    run_time(
        "RM0320",
        ErrorKind::InputValue,
        "There is not enough memory",
        "What comes out, or what is made on the way, needs more memory at once than there is. The message says how much. \
         Check the sample rates: from 1 Hz to 48 kHz a second of audio becomes thirteen hours. Give it less at a time, such \
         as frame by frame in a session.",
    ),
    run_time(
        "RM0400",
        ErrorKind::Node,
        "A node failed",
        "The message is the node's own. With `\"execution\": {\"on_error\": \"skip\"}` the packet is dropped instead, \
         counted in the metrics, and heard as silence of its length.",
    ),
    run_time(
        "RM0401",
        ErrorKind::Node,
        "A node panicked",
        "A fault in the node's code, caught: the process lives on. If it is one of ours, please report it.",
    ),
    run_time(
        "RM0402",
        ErrorKind::Node,
        "A Python node raised an exception",
        "The message has its type, its text and its traceback. The process that it runs in lives on.",
    ),
    run_time(
        "RM0403",
        ErrorKind::Node,
        "A Python node keeps views of its inputs",
        "Arrays are lent for one call. Views of as many earlier inputs as there is memory for are still held. Keep copies: \
         `x.copy()`, or set `execution.copy_inputs`.",
    ),
    run_time(
        "RM0404",
        ErrorKind::Node,
        "A node was interrupted",
        "Ctrl-C, or the handler of another signal, has ended the call in the middle of a node; that exception was raised. \
         What the node holds is not known, so the stream goes on only after `reset()`.",
    ),
    run_time(
        "RM0500",
        ErrorKind::WorkerStart,
        "A worker process did not start",
        "The interpreter was not found, the class could not be imported, or its setup failed. The message has the traceback, \
         or the exit status and the last lines of the worker's standard error.",
    ),
    run_time(
        "RM0510",
        ErrorKind::WorkerCrashed,
        "A worker process ended",
        "The message has its exit status and the last lines of its standard error. With `execution.restart` another one is \
         started and the session goes on; without it, `reset()` or another session starts one.",
    ),
    run_time(
        "RM0600",
        ErrorKind::Timeout,
        "The time allowed has passed",
        "The run did not end within `timeout`, and was stopped. Allow more time, or give it less to do.",
    ),
    run_time(
        "RM0610",
        ErrorKind::Closed,
        "Stopped or shut down",
        "The run was stopped, its results were taken before, or the runtime is shut down because the process ends.",
    ),
    run_time(
        "RM0620",
        ErrorKind::Busy,
        "In use by another thread",
        "An object that serves one caller at a time was called by two. Give each thread its own.",
    ),
    run_time("RM0630", ErrorKind::Full, "A bounded queue is full", "Take results out before putting more in."),
    run_time(
        "RM0700",
        ErrorKind::Io,
        "Reading or writing a file failed",
        "The message names the file and what the system said, or what is wrong with its content.",
    ),
    run_time(
        "RM0800",
        ErrorKind::Unsupported,
        "Not supported here",
        "This object, build or platform cannot do what was asked.",
    ),
    run_time("RM0900", ErrorKind::Internal, "A fault of RemoteMedia", "Please report it, with what you did."),
];
