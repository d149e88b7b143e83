//! How speech starts and ends: the parameters of `SpeechVAD` and `Segmenter`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::segments;
use crate::dsp::segment::SegmentSettings;
use crate::node::prelude::*;

/// Parameters of nodes that find where speech starts and ends. What is left out comes from the preset.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct SpeechParams {
    /// `conversation`: quick to start, slow to end, for live talk. `file`: tight segments, for recordings.
    preset: Preset,
    /// Speech starts at this probability: 0.5, if it is left out.
    #[schemars(range(min = 0.01, max = 0.99))]
    enter: Option<f32>,
    /// Silence starts below this probability. At most `enter`; 0.15 less than that, if it is left out.
    #[schemars(range(min = 0.01, max = 0.99))]
    exit: Option<f32>,
    /// Shorter speech is not reported, in milliseconds, unless `max_speech_ms` cuts it; as the preset says, if it is left
    /// out.
    #[schemars(range(min = 0, max = 60000))]
    min_speech_ms: Option<u32>,
    /// Shorter silence does not end a segment, in milliseconds; as the preset says, if it is left out.
    #[schemars(range(min = 0, max = 60000))]
    min_silence_ms: Option<u32>,
    /// Added before a segment, in milliseconds; as the preset says, if it is left out. Neighbours share what is between
    /// them, half each or more where the other wants less.
    #[schemars(range(min = 0, max = 5000))]
    pad_start_ms: Option<u32>,
    /// Added after a segment, in milliseconds; as the preset says, if it is left out. If it can reach the next segment,
    /// the end is reported once it is clear that it does not, or where it meets it.
    #[schemars(range(min = 0, max = 5000))]
    pad_end_ms: Option<u32>,
    /// A segment that is longer, padding included, is cut, in milliseconds: in its longest pause of more than 98 ms or, if
    /// it has none, where it would become too long. Its end is then reported late, and what is left goes on as a segment
    /// only if it is long enough for one. 0, and if it is left out: never.
    #[schemars(range(min = 0, max = 3600000))]
    max_speech_ms: Option<u32>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Preset {
    /// For live talk: 64 ms of speech, 550 ms of silence, 300 ms before.
    #[default]
    Conversation,
    /// For recordings, just as silero-vad segments files: 250 ms of speech, 100 ms of silence, 30 ms both sides.
    File,
}

/// Speech that is too long is cut only in a longer silence, as silero-vad does.
const MIN_PAUSE_MS: u32 = 98;

impl SpeechParams {
    /// Refuses what contradicts itself.
    pub(super) fn check(&self) -> Result<()> {
        let (enter, exit) = self.thresholds();
        if exit > enter {
            let text = format!("`exit` is {exit}, expected at most `enter`, which is {enter}");
            return Err(Error::new(ErrorKind::InputValue, text));
        }
        Ok(())
    }

    fn thresholds(&self) -> (f32, f32) {
        let enter = self.enter.unwrap_or(0.5);
        (enter, self.exit.unwrap_or((enter - 0.15).max(0.01)))
    }

    /// In frames at a rate.
    pub(super) fn settings(&self, rate: u32) -> SegmentSettings {
        // Minimum speech, minimum silence, padding before and after, in ms. `conversation`: between the defaults of
        // LiveKit's plugin and pipecat's; `file`: those of silero-vad's own segmentation.
        let (speech, silence, before, after) = match self.preset {
            Preset::Conversation => (64, 550, 300, 0),
            Preset::File => (250, 100, 30, 30),
        };
        let (enter, exit) = self.thresholds();
        let samples = |given: Option<u32>, preset: u32| segments::samples(given.unwrap_or(preset), rate);
        SegmentSettings {
            enter,
            exit,
            min_speech: samples(self.min_speech_ms, speech),
            min_silence: samples(self.min_silence_ms, silence),
            pad_start: samples(self.pad_start_ms, before),
            pad_end: samples(self.pad_end_ms, after),
            max_speech: samples(self.max_speech_ms, 0),
            min_pause: segments::samples(MIN_PAUSE_MS, rate),
            bridge: self.preset == Preset::File,
        }
    }
}
