//! What needs knowledge of the nodes: types, parameters, ports, and the shape of the whole.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;

use super::hints::{Hint, hint};
use super::{Graph, GraphNode, ResultPort};
use crate::data::{Format, Kind, Kinds};
use crate::error::{Problem, Problems, Severity};
use crate::manifest::{InputFormats, Manifest, NodeSpec, PortRef};
use crate::node::{Execution, NodeInfo, NodeType, PortId, PortInfo, Registry};
use crate::words::Suggestions;

/// A graph, if the manifest has no error, and all problems.
#[derive(Debug)]
pub struct Checked {
    /// The graph.
    pub graph: Option<Graph>,
    /// Errors and warnings.
    pub problems: Vec<Problem>,
}

/// Checks a manifest against the nodes there are. Formats are checked as far as the input is declared. Code that the
/// manifest names is a problem unless `allow_python`.
pub fn check(manifest: &Manifest, registry: &Registry, allow_python: bool) -> Checked {
    let mut checker =
        Checker { manifest, allow_python, problems: Problems::default(), suggestions: Suggestions::default() };
    let types = checker.types(registry);
    let edges = checker.edges(&types);
    let order = checker.order(&edges);
    let outputs = checker.outputs(&types);
    let whole = !checker.problems.has_errors();
    let mut problems = checker.problems.into_vec();
    let graph = order.filter(|_| whole).map(|order| build(manifest, &types, &edges, &order, outputs.as_deref()));
    if let Some(graph) = &graph {
        let declared = graph.check_declared();
        if declared.is_none() {
            problems.extend(graph.check_budget(manifest.budget));
        }
        problems.extend(declared);
    }
    let whole = !problems.iter().any(|problem| problem.severity == Severity::Error);
    Checked { graph: graph.filter(|_| whole), problems }
}

/// A checked connection between positions in the manifest.
struct Edge {
    from: usize,
    from_port: PortId,
    to: usize,
    to_port: PortId,
}

type Types = Vec<Option<Arc<dyn NodeType>>>;

struct Checker<'a> {
    manifest: &'a Manifest,
    allow_python: bool,
    problems: Problems,
    suggestions: Suggestions,
}

