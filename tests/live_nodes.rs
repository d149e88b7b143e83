//! What the nodes for live work do, against what can be counted by hand.

mod support;

use remotemedia::node::prelude::*;
use remotemedia::{Pipeline, RunOptions, SessionOptions, SessionOutput};
use serde_json::{Value, json};
use support::audio::{buffer, noise, speech};
use support::run::{result, value};

fn graph(nodes: Value, connections: Value, outputs: Value) -> Pipeline {
    let manifest = json!({"version": "v1", "nodes": nodes, "connections": connections, "outputs": outputs});
    Pipeline::new(&manifest.to_string()).unwrap_or_else(|error| panic!("{error}"))
}

fn audio(output: &SessionOutput) -> &AudioBuffer {
    support::run::audio(&output.packet.data)
}

/// The first sample of each packet of a port, with its time in frames.
fn heads(outputs: &[SessionOutput], result: usize) -> Vec<(i64, usize, f32)> {
    let of_port = outputs.iter().filter(|output| output.result == result);
    let head = |output: &SessionOutput| {
        let audio = audio(output);
        (output.packet.pts.to_frames(audio.sample_rate_hz()), audio.frames(), audio.samples()[0])
    };
    of_port.map(head).collect()
}

#[test]
fn chunks_have_exactly_one_length_and_the_rest_is_kept() {
    let input = noise(1, 2_050, 16_000, 2);
    for (params, last) in [(json!({"frames": 512}), 2), (json!({"frames": 512, "last": "pad"}), 512)] {
        let pipeline = Pipeline::new(&support::run::single("Chunk", params)).unwrap();
        let session = pipeline.session(SessionOptions::default()).unwrap();
        let mut outputs = Vec::new();
        for at in (0..2_050).step_by(100) {
            let part = input.slice(at..(at + 100).min(2_050));
            outputs.extend(session.feed(part.into(), None, None).unwrap());
        }
        assert_eq!(session.held_frames(), 2);
        outputs.extend(session.flush().unwrap());
        let lengths: Vec<usize> = outputs.iter().map(|output| audio(output).frames()).collect();
        assert_eq!(lengths, [512, 512, 512, 512, last]);
        let joined: Vec<f32> = outputs.iter().flat_map(|output| audio(output).samples().to_vec()).collect();
        assert_eq!(joined[..4_100], *input.samples());
        assert!(joined[4_100..].iter().all(|sample| *sample == 0.0));
    }
    let odd = Pipeline::new(&support::run::single("Chunk", json!({"ms": 3}))).unwrap();
    let error = odd.session(SessionOptions::default()).unwrap().feed(noise(1, 10, 22_050, 1).into(), None, None);
    assert!(error.unwrap_err().to_string().contains("66.15 frames"));
    let both = Pipeline::new(&support::run::single("Chunk", json!({"ms": 3, "frames": 4}))).unwrap_err();
    assert!(both.to_string().contains("exactly one of"), "{both}");
}

fn two_into(node: Value, sources: [&str; 2]) -> Pipeline {
    graph(
        json!([
            {"id": sources[0], "node_type": "PassThrough"}, {"id": sources[1], "node_type": "PassThrough"},
            node,
        ]),
        json!([{"from": sources[0], "to": "join"}, {"from": sources[1], "to": "join"}]),
        json!(["join", "join.events"]),
    )
}

#[test]
fn a_mix_waits_for_the_input_that_is_behind() {
    let pipeline = two_into(json!({"id": "join", "node_type": "Mix"}), ["mic", "music"]);
    let session = pipeline.session(SessionOptions::default()).unwrap();
    let feed = |value: f32, frames: usize, to: &str| {
        session.feed(buffer(vec![value; frames], 16_000, 1).into(), None, Some(to)).unwrap()
    };
    assert_eq!(feed(1.0, 480, "mic").len(), 0, "nothing is known of the music yet");
    assert_eq!(heads(&feed(2.0, 100, "music"), 0), [(0, 100, 3.0)]);
    assert_eq!(heads(&feed(2.0, 500, "music"), 0), [(100, 380, 3.0)]);
    // The end of one is not the end of the other.
    assert_eq!(heads(&session.flush().unwrap(), 0), [(480, 120, 2.0)]);
}

