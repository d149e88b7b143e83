//! Time in a graph: what leaves audio out, what comes in bursts, what is joined, and who begins when.

mod support;

use remotemedia::engine::VerifyOptions;
use remotemedia::{AudioBuffer, Error, ErrorKind, Pipeline, Pts, RuntimeData, Session, SessionOptions, SessionOutput};
use serde_json::{Value, json};
use support::audio::{buffer, bursts};
use support::random::Random;
use support::run::pipeline;

const RATE: u32 = 16_000;

/// A manifest of nodes and connections; `outputs` may be null.
fn manifest(nodes: &[Value], connections: &[Value], outputs: &Value) -> String {
    let mut manifest = json!({"version": "v1", "nodes": nodes, "connections": connections});
    if !outputs.is_null() {
        manifest["outputs"] = outputs.clone();
    }
    manifest.to_string()
}

/// A gate with its VAD, behind `from` if there is one: nodes and connections.
fn gate(from: Option<&str>, id: &str, params: Value) -> (Vec<Value>, Vec<Value>) {
    let vad = format!("{id}_vad");
    let nodes = vec![
        json!({"id": vad, "node_type": "EnergyVAD", "params": {"threshold_db": -40}}),
        json!({"id": id, "node_type": "Gate", "params": params}),
    ];
    let mut links = vec![
        json!({"from": vad, "to": id, "to_port": "in"}),
        json!({"from": vad, "from_port": "probability", "to": id, "to_port": "vad"}),
    ];
    links.extend(from.map(|from| json!({"from": from, "to": vad})));
    (nodes, links)
}

fn session(pipeline: &Pipeline) -> Session {
    pipeline.session(SessionOptions::default()).unwrap()
}

/// Feeds audio in pieces and ends the stream.
fn feed(session: &Session, audio: &AudioBuffer, mut size: impl FnMut() -> usize) -> Result<Vec<SessionOutput>, Error> {
    let (mut outputs, mut at) = (Vec::new(), 0);
    while at < audio.frames() {
        let end = (at + size()).min(audio.frames());
        outputs.extend(session.feed(audio.slice(at..end).into(), None, None)?);
        at = end;
    }
    outputs.extend(session.flush()?);
    Ok(outputs)
}

/// The samples of mono audio in their places, with silence where there is none.
fn laid_out(outputs: &[SessionOutput]) -> Vec<f32> {
    let mut whole = Vec::new();
    for output in outputs {
        let RuntimeData::Audio(audio) = &output.packet.data else { continue };
        let at = usize::try_from(output.packet.pts.to_frames(audio.sample_rate_hz())).unwrap();
        assert!(at >= whole.len(), "times go back: {at} after {}", whole.len());
        whole.resize(at, 0.0);
        whole.extend_from_slice(audio.samples());
    }
    whole
}

#[test]
fn what_a_gate_leaves_out_is_silence_once_and_in_order() {
    let audio = bursts(5, 11 * RATE as usize, RATE, 1);
    let (nodes, links) = gate(None, "gate", json!({"pre_roll_ms": 50, "hold_ms": 100}));
    let alone = pipeline(&manifest(&nodes, &links, &json!(["gate"])));
    for (node_type, params) in [("Gain", json!({})), ("Chunk", json!({"frames": 512})), ("PassThrough", json!({}))] {
        let nodes = [&nodes[..], &[json!({"id": "node", "node_type": node_type, "params": params})]].concat();
        let links = [&links[..], &[json!({"from": "gate", "to": "node"})]].concat();
        let with_node = pipeline(&manifest(&nodes, &links, &json!(["node"])));
        for size in [160, 333, 1_600, 70_000, usize::MAX / 2] {
            let expected = laid_out(&feed(&session(&alone), &audio, || size).unwrap());
            let outputs = feed(&session(&with_node), &audio, || size).unwrap();
            let found: Vec<f32> = outputs
                .iter()
                .flat_map(|output| match &output.packet.data {
                    RuntimeData::Audio(audio) => audio.samples().to_vec(),
                    other => panic!("{}", other.kind()),
                })
                .collect();
            assert!(expected.iter().any(|sample| *sample != 0.0), "the gate opens");
            assert!(found == expected, "{node_type}, pieces of {size}: {} frames, {}", found.len(), expected.len());
        }
    }
}

