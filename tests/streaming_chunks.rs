//! The law for every node: a stream cut into any chunks gives the same as the whole, a reset forgets everything.
//!
//! [`cases`] has an entry for every node of the registry; a node without one fails the tests. All comparisons are
//! bit by bit, with no tolerance: each node works in blocks whose borders depend on the stream's frames alone, so
//! chunk sizes change neither the order nor the grouping of any sum.

mod support;

use std::sync::Arc;

use remotemedia::engine::{Stream, StreamOptions};
use remotemedia::node::prelude::*;
use remotemedia::{PixelFormat, Runtime, VideoFormat};
use serde_json::{Map, Value, json};
use support::audio::{buffer, bursts, noise, speech};
use support::nodes::{NoParams, UserNode};
use support::random::Random;
use support::run::{chain, pipeline, result, run, single};

/// A node with parameters, and what to feed it.
struct Case {
    node: &'static str,
    params: Value,
    opening: Opening,
    input: Input,
    /// Results on `events` that the input is known to cause at least; 0 for nodes without events.
    events: usize,
}

enum Input {
    /// One stream of audio, to be cut anywhere.
    Audio(AudioBuffer),
    /// Items that cannot be cut.
    Items(Vec<RuntimeData>),
}

fn case(node: &'static str, params: Value, audio: AudioBuffer, events: usize) -> Case {
    Case { node, params, opening: Opening::live(Align::Trim), input: Input::Audio(audio), events }
}

fn items(node: &'static str, params: Value, items: Vec<RuntimeData>) -> Case {
    Case { node, params, opening: Opening::live(Align::Trim), input: Input::Items(items), events: 0 }
}

/// Nodes that need several inputs, or give audio on several outputs: `tests/verify.rs` has them in whole graphs.
const SEVERAL_PORTS: &[&str] = &["Gate", "Segmenter", "Tee"];

/// The input of every node there is. A new node needs a line here.
fn cases(node: &str) -> Vec<Case> {
    match node {
        "AudioChannels" => [(2, 1), (1, 2), (6, 2), (2, 4), (5, 1), (2, 2)]
            .map(|(from, to)| case("AudioChannels", json!({"channels": to}), noise(1, 3_000, 44_100, from), 0))
            .into(),
        "AudioLevel" => vec![
            case("AudioLevel", json!({}), noise(2, 20_001, 44_100, 2), 5),
            case("AudioLevel", json!({"window_ms": 1}), noise(3, 500, 8_000, 1), 63),
        ],
        "AudioResample" => resample_cases(),
        "Chunk" => vec![
            case("Chunk", json!({"frames": 512}), noise(8, 10_001, 48_000, 2), 0),
            case("Chunk", json!({"ms": 20}), noise(9, 5_000, 44_100, 1), 0),
        ],
        "EnergyVAD" => vec![
            case("EnergyVAD", json!({}), bursts(4, 70_003, 16_000, 2), 4),
            case("EnergyVAD", json!({"window_ms": 7, "min_silence_ms": 0}), bursts(5, 40_000, 11_025, 1), 4),
        ],
        "Gain" => vec![case("Gain", json!({"gain_db": -7.3}), noise(6, 5_000, 48_000, 2), 0)],
        "JitterBuffer" => vec![case("JitterBuffer", json!({}), noise(10, 9_001, 16_000, 2), 0)],
        "Merge" => vec![case("Merge", json!({}), noise(11, 4_001, 16_000, 2), 0)],
        "Mix" => vec![case("Mix", json!({}), noise(12, 4_001, 16_000, 2), 0)],
        "PassThrough" => vec![
            case("PassThrough", json!({}), noise(7, 5_000, 48_000, 3), 0),
            items("PassThrough", json!({}), vec![RuntimeData::text("a"), RuntimeData::json(json!([1])), picture(8)]),
        ],
        "SpeechVAD" => vec![
            case("SpeechVAD", json!({"preset": "file"}), speech(5.0), 4),
            case("SpeechVAD", json!({"max_speech_ms": 500}), at_48_khz_stereo(speech(2.5)), 2),
            case("SpeechVAD", json!({"preset": "file", "model": "earshot"}), speech(5.0), 4),
        ],
        "TextCase" => vec![items(
            "TextCase",
            json!({"mode": "title"}),
            ["one two", "", "ÉLAN vital"].map(RuntimeData::text).into(),
        )],
        "VideoScale" => {
            vec![items("VideoScale", json!({"width": 9, "height": 7}), vec![picture(1), picture(2), picture(3)])]
        }
        _ => Vec::new(),
    }
}

