//! How much later than its input a result comes, before anything has run.
//!
//! A node says how far it looks ahead and in what blocks it works. From the time of a result's frame one can then go
//! back, node by node, to the time up to which each source must have come. Where branches join, the later one counts.
//! Going back frame by frame, rather than adding up worst cases, is exact: two nodes that work in the same blocks hold
//! a frame back for one block, not two.

use serde_json::{Value, json};

use super::{Graph, GraphNode};
use crate::data::{Format, Kind, Kinds, Pts, gcd};
use crate::error::{Error, ErrorKind, Result};
use crate::node::{Align, Latency, Opening, PortId};

/// The latency of one result behind one source. The length of what is pushed at a time comes on top.
#[derive(Debug, Clone, PartialEq)]
pub struct PathLatency {
    /// The id of the node that takes the input.
    pub source: String,
    /// The result: `node`, or `node.port`.
    pub result: String,
    /// How far the nodes on the way look ahead, in seconds.
    pub delay_s: f64,
    /// The longest block that a node on the way works in, in seconds.
    pub block_s: f64,
    /// How long the luckiest frame is held back, in seconds.
    pub min_s: f64,
    /// How long the unluckiest frame is held back, in seconds.
    pub max_s: f64,
    /// Whether it depends on what is in the stream, as that of events does; the figures are 0 then.
    pub of_content: bool,
    /// The nodes that hold audio back, the largest first.
    pub nodes: Vec<NodeLatency>,
}

impl PathLatency {
    /// As JSON, with times in milliseconds; null where they depend on what is in the stream.
    pub fn to_json(&self) -> Value {
        let ms = |seconds: f64| seconds * 1e3;
        let bound = |seconds: f64| if self.of_content { Value::Null } else { json!(ms(seconds)) };
        let nodes = self
            .nodes
            .iter()
            .map(|node| json!({"node": node.node, "delay_ms": ms(node.delay_s), "block_ms": ms(node.block_s)}));
        json!({
            "source": self.source, "result": self.result,
            "delay_ms": ms(self.delay_s), "block_ms": ms(self.block_s),
            "min_ms": bound(self.min_s), "max_ms": bound(self.max_s),
            "nodes": nodes.collect::<Vec<_>>(),
        })
    }
}

/// What one node adds.
#[derive(Debug, Clone, PartialEq)]
pub struct NodeLatency {
    /// Its id.
    pub node: String,
    /// How far it looks ahead, in seconds.
    pub delay_s: f64,
    /// The block that it works in, in seconds.
    pub block_s: f64,
}

/// The most frames of a result that are followed back.
const FRAMES: i128 = 100_000;

/// A latency in ticks.
#[derive(Debug, Clone, Copy)]
struct Step {
    delay: i128,
    block: i128,
}

impl Step {
    /// Up to when the input must have come for all output before a time.
    fn need(self, until: i128) -> i128 {
        let ahead = until + self.delay;
        if self.block == 0 { ahead } else { -(-ahead).div_euclid(self.block) * self.block }
    }
}

/// A node as the walk sees it: for each output its steps, the last one first; `None` where it depends on the stream.
struct Stop {
    outputs: Vec<Option<Vec<Step>>>,
}

