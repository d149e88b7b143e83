//! Live streams under a scheduler with a seed: any order of jobs, pushes, takes and interrupts.

mod support;

use std::sync::{Arc, Mutex, OnceLock};

use remotemedia::Pipeline;
use remotemedia::engine::{Live, LiveOptions, Pushed, SessionOptions, Spawn, WhenFull};
use remotemedia::node::prelude::*;
use serde_json::json;
use support::audio::{buffer, noise};
use support::nodes::UserNode;
use support::random::Random;

type Job = Box<dyn FnOnce() + Send>;

/// Jobs that wait until the test runs them, in an order of the test's own.
#[derive(Default)]
struct Scheduler(Mutex<Vec<Job>>);

impl Spawn for Scheduler {
    fn spawn(&self, job: Job) -> bool {
        self.0.lock().unwrap().push(job);
        true
    }
}

impl Scheduler {
    fn run_one(&self, random: &mut Random) -> bool {
        let job = {
            let mut jobs = self.0.lock().unwrap();
            if jobs.is_empty() {
                return false;
            }
            let at = random.below(jobs.len());
            jobs.swap_remove(at)
        };
        job();
        true
    }

    fn run_all(&self, random: &mut Random) {
        while self.run_one(random) {}
    }
}

type Hook = Arc<dyn Fn() + Send + Sync>;

/// Passes audio on, costs so much that it gets a stage of its own, and calls a hook in the middle of its work.
fn heavy(name: &'static str, hook: &Hook) -> UserNode {
    let hook = hook.clone();
    let act = move |_: &mut Packet| {
        hook();
        Ok(())
    };
    UserNode::new(name, act).costing(1000.0)
}

/// A light node, a heavy one, a resampler that holds audio back, and another heavy one: four stages.
fn staged(hook: Hook) -> Pipeline {
    let manifest = support::run::chain(&[
        ("a", "PassThrough", json!({})),
        ("b", "HeavyOne", json!({})),
        ("c", "AudioResample", json!({"target_rate": 16_000})),
        ("d", "HeavyTwo", json!({})),
    ]);
    let mut registry = remotemedia::Runtime::shared().registry().as_ref().clone();
    registry.add(heavy("HeavyOne", &hook)).unwrap();
    registry.add(heavy("HeavyTwo", &hook)).unwrap();
    Pipeline::with_registry(&manifest, &registry).unwrap()
}

fn options(queue: usize, when_full: WhenFull) -> LiveOptions {
    LiveOptions { session: SessionOptions::default(), queue, when_full, inline: false }
}

/// What the hook and the main loop share.
struct World {
    live: OnceLock<Live>,
    scheduler: Arc<Scheduler>,
    random: Mutex<Random>,
    /// The generation that the last interrupt gave.
    seen: Mutex<u32>,
}

impl World {
    fn step(&self, depth: usize) {
        let live = self.live.get().unwrap();
        let choice = self.random.lock().unwrap().below(if depth == 0 { 12 } else { 40 });
        match choice {
            0..3 => {
                // The samples say which generation they were pushed in: one is positive, the next negative.
                let sign = sign(*self.seen.lock().unwrap());
                let size = 1 + self.random.lock().unwrap().below(900);
                let audio = buffer(vec![sign; size], 48_000, 1);
                drop(live.push(audio.into(), None, None).unwrap());
            }
            3..5 => self.take(),
            5 => {
                let mut seen = self.seen.lock().unwrap();
                *seen = live.interrupt();
            }
            6..12 if depth < 3 => {
                let mut random = Random::new(self.random.lock().unwrap().below(1 << 30) as u64);
                self.scheduler.run_one(&mut random);
            }
            _ => {}
        }
    }

    fn take(&self) {
        let seen = *self.seen.lock().unwrap();
        let most = 1 + self.random.lock().unwrap().below(5);
        for output in self.live.get().unwrap().take(most).unwrap() {
            assert_eq!(output.packet.generation, seen, "an output of an old generation");
            let RuntimeData::Audio(audio) = &output.packet.data else { panic!("not audio") };
            // Around a step the filter of the resampler rings by less than a tenth.
            let wrong = audio.samples().iter().find(|sample| **sample * sign(seen) < -0.1);
            assert_eq!(wrong, None, "a sample of an old generation in generation {seen}");
        }
    }
}

