//! `nodes`: what there is.

use serde_json::Value;

use crate::runtime::Runtime;

pub(super) fn run(name: Option<&str>, json: bool) -> i32 {
    let runtime = Runtime::shared();
    let registry = runtime.registry();
    let Some(name) = name else {
        if json {
            println!("{:#}", registry.catalog());
            return 0;
        }
        for node in registry.iter() {
            let info = node.info();
            println!("{:<16}{:<9}{}", info.name, info.category, info.description);
        }
        return 0;
    };
    let Some(node) = registry.find(name) else {
        let near = crate::words::nearest(name, registry.names());
        let hint =
            near.map_or_else(|| "`remotemedia nodes` lists them".to_owned(), |near| format!("did you mean `{near}`?"));
        eprintln!("error: unknown node `{name}`; {hint}");
        return 1;
    };
    let info = node.info();
    let entry = registry.catalog().as_array().and_then(|all| all.iter().find(|e| e["name"] == info.name).cloned());
    if json {
        println!("{:#}", entry.unwrap_or(Value::Null));
        return 0;
    }
    println!("{}: {}", info.name, info.description);
    if !info.aliases.is_empty() {
        println!("older names: {}", info.aliases.join(", "));
    }
    for (what, ports) in [("in", &info.inputs), ("out", &info.outputs)] {
        for port in ports {
            println!("{what:<4}{}: {}", port.name, port.kinds);
        }
    }
    for (name, schema) in info.params.get("properties").and_then(Value::as_object).into_iter().flatten() {
        let default = schema.get("default").map(|value| format!(" (default {value})")).unwrap_or_default();
        let text = schema.get("description").and_then(Value::as_str).unwrap_or_default();
        println!("    {name}{default}: {text}");
    }
    0
}