impl Graph {
    /// The latency from every source to every result, when the input has a format.
    ///
    /// # Errors
    /// `Format` when the formats are not known, and what a node says when it is opened.
    pub fn latency(&self, input: &Format) -> Result<Vec<PathLatency>> {
        let (inputs, formats) = self.flow(input, false)?;
        let opened = self.opened(&inputs)?;
        let rates: Vec<Option<u32>> =
            inputs.iter().map(|formats| formats.iter().find_map(Format::sample_rate_hz)).collect();
        let base = time_base(&opened, &rates);
        let ticks = |time: Pts| i128::from(time.ticks) * i128::from(time.num) * base / i128::from(time.den);
        let stops: Vec<Stop> = opened
            .iter()
            .zip(&rates)
            .map(|(outputs, rate)| {
                let frame = rate.map_or(0, |rate| base / i128::from(rate));
                let step = |latency: &Latency| Step {
                    delay: ticks(latency.delay),
                    block: if latency.block.ticks == 0 { frame } else { ticks(latency.block) },
                };
                Stop { outputs: outputs.iter().map(|of| of.as_ref().map(|of| of.iter().map(step).collect())).collect() }
            })
            .collect();
        let mut paths = Vec::new();
        for result in &self.results {
            let rate = formats[result.node][result.port.index()].sample_rate_hz();
            let reached = self.reached(result.node);
            for &source in self.sources.iter().filter(|source| reached[**source]) {
                let between = self.between(source, &reached);
                let mut path = PathLatency {
                    source: self.nodes[source].id.clone(),
                    result: result.name(),
                    delay_s: 0.0,
                    block_s: 0.0,
                    min_s: 0.0,
                    max_s: 0.0,
                    of_content: false,
                    nodes: contributors(self, &opened, &between),
                };
                path.of_content = self.results_of_content(result.node, result.port, &stops, &between);
                path.delay_s = path.nodes.iter().map(|node| node.delay_s).sum();
                path.block_s = path.nodes.iter().map(|node| node.block_s).fold(0.0, f64::max);
                if let (Some(rate), false) = (rate, path.of_content) {
                    let first = 10 * i128::from(rate);
                    let (mut least, mut most) = (i128::MAX, i128::MIN);
                    for frame in first..first + period(&stops, base, rate) {
                        let end = (frame + 1) * base / i128::from(rate);
                        let Some(need) = self.need(result.node, result.port, end, source, &stops) else { break };
                        let held = need - end;
                        (least, most) = (least.min(held), most.max(held));
                    }
                    if most >= least {
                        let seconds = |ticks: i128| ticks.max(0) as f64 / base as f64;
                        (path.min_s, path.max_s) = (seconds(least), seconds(most));
                    }
                }
                paths.push(path);
            }
        }
        Ok(paths)
    }

    /// What every node answers when it is opened.
    fn opened(&self, inputs: &[Vec<Format>]) -> Result<Vec<Vec<Option<Vec<Latency>>>>> {
        let mut opened = Vec::with_capacity(self.nodes.len());
        for (node, formats) in self.nodes.iter().zip(inputs) {
            known(node, formats, self.sources.contains(&opened.len()))?;
            let named = |error: Error| error.at_node(&node.id);
            let mut processor = node.kind.build(&node.params).map_err(named)?;
            opened.push(processor.open(formats, Opening::live(Align::Trim)).map_err(named)?.latency);
        }
        Ok(opened)
    }

    /// The nodes from which a result is reached.
    fn reached(&self, node: usize) -> Vec<bool> {
        let mut reached = vec![false; self.nodes.len()];
        reached[node] = true;
        for at in (0..node).rev() {
            reached[at] = self.nodes[at].targets.iter().flatten().any(|(target, _)| reached[*target]);
        }
        reached
    }

    /// Those of them that a source reaches.
    fn between(&self, source: usize, reached: &[bool]) -> Vec<bool> {
        let mut between = vec![false; self.nodes.len()];
        between[source] = true;
        for at in source..self.nodes.len() {
            if between[at] {
                for (target, _) in self.nodes[at].targets.iter().flatten() {
                    between[*target] |= reached[*target];
                }
            }
        }
        between
    }

    fn results_of_content(&self, node: usize, port: PortId, stops: &[Stop], between: &[bool]) -> bool {
        let of_content = |node: usize, port: usize| stops[node].outputs.get(port).is_some_and(Option::is_none);
        if of_content(node, port.index()) {
            return true;
        }
        (0..self.nodes.len()).filter(|at| between[*at] && *at != node).any(|at| {
            let ports = self.nodes[at].targets.iter().enumerate();
            ports.into_iter().any(|(port, targets)| targets.iter().any(|(to, _)| between[*to]) && of_content(at, port))
        })
    }