fn sign(generation: u32) -> f32 {
    if generation.is_multiple_of(2) { 1.0 } else { -1.0 }
}

#[test]
fn after_an_interrupt_nothing_old_comes_in_any_interleaving() {
    let interrupts = Arc::new(Mutex::new(0_u64));
    for seed in 0..3_000 {
        let world = Arc::new(World {
            live: OnceLock::new(),
            scheduler: Arc::default(),
            random: Mutex::new(Random::new(seed)),
            seen: Mutex::new(0),
        });
        let inside = Arc::downgrade(&world);
        let depth = Arc::new(Mutex::new(0));
        let pipeline = staged(Arc::new(move || {
            // In the middle of a node's work the rest of the world goes on.
            let Some(world) = inside.upgrade() else { return };
            let now = {
                let mut depth = depth.lock().unwrap();
                *depth += 1;
                *depth
            };
            world.step(now);
            *depth.lock().unwrap() -= 1;
        }));
        let live = Live::new(pipeline.graph(), options(3, WhenFull::Wait), world.scheduler.clone()).unwrap();
        world.live.set(live).unwrap();
        for _ in 0..60 {
            world.step(0);
        }
        *interrupts.lock().unwrap() += u64::from(*world.seen.lock().unwrap());
    }
    assert!(*interrupts.lock().unwrap() > 10_000, "the test has interrupted too seldom");
}

#[test]
fn any_order_of_jobs_gives_what_one_thread_gives() {
    let input = noise(1, 30_000, 48_000, 1);
    let pipeline = staged(Arc::new(|| {}));
    let session = pipeline.session(SessionOptions::default()).unwrap();
    let mut expected = Vec::new();
    let mut add = |_, packet: Packet| expected.extend_from_slice(support::run::audio(&packet.data).samples());
    session.feed_with(input.clone().into(), None, None, &mut add).unwrap();
    session.flush_with(&mut add).unwrap();
    for seed in 0..200 {
        let mut random = Random::new(seed);
        let scheduler = Arc::new(Scheduler::default());
        let queue = 1 + random.below(5);
        let live = Live::new(pipeline.graph(), options(queue, WhenFull::Wait), scheduler.clone()).unwrap();
        let (mut at, mut got, mut next) = (0, Vec::new(), Pts::ZERO);
        let mut ended = false;
        while !live.is_finished() {
            match random.below(4) {
                0 if at < input.frames() => {
                    let end = (at + 1 + random.below(3_000)).min(input.frames());
                    if let Pushed::Taken = live.push(input.slice(at..end).into(), None, None).unwrap() {
                        at = end;
                    }
                }
                0 if !ended => {
                    live.end().unwrap();
                    ended = true;
                }
                1 => {
                    for output in live.take(1 + random.below(3)).unwrap() {
                        assert_eq!(output.packet.pts, next);
                        let RuntimeData::Audio(audio) = &output.packet.data else { panic!("not audio") };
                        got.extend_from_slice(audio.samples());
                        next = Pts::frames(got.len() as i64, 16_000);
                    }
                }
                _ => drop(scheduler.run_one(&mut random)),
            }
        }
        assert_eq!(got, expected, "seed {seed}");
        assert!(live.push(input.slice(0..1).into(), None, None).is_err(), "it has ended");
        live.reset().unwrap();
        assert!(live.push(input.slice(0..1).into(), None, None).is_ok());
    }
}