#[test]
fn a_joined_stream_goes_on_where_a_gate_is_closed() {
    let (nodes, links) = gate(None, "gate", json!({}));
    for join in ["Mix", "Merge"] {
        for between in [None, Some("Gain"), Some("AudioResample")] {
            let mut nodes = [&nodes[..], &[json!({"id": "far", "node_type": "PassThrough"})]].concat();
            let mut links = links.clone();
            nodes.push(json!({"id": "join", "node_type": join}));
            let mut last = "gate";
            if let Some(node_type) = between {
                let params =
                    if node_type == "Gain" { json!({}) } else { json!({"target_rate": RATE, "source_rate": RATE}) };
                nodes.push(json!({"id": "between", "node_type": node_type, "params": params}));
                links.push(json!({"from": "gate", "to": "between"}));
                last = "between";
            }
            links.push(json!({"from": last, "to": "join", "to_port": "in_1"}));
            links.push(json!({"from": "far", "to": "join", "to_port": "in_2"}));
            let pipeline = pipeline(&manifest(&nodes, &links, &json!(["join"])));
            let session = session(&pipeline);
            let mut frames = 0;
            for second in 0..30 {
                for (node, level) in [("gate_vad", 0.0), ("far", 0.25)] {
                    let piece = buffer(vec![level; RATE as usize], RATE, 1);
                    for output in session.feed(piece.into(), None, Some(node)).unwrap() {
                        assert_eq!(output.packet.pts, Pts::frames(frames, RATE));
                        let RuntimeData::Audio(audio) = &output.packet.data else { panic!() };
                        frames += audio.frames() as i64;
                        let far = audio.samples().iter().skip(usize::from(audio.channels()) - 1);
                        assert!(far.step_by(audio.channels().into()).all(|sample| *sample == 0.25));
                    }
                }
                let behind = i64::from(RATE) * (second + 1) - frames;
                assert!(behind < i64::from(RATE) / 2, "{join}, {between:?}: {behind} frames behind after {second} s");
            }
        }
    }
}

#[test]
fn an_hour_of_pause_is_worked_through_in_slices() {
    let (mut nodes, mut links) = gate(None, "gate", json!({}));
    nodes.push(json!({"id": "half", "node_type": "AudioResample", "params": {"target_rate": 8_000}}));
    nodes.push(json!({"id": "level", "node_type": "AudioLevel", "params": {"window_ms": 60_000}}));
    links.extend([json!({"from": "gate", "to": "half"}), json!({"from": "half", "to": "level"})]);
    let session = session(&pipeline(&manifest(&nodes, &links, &json!(["level.events"]))));
    let mut events = Vec::new();
    let loud = bursts(2, RATE as usize, RATE, 1);
    let silence = buffer(vec![0.0; 60 * RATE as usize], RATE, 1);
    events.extend(session.feed(loud.clone().into(), None, None).unwrap());
    for _ in 0..60 {
        events.extend(session.feed(silence.clone().into(), None, None).unwrap());
    }
    events.extend(session.feed(loud.into(), None, None).unwrap());
    events.extend(session.flush().unwrap());
    // 60 windows of a minute, and what is left of the last one.
    assert_eq!(events.len(), 61, "{:?}", events.last());
}

fn two_sources(join: Value) -> Pipeline {
    let format = json!({"type": "audio", "sample_rate_hz": RATE, "channels": 1});
    let mut nodes =
        vec![json!({"id": "near", "node_type": "PassThrough"}), json!({"id": "far", "node_type": "PassThrough"})];
    nodes.push(join);
    let links = [json!({"from": "near", "to": "join"}), json!({"from": "far", "to": "join"})];
    let manifest = json!({"version": "v1", "input": {"near": format, "far": format}, "nodes": nodes,
        "connections": links, "outputs": ["join"]});
    pipeline(&manifest.to_string())
}

fn level(level: f32, frames: usize) -> RuntimeData {
    buffer(vec![level; frames], RATE, 1).into()
}

fn at(milliseconds: i64) -> Option<Pts> {
    Some(Pts { ticks: milliseconds, num: 1, den: 1_000 })
}

#[test]
fn a_second_source_may_have_begun_before_the_first_one_that_sends() {
    for origin in [0, 10_000, 1_700_000_000_000] {
        for early in [0, 50, 137, 9_000] {
            let session = session(&two_sources(json!({"id": "join", "node_type": "Mix"})));
            let mut outputs = session.feed(level(0.25, RATE as usize), at(origin), Some("near")).unwrap();
            let before = early * RATE as usize / 1_000;
            let far = level(0.5, RATE as usize + before);
            outputs.extend(session.feed(far, at(origin - early as i64), Some("far")).unwrap());
            outputs.extend(session.flush().unwrap());
            let mut samples = Vec::new();
            let first = outputs[0].packet.pts;
            for output in &outputs {
                let RuntimeData::Audio(audio) = &output.packet.data else { panic!() };
                assert_eq!(output.packet.pts, first.plus(Pts::frames(samples.len() as i64, RATE)));
                samples.extend_from_slice(audio.samples());
            }
            assert_eq!(first, at(origin - early as i64).unwrap());
            assert_eq!(samples, [vec![0.5; before], vec![0.75; RATE as usize]].concat());
        }
    }
}

