//! What a frame costs from Rust: noise, frame by frame, through one node, on one thread.
//!
//! `cargo run --release --example frame_loop -- NODE PARAMS SAMPLE_RATE CHANNELS [SECONDS [ROUNDS [FRAME_MS]]]`, for
//! example `AudioResample '{"target_rate": 16000}' 48000 1`. Prints the nanoseconds of a frame, the median over the
//! rounds.

use std::time::Instant;

use remotemedia::data::Pool;
use remotemedia::engine::SessionOptions;
use remotemedia::{AudioBuffer, AudioFormat, Pipeline};
use serde_json::{Value, json};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let given: Vec<String> = std::env::args().skip(1).collect();
    let [node, params, rate, channels, rest @ ..] = given.as_slice() else {
        return Err("usage: frame_loop NODE PARAMS SAMPLE_RATE CHANNELS [SECONDS [ROUNDS [FRAME_MS]]]".into());
    };
    let format = AudioFormat::new(rate.parse()?, channels.parse()?)?;
    let seconds: usize = rest.first().map_or(Ok(60), |text| text.parse())?;
    let rounds: usize = rest.get(1).map_or(Ok(7), |text| text.parse())?;
    let frame_ms: usize = rest.get(2).map_or(Ok(20), |text| text.parse())?;
    let params: Value = serde_json::from_str(params)?;
    let manifest = json!({"version": "v1", "nodes": [{"id": "node", "node_type": node, "params": params}]});
    let pipeline = Pipeline::new(&manifest.to_string())?;
    let frame = format.sample_rate_hz() as usize * frame_ms / 1000 * usize::from(format.channels());
    let samples: Vec<f32> = noise().take(format.sample_rate_hz() as usize * usize::from(format.channels())).collect();
    let pool = Pool::default();
    let mut times = Vec::new();
    for _ in 0..=rounds {
        let session = pipeline.session(SessionOptions::default())?;
        let (mut frames_out, mut count) = (0, 0);
        let started = Instant::now();
        for _ in 0..seconds {
            for piece in samples.chunks_exact(frame) {
                let mut copy = pool.samples(frame)?;
                copy.make_mut()?.copy_from_slice(piece);
                let audio = AudioBuffer::new(copy, format)?;
                session.feed_with(audio.into(), None, None, &mut |_, packet| frames_out += packet.data.frames())?;
                count += 1;
            }
        }
        times.push(started.elapsed().as_nanos() / count);
        assert!(frames_out > 0, "the node gives nothing");
    }
    // The first round warms up.
    times.remove(0);
    times.sort_unstable();
    println!("{}", times[times.len() / 2]);
    Ok(())
}

/// White noise between -0.1 and 0.1.
fn noise() -> impl Iterator<Item = f32> {
    let mut state = 1_u32;
    std::iter::from_fn(move || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        Some((state >> 8) as f32 / f32::from(1_u16 << 15).powi(2) * 12.8 - 0.1)
    })
}
