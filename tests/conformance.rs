//! The runs that every language shares: `tests/conformance/runs.json`.

use remotemedia::{AudioBuffer, AudioFormat, Pipeline, RunOptions, RuntimeData};
use serde_json::{Value, json};

fn item(value: &Value) -> RuntimeData {
    if let Some(text) = value.get("text") {
        return RuntimeData::text(text.as_str().unwrap());
    }
    if let Some(json) = value.get("json") {
        return RuntimeData::json(json.clone());
    }
    let audio = &value["audio"];
    let number = |key: &str| u32::try_from(audio[key].as_u64().unwrap()).unwrap();
    let samples: Vec<f32> =
        audio["samples"].as_array().unwrap().iter().map(|sample| sample.as_f64().unwrap() as f32).collect();
    let format = AudioFormat::new(number("sample_rate_hz"), u16::try_from(number("channels")).unwrap()).unwrap();
    AudioBuffer::new(samples, format).unwrap().into()
}

fn same(found: &RuntimeData, expected: &RuntimeData) -> bool {
    match (found, expected) {
        (RuntimeData::Text(left), RuntimeData::Text(right)) => left == right,
        (RuntimeData::Json(left), RuntimeData::Json(right)) => left.to_string() == right.to_string(),
        (RuntimeData::Audio(left), RuntimeData::Audio(right)) => {
            let near = left.samples().iter().zip(right.samples()).all(|(a, b)| (a - b).abs() < 1e-6);
            left.format() == right.format() && left.frames() == right.frames() && near
        }
        _ => false,
    }
}

#[test]
fn every_run_gives_what_is_written() {
    let file: Value = serde_json::from_str(include_str!("conformance/runs.json")).unwrap();
    let cases = file["cases"].as_array().unwrap();
    assert!(cases.len() >= 16);
    for case in cases {
        let name = &case["name"];
        let pipeline = Pipeline::new(&case["manifest"].to_string()).unwrap();
        let items: Vec<RuntimeData> = case["input"].as_array().unwrap().iter().map(item).collect();
        let done = pipeline.run(items, &RunOptions::default());
        if let Some(expected) = case.get("error") {
            let error = done.expect_err(&name.to_string());
            let found = json!({"kind": error.kind().name(), "node": error.node(), "item_index": error.item_index()});
            for (key, value) in expected.as_object().unwrap() {
                assert_eq!(&found[key], value, "{name}: {error}");
            }
            continue;
        }
        let results = done.unwrap_or_else(|error| panic!("{name}: {error}"));
        let expected = case["output"].as_object().unwrap();
        assert_eq!(results.ports.len(), expected.len(), "{name}");
        for port in &results.ports {
            let wanted: Vec<RuntimeData> = expected[&port.port.name()].as_array().unwrap().iter().map(item).collect();
            assert_eq!(port.items.len(), wanted.len(), "{name}");
            assert!(
                port.items.iter().zip(&wanted).all(|(found, wanted)| same(&found.data, wanted)),
                "{name}: {port:?}"
            );
        }
    }
}
