//! The limits of a manifest, checked before any run.

use super::Graph;
use crate::data::Format;
use crate::error::Problem;
use crate::manifest::Budget;
use crate::words::counted;

/// Nodes that a message names.
const NAMED: usize = 3;

impl Graph {
    /// What exceeds the limits.
    pub(super) fn check_budget(&self, budget: Budget) -> Vec<Problem> {
        let mut problems = Vec::new();
        if let Some(limit_ms) = budget.latency_ms {
            match self.latency(&Format::Unknown) {
                Ok(paths) => {
                    let worst = paths.iter().max_by(|left, right| left.max_s.total_cmp(&right.max_s));
                    if let Some(path) = worst.filter(|path| path.max_s * 1e3 > limit_ms) {
                        let nodes = path.nodes.iter().take(NAMED).map(|node| {
                            format!(
                                "`{}` (ahead {:.1} ms, block {:.1} ms)",
                                node.node,
                                node.delay_s * 1e3,
                                node.block_s * 1e3
                            )
                        });
                        problems.push(
                            Problem::error(
                                "RM0142",
                                "/budget/latency_ms",
                                format!(
                                    "`{}` comes up to {:.1} ms after its input; the most by: {}",
                                    path.result,
                                    path.max_s * 1e3,
                                    nodes.collect::<Vec<_>>().join(", ")
                                ),
                            )
                            .expected(format!("at most {limit_ms} ms"))
                            .fix("raise the limit, or change these nodes; `remotemedia latency` lists all of them"),
                        );
                    }
                }
                Err(error) => problems.push(
                    Problem::error(
                        "RM0142",
                        "/budget/latency_ms",
                        format!("the latency cannot be known: {}", error.message()),
                    )
                    .fix("declare `input`: {\"type\": \"audio\", \"sample_rate_hz\": 48000, \"channels\": 1}"),
                ),
            }
        }
        if let Some(limit) = budget.copies
            && let Ok(places) = self.copies(&Format::Unknown)
            && places.len() > limit
        {
            let listed = places.iter().map(|copy| format!("{}: {}", copy.place, copy.reason)).collect::<Vec<_>>();
            problems.push(
                Problem::error(
                    "RM0143",
                    "/budget/copies",
                    format!("media is copied in {}: {}", counted(places.len(), "place"), listed.join("; ")),
                )
                .expected(format!("at most {limit}"))
                .fix("raise the limit, or take out what copies"),
            );
        }
        problems
    }
}
