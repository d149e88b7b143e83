//! What to say of node types that other systems have, and of those that older versions had.

/// What a name of another system is here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hint {
    /// A node of ours does this.
    Ours(&'static str),
    /// Nothing of ours does; what to do instead.
    Instead(&'static str),
}

/// The hint for a name, if it is known from elsewhere. Case, `_` and `-` do not matter.
pub(super) fn hint(name: &str) -> Option<Hint> {
    if name.len() > 64 {
        return None;
    }
    let plain: String = name.chars().filter(|c| !matches!(c, '_' | '-')).flat_map(char::to_lowercase).collect();
    HINTS.binary_search_by(|(theirs, _)| (*theirs).cmp(plain.as_str())).ok().map(|at| HINTS[at].1)
}

use Hint::{Instead, Ours};

const AUTOMATIC: Hint =
    Instead("several connections may leave an output, and every node queues as it needs: leave it out");
const IN_OUT: Hint = Instead("items go in with the call and results come back from it: leave it out");
const DECODE: Hint = Instead("decode before the pipeline (PyAV, OpenCV) and pass `rm.VideoFrame`");
const ENCODE: Hint = Instead("encode behind the pipeline (PyAV): results are arrays");
const TRANSPORT: Hint = Instead("RemoteMedia has no network: use aiortc or livekit, and pass their frames");
const MODEL: Hint = Instead("models are not nodes here: call it between two pipelines");
const PYTHON: Hint = Instead("nodes written in Python are not in this version: run the code between two pipelines");
const FILE: Hint = Instead("read with `rm.read` before the pipeline, or `remotemedia run -i`");
const WRITE: Hint = Instead("write with `rm.write` behind the pipeline, or `remotemedia run -o`");
const NOT_YET: Hint = Instead("there is no such node in this version; `remotemedia nodes` lists the nodes there are");

/// In the order of the names. GStreamer, FFmpeg, SoX, torchaudio, MediaPipe, dora, pipecat, livekit, older versions.
const HINTS: &[(&str, Hint)] = &[
    ("aconvert", Ours("AudioChannels")),
    ("aformat", Ours("AudioResample")),
    ("appsink", IN_OUT),
    ("appsrc", IN_OUT),
    ("aresample", Ours("AudioResample")),
    ("asplit", AUTOMATIC),
    ("astats", Ours("AudioLevel")),
    ("audioconvert", Ours("AudioChannels")),
    ("audiodecoder", FILE),
    ("audiomixer", NOT_YET),
    ("audiorate", Ours("AudioResample")),
    ("audioresample", Ours("AudioResample")),
    ("audioresampler", Ours("AudioResample")),
    ("audiotestsrc", IN_OUT),
    ("avdecaac", DECODE),
    ("avdech264", DECODE),
    ("avdech265", DECODE),
    ("avdecmp3", DECODE),
    ("capsfilter", Instead("declare the format as `input` in the manifest")),
    ("channels", Ours("AudioChannels")),
    ("custompython", PYTHON),
    ("decodebin", FILE),
    ("ebur128", NOT_YET),
    ("fakesink", IN_OUT),
    ("fdsink", WRITE),
    ("filesink", WRITE),
    ("filesrc", FILE),
    ("flacdec", FILE),
    ("flacenc", WRITE),
    ("gstvideoscale", Ours("VideoScale")),
    ("highpass", NOT_YET),
    ("identity", Ours("PassThrough")),
    ("imagetransformation", Ours("VideoScale")),
    ("imagetransformationcalculator", Ours("VideoScale")),
    ("kokorotts", MODEL),
    ("kokorottsnode", MODEL),
    ("level", Ours("AudioLevel")),
    ("librosaresample", Ours("AudioResample")),
    ("loudnorm", NOT_YET),
    ("lowpass", NOT_YET),
    ("norm", NOT_YET),
    ("opusdec", DECODE),
    ("opusenc", ENCODE),
    ("passthroughcalculator", Ours("PassThrough")),
    ("pyannotevad", Ours("SpeechVAD")),
    ("pythonnode", PYTHON),
    ("queue", AUTOMATIC),
    ("queue2", AUTOMATIC),
    ("rate", Ours("AudioResample")),
    ("rationalfactorresamplecalculator", Ours("AudioResample")),
    ("remix", Ours("AudioChannels")),
    ("resample", Ours("AudioResample")),
    ("resampler", Ours("AudioResample")),
    ("rnnoise", NOT_YET),
    ("scale", Ours("VideoScale")),
    ("scaleimage", Ours("VideoScale")),
    ("scaleimagecalculator", Ours("VideoScale")),
    ("silencedetect", Ours("EnergyVAD")),
    ("silero", Ours("SpeechVAD")),
    ("silerovadanalyzer", Ours("SpeechVAD")),
    ("soxr", Ours("AudioResample")),
    ("soxraudioresampler", Ours("AudioResample")),
    ("soxresampler", Ours("AudioResample")),
    ("soxrstreamaudioresampler", Ours("AudioResample")),
    ("swresample", Ours("AudioResample")),
    ("swscale", Ours("VideoScale")),
    ("tee", AUTOMATIC),
    ("vad", Ours("SpeechVAD")),
    ("videoconvert", NOT_YET),
    ("videodecoder", DECODE),
    ("videoencoder", ENCODE),
    ("videorate", NOT_YET),
    ("videoscale", Ours("VideoScale")),
    ("vol", Ours("Gain")),
    ("volume", Ours("Gain")),
    ("volumedetect", Ours("AudioLevel")),
    ("wavdec", FILE),
    ("wavenc", WRITE),
    ("wavparse", FILE),
    ("webrtcbin", TRANSPORT),
    ("webrtcdsp", NOT_YET),
    ("webrtcvad", Ours("SpeechVAD")),
    ("whisper", MODEL),
    ("whispernode", MODEL),
    ("x264enc", ENCODE),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted_and_plain() {
        assert!(HINTS.is_sorted_by(|(left, _), (right, _)| left < right));
        for (name, _) in HINTS {
            assert!(name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit()), "{name}");
            assert!(hint(name).is_some());
        }
        assert_eq!(hint("avdec_h264"), Some(DECODE));
        assert_eq!(hint("AudioConvert"), Some(Ours("AudioChannels")));
        assert_eq!(hint("nothing"), None);
    }
}
