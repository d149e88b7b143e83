//! Audio nodes.

mod channels;
mod energy_vad;
mod gain;
mod level;
mod resample;
mod segments;
mod speech_vad;

use crate::error::Result;
use crate::node::Registry;

pub(super) fn register(registry: &mut Registry) -> Result<()> {
    registry.add(channels::AudioChannels)?;
    registry.add(energy_vad::EnergyVad)?;
    registry.add(gain::Gain)?;
    registry.add(level::AudioLevel)?;
    registry.add(resample::AudioResample)?;
    registry.add(speech_vad::SpeechVad)
}
