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

/// One bad manifest: code, pointer, line, and a word that says what to do or what was expected.
struct Bad {
    text: &'static str,
    code: &'static str,
    path: &'static str,
    line: u32,
    advice: &'static str,
}

const fn bad(code: &'static str, path: &'static str, line: u32, advice: &'static str, text: &'static str) -> Bad {
    Bad { text, code, path, line, advice }
}

/// Each text starts on line 1; `[\n` and so on put the fault on a line of its own.
const BAD: &[Bad] = &[
    bad("RM0101", "", 2, "a value is missing before the bracket", "{\"version\": \"v1\",\n \"nodes\": [}"),
    bad("RM0101", "", 1, "a JSON object", ""),
    bad("RM0101", "", 1, "double quotes", "nodes: []"),
    bad("RM0101", "", 1, "no comments", "{\"version\": \"v1\", // the first\n}"),
    bad("RM0101", "", 1, "take out the comma", "{\"version\": \"v1\",}"),
    bad("RM0101", "", 1, "double quotes", "{'version': 'v1'}"),
    bad("RM0101", "", 1, "bracket or a quote is not closed", "{\"version\": \"v1\""),
    bad("RM0105", "", 1, "a JSON object", "[1, 2]"),
    bad("RM0104", "", 2, "\"version\": \"v1\"", "\n{\"nodes\": [{\"id\": \"a\", \"node_type\": \"PassThrough\"}]}"),
    bad(
        "RM0106",
        "/version",
        2,
        "\"v1\"",
        "{\n\"version\": \"v99\", \"nodes\": [{\"id\": \"a\", \"node_type\": \"PassThrough\"}]}",
    ),
    bad("RM0106", "/version", 1, "\"v1\"", r#"{"version": 1, "nodes": [{"id": "a", "node_type": "PassThrough"}]}"#),
    bad("RM0104", "", 1, "a list of nodes", r#"{"version": "v1"}"#),
    bad("RM0107", "/nodes", 3, "at least one node", "{\"version\": \"v1\",\n\n\"nodes\": []}"),
    bad("RM0105", "/nodes", 1, "a list of nodes", r#"{"version": "v1", "nodes": {}}"#),
    bad("RM0105", "/nodes/0", 1, "an object", r#"{"version": "v1", "nodes": ["PassThrough"]}"#),
    bad("RM0104", "/nodes/0", 1, "a non-empty string", r#"{"version": "v1", "nodes": [{"node_type": "PassThrough"}]}"#),
    bad("RM0104", "/nodes/0", 1, "a non-empty string", r#"{"version": "v1", "nodes": [{"id": "a"}]}"#),
    bad(
        "RM0108",
        "/nodes/1/id",
        3,
        "/nodes/0",
        r#"{"version": "v1", "nodes": [
{"id": "a", "node_type": "PassThrough"},
{"id": "a", "node_type": "PassThrough"}], "connections": []}"#,
    ),
    bad(
        "RM0103",
        "/nodes/0/node_type",
        4,
        "AudioResample",
        "{\"version\": \"v1\", \"nodes\": [{\n\"id\": \"a\",\n\n\"node_type\": \"AudioResampel\"}]}",
    ),
    bad(
        "RM0103",
        "/nodes/0/node_type",
        1,
        "remotemedia nodes",
        r#"{"version": "v1", "nodes": [{"id": "a", "node_type": "Frobnicate"}]}"#,
    ),
    bad(
        "RM0110",
        "/nodes/0/params/target_rates",
        2,
        "target_rate",
        "{\"version\": \"v1\", \"nodes\": [{\"id\": \"a\", \"node_type\": \"AudioResample\", \"params\": {\"target_rate\": 16000,\n\"target_rates\": 1}}]}",
    ),
    bad(
        "RM0110",
        "/nodes/0/params/x",
        1,
        "no parameters",
        r#"{"version": "v1", "nodes": [{"id": "a", "node_type": "PassThrough", "params": {"x": 1}}]}"#,
    ),
    bad(
        "RM0111",
        "/nodes/0/params/target_rate",
        1,
        "a whole number from 1 to 1536000",
        r#"{"version": "v1", "nodes": [{"id": "a", "node_type": "AudioResample", "params": {"target_rate": "16000"}}]}"#,
    ),
    bad(
        "RM0111",
        "/nodes/0/params/target_rate",
        1,
        "a whole number",
        r#"{"version": "v1", "nodes": [{"id": "a", "node_type": "AudioResample", "params": {"target_rate": 16000.5}}]}"#,
    ),
    bad(
        "RM0112",
        "/nodes/0/params/gain_db",
        2,
        "a number from -120 to 60",
        "{\"version\": \"v1\", \"nodes\": [{\"id\": \"a\", \"node_type\": \"Gain\", \"params\": {\n\"gain_db\": 61}}]}",
    ),
    bad(
        "RM0112",
        "/nodes/0/params/mode",
        1,
        "\"upper\" or \"lower\" or \"title\"",
        r#"{"version": "v1", "nodes": [{"id": "a", "node_type": "TextCase", "params": {"mode": "shout"}}]}"#,
    ),
    bad(
        "RM0113",
        "/nodes/0/params",
        1,
        "Channels of the output",
        r#"{"version": "v1", "nodes": [{"id": "a", "node_type": "AudioChannels", "params": {}}]}"#,
    ),
    bad(
        "RM0105",
        "/nodes/0/params",
        1,
        "an object",
        r#"{"version": "v1", "nodes": [{"id": "a", "node_type": "PassThrough", "params": [1]}]}"#,
    ),
    bad(
        "RM0114",
        "/connections/0/from",
        4,
        "did you mean `first`?",
        r#"{"version": "v1", "nodes": [
{"id": "first", "node_type": "PassThrough"}, {"id": "second", "node_type": "PassThrough"}],
"connections": [
{"from": "frist", "to": "second"}]}"#,
    ),
    bad(
        "RM0114",
        "/connections/0/to",
        4,
        "the id of a node",
        r#"{"version": "v1", "nodes": [
{"id": "first", "node_type": "PassThrough"}, {"id": "second", "node_type": "PassThrough"}],
"connections": [{"from": "first",
"to": "nowhere"}]}"#,
    ),
    bad(
        "RM0114",
        "/connections/0/from",
        3,
        "\"from_port\": \"events\"",
        r#"{"version": "v1", "nodes": [
{"id": "level", "node_type": "AudioLevel"}, {"id": "b", "node_type": "PassThrough"}],
"connections": [{"from": "level.events", "to": "b"}]}"#,
    ),
    bad(
        "RM0116",
        "/connections/1",
        4,
        "one way",
        r#"{"version": "v1", "nodes": [{"id": "a", "node_type": "PassThrough"}, {"id": "b", "node_type": "PassThrough"}],
"connections": [
{"from": "a", "to": "b"},
{"from": "b", "to": "b"}]}"#,
    ),
    bad(
        "RM0117",
        "/connections",
        2,
        "one way",
        r#"{"version": "v1", "nodes": [{"id": "a", "node_type": "PassThrough"}, {"id": "b", "node_type": "PassThrough"}],
"connections": [{"from": "a", "to": "b"}, {"from": "b", "to": "a"}]}"#,
    ),
    bad(
        "RM0115",
        "/connections/0/from_port",
        3,
        "out or events",
        r#"{"version": "v1", "nodes": [{"id": "a", "node_type": "AudioLevel"}, {"id": "b", "node_type": "PassThrough"}],
"connections": [{"from": "a", "to": "b",
"from_port": "event_list"}]}"#,
    ),
    bad(
        "RM0115",
        "/connections/0/to_port",
        2,
        "in",
        r#"{"version": "v1", "nodes": [{"id": "a", "node_type": "PassThrough"}, {"id": "b", "node_type": "PassThrough"}],
"connections": [{"from": "a", "to": "b", "to_port": "left"}]}"#,
    ),
    bad(
        "RM0118",
        "/connections/1",
        5,
        "/connections/0",
        r#"{"version": "v1", "nodes": [{"id": "a", "node_type": "PassThrough"}, {"id": "b", "node_type": "PassThrough"},
{"id": "c", "node_type": "PassThrough"}],
"connections": [
{"from": "a", "to": "c"},
{"from": "b", "to": "c"}]}"#,
    ),
    bad(
        "RM0119",
        "/connections/0",
        2,
        "text",
        r#"{"version": "v1", "nodes": [{"id": "a", "node_type": "Gain"}, {"id": "b", "node_type": "TextCase", "params": {"mode": "upper"}}],
"connections": [{"from": "a", "to": "b"}]}"#,
    ),
    bad(
        "RM0120",
        "/connections",
        2,
        "{\"from\": \"a\", \"to\": \"b\"}",
        r#"{"version": "v1", "nodes": [{"id": "a", "node_type": "PassThrough"}, {"id": "b", "node_type": "PassThrough"}],
"connections": []}"#,
    ),
    bad(
        "RM0201",
        "/nodes/1",
        3,
        "expected 16000",
        r#"{"version": "v1", "nodes": [
{"id": "a", "node_type": "PassThrough"},
{"id": "b", "node_type": "AudioResample", "params": {"target_rate": 8000, "source_rate": 16000}}],
"connections": [{"from": "a", "to": "b"}], "input": {"type": "audio", "sample_rate_hz": 44100, "channels": 2}}"#,
    ),
    bad(
        "RM0201",
        "/nodes/0",
        2,
        "expected 6 to 2",
        r#"{"version": "v1", "nodes": [
{"id": "a", "node_type": "AudioChannels", "params": {"channels": 2}}],
"input": {"type": "audio", "sample_rate_hz": 44100, "channels": 4}}"#,
    ),
    bad(
        "RM0121",
        "/budget",
        2,
        "remove it",
        "{\"version\": \"v1\", \"nodes\": [{\"id\": \"a\", \"node_type\": \"PassThrough\"}],\n\"budget\": {\"latency_ms\": 5}}",
    ),
    bad(
        "RM0121",
        "/nodes/0/execution/placement",
        1,
        "\"inline\"",
        r#"{"version": "v1", "nodes": [{"id": "a", "node_type": "PassThrough", "execution": {"placement": "worker"}}]}"#,
    ),
    bad(
        "RM0105",
        "/nodes/0/execution/on_error",
        1,
        "\"fail\" or \"skip\"",
        r#"{"version": "v1", "nodes": [{"id": "a", "node_type": "PassThrough", "execution": {"on_error": "retry"}}]}"#,
    ),
    bad(
        "RM0122",
        "/nodes/0/params/gain_db",
        1,
        "keep one",
        r#"{"version": "v1", "nodes": [{"id": "a", "node_type": "Gain", "params": {"gain_db": 1, "gain_db": 2}}]}"#,
    ),
    bad(
        "RM0123",
        "/outputs/1",
        2,
        "did you mean `first`?",
        r#"{"version": "v1", "nodes": [{"id": "first", "node_type": "PassThrough"}], "outputs": ["first",
"frist"]}"#,
    ),
    bad(
        "RM0123",
        "/outputs/1",
        1,
        "keep one",
        r#"{"version": "v1", "nodes": [{"id": "a", "node_type": "PassThrough"}], "outputs": ["a", "a"]}"#,
    ),
    bad(
        "RM0115",
        "/outputs/0",
        1,
        "out or events",
        r#"{"version": "v1", "nodes": [{"id": "a", "node_type": "AudioLevel"}], "outputs": ["a.loudness"]}"#,
    ),
    bad(
        "RM0125",
        "/input/mic",
        1,
        "formats by node id",
        r#"{"version": "v1", "nodes": [{"id": "a", "node_type": "Gain"}], "input": {"mic": {"type": "audio"}}}"#,
    ),
    bad(
        "RM0112",
        "/input/sample_rate_hz",
        1,
        "from 1 to 1536000",
        r#"{"version": "v1", "nodes": [{"id": "a", "node_type": "Gain"}], "input": {"type": "audio", "sample_rate_hz": 0}}"#,
    ),
    bad(
        "RM0112",
        "/input/type",
        1,
        "did you mean `audio`?",
        r#"{"version": "v1", "nodes": [{"id": "a", "node_type": "Gain"}], "input": {"type": "Audoi"}}"#,
    ),
];

