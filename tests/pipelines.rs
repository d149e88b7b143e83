//! One-shot runs through the public API: what goes in, what comes out, and how a wrong item is answered.

mod support;

use std::sync::Arc;

use remotemedia::data::{ArrayBytes, ByteOrder, DType};
use remotemedia::node::ManualClock;
use remotemedia::{
    ErrorKind, NdArray, Pipeline, PixelFormat, RunOptions, Runtime, RuntimeData, VideoFormat, VideoFrame,
};
use serde_json::{Value, json};
use support::audio::{buffer, noise, sine};
use support::run::{audio, chain, convert, pipeline, result, run, run_error, single, text, value};

fn frame(width: u32, height: u32, pixel_format: PixelFormat, bytes: Vec<u8>) -> VideoFrame {
    VideoFrame::new(bytes, VideoFormat { width, height, pixel_format }).unwrap()
}

fn array(samples: &[f32], shape: Vec<usize>) -> NdArray {
    let bytes = samples.iter().flat_map(|sample| sample.to_ne_bytes()).collect();
    let bytes = ArrayBytes::Owned(Arc::new(bytes));
    NdArray { bytes, dtype: DType::F32, order: ByteOrder::Native, shape, audio: None }
}

fn bytes_of(array: &NdArray) -> Vec<u8> {
    let mut bytes = vec![0; array.bytes.len()];
    array.bytes.read(0, &mut bytes);
    bytes
}

#[test]
fn pass_through_gives_back_every_kind_in_order() {
    let mut odd = array(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], vec![1, 2, 3]);
    odd.order = ByteOrder::Swapped;
    let items = vec![
        RuntimeData::text("héllo"),
        RuntimeData::json(json!({"a": [1, null, 1.5], "b": i64::MAX})),
        RuntimeData::Binary(Arc::new(vec![0, 255, 7])),
        RuntimeData::Numpy(odd.clone()),
        frame(3, 1, PixelFormat::Gray8, vec![1, 2, 3]).into(),
        noise(1, 100, 44_100, 2).into(),
    ];
    let results = run(&single("PassThrough", json!({})), items);
    assert_eq!(results.inputs, 6);
    assert!(results.warnings.is_empty(), "{:?}", results.warnings);
    let port = &results.ports[0];
    assert_eq!(port.items.iter().map(|item| item.item).collect::<Vec<_>>(), [0, 1, 2, 3, 4, 5]);
    let out = result(&results, "node");
    assert_eq!(text(out[0]), "héllo");
    assert_eq!(value(out[1]), &json!({"a": [1, null, 1.5], "b": i64::MAX}));
    assert!(matches!(out[2], RuntimeData::Binary(bytes) if **bytes == [0, 255, 7]));
    let RuntimeData::Numpy(back) = out[3] else { panic!("{}", out[3].kind()) };
    assert_eq!((back.dtype, back.order, &back.shape), (DType::F32, ByteOrder::Swapped, &vec![1, 2, 3]));
    assert_eq!(bytes_of(back), bytes_of(&odd));
    assert!(matches!(out[4], RuntimeData::Video(frame) if frame.bytes() == [1, 2, 3]));
    assert_eq!(audio(out[5]), &noise(1, 100, 44_100, 2));
}

#[test]
fn no_items_give_no_results() {
    for node in ["PassThrough", "AudioLevel"] {
        let results = run(&single(node, json!({})), vec![]);
        assert_eq!(results.inputs, 0);
        assert!(results.ports.iter().all(|port| port.items.is_empty()), "{node}: {results:?}");
    }
}

#[test]
fn text_changes_its_case() {
    for (mode, expected) in [("upper", "STRASSE, ÉLAN"), ("lower", "straße, élan"), ("title", "Straße, Élan")] {
        let results = run(&single("TextCase", json!({"mode": mode})), vec![RuntimeData::text("straße, Élan")]);
        assert_eq!(text(result(&results, "node")[0]), expected);
    }
}

