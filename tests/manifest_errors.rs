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

/// The names of other systems in the table of hints.
fn foreign_names() -> Vec<&'static str> {
    let table = include_str!("../src/graph/hints.rs");
    let lines = table.lines().filter_map(|line| line.trim().strip_prefix("(\""));
    let names: Vec<&str> = lines.filter_map(|line| line.split('"').next()).collect();
    assert!(names.len() > 90, "{} names", names.len());
    names
}

/// What is said of a node type that there is not.
fn said_of(node_type: &str) -> (Option<String>, String) {
    let text = json!({"version": "v1", "nodes": [{"id": "a", "node_type": node_type}]}).to_string();
    let problem = the_error(&text);
    assert_eq!(problem.code, "RM0103", "{node_type}");
    (problem.nearest, problem.fix.unwrap())
}

/// A name without what spelling may change.
fn letters(name: &str) -> String {
    name.to_lowercase().replace(['_', '-'], "")
}

#[test]
fn a_name_of_another_system_is_answered_with_what_there_is() {
    let runtime = Runtime::shared();
    let registry = runtime.registry();
    let ours: Vec<&str> = registry.iter().map(|kind| kind.info().name).collect();
    // Words in hints that are no nodes: of the Python package, which its own tests look up, and of other software.
    let others = ["PyAV", "OpenCV", "VideoFrame", "Audio", "Session", "RemoteMedia", "Python", "WAV", "FLAC"];
    for name in foreign_names() {
        assert!(registry.find(name).is_none(), "{name} is a node of ours");
        let (nearest, fix) = said_of(name);
        assert!(!fix.is_empty(), "{name}");
        match &nearest {
            // A name that is current, not an older one.
            Some(meant) => {
                assert!(ours.contains(&meant.as_str()) && fix.contains(&format!("`{meant}`")), "{name}: {fix}")
            }
            None => assert!(!fix.contains("did you mean"), "{name}: {fix}"),
        }
        // Whatever the hint names in our spelling of nodes is there.
        for word in fix.split(|c: char| !c.is_alphanumeric()).filter(|word| word.starts_with(char::is_uppercase)) {
            assert!(ours.contains(&word) || others.contains(&word), "{name}: `{word}` in: {fix}");
        }
        // Nothing that is there is denied: not the name itself, and not the same with or without `Node` or `Audio`.
        let denied = fix.contains("no such node") || fix.contains("not in this version");
        for known in registry.names().map(letters).filter(|_| denied) {
            let bare = |name: &str| name.trim_end_matches("node").trim_start_matches("audio").to_owned();
            assert_ne!(bare(&known), bare(&letters(name)), "{name} is denied: {fix}");
        }
    }
}

#[test]
fn hints_about_media_name_the_right_kind_of_media() {
    for name in foreign_names() {
        let (_, fix) = said_of(name);
        let sound = ["aac", "mp3", "opus", "vorbis", "faad", "mpg123"].iter().any(|codec| name.contains(codec));
        let sight = ["h264", "h265", "vp8", "vp9"].iter().any(|codec| name.contains(codec));
        assert!(!sound || !fix.contains("VideoFrame"), "{name}: {fix}");
        assert!(!sight || !fix.contains("`rm.Audio`"), "{name}: {fix}");
    }
    for (name, meant) in [
        ("audiomixer", "Mix"),
        ("AMIX", "Mix"),
        ("audiointerleave", "Merge"),
        ("PythonNode", "Python"),
        ("CustomPythonNode", "Python"),
        ("rtpjitterbuffer", "JitterBuffer"),
        ("gate", "Gate"),
        ("TEE", "Tee"),
        ("audio_mixer", "Mix"),
        ("VAD", "SpeechVAD"),
        ("Resample", "AudioResample"),
    ] {
        assert_eq!(said_of(name), (Some(meant.to_owned()), said_of(name).1), "{name}");
    }
    assert!(said_of("avdec_aac").1.contains("`rm.Audio`") && said_of("avdec_h264").1.contains("`rm.VideoFrame`"));
}

#[test]
fn validating_and_compiling_agree_about_code() {
    let text = r#"{"version": "v1", "nodes": [{"id": "a", "node_type": "Python", "params": {"class": "m:C"}}]}"#;
    assert_eq!(the_error(text).code, "RM0144");
    assert_eq!(Pipeline::new(text).unwrap_err().code(), "RM0144");
    let (fine, problems) = Pipeline::validate_with(text, Source::Text, true);
    assert!(fine && problems.is_empty(), "{problems:?}");
}

/// Seconds that this thread has computed, where the system says so: others may keep the machine busy.
fn computed() -> Option<f64> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    text.split(' ').next()?.parse::<f64>().ok().map(|nanos| nanos / 1e9)
}