fn resample_cases() -> Vec<Case> {
    let resample = |to: u32, quality: &str, from: u32, channels: u16, frames: usize| {
        let params = json!({"target_rate": to, "quality": quality});
        case("AudioResample", params, noise(u64::from(to + from), frames, from, channels), 0)
    };
    let mut cases = vec![
        resample(16_000, "high", 48_000, 1, 10_001),
        resample(16_000, "high", 44_100, 2, 9_000),
        resample(16_000, "very_high", 44_100, 1, 9_000),
        resample(48_000, "high", 16_000, 1, 4_001),
        resample(16_000, "high", 8_000, 1, 4_000),
        // An odd ratio goes through the interpolating filter.
        resample(16_000, "high", 44_101, 1, 9_000),
        resample(44_100, "high", 44_100, 2, 2_000),
    ];
    let low_latency = [(48_000, 16_000, 1), (24_000, 8_000, 2), (8_000, 16_000, 1), (44_100, 48_000, 3)];
    cases.extend(low_latency.map(|(from, to, channels)| resample(to, "low_latency", from, channels, 5_003)));
    // A ratio that can be moved.
    let mut moved = resample(16_000, "high", 48_000, 1, 9_000);
    moved.params["ratio_ppm"] = json!(150.5);
    cases.push(moved);
    for (from, to, quality) in [
        (48_000, 16_000, "high"),
        (44_100, 16_000, "high"),
        (44_101, 16_000, "high"),
        (48_000, 16_000, "very_high"),
        (24_000, 8_000, "low_latency"),
    ] {
        let mut kept = resample(to, quality, from, 2, 10_001);
        kept.opening = Opening::live(Align::Keep);
        cases.push(kept);
        let mut batch = resample(to, quality, from, 1, 20_001);
        batch.opening = Opening::BATCH;
        cases.push(batch);
    }
    cases
}

fn picture(seed: u64) -> RuntimeData {
    let mut random = Random::new(seed);
    let bytes = (0..32 * 24 * 3).map(|_| random.below(256) as u8).collect();
    VideoFrame::new(bytes, VideoFormat { width: 32, height: 24, pixel_format: PixelFormat::Rgb24 }).unwrap().into()
}

/// Each sample three times on two channels: images above 8 kHz do no harm here.
fn at_48_khz_stereo(mono: AudioBuffer) -> AudioBuffer {
    buffer(mono.samples().iter().flat_map(|sample| [*sample; 6]).collect(), 48_000, 2)
}

fn all_cases() -> Vec<Case> {
    Runtime::shared().registry().iter().flat_map(|node| cases(node.info().name)).collect()
}

#[test]
fn every_node_of_the_registry_has_an_entry() {
    let missing: Vec<&str> = Runtime::shared()
        .registry()
        .iter()
        // A class of the user's: its tests are those of the Python package.
        .filter(|node| node.info().category != "python")
        .map(|node| node.info().name)
        .filter(|name| !SEVERAL_PORTS.contains(name))
        .filter(|name| cases(name).is_empty() || cases(name).iter().any(|case| case.node != *name))
        .collect();
    assert!(missing.is_empty(), "tests/streaming_chunks.rs: `cases` has no entry for {missing:?}");
}

/// A packet as it is compared: exact time, and exact content.
#[derive(Debug, Clone, PartialEq)]
struct Piece {
    pts: Pts,
    content: String,
}

/// What came out of a stream: the audio of `out` joined, all other packets one by one, by port.
#[derive(Default, Clone, PartialEq)]
struct Output {
    audio: Vec<u32>,
    start: Option<Pts>,
    pieces: Vec<Vec<Piece>>,
}

impl std::fmt::Debug for Output {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} samples from {:?}, {:?}", self.audio.len(), self.start, self.pieces)
    }
}

/// A processor as the engine drives one, over and over.
struct Bench {
    processor: Box<dyn Processor>,
    out: Out,
    what: String,
    output: Output,
    frames: i64,
}

impl Bench {
    fn new(case: &Case) -> Self {
        Self::over(Runtime::shared().registry().find(case.node).unwrap(), case)
    }