#[test]
fn a_source_may_join_late() {
    let mix = json!({"id": "join", "node_type": "Mix", "params": {"missing": "silence"}});
    let session = session(&two_sources(mix));
    let mut samples = Vec::new();
    let mut take = |outputs: Vec<SessionOutput>| {
        for output in outputs {
            let RuntimeData::Audio(audio) = &output.packet.data else { panic!() };
            assert_eq!(output.packet.pts, Pts::frames(samples.len() as i64, RATE));
            samples.extend_from_slice(audio.samples());
        }
    };
    for second in 0..661 {
        take(session.feed(level(0.25, RATE as usize), at(1_000 * second), Some("near")).unwrap());
    }
    take(session.feed(level(0.5, 1_600), at(660_900), Some("far")).unwrap());
    take(session.flush().unwrap());
    let joined = 661 * RATE as usize - 1_600;
    assert_eq!(samples.len(), 661 * RATE as usize);
    assert!(samples[..joined].iter().all(|sample| *sample == 0.25));
    assert!(samples[joined..].iter().all(|sample| *sample == 0.75));
}

#[test]
fn an_input_that_is_not_heard_of_is_an_error_or_silence() {
    let waiting = session(&two_sources(json!({"id": "join", "node_type": "Merge"})));
    let error = (0..100)
        .find_map(|_| waiting.feed(level(0.25, RATE as usize), None, Some("near")).err())
        .expect("it is not waited for without an end");
    assert_eq!((error.kind(), error.node()), (ErrorKind::Format, Some("join")));
    assert!(error.to_string().contains("in_2") && error.to_string().contains("10000 ms"), "{error}");

    let silent = session(&two_sources(json!({"id": "join", "node_type": "Mix", "params": {"missing": "silence"}})));
    let outputs = silent.feed(level(0.25, RATE as usize), None, Some("near")).unwrap();
    // All but the 200 ms that it may be late by.
    assert_eq!(laid_out(&outputs), vec![0.25; RATE as usize * 8 / 10]);
    let params = json!({"missing": "silence", "max_skew_ms": 100});
    let silent = session(&two_sources(json!({"id": "join", "node_type": "Merge", "params": params})));
    let outputs = silent.feed(level(0.25, RATE as usize), None, Some("near")).unwrap();
    assert_eq!(laid_out(&outputs), [0.25, 0.0].repeat(RATE as usize * 9 / 10));
}

#[test]
fn one_clock_for_times_of_packets_and_in_events() {
    let pipeline = pipeline(&manifest(&[json!({"id": "vad", "node_type": "EnergyVAD"})], &[], &json!(["vad.events"])));
    for origin in [0, 2_500, 1_700_000_000_000] {
        let session = session(&pipeline);
        let mut outputs = session.feed(level(0.0, RATE as usize), at(origin), None).unwrap();
        outputs.extend(session.feed(level(0.5, RATE as usize), None, None).unwrap());
        outputs.extend(session.flush().unwrap());
        assert!(!outputs.is_empty());
        for output in outputs {
            let RuntimeData::Json(event) = &output.packet.data else { panic!() };
            let (time, sample) =
                if event["event"] == "speech_start" { ("time_s", "sample") } else { ("end_s", "end_sample") };
            assert_eq!(event[time].as_f64().unwrap(), output.packet.pts.seconds());
            assert_eq!(event[sample].as_i64().unwrap(), output.packet.pts.nearest_frame(RATE));
        }
    }
}

#[test]
fn errors_about_time_speak_in_the_callers_times() {
    let session =
        session(&pipeline(&manifest(&[json!({"id": "same", "node_type": "PassThrough"})], &[], &Value::Null)));
    session.feed(level(0.0, 320), at(1_700_000_000_000), None).unwrap();
    let error = session.feed(level(0.0, 320), at(1_700_000_000_010), None).unwrap_err().to_string();
    assert!(error.contains("1700000000.010000 s") && error.contains("1700000000.020000 s"), "{error}");
}

/// An output that audio of a format comes out of.
#[derive(Clone)]
struct End {
    node: String,
    rate: u32,
    channels: u16,
}

