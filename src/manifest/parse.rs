//! JSON text to [`Manifest`], with every problem that can be seen without knowing the nodes.

use std::collections::{BTreeMap, HashMap, HashSet};

use serde_json::{Map, Value};

use super::json::not_json;
use super::model::{Budget, Connection, InputFormats, Manifest, NodeSpec, OnError, PortRef};
use super::span::{Event, escape, locate, scan};
use super::{MAX_BYTES, MAX_CONNECTIONS, MAX_NODES, Source};
use crate::data::{Format, Kind, PixelFormat};
use crate::error::{Problem, Problems, Severity};
use crate::words::{Suggestions, shown};

/// What could be read, and what is wrong with it.
#[derive(Debug)]
pub struct Parsed {
    /// The manifest, as far as it could be read. Absent when the text is not a JSON object.
    pub manifest: Option<Manifest>,
    /// Errors and warnings, in the order of the text.
    pub problems: Vec<Problem>,
}

/// Reads a manifest of version "v1" from JSON text.
///
/// # Examples
/// ```
/// let parsed = remotemedia::manifest::parse(r#"{"version": "v1", "nodes": []}"#);
/// assert_eq!(parsed.problems[0].to_string(), "RM0107: `nodes` is empty, expected at least one node (at /nodes, line 1)");
/// ```
pub fn parse(text: &str) -> Parsed {
    parse_from(text, Source::Text)
}

/// Like [`parse`], for a text that comes from `source`.
pub fn parse_from(text: &str, source: Source<'_>) -> Parsed {
    let fail = |problem| Parsed { manifest: None, problems: vec![problem] };
    if text.len() > MAX_BYTES {
        return fail(
            Problem::error("RM0102", "", format!("the manifest has {} bytes", text.len()))
                .expected(format!("at most {MAX_BYTES}")),
        );
    }
    let value = match serde_json::from_str::<Value>(text) {
        Ok(value) => value,
        Err(error) => {
            let mut problems = [not_json(text, &error)];
            locate(text, source, &mut problems);
            return Parsed { manifest: None, problems: problems.into() };
        }
    };
    let mut reader = Reader::default();
    scan(text, &mut |event, _| {
        if let Event::Duplicate(pointer, key) = event
            && !reader.problems.is_full(Severity::Error)
        {
            let path = format!("{pointer}/{}", escape(key));
            reader.problems.push(
                Problem::error("RM0122", path, format!("the key `{key}` is written twice"))
                    .at_key()
                    .fix("keep one of the two; JSON readers drop the other in silence"),
            );
        }
    });
    let manifest = reader.manifest(&value);
    let mut problems = reader.problems.into_vec();
    locate(text, source, &mut problems);
    Parsed { manifest, problems }
}

#[derive(Default)]
struct Reader {
    problems: Problems,
    suggestions: Suggestions,
}

/// The ids of the nodes: to be looked up, and in the order of the manifest.
struct Ids<'a> {
    known: HashSet<&'a str>,
    nodes: &'a [NodeSpec],
}

impl<'a> Ids<'a> {
    fn of(nodes: &'a [NodeSpec]) -> Self {
        Self { known: nodes.iter().map(|node| node.id.as_str()).collect(), nodes }
    }

    fn in_order(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        self.nodes.iter().map(|node| node.id.as_str())
    }
}

const TOP_KEYS: [&str; 7] = ["version", "metadata", "nodes", "connections", "input", "outputs", "budget"];
const NODE_KEYS: [&str; 4] = ["id", "node_type", "params", "execution"];
const CONNECTION_KEYS: [&str; 4] = ["from", "to", "from_port", "to_port"];

impl Reader {
    fn push(&mut self, problem: Problem) {
        self.problems.push(problem);
    }

    fn wrong_type(&mut self, path: &str, name: &str, value: &Value, expected: &str) {
        self.push(
            Problem::error("RM0105", path, format!("`{name}` is {}", shown(value)))
                .found(shown(value))
                .expected(expected),
        );
    }