/// Pushes a thousand items that nobody takes, then takes what is left.
fn slow_consumer(when_full: WhenFull, inline: bool) -> (usize, usize, Vec<(f32, u32)>, u64) {
    let scheduler = Arc::new(Scheduler::default());
    let mut random = Random::new(9);
    let manifest = support::run::single("PassThrough", json!({}));
    let pipeline = Pipeline::new(&manifest).unwrap();
    let live = Live::new(pipeline.graph(), LiveOptions { inline, ..options(8, when_full) }, scheduler.clone()).unwrap();
    let (mut accepted, mut most) = (0, 0);
    for item in 0..1_000 {
        let audio = buffer(vec![item as f32; 160], 16_000, 1);
        match live.push(audio.into(), None, None).unwrap() {
            Pushed::Taken => accepted += 1,
            Pushed::Full(_) => {}
        }
        if random.below(2) == 0 {
            scheduler.run_one(&mut random);
        }
        let (input, output) = live.waiting();
        most = most.max(input + output);
    }
    live.end().unwrap();
    let mut taken = Vec::new();
    while !live.is_finished() {
        for output in live.take(usize::MAX).unwrap() {
            let RuntimeData::Audio(audio) = &output.packet.data else { panic!("not audio") };
            taken.push((audio.samples()[audio.frames() - 1], output.dropped));
            assert_eq!(
                output.packet.pts.to_frames(16_000) + audio.frames() as i64,
                160 * (audio.samples()[audio.frames() - 1] as i64 + 1),
                "time goes on over what is dropped"
            );
        }
        scheduler.run_all(&mut random);
    }
    let (dropped_in, dropped_out) = live.dropped();
    (accepted, most, taken, dropped_in + dropped_out)
}

#[test]
fn every_policy_bounds_what_waits_and_counts_what_it_drops() {
    for inline in [false, true] {
        for (when_full, name) in WhenFull::ALL {
            let (accepted, most, taken, dropped) = slow_consumer(when_full, inline);
            let reported: u64 = taken.iter().map(|(_, dropped)| u64::from(*dropped)).sum();
            let last = taken.last().unwrap().0;
            assert!(most <= 8 + 8 + 2 + 2, "{name}: {most} packets wait");
            match when_full {
                WhenFull::Wait => {
                    assert!(accepted <= 20 && dropped == 0, "{accepted} {dropped}");
                    let got: Vec<usize> = taken.iter().map(|(item, _)| *item as usize).collect();
                    assert_eq!(got.len(), accepted);
                }
                WhenFull::DropOldest | WhenFull::Latest => assert_eq!(last, 999.0, "{name}: the newest is kept"),
                WhenFull::DropNewest => assert_eq!(taken[0].0, 0.0, "{name}: the oldest is kept"),
            }
            if when_full != WhenFull::Wait {
                assert_eq!(accepted, 1_000);
                assert!(dropped > 0 && reported <= dropped, "{name}: {reported} of {dropped}");
                assert!(reported > 0 || when_full == WhenFull::DropNewest, "{name}: no output says what was dropped");
            }
        }
    }
}

#[test]
fn a_failure_comes_after_the_results_before_it_and_reset_goes_on() {
    let failing = UserNode::new("Failing", |packet| {
        let RuntimeData::Audio(audio) = &packet.data else { return Ok(()) };
        if audio.samples()[0] == 3.0 { Err(Error::new(ErrorKind::Node, "three is too many")) } else { Ok(()) }
    });
    let manifest = support::run::single("Failing", json!({}));
    let pipeline = Pipeline::with_registry(&manifest, &support::nodes::registry_with(failing)).unwrap();
    let scheduler = Arc::new(Scheduler::default());
    let live = Live::new(pipeline.graph(), LiveOptions::default(), scheduler).unwrap();
    let push = |value: f32| live.push(buffer(vec![value; 10], 16_000, 1).into(), None, None);
    for value in [1.0, 2.0, 3.0] {
        push(value).unwrap();
    }
    assert_eq!(live.take(10).unwrap().len(), 2);
    let error = live.take(10).unwrap_err();
    assert!(error.to_string().contains("three is too many") && error.node() == Some("node"), "{error}");
    assert!(push(4.0).is_err());
    live.reset().unwrap();
    push(5.0).unwrap();
    let again = live.take(10).unwrap();
    assert_eq!((again.len(), again[0].packet.pts), (1, Pts::ZERO));
    live.shutdown();
    assert_eq!(push(6.0).unwrap_err().kind(), ErrorKind::Closed);
    assert_eq!(live.take(1).unwrap_err().kind(), ErrorKind::Closed);
}
