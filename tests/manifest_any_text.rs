//! No text makes the manifest and graph code panic, and whatever is refused is refused with a reason.

use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use remotemedia::{Pipeline, Severity};
use serde_json::{Map, Value, json};

/// The same cases in every run; a failure is printed, not kept in a file.
fn settings() -> ProptestConfig {
    ProptestConfig {
        cases: 400,
        rng_seed: RngSeed::Fixed(20_240_229),
        failure_persistence: None,
        max_shrink_iters: 2_000,
        ..ProptestConfig::default()
    }
}

/// Compiles the text and holds the answer to its rules.
fn judge(text: &str) -> Result<(), TestCaseError> {
    let (fine, problems) = Pipeline::validate(text);
    let errors = problems.iter().filter(|problem| problem.severity == Severity::Error).count();
    prop_assert_eq!(fine, errors == 0, "{:?}", problems);
    for problem in &problems {
        prop_assert!(problem.path.is_empty() || problem.path.starts_with('/'), "{:?}", problem);
        prop_assert!(problem.code.starts_with("RM0") && problem.code.len() == 6, "{:?}", problem);
        let lines = text.matches('\n').count() as u32 + 1;
        prop_assert!(problem.line.is_some_and(|line| line <= lines), "{:?} of {} lines", problem, lines);
        prop_assert!(!problem.to_string().is_empty());
    }
    match Pipeline::new(text) {
        Ok(pipeline) => {
            prop_assert!(fine);
            prop_assert!(!pipeline.summary().is_empty());
            pipeline.formats();
            pipeline
                .run(Vec::new(), &remotemedia::RunOptions::default())
                .map_err(|error| TestCaseError::fail(format!("a valid pipeline does not run over nothing: {error}")))?;
        }
        Err(error) => {
            prop_assert!(!fine);
            prop_assert_eq!(error.problems().len(), problems.len());
        }
    }
    Ok(())
}

/// Words that mean something in a manifest, and some that do not.
fn word() -> impl Strategy<Value = String> {
    prop_oneof![
        prop::sample::select(vec![
            "version",
            "v1",
            "nodes",
            "id",
            "node_type",
            "params",
            "connections",
            "from",
            "to",
            "from_port",
            "to_port",
            "input",
            "outputs",
            "metadata",
            "execution",
            "on_error",
            "skip",
            "a",
            "b",
            "c",
            "a.out",
            "b.events",
            "out",
            "events",
            "in",
            "type",
            "audio",
            "video",
            "sample_rate_hz",
            "channels",
            "PassThrough",
            "AudioResample",
            "AudioLevel",
            "SpeechVAD",
            "target_rate",
            "gain_db",
            "",
            "/",
            "~",
            "ä€𝄞",
        ])
        .prop_map(str::to_owned),
        ".{0,8}",
    ]
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (0_u64..200_000).prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        word().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::vec((word(), inner), 0..5)
                .prop_map(|members| Value::Object(members.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

fn valid() -> Value {
    json!({
        "version": "v1",
        "metadata": {"name": "speech", "description": "ä"},
        "nodes": [
            {"id": "a", "node_type": "AudioChannels", "params": {"channels": 1}},
            {"id": "b", "node_type": "AudioResample", "params": {"target_rate": 16_000, "quality": "high"}},
            {"id": "c", "node_type": "AudioLevel", "params": {"window_ms": 20}, "execution": {"on_error": "skip"}},
            {"id": "d", "node_type": "SpeechVAD", "params": {"preset": "file", "enter": 0.6}},
        ],
        "connections": [
            {"from": "a", "to": "b"},
            {"from": "b", "from_port": "out", "to": "c", "to_port": "in"},
            {"from": "c", "to": "d"},
        ],
        "input": {"type": "audio", "sample_rate_hz": 48_000, "channels": 2},
        "outputs": ["d.events", "c.events", "d"],
    })
}

/// Every place in a value, as a JSON pointer.
fn places(value: &Value, here: &str, found: &mut Vec<String>) {
    found.push(here.to_owned());
    match value {
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                places(item, &format!("{here}/{index}"), found);
            }
        }
        Value::Object(members) => {
            for (key, member) in members {
                places(member, &format!("{here}/{}", key.replace('~', "~0").replace('/', "~1")), found);
            }
        }
        _ => {}
    }
}

#[derive(Debug, Clone)]
enum Change {
    Replace(Value),
    Remove,
    /// Puts the value of another place here.
    Copy(prop::sample::Index),
    Add(String, Value),
}

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        any_json().prop_map(Change::Replace),
        Just(Change::Remove),
        any::<prop::sample::Index>().prop_map(Change::Copy),
        (word(), any_json()).prop_map(|(key, value)| Change::Add(key, value)),
    ]
}

