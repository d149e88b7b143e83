//! Bad manifests: every problem at once, each with its code, place and fix. And nothing makes the reader panic.

use proptest::prelude::*;
use remotemedia::{ErrorKind, Pipeline, Severity};
use serde_json::{Value, json};

/// The errors of a manifest as `code pointer`, and whether each says what to do.
fn errors(text: &str) -> Vec<(String, bool)> {
    let (valid, problems) = Pipeline::validate(text);
    let errors: Vec<_> = problems.iter().filter(|problem| problem.severity == Severity::Error).collect();
    assert_eq!(valid, errors.is_empty());
    assert!(errors.iter().all(|problem| problem.line.is_some()), "{errors:?}");
    errors.iter().map(|p| (format!("{} {}", p.code, p.path), p.fix.is_some() || p.expected.is_some())).collect()
}

fn node(id: &str, node_type: &str, params: Value) -> Value {
    json!({"id": id, "node_type": node_type, "params": params})
}

fn manifest(nodes: Value, connections: Value) -> String {
    json!({"version": "v1", "nodes": nodes, "connections": connections}).to_string()
}

fn one(text: &str, expected: &str) {
    let found = errors(text);
    assert_eq!(found.len(), 1, "{text}: {found:?}");
    assert_eq!(found[0].0, expected, "{text}");
    assert!(found[0].1, "{expected} says neither what was expected nor what to do");
}

#[test]
fn each_mistake_has_its_code_and_place() {
    let pass = |id: &str| node(id, "PassThrough", json!({}));
    one("", "RM0101 ");
    one("{not json", "RM0101 ");
    one("[]", "RM0105 ");
    one(&json!({"nodes": [pass("a")]}).to_string(), "RM0104 ");
    one(&json!({"version": "v99", "nodes": [pass("a")]}).to_string(), "RM0106 /version");
    one(&json!({"version": "v1"}).to_string(), "RM0104 ");
    one(&manifest(json!([]), json!([])), "RM0107 /nodes");
    one(&manifest(json!([pass("a"), pass("a")]), json!([])), "RM0108 /nodes/1/id");
    one(&manifest(json!([node("a", "AudioResampel", json!({}))]), json!([])), "RM0103 /nodes/0/node_type");
    one(&manifest(json!([node("a", "Gain", json!({"gain": 1}))]), json!([])), "RM0110 /nodes/0/params/gain");
    one(&manifest(json!([node("a", "Gain", json!({"gain_db": "loud"}))]), json!([])), "RM0111 /nodes/0/params/gain_db");
    one(&manifest(json!([node("a", "Gain", json!({"gain_db": 61}))]), json!([])), "RM0112 /nodes/0/params/gain_db");
    one(&manifest(json!([node("a", "AudioResample", json!({}))]), json!([])), "RM0113 /nodes/0/params");
    one(&manifest(json!([node("a", "TextCase", json!({"mode": "uper"}))]), json!([])), "RM0112 /nodes/0/params/mode");
    one(&manifest(json!([pass("a"), pass("b")]), json!([])), "RM0120 /connections");
    one(&manifest(json!([pass("a")]), json!([{"from": "a", "to": "b"}])), "RM0114 /connections/0/to");
    one(&manifest(json!([pass("a")]), json!([{"from": "b", "to": "a"}])), "RM0114 /connections/0/from");
    one(&manifest(json!([pass("a")]), json!([{"from": "a", "to": "a"}])), "RM0116 /connections/0");
    let pair = json!([pass("a"), pass("b")]);
    one(&manifest(pair.clone(), json!([{"from": "a", "to": "b"}, {"from": "b", "to": "a"}])), "RM0117 /connections");
    one(
        &manifest(pair.clone(), json!([{"from": "a", "to": "b", "from_port": "events"}])),
        "RM0115 /connections/0/from_port",
    );
    one(
        &manifest(
            json!([pass("a"), pass("b"), pass("c")]),
            json!([{"from": "a", "to": "c"}, {"from": "b", "to": "c"}]),
        ),
        "RM0118 /connections/1",
    );
    let mixed = json!([node("t", "TextCase", json!({"mode": "upper"})), node("g", "Gain", json!({}))]);
    one(&manifest(mixed, json!([{"from": "t", "to": "g"}])), "RM0119 /connections/0");
    one(r#"{"version": "v1", "nodes": [{"id": "a", "id": "a", "node_type": "PassThrough"}]}"#, "RM0122 /nodes/0/id");
    let strict = json!({
        "version": "v1",
        "input": {"type": "audio", "sample_rate_hz": 44100, "channels": 2},
        "nodes": [node("r", "AudioResample", json!({"target_rate": 8000, "source_rate": 16000}))],
    });
    one(&strict.to_string(), "RM0201 /nodes/0");
    one(&format!("{}{}", "[".repeat(1 << 19), "]".repeat(1 << 19)), "RM0102 ");
}

#[test]
fn all_problems_come_at_once_with_their_lines() {
    let text = "{\n \"version\": \"v2\",\n \"nodes\": [\n  {\"id\": \"a\", \"node_type\": \"Gian\"},\n  {\"id\": \"b\", \"node_type\": \"Gain\", \"params\": {\"gain_db\": true}}\n ],\n \"connections\": [{\"from\": \"a\", \"to\": \"z\"}]\n}";
    let error = Pipeline::new(text).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Manifest);
    let lines: Vec<_> = error.problems().iter().map(|problem| (problem.code, problem.line)).collect();
    assert_eq!(lines, [("RM0106", Some(2)), ("RM0114", Some(7)), ("RM0103", Some(4)), ("RM0111", Some(5))]);
    assert!(error.to_string().contains("did you mean `Gain`?"), "{error}");
}

