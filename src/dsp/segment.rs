//! From probabilities to the start and end of speech: hysteresis, minimum lengths, padding.

/// Settings, in samples of the stream whose positions are reported.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SegmentSettings {
    /// Speech starts at this probability.
    pub enter: f32,
    /// Silence starts below this probability.
    pub exit: f32,
    /// Shorter speech is not reported.
    pub min_speech: u64,
    /// Shorter silence does not end a segment.
    pub min_silence: u64,
    /// Added before a segment, as far as there is room.
    pub pad_start: u64,
    /// Added after a segment, as far as there is room.
    pub pad_end: u64,
    /// A longer segment is cut; 0: never.
    pub max_speech: u64,
    /// As silero-vad segments files: a short silence does not interrupt speech that is still too short to be reported,
    /// silence is counted up to the start of a hop, and a silence that the stream's end cuts short is speech.
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

#[derive(Debug, Clone, Copy)]
enum State {
    Silence { since: Option<u64>, run: u64, quiet_since: Option<u64> },
    Speech { start: u64, quiet_since: Option<u64> },
}

impl State {
    const SILENCE: Self = Self::Silence { since: None, run: 0, quiet_since: None };
}

/// The state machine. Feed it one hop after another.
#[derive(Debug)]
pub struct Segmenter {
    settings: SegmentSettings,
    state: State,
    previous_end: u64,
    sum: f64,
    hops: u32,
}

impl Segmenter {
    /// Before the first sample.
    pub fn new(settings: SegmentSettings) -> Self {
        Self { settings, state: State::SILENCE, previous_end: 0, sum: 0.0, hops: 0 }
    }

    /// Back to before the first sample.
    pub fn reset(&mut self) {
        *self = Self::new(self.settings);
    }

    /// One hop from sample `from` to sample `to` with the probability of speech in it.
    pub fn hop(&mut self, from: u64, to: u64, probability: f32, mut report: impl FnMut(Mark)) {
        let settings = self.settings;
        match &mut self.state {
            State::Silence { since, run, quiet_since } => {
                if probability >= settings.enter {
                    since.get_or_insert(from);
                    *quiet_since = None;
                    *run += to - from;
                } else if probability < settings.exit {
                    let quiet = *quiet_since.get_or_insert(from);
                    if !settings.bridge || from - quiet >= settings.min_silence {
                        self.state = State::SILENCE;
                        (self.sum, self.hops) = (0.0, 0);
                        return;
                    }
                }
                let Some(first) = *since else { return };
                if quiet_since.is_some() {
                    return;
                }
                self.sum += f64::from(probability);
                self.hops += 1;
                let enough =
                    if settings.bridge { to - first > settings.min_speech } else { *run >= settings.min_speech };
                if enough {
                    let start = first.saturating_sub(settings.pad_start).max(self.previous_end);
                    self.state = State::Speech { start, quiet_since: None };
                    report(Mark::Start(start));
                }
            }
            State::Speech { start, quiet_since } => {
                if probability < settings.exit {
                    quiet_since.get_or_insert(from);
                } else if probability >= settings.enter {
                    *quiet_since = None;
                }
                if quiet_since.is_none() {
                    self.sum += f64::from(probability);
                    self.hops += 1;
                }
                let start = *start;
                if let Some(quiet) = *quiet_since
                    && (!settings.bridge || probability < settings.exit)
                    && (if settings.bridge { from } else { to }) - quiet >= settings.min_silence
                {
                    self.finish(start, (quiet + settings.pad_end).min(to), &mut report);
                } else if settings.max_speech > 0 && to - start >= settings.max_speech {
                    self.finish(start, to, &mut report);
                    self.state = State::Speech { start: to, quiet_since: None };
                    report(Mark::Start(to));
                }
            }
        }
    }

    /// Where the next segment starts at the earliest, when everything before sample `heard` is known.
    pub fn earliest_start(&self, heard: u64) -> u64 {
        match self.state {
            State::Speech { start, .. } => start,
            State::Silence { since, .. } => {
                since.unwrap_or(heard).saturating_sub(self.settings.pad_start).max(self.previous_end)
            }
        }
    }

    /// The stream ends at sample `end`.
    pub fn flush(&mut self, end: u64, mut report: impl FnMut(Mark)) {
        let settings = self.settings;
        match self.state {
            State::Speech { start, quiet_since } => {
                let quiet = quiet_since.filter(|_| !settings.bridge);
                let stop = quiet.map_or(end, |quiet| (quiet + settings.pad_end).min(end));
                self.finish(start, stop, &mut report);
            }
            State::Silence { since: Some(first), .. }
                if settings.bridge && end.saturating_sub(first) > settings.min_speech =>
            {
                let start = first.saturating_sub(settings.pad_start).max(self.previous_end);
                report(Mark::Start(start));
                self.finish(start, end, &mut report);
            }
            State::Silence { .. } => {}
        }
    }