/// Seconds that a text takes to be refused.
fn seconds(text: &str) -> f64 {
    let (before, started) = (computed(), std::time::Instant::now());
    let (fine, problems) = Pipeline::validate(text);
    assert!(!fine && problems.len() <= 20_000, "{} problems", problems.len());
    match (before, computed()) {
        (Some(before), Some(after)) => after - before,
        _ => started.elapsed().as_secs_f64(),
    }
}

/// A manifest of 1 MiB may take four times as much as one of a quarter of that, with room for a busy machine.
fn grows_with_the_text(what: &str, text: impl Fn(usize) -> String) {
    let (small, large) = (text(1 << 18), text(1 << 20));
    let size = large.len() as f64 / small.len() as f64;
    let (before, after) = (seconds(&small), seconds(&large));
    assert!(after < 1.0 || after < 3.0 * size * before, "{what}: {before:.2} s, then {after:.2} s");
    assert!(after < 20.0, "{what}: {after:.2} s");
}

#[test]
fn bad_names_cost_time_that_grows_with_the_text_and_no_faster() {
    let nodes =
        |count: usize| (0..count).map(|n| json!({"id": n.to_string(), "node_type": "Gain"})).collect::<Vec<_>>();
    let of = |nodes: Vec<Value>, more: Value| {
        let mut manifest = json!({"version": "v1", "nodes": nodes});
        manifest.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        manifest.to_string()
    };
    let name = |n: usize| format!("{}{n}", "x".repeat(50));
    grows_with_the_text("connections to nowhere", |bytes| {
        let count = bytes / 400;
        let lost = (0..2 * count).map(|n| json!({"from": name(n), "to": name(n + 1)}));
        of(nodes(count), json!({"connections": lost.collect::<Vec<_>>()}))
    });
    grows_with_the_text("connections to names that are too long by a letter", |bytes| {
        let lost = (0..bytes / 120).map(|n| json!({"from": format!("node_{n}x"), "to": format!("node-{n}y")}));
        let nodes = (0..(bytes / 120).min(10_000)).map(|n| json!({"id": format!("node_{n}"), "node_type": "Gain"}));
        of(nodes.collect(), json!({"connections": lost.collect::<Vec<_>>()}))
    });
    grows_with_the_text("ports that are not there", |bytes| {
        let wrong = (0..bytes / 150).map(|n| json!({"from": "0", "to": "1", "from_port": name(n), "to_port": name(n)}));
        of(nodes(2), json!({"connections": wrong.collect::<Vec<_>>()}))
    });
    grows_with_the_text("outputs that are not there", |bytes| {
        of(nodes(bytes / 200), json!({"outputs": (0..bytes / 100).map(name).collect::<Vec<_>>()}))
    });
    grows_with_the_text("inputs of nodes that are not there", |bytes| {
        let inputs = (0..bytes / 120).map(|n| (name(n), json!({"type": "audio"})));
        of(nodes(bytes / 200), json!({"input": inputs.collect::<serde_json::Map<_, _>>()}))
    });
    grows_with_the_text("parameters that are not there", |bytes| {
        let params = (0..bytes / 60).map(|n| (name(n), json!(1))).collect::<serde_json::Map<_, _>>();
        of(vec![json!({"id": "a", "node_type": "SpeechVAD", "params": params})], json!({}))
    });
    grows_with_the_text("settings of execution that are not there", |bytes| {
        let settings = (0..bytes / 60).map(|n| (name(n), json!(1))).collect::<serde_json::Map<_, _>>();
        of(vec![json!({"id": "a", "node_type": "Gian", "execution": settings})], json!({}))
    });
    grows_with_the_text("node types that are not there", |bytes| {
        let wrong =
            (0..(bytes / 100).min(10_000)).map(|n| json!({"id": n.to_string(), "node_type": format!("Resamp{n}")}));
        of(wrong.collect(), json!({}))
    });
    grows_with_the_text("keys without effect", |bytes| {
        let keys = (0..bytes / 60).map(|n| (name(n), json!(1))).collect::<serde_json::Map<_, _>>();
        of(nodes(0), Value::Object(keys))
    });
    grows_with_the_text("ids that are used twice", |bytes| {
        let twice = (0..(bytes / 40).min(10_000)).map(|_| json!({"id": "a", "node_type": "Gain"}));
        of(twice.collect(), json!({}))
    });
}

