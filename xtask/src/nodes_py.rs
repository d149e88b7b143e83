//! `python/remotemedia/nodes.py`: one typed builder per node, from the catalogue. Formatted as ruff would.

use crate::catalogue::NodeType;
use crate::schema::{Kind, Param};
use anyhow::{Result, bail};
use serde_json::Value;
use std::collections::BTreeSet;
use std::fmt::Write;

const WIDTH: usize = 120;
const KEYWORDS: &[&str] = &[
    "and", "as", "assert", "async", "await", "break", "class", "continue", "def", "del", "elif", "else", "except",
    "finally", "for", "from", "global", "if", "import", "in", "is", "lambda", "nonlocal", "not", "or", "pass", "raise",
    "return", "try", "while", "with", "yield",
];

/// The text of the module.
pub fn render(nodes: &[NodeType]) -> Result<String> {
    let builders: Vec<String> = nodes.iter().map(builder).collect::<Result<_>>()?;
    let body = builders.concat();
    let mut names: BTreeSet<&str> = nodes.iter().map(|node| node.name.as_str()).collect();
    names.insert("Node");
    let mut text = String::from(
        "\"\"\"Typed builders of every node, for `remotemedia.Pipeline([...])`.\n\n\
         Written by `cargo xtask generate` from the node registry: change the node in Rust, not this file.\n\"\"\"\n\n\
         from __future__ import annotations\n\n",
    );
    let collections: Vec<&str> =
        ["Mapping", "Sequence"].into_iter().filter(|name| body.contains(&format!("{name}["))).collect();
    if !collections.is_empty() {
        let _ = writeln!(text, "from collections.abc import {}", collections.join(", "));
    }
    if body.contains("Literal[") {
        text.push_str("from typing import Literal\n");
    }
    if text.ends_with("\nfrom typing import Literal\n") || !collections.is_empty() {
        text.push('\n');
    }
    text.push_str("from remotemedia._node import Node, make_node\n\n__all__ = [\n");
    for name in names {
        let _ = writeln!(text, "    \"{name}\",");
    }
    text.push_str(
        "]\n\n\ndef __dir__() -> list[str]:\n    \"\"\"Return the names of the nodes: completion shows nothing else.\"\"\"\n    \
         return [name for name in __all__ if name != \"Node\"]\n",
    );
    text.push_str(&body);
    Ok(text)
}

fn builder(node: &NodeType) -> Result<String> {
    let mut arguments = vec!["*".to_owned()];
    let mut values = vec![quoted(&node.name), "id".to_owned()];
    for param in &node.params {
        if param.name == "id" {
            bail!("node {}: a parameter cannot be called `id`", node.name);
        }
        let name = python_name(&param.name);
        arguments.push(argument(&name, param)?);
        values.push(match name == param.name {
            true => format!("{name}={name}"),
            false => format!("**{{{}: {name}}}", quoted(&param.name)),
        });
    }
    arguments.push("id: str | None = None".to_owned());
    let mut text = String::from("\n\n");
    text.push_str(&call("", &format!("def {}(", node.name), &arguments, ") -> Node:"));
    text.push_str(&docstring(node)?);
    text.push_str(&call("    ", "return make_node(", &values, ")"));
    Ok(text)
}

/// On one line if it fits, else one argument per line with a comma after the last.
fn call(indent: &str, head: &str, arguments: &[String], tail: &str) -> String {
    let line = format!("{indent}{head}{}{tail}", arguments.join(", "));
    if line.chars().count() <= WIDTH {
        return line + "\n";
    }
    let mut text = format!("{indent}{head}\n");
    for argument in arguments {
        let _ = writeln!(text, "{indent}    {argument},");
    }
    text + &format!("{indent}{tail}\n")
}

fn argument(name: &str, param: &Param) -> Result<String> {
    let kind = python_type(&param.kind);
    Ok(match (&param.default, param.required) {
        (_, true) => format!("{name}: {kind}"),
        (Some(default), false) => format!("{name}: {kind} = {}", literal(default, &param.kind)?),
        (None, false) => format!("{name}: {kind} | None = None"),
    })
}

fn python_name(name: &str) -> String {
    if KEYWORDS.contains(&name) { format!("{name}_") } else { name.to_owned() }
}

fn python_type(kind: &Kind) -> String {
    match kind {
        Kind::Boolean => "bool".to_owned(),
        Kind::Integer => "int".to_owned(),
        Kind::Number => "float".to_owned(),
        Kind::Text => "str".to_owned(),
        Kind::Choice(words) => {
            let words: Vec<String> = words.iter().map(|(word, _)| quoted(word)).collect();
            format!("Literal[{}]", words.join(", "))
        }
        Kind::List(inner) => format!("Sequence[{}]", python_type(inner)),
        Kind::Object => "Mapping[str, object]".to_owned(),
        Kind::Any => "object".to_owned(),
    }
}

/// A default as Python writes it. Lists and objects have none: `None` leaves the choice to the node.
fn literal(value: &Value, kind: &Kind) -> Result<String> {
    Ok(match value {
        Value::Bool(true) => "True".to_owned(),
        Value::Bool(false) => "False".to_owned(),
        Value::Number(number) if *kind == Kind::Number => match number.as_f64() {
            Some(float) => format!("{float:?}"),
            None => bail!("the default {number} is no float"),
        },
        Value::Number(number) => number.to_string(),
        Value::String(text) => quoted(text),
        Value::Array(list) if list.is_empty() => "()".to_owned(),
        other => bail!("a default of this kind is not supported: {other}"),
    })
}