#[test]
fn gain_multiplies_by_theory() {
    let input = buffer(vec![0.5, -0.25, 1.0, 0.0], 48_000, 1);
    for (db, factor) in [(0.0, 1.0), (20.0, 10.0), (-20.0, 0.1), (6.020_599_913_279_624, 2.0)] {
        let out = convert("Gain", json!({"gain_db": db}), input.clone());
        for (out, sample) in out.samples().iter().zip(input.samples()) {
            // The factor and the product are rounded to f32 once each: two units in the last place.
            assert!((out - sample * factor).abs() <= 2.5e-7 * (sample * factor).abs(), "{db} dB: {out} of {sample}");
        }
    }
}

#[test]
fn gain_beyond_full_scale_is_not_clipped() {
    assert_eq!(convert("Gain", json!({"gain_db": 20.0}), buffer(vec![1.0], 8_000, 1)).samples(), [10.0]);
}

#[test]
fn channels_are_mixed_by_theory() {
    let channels = |n: u16, input: &[f32], from: u16| {
        let out = convert("AudioChannels", json!({"channels": n}), buffer(input.to_vec(), 48_000, from));
        assert_eq!((out.channels(), out.sample_rate_hz()), (n, 48_000));
        out.samples().to_vec()
    };
    assert_eq!(channels(1, &[0.5, 0.25, -1.0, 0.5], 2), [0.375, -0.25]);
    assert_eq!(channels(2, &[0.5, -0.5], 1), [0.5, 0.5, -0.5, -0.5]);
    assert_eq!(channels(1, &[1.0, 2.0, 3.0, 6.0], 4), [3.0]);
    assert_eq!(channels(4, &[0.5, -0.5], 2), [0.5, -0.5, 0.0, 0.0]);
    assert_eq!(channels(2, &[0.5, -0.5], 2), [0.5, -0.5]);
    // ITU-R BS.775: L + 0.7071 C + 0.7071 Ls; the effects channel is left out.
    let share = std::f32::consts::FRAC_1_SQRT_2;
    let mixed = channels(2, &[0.5, -0.5, 0.25, 9.0, 0.125, -0.125], 6);
    let theory = [0.5 + share * (0.25 + 0.125), -0.5 + share * (0.25 - 0.125)];
    assert!(mixed.iter().zip(theory).all(|(a, b)| (a - b).abs() < 1e-6), "{mixed:?} {theory:?}");
}

#[test]
fn more_channels_to_fewer_is_refused_when_nobody_can_know_how() {
    let error = run_error(&single("AudioChannels", json!({"channels": 2})), vec![noise(1, 10, 48_000, 4).into()]);
    assert_eq!(error.kind(), ErrorKind::Format);
    assert_eq!(error.node(), Some("node"));
    assert!(error.fix().is_some(), "{error}");
}

#[test]
fn level_of_a_sine_is_minus_3_01_decibels() {
    let input = buffer(sine(1_000.0, 1.0, 24_000, 48_000), 48_000, 1);
    let results = run(&single("AudioLevel", json!({})), vec![input.clone().into()]);
    assert_eq!(audio(result(&results, "node")[0]), &input, "the audio goes through untouched");
    let events = result(&results, "node.events");
    assert_eq!(events.len(), 5);
    for (index, event) in events.iter().map(|event| value(event)).enumerate() {
        assert_eq!(event["event"], "level");
        assert_eq!(
            (event["start_sample"].as_u64(), event["frames"].as_u64()),
            (Some(index as u64 * 4_800), Some(4_800))
        );
        assert!((event["rms_db"].as_f64().unwrap() + 3.010_299_957).abs() < 1e-4, "{event}");
        // 48 samples a period: one of them lies on the peak.
        assert!(event["peak_db"].as_f64().unwrap().abs() < 1e-4, "{event}");
    }
}

#[test]
fn level_of_the_last_short_window_is_reported_too() {
    let results = run(&single("AudioLevel", json!({"window_ms": 10})), vec![buffer(vec![0.1; 500], 48_000, 1).into()]);
    let events = result(&results, "node.events");
    assert_eq!(events.iter().map(|event| value(event)["frames"].as_u64().unwrap()).collect::<Vec<_>>(), [480, 20]);
    assert!(events.iter().all(|event| (value(event)["rms_db"].as_f64().unwrap() + 20.0).abs() < 1e-4), "{events:?}");
}

