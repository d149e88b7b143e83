//! From probabilities to the start and end of speech: hysteresis, minimum lengths, padding.

/// Settings, in samples of the stream whose positions are reported.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct SegmentSettings {
    /// Speech starts at this probability.
    pub(crate) enter: f32,
    /// Silence starts below this probability.
    pub(crate) exit: f32,
    /// Shorter speech is not reported.
    pub(crate) min_speech: u64,
    /// Shorter silence does not end a segment.
    pub(crate) min_silence: u64,
    /// Added before a segment, as far as there is room.
    pub(crate) pad_start: u64,
    /// Added after a segment, as far as there is room.
    pub(crate) pad_end: u64,
    /// A longer segment is cut; 0: never.
    pub(crate) max_speech: u64,
}

/// What the segmenter reports.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Mark {
    /// Speech starts at this sample.
    Start(u64),
    /// Speech went from `start` to `end` with this mean probability.
    End { start: u64, end: u64, probability: f32 },
}

#[derive(Debug, Clone, Copy)]
enum State {
    Silence { since: Option<u64>, run: u64 },
    Speech { start: u64, quiet_since: Option<u64> },
}

/// The state machine. Feed it one hop after another.
#[derive(Debug)]
pub(crate) struct Segmenter {
    settings: SegmentSettings,
    state: State,
    previous_end: u64,
    sum: f64,
    hops: u32,
}

impl Segmenter {
    pub(crate) fn new(settings: SegmentSettings) -> Self {
        Self { settings, state: State::Silence { since: None, run: 0 }, previous_end: 0, sum: 0.0, hops: 0 }
    }

    pub(crate) fn reset(&mut self) {
        *self = Self::new(self.settings);
    }

    /// One hop from sample `from` to sample `to` with the probability of speech in it.
    pub(crate) fn hop(&mut self, from: u64, to: u64, probability: f32, mut report: impl FnMut(Mark)) {
        let settings = self.settings;
        match &mut self.state {
            State::Silence { since, run } => {
                if probability >= settings.enter {
                    since.get_or_insert(from);
                    *run += to - from;
                } else if probability < settings.exit {
                    (*since, *run) = (None, 0);
                    (self.sum, self.hops) = (0.0, 0);
                }
                let Some(first) = *since else { return };
                self.sum += f64::from(probability);
                self.hops += 1;
                if *run >= settings.min_speech {
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
                    && to - quiet >= settings.min_silence
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
    pub(crate) fn earliest_start(&self, heard: u64) -> u64 {
        match self.state {
            State::Speech { start, .. } => start,
            State::Silence { since, .. } => {
                since.unwrap_or(heard).saturating_sub(self.settings.pad_start).max(self.previous_end)
            }
        }
    }

    /// The stream ends at sample `end`.
    pub(crate) fn flush(&mut self, end: u64, mut report: impl FnMut(Mark)) {
        if let State::Speech { start, quiet_since } = self.state {
            let stop = quiet_since.map_or(end, |quiet| (quiet + self.settings.pad_end).min(end));
            self.finish(start, stop, &mut report);
        }
    }

    fn finish(&mut self, start: u64, end: u64, report: &mut impl FnMut(Mark)) {
        let probability = if self.hops == 0 { 0.0 } else { (self.sum / f64::from(self.hops)) as f32 };
        (self.sum, self.hops) = (0.0, 0);
        self.previous_end = end;
        self.state = State::Silence { since: None, run: 0 };
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

    proptest! {
        #[test]
        fn segments_alternate_and_never_overlap(p in prop::collection::vec(0.0_f32..1.0, 0..200), max in 0_u64..80) {
            let mut open = None;
            let mut last = 0;
            for mark in marks(SegmentSettings { max_speech: max, ..SETTINGS }, &p) {
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