impl Checker<'_> {
    fn types(&mut self, registry: &Registry) -> Types {
        let mut types = Vec::with_capacity(self.manifest.nodes.len());
        for node in &self.manifest.nodes {
            let path = format!("/nodes/{}", node.index);
            let Some(kind) = registry.find(&node.node_type) else {
                if self.problems.is_full(Severity::Error) {
                    types.push(None);
                    continue;
                }
                let same = registry.spelt_otherwise(&node.node_type);
                let hint = if same.is_some() { None } else { hint(&node.node_type) };
                let ours = match hint {
                    Some(Hint::Ours(name)) => Some(name),
                    // A near name would mislead: what is meant is known, and it is something else.
                    Some(Hint::Instead(_)) => None,
                    None if same.is_some() => same,
                    None => self.suggestions.nearest(&node.node_type, registry.names()),
                };
                let mut problem = Problem::error(
                    "RM0103",
                    format!("{path}/node_type"),
                    format!("unknown node_type `{}`", node.node_type),
                )
                .found(node.node_type.clone())
                .node(node.id.clone())
                .nearest(ours);
                match hint {
                    Some(Hint::Ours(name)) => problem = problem.fix(format!("that is `{name}` here")),
                    Some(Hint::Instead(instead)) => problem = problem.fix(instead),
                    None => {}
                }
                if problem.fix.is_none() {
                    problem = problem.fix("`remotemedia nodes` lists the nodes there are");
                }
                self.problems.push(problem);
                types.push(None);
                continue;
            };
            for mut problem in kind.check(&node.params) {
                problem.path = format!("{path}/params{}", problem.path);
                self.problems.push(problem.node(node.id.clone()));
            }
            types.push(Some(self.placed(&path, node, kind)));
        }
        types
    }

    /// The type as it runs here.
    fn placed(&mut self, path: &str, node: &NodeSpec, kind: &Arc<dyn NodeType>) -> Arc<dyn NodeType> {
        let (execution, mut problems) = Execution::read(&node.execution);
        for problem in &mut problems {
            problem.path = format!("{path}/execution{}", problem.path);
        }
        let code = kind.runs_code() || execution.python.is_some();
        if code && !self.allow_python {
            let what = if kind.runs_code() { "params" } else { "execution/python" };
            problems.push(
                Problem::error("RM0144", format!("{path}/{what}"), "the manifest names code that would be run")
                    .fix("pass allow_python=True (--allow-python) if you trust whoever wrote it"),
            );
        }
        let placed = kind.placed(&node.id, &execution).unwrap_or_else(|error| {
            let mut problem = Problem::error("RM0121", format!("{path}/execution/placement"), error.message());
            problem.fix = error.fix().map(str::to_owned);
            problems.push(problem);
            None
        });
        self.problems.extend(problems.into_iter().map(|problem| problem.node(node.id.clone())));
        placed.unwrap_or_else(|| kind.clone())
    }

    fn edges(&mut self, types: &Types) -> Vec<Edge> {
        let positions: HashMap<&str, usize> =
            self.manifest.nodes.iter().enumerate().map(|(position, node)| (node.id.as_str(), position)).collect();
        let mut taken: HashMap<(usize, PortId), usize> = HashMap::new();
        let mut edges = Vec::new();
        for connection in &self.manifest.connections {
            let path = format!("/connections/{}", connection.index);
            let (Some(&from), Some(&to)) =
                (positions.get(connection.from.node.as_str()), positions.get(connection.to.node.as_str()))
            else {
                continue;
            };
            let (Some(from_type), Some(to_type)) = (&types[from], &types[to]) else { continue };
            let (from_info, to_info) = (from_type.info(), to_type.info());
            let from_port = from_info.output(connection.from.port.as_deref());
            let mut to_port = to_info.input(connection.to.port.as_deref());
            if connection.to.port.is_none() && to_info.is_numbered() {
                let ports = (0..to_info.inputs.len()).filter_map(|port| u16::try_from(port).ok()).map(PortId);
                to_port = ports.into_iter().find(|port| !taken.contains_key(&(to, *port)));
                if to_port.is_none() {
                    let text =
                        format!("more than {} connections end at node `{}`", to_info.inputs.len(), connection.to.node);
                    let fix = "join some of them in a node before it";
                    self.problems.push(Problem::error("RM0118", &path, text).node(connection.to.node.clone()).fix(fix));
                    continue;
                }
            }
            if from_port.is_none() {
                self.no_port(&format!("{path}/from_port"), &connection.from, &from_info.outputs, "output");
            }
            if to_port.is_none() {
                self.no_port(&format!("{path}/to_port"), &connection.to, &to_info.inputs, "input");
            }
            let (Some(from_port), Some(to_port)) = (from_port, to_port) else { continue };
            if let Some(first) = taken.insert((to, to_port), connection.index) {
                self.problems.push(
                    Problem::error(
                        "RM0118",
                        path,
                        format!("two connections end at the one input of node `{}`", connection.to.node),
                    )
                    .node(connection.to.node.clone())
                    .fix(format!("keep this one or /connections/{first}")),
                );
                continue;
            }
            let (gives, takes) = (from_info.outputs[from_port.index()].kinds, to_info.inputs[to_port.index()].kinds);
            if !fits(gives, takes) {
                self.problems.push(
                    Problem::error(
                        "RM0119",
                        path,
                        format!(
                            "`{}.{}` gives {gives}, but `{}` takes {takes}",
                            connection.from.node,
                            from_info.outputs[from_port.index()].name,
                            connection.to.node
                        ),
                    )
                    .node(connection.to.node.clone())
                    .expected(takes.to_string()),
                );
                continue;
            }
            edges.push(Edge { from, from_port, to, to_port });
        }
        edges
    }

    fn no_port(&mut self, path: &str, port: &PortRef, ports: &[PortInfo], what: &str) {
        let names: Vec<&str> = ports.iter().map(|port| port.name).collect();
        let name = port.port.as_deref().unwrap_or(if what == "output" { "out" } else { "in" });
        let expected = if names.is_empty() { format!("no {what} at all") } else { names.join(" or ") };
        let problem = Problem::error("RM0115", path, format!("node `{}` has no {what} `{name}`", port.node))
            .found(name)
            .expected(expected)
            .nearest(self.suggestions.nearest(name, names.iter().copied()))
            .node(port.node.clone());
        self.problems.push(problem);
    }

    /// Positions in an order in which data flows only forward; ties in the order of the manifest.
    fn order(&mut self, edges: &[Edge]) -> Option<Vec<usize>> {
        let count = self.manifest.nodes.len();
        let mut waiting = vec![0_usize; count];
        let mut after: Vec<Vec<usize>> = vec![Vec::new(); count];
        for edge in edges {
            waiting[edge.to] += 1;
            after[edge.from].push(edge.to);
        }
        let mut ready: VecDeque<usize> = (0..count).filter(|&node| waiting[node] == 0).collect();
        let mut order = Vec::with_capacity(count);
        while let Some(node) = ready.pop_front() {
            order.push(node);
            for &next in &after[node] {
                waiting[next] -= 1;
                if waiting[next] == 0 {
                    ready.push_back(next);
                }
            }
        }
        if order.len() == count {
            return Some(order);
        }
        let cycle = find_cycle(&after, &waiting);
        let ids: Vec<&str> = cycle.iter().map(|&node| self.manifest.nodes[node].id.as_str()).collect();
        let first = ids.first().copied().unwrap_or_default();
        self.problems.push(
            Problem::error(
                "RM0117",
                "/connections",
                format!("the connections form a cycle: {} -> {first}", ids.join(" -> ")),
            )
            .node(first)
            .fix("a pipeline flows one way: remove one of these connections"),
        );
        None
    }

    fn outputs(&mut self, types: &Types) -> Option<Vec<(usize, PortId)>> {
        let listed = self.manifest.outputs.as_ref()?;
        let positions: HashMap<&str, usize> =
            self.manifest.nodes.iter().enumerate().map(|(position, node)| (node.id.as_str(), position)).collect();
        let mut outputs = Vec::new();
        for (index, output) in listed.iter().enumerate() {
            let Some(&position) = positions.get(output.node.as_str()) else { continue };
            let Some(kind) = &types[position] else { continue };
            match kind.info().output(output.port.as_deref()) {
                Some(port) => outputs.push((position, port)),
                None => self.no_port(&format!("/outputs/{index}"), output, &kind.info().outputs, "output"),
            }
        }
        Some(outputs)
    }
}