#[test]
fn an_input_too_far_behind_is_an_error_or_silence_as_the_manifest_says() {
    let params = json!({"max_skew_ms": 20});
    let pipeline = two_into(json!({"id": "join", "node_type": "Mix", "params": params}), ["mic", "music"]);
    let session = pipeline.session(SessionOptions::default()).unwrap();
    let error = session.feed(buffer(vec![1.0; 480], 16_000, 1).into(), None, Some("mic")).unwrap_err();
    assert!(error.to_string().contains("`in_2` is 0.030 s behind"), "{error}");
    assert_eq!((error.node(), error.kind()), (Some("join"), ErrorKind::Format));

    let params = json!({"max_skew_ms": 20, "missing": "silence"});
    let pipeline = two_into(json!({"id": "join", "node_type": "Mix", "params": params}), ["mic", "music"]);
    let session = pipeline.session(SessionOptions::default()).unwrap();
    let feed = |value: f32, frames: usize, to: &str| {
        session.feed(buffer(vec![value; frames], 16_000, 1).into(), None, Some(to)).unwrap()
    };
    assert_eq!(
        heads(&feed(1.0, 480, "mic"), 0),
        [(0, 160, 1.0)],
        "all but the 320 frames that the music may be behind"
    );
    let outputs = feed(2.0, 200, "music");
    assert_eq!(heads(&outputs, 0), [(160, 40, 3.0)], "what came too late is left out");
    let late: Vec<&Value> = outputs.iter().filter(|out| out.result == 1).map(|out| value(&out.packet.data)).collect();
    assert_eq!(*late[0], json!({"event": "late", "input": "in_2", "sample": 0, "frames": 160}));
}

#[test]
fn inputs_of_other_formats_are_refused_with_the_node_to_put_before() {
    let pipeline = two_into(json!({"id": "join", "node_type": "Mix"}), ["a", "b"]);
    let session = pipeline.session(SessionOptions::default()).unwrap();
    session.feed(noise(1, 100, 16_000, 1).into(), None, Some("a")).unwrap();
    let error = session.feed(noise(1, 100, 8_000, 1).into(), None, Some("b")).unwrap_err();
    assert!(error.to_string().contains("16000") && error.fix().unwrap().contains("AudioResample"), "{error}");
    let session = pipeline.session(SessionOptions::default()).unwrap();
    session.feed(noise(1, 100, 16_000, 1).into(), None, Some("a")).unwrap();
    let error = session.feed(noise(1, 100, 16_000, 2).into(), None, Some("b")).unwrap_err();
    assert!(error.fix().unwrap().contains("AudioChannels"), "{error}");
    // What is declared is checked before any run.
    let error = Pipeline::new(
        &json!({"version": "v1", "input": {"type": "audio", "sample_rate_hz": 48_000, "channels": 1},
            "nodes": [{"id": "a", "node_type": "AudioResample", "params": {"target_rate": 8_000}},
                      {"id": "b", "node_type": "Gain"}, {"id": "m", "node_type": "Mix"}],
            "connections": [{"from": "a", "to": "m"}, {"from": "b", "to": "m"}]})
        .to_string(),
    )
    .unwrap_err();
    assert!(error.to_string().contains("`in_2` is 48000, expected 8000"), "{error}");
}

