//! Where everything is joined: the registry of all nodes, the compute threads, timers, and compiled pipelines.

use std::fmt::Write as _;
use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

use arc_swap::{ArcSwap, ArcSwapOption};
use serde_json::{Value, json};

use crate::builtin;
use crate::data::{AudioBuffer, Format, RuntimeData};
use crate::engine::{
    Compute, Group, Idle, Job, Live, LiveOptions, RunOptions, RunResults, Session, SessionOptions, Spawn, StopFlag,
    Ticket, VerifyOptions, VerifyReport, cost_ns, run, verify,
};
use crate::error::{Error, ErrorKind, Problem, Result, Severity};
use crate::graph::{self, Graph};
use crate::manifest::{self, Manifest, Source};
use crate::node::{NodeType, Registry};
use crate::words::counted;

/// Threads and timers, and the nodes there are.
///
/// Nothing is started before it is first used.
pub struct Runtime {
    registry: ArcSwap<Registry>,
    compute: Compute,
    /// For work that waits for somebody else, such as a worker process: it must not keep the compute threads from others.
    waiting: Compute,
    timers: OnceLock<Option<tokio::runtime::Runtime>>,
    process: u32,
}

/// Swapped without a lock: a fork while another thread held one would leave it locked in the child for ever.
static SHARED: ArcSwapOption<Runtime> = ArcSwapOption::const_empty();

/// How long a run that was told to stop may go on before its thread is given up. A slice takes a few milliseconds.
const GRACE: Duration = Duration::from_secs(1);

/// Threads that may wait for somebody else at a time.
const WAITING: usize = 64;

impl Runtime {
    /// A runtime with these nodes.
    pub fn new(registry: Registry) -> Arc<Self> {
        Arc::new(Self {
            registry: ArcSwap::from_pointee(registry),
            compute: Compute::default(),
            waiting: Compute::new(WAITING),
            timers: OnceLock::new(),
            process: std::process::id(),
        })
    }

    /// The runtime of this process, with the built-in nodes. A forked child gets one of its own: the threads of its
    /// parent are not in it.
    pub fn shared() -> Arc<Self> {
        loop {
            let present = SHARED.load_full();
            if let Some(runtime) = present.as_ref().filter(|runtime| runtime.process == std::process::id()) {
                return runtime.clone();
            }
            // A forked child knows the nodes that its parent knew.
            let runtime =
                Self::new(present.as_ref().map_or_else(all_nodes, |parent| Registry::clone(&parent.registry())));
            let before = SHARED.compare_and_swap(&present, Some(runtime.clone()));
            if before.as_ref().map(Arc::as_ptr) == present.as_ref().map(Arc::as_ptr) {
                // Of a parent process: its threads do not exist here, and dropping it would wait for them.
                std::mem::forget(present);
                return runtime;
            }
        }
    }

    /// Ends the threads of this process's runtime, if it has any. The next use starts fresh ones.
    pub fn shutdown_shared(limit: Duration) {
        let Some(runtime) = SHARED.swap(None) else { return };
        if runtime.process != std::process::id() {
            std::mem::forget(runtime);
            return;
        }
        runtime.compute.shutdown();
        runtime.waiting.shutdown();
        #[cfg(feature = "ipc")]
        crate::ipc::shutdown(limit);
        runtime.compute.join(limit);
        runtime.waiting.join(limit);
    }

    /// The nodes there are.
    pub fn registry(&self) -> Arc<Registry> {
        self.registry.load_full()
    }

    /// Adds a node type, for pipelines that are compiled from now on. One that users have added before under the same
    /// name is replaced.
    ///
    /// # Errors
    /// `InputValue` when a built-in node has the name.
    pub fn register(&self, node: &Arc<dyn NodeType>) -> Result<()> {
        let mut failed = Ok(());
        self.registry.rcu(|registry| {
            let mut registry = Registry::clone(registry);
            failed = registry.replace(node.clone());
            registry
        });
        failed
    }

    /// Where work on a graph is done: not on the compute threads if it waits.
    fn threads(&self, graph: &Graph) -> &Compute {
        if graph.waits() { &self.waiting } else { &self.compute }
    }

