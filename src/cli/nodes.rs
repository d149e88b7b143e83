//! `nodes`: what there is.

use std::sync::Arc;

use serde_json::Value;

use super::{complain, say};
use crate::node::NodeType;
use crate::runtime::Runtime;

pub(super) fn run(name: Option<&str>, json: bool) -> i32 {
    let runtime = Runtime::shared();
    let registry = runtime.registry();
    let Some(name) = name else {
        if json {
            return say(&format!("{:#}", registry.catalog()), 0);
        }
        let line = |node: &Arc<dyn NodeType>| {
            let info = node.info();
            format!("{:<16}{:<9}{}", info.name, info.category, info.description)
        };
        return say(&registry.iter().map(line).collect::<Vec<_>>().join("\n"), 0);
    };
    let Some(node) = registry.find(name) else {
        let near = crate::words::nearest(name, registry.names());
        let hint =
            near.map_or_else(|| "`remotemedia nodes` lists them".to_owned(), |near| format!("did you mean `{near}`?"));
        return complain(&format!("unknown node `{name}`; {hint}"));
    };
    let info = node.info();
    if json {
        let catalog = registry.catalog();
        let entry = catalog.as_array().and_then(|all| all.iter().find(|entry| entry["name"] == info.name));
        return say(&format!("{:#}", entry.unwrap_or(&Value::Null)), 0);
    }
    let mut lines = vec![format!("{}: {}", info.name, info.description)];
    if !info.aliases.is_empty() {
        lines.push(format!("older names: {}", info.aliases.join(", ")));
    }
    for (what, ports) in [("in", &info.inputs), ("out", &info.outputs)] {
        lines.extend(ports.iter().map(|port| format!("{what:<4}{}: {}", port.name, port.kinds)));
    }
    for (name, schema) in info.params.get("properties").and_then(Value::as_object).into_iter().flatten() {
        let default = schema.get("default").filter(|value| !value.is_null());
        let default = default.map(|value| format!(" (default {value})")).unwrap_or_default();
        let text = schema.get("description").and_then(Value::as_str).unwrap_or_default();
        lines.push(format!("    {name}{default}: {}", text.replace('\n', " ")));
    }
    say(&lines.join("\n"), 0)
}
