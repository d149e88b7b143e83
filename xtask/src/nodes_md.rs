//! `docs/nodes.md`: the node catalogue for people.

use crate::catalogue::{NodeType, Port};
use crate::nodes_py::range;
use crate::schema::{Kind, Param};
use anyhow::Result;
use std::collections::BTreeSet;
use std::fmt::Write;

/// The text of the page.
pub fn render(nodes: &[NodeType]) -> Result<String> {
    let mut text = String::from(
        "# Nodes\n\nEvery node of this version, with its ports and parameters. Written by `cargo xtask generate` from the node\n\
         registry, as the docstrings of `remotemedia.nodes` are. `remotemedia nodes NAME` says it in short.\n\
         A parameter that is not listed is an error, and so is a value outside its range.\n",
    );
    let categories: BTreeSet<&str> = nodes.iter().map(|node| node.category.as_str()).collect();
    for category in categories {
        let mut title = category.to_owned();
        if let Some(first) = title.get_mut(0..1) {
            first.make_ascii_uppercase();
        }
        let _ = writeln!(text, "\n## {title}");
        for node in nodes.iter().filter(|node| node.category == category) {
            text.push_str(&section(node));
        }
    }
    Ok(text)
}

fn section(node: &NodeType) -> String {
    let mut text = format!("\n### {}\n\n{}\n\n", node.name, node.description);
    let _ = writeln!(text, "- In: {}. Out: {}.", ports(&node.inputs), ports(&node.outputs));
    if !node.aliases.is_empty() {
        let names: Vec<String> = node.aliases.iter().map(|name| format!("`{name}`")).collect();
        let _ = writeln!(text, "- Older names: {}.", names.join(", "));
    }
    if node.params.is_empty() {
        text.push_str("- No parameters.\n");
        return text;
    }
    text.push_str("\n| parameter | type | default | meaning |\n| --- | --- | --- | --- |\n");
    for param in &node.params {
        let default = match (&param.default, param.required) {
            (_, true) => "required".to_owned(),
            (Some(default), false) => format!("`{default}`"),
            (None, false) => "none".to_owned(),
        };
        let _ = writeln!(text, "| `{}` | {} | {default} | {} |", param.name, kind(&param.kind), meaning(param));
    }
    text
}

fn ports(ports: &[Port]) -> String {
    if ports.is_empty() {
        return "none".to_owned();
    }
    let one = |port: &Port| format!("`{}` ({})", port.name, port.kinds.join(", "));
    ports.iter().map(one).collect::<Vec<_>>().join(", ")
}

fn kind(kind: &Kind) -> String {
    match kind {
        Kind::Boolean => "boolean".to_owned(),
        Kind::Integer => "integer".to_owned(),
        Kind::Number => "number".to_owned(),
        Kind::Text => "string".to_owned(),
        Kind::Choice(words) => words.iter().map(|(word, _)| format!("`\"{word}\"`")).collect::<Vec<_>>().join(", "),
        Kind::List(inner) => format!("list of {}", self::kind(inner)),
        Kind::Object => "object".to_owned(),
        Kind::Any => "any".to_owned(),
    }
}

fn meaning(param: &Param) -> String {
    let mut text = param.description.clone();
    if let Some(range) = range(param) {
        let _ = write!(text, " {range}.");
    }
    if let Kind::Choice(words) = &param.kind {
        for (word, description) in words.iter().filter(|(_, description)| !description.is_empty()) {
            let _ = write!(text, " `{word}`: {description}");
        }
    }
    text.trim().replace('|', "\\|")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue;

    #[test]
    fn the_page_has_a_row_per_parameter() {
        let text = render(&catalogue::parse(catalogue::tests::SAMPLE).unwrap()).unwrap();
        assert!(text.contains(
            "## Audio\n\n### AudioResample\n\nChanges the sample rate.\n\n- In: `in` (audio). Out: `out` (audio).\n"
        ));
        assert!(
            text.contains("| `target_rate` | integer | required | Rate of the output in Hz. At least 1. |\n"),
            "{text}"
        );
        assert!(
            text.contains("| `quality` | `\"high\"`, `\"very_high\"` | `\"high\"` | How steep the filter is. |\n"),
            "{text}"
        );
        assert!(text.contains("- Older names: `GainNode`.\n"));
    }
}
