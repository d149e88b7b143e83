//! What holds of every segment, whatever the probabilities and the settings.

use proptest::prelude::*;
use proptest::test_runner::RngSeed;

use super::*;

/// The same sequences each time, so that a failure can be seen again.
pub(super) fn seeded(cases: u32) -> ProptestConfig {
    ProptestConfig {
        cases,
        rng_seed: RngSeed::Fixed(20_261_128),
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

/// Runs of hops that are alike, as in speech, mixed with hops that are not.
pub(super) fn probabilities() -> impl Strategy<Value = Vec<f32>> {
    let level = prop_oneof![Just(0.0_f32), Just(0.4), Just(0.5), Just(0.9), 0.0_f32..1.0];
    let run = (level, 1_usize..12).prop_map(|(level, hops)| vec![level; hops]);
    prop::collection::vec(run, 0..40).prop_map(|runs| runs.concat())
}

prop_compose! {
    pub(super) fn settings()(
        (enter, exit) in prop_oneof![Just((0.5, 0.35)), Just((0.5, 0.5)), Just((0.7, 0.1))],
        (min_speech, min_silence, min_pause) in (0_u64..90, 0_u64..120, 0_u64..50),
        (pad_start, pad_end) in (0_u64..100, 0_u64..100),
        max_speech in prop_oneof![Just(0_u64), 1_u64..600],
        bridge: bool,
    ) -> SegmentSettings {
        SegmentSettings { enter, exit, min_speech, min_silence, pad_start, pad_end, max_speech, min_pause, bridge }
    }
}

proptest! {
    #![proptest_config(seeded(2_000))]

    #[test]
    fn segments_have_speech_and_never_overlap(p in probabilities(), settings in settings(), missing in 0_u64..10) {
        let length = (p.len() as u64 * 10).saturating_sub(missing);
        let loud: Vec<u64> = (0..).step_by(10).zip(&p).filter(|(_, p)| **p >= settings.enter).map(|(at, _)| at).collect();
        let (mut open, mut last) = (None, 0);
        for mark in marks_of(settings, &p, 10, length) {
            match mark {
                Mark::Start(at) => {
                    prop_assert!(open.is_none() && at >= last);
                    open = Some(at);
                }
                Mark::End { start, end, probability } => {
                    prop_assert_eq!(open.take(), Some(start));
                    prop_assert!(start < end && end <= length);
                    prop_assert!(loud.iter().any(|at| start <= *at && (*at + 10).min(length) <= end), "{start} {end}");
                    prop_assert!((0.0..=1.0).contains(&probability), "{probability}");
                    // One hop is the least that there can be of a segment.
                    let longest = settings.max_speech.max(10 + settings.pad_start + settings.pad_end);
                    prop_assert!(settings.max_speech == 0 || end - start <= longest, "{start} {end}");
                    last = end;
                }
            }
        }
        prop_assert!(open.is_none());
    }

    /// Audio before `earliest_start` is let go of: no segment that is still to be reported may want it.
    #[test]
    fn no_segment_starts_before_the_earliest_start(p in probabilities(), settings in settings()) {
        let mut segmenter = Segmenter::new(settings);
        let mut earliest = 0;
        let mut starts = Vec::new();
        let start = |mark| match mark {
            Mark::Start(start) | Mark::End { start, .. } => start,
        };
        for (from, &probability) in (0..).step_by(10).zip(&p) {
            segmenter.hop(from, from + 10, probability, |mark| starts.push(start(mark)));
            prop_assert!(starts.drain(..).all(|start| start >= earliest));
            prop_assert!(segmenter.earliest_start() >= earliest);
            earliest = segmenter.earliest_start();
        }
        segmenter.flush(p.len() as u64 * 10, |mark| starts.push(start(mark)));
        prop_assert!(starts.iter().all(|start| *start >= earliest));
    }

    #[test]
    fn a_maximum_that_is_not_reached_changes_nothing(p in probabilities(), settings in settings()) {
        let never = SegmentSettings { max_speech: 0, ..settings };
        let late = SegmentSettings { max_speech: 10_000, ..settings };
        prop_assert_eq!(marks(never, &p), marks(late, &p));
    }
}