    /// Compute threads that were given up because a node does not return, and have not come back.
    pub fn abandoned_threads(&self) -> usize {
        self.compute.abandoned()
    }

    fn timers(&self) -> Option<&tokio::runtime::Handle> {
        let timers = self.timers.get_or_init(|| {
            tokio::runtime::Builder::new_multi_thread()
                .worker_threads(1)
                .thread_name("remotemedia-timer")
                .enable_time()
                .build()
                .ok()
        });
        timers.as_ref().map(tokio::runtime::Runtime::handle)
    }

    /// Stops the job when it has not ended in time.
    fn expire_after(&self, job: &Job, timeout_ms: u64) -> Result<()> {
        let Some(timers) = self.timers() else {
            return Err(Error::new(ErrorKind::Internal, "no thread could be started for the timeout"));
        };
        timers.spawn(job.expire_after(timeout_ms));
        Ok(())
    }

    /// The task was told to stop: drops it if it waits, and gives up its thread if it has not stopped in a while.
    fn watch(&self, task: &Ticket) {
        if task.withdraw()
            && let Some(timers) = self.timers()
        {
            let task = task.clone();
            timers.spawn(async move {
                tokio::time::sleep(GRACE).await;
                task.give_up();
            });
        }
    }
}

impl Drop for Runtime {
    fn drop(&mut self) {
        if self.process != std::process::id() {
            return;
        }
        self.compute.shutdown();
        self.waiting.shutdown();
        if let Some(Some(timers)) = self.timers.take() {
            timers.shutdown_background();
        }
    }
}

impl std::fmt::Debug for Runtime {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Runtime").field("registry", &self.registry).finish_non_exhaustive()
    }
}

/// A manifest, compiled once: immutable, cheap to share and to run many times.
#[derive(Debug, Clone)]
pub struct Pipeline {
    graph: Arc<Graph>,
    idle: Arc<Idle>,
    _in_use: Arc<InUse>,
    warnings: Vec<Problem>,
    manifest: Arc<str>,
}

/// A pipeline that can still be run. Sessions that are closed have its graph as well, and keep nothing running.
#[derive(Debug)]
struct InUse(Arc<Graph>, Arc<Idle>);

impl Drop for InUse {
    fn drop(&mut self) {
        self.1.close();
        self.0.retire();
    }
}

impl Pipeline {
    /// Compiles a manifest from JSON text, with the built-in nodes.
    ///
    /// # Errors
    /// `Manifest`, with every problem at once.
    pub fn new(manifest: &str) -> Result<Self> {
        Self::with_registry(manifest, &Runtime::shared().registry())
    }

    /// Compiles a manifest with nodes of your own.
    ///
    /// # Errors
    /// `Manifest`, with every problem at once.
    pub fn with_registry(text: &str, registry: &Registry) -> Result<Self> {
        Self::compile(text, Source::Text, registry)
    }

    /// Compiles a manifest whose text comes from `source`, with nodes of your own.
    ///
    /// # Errors
    /// `Manifest`, with every problem at once.
    pub fn compile(text: &str, source: Source<'_>, registry: &Registry) -> Result<Self> {
        Self::compile_with(text, source, registry, false)
    }

    /// The same for a manifest that may name code of its own, if `allow_python`: running it runs that code.
    ///
    /// # Errors
    /// `Manifest`, with every problem at once.
    pub fn compile_with(text: &str, source: Source<'_>, registry: &Registry, allow_python: bool) -> Result<Self> {
        let (graph, problems) = compile(text, source, registry, allow_python);
        match graph {
            Some(graph) => {
                tracing::debug!(pipeline = %graph.name, nodes = graph.nodes.len(), "pipeline compiled");
                let (graph, idle) = (Arc::new(graph), Arc::<Idle>::default());
                let in_use = Arc::new(InUse(graph.clone(), idle.clone()));
                Ok(Self { graph, idle, _in_use: in_use, warnings: problems, manifest: text.into() })
            }
            None => {
                // A problem of formats alone is a format error, with its code.
                let only_format =
                    problems.iter().filter(|p| p.severity == Severity::Error).all(|p| p.code.starts_with("RM02"));
                Err(if only_format { format_error(problems) } else { Error::manifest(problems) })
            }
        }
    }