fn quoted(text: &str) -> String {
    format!("{text:?}")
}

fn docstring(node: &NodeType) -> Result<String> {
    let (first, rest) = first_sentence(&node.description);
    let mut text = format!("    \"\"\"{}\n\n", safe(first));
    if !rest.is_empty() {
        text.push_str(&wrapped(&safe(rest), "    "));
        text.push('\n');
    }
    if !node.outputs.is_empty() {
        let ports: Vec<String> =
            node.outputs.iter().map(|port| format!("`{}` ({})", port.name, port.kinds.join(", "))).collect();
        text.push_str(&wrapped(&format!("Outputs: {}.", ports.join(", ")), "    "));
        text.push('\n');
    }
    text.push_str("    Parameters\n    ----------\n");
    for param in &node.params {
        let default = match (&param.default, param.required) {
            (_, true) => String::new(),
            (Some(default), false) => format!(", default {}", literal(default, &param.kind)?),
            (None, false) => ", optional".to_owned(),
        };
        let name = python_name(&param.name);
        let _ = writeln!(text, "    {name} : {}{default}", documented_type(&param.kind));
        text.push_str(&wrapped(&safe(&explained(param)), "        "));
    }
    text.push_str(
        "    id : str, optional\n        Name of the node in the manifest; made from its type when left out.\n\n",
    );
    text.push_str(
        "    Returns\n    -------\n    Node\n        An entry for `remotemedia.Pipeline([...])`.\n    \"\"\"\n",
    );
    Ok(text)
}

fn documented_type(kind: &Kind) -> String {
    match kind {
        Kind::Choice(words) => {
            format!("{{{}}}", words.iter().map(|(word, _)| quoted(word)).collect::<Vec<_>>().join(", "))
        }
        other => python_type(other),
    }
}

/// The description, the range, and what each word means.
pub fn explained(param: &Param) -> String {
    let mut text = param.description.clone();
    if text.is_empty() {
        text.push_str("No description.");
    }
    if !text.ends_with('.') {
        text.push('.');
    }
    if let Some(range) = range(param) {
        let _ = write!(text, " {range}.");
    }
    if let Kind::Choice(words) = &param.kind {
        for (word, description) in words.iter().filter(|(_, description)| !description.is_empty()) {
            let _ = write!(text, " {word}: {description}");
        }
    }
    text
}

/// `From 1 to 60`; None when the schema sets no limit. The limits of the integer type itself say nothing.
pub fn range(param: &Param) -> Option<String> {
    let is_type_limit =
        |value: &Value| matches!(value.as_i64(), Some(255 | 65_535 | 2_147_483_647 | 4_294_967_295 | -2_147_483_648));
    let maximum = param.maximum.as_ref().filter(|value| !is_type_limit(value));
    let zero = |value: &Value| value.as_f64() == Some(0.0);
    let minimum = param.minimum.as_ref().filter(|value| !is_type_limit(value) && (maximum.is_some() || !zero(value)));
    match (minimum, maximum) {
        (None, None) => None,
        (Some(low), None) => Some(format!("At least {low}")),
        (None, Some(high)) => Some(format!("At most {high}")),
        (Some(low), Some(high)) => Some(format!("From {low} to {high}")),
    }
}

fn first_sentence(text: &str) -> (&str, &str) {
    match text.split_once(". ") {
        Some((first, rest)) => (&text[..first.len() + 1], rest),
        None if text.is_empty() => ("A node.", ""),
        None => (text, ""),
    }
}

fn safe(text: &str) -> String {
    text.replace('\\', "\\\\").replace("\"\"\"", "'''")
}

fn wrapped(text: &str, indent: &str) -> String {
    let mut lines = String::new();
    let mut line = String::new();
    for word in text.split_whitespace() {
        if !line.is_empty() && indent.len() + line.chars().count() + 1 + word.chars().count() > 100 {
            let _ = writeln!(lines, "{indent}{line}");
            line.clear();
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    let _ = writeln!(lines, "{indent}{line}");
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue;

    #[test]
    fn builders_are_typed_and_explained() {
        let text = render(&catalogue::parse(catalogue::tests::SAMPLE).unwrap()).unwrap();
        assert!(text.contains("def Gain(*, gain_db: float = 0.0, id: str | None = None) -> Node:\n"), "{text}");
        let long = "def AudioResample(\n    *,\n    target_rate: int,\n    source_rate: int | None = None,\n    quality: Literal[\"high\", \"very_high\"] = \"high\",\n    id: str | None = None,\n) -> Node:\n";
        assert!(text.contains(long), "{text}");
        assert!(text.contains("    return make_node(\"Gain\", id, gain_db=gain_db)\n"));
        assert!(text.contains("    gain_db : float, default 0.0\n        Gain in dB. From -60 to 60.\n"), "{text}");
        assert!(text.contains("    target_rate : int\n        Rate of the output in Hz. At least 1.\n"));
        assert!(text.contains("__all__ = [\n    \"AudioResample\",\n    \"Gain\",\n    \"Node\",\n]\n"));
        assert!(text.contains("from typing import Literal\n\nfrom remotemedia._node"));
    }

    #[test]
    fn long_words_are_wrapped_and_quotes_are_safe() {
        assert_eq!(wrapped("a b", "  "), "  a b\n");
        assert!(wrapped(&"word ".repeat(40), "    ").lines().all(|line| line.len() <= 100));
        assert_eq!(safe("a \"\"\" b"), "a ''' b");
        assert_eq!(python_name("from"), "from_");
    }
}
