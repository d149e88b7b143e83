//! The segments of silero-vad: of its own function, from a table, and of a model that sees all probabilities at once.

use proptest::prelude::*;

use super::invariants::{probabilities, seeded, settings};
use super::*;

/// What silero-vad 6.2.1 itself makes of random probabilities and those of recordings. The script beside it wrote it.
const TABLE: &str = include_str!("../../../../tests/conformance/segments.txt");

/// A stream of whole hops, the last one cut short by `length`.
struct Stream {
    probabilities: Vec<f32>,
    hop: u64,
    length: u64,
}

impl Stream {
    /// A line `p RATE LENGTH PROBABILITIES`, each of these two digits of 256ths. Gives the samples in a millisecond, too.
    fn read(line: &str) -> (Self, u64) {
        let words: Vec<&str> = line.split(' ').collect();
        let (rate, length): (u64, u64) = (words[1].parse().unwrap(), words[2].parse().unwrap());
        let digits = |at: usize| f32::from(u8::from_str_radix(&words[3][at..at + 2], 16).unwrap()) / 256.0;
        let probabilities = (0..words[3].len()).step_by(2).map(digits).collect();
        (Self { probabilities, hop: rate * 32 / 1000, length }, rate / 1000)
    }

    fn segments(&self, settings: SegmentSettings) -> Vec<(u64, u64)> {
        spans(&marks_of(settings, &self.probabilities, self.hop, self.length))
    }

    /// What silero-vad's description says of the whole stream, piece by piece.
    fn expected(&self, settings: SegmentSettings) -> Vec<(u64, u64)> {
        let mut found = Vec::new();
        let mut next = self.find(0, |p| p >= settings.enter).map(|first| (first, first));
        while let Some((first, fresh)) = next {
            next = self.piece(settings, first, fresh, &mut found);
        }
        self.padded(settings, found)
    }

    fn find(&self, from: usize, is: impl Fn(f32) -> bool) -> Option<usize> {
        (from..self.probabilities.len()).find(|hop| is(self.probabilities[*hop]))
    }

    /// One segment from hop `first`, of which silence counts from hop `fresh`. Gives the same two of the next.
    fn piece(
        &self,
        settings: SegmentSettings,
        first: usize,
        fresh: usize,
        found: &mut Vec<(u64, u64)>,
    ) -> Option<(usize, usize)> {
        let at = |hop: usize| hop as u64 * self.hop;
        let long = |from: usize, to: u64| to - at(from) > settings.min_speech;
        let too_long = |hop: &usize| {
            settings.max_speech > 0 && at(hop + 1 - first) + settings.pad_start + settings.pad_end > settings.max_speech
        };
        let limit = (first.max(fresh) + 1..self.probabilities.len()).find(too_long);
        let mut pauses = Vec::new();
        let mut quiet = self.find(fresh, |p| p < settings.exit);
        while let Some(from) = quiet.filter(|from| limit.is_none_or(|limit| *from < limit)) {
            let loud = self.find(from, |p| p >= settings.enter);
            let enough =
                |hop: &usize| self.probabilities[*hop] < settings.exit && at(hop - from) >= settings.min_silence;
            let last = (from..loud.unwrap_or(self.probabilities.len())).find(enough);
            if let Some(last) = last.filter(|last| limit.is_none_or(|limit| *last < limit)) {
                found.extend(long(first, at(from)).then_some((at(first), at(from))));
                return self.find(last + 1, |p| p >= settings.enter).map(|first| (first, first));
            }
            pauses.extend(loud.filter(|loud| limit.is_none_or(|limit| *loud <= limit)).map(|loud| (from, loud)));
            quiet = loud.and_then(|loud| self.find(loud, |p| p < settings.exit));
        }
        let Some(limit) = limit else {
            found.extend(long(first, self.length).then_some((at(first), self.length)));
            return None;
        };
        pauses.retain(|(from, to)| at(to - from) > settings.min_pause);
        pauses.sort_by_key(|(from, to)| std::cmp::Reverse(to - from));
        let (end, next) = match pauses.first() {
            Some((from, to)) => (*from, Some((*to, limit))),
            None => (limit, self.find(limit + 1, |p| p >= settings.enter).map(|first| (first, first))),
        };
        found.push((at(first), at(end)));
        next
    }

    /// Both neighbours get half of a gap that is too narrow for both.
    fn padded(&self, settings: SegmentSettings, found: Vec<(u64, u64)>) -> Vec<(u64, u64)> {
        let room = |gap: u64| settings.pad_start.min(gap / 2);
        let mut padded = found.clone();
        for (pair, at) in found.windows(2).zip(0..) {
            padded[at].1 += room(pair[1].0 - pair[0].1);
            padded[at + 1].0 -= room(pair[1].0 - pair[0].1);
        }
        if let [(first, _), ..] = &mut padded[..] {
            *first = first.saturating_sub(settings.pad_start);
        }
        if let [.., (_, last)] = &mut padded[..] {
            *last = (*last + settings.pad_end).min(self.length);
        }
        padded
    }
}

/// A line `s ENTER EXIT MIN_SPEECH MIN_SILENCE PAD MAX_SPEECH START-END ...`: 256ths, then milliseconds, then samples.
fn case(line: &str, samples_per_ms: u64) -> (SegmentSettings, Vec<(u64, u64)>) {
    let words: Vec<&str> = line.split(' ').collect();
    let number = |at: usize| words[at].parse::<u16>().unwrap();
    let samples = |at: usize| u64::from(number(at)) * samples_per_ms;
    let settings = SegmentSettings {
        enter: f32::from(number(1)) / 256.0,
        exit: f32::from(number(2)) / 256.0,
        min_speech: samples(3),
        min_silence: samples(4),
        pad_start: samples(5),
        pad_end: samples(5),
        max_speech: samples(6),
        min_pause: 98 * samples_per_ms,
        bridge: true,
    };
    let span = |word: &&str| word.split_once('-').map(|(start, end)| (start.parse().unwrap(), end.parse().unwrap()));
    (settings, words[7..].iter().filter_map(span).collect())
}

#[test]
fn segments_are_those_of_silero_itself() {
    let mut stream = None;
    let (mut cases, mut segments) = (0, 0);
    for line in TABLE.lines() {
        if line.starts_with("p ") {
            stream = Some(Stream::read(line));
        } else if line.starts_with("s ") {
            let (stream, samples_per_ms) = stream.as_ref().unwrap();
            let (settings, expected) = case(line, *samples_per_ms);
            assert_eq!(stream.segments(settings), expected, "{line}");
            assert_eq!(stream.expected(settings), expected, "the model: {line}");
            (cases, segments) = (cases + 1, segments + expected.len());
        }
    }
    assert!(cases >= 300 && segments >= 1_000, "{cases} cases, {segments} segments");
}

proptest! {
    #![proptest_config(seeded(4_000))]

    #[test]
    fn segments_are_those_of_the_model(p in probabilities(), settings in settings(), missing in 0_u64..10) {
        let settings = SegmentSettings { bridge: true, pad_end: settings.pad_start, ..settings };
        let length = (p.len() as u64 * 10).saturating_sub(missing);
        let stream = Stream { probabilities: p, hop: 10, length };
        prop_assert_eq!(stream.segments(settings), stream.expected(settings));
    }
}