fn apply(manifest: &mut Value, place: prop::sample::Index, change: Change) {
    let mut all = Vec::new();
    places(manifest, "", &mut all);
    let path = all[place.index(all.len())].clone();
    match change {
        Change::Replace(value) => *manifest.pointer_mut(&path).unwrap() = value,
        Change::Copy(other) => {
            let value = manifest.pointer(&all[other.index(all.len())]).unwrap().clone();
            *manifest.pointer_mut(&path).unwrap() = value;
        }
        Change::Remove => {
            let Some((parent, key)) = path.rsplit_once('/') else { return };
            match manifest.pointer_mut(parent).unwrap() {
                Value::Array(items) => drop(items.remove(key.parse().unwrap())),
                Value::Object(members) => drop(members.remove(key)),
                _ => {}
            }
        }
        Change::Add(key, value) => match manifest.pointer_mut(&path).unwrap() {
            Value::Array(items) => items.push(value),
            Value::Object(members) => drop(members.insert(key, value)),
            _ => {}
        },
    }
}

#[test]
fn the_manifest_that_is_changed_is_valid() {
    judge(&valid().to_string()).unwrap();
    Pipeline::new(&valid().to_string()).unwrap();
}

proptest! {
    #![proptest_config(settings())]

    #[test]
    fn any_text_is_answered(text in ".{0,200}") {
        judge(&text)?;
    }

    #[test]
    fn any_json_is_answered(value in any_json()) {
        judge(&value.to_string())?;
    }

    #[test]
    fn any_nodes_and_connections_are_answered(nodes in any_json(), connections in any_json(), outputs in any_json()) {
        let manifest = json!({"version": "v1", "nodes": nodes, "connections": connections, "outputs": outputs});
        judge(&manifest.to_string())?;
    }

    #[test]
    fn any_changes_of_a_valid_manifest_are_answered(
        changes in prop::collection::vec((any::<prop::sample::Index>(), change()), 1..5),
        pretty in any::<bool>(),
    ) {
        let mut manifest = valid();
        for (place, change) in changes {
            apply(&mut manifest, place, change);
        }
        judge(&if pretty { format!("{manifest:#}") } else { manifest.to_string() })?;
    }

    /// Single characters lost, doubled or replaced: mostly no JSON any more, or keys written twice.
    #[test]
    fn any_slips_of_the_keyboard_are_answered(
        slips in prop::collection::vec((any::<prop::sample::Index>(), prop::option::of(any::<char>()), any::<bool>()), 1..4),
    ) {
        let mut text: Vec<char> = format!("{:#}", valid()).chars().collect();
        for (place, letter, keep) in slips {
            let at = place.index(text.len());
            if !keep {
                text.remove(at);
            }
            if let Some(letter) = letter {
                text.insert(at, letter);
            }
        }
        judge(&text.into_iter().collect::<String>())?;
    }

    /// Graphs of random connections: cycles, diamonds, islands.
    #[test]
    fn any_connections_are_answered(pairs in prop::collection::vec((0_usize..8, 0_usize..8), 0..16)) {
        let nodes: Vec<Value> = (0..8).map(|n| json!({"id": format!("n{n}"), "node_type": "PassThrough"})).collect();
        let connections: Vec<Value> =
            pairs.iter().map(|(from, to)| json!({"from": format!("n{from}"), "to": format!("n{to}")})).collect();
        judge(&json!({"version": "v1", "nodes": nodes, "connections": connections}).to_string())?;
    }
}
