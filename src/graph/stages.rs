//! A graph in stages: parts that can work at the same time, each a graph of its own.

use std::sync::Arc;

use super::{Graph, GraphNode, ResultPort};
use crate::node::PortId;

/// Where packets of a stage's result go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// It is a result of the whole graph, by its position there.
    Result(usize),
    /// Another stage, a node by its position there, an input of it.
    Stage(usize, usize, PortId),
}

/// A part of a graph.
#[derive(Debug)]
pub struct Stage {
    /// Its nodes. What leaves the stage is a result.
    pub graph: Arc<Graph>,
    /// For each result of the stage, where it goes.
    pub exits: Vec<Vec<Exit>>,
    /// How many stages feed it.
    pub upstream: usize,
}

/// A graph in stages.
#[derive(Debug)]
pub struct Stages {
    /// In an order in which data flows only forward.
    pub stages: Vec<Stage>,
    /// For each node of the whole graph, its stage and its position there.
    pub places: Vec<(usize, usize)>,
}

impl Graph {
    /// Cuts a graph: each node that `heavy` names is a stage, and the others stay together as far as they can.
    pub fn stages(&self, heavy: impl Fn(&GraphNode) -> bool) -> Stages {
        let heavy: Vec<bool> = self.nodes.iter().map(heavy).collect();
        // How many borders lie before a node: two light nodes with as many never have a heavy one between them.
        let mut level = vec![0_usize; self.nodes.len()];
        for (node, at) in self.nodes.iter().enumerate() {
            for &(target, _) in at.targets.iter().flatten() {
                let border = usize::from(heavy[node] || heavy[target]);
                level[target] = level[target].max(level[node] + border);
            }
        }
        let mut keys: Vec<(usize, usize)> = Vec::new();
        let mut places = vec![(0, 0); self.nodes.len()];
        let mut members: Vec<Vec<usize>> = Vec::new();
        let mut order: Vec<usize> = (0..self.nodes.len()).collect();
        order.sort_by_key(|node| (level[*node], *node));
        for node in order {
            let key = (level[node], if heavy[node] { node + 1 } else { 0 });
            let stage = keys.iter().position(|known| *known == key).unwrap_or_else(|| {
                keys.push(key);
                members.push(Vec::new());
                keys.len() - 1
            });
            places[node] = (stage, members[stage].len());
            members[stage].push(node);
        }
        let stages = members.iter().enumerate().map(|(stage, nodes)| self.part(stage, nodes, &places)).collect();
        Stages { stages, places }
    }

    fn part(&self, stage: usize, members: &[usize], places: &[(usize, usize)]) -> Stage {
        let (mut nodes, mut results, mut exits) = (Vec::new(), Vec::new(), Vec::new());
        for (local, &node) in members.iter().enumerate() {
            let mut at = self.nodes[node].clone();
            for port in 0..at.targets.len() {
                let mut out: Vec<Exit> = at.result[port].take().map(Exit::Result).into_iter().collect();
                at.targets[port].retain_mut(|(target, input)| {
                    let (to, place) = places[*target];
                    if to == stage {
                        *target = place;
                        return true;
                    }
                    out.push(Exit::Stage(to, place, *input));
                    false
                });
                if !out.is_empty() {
                    at.result[port] = Some(results.len());
                    let info = &at.kind.info().outputs[port];
                    let (port_name, pieces) = (info.name, info.pieces);
                    let port = PortId(u16::try_from(port).unwrap_or(u16::MAX));
                    let stream = port != PortId::FIRST;
                    results.push(ResultPort { node: local, port, node_id: at.id.clone(), port_name, stream, pieces });
                    exits.push(out);
                }
            }
            nodes.push(at);
        }
        let feeds = |from: usize| self.nodes[from].targets.iter().flatten().any(|(to, _)| places[*to].0 == stage);
        let mut upstream: Vec<usize> = (0..self.nodes.len())
            .filter(|&from| places[from].0 != stage && feeds(from))
            .map(|from| places[from].0)
            .collect();
        upstream.sort_unstable();
        upstream.dedup();
        let sources =
            members.iter().enumerate().filter(|(_, node)| self.sources.contains(node)).map(|(local, _)| local);
        let graph = Graph::new(self.name.clone(), nodes, sources.collect(), results);
        Stage { graph: Arc::new(graph), exits, upstream: upstream.len() }
    }
}