    /// Everything that is wrong with a manifest, and whether [`new`](Self::new) takes it.
    pub fn validate(text: &str) -> (bool, Vec<Problem>) {
        Self::validate_from(text, Source::Text)
    }

    /// Like [`validate`](Self::validate), for a text that comes from `source`.
    pub fn validate_from(text: &str, source: Source<'_>) -> (bool, Vec<Problem>) {
        Self::validate_with(text, source, false)
    }

    /// The same as [`compile_with`](Self::compile_with) would find, with the nodes of the shared runtime.
    pub fn validate_with(text: &str, source: Source<'_>, allow_python: bool) -> (bool, Vec<Problem>) {
        let (graph, problems) = compile(text, source, &Runtime::shared().registry(), allow_python);
        (graph.is_some(), problems)
    }

    /// The checked graph.
    pub fn graph(&self) -> &Arc<Graph> {
        &self.graph
    }

    /// What the manifest says to no effect.
    pub fn warnings(&self) -> &[Problem] {
        &self.warnings
    }

    /// The text it was compiled from.
    pub fn manifest(&self) -> &str {
        &self.manifest
    }

    /// Runs items as one stream, on this thread.
    ///
    /// # Errors
    /// The first failure. It names the item and the node.
    pub fn run(&self, items: Vec<RuntimeData>, options: &RunOptions) -> Result<RunResults> {
        run(&self.graph, &self.idle, items, options)
    }

    /// Runs items as one stream on a compute thread, with a timeout in milliseconds (0: none).
    ///
    /// # Errors
    /// `Closed` when the runtime is shut down. The run's own failure comes with [`Job::take`].
    pub fn start(
        &self,
        runtime: &Arc<Runtime>,
        items: Vec<RuntimeData>,
        options: RunOptions,
        timeout_ms: u64,
    ) -> Result<Job> {
        let stop: StopFlag = options.stop.clone();
        let (job, finisher) = Job::new(stop);
        let (graph, idle) = (self.graph.clone(), self.idle.clone());
        tracing::debug!(pipeline = %graph.name, items = items.len(), timeout_ms, "run started on a compute thread");
        let Some(task) =
            runtime.threads(&self.graph).submit(move || finisher.finish(run(&graph, &idle, items, &options)))
        else {
            return Err(Error::new(ErrorKind::Closed, "the runtime is shut down"));
        };
        let watching = Arc::downgrade(runtime);
        job.on_stop(move || {
            if let Some(runtime) = watching.upgrade() {
                runtime.watch(&task);
            }
        });
        if timeout_ms > 0 {
            runtime.expire_after(&job, timeout_ms)?;
        }
        Ok(job)
    }

    /// Opens a session: one live stream, fed piece by piece on the caller's thread.
    ///
    /// # Errors
    /// `Format` when the input does not fit the graph.
    pub fn session(&self, options: SessionOptions) -> Result<Session> {
        Session::new(&self.graph, &self.idle, options)
    }

    /// Opens many sessions that one caller drives.
    ///
    /// # Errors
    /// `Format` when the input does not fit the graph.
    pub fn group(&self, options: &SessionOptions, streams: usize) -> Result<Group> {
        Group::new(&self.graph, &self.idle, options, streams)
    }

    /// Opens a live stream: items pushed, results taken, on compute threads where the work is long.
    ///
    /// # Errors
    /// `Format` when the input does not fit the graph.
    pub fn live(&self, runtime: &Arc<Runtime>, options: LiveOptions) -> Result<Live> {
        Live::new(
            &self.graph,
            options,
            Arc::new(OnThreads { runtime: Arc::downgrade(runtime), waits: self.graph.waits() }),
        )
    }

    /// Feeds the pipeline in many ways and compares what comes out: does a stream cut in any way give what the whole
    /// gives?
    ///
    /// # Errors
    /// When none of the inputs tried can go in.
    pub fn verify(&self, options: &VerifyOptions) -> Result<VerifyReport> {
        verify(&self.graph, options)
    }