#[test]
fn long_names_are_not_read_again_for_each_problem() {
    grows_with_the_text("keys written twice below a long one", |bytes| {
        let twice = "\"a\":1,".repeat(bytes / 12);
        format!("{{\"version\":\"v1\",\"nodes\":[],\"{}\":{{{twice}\"b\":1}}}}", "k".repeat(bytes / 2))
    });
    grows_with_the_text("a list below a long key", |bytes| {
        format!("{{\"version\":\"v1\",\"nodes\":[],\"{}\":[1{}]}}", "k".repeat(bytes / 2), ",1".repeat(bytes / 4))
    });
    grows_with_the_text("many problems on one long line that is not ASCII", |bytes| {
        let nodes: Vec<Value> =
            (0..(bytes / 80).min(10_000)).map(|n| json!({"id": format!("ä{n}"), "node_type": "Gän"})).collect();
        json!({"version": "v1", "nodes": nodes, "metadata": {"name": "ä".repeat(bytes / 4)}}).to_string()
    });
    grows_with_the_text("a name of letters without width", |bytes| {
        format!("{{\"version\":\"v1\",\"nodes\":[{{\"id\":\"a\",\"node_type\":\"{}\"}}]}}", "\u{301}".repeat(bytes / 2))
    });
    grows_with_the_text("a long id of a node with many mistakes", |bytes| {
        let params = (0..bytes / 30).map(|n| (n.to_string(), json!(1))).collect::<serde_json::Map<_, _>>();
        json!({"version": "v1", "nodes": [{"id": "i".repeat(bytes / 2), "node_type": "Gain", "params": params}]})
            .to_string()
    });
}

#[test]
fn long_chains_cost_time_that_grows_with_their_length_and_no_faster() {
    let chain = |count: usize| {
        let nodes: Vec<Value> = (0..count).map(|n| json!({"id": n.to_string(), "node_type": "Gain"})).collect();
        let connections = (1..count).map(|n| json!({"from": (n - 1).to_string(), "to": n.to_string()}));
        let budget = json!({"copies": 100_000});
        json!({"version": "v1", "nodes": nodes, "connections": connections.collect::<Vec<_>>(), "budget": budget})
            .to_string()
    };
    let seconds = |count: usize| {
        let text = chain(count);
        let (before, started) = (computed(), std::time::Instant::now());
        Pipeline::new(&text).unwrap();
        before.zip(computed()).map_or_else(|| started.elapsed().as_secs_f64(), |(before, after)| after - before)
    };
    let (short, long) = (seconds(2500), seconds(10_000));
    assert!(long < 1.0 || long < 12.0 * short, "{short:.2} s, then {long:.2} s");
}

#[test]
fn ten_thousand_problems_are_listed_and_not_more() {
    let nodes = [json!({"id": "a", "node_type": "Gain"})];
    let connections: Vec<Value> = (0..20_000).map(|_| json!({"from": "b", "to": "a"})).collect();
    let text = json!({"version": "v1", "nodes": nodes, "connections": connections}).to_string();
    let error = Pipeline::new(&text).unwrap_err();
    assert!(error.to_string().starts_with("the manifest has 10000 problems or more\n"));
    assert_eq!(error.problems().len(), 10_000);
    assert!(error.to_string().lines().count() < 150, "20 of them are in the message");
}

#[test]
fn what_a_terminal_obeys_is_shown_and_not_sent() {
    // Clear the screen, the title of the window, CSI in one byte, delete, and the other direction of text.
    let evil = "a\u{1b}[2J\u{1b}]0;title\u{7}\u{9b}31m\u{7f}\u{202e}b";
    let is_clean = |text: &str| !text.chars().any(|c| c.is_control() && c != '\n' || c == '\u{202e}');
    let gain = |id: &str| json!({"id": id, "node_type": "Gain"});
    let manifests = [
        json!({"version": evil, "nodes": [gain(evil)]}),
        json!({"version": "v1", "nodes": [{"id": evil, "node_type": evil}]}),
        json!({"version": "v1", "nodes": [{"id": evil, "node_type": "Gain", "params": {evil: evil}, evil: 1}]}),
        json!({"version": "v1", "nodes": [{"id": evil, "node_type": "Gain", "params": {"gain_db": evil}}]}),
        json!({"version": "v1", "nodes": [gain("a")], "connections": [{"from": evil, "to": evil}], "outputs": [evil]}),
        json!({"version": "v1", "nodes": [gain(evil)], "input": {evil: {"type": evil}}}),
        json!({"version": "v1", "nodes": [{"id": evil, "node_type": "Chunk", "params": {}}], "outputs": [format!("{evil}.x")]}),
    ];
    for manifest in manifests {
        // As text with escapes, and with the characters themselves where JSON allows them.
        let escaped = manifest.to_string();
        let bare = escaped.replace("\\u007f", "\u{7f}");
        for text in [escaped, bare] {
            let error = Pipeline::new(&text).unwrap_err();
            assert!(is_clean(&error.to_string()), "{:?}", error.to_string());
            for problem in error.problems() {
                assert!(is_clean(&problem.to_string()) && is_clean(problem.excerpt.as_deref().unwrap_or_default()));
            }
        }
    }
    let fine = Pipeline::new(&json!({"version": "v1", "metadata": {"name": evil}, "nodes": [gain(evil)]}).to_string());
    let summary = fine.unwrap().summary();
    assert!(is_clean(&summary) && summary.contains("\\u001b[2J"), "{summary:?}");
}
