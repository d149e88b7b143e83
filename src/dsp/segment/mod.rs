//! From probabilities to the start and end of speech: hysteresis, minimum and maximum lengths, padding.

mod padding;
#[cfg(test)]
mod tests;

use std::ops::{AddAssign, Sub};

use padding::Padding;

/// Settings, in samples of the stream whose positions are reported.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SegmentSettings {
    /// Speech starts at this probability.
    pub enter: f32,
    /// Silence starts below this probability.
    pub exit: f32,
    /// Shorter speech is not reported, unless `max_speech` cuts it.
    pub min_speech: u64,
    /// Shorter silence does not end a segment.
    pub min_silence: u64,
    /// Added before a segment, as far as there is room: neighbours share what is between them.
    pub pad_start: u64,
    /// Added after a segment, as far as there is room. With more of it than of `min_silence`, the end is reported late.
    pub pad_end: u64,
    /// A segment that is longer, padding included, is cut: in its longest pause, or, without one, where it would become
    /// too long. 0: never.
    pub max_speech: u64,
    /// Only a longer silence is a pause to cut in.
    pub min_pause: u64,
    /// As silero-vad segments files: a short silence does not interrupt speech that is still too short to be reported,
    /// silence is counted up to the start of a hop, a silence that a cut or the stream's end cuts short is speech, and
    /// the hop at which speech without a pause is cut belongs to no segment but for their padding.
    pub bridge: bool,
}

/// What the segmenter reports.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Mark {
    /// Speech starts at this sample.
    Start(u64),
    /// Speech went from `start` to `end` with this mean probability.
    End {
        /// Its first sample.
        start: u64,
        /// The sample after its last.
        end: u64,
        /// The mean of its windows.
        probability: f32,
    },
}

/// What is counted of speech, but not of the silence in it.
#[derive(Debug, Clone, Copy, Default)]
struct Tally {
    sum: f64,
    hops: u32,
    /// Samples at or above `enter`.
    loud: u64,
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        *self = Self { sum: self.sum + other.sum, hops: self.hops + other.hops, loud: self.loud + other.loud };
    }
}

impl Sub for Tally {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Self { sum: self.sum - other.sum, hops: self.hops - other.hops, loud: self.loud - other.loud }
    }
}

/// Silence between speech of one segment, and what was counted before it.
#[derive(Debug, Clone, Copy)]
struct Pause {
    from: u64,
    to: u64,
    before: Tally,
}

/// Speech under way.
#[derive(Debug, Clone, Copy)]
struct Speech {
    first: u64,
    /// The start of its segment, once it is long enough to be reported.
    start: Option<u64>,
    quiet_since: Option<u64>,
    /// The longest one so far, the first of those.
    pause: Option<Pause>,
    tally: Tally,
}

impl Speech {
    fn at(first: u64) -> Self {
        Self { first, start: None, quiet_since: None, pause: None, tally: Tally::default() }
    }

    /// Speech goes on at `at`. Notes the silence before it, if there was one, as a pause.
    fn resume(&mut self, at: u64, min_pause: u64) {
        let Some(from) = self.quiet_since.take() else { return };
        let longest = self.pause.map_or(min_pause, |pause| pause.to - pause.from);
        if at - from > longest {
            self.pause = Some(Pause { from, to: at, before: self.tally });
        }
    }
}

/// The state machine. Feed it one hop after another.
#[derive(Debug)]
pub struct Segmenter {
    settings: SegmentSettings,
    speech: Option<Speech>,
    padding: Padding,
    /// The sample after the last one heard.
    heard: u64,
    /// Where the speech of the last segment ended.
    last_end: u64,
    /// The length of a whole hop: the stream's end may cut the last one short.
    hop: u64,
}

impl Segmenter {
    /// Before the first sample.
    pub fn new(settings: SegmentSettings) -> Self {
        let padding = Padding::new(settings.pad_start, settings.pad_end);
        Self { settings, speech: None, padding, heard: 0, last_end: 0, hop: 0 }
    }

    /// Back to before the first sample.
    pub fn reset(&mut self) {
        *self = Self::new(self.settings);
    }

    /// One hop from sample `from` to sample `to` with the probability of speech in it. What was heard already does not
    /// count again.
    pub fn hop(&mut self, from: u64, to: u64, probability: f32, mut report: impl FnMut(Mark)) {
        let from = from.max(self.heard);
        if to <= from {
            return;
        }
        self.hop = self.hop.max(to - from);
        self.speech = self.listen(from, to, probability, &mut report);
        self.heard = to;
        self.padding.wait(self.speech.map_or(to, |speech| speech.first), &mut report);
    }