    /// A pipeline of one node, with what it needs before it: a node with an input `vad` gets an EnergyVAD.
    ///
    /// # Errors
    /// `Manifest` for a node or parameters that there are not.
    pub fn of_node(node: &str, params: &Value, registry: &Registry) -> Result<Self> {
        let id = "node";
        let mut nodes = vec![json!({"id": id, "node_type": node, "params": params})];
        let mut connections = Vec::new();
        if registry.find(node).is_some_and(|kind| kind.info().input(Some("vad")).is_some()) {
            nodes.push(json!({"id": "vad", "node_type": "EnergyVAD"}));
            connections.push(json!({"from": "vad", "to": id, "to_port": "in"}));
            connections.push(json!({"from": "vad", "from_port": "probability", "to": id, "to_port": "vad"}));
        }
        let manifest = json!({"version": "v1", "nodes": nodes, "connections": connections});
        Self::compile(&manifest.to_string(), Source::Value, registry)
    }

    /// Estimated CPU time of a run over these items, in nanoseconds.
    pub fn cost_ns(&self, items: &[RuntimeData]) -> f64 {
        cost_ns(&self.graph, items)
    }

    /// The formats of every output by `node.port`, as far as the declared input tells.
    pub fn formats(&self) -> Vec<(String, Format)> {
        let formats = self.graph.formats(&Format::Unknown, false).unwrap_or_default();
        let mut named = Vec::new();
        for (node, formats) in self.graph.nodes.iter().zip(formats) {
            for (port, format) in node.kind.info().outputs.iter().zip(formats) {
                named.push((node.index, format!("{}.{}", node.id, port.name), format));
            }
        }
        named.sort_by_key(|(index, _, _)| *index);
        named.into_iter().map(|(_, name, format)| (name, format)).collect()
    }

    /// The pipeline on one screen: a line a node, with what comes out of it and where that goes.
    pub fn summary(&self) -> String {
        let formats: std::collections::HashMap<String, Format> = self.formats().into_iter().collect();
        let name = if self.graph.name.is_empty() { "pipeline" } else { &self.graph.name };
        let mut text = format!("{name}: {}\n", counted(self.graph.nodes.len(), "node"));
        for node in self.graph.nodes.iter().take(60) {
            let info = node.kind.info();
            let _ = write!(text, "  {} ({})", node.id, info.name);
            for (index, port) in info.outputs.iter().enumerate() {
                let mut to: Vec<String> =
                    node.targets[index].iter().map(|(target, _)| self.graph.nodes[*target].id.clone()).collect();
                if node.result[index].is_some() {
                    to.push("result".to_owned());
                }
                if to.is_empty() {
                    continue;
                }
                let format = formats.get(&format!("{}.{}", node.id, port.name)).unwrap_or(&Format::Unknown);
                let _ = write!(text, "  {} [{format}] -> {}", port.name, to.join(", "));
            }
            text.push('\n');
        }
        if self.graph.nodes.len() > 60 {
            let _ = writeln!(text, "  … {} more", self.graph.nodes.len() - 60);
        }
        // Names are the manifest's: a terminal must not obey them.
        crate::words::printable(&text).into_owned()
    }
}

fn compile(text: &str, source: Source<'_>, registry: &Registry, allow_python: bool) -> (Option<Graph>, Vec<Problem>) {
    let parsed = manifest::parse_from(text, source);
    let mut problems = parsed.problems;
    let Some(manifest): Option<Manifest> = parsed.manifest else { return (None, problems) };
    let clean = !problems.iter().any(|problem| problem.severity == Severity::Error);
    let checked = graph::check(&manifest, registry, allow_python);
    problems.extend(checked.problems);
    manifest::locate(text, source, &mut problems);
    (checked.graph.filter(|_| clean), problems)
}

/// Where jobs of a live stream are done.
struct OnThreads {
    runtime: Weak<Runtime>,
    waits: bool,
}

