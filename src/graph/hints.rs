//! What to say of node types that other systems have, and of those that older versions had.

use crate::words::letters;

/// What a name of another system is here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hint {
    /// A node of ours does this.
    Ours(&'static str),
    /// Nothing of ours does; what to do instead.
    Instead(&'static str),
}

/// The hint for a name, if it is known from elsewhere. Case, `_` and `-` do not matter. A node of that name comes first:
/// a user may have registered one.
pub(super) fn hint(name: &str) -> Option<Hint> {
    if name.len() > 64 {
        return None;
    }
    let plain = letters(name);
    HINTS.binary_search_by(|(theirs, _)| (*theirs).cmp(plain.as_str())).ok().map(|at| HINTS[at].1)
}

use Hint::{Instead, Ours};

const QUEUE: Hint =
    Instead("every session has its queues (`queue=` and `when_full=` say how long they get): leave it out");
const SPLIT: Hint = Instead("several connections may leave any output: leave it out, or use `Tee`");
const GAPS: Hint = Instead(
    "audio whose time jumps ahead (`pts=` of `Session.feed`) gets silence in the gap without a node; `JitterBuffer` also \
     puts packets in order",
);
const ONE_CHANNEL: Hint = Instead("take a channel out of the array before or behind the pipeline: `x[:, 0]`");
const LEVEL_GATE: Hint = Instead(
    "`EnergyVAD` and `Gate` do it: connect the output `probability` of the one to the input `vad` of the other",
);
const IN_OUT: Hint = Instead("items go in with the call and results come back from it: leave it out");
const DECODE_AUDIO: Hint = Instead("decode before the pipeline (PyAV, ffmpeg) and pass `rm.Audio`");
const DECODE_VIDEO: Hint = Instead("decode before the pipeline (PyAV, OpenCV) and pass `rm.VideoFrame`");
const ENCODE: Hint = Instead("encode behind the pipeline (PyAV): results are arrays");
const TRANSPORT: Hint = Instead("RemoteMedia has no network: use aiortc or livekit, and pass their frames");
const MODEL: Hint = Instead(
    "put the model in a node of your own: a class in Python, decorated with `rm.node` or named by a `Python` node",
);
const FILE: Hint = Instead("read with `rm.read` before the pipeline, or `remotemedia run -i`");
const ANY_FILE: Hint = Instead(
    "read WAV and FLAC with `rm.read` before the pipeline, or `remotemedia run -i`; decode others with PyAV and pass \
     `rm.Audio` or `rm.VideoFrame`",
);
const WRITE: Hint = Instead("write with `rm.write` behind the pipeline, or `remotemedia run -o`");
const DECLARE: Hint = Instead("declare the format as `input` in the manifest");
const NOT_YET: Hint = Instead(
    "there is no such node in this version: `remotemedia nodes` lists the nodes there are, and `rm.node` makes a class in \
     Python one",
);

/// In the order of the names. GStreamer, FFmpeg, SoX, torchaudio, MediaPipe, dora, pipecat, livekit, older versions.
/// `tests/manifest_errors.rs` holds what they say against the registry.
const HINTS: &[(&str, Hint)] = &[
    ("acompressor", NOT_YET),
    ("aconvert", Ours("AudioChannels")),
    ("adder", Ours("Mix")),
    ("aformat", Ours("AudioResample")),
    ("agate", LEVEL_GATE),
    ("alimiter", NOT_YET),
    ("amerge", Ours("Merge")),
    ("amix", Ours("Mix")),
    ("appsink", IN_OUT),
    ("appsrc", IN_OUT),
    ("aresample", Ours("AudioResample")),
    ("asetnsamples", Ours("Chunk")),
    ("asplit", SPLIT),
    ("astats", Ours("AudioLevel")),
    ("audioconvert", Ours("AudioChannels")),
    ("audiodecoder", FILE),
    ("audiodynamic", NOT_YET),
    ("audiointerleave", Ours("Merge")),
    ("audiomixer", Ours("Mix")),
    ("audiorate", GAPS),
    ("audioresample", Ours("AudioResample")),
    ("audioresampler", Ours("AudioResample")),
    ("audiotestsrc", IN_OUT),
    ("avdecaac", DECODE_AUDIO),
    ("avdech264", DECODE_VIDEO),
    ("avdech265", DECODE_VIDEO),
    ("avdecmp3", DECODE_AUDIO),
    ("capsfilter", DECLARE),
    ("channels", Ours("AudioChannels")),
    ("channelsplit", ONE_CHANNEL),
    ("compressor", NOT_YET),
    ("custompython", Ours("Python")),
    ("custompythonnode", Ours("Python")),
    ("decodebin", ANY_FILE),
    ("deinterleave", ONE_CHANNEL),
    ("ebur128", NOT_YET),
    ("equalizer", NOT_YET),
    ("faad", DECODE_AUDIO),
    ("fakesink", IN_OUT),
    ("fakesrc", IN_OUT),
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
    ("interleave", Ours("Merge")),
    ("jitterbuffer", Ours("JitterBuffer")),
    ("kokorotts", MODEL),
    ("kokorottsnode", MODEL),
    ("lamemp3enc", ENCODE),
    ("level", Ours("AudioLevel")),
    ("librosaresample", Ours("AudioResample")),
    ("limiter", NOT_YET),
    ("liveadder", Ours("Mix")),
    ("loudnorm", NOT_YET),
    ("lowpass", NOT_YET),
    ("mad", DECODE_AUDIO),
    ("mpg123audiodec", DECODE_AUDIO),
    ("multiqueue", QUEUE),
    ("noisegate", LEVEL_GATE),
    ("norm", NOT_YET),
    ("opusdec", DECODE_AUDIO),
    ("opusenc", ENCODE),
    ("passthroughcalculator", Ours("PassThrough")),
    ("pyannotevad", Ours("SpeechVAD")),
    ("pythonnode", Ours("Python")),
    ("queue", QUEUE),
    ("queue2", QUEUE),
    ("rate", Ours("AudioResample")),
    ("rationalfactorresamplecalculator", Ours("AudioResample")),
    ("remix", Ours("AudioChannels")),
    ("resample", Ours("AudioResample")),
    ("resampler", Ours("AudioResample")),
    ("rnnoise", NOT_YET),
    ("rtpjitterbuffer", Ours("JitterBuffer")),
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
    ("split", SPLIT),
    ("swresample", Ours("AudioResample")),
    ("swscale", Ours("VideoScale")),
    ("vad", Ours("SpeechVAD")),
    ("videoconvert", NOT_YET),
    ("videodecoder", DECODE_VIDEO),
    ("videoencoder", ENCODE),
    ("videorate", NOT_YET),
    ("videoscale", Ours("VideoScale")),
    ("vol", Ours("Gain")),
    ("volume", Ours("Gain")),
    ("volumedetect", Ours("AudioLevel")),
    ("vorbisdec", DECODE_AUDIO),
    ("vp8dec", DECODE_VIDEO),
    ("vp9dec", DECODE_VIDEO),
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
        assert_eq!(hint("avdec_h264"), Some(DECODE_VIDEO));
        assert_eq!(hint("AudioConvert"), Some(Ours("AudioChannels")));
        assert_eq!(hint("nothing"), None);
    }
}