    /// Up to when a source must have come for all of a result before a time; `None` when it does not matter.
    fn need(&self, node: usize, port: PortId, until: i128, source: usize, stops: &[Stop]) -> Option<i128> {
        let mut wanted: Vec<Vec<Option<i128>>> = stops.iter().map(|stop| vec![None; stop.outputs.len()]).collect();
        *wanted.get_mut(node)?.get_mut(port.index())? = Some(until);
        let mut needs = vec![None; self.nodes.len()];
        for at in (0..=node).rev() {
            // What the nodes after it need is known: they come later in the order.
            for (port, targets) in self.nodes[at].targets.iter().enumerate() {
                for (target, _) in targets {
                    wanted[at][port] = wanted[at][port].max(needs[*target]);
                }
            }
            let through = wanted[at].iter().zip(&stops[at].outputs).filter_map(|(time, steps)| {
                let steps = steps.as_ref()?;
                Some(steps.iter().fold((*time)?, |time, step| step.need(time)))
            });
            needs[at] = through.max();
        }
        needs[source]
    }
}

fn contributors(graph: &Graph, opened: &[Vec<Option<Vec<Latency>>>], between: &[bool]) -> Vec<NodeLatency> {
    let mut nodes = Vec::new();
    for (at, node) in graph.nodes.iter().enumerate().filter(|(at, _)| between[*at]) {
        let used = |port: usize| node.result[port].is_some() || node.targets[port].iter().any(|(to, _)| between[*to]);
        let ports = opened[at].iter().enumerate().filter(|(port, _)| used(*port)).filter_map(|(_, of)| of.as_ref());
        let (mut delay_s, mut block_s) = (0.0_f64, 0.0_f64);
        for latencies in ports {
            delay_s = delay_s.max(latencies.iter().map(|latency| latency.delay.seconds()).sum());
            block_s = block_s.max(latencies.iter().map(|latency| latency.block.seconds()).sum());
        }
        if delay_s > 0.0 || block_s > 0.0 {
            nodes.push(NodeLatency { node: node.id.clone(), delay_s, block_s });
        }
    }
    nodes.sort_by(|left, right| (right.delay_s + right.block_s).total_cmp(&(left.delay_s + left.block_s)));
    nodes
}

/// After so many frames of a result all blocks lie as before, and so do the times that frames are held back.
fn period(stops: &[Stop], base: i128, rate: u32) -> i128 {
    let frame = base / i128::from(rate);
    if base % i128::from(rate) != 0 {
        return FRAMES;
    }
    let blocks = stops.iter().flat_map(|stop| stop.outputs.iter().flatten().flatten()).map(|step| step.block);
    let whole = blocks.filter(|block| *block > 0).try_fold(frame, |period, block| {
        Some(period / gcd(period, block) * block).filter(|period| *period < FRAMES * frame)
    });
    whole.map_or(FRAMES, |period| period / frame)
}

/// The formats must be known to open a node.
fn known(node: &GraphNode, formats: &[Format], source: bool) -> Result<()> {
    let ports = node.kind.info().inputs.iter().zip(&node.connected).enumerate();
    for (format, (index, (port, connected))) in formats.iter().zip(ports) {
        let taken = *connected || source && index == 0;
        let audio = port.kinds == Kinds::only(Kind::Audio);
        let open = matches!(format, Format::Audio { sample_rate_hz, channels } if sample_rate_hz.is_none() || channels.is_none());
        if open || (taken && audio && *format == Format::Unknown) {
            let text = format!("the format of its input is {format}, expected one that is known");
            return Err(Error::new(ErrorKind::Format, text)
                .code_of("RM0202")
                .at_node(&node.id)
                .hint("declare it: \"input\": {\"type\": \"audio\", \"sample_rate_hz\": 48000, \"channels\": 1}"));
        }
    }
    Ok(())
}

/// Ticks a second in which every delay, block and frame is whole; nanoseconds where there is no such number of use.
fn time_base(opened: &[Vec<Option<Vec<Latency>>>], rates: &[Option<u32>]) -> i128 {
    let times = opened.iter().flatten().flatten().flatten().flat_map(|latency| [latency.delay.den, latency.block.den]);
    let base = times.chain(rates.iter().copied().flatten()).try_fold(1_i128, |base, den| {
        let den = i128::from(den);
        Some(base / gcd(base, den) * den).filter(|base| *base < 1_i128 << 60)
    });
    base.unwrap_or(1_000_000_000)
}