#[test]
fn a_scaled_frame_keeps_its_one_colour() {
    let cases = [
        (PixelFormat::Gray8, vec![77]),
        (PixelFormat::Rgb24, vec![10, 20, 30]),
        (PixelFormat::Rgba, vec![10, 20, 30, 40]),
    ];
    for filter in ["nearest", "box", "bilinear", "lanczos3"] {
        let manifest = single("VideoScale", json!({"width": 5, "height": 9, "filter": filter}));
        for (format, pixel) in &cases {
            let results = run(&manifest, vec![frame(16, 12, *format, pixel.repeat(16 * 12)).into()]);
            let RuntimeData::Video(out) = result(&results, "node")[0] else { panic!() };
            assert_eq!(out.format(), VideoFormat { width: 5, height: 9, pixel_format: *format });
            assert_eq!(out.bytes(), pixel.repeat(5 * 9), "{format} {filter}");
        }
    }
}

/// Odd sizes: the chroma planes are half as wide and high, rounded up.
#[test]
fn a_scaled_frame_keeps_its_planes_apart() {
    let (luma, u, v) = (100_u8, 50_u8, 200_u8);
    let planes = |width: usize, height: usize, format: PixelFormat| {
        let chroma = width.div_ceil(2) * height.div_ceil(2);
        let mut bytes = vec![luma; width * height];
        match format {
            PixelFormat::Nv12 => bytes.extend([u, v].repeat(chroma)),
            _ => bytes.extend([vec![u; chroma], vec![v; chroma]].concat()),
        }
        bytes
    };
    for format in [PixelFormat::Nv12, PixelFormat::I420] {
        for (width, height) in [(7, 5), (32, 20), (1, 1)] {
            let manifest = single("VideoScale", json!({"width": width, "height": height}));
            let results = run(&manifest, vec![frame(16, 10, format, planes(16, 10, format)).into()]);
            let RuntimeData::Video(out) = result(&results, "node")[0] else { panic!() };
            assert_eq!(out.bytes(), planes(width as usize, height as usize, format), "{format} {width}x{height}");
        }
    }
}

#[test]
fn resampled_items_come_back_one_by_one() {
    let items: Vec<RuntimeData> = (0..3).map(|seed| noise(seed, 960, 48_000, 1).into()).collect();
    let whole: Vec<f32> = items.iter().flat_map(|item| audio(item).samples().to_vec()).collect();
    let results = run(&single("AudioResample", json!({"target_rate": 16_000})), items);
    let out = result(&results, "node");
    assert_eq!(out.iter().map(|item| audio(item).frames()).collect::<Vec<_>>(), [320, 320, 320]);
    assert_eq!(results.ports[0].items.iter().map(|item| item.item).collect::<Vec<_>>(), [0, 1, 2]);
    let joined: Vec<f32> = out.iter().flat_map(|item| audio(item).samples().to_vec()).collect();
    let at_once = convert("AudioResample", json!({"target_rate": 16_000}), buffer(whole, 48_000, 1));
    assert_eq!(joined, at_once.samples(), "several items are one stream");
}

/// Item i gets ceil(n_i L / M) - ceil(n_(i-1) L / M) frames, n being the frames up to its end.
#[test]
fn uneven_items_are_cut_at_their_own_borders() {
    let sizes = [1, 0, 100, 7, 441, 1_000, 2];
    let items = sizes.iter().map(|&frames| noise(frames as u64, frames, 44_100, 2).into()).collect();
    let results = run(&single("AudioResample", json!({"target_rate": 16_000})), items);
    let out: Vec<usize> = result(&results, "node").iter().map(|item| audio(item).frames()).collect();
    let mut sum = 0;
    let ends: Vec<usize> = sizes
        .iter()
        .map(|size| {
            sum += size;
            (sum * 160_usize).div_ceil(441)
        })
        .collect();
    let expected: Vec<usize> = ends.iter().scan(0, |last, end| Some(end - std::mem::replace(last, *end))).collect();
    assert_eq!(out, expected);
}