/// Whether what is given can be taken: a kind in common, or arrays for an input of audio.
fn fits(gives: Kinds, takes: Kinds) -> bool {
    gives.meets(takes) || gives.contains(Kind::Array) && takes.contains(Kind::Audio)
}

/// One cycle among the nodes that still wait.
fn find_cycle(after: &[Vec<usize>], waiting: &[usize]) -> Vec<usize> {
    let Some(mut at) = (0..waiting.len()).find(|&node| {
        // A node that only follows a cycle has no way back to itself: start from one that leads on.
        waiting[node] > 0 && after[node].iter().any(|&next| waiting[next] > 0)
    }) else {
        return Vec::new();
    };
    // Every waiting node has a waiting one before it: walk back until one repeats.
    let mut before = vec![usize::MAX; waiting.len()];
    for (node, targets) in after.iter().enumerate().filter(|(node, _)| waiting[*node] > 0) {
        for &next in targets.iter().filter(|&&next| waiting[next] > 0) {
            before[next] = node;
        }
    }
    let mut seen = HashSet::new();
    while seen.insert(at) && before[at] != usize::MAX {
        at = before[at];
    }
    let mut cycle = vec![at];
    let mut node = before[at];
    while node != at && node != usize::MAX {
        cycle.push(node);
        node = before[node];
    }
    cycle.reverse();
    cycle
}