    fn unknown_keys(&mut self, path: &str, object: &Map<String, Value>, known: &[&str]) {
        for key in object.keys().filter(|key| !known.contains(&key.as_str())) {
            if self.problems.is_full(Severity::Warning) {
                return;
            }
            let near = self.suggestions.nearest(key, known.iter().copied());
            let mut problem =
                Problem::warning("RM0130", format!("{path}/{}", escape(key)), format!("the key `{key}` has no effect"))
                    .at_key()
                    .nearest(near);
            if near.is_none() {
                problem = problem.expected(known.join(", "));
            }
            self.push(problem);
        }
    }

    fn object<'a>(&mut self, path: &str, name: &str, value: &'a Value) -> Option<&'a Map<String, Value>> {
        let object = value.as_object();
        if object.is_none() {
            self.wrong_type(path, name, value, "an object");
        }
        object
    }

    fn optional_text(&mut self, path: &str, object: &Map<String, Value>, key: &str) -> Option<String> {
        let value = object.get(key)?;
        if value.is_null() {
            return None;
        }
        if value.as_str().is_none() {
            self.wrong_type(&format!("{path}/{key}"), key, value, "a string");
        }
        value.as_str().map(str::to_owned)
    }

    fn required_text(&mut self, path: &str, object: &Map<String, Value>, key: &str) -> Option<String> {
        let what = path.rsplit('/').nth(1).unwrap_or_default().trim_end_matches('s');
        match object.get(key) {
            Some(Value::String(text)) if !text.is_empty() => Some(text.clone()),
            Some(value) => {
                self.wrong_type(&format!("{path}/{key}"), key, value, "a non-empty string");
                None
            }
            None => {
                self.push(
                    Problem::error("RM0104", path, format!("the {what} has no `{key}`")).expected("a non-empty string"),
                );
                None
            }
        }
    }

    fn manifest(&mut self, value: &Value) -> Option<Manifest> {
        let Some(top) = value.as_object() else {
            self.push(
                Problem::error("RM0105", "", format!("the manifest is {}", shown(value))).expected("a JSON object"),
            );
            return None;
        };
        self.version(top);
        self.unknown_keys("", top, &TOP_KEYS);
        let mut manifest = Manifest::default();
        if let Some(metadata) = top.get("metadata").and_then(|value| self.object("/metadata", "metadata", value)) {
            self.unknown_keys("/metadata", metadata, &["name", "description", "auto_negotiate"]);
            manifest.name = self.optional_text("/metadata", metadata, "name");
            manifest.description = self.optional_text("/metadata", metadata, "description");
            if metadata.get("auto_negotiate").is_some_and(|value| value != &Value::Bool(false)) {
                self.push(
                    Problem::warning("RM0131", "/metadata/auto_negotiate", "`auto_negotiate` has no effect")
                        .at_key()
                        .fix("formats are checked, never converted unasked: put AudioResample or AudioChannels where one is needed"),
                );
            }
        }
        manifest.nodes = self.nodes(top)?;
        manifest.connections = self.connections(top, &manifest.nodes);
        manifest.input = self.input(top, &manifest.nodes);
        manifest.outputs = self.outputs(top, &manifest.nodes);
        manifest.budget = self.budget(top);
        Some(manifest)
    }

    fn budget(&mut self, top: &Map<String, Value>) -> Budget {
        let Some(budget) = top.get("budget").and_then(|value| self.object("/budget", "budget", value)) else {
            return Budget::default();
        };
        self.unknown_keys("/budget", budget, &["latency_ms", "copies"]);
        let mut number = |key: &str, whole: bool| {
            let value = budget.get(key)?;
            let number = value.as_f64().filter(|number| *number >= 0.0 && (!whole || number.fract() == 0.0));
            if number.is_none() {
                let expected = if whole { "a whole number from 0" } else { "a number of milliseconds from 0" };
                self.push(
                    Problem::error("RM0141", format!("/budget/{key}"), format!("`{key}` is {}", shown(value)))
                        .found(shown(value))
                        .expected(expected),
                );
            }
            number
        };
        let latency_ms = number("latency_ms", false);
        Budget { latency_ms, copies: number("copies", true).map(|copies| copies as usize) }
    }

    fn version(&mut self, top: &Map<String, Value>) {
        match top.get("version") {
            Some(Value::String(version)) if version == "v1" => {}
            Some(value) => self.push(
                Problem::error("RM0106", "/version", format!("`version` is {}", shown(value)))
                    .found(shown(value))
                    .expected("\"v1\"")
                    .fix("write \"version\": \"v1\""),
            ),
            None => self.push(
                Problem::error("RM0104", "", "the manifest has no `version`")
                    .expected("\"v1\"")
                    .fix("add \"version\": \"v1\""),
            ),
        }
    }

    /// `None` when there are too many to look at: nothing more can be said then.
    fn nodes(&mut self, top: &Map<String, Value>) -> Option<Vec<NodeSpec>> {
        let list = match top.get("nodes") {
            Some(Value::Array(list)) => list,
            Some(value) => {
                self.wrong_type("/nodes", "nodes", value, "a list of nodes");
                return Some(Vec::new());
            }
            None => {
                self.push(Problem::error("RM0104", "", "the manifest has no `nodes`").expected("a list of nodes"));
                return Some(Vec::new());
            }
        };
        if list.is_empty() {
            self.push(Problem::error("RM0107", "/nodes", "`nodes` is empty").expected("at least one node"));
        }
        if list.len() > MAX_NODES {
            self.push(
                Problem::error("RM0124", "/nodes", format!("the manifest has {} nodes", list.len()))
                    .expected(format!("at most {MAX_NODES}")),
            );
            return None;
        }
        let mut first_use: HashMap<String, usize> = HashMap::new();
        let mut nodes = Vec::with_capacity(list.len());
        for (index, value) in list.iter().enumerate() {
            let path = format!("/nodes/{index}");
            let Some(object) = self.object(&path, "node", value) else { continue };
            self.unknown_keys(&path, object, &NODE_KEYS);
            let id = self.required_text(&path, object, "id");
            let node_type = self.required_text(&path, object, "node_type");
            if let Some(id) = &id {
                if let Some(first) = first_use.get(id) {
                    self.push(
                        Problem::error("RM0108", format!("{path}/id"), format!("the id `{id}` is used twice"))
                            .found(id.clone())
                            .fix(format!("give it another name; /nodes/{first} has this one"))
                            .node(id.clone()),
                    );
                    continue;
                }
                first_use.insert(id.clone(), index);
            }
            let params = match object.get("params") {
                None | Some(Value::Null) => Map::new(),
                Some(value) => self.object(&format!("{path}/params"), "params", value).cloned().unwrap_or_default(),
            };
            let (on_error, execution) = self.execution(&path, object);
            // A node without a name or type is kept under a placeholder, so that the rest of it is checked too.
            let (Some(id), Some(node_type)) = (id, node_type) else { continue };
            nodes.push(NodeSpec { id, node_type, params, on_error, execution, index });
        }
        Some(nodes)
    }

    /// What to do when it fails, and the rest of `execution`, which is checked with the node.
    fn execution(&mut self, path: &str, node: &Map<String, Value>) -> (OnError, Map<String, Value>) {
        let path = format!("{path}/execution");
        let Some(value) = node.get("execution").filter(|value| !value.is_null()) else { return Default::default() };
        let Some(object) = self.object(&path, "execution", value) else { return Default::default() };
        let mut rest = object.clone();
        let on_error = match rest.shift_remove("on_error").as_ref().map(Value::as_str) {
            None | Some(Some("fail")) => OnError::Fail,
            Some(Some("skip")) => OnError::Skip,
            Some(_) => {
                let path = format!("{path}/on_error");
                self.wrong_type(&path, "on_error", &object["on_error"], "\"fail\" or \"skip\"");
                OnError::Fail
            }
        };
        (on_error, rest)
    }

    fn connections(&mut self, top: &Map<String, Value>, nodes: &[NodeSpec]) -> Vec<Connection> {
        let none = Vec::new();
        let list = match top.get("connections") {
            None | Some(Value::Null) => &none,
            Some(Value::Array(list)) => list,
            Some(value) => {
                self.wrong_type("/connections", "connections", value, "a list of connections");
                return Vec::new();
            }
        };
        if list.len() > MAX_CONNECTIONS {
            self.push(
                Problem::error("RM0124", "/connections", format!("the manifest has {} connections", list.len()))
                    .expected(format!("at most {MAX_CONNECTIONS}")),
            );
            return Vec::new();
        }
        if list.is_empty() && nodes.len() > 1 {
            self.push(
                Problem::error("RM0120", "/connections", format!("{} nodes and no connections", nodes.len()))
                    .expected("connections that say how data flows")
                    .fix(format!("add {{\"from\": \"{}\", \"to\": \"{}\"}} and so on", nodes[0].id, nodes[1].id)),
            );
        }
        let ids = Ids::of(nodes);
        let mut connections = Vec::with_capacity(list.len());
        for (index, value) in list.iter().enumerate() {
            let path = format!("/connections/{index}");
            let Some(object) = self.object(&path, "connection", value) else { continue };
            self.unknown_keys(&path, object, &CONNECTION_KEYS);
            let from = self.end(&path, object, "from", &ids);
            let to = self.end(&path, object, "to", &ids);
            if let (Some(from), Some(to)) = (from, to) {
                if from.node == to.node {
                    self.push(
                        Problem::error("RM0116", &path, format!("node `{}` is connected to itself", from.node))
                            .node(from.node.clone())
                            .fix("a pipeline flows one way: remove the connection"),
                    );
                    continue;
                }
                connections.push(Connection { from, to, index });
            }
        }
        connections
    }

    /// One end of a connection; `None` when it leads nowhere, which is then a problem.
    fn end(&mut self, path: &str, object: &Map<String, Value>, key: &str, ids: &Ids<'_>) -> Option<PortRef> {
        let node = self.required_text(path, object, key)?;
        let port = self.optional_text(path, object, &format!("{key}_port"));
        if ids.known.contains(node.as_str()) {
            return Some(PortRef { node, port });
        }
        let mut problem = Problem::error("RM0114", format!("{path}/{key}"), format!("there is no node `{node}`"))
            .found(node.clone())
            .nearest(self.suggestions.nearest(&node, ids.in_order()));
        if let Some((id, port)) = node.rsplit_once('.').filter(|(id, _)| ids.known.contains(id)) {
            problem = problem.fix(format!("write \"{key}\": \"{id}\", \"{key}_port\": \"{port}\""));
        } else if problem.nearest.is_none() {
            problem = problem.expected("the id of a node");
        }
        self.push(problem);
        None
    }

    fn outputs(&mut self, top: &Map<String, Value>, nodes: &[NodeSpec]) -> Option<Vec<PortRef>> {
        let list = match top.get("outputs")? {
            Value::Null => return None,
            Value::Array(list) => list,
            value => {
                self.wrong_type("/outputs", "outputs", value, "a list of \"node\" or \"node.port\"");
                return None;
            }
        };
        let ids = Ids::of(nodes);
        let known = |id: &str| ids.known.contains(id);
        let mut named = HashSet::new();
        let mut outputs = Vec::new();
        for (index, value) in list.iter().enumerate() {
            let path = format!("/outputs/{index}");
            let Some(name) = value.as_str() else {
                self.wrong_type(&path, "outputs", value, "\"node\" or \"node.port\"");
                continue;
            };
            let output = if known(name) {
                Some(PortRef { node: name.to_owned(), port: None })
            } else {
                name.rsplit_once('.')
                    .filter(|(id, _)| known(id))
                    .map(|(id, port)| PortRef { node: id.to_owned(), port: Some(port.to_owned()) })
            };
            match output {
                Some(_) if !named.insert(name) => self.push(
                    Problem::error("RM0123", path, format!("the output `{name}` is named twice")).fix("keep one"),
                ),
                Some(output) => outputs.push(output),
                None => {
                    let id = name.split('.').next().unwrap_or(name);
                    let problem = Problem::error("RM0123", path, format!("there is no output `{name}`"))
                        .found(name)
                        .expected("\"node\" or \"node.port\"")
                        .nearest(self.suggestions.nearest(id, ids.in_order()));
                    self.push(problem);
                }
            }
        }
        Some(outputs)
    }

    fn input(&mut self, top: &Map<String, Value>, nodes: &[NodeSpec]) -> InputFormats {
        let Some(value) = top.get("input").filter(|value| !value.is_null()) else { return InputFormats::Undeclared };
        let Some(object) = self.object("/input", "input", value) else { return InputFormats::Undeclared };
        if object.get("type").is_some_and(Value::is_string) || object.is_empty() {
            return self.format("/input", object).map_or(InputFormats::Undeclared, InputFormats::All);
        }
        let ids = Ids::of(nodes);
        let mut by_node = BTreeMap::new();
        for (id, value) in object {
            let path = format!("/input/{}", escape(id));
            if !ids.known.contains(id.as_str()) {
                let problem = Problem::error("RM0125", path, format!("there is no node `{id}`"))
                    .expected("a format with `type`, or formats by node id")
                    .nearest(self.suggestions.nearest(id, ids.in_order()));
                self.push(problem);
                continue;
            }
            let Some(object) = self.object(&path, id, value) else { continue };
            if let Some(format) = self.format(&path, object) {
                by_node.insert(id.clone(), format);
            }
        }
        InputFormats::ByNode(by_node)
    }

    fn format(&mut self, path: &str, object: &Map<String, Value>) -> Option<Format> {
        const NAMES: [&str; 6] = ["audio", "video", "array", "text", "json", "binary"];
        let name = self.required_text(path, object, "type")?;
        let kind = Kind::ALL.into_iter().find(|kind| kind.name() == name);
        Some(match kind {
            Some(Kind::Audio) => {
                self.unknown_keys(path, object, &["type", "sample_rate_hz", "channels"]);
                let rate = self.number(path, object, "sample_rate_hz", 1_536_000);
                let channels = self.number(path, object, "channels", 64);
                Format::Audio { sample_rate_hz: rate, channels: channels.and_then(|n| u16::try_from(n).ok()) }
            }
            Some(Kind::Video) => {
                self.unknown_keys(path, object, &["type", "width", "height", "pixel_format"]);
                let width = self.number(path, object, "width", 32_768);
                let height = self.number(path, object, "height", 32_768);
                let pixels = self.optional_text(path, object, "pixel_format");
                let pixel_format = pixels.and_then(|name| match name.parse::<PixelFormat>() {
                    Ok(format) => Some(format),
                    Err(error) => {
                        self.push(Problem::error("RM0112", format!("{path}/pixel_format"), error.message()));
                        None
                    }
                });
                Format::Video { width, height, pixel_format }
            }
            Some(Kind::Array) => Format::Array { dtype: None, shape: None },
            Some(Kind::Text) => Format::Text,
            Some(Kind::Json) => Format::Json,
            Some(Kind::Binary) => Format::Binary,
            Some(Kind::Control) | None => {
                let problem = Problem::error("RM0112", format!("{path}/type"), format!("`type` is \"{name}\""))
                    .found(name.clone())
                    .expected(NAMES.join(", "))
                    .nearest(self.suggestions.nearest(&name, NAMES));
                self.push(problem);
                return None;
            }
        })
    }

    fn number(&mut self, path: &str, object: &Map<String, Value>, key: &str, max: u32) -> Option<u32> {
        let value = object.get(key).filter(|value| !value.is_null())?;
        let number = value.as_u64().and_then(|n| u32::try_from(n).ok()).filter(|n| (1..=max).contains(n));
        if number.is_none() {
            self.push(
                Problem::error("RM0112", format!("{path}/{key}"), format!("`{key}` is {}", shown(value)))
                    .found(shown(value))
                    .expected(format!("a whole number from 1 to {max}")),
            );
        }
        number
    }
}