fn fan_out(outputs: Option<Value>) -> String {
    let mut manifest = json!({
        "version": "v1",
        "nodes": [
            {"id": "loud", "node_type": "Gain", "params": {"gain_db": 20}},
            {"id": "first", "node_type": "PassThrough"},
            {"id": "mono", "node_type": "AudioChannels", "params": {"channels": 1}},
            {"id": "soft", "node_type": "Gain", "params": {"gain_db": -20}},
        ],
        "connections": [
            {"from": "first", "to": "loud"},
            {"from": "first", "to": "mono"},
            {"from": "mono", "to": "soft"},
        ],
    });
    if let Some(outputs) = outputs {
        manifest["outputs"] = outputs;
    }
    manifest.to_string()
}

#[test]
fn one_stream_feeds_two_results() {
    let results = run(&fan_out(None), vec![buffer(vec![0.5, 0.25], 8_000, 2).into()]);
    let names: Vec<String> = results.ports.iter().map(|port| port.port.name()).collect();
    assert_eq!(names, ["loud", "soft"], "in the order of the manifest");
    assert_eq!(audio(result(&results, "loud")[0]).samples(), [5.0, 2.5]);
    assert_eq!(audio(result(&results, "soft")[0]).samples(), [0.037_5]);
}

#[test]
fn outputs_choose_the_results_and_their_order() {
    let results = run(&fan_out(Some(json!(["soft", "first.out"]))), vec![buffer(vec![0.5, 0.25], 8_000, 2).into()]);
    let names: Vec<String> = results.ports.iter().map(|port| port.port.name()).collect();
    assert_eq!(names, ["soft", "first"]);
    assert_eq!(audio(result(&results, "first")[0]).samples(), [0.5, 0.25]);
}

#[test]
fn outputs_may_name_a_port_of_events_alone() {
    let manifest = json!({
        "version": "v1",
        "nodes": [{"id": "level", "node_type": "AudioLevel"}],
        "outputs": ["level.events"],
    });
    let results = run(&manifest.to_string(), vec![noise(1, 4_800, 48_000, 1).into()]);
    assert_eq!(results.ports.len(), 1);
    assert_eq!(result(&results, "level.events").len(), 1);
}

#[test]
fn a_bare_array_needs_a_rate_unless_the_run_is_lenient() {
    let compiled = pipeline(&single("Gain", json!({"gain_db": 20})));
    let item = || vec![RuntimeData::Numpy(array(&[0.5, 0.25], vec![2]))];
    let error = compiled.run(item(), &RunOptions::default()).unwrap_err();
    assert_eq!((error.kind(), error.code(), error.item_index()), (ErrorKind::Format, "RM0202", Some(0)));
    assert!(error.fix().is_some_and(|fix| fix.contains("sample_rate_hz")), "{error}");

    let lenient = RunOptions { lenient: true, ..RunOptions::default() };
    let results = compiled.run(item(), &lenient).unwrap();
    assert_eq!(audio(result(&results, "node")[0]).samples(), [5.0, 2.5]);
    let [warning] = results.warnings.as_slice() else { panic!("{:?}", results.warnings) };
    assert_eq!(warning.node, "node");
    assert!(warning.text.contains("48000"), "{}", warning.text);
}

#[test]
fn a_declared_input_makes_a_bare_array_audio_without_a_word() {
    let manifest = json!({
        "version": "v1",
        "nodes": [{"id": "r", "node_type": "AudioResample", "params": {"target_rate": 8_000}}],
        "input": {"type": "audio", "sample_rate_hz": 16_000, "channels": 1},
    });
    let results = run(&manifest.to_string(), vec![RuntimeData::Numpy(array(&[0.0; 100], vec![100]))]);
    assert_eq!(audio(result(&results, "r")[0]).frames(), 50);
    assert!(results.warnings.is_empty());
}

#[test]
fn channels_first_is_an_error_that_says_so() {
    let manifest = single("Gain", json!({}));
    for options in [RunOptions::default(), RunOptions { lenient: true, ..RunOptions::default() }] {
        let item = RuntimeData::Numpy(array(&[0.0; 200], vec![2, 100]));
        let error = pipeline(&manifest).run(vec![item], &options).unwrap_err();
        assert_eq!((error.kind(), error.code()), (ErrorKind::Format, "RM0205"));
        assert!(error.to_string().contains("x.T"), "{error}");
    }
}

