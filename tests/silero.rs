//! `SpeechVAD` against silero-vad itself: the same probabilities, the same segments. `conformance/silero.py` made them.

mod support;

use remotemedia::AudioBuffer;
use serde_json::{Value, json};
use support::run::{chain, result, run, value};

fn expected() -> Value {
    serde_json::from_str(include_str!("conformance/silero.json")).unwrap()
}

/// What `SpeechVAD` puts out on a port of its own for a recording of `examples/data`.
fn found(audio: AudioBuffer, port: &str, params: Value) -> Vec<Value> {
    let mut manifest: Value = serde_json::from_str(&chain(&[("vad", "SpeechVAD", params)])).unwrap();
    manifest["outputs"] = json!([format!("vad.{port}")]);
    let results = run(&manifest.to_string(), vec![audio.into()]);
    result(&results, &format!("vad.{port}")).into_iter().map(|data| value(data).clone()).collect()
}

/// First and last samples of the segments of a recording.
fn segments(name: &str, params: Value) -> Value {
    let events = found(recording(name), "events", params);
    let ends = events.iter().filter(|event| event["event"] == "speech_end");
    ends.map(|event| json!([event["start_sample"], event["end_sample"]])).collect()
}

fn recording(name: &str) -> AudioBuffer {
    support::audio::recording(name)
}

#[test]
fn the_probabilities_are_those_of_onnxruntime() {
    for (name, one) in expected()["files"].as_object().unwrap() {
        let theirs: Vec<f64> = one["probabilities"].as_array().unwrap().iter().map(|p| p.as_f64().unwrap()).collect();
        let ours = found(recording(name), "probability", json!({}));
        assert_eq!(ours.len(), theirs.len(), "{name}");
        let mut worst = 0.0_f64;
        for (index, (ours, theirs)) in ours.iter().zip(&theirs).enumerate() {
            assert_eq!(ours["sample"], 512 * index, "{name}");
            worst = worst.max((ours["probability"].as_f64().unwrap() - theirs).abs());
        }
        println!("{name}: largest difference {worst:.1e}");
        assert!(worst <= 1e-5, "{name}: {worst:.1e}");
    }
}

#[test]
fn the_segments_of_files_are_those_of_the_package() {
    for (name, one) in expected()["files"].as_object().unwrap() {
        assert_eq!(segments(name, json!({"preset": "file"})), one["segments"], "{name}");
    }
}

/// `remotemedia-dsp` compares the state machine itself with the package, on random probabilities.
#[test]
fn long_segments_are_cut_and_padded_as_the_package_does() {
    for (name, one) in expected()["files"].as_object().unwrap() {
        for case in one["cut"].as_array().unwrap() {
            let mut params = case["params"].clone();
            params["preset"] = json!("file");
            assert_eq!(segments(name, params), case["segments"], "{name}: {}", case["params"]);
        }
    }
}

/// Eight hours of a stream count for nothing: after a reset the detector is as new. Loud input is no more than full scale.
#[test]
fn what_is_too_loud_is_clipped() {
    let mut loud = recording("jfk.wav");
    loud.samples_mut().unwrap().iter_mut().for_each(|sample| *sample *= 100.0);
    let mut clipped = loud.clone();
    clipped.samples_mut().unwrap().iter_mut().for_each(|sample| *sample = sample.clamp(-1.0, 1.0));
    assert_eq!(found(loud, "probability", json!({})), found(clipped, "probability", json!({})));
}