#[test]
fn merged_channels_stand_side_by_side() {
    let (left, right) = (noise(1, 4_000, 16_000, 1), noise(2, 3_000, 16_000, 2));
    let pipeline = graph(
        json!([
            {"id": "l", "node_type": "PassThrough"}, {"id": "r", "node_type": "PassThrough"},
            {"id": "m", "node_type": "Merge"},
        ]),
        json!([{"from": "r", "to": "m", "to_port": "in_2"}, {"from": "l", "to": "m"}]),
        json!(["m"]),
    );
    let session = pipeline.session(SessionOptions::default()).unwrap();
    let mut outputs = session.feed(left.clone().into(), None, Some("l")).unwrap();
    outputs.extend(session.feed(right.clone().into(), None, Some("r")).unwrap());
    outputs.extend(session.flush().unwrap());
    let whole: Vec<f32> = outputs.iter().flat_map(|output| audio(output).samples().to_vec()).collect();
    assert_eq!(audio(&outputs[0]).channels(), 3);
    assert_eq!(whole.len(), 4_000 * 3);
    for (frame, row) in whole.chunks_exact(3).enumerate() {
        let expected = right.samples().get(frame * 2..frame * 2 + 2).unwrap_or(&[0.0, 0.0]);
        assert_eq!(row, [left.samples()[frame], expected[0], expected[1]], "frame {frame}");
    }
}

#[test]
fn more_than_eight_inputs_are_refused() {
    let mut nodes: Vec<Value> = (0..9).map(|n| json!({"id": format!("n{n}"), "node_type": "PassThrough"})).collect();
    nodes.push(json!({"id": "m", "node_type": "Mix"}));
    let connections: Vec<Value> = (0..9).map(|n| json!({"from": format!("n{n}"), "to": "m"})).collect();
    let manifest = json!({"version": "v1", "nodes": nodes, "connections": connections});
    let error = Pipeline::new(&manifest.to_string()).unwrap_err();
    assert!(error.to_string().contains("more than 8 connections"), "{error}");
}

/// Half a second of silence, half a second of tone, half a second of silence.
fn burst() -> AudioBuffer {
    let tone = |frame: usize| if (8_000..16_000).contains(&frame) { (frame as f32 * 0.3).sin() * 0.5 } else { 0.0 };
    buffer((0..24_000).map(tone).collect(), 16_000, 1)
}

#[test]
fn a_gate_passes_exactly_what_is_heard_with_its_roll_and_hold() {
    let pipeline = graph(
        json!([
            {"id": "vad", "node_type": "EnergyVAD"},
            {"id": "gate", "node_type": "Gate", "params": {"pre_roll_ms": 100, "hold_ms": 50}},
        ]),
        json!([
            {"from": "vad", "to": "gate", "to_port": "in"},
            {"from": "vad", "from_port": "probability", "to": "gate", "to_port": "vad"},
        ]),
        json!(["gate"]),
    );
    let session = pipeline.session(SessionOptions::default()).unwrap();
    let input = burst();
    let mut outputs = Vec::new();
    for at in (0..24_000).step_by(320) {
        outputs.extend(session.feed(input.slice(at..at + 320).into(), None, None).unwrap());
        assert!(session.held_frames() <= 1_600 + 320, "held back for the pre-roll only");
    }
    outputs.extend(session.flush().unwrap());
    let times = heads(&outputs, 0);
    let (first, last) = (times[0], times[times.len() - 1]);
    assert_eq!((first.0, last.0 + last.1 as i64), (8_000 - 1_600, 16_000 + 800));
    assert!(times.windows(2).all(|pair| pair[0].0 + pair[0].1 as i64 == pair[1].0), "one stretch");
    let passed: Vec<f32> = outputs.iter().flat_map(|output| audio(output).samples().to_vec()).collect();
    assert_eq!(passed, input.samples()[6_400..16_800]);
    // The events of a VAD are not what it needs.
    let wrong = graph(
        json!([{"id": "vad", "node_type": "EnergyVAD"}, {"id": "gate", "node_type": "Gate"}]),
        json!([{"from": "vad", "to": "gate"}, {"from": "vad", "from_port": "events", "to": "gate", "to_port": "vad"}]),
        json!(["gate"]),
    );
    let error = wrong.session(SessionOptions::default()).unwrap().feed(input.into(), None, None).unwrap_err();
    assert!(error.fix().unwrap().contains("`probability`"), "{error}");
}