    fn over(node: &Arc<dyn NodeType>, case: &Case) -> Self {
        let params: Map<String, Value> = case.params.as_object().unwrap().clone();
        let problems = node.check(&params);
        assert!(problems.is_empty(), "{problems:?}");
        let mut processor = node.build(&params).unwrap();
        let format = match &case.input {
            Input::Audio(audio) => audio.format().into(),
            Input::Items(items) => items[0].format(),
        };
        let opened = processor.open(std::slice::from_ref(&format), case.opening).unwrap();
        assert_eq!(opened.outputs.len(), node.info().outputs.len());
        let negotiated = node.negotiate(&params, &[format]).unwrap();
        assert_eq!(opened.outputs, negotiated, "{}: `open` and `negotiate` agree on a known format", case.node);
        let output = Output { pieces: vec![Vec::new(); node.info().outputs.len()], ..Output::default() };
        let what = format!("{} {} {:?}", case.node, case.params, case.opening);
        Self { processor, out: Out::default(), what, output, frames: 0 }
    }

    fn gather(&mut self) {
        for (port, packet) in self.out.drain() {
            let RuntimeData::Audio(audio) = &packet.data else {
                let content = match &packet.data {
                    RuntimeData::Json(value) => value.to_string(),
                    other => format!("{other:?}"),
                };
                self.output.pieces[port.index()].push(Piece { pts: packet.pts, content });
                continue;
            };
            assert_eq!(port, PortId::FIRST, "{}: audio comes out of `out`", self.what);
            let rate = audio.sample_rate_hz();
            let start = *self.output.start.get_or_insert(packet.pts);
            let expected = Pts::frames(start.to_frames(rate) + self.frames, rate);
            assert_eq!(packet.pts, expected, "{}: audio goes on without gap or overlap", self.what);
            self.frames += audio.frames() as i64;
            // What lies before time 0 is a delay that was asked for: silence.
            let before = usize::try_from(-packet.pts.to_frames(rate)).unwrap_or(0).min(audio.frames());
            let (before, samples) = audio.samples().split_at(before * usize::from(audio.channels()));
            assert!(before.iter().all(|sample| *sample == 0.0), "{}: the delay is silence", self.what);
            self.output.audio.extend(samples.iter().map(|sample| sample.to_bits()));
        }
    }

    fn put(&mut self, data: RuntimeData, pts: Pts) {
        let done = self.processor.process(PortId::FIRST, Packet::new(data, pts), &mut self.out);
        done.unwrap_or_else(|error| panic!("{}: {error}", self.what));
        self.gather();
    }

    /// Puts audio in, cut at chunks of these sizes.
    fn put_audio(&mut self, audio: &AudioBuffer, mut size: impl FnMut() -> usize) {
        let mut start = 0;
        while start < audio.frames() {
            let end = (start + size()).min(audio.frames());
            self.put(audio.slice(start..end).into(), Pts::frames(start as i64, audio.sample_rate_hz()));
            start = end;
        }
    }

    fn put_all(&mut self, input: &Input, size: impl FnMut() -> usize) {
        match input {
            Input::Audio(audio) => self.put_audio(audio, size),
            Input::Items(items) => items.iter().for_each(|item| self.put(item.clone(), Pts::ZERO)),
        }
    }

    /// Ends the stream and takes what came out of it.
    fn end(&mut self) -> Output {
        let done = self.processor.end(PortId::FIRST, &mut self.out);
        done.unwrap_or_else(|error| panic!("{}: {error}", self.what));
        self.gather();
        let empty = Output { pieces: vec![Vec::new(); self.output.pieces.len()], ..Output::default() };
        self.frames = 0;
        std::mem::replace(&mut self.output, empty)
    }

    /// Ends the stream, whose output is to be this one. How long a delay that was asked for is depends on the cut.
    fn compare(&mut self, expected: &Output, how: &str) {
        let mut output = self.end();
        if output.start.is_some_and(|start| start < Pts::ZERO) {
            output.start = expected.start;
        }
        assert_eq!(output, *expected, "{}, {how}", self.what);
    }

    /// Forgets the stream, and what came out of it.
    fn reset(&mut self) {
        self.processor.reset();
        self.end_quietly();
    }

    fn end_quietly(&mut self) {
        self.output = Output { pieces: vec![Vec::new(); self.output.pieces.len()], ..Output::default() };
        self.frames = 0;
    }
}