#[test]
fn each_bad_manifest_gives_its_error() {
    let mut wrong = Vec::new();
    for bad in BAD {
        let found = errors(bad.text);
        let [problem] = found.as_slice() else {
            wrong.push(format!("{} problems instead of one: {found:#?}\n{}", found.len(), bad.text));
            continue;
        };
        let is = (problem.code, problem.path.as_str(), problem.line);
        if is != (bad.code, bad.path, Some(bad.line)) {
            wrong.push(format!("{is:?} instead of {:?}\n{}", (bad.code, bad.path, bad.line), bad.text));
        }
        if problem.fix.is_none() && problem.expected.is_none() && !problem.message.contains("expected") {
            wrong.push(format!("neither a fix nor what was expected: {problem:?}\n{}", bad.text));
        }
        if !problem.to_string().contains(bad.advice) {
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
    for bad in BAD {
        let error = Pipeline::new(bad.text).expect_err(bad.text);
        let kind = if bad.code.starts_with("RM02") { ErrorKind::Format } else { ErrorKind::Manifest };
        assert_eq!((error.kind(), error.code()), (kind, bad.code), "{}", bad.text);
        assert_eq!(error.path(), Some(bad.path), "{}", bad.text);
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
    for bad in BAD {
        let registry = Runtime::shared();
        let error = Pipeline::compile(bad.text, Source::Value, registry.registry()).expect_err(bad.text);
        let problem = &error.problems()[0];
        let place = (problem.line, problem.column, problem.end_column, problem.excerpt.as_deref());
        assert_eq!(place, (None, None, None, None), "{}", bad.text);
        assert_eq!((problem.code, problem.path.as_str()), (bad.code, bad.path));
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