#[test]
fn ten_thousand_nodes_are_checked() {
    let nodes: Vec<Value> = (0..10_000).map(|n| node(&format!("n{n}"), "PassThrough", json!({}))).collect();
    let edges: Vec<Value> =
        (1..10_000).map(|n| json!({"from": format!("n{}", n - 1), "to": format!("n{n}")})).collect();
    assert!(Pipeline::validate(&manifest(json!(nodes), json!(edges))).0);
    let more: Vec<Value> = (0..10_001).map(|n| node(&format!("n{n}"), "PassThrough", json!({}))).collect();
    assert_eq!(errors(&manifest(json!(more), json!([])))[0].0, "RM0124 /nodes");
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "[a-zA-Z./~]{0,12}".prop_map(Value::from),
        prop::sample::select(vec!["v1", "Gain", "AudioResample", "out", "events", "a", "b"]).prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 48, 6, |inner| {
        let key = prop_oneof![
            prop::sample::select(vec![
                "version",
                "nodes",
                "connections",
                "id",
                "node_type",
                "params",
                "from",
                "to",
                "from_port",
                "input",
                "outputs",
                "type",
                "sample_rate_hz",
                "metadata",
                "execution",
                "on_error",
                "budget",
            ])
            .prop_map(str::to_owned),
            "[a-z/~]{0,6}",
        ];
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::hash_map(key, inner, 0..6).prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn no_json_makes_it_panic(value in any_json()) {
        let _ = Pipeline::validate(&value.to_string());
    }

    #[test]
    fn no_text_makes_it_panic(text in "[\\[\\]{}:,\"a-z0-9\\\\ \\n]{0,200}") {
        let _ = Pipeline::validate(&text);
    }

    #[test]
    fn no_graph_makes_it_panic(edges in prop::collection::vec((0..8_usize, 0..8_usize), 0..20)) {
        let nodes: Vec<Value> = (0..8).map(|n| node(&format!("n{n}"), "PassThrough", json!({}))).collect();
        let edges: Vec<Value> =
            edges.iter().map(|(a, b)| json!({"from": format!("n{a}"), "to": format!("n{b}")})).collect();
        let _ = Pipeline::validate(&manifest(json!(nodes), json!(edges)));
    }
}