/// The same state machine on the same probabilities: the events are those of the detector itself.
#[test]
fn a_segmenter_agrees_with_the_detector_and_its_segments_are_the_audio_of_its_events() {
    for preset in ["file", "conversation"] {
        let params = json!({"preset": preset});
        let pipeline = graph(
            json!([
                {"id": "vad", "node_type": "SpeechVAD", "params": params},
                {"id": "cut", "node_type": "Segmenter", "params": params},
            ]),
            json!([
                {"from": "vad", "to": "cut"},
                {"from": "vad", "from_port": "probability", "to": "cut", "to_port": "vad"},
            ]),
            json!(["vad.events", "cut.events", "cut.segments"]),
        );
        let input = speech(8.0);
        let results = pipeline.run(vec![input.clone().into()], &RunOptions::default()).unwrap();
        let strip = |name: &str| -> Vec<(Value, Value)> {
            let events = result(&results, name).into_iter().map(value);
            events
                .filter(|event| event["event"] == "speech_end")
                .map(|event| (event["start_sample"].clone(), event["end_sample"].clone()))
                .collect()
        };
        let (expected, found) = (strip("vad.events"), strip("cut.events"));
        assert!(!expected.is_empty());
        assert_eq!(found, expected, "{preset}");
        let segments = result(&results, "cut.segments");
        assert_eq!(segments.len(), expected.len());
        for (segment, (start, end)) in segments.into_iter().zip(expected) {
            let range = start.as_u64().unwrap() as usize..end.as_u64().unwrap() as usize;
            assert_eq!(support::run::audio(segment).samples(), &input.samples()[range]);
        }
    }
}

#[test]
fn a_jitter_buffer_sorts_waits_fills_and_counts() {
    let pipeline = Pipeline::new(&support::run::single("JitterBuffer", json!({"delay_ms": 40}))).unwrap();
    let session = pipeline.session(SessionOptions::default()).unwrap();
    // Packets of 20 ms whose samples are their numbers: 1 and 2 change places, 4 is lost, 3 comes far too late.
    let mut outputs = Vec::new();
    for number in [0, 2, 1, 5, 6, 7, 3, 8] {
        let packet = buffer(vec![number as f32 + 1.0; 320], 16_000, 1);
        let pts = Pts::frames(number * 320, 16_000);
        outputs.extend(session.feed(packet.into(), Some(pts), None).unwrap());
    }
    outputs.extend(session.flush().unwrap());
    let mut line = Vec::new();
    let mut next = 0;
    for output in outputs.iter().filter(|output| output.result == 0) {
        assert_eq!(output.packet.pts, Pts::frames(next, 16_000), "without gap or overlap");
        next += audio(output).frames() as i64;
        line.extend(audio(output).samples().iter().copied());
    }
    let slots: Vec<f32> = line.chunks_exact(320).map(|slot| slot[0]).collect();
    assert_eq!(slots, [1.0, 2.0, 3.0, 0.0, 0.0, 6.0, 7.0, 8.0, 9.0]);
    let events: Vec<(String, u64, u64)> = outputs
        .iter()
        .filter(|output| output.result == 1)
        .map(|output| value(&output.packet.data))
        .map(|event| {
            let number = |key: &str| event[key].as_u64().unwrap();
            (event["event"].as_str().unwrap().to_owned(), number("sample"), number("frames"))
        })
        .collect();
    let underruns: u64 = events.iter().filter(|event| event.0 == "underrun").map(|event| event.2).sum();
    assert_eq!(underruns, 640, "{events:?}");
    assert!(events.contains(&("late".to_owned(), 960, 320)), "{events:?}");
}

#[test]
fn a_jump_of_an_hour_is_an_error_and_not_an_hour_of_silence() {
    let pipeline = Pipeline::new(&support::run::single("JitterBuffer", json!({}))).unwrap();
    let session = pipeline.session(SessionOptions::default()).unwrap();
    session.feed(noise(1, 320, 16_000, 1).into(), Some(Pts::ZERO), None).unwrap();
    let error = session.feed(noise(1, 320, 16_000, 1).into(), Some(Pts::frames(500, 1)), None).unwrap_err();
    assert!(error.to_string().contains("jumps by"), "{error}");
}
