//! Bad manifests: each gives its code, the place, and what to do about it; all problems come at once.

mod support;

use remotemedia::manifest::Source;
use remotemedia::{ErrorKind, Pipeline, Problem, Runtime, Severity};
use serde_json::{Value, json};

fn errors(text: &str) -> Vec<Problem> {
    let (fine, problems) = Pipeline::validate(text);
    let errors: Vec<Problem> = problems.into_iter().filter(|problem| problem.severity == Severity::Error).collect();
    assert_eq!(fine, errors.is_empty(), "{errors:?}");
    errors
}

fn the_error(text: &str) -> Problem {
    match errors(text).as_slice() {
        [one] => one.clone(),
        many => panic!("{} problems instead of one: {:#?}", many.len(), &many[..many.len().min(4)]),
    }
}

/// One bad manifest: code, pointer, line, and words that say what to do or what was expected.
struct Bad {
    text: String,
    code: String,
    path: String,
    line: u32,
    advice: String,
}

/// The cases that every language shares.
fn bad_manifests() -> Vec<Bad> {
    let file: Value = serde_json::from_str(include_str!("conformance/manifest_errors.json")).unwrap();
    let cases = file["cases"].as_array().unwrap().iter();
    let bad: Vec<Bad> = cases
        .map(|case| {
            let word = |key: &str| case[key].as_str().unwrap().to_owned();
            let line = u32::try_from(case["line"].as_u64().unwrap()).unwrap();
            Bad { text: word("manifest"), code: word("code"), path: word("path"), line, advice: word("says") }
        })
        .collect();
    assert!(bad.len() >= 50, "{} cases", bad.len());
    bad
}

#[test]
fn each_bad_manifest_gives_its_error() {
    let mut wrong = Vec::new();
    for bad in &bad_manifests() {
        let found = errors(&bad.text);
        let [problem] = found.as_slice() else {
            wrong.push(format!("{} problems instead of one: {found:#?}\n{}", found.len(), bad.text));
            continue;
        };
        let is = (problem.code, problem.path.as_str(), problem.line);
        if is != (bad.code.as_str(), bad.path.as_str(), Some(bad.line)) {
            wrong.push(format!("{is:?} instead of {:?}\n{}", (&bad.code, &bad.path, bad.line), bad.text));
        }
        if problem.fix.is_none() && problem.expected.is_none() && !problem.message.contains("expected") {
            wrong.push(format!("neither a fix nor what was expected: {problem:?}\n{}", bad.text));
        }
        if !problem.to_string().contains(&bad.advice) {
            wrong.push(format!("`{problem}` does not say `{}`\n{}", bad.advice, bad.text));
        }
        if problem.column.is_none_or(|column| column == 0) {
            wrong.push(format!("no column: {problem:?}"));
        }
        // What is marked in the excerpt is what stands there in the text.
        let excerpt = problem.excerpt.as_deref().unwrap_or_default();
        let lines: Vec<&str> = excerpt.lines().collect();
        let line = bad.text.lines().nth(bad.line as usize - 1).unwrap_or_default();
        let column = problem.column.unwrap_or_default() as usize;
        let marks = lines.get(3).map_or(0, |line| line.matches('^').count());
        let shown: String = lines.get(2).unwrap_or(&"").chars().collect();
        let at = lines.get(3).and_then(|line| line.find('^')).unwrap_or_default();
        let under: String = shown.chars().skip(at).take(marks).collect();
        let meant: String = line.chars().skip(column - 1).take(marks).collect();
        if marks == 0 || under != meant {
            wrong.push(format!("`{under}` is marked instead of `{meant}`:\n{excerpt}\n{}", bad.text));
        }
        if problem.end_column.is_none_or(|end| (end as usize) < column) {
            wrong.push(format!("end_column: {problem:?}"));
        }
    }
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n\n"));
}

#[test]
fn the_error_of_a_pipeline_carries_the_problem() {
    for bad in &bad_manifests() {
        let error = Pipeline::new(&bad.text).expect_err(&bad.text);
        let kind = if bad.code.starts_with("RM02") { ErrorKind::Format } else { ErrorKind::Manifest };
        assert_eq!((error.kind(), error.code()), (kind, bad.code.as_str()), "{}", bad.text);
        assert_eq!(error.path(), Some(bad.path.as_str()), "{}", bad.text);
        assert_eq!(error.problems().len(), 1, "{}", bad.text);
        let problem = &error.problems()[0];
        assert_eq!(error.to_string(), format!("{problem}\n{}", problem.excerpt.as_deref().unwrap()));
    }
}