    fn finish(&mut self, start: u64, end: u64, report: &mut impl FnMut(Mark)) {
        let probability = if self.hops == 0 { 0.0 } else { (self.sum / f64::from(self.hops)) as f32 };
        (self.sum, self.hops) = (0.0, 0);
        self.previous_end = end;
        self.state = State::SILENCE;
        report(Mark::End { start, end, probability });
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SETTINGS: SegmentSettings = SegmentSettings {
        enter: 0.5,
        exit: 0.35,
        min_speech: 20,
        min_silence: 30,
        pad_start: 15,
        pad_end: 5,
        max_speech: 0,
        bridge: false,
    };

    fn marks(settings: SegmentSettings, probabilities: &[f32]) -> Vec<Mark> {
        let mut segmenter = Segmenter::new(settings);
        let mut marks = Vec::new();
        for (index, &probability) in probabilities.iter().enumerate() {
            segmenter.hop(index as u64 * 10, index as u64 * 10 + 10, probability, |mark| marks.push(mark));
        }
        segmenter.flush(probabilities.len() as u64 * 10, |mark| marks.push(mark));
        marks
    }

    #[test]
    fn speech_is_padded_and_short_gaps_are_bridged() {
        let p = [0.0, 0.0, 0.0, 0.9, 0.9, 0.1, 0.1, 0.8, 0.8, 0.0, 0.0, 0.0, 0.0];
        let marks = marks(SETTINGS, &p);
        assert_eq!(marks[0], Mark::Start(15));
        assert!(matches!(marks[1], Mark::End { start: 15, end: 95, .. }), "{marks:?}");
        assert_eq!(marks.len(), 2);
    }

    #[test]
    fn a_click_is_not_speech_and_the_end_of_the_stream_ends_it() {
        assert_eq!(marks(SETTINGS, &[0.0, 0.9, 0.0, 0.0]), []);
        assert!(matches!(marks(SETTINGS, &[0.9; 4])[1], Mark::End { start: 0, end: 40, .. }));
    }

    #[test]
    fn long_speech_is_cut_without_a_gap() {
        let marks = marks(SegmentSettings { max_speech: 50, ..SETTINGS }, &[0.9; 12]);
        assert!(matches!(marks[1], Mark::End { start: 0, end: 50, .. }), "{marks:?}");
        assert_eq!(marks[2], Mark::Start(50));
    }

    /// silero-vad's own segmentation, written down from its description: for files, with all probabilities at hand.
    fn of_silero(settings: SegmentSettings, probabilities: &[f32]) -> Vec<(u64, u64)> {
        let length = probabilities.len() as u64 * 10;
        let (mut found, mut start, mut quiet) = (Vec::new(), None, None);
        for (index, &p) in probabilities.iter().enumerate() {
            let at = index as u64 * 10;
            if p >= settings.enter {
                quiet = None;
                start.get_or_insert(at);
            } else if let Some(first) = start
                && p < settings.exit
            {
                let end = *quiet.get_or_insert(at);
                if at - end >= settings.min_silence {
                    if end - first > settings.min_speech {
                        found.push((first, end));
                    }
                    (start, quiet) = (None, None);
                }
            }
        }
        found.extend(start.filter(|first| length - first > settings.min_speech).map(|first| (first, length)));
        let before = |at: u64| at.saturating_sub(settings.pad_start);
        found.into_iter().map(|(start, end)| (before(start), (end + settings.pad_end).min(length))).collect()
    }

    proptest! {
        #[test]
        fn bridging_gives_the_segments_of_silero(p in prop::collection::vec(0.0_f32..1.0, 0..300), long in 0_u64..60) {
            let settings = SegmentSettings { bridge: true, min_speech: long, pad_start: 10, ..SETTINGS };
            let found: Vec<(u64, u64)> = marks(settings, &p).into_iter().filter_map(|mark| match mark {
                Mark::Start(_) => None,
                Mark::End { start, end, .. } => Some((start, end)),
            }).collect();
            prop_assert_eq!(found, of_silero(settings, &p));
        }

        #[test]
        fn segments_alternate_and_never_overlap(
            p in prop::collection::vec(0.0_f32..1.0, 0..200), max in 0_u64..80, bridge: bool
        ) {
            let mut open = None;
            let mut last = 0;
            for mark in marks(SegmentSettings { max_speech: max, bridge, ..SETTINGS }, &p) {
                match mark {
                    Mark::Start(at) => {
                        prop_assert!(open.is_none() && at >= last);
                        open = Some(at);
                    }
                    Mark::End { start, end, probability } => {
                        prop_assert_eq!(open.take(), Some(start));
                        prop_assert!(end >= start && (0.0..=1.0).contains(&probability));
                        last = end;
                    }
                }
            }
            prop_assert!(open.is_none());
        }
    }
}