fn build(
    manifest: &Manifest,
    types: &Types,
    edges: &[Edge],
    order: &[usize],
    outputs: Option<&[(usize, PortId)]>,
) -> Graph {
    let mut place = vec![0; order.len()]; // position in the manifest -> position in the order
    for (position, &node) in order.iter().enumerate() {
        place[node] = position;
    }
    let mut nodes: Vec<GraphNode> = order
        .iter()
        .filter_map(|&node| {
            let spec = &manifest.nodes[node];
            let kind = types[node].clone()?;
            let info: &NodeInfo = kind.info();
            let declared = match &manifest.input {
                InputFormats::Undeclared => Format::Unknown,
                InputFormats::All(format) => format.clone(),
                InputFormats::ByNode(formats) => formats.get(&spec.id).cloned().unwrap_or_default(),
            };
            Some(GraphNode {
                id: spec.id.clone(),
                index: spec.index,
                params: spec.params.clone(),
                on_error: spec.on_error,
                declared,
                connected: vec![false; info.inputs.len()],
                expected: vec![Format::Unknown; info.inputs.len()],
                takes_pieces: vec![false; info.inputs.len()],
                is_waited_for: info.inputs.iter().any(|port| port.takes_gaps),
                targets: vec![Vec::new(); info.outputs.len()],
                result: vec![None; info.outputs.len()],
                kind,
            })
        })
        .collect();
    for edge in edges {
        nodes[place[edge.from]].targets[edge.from_port.index()].push((place[edge.to], edge.to_port));
        let pieces = nodes[place[edge.from]].kind.info().outputs[edge.from_port.index()].pieces;
        let to = &mut nodes[place[edge.to]];
        to.connected[edge.to_port.index()] = true;
        to.takes_pieces[edge.to_port.index()] = pieces;
    }
    for node in (0..nodes.len()).rev() {
        nodes[node].is_waited_for |= nodes[node].targets.iter().flatten().any(|(to, _)| nodes[*to].is_waited_for);
    }
    let sources =
        nodes.iter().enumerate().filter(|(_, node)| !node.connected.contains(&true)).map(|(i, _)| i).collect();
    let ports: Vec<(usize, PortId)> = match outputs {
        Some(listed) => listed.iter().map(|(node, port)| (place[*node], *port)).collect(),
        // In the order of the manifest, so that the caller finds them as they were written.
        None => {
            place.iter().flat_map(|&node| unconnected(&nodes[node]).into_iter().map(move |port| (node, port))).collect()
        }
    };
    let mut results = Vec::new();
    for (node, port) in ports {
        nodes[node].result[port.index()] = Some(results.len());
        let info = &nodes[node].kind.info().outputs[port.index()];
        let (port_name, pieces) = (info.name, info.pieces);
        let node_id = nodes[node].id.clone();
        results.push(ResultPort { node, port, node_id, port_name, stream: port != PortId::FIRST, pieces });
    }
    let mut graph = Graph::new(manifest.name.clone().unwrap_or_default(), nodes, sources, results);
    // What contradicts itself is told elsewhere.
    if let Ok((inputs, _)) = graph.flow(&Format::Unknown, true) {
        graph.nodes.iter_mut().zip(inputs).for_each(|(node, inputs)| node.expected = inputs);
    }
    graph
}

/// The results of a node when the manifest names none: its unconnected outputs.
fn unconnected(node: &GraphNode) -> Vec<PortId> {
    let ports = (0..node.targets.len()).filter_map(|index| u16::try_from(index).ok()).map(PortId);
    let outputs = &node.kind.info().outputs;
    ports.filter(|port| node.targets[port.index()].is_empty() && !outputs[port.index()].on_request).collect()
}