#[test]
fn the_node_concerned_is_named() {
    let named = [
        ("RM0103", r#"{"version": "v1", "nodes": [{"id": "mine", "node_type": "Frobnicate"}]}"#),
        ("RM0110", r#"{"version": "v1", "nodes": [{"id": "mine", "node_type": "Gain", "params": {"x": 1}}]}"#),
        ("RM0112", r#"{"version": "v1", "nodes": [{"id": "mine", "node_type": "Gain", "params": {"gain_db": 99}}]}"#),
        ("RM0113", r#"{"version": "v1", "nodes": [{"id": "mine", "node_type": "AudioResample"}]}"#),
    ];
    for (code, text) in named {
        let problem = the_error(text);
        assert_eq!((problem.code, problem.node.as_deref()), (code, Some("mine")));
    }
}

#[test]
fn a_misspelt_node_type_gets_the_nearest_name() {
    for (is, meant) in [
        ("AudioResampel", "AudioResample"),
        ("audioresample", "AudioResample"),
        ("AudioResampler", "AudioResample"),
        ("Speech_VAD", "SpeechVAD"),
        ("textcase", "TextCase"),
        ("volume", "Gain"),
    ] {
        let text = json!({"version": "v1", "nodes": [{"id": "a", "node_type": is}]}).to_string();
        if errors(&text).iter().any(|problem| problem.code == "RM0103") {
            let problem = errors(&text).remove(0);
            assert_eq!(problem.nearest.as_deref(), Some(meant), "{is}");
            assert_eq!(problem.found.as_deref(), Some(is));
        }
    }
}

#[test]
fn five_faults_give_five_problems() {
    let text = r#"{
  "version": "v99",
  "nodes": [
    {"id": "a", "node_type": "AudioResampel"},
    {"id": "b", "node_type": "Gain", "params": {"gain_db": 200, "gian_db": 1}},
    {"id": "c", "node_type": "PassThrough"}
  ],
  "connections": [
    {"from": "b", "to": "nowhere"}
  ]
}"#;
    let mut found: Vec<_> =
        errors(text).iter().map(|problem| (problem.line.unwrap(), problem.code, problem.path.clone())).collect();
    found.sort();
    let expected = [
        (2, "RM0106", "/version"),
        (4, "RM0103", "/nodes/0/node_type"),
        (5, "RM0110", "/nodes/1/params/gian_db"),
        (5, "RM0112", "/nodes/1/params/gain_db"),
        (9, "RM0114", "/connections/0/to"),
    ]
    .map(|(line, code, path)| (line, code, path.to_owned()));
    assert_eq!(found, expected);
    let error = Pipeline::new(text).unwrap_err();
    assert_eq!((error.kind(), error.problems().len()), (ErrorKind::Manifest, 5));
    for (_, code, _) in expected {
        assert!(error.to_string().contains(code), "{error}");
    }
}

#[test]
fn keys_without_effect_are_warnings() {
    let text = r#"{"version": "v1", "$schema": "x", "metadata": {"nam": "p", "auto_negotiate": true},
        "nodes": [{"id": "a", "node_type": "PassThrough", "parms": {}}]}"#;
    let pipeline = Pipeline::new(text).unwrap();
    let mut found: Vec<_> = pipeline.warnings().iter().map(|problem| (problem.code, problem.path.as_str())).collect();
    found.sort();
    let expected = [
        ("RM0130", "/$schema"),
        ("RM0130", "/metadata/nam"),
        ("RM0130", "/nodes/0/parms"),
        ("RM0131", "/metadata/auto_negotiate"),
    ];
    assert_eq!(found, expected);
    let misspelt = pipeline.warnings().iter().find(|problem| problem.path == "/nodes/0/parms").unwrap();
    assert_eq!(misspelt.nearest.as_deref(), Some("params"));
}

/// A chain of so many nodes, of which the first so many are connected.
fn long_chain(nodes: usize, connected: usize, node_type: &str) -> String {
    let list: Vec<Value> = (0..nodes).map(|n| json!({"id": format!("n{n}"), "node_type": node_type})).collect();
    let connections: Vec<Value> =
        (1..connected).map(|n| json!({"from": format!("n{}", n - 1), "to": format!("n{n}")})).collect();
    json!({"version": "v1", "nodes": list, "connections": connections}).to_string()
}

#[test]
fn ten_thousand_nodes_are_fine() {
    assert_eq!(Pipeline::new(&long_chain(10_000, 10_000, "PassThrough")).unwrap().graph().nodes.len(), 10_000);
}

#[test]
fn more_nodes_than_that_are_one_problem() {
    let problem = the_error(&long_chain(10_001, 4, "PassThrough"));
    assert_eq!((problem.code, problem.path.as_str()), ("RM0124", "/nodes"));
    assert!(problem.to_string().contains("at most 10000"), "{problem}");
}

#[test]
fn more_connections_than_that_are_one_problem() {
    let connections = vec![json!({"from": "a", "to": "b"}); 100_001];
    let nodes = json!([{"id": "a", "node_type": "PassThrough"}, {"id": "b", "node_type": "PassThrough"}]);
    let text = json!({"version": "v1", "nodes": nodes, "connections": connections}).to_string();
    let problem = the_error(&text);
    assert_eq!((problem.code, problem.path.as_str()), ("RM0124", "/connections"));
    assert!(problem.to_string().contains("at most 100000"), "{problem}");
}

#[test]
fn as_many_problems_as_nodes_all_come() {
    let found = errors(&long_chain(10_000, 10_000, "Nothing"));
    assert_eq!(found.len(), 10_000);
    for (index, problem) in found.iter().enumerate() {
        assert_eq!(problem.path, format!("/nodes/{index}/node_type"));
    }
}

#[test]
fn deep_and_long_texts_are_refused_in_one_line() {
    for open in ["[", "{\"a\":"] {
        let problem = the_error(&open.repeat((1 << 20) / open.len()));
        assert_eq!(problem.code, "RM0102");
        assert!(problem.to_string().contains("127"), "{problem}");
    }
    let long = format!(r#"{{"version": "v1", "x": "{}"}}"#, "x".repeat(17 << 20));
    let problem = the_error(&long);
    assert_eq!(problem.code, "RM0102");
    assert!(problem.to_string().len() < 200);
}

#[test]
fn long_values_are_shown_short() {
    let text = json!({"version": "x".repeat(10_000), "nodes": [{"id": "a", "node_type": "PassThrough"}]}).to_string();
    assert!(the_error(&text).to_string().len() < 300);
    let text = json!({"version": "v1", "nodes": [{"id": "a", "node_type": "y".repeat(10_000)}]}).to_string();
    assert_eq!(the_error(&text).code, "RM0103");
}

#[test]
fn a_manifest_made_by_a_program_has_no_lines() {
    for bad in &bad_manifests() {
        let registry = Runtime::shared();
        let error = Pipeline::compile(&bad.text, Source::Value, &registry.registry()).expect_err(&bad.text);
        let problem = &error.problems()[0];
        let place = (problem.line, problem.column, problem.end_column, problem.excerpt.as_deref());
        assert_eq!(place, (None, None, None, None), "{}", bad.text);
        assert_eq!((problem.code, problem.path.as_str()), (bad.code.as_str(), bad.path.as_str()));
        assert!(!error.to_string().contains('\n'), "one problem is one line: {error}");
    }
}

#[test]
fn the_file_is_named_with_line_and_column() {
    let text = "{\n \"version\": \"v1\",\n \"nodes\": [{\"id\": \"a\", \"node_type\": \"Gian\"}]}";
    let (_, problems) = Pipeline::validate_from(text, Source::File("talk.json"));
    let excerpt = problems[0].excerpt.as_deref().unwrap();
    assert_eq!(
        excerpt,
        " --> talk.json:3:37\n  |\n3 |  \"nodes\": [{\"id\": \"a\", \"node_type\": \"Gian\"}]}\n  |                                     ^^^^^^"
    );
}

#[test]
fn names_of_other_systems_lead_to_ours() {
    let table = include_str!("../src/graph/hints.rs");
    let runtime = Runtime::shared();
    let mut seen = 0;
    for line in table.lines().filter_map(|line| line.trim().strip_prefix("(\"")) {
        let name = line.split('"').next().unwrap();
        assert!(runtime.registry().find(name).is_none(), "{name} is a node of ours");
        let problem = the_error(&format!(r#"{{"version": "v1", "nodes": [{{"id": "a", "node_type": "{name}"}}]}}"#));
        let fix = problem.fix.unwrap();
        if let Some(ours) = line.split("Ours(\"").nth(1).and_then(|rest| rest.split('"').next()) {
            assert!(runtime.registry().find(ours).is_some(), "{ours}");
            assert_eq!((problem.nearest.as_deref(), fix), (Some(ours), format!("that is `{ours}` here")));
        } else {
            assert!(problem.nearest.is_none() && !fix.is_empty(), "{name}");
        }
        seen += 1;
    }
    assert!(seen > 70, "{seen} names");
}