    /// Where the next segment starts at the earliest: what is before it, no segment needs any more.
    pub fn earliest_start(&self) -> u64 {
        match self.speech {
            Some(Speech { start: Some(start), .. }) => start,
            Some(Speech { first, .. }) => self.padding.earliest(first),
            None => self.padding.earliest(self.heard),
        }
    }

    /// The stream ends at sample `end`.
    pub fn flush(&mut self, end: u64, mut report: impl FnMut(Mark)) {
        let settings = self.settings;
        if let Some(speech) = self.speech.take() {
            let long = settings.bridge && end.saturating_sub(speech.first) > settings.min_speech;
            if speech.start.is_some() || long {
                // Whoever counts may have heard a little more than there is.
                let stop = if end > speech.first { end } else { self.heard };
                self.close(speech, self.silence(speech).unwrap_or(stop), &mut report);
            }
        }
        self.padding.flush(end, &mut report);
        self.heard = self.heard.max(end);
    }

    /// The speech that is under way after a hop.
    fn listen(&mut self, from: u64, to: u64, probability: f32, report: &mut impl FnMut(Mark)) -> Option<Speech> {
        let settings = self.settings;
        let loud = probability >= settings.enter;
        let mut speech = match self.speech.take() {
            Some(mut speech) => {
                if loud {
                    speech.resume(from, settings.min_pause);
                }
                if self.is_too_long(speech, from, to) { self.cut(speech, from, loud, report)? } else { speech }
            }
            None if loud => Speech::at(from),
            None => return None,
        };
        let quiet = probability < settings.exit;
        if quiet {
            speech.quiet_since.get_or_insert(from);
        }
        if speech.quiet_since.is_none() {
            let loud = if loud { to - from } else { 0 };
            speech.tally += Tally { sum: f64::from(probability), hops: 1, loud };
        }
        if speech.start.is_none() && self.is_long_enough(speech, to) {
            speech.start = Some(self.padding.open(speech.first, report));
        }
        let Some(since) = speech.quiet_since else { return Some(speech) };
        let is_over = match (settings.bridge, speech.start) {
            (true, _) => quiet && from - since >= settings.min_silence,
            (false, Some(_)) => to - since >= settings.min_silence,
            (false, None) => true,
        };
        if !is_over {
            return Some(speech);
        }
        if speech.start.is_some() {
            self.close(speech, since, report);
        }
        None
    }

    /// Whether the speech is sure to be a segment, whatever comes.
    fn is_long_enough(&self, speech: Speech, to: u64) -> bool {
        if self.settings.bridge {
            speech.quiet_since.unwrap_or(to) - speech.first > self.settings.min_speech
        } else {
            speech.tally.loud >= self.settings.min_speech
        }
    }

    /// Whether the hop makes the segment too long.
    fn is_too_long(&self, speech: Speech, from: u64, to: u64) -> bool {
        let SegmentSettings { pad_start, pad_end, max_speech, bridge, .. } = self.settings;
        // silero-vad takes off the whole padding, even where there is no room for it.
        let room = if bridge { pad_start } else { pad_start.min(speech.first - self.last_end) };
        max_speech > 0 && to.max(from + self.hop) - speech.first + room + pad_end > max_speech
    }

    /// Ends a segment that is too long before the hop from `from`, and gives what goes on after it.
    fn cut(&mut self, speech: Speech, from: u64, loud: bool, report: &mut impl FnMut(Mark)) -> Option<Speech> {
        if let Some(pause) = speech.pause {
            let rest = speech.tally - pause.before;
            self.close(Speech { tally: pause.before, ..speech }, pause.from, report);
            // silero-vad begins to count a silence that has begun again.
            let quiet_since = speech.quiet_since.filter(|_| !self.settings.bridge);
            return Some(Speech { quiet_since, tally: rest, ..Speech::at(pause.to) });
        }
        self.close(speech, self.silence(speech).unwrap_or(self.heard), report);
        (loud && !self.settings.bridge).then(|| Speech::at(from))
    }

    /// Where the speech stopped, if it has and that counts before its silence is long enough.
    fn silence(&self, speech: Speech) -> Option<u64> {
        speech.quiet_since.filter(|_| !self.settings.bridge)
    }

    /// The speech is a segment, and ends at `end`.
    fn close(&mut self, speech: Speech, end: u64, report: &mut impl FnMut(Mark)) {
        let start = speech.start.unwrap_or_else(|| self.padding.open(speech.first, report));
        let probability = speech.tally.sum / f64::from(speech.tally.hops.max(1));
        self.padding.close(start, end, probability as f32);
        self.last_end = end;
    }
}