fn whole(case: &Case) -> Output {
    let mut bench = Bench::new(case);
    bench.put_all(&case.input, || usize::MAX >> 1);
    bench.end()
}

/// The sizes of a run: one of several habits, from single frames to more than any block, with empty chunks between.
fn sizes(seed: u64) -> impl FnMut() -> usize {
    let mut random = Random::new(seed);
    let limit = [2, 40, 500, 3_000, 20_000][seed as usize % 5];
    move || random.below(limit)
}

#[test]
fn any_chunks_give_what_the_whole_gives() {
    for case in all_cases() {
        let expected = whole(&case);
        for seed in 0..6 {
            let mut bench = Bench::new(&case);
            bench.put_all(&case.input, sizes(seed));
            bench.compare(&expected, &format!("seed {seed}"));
        }
    }
}

#[test]
fn usual_frame_sizes_give_what_the_whole_gives() {
    for case in all_cases() {
        let expected = whole(&case);
        for size in [1, 160, 441, 480, 960, 4_096] {
            let mut bench = Bench::new(&case);
            bench.put_all(&case.input, || size);
            bench.compare(&expected, &format!("chunks of {size}"));
        }
    }
}

#[test]
fn counts_are_exact_and_events_are_there() {
    for case in all_cases() {
        let output = whole(&case);
        let events = output.pieces.get(1).map_or(0, Vec::len);
        assert!(events >= case.events, "{}: {events} events, expected {}", case.node, case.events);
        let Input::Audio(audio) = &case.input else {
            let Input::Items(items) = &case.input else { unreachable!() };
            assert_eq!(output.pieces[0].len(), items.len(), "{}", case.node);
            continue;
        };
        let mut channels = usize::from(audio.channels());
        let (mut frames, mut start) = (audio.frames(), Pts::ZERO);
        if case.node == "AudioChannels" {
            channels = case.params["channels"].as_u64().unwrap() as usize;
        }
        if case.node == "AudioResample" {
            let to = case.params["target_rate"].as_u64().unwrap() as usize;
            frames = (frames * to).div_ceil(audio.sample_rate_hz() as usize);
            if let Some(ppm) = case.params.get("ratio_ppm") {
                frames = (frames as f64 * (1.0 + ppm.as_f64().unwrap() * 1e-6)).ceil() as usize;
            }
            if case.opening.align == Align::Keep {
                start = output.start.unwrap();
                assert!(start < Pts::ZERO, "the delay lies before the origin");
            }
        }
        assert_eq!(output.audio.len(), frames * channels, "{} {}", case.node, case.params);
        assert_eq!(output.start, Some(start), "{} {}", case.node, case.params);
    }
}

/// `Keep` is `Trim` with the delay in front.
#[test]
fn kept_delay_only_goes_before() {
    for mut case in cases("AudioResample").into_iter().filter(|case| case.opening.align == Align::Keep) {
        let kept = whole(&case);
        case.opening.align = Align::Trim;
        assert!(kept.audio == whole(&case).audio, "{}", case.params);
    }
}

#[test]
fn after_a_reset_nothing_of_the_old_stream_is_left() {
    for case in all_cases() {
        let mut bench = Bench::new(&case);
        bench.put_all(&case.input, sizes(3));
        let first = bench.end();
        bench.reset();
        bench.put_all(&case.input, sizes(3));
        assert_eq!(bench.end(), first, "{}: after a stream that ended", bench.what);

        // Another stream, broken off in the middle of everything.
        bench.reset();
        match &case.input {
            Input::Audio(audio) => {
                let other = noise(99, 2_345, audio.sample_rate_hz(), audio.channels());
                bench.put_audio(&other, sizes(1));
            }
            Input::Items(items) => bench.put(items[items.len() - 1].clone(), Pts::ZERO),
        }
        bench.reset();
        bench.put_all(&case.input, sizes(3));
        assert_eq!(bench.end(), first, "{}: after a stream that was broken off", bench.what);
    }
}

