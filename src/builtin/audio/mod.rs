//! Audio nodes.

mod channels;
mod chunk;
mod conversion;
mod energy_vad;
mod even;
mod gain;
mod gate;
mod jitter;
mod level;
mod merge;
mod mix;
mod resample;
mod segmenter;
mod segments;
mod speech_params;
mod speech_vad;

use crate::error::Result;
use crate::node::Registry;

pub(super) fn register(registry: &mut Registry) -> Result<()> {
    registry.add(channels::AudioChannels)?;
    registry.add(chunk::Chunk)?;
    registry.add(energy_vad::EnergyVad)?;
    registry.add(gain::Gain)?;
    registry.add(gate::Gate)?;
    registry.add(jitter::JitterBuffer)?;
    registry.add(level::AudioLevel)?;
    registry.add(merge::Merge)?;
    registry.add(mix::Mix)?;
    registry.add(resample::AudioResample)?;
    registry.add(segmenter::Segmenter)?;
    registry.add(speech_vad::SpeechVad)
}