/// A graph of shipped nodes that drop, hold back, cut and join, as chance has it.
fn random_graph(random: &mut Random) -> (String, End) {
    let rates = [8_000, 11_025, 16_000, 24_000, 44_100, 48_000];
    let source = End { node: "n0".into(), rate: rates[random.below(6)], channels: 1 + random.below(2) as u16 };
    let (mut nodes, mut links) = (vec![json!({"id": "n0", "node_type": "PassThrough"})], Vec::new());
    let mut ends = vec![source.clone()];
    for number in 1..2 + random.below(7) {
        let id = format!("n{number}");
        let from = ends[random.below(ends.len())].clone();
        let mut end = End { node: id.clone(), ..from.clone() };
        let mut add = |node_type: &str, params: Value| {
            nodes.push(json!({"id": id, "node_type": node_type, "params": params}));
            links.push(json!({"from": from.node, "to": id}));
        };
        match random.below(9) {
            0 => add("Gain", json!({"gain_db": -3})),
            1 => add("Chunk", json!({"frames": 1 + random.below(3_000)})),
            2 => add("AudioLevel", json!({})),
            3 => {
                // Others than these have no rule.
                end.channels = if from.channels > 2 { 1 } else { 1 + random.below(2) as u16 };
                add("AudioChannels", json!({"channels": end.channels}));
            }
            4 => {
                end.rate = rates[random.below(6)];
                let quality = ["low_latency", "high", "very_high"][random.below(3)];
                add("AudioResample", json!({"target_rate": end.rate, "quality": quality}));
            }
            5 | 6 => {
                let params = json!({"pre_roll_ms": random.below(300), "hold_ms": random.below(300)});
                let (more, new) = gate(Some(&from.node), &id, params);
                nodes.extend(more);
                links.extend(new);
            }
            _ => {
                let fits: Vec<&End> =
                    ends.iter().filter(|end| (end.rate, end.channels) == (from.rate, from.channels)).collect();
                let merges = random.below(2) == 0;
                nodes.push(json!({"id": id, "node_type": if merges { "Merge" } else { "Mix" }}));
                let inputs = 2 + random.below(2);
                for _ in 0..inputs {
                    links.push(json!({"from": fits[random.below(fits.len())].node, "to": id}));
                }
                if merges {
                    end.channels *= inputs as u16;
                }
            }
        }
        if end.channels <= 8 {
            ends.push(end);
        }
    }
    (manifest(&nodes, &links, &Value::Null), source)
}

#[test]
fn any_cutting_of_a_random_graph_is_the_whole() {
    let mut random = Random::new(20);
    for number in 0..500 {
        let (manifest, source) = random_graph(&mut random);
        let frames = source.rate as usize / 2 + random.below(source.rate as usize);
        let audio = bursts(number, frames, source.rate, source.channels);
        let options = VerifyOptions { audio: Some(audio), rounds: 1, seed: number, ..VerifyOptions::default() };
        let pipeline = Pipeline::new(&manifest).unwrap_or_else(|error| panic!("{manifest}: {error}"));
        let report = pipeline.verify(&options).unwrap_or_else(|error| panic!("{manifest}: {error}"));
        let failures: Vec<_> = report.cases.iter().filter(|case| case.failure.is_some()).collect();
        assert!(report.passed(), "graph {number}: {manifest}\n{failures:#?}");
    }
}

#[test]
fn a_change_of_gain_is_a_ramp_of_its_length_however_the_audio_is_cut() {
    let pipeline = pipeline(&manifest(&[json!({"id": "gain", "node_type": "Gain"})], &[], &Value::Null));
    let ramp = RATE as usize / 100;
    for size in [1, 7, 159, 160, 161, 1_000] {
        let session = session(&pipeline);
        let mut found = laid_out(&session.feed(level(1.0, 100), None, None).unwrap());
        session.set_param("gain", "gain_db", &json!(-20)).unwrap();
        while found.len() < 1_100 {
            let piece = level(1.0, size.min(1_100 - found.len()));
            for output in session.feed(piece, None, None).unwrap() {
                let RuntimeData::Audio(audio) = &output.packet.data else { panic!() };
                found.extend_from_slice(audio.samples());
            }
        }
        for (frame, sample) in found.iter().enumerate() {
            let part = (frame as f32 - 99.0).clamp(0.0, ramp as f32) / ramp as f32;
            assert!((sample - (1.0 - 0.9 * part)).abs() < 1e-6, "pieces of {size}, frame {frame}: {sample}");
        }
    }
}
