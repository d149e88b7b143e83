//! The state machine on written sequences of probabilities.

mod invariants;
mod silero;

use super::*;

const SETTINGS: SegmentSettings = SegmentSettings {
    enter: 0.5,
    exit: 0.35,
    min_speech: 20,
    min_silence: 30,
    pad_start: 15,
    pad_end: 5,
    max_speech: 0,
    min_pause: 10,
    bridge: false,
};

/// What is reported of a stream in hops of 10 samples.
fn marks(settings: SegmentSettings, probabilities: &[f32]) -> Vec<Mark> {
    marks_of(settings, probabilities, 10, 10 * probabilities.len() as u64)
}

/// What is reported of a stream of a length that may cut the last hop short.
fn marks_of(settings: SegmentSettings, probabilities: &[f32], hop: u64, length: u64) -> Vec<Mark> {
    let mut segmenter = Segmenter::new(settings);
    let mut marks = Vec::new();
    for (from, &probability) in (0..).step_by(hop as usize).zip(probabilities) {
        segmenter.hop(from, (from + hop).min(length), probability, |mark| marks.push(mark));
    }
    segmenter.flush(length, |mark| marks.push(mark));
    marks
}

fn spans(marks: &[Mark]) -> Vec<(u64, u64)> {
    let span = |mark: &Mark| if let Mark::End { start, end, .. } = *mark { Some((start, end)) } else { None };
    marks.iter().filter_map(span).collect()
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
fn long_speech_without_a_pause_is_cut_without_a_gap() {
    let settings = SegmentSettings { max_speech: 50, pad_end: 0, ..SETTINGS };
    assert_eq!(spans(&marks(settings, &[0.9; 12])), [(0, 50), (50, 100), (100, 120)]);
    // The padding counts, and goes to whoever wants it.
    let settings = SegmentSettings { max_speech: 50, pad_end: 5, ..SETTINGS };
    assert_eq!(spans(&marks(settings, &[0.9; 12])), [(0, 40), (40, 80), (80, 120)]);
}

#[test]
fn long_speech_is_cut_in_its_longest_pause_with_the_mean_of_each_part() {
    let p = [0.5, 1.0, 0.0, 0.0, 0.75, 0.0, 0.0, 0.0, 0.75, 0.5, 0.5, 0.0, 0.0, 0.0, 0.0, 0.0];
    let settings = SegmentSettings { max_speech: 100, min_silence: 40, pad_start: 0, pad_end: 0, ..SETTINGS };
    for bridge in [false, true] {
        let found = marks(SegmentSettings { bridge, ..settings }, &p);
        let part = |start, end, probability| [Mark::Start(start), Mark::End { start, end, probability }];
        assert_eq!(found, [part(0, 50, 0.75), part(80, 110, 1.75 / 3.0)].concat(), "{bridge}");
    }
}

/// The silence that goes on after the cut was once reported as speech, again and again.
#[test]
fn a_cut_in_the_silence_after_speech_leaves_nothing_of_it() {
    let p = [[0.9; 9].as_slice(), &[0.0; 50]].concat();
    let settings = SegmentSettings { max_speech: 100, min_silence: 200, pad_start: 0, pad_end: 0, ..SETTINGS };
    assert_eq!(spans(&marks(settings, &p)), [(0, 90)]);
    // silero-vad takes the silence up to the cut for speech.
    assert_eq!(spans(&marks(SegmentSettings { bridge: true, ..settings }, &p)), [(0, 100)]);
}

#[test]
fn silence_counts_on_through_a_cut_in_a_pause_before_it() {
    let p = [[0.9; 3], [0.0; 3], [0.9; 3], [0.0; 3], [0.0; 3], [0.0; 3]].concat();
    let settings = SegmentSettings { max_speech: 110, min_silence: 50, pad_start: 0, pad_end: 0, ..SETTINGS };
    assert_eq!(spans(&marks(settings, &p)), [(0, 30), (60, 90)]);
    // silero-vad begins to count again at the cut.
    assert_eq!(spans(&marks(SegmentSettings { bridge: true, ..settings }, &p)), [(0, 30), (60, 110)]);
}

#[test]
fn neighbours_share_the_silence_between_them() {
    let p = [0.9, 0.9, 0.0, 0.0, 0.0, 0.0, 0.9, 0.9, 0.9];
    let shared = |pad_start, pad_end| {
        let settings = SegmentSettings { pad_start, pad_end, ..SETTINGS };
        let found = spans(&marks(settings, &p));
        (found[0].1 - 20, 60 - found[1].0)
    };
    assert_eq!(shared(100, 100), (20, 20));
    assert_eq!(shared(100, 0), (0, 40));
    assert_eq!(shared(0, 100), (40, 0));
    assert_eq!(shared(100, 15), (15, 25));
    assert_eq!(shared(15, 100), (25, 15));
    assert_eq!(shared(10, 15), (15, 10));
}

#[test]
fn an_end_is_reported_as_soon_as_no_next_segment_can_want_its_padding() {
    let settings = SegmentSettings { pad_start: 20, pad_end: 40, ..SETTINGS };
    let mut segmenter = Segmenter::new(settings);
    let mut told = Vec::new();
    for hop in 0..12 {
        // The click is too short for speech, but might have become some.
        let p = if hop < 2 || hop == 7 { 0.9 } else { 0.0 };
        segmenter.hop(hop * 10, hop * 10 + 10, p, |mark| told.push((hop, mark)));
    }
    assert!(matches!(told[..], [(1, Mark::Start(0)), (8, Mark::End { start: 0, end: 60, .. })]), "{told:?}");
}

#[test]
fn what_was_heard_does_not_count_again() {
    let mut segmenter = Segmenter::new(SegmentSettings { max_speech: 40, ..SETTINGS });
    let mut found = Vec::new();
    for (from, to) in [(0, 10), (0, 10), (10, 10), (5, 20), (20, 30), (10, 20), (30, 40)] {
        segmenter.hop(from, to, 0.9, |mark| found.push(mark));
    }
    // Less audio came than was heard.
    segmenter.flush(35, |mark| found.push(mark));
    assert_eq!(spans(&found), [(0, 35)]);
}