#[test]
fn a_kind_that_a_node_does_not_take_goes_around_it_only_when_lenient() {
    let compiled = pipeline(&single("Gain", json!({"gain_db": 6})));
    let items = || vec![noise(1, 10, 8_000, 1).into(), RuntimeData::text("hello")];
    let error = compiled.run(items(), &RunOptions::default()).unwrap_err();
    assert_eq!((error.kind(), error.code(), error.item_index()), (ErrorKind::InputType, "RM0301", Some(1)));
    assert_eq!(error.node(), Some("node"));

    let lenient = RunOptions { lenient: true, ..RunOptions::default() };
    let results = compiled.run(items(), &lenient).unwrap();
    assert_eq!(text(result(&results, "node")[1]), "hello");
    assert_eq!(results.warnings.len(), 1);
}

#[test]
fn a_stream_that_changes_its_format_is_an_error_at_that_item() {
    let items = vec![noise(1, 100, 48_000, 1).into(), noise(2, 100, 48_000, 1).into(), noise(3, 100, 44_100, 1).into()];
    let error = run_error(&single("AudioResample", json!({"target_rate": 16_000})), items);
    assert_eq!((error.kind(), error.code(), error.item_index()), (ErrorKind::Format, "RM0203", Some(2)));
    assert_eq!(error.node(), Some("node"));
    assert!(error.message().contains("44100") && error.message().contains("48000"), "{error}");
}

#[test]
fn a_wrong_first_item_is_named_before_anything_runs() {
    let manifest = chain(&[
        ("a", "AudioResample", json!({"target_rate": 16_000})),
        ("b", "AudioResample", json!({"target_rate": 8_000, "source_rate": 48_000})),
    ]);
    let error = Pipeline::new(&manifest).expect_err("the formats contradict one another whatever comes in");
    assert_eq!((error.kind(), error.node()), (ErrorKind::Format, Some("b")));
    assert!(error.message().contains("16000") && error.message().contains("48000"), "{error}");
}

#[test]
fn metrics_count_what_went_through() {
    let manifest = chain(&[("a", "PassThrough", json!({})), ("b", "AudioResample", json!({"target_rate": 16_000}))]);
    let options = RunOptions { clock: Some(Arc::new(ManualClock::default())), ..RunOptions::default() };
    let items = (0..3).map(|seed| noise(seed, 960, 48_000, 1).into()).collect();
    let metrics = pipeline(&manifest).run(items, &options).unwrap().metrics.expect("a clock was given");
    let [a, b] = metrics.nodes.as_slice() else { panic!("{metrics:?}") };
    assert_eq!((a.node_id.as_str(), a.packets_in, a.packets_out, a.frames_in, a.frames_out), ("a", 3, 3, 2_880, 2_880));
    assert_eq!((b.node_id.as_str(), b.packets_in, b.frames_in, b.frames_out, b.errors), ("b", 3, 2_880, 960, 0));
    assert_eq!((metrics.total_ns, b.total_ns), (0, 0), "the clock was never moved");
    assert!(metrics.peak_bytes >= 3 * 960 * 4, "{}", metrics.peak_bytes);
}

/// A parameter with fixed words that may be left out: the catalogue says which of them it is then.
#[test]
fn every_choice_that_may_be_left_out_has_its_default_in_the_catalogue() {
    let catalog = Runtime::shared().registry().catalog();
    let mut seen = 0;
    for node in catalog.as_array().unwrap() {
        let schema = &node["params"];
        let required = schema["required"].as_array().cloned().unwrap_or_default();
        for (name, param) in schema["properties"].as_object().into_iter().flatten() {
            let words: Vec<&Value> = match (&param["oneOf"], &param["enum"]) {
                (Value::Array(choices), _) => choices.iter().map(|choice| &choice["const"]).collect(),
                (_, Value::Array(words)) => words.iter().collect(),
                _ => continue,
            };
            if !required.contains(&json!(name)) {
                assert!(words.contains(&&param["default"]), "{} of {}: {param}", name, node["name"]);
                seen += 1;
            }
        }
    }
    assert!(seen >= 7, "{seen} choices");
}
