//! What a run cost, node by node. Off, it costs nothing.

use hdrhistogram::Histogram;

/// The figures of one node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeMetrics {
    /// The node's id.
    pub node_id: String,
    /// Calls of `process`: one a packet, and a packet holds at most one slice of an item.
    pub calls: u64,
    /// Calls that failed.
    pub errors: u64,
    /// Packets in.
    pub packets_in: u64,
    /// Packets out.
    pub packets_out: u64,
    /// Audio frames (items of other kinds) in.
    pub frames_in: u64,
    /// Audio frames (items of other kinds) out.
    pub frames_out: u64,
    /// Packets dropped because the node failed on them.
    pub dropped: u64,
    /// Time in the node, its closing call included, in nanoseconds.
    pub total_ns: u64,
    /// The mean of the calls.
    pub mean_ns: u64,
    /// The shortest call.
    pub min_ns: u64,
    /// The longest call.
    pub max_ns: u64,
    /// The median of the calls, to 1 %.
    pub p50_ns: u64,
    /// The 99th percentile of the calls, to 1 %.
    pub p99_ns: u64,
    /// What the node itself has measured: of a node in a worker process, where the time of its frames went.
    pub worker: Option<serde_json::Value>,
}

/// The figures of one run.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RunMetrics {
    /// The manifest's name.
    pub pipeline: String,
    /// Wall time of the run, in nanoseconds.
    pub total_ns: u64,
    /// Time spent on measuring, in nanoseconds.
    pub overhead_ns: u64,
    /// The most bytes of media that the run held at once.
    pub peak_bytes: u64,
    /// Result samples that did not fit the integer type asked for.
    pub clipped: u64,
    /// Node by node, in the order of the manifest.
    pub nodes: Vec<NodeMetrics>,
}

/// Collects the figures of one node.
#[derive(Debug, Default)]
pub(super) struct Recorder {
    pub(super) errors: u64,
    pub(super) packets_in: u64,
    pub(super) packets_out: u64,
    pub(super) frames_in: u64,
    pub(super) frames_out: u64,
    pub(super) dropped: u64,
    total_ns: u64,
    end_ns: u64,
    calls: u64,
    min_ns: u64,
    max_ns: u64,
    /// For the percentile alone: it rounds.
    spread: Option<Histogram<u64>>,
}

impl Recorder {
    pub(super) fn call(&mut self, ns: u64) {
        self.total_ns += ns;
        self.min_ns = if self.calls == 0 { ns } else { self.min_ns.min(ns) };
        self.max_ns = self.max_ns.max(ns);
        self.calls += 1;
        // Two significant digits from 1 ns to 1 hour: about 40 KiB a node, made on the first call.
        if self.spread.is_none() {
            self.spread = Histogram::new_with_bounds(1, 3_600_000_000_000, 2).ok();
        }
        if let Some(spread) = &mut self.spread {
            spread.saturating_record(ns.max(1));
        }
    }

    /// The wait for the answer to a packet that was counted before.
    pub(super) fn wait(&mut self, ns: u64) {
        self.total_ns += ns;
    }

    /// The call at the end of the stream: its time counts, but no packet came with it.
    pub(super) fn end(&mut self, ns: u64) {
        self.total_ns += ns;
        self.end_ns += ns;
    }

    pub(super) fn figures(&self, node_id: &str) -> NodeMetrics {
        let quantile = |of: f64| {
            let ns = self.spread.as_ref().map_or(0, |spread| spread.value_at_quantile(of));
            ns.clamp(self.min_ns, self.max_ns)
        };
        NodeMetrics {
            node_id: node_id.to_owned(),
            calls: self.calls,
            errors: self.errors,
            packets_in: self.packets_in,
            packets_out: self.packets_out,
            frames_in: self.frames_in,
            frames_out: self.frames_out,
            dropped: self.dropped,
            total_ns: self.total_ns,
            mean_ns: (self.total_ns - self.end_ns) / self.calls.max(1),
            min_ns: self.min_ns,
            max_ns: self.max_ns,
            p50_ns: quantile(0.5),
            p99_ns: quantile(0.99),
            worker: None,
        }
    }
}