#[test]
fn values_that_are_not_finite_do_not_reach_the_next_stream() {
    for case in all_cases() {
        let Input::Audio(audio) = &case.input else { continue };
        let mut poisoned = audio.clone();
        for (index, sample) in poisoned.samples_mut().unwrap().iter_mut().enumerate() {
            match index % 97 {
                3 => *sample = f32::NAN,
                40 => *sample = f32::INFINITY,
                41 => *sample = f32::NEG_INFINITY,
                60 => *sample = f32::MAX,
                _ => {}
            }
        }
        let first = whole(&case);
        let mut bench = Bench::new(&case);
        bench.put_audio(&poisoned, sizes(2));
        bench.end();
        bench.reset();
        bench.put_all(&case.input, sizes(2));
        assert_eq!(bench.end(), first, "{}", bench.what);
        bench.reset();
        bench.put_audio(&poisoned, sizes(2)); // Broken off, not ended.
        bench.reset();
        bench.put_all(&case.input, sizes(2));
        assert_eq!(bench.end(), first, "{}", bench.what);
    }
}

/// Within one stream a value that is not finite spoils no more than its neighbourhood.
#[test]
fn a_resampler_recovers_from_values_that_are_not_finite() {
    for case in cases("AudioResample").into_iter().filter(|case| case.opening.align == Align::Trim) {
        let Input::Audio(audio) = &case.input else { continue };
        if case.params["target_rate"] == json!(audio.sample_rate_hz()) {
            continue; // Nothing is computed: everything goes through as it is.
        }
        let mut poisoned = audio.clone();
        poisoned.samples_mut().unwrap()[700] = f32::NAN;
        poisoned.samples_mut().unwrap()[701] = f32::INFINITY;
        let mut bench = Bench::new(&case);
        bench.put_audio(&poisoned, sizes(2));
        let output = bench.end();
        assert!(output.audio.iter().all(|bits| f32::from_bits(*bits).is_finite()), "{}", bench.what);
    }
}

/// A node as it must not be: it marks where chunks begin, and counts chunks across a reset.
struct Careless {
    chunks: u16,
}

impl TypedNode for Careless {
    type Params = NoParams;

    fn info(&self) -> NodeInfo {
        TypedNode::info(&UserNode::new("Careless", |_| Ok(())))
    }

    fn negotiate(&self, _: &NoParams, inputs: &[Format]) -> Result<Vec<Format>> {
        Ok(inputs.to_vec())
    }

    fn build(&self, _: NoParams) -> Result<Box<dyn Processor>> {
        Ok(Box::new(Self { chunks: 0 }))
    }
}

impl Processor for Careless {
    fn open(&mut self, inputs: &[Format], _: Opening) -> Result<Opened> {
        Ok(Opened::new(inputs.to_vec(), Latency::ZERO))
    }

    fn process(&mut self, port: PortId, mut packet: Packet, out: &mut Out) -> Result<()> {
        if let RuntimeData::Audio(audio) = &mut packet.data
            && let Some(first) = audio.samples_mut().unwrap().first_mut()
        {
            self.chunks += 1;
            *first = f32::from(self.chunks);
        }
        out.emit(port, packet);
        Ok(())
    }

    fn reset(&mut self) {}
}

#[test]
fn the_harness_finds_a_careless_node() {
    let mut registry = Registry::default();
    registry.add(Careless { chunks: 0 }).unwrap();
    let node = registry.find("Careless").unwrap();
    let case = case("Careless", json!({}), noise(1, 1_000, 8_000, 1), 0);
    let mut bench = Bench::over(node, &case);
    bench.put_all(&case.input, || usize::MAX >> 1);
    let whole = bench.end();
    bench.reset();
    bench.put_all(&case.input, || usize::MAX >> 1);
    assert!(bench.end() != whole, "what is left after a reset is seen");
    let mut bench = Bench::over(node, &case);
    bench.put_all(&case.input, || 300);
    assert!(bench.end() != whole, "what depends on chunks is seen");
}

/// What the engine gives for one item is what the processor gives.
#[test]
fn a_run_gives_what_the_processor_gives() {
    for mut case in all_cases() {
        let Input::Audio(audio) = &case.input else { continue };
        case.opening = Opening::BATCH;
        let expected = whole(&case);
        let results = run(&single(case.node, case.params.clone()), vec![audio.clone().into()]);
        let out = support::run::audio(result(&results, "node")[0]);
        assert_eq!(out.samples().iter().map(|s| s.to_bits()).collect::<Vec<_>>(), expected.audio, "{}", case.node);
        let on_request = Runtime::shared()
            .registry()
            .find(case.node)
            .unwrap()
            .info()
            .outputs
            .get(1)
            .is_some_and(|port| port.on_request);
        if let Some(events) = expected.pieces.get(1).filter(|_| !on_request) {
            let events: Vec<&str> = events.iter().map(|piece| piece.content.as_str()).collect();
            let found = result(&results, "node.events");
            let found: Vec<String> = found.iter().map(|event| support::run::value(event).to_string()).collect();
            assert_eq!(found, events, "{}", case.node);
        }
    }
}