impl Spawn for OnThreads {
    fn spawn(&self, job: Box<dyn FnOnce() + Send>) -> bool {
        self.runtime.upgrade().is_some_and(|runtime| {
            let threads = if self.waits { &runtime.waiting } else { &runtime.compute };
            threads.submit(job).is_some()
        })
    }
}

/// The hosts, now dead, that have left something in shared memory, once for each of their runs; it is removed if `clean`.
/// `None`: this build has no workers.
pub fn leftovers(clean: bool) -> Option<Vec<u32>> {
    #[cfg(feature = "ipc")]
    return Some(
        crate::ipc::leftovers()
            .iter()
            .inspect(|left| {
                if clean {
                    left.remove();
                }
            })
            .map(|left| left.pid)
            .collect(),
    );
    #[cfg(not(feature = "ipc"))]
    {
        let _ = clean;
        None
    }
}

/// What workers need of a machine.
#[derive(Debug)]
pub struct ForWorkers {
    /// Where shared memory lies; free bytes of it and all of them, if it is there.
    pub shared_memory: (&'static str, Option<(u64, u64)>),
    /// Files that are open, and that may be.
    pub files: Option<(u64, u64)>,
    /// Whether this process is a Python interpreter, which workers can be started with.
    pub interpreter: bool,
}

/// What there is of what workers need. `None`: this build has none.
pub fn for_workers() -> Option<ForWorkers> {
    #[cfg(feature = "ipc")]
    return Some(ForWorkers {
        shared_memory: (crate::ipc::FOLDER, crate::ipc::room(crate::ipc::FOLDER)),
        files: std::fs::read_dir("/proc/self/fd").ok().map(|open| open.count() as u64).zip(crate::ipc::most_files()),
        interpreter: crate::ipc::Interpreter::is_here(),
    });
    #[cfg(not(feature = "ipc"))]
    None
}

fn all_nodes() -> Registry {
    let mut registry = Registry::default();
    if let Err(error) = builtin::register(&mut registry) {
        tracing::error!(%error, "a built-in node is missing");
    }
    #[cfg(feature = "ipc")]
    if let Err(error) = registry.add_type(Arc::new(crate::ipc::PythonNode::by_path())) {
        tracing::error!(%error, "the node type Python is missing");
    }
    registry
}

fn format_error(problems: Vec<Problem>) -> Error {
    let Some(first) = problems.iter().find(|problem| problem.severity == Severity::Error) else {
        return Error::new(ErrorKind::Internal, "no problem to report");
    };
    let mut error = Error::new(ErrorKind::Format, first.report("")).code_of(first.code).at_path(&first.path);
    if let Some(node) = &first.node {
        error = error.at_node(node);
    }
    error.with_problems(problems)
}

/// Audio at another rate or mixed to mono, through the same nodes as everything else.
///
/// # Errors
/// What the nodes say.
pub fn convert(audio: AudioBuffer, sample_rate_hz: Option<u32>, mono: bool) -> Result<AudioBuffer> {
    let mut nodes = Vec::new();
    if mono && audio.channels() != 1 {
        nodes.push(json!({"id": "mono", "node_type": "AudioChannels", "params": {"channels": 1}}));
    }
    if let Some(rate) = sample_rate_hz.filter(|rate| *rate != audio.sample_rate_hz()) {
        nodes.push(json!({"id": "rate", "node_type": "AudioResample", "params": {"target_rate": rate}}));
    }
    if nodes.is_empty() {
        return Ok(audio);
    }
    let connections = if nodes.len() == 2 { json!([{"from": "mono", "to": "rate"}]) } else { json!([]) };
    let manifest = json!({"version": "v1", "nodes": nodes, "connections": connections});
    let results = Pipeline::new(&manifest.to_string())?.run(vec![audio.into()], &RunOptions::default())?;
    let item = results.ports.into_iter().next().and_then(|port| port.items.into_iter().next());
    match item.map(|item| item.data) {
        Some(RuntimeData::Audio(audio)) => Ok(audio),
        _ => Err(Error::new(ErrorKind::Internal, "converting audio gave no audio")),
    }
}