/// A whole pipeline as a stream: the result does not depend on the chunks either.
#[test]
fn a_pipeline_in_chunks_gives_what_it_gives_at_once() {
    let manifest = chain(&[
        ("mono", "AudioChannels", json!({"channels": 1})),
        ("rate", "AudioResample", json!({"target_rate": 16_000})),
        ("gain", "Gain", json!({"gain_db": -3})),
        ("level", "AudioLevel", json!({"window_ms": 30})),
    ]);
    let graph = pipeline(&manifest).graph().clone();
    // Longer than the slices of the engine, so that the whole is cut too.
    let input = noise(11, 70_000, 44_100, 2);
    let stream = |size: &mut dyn FnMut() -> usize| {
        let mut stream = Stream::new(Arc::clone(&graph), StreamOptions::default()).unwrap();
        let mut start = 0;
        while start < input.frames() {
            let end = (start + size()).min(input.frames());
            stream.push(Packet::new(input.slice(start..end), Pts::frames(start as i64, 44_100))).unwrap();
            start = end;
        }
        stream.end().unwrap();
        let (mut samples, mut events) = (Vec::new(), Vec::new());
        for (_, packet) in stream.take_results() {
            match packet.data {
                RuntimeData::Audio(audio) => samples.extend_from_slice(audio.samples()),
                RuntimeData::Json(value) => events.push(value.to_string()),
                other => panic!("{}", other.kind()),
            }
        }
        (samples, events)
    };
    let expected = stream(&mut || usize::MAX >> 1);
    assert_eq!(expected.0.len(), 25_397); // ceil(70,000 * 160 / 441)
    for seed in 1..5 {
        assert!(stream(&mut sizes(seed)) == expected, "seed {seed}");
    }
}

/// Streams share what their resamplers work with. Many that take turns, block by block and frame by frame, each give
/// what they give alone.
#[test]
fn streams_that_share_resamplers_do_not_hear_each_other() {
    for (from, to, channels, quality) in
        [(48_000, 16_000, 1, "high"), (44_100, 48_000, 2, "high"), (8_000, 16_000, 1, "very_high")]
    {
        let manifest = single("AudioResample", json!({"target_rate": to, "quality": quality}));
        let graph = pipeline(&manifest).graph().clone();
        let inputs: Vec<AudioBuffer> = (0..5).map(|seed| noise(40 + seed, 12_000, from, channels)).collect();
        let alone: Vec<Vec<f32>> = inputs
            .iter()
            .map(|input| {
                support::run::audio(result(&run(&manifest, vec![input.clone().into()]), "node")[0]).samples().to_vec()
            })
            .collect();
        let mut random = Random::new(u64::from(from));
        let open = || Stream::new(Arc::clone(&graph), StreamOptions::default()).unwrap();
        let mut streams: Vec<(Stream, usize, Vec<f32>)> = inputs.iter().map(|_| (open(), 0, Vec::new())).collect();
        let gather = |stream: &mut Stream, samples: &mut Vec<f32>| {
            for (_, packet) in stream.take_results() {
                let RuntimeData::Audio(audio) = packet.data else { panic!("not audio") };
                samples.extend_from_slice(audio.samples());
            }
        };
        while streams.iter().zip(&inputs).any(|((_, at, _), input)| *at < input.frames()) {
            let which = random.below(streams.len());
            let (stream, at, samples) = &mut streams[which];
            let end = (*at + 1 + random.below(2_000)).min(inputs[which].frames());
            if *at < end {
                let pts = Pts::frames(*at as i64, from);
                stream.push(Packet::new(inputs[which].slice(*at..end), pts)).unwrap();
                gather(stream, samples);
                *at = end;
            }
        }
        for ((stream, _, samples), expected) in streams.iter_mut().zip(&alone) {
            stream.end().unwrap();
            gather(stream, samples);
            assert_eq!(samples, expected, "{from} to {to}");
        }
    }
}
