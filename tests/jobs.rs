//! Runs on compute threads: waited for, stopped, timed out, many at once. Nothing here sleeps.

mod support;

use std::sync::Mutex;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use remotemedia::node::prelude::*;
use remotemedia::{Pipeline, RunOptions, Runtime};
use serde_json::json;
use support::audio::noise;
use support::nodes::{UserNode, registry_with};
use support::run::{audio, chain, pipeline, result, single, text};

/// Far more than any of these runs needs: a test that waits so long has failed.
const LONG: Duration = Duration::from_secs(60);

/// A node that says that it has started, then waits until the test lets go of it.
struct Blocked {
    pipeline: Pipeline,
    started: Receiver<()>,
    release: Sender<()>,
}

fn blocked() -> Blocked {
    let (start, started) = channel();
    let (release, released) = channel::<()>();
    let released = Mutex::new(released);
    let node = UserNode::new("Blocked", move |_| {
        start.send(()).ok();
        released.lock().unwrap().recv().ok();
        Ok(())
    });
    let pipeline = Pipeline::with_registry(&single("Blocked", json!({})), &registry_with(node)).unwrap();
    Blocked { pipeline, started, release }
}

fn hello() -> Vec<RuntimeData> {
    vec![RuntimeData::text("hello")]
}

#[test]
fn a_job_gives_what_a_run_gives() {
    let manifest = chain(&[("a", "AudioResample", json!({"target_rate": 16_000})), ("b", "AudioLevel", json!({}))]);
    let pipeline = pipeline(&manifest);
    let items = || vec![noise(1, 20_000, 44_100, 1).into(), noise(2, 30_000, 44_100, 1).into()];
    let job = pipeline.start(&Runtime::shared(), items(), RunOptions::default(), 0).unwrap();
    assert!(job.wait(LONG));
    let by_job = job.take().unwrap();
    let by_run = pipeline.run(items(), &RunOptions::default()).unwrap();
    assert_eq!(by_job.inputs, 2);
    for (left, right) in result(&by_job, "b").into_iter().zip(result(&by_run, "b")) {
        assert_eq!(audio(left), audio(right));
    }
    assert_eq!(format!("{:?}", result(&by_job, "b.events")), format!("{:?}", result(&by_run, "b.events")));
}

#[test]
fn results_are_taken_once_and_not_before_the_end() {
    let blocked = blocked();
    let runtime = Runtime::new(Registry::default());
    let job = blocked.pipeline.start(&runtime, hello(), RunOptions::default(), 0).unwrap();
    blocked.started.recv_timeout(LONG).unwrap();
    assert!(!job.wait(Duration::ZERO), "it has not ended");
    assert_eq!(job.take().unwrap_err().kind(), ErrorKind::Busy);
    blocked.release.send(()).unwrap();
    assert!(job.wait(LONG));
    assert_eq!(text(result(&job.take().unwrap(), "node")[0]), "hello");
    assert_eq!(job.take().unwrap_err().kind(), ErrorKind::Closed);
}

#[test]
fn a_job_gives_the_error_of_its_run() {
    let pipeline = pipeline(&single("TextCase", json!({"mode": "upper"})));
    let items = vec![RuntimeData::text("a"), RuntimeData::json(json!(1))];
    let job = pipeline.start(&Runtime::shared(), items, RunOptions::default(), 10_000).unwrap();
    assert!(job.wait(LONG));
    let error = job.take().unwrap_err();
    assert_eq!((error.kind(), error.node(), error.item_index()), (ErrorKind::InputType, Some("node"), Some(1)));
}

#[test]
fn stopping_releases_whoever_waits() {
    let blocked = blocked();
    let runtime = Runtime::new(Registry::default());
    let job = blocked.pipeline.start(&runtime, hello(), RunOptions::default(), 0).unwrap();
    blocked.started.recv_timeout(LONG).unwrap();
    let waiter = {
        let job = job.clone();
        std::thread::spawn(move || (job.wait(LONG), job.take()))
    };
    job.stop(); // The node still blocks: the waiter must not wait for it.
    let (ended, taken) = waiter.join().unwrap();
    assert!(ended);
    assert_eq!(taken.unwrap_err().kind(), ErrorKind::Closed);
    blocked.release.send(()).unwrap();
}

#[test]
fn a_stopped_run_does_not_go_on_to_its_next_item() {
    let blocked = blocked();
    let runtime = Runtime::new(Registry::default());
    let items = vec![RuntimeData::text("first"), RuntimeData::text("second")];
    let job = blocked.pipeline.start(&runtime, items, RunOptions::default(), 0).unwrap();
    blocked.started.recv_timeout(LONG).unwrap();
    drop(job); // The last one: as good as `stop`.
    blocked.release.send(()).unwrap();
    // When the pipeline and the run are gone, so is the node, and with it the sender.
    drop(blocked.pipeline);
    assert_eq!(blocked.started.recv_timeout(LONG), Err(std::sync::mpsc::RecvTimeoutError::Disconnected));
}

#[test]
fn a_node_that_never_answers_times_out() {
    let blocked = blocked();
    let runtime = Runtime::new(Registry::default());
    let job = blocked.pipeline.start(&runtime, hello(), RunOptions::default(), 50).unwrap();
    blocked.started.recv_timeout(LONG).unwrap();
    assert!(job.wait(LONG));
    let error = job.take().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout);
    assert!(error.message().contains("50 ms"), "{error}");
    blocked.release.send(()).unwrap();
}

#[test]
fn a_timeout_that_is_not_reached_changes_nothing() {
    let pipeline = pipeline(&single("PassThrough", json!({})));
    let job = pipeline.start(&Runtime::shared(), hello(), RunOptions::default(), 600_000).unwrap();
    assert!(job.wait(LONG));
    assert_eq!(text(result(&job.take().unwrap(), "node")[0]), "hello");
}

#[test]
fn a_panic_on_a_compute_thread_ends_one_run_and_no_other() {
    let node = UserNode::new("Panics", |_| panic!("a test's own panic"));
    let bad = Pipeline::with_registry(&single("Panics", json!({})), &registry_with(node)).unwrap();
    let good = pipeline(&single("PassThrough", json!({})));
    let runtime = Runtime::shared();
    for _ in 0..8 {
        let failing = bad.start(&runtime, hello(), RunOptions::default(), 0).unwrap();
        let passing = good.start(&runtime, hello(), RunOptions::default(), 0).unwrap();
        assert!(failing.wait(LONG) && passing.wait(LONG));
        let error = failing.take().unwrap_err();
        assert_eq!((error.kind(), error.code(), error.node()), (ErrorKind::Node, "RM0401", Some("node")));
        assert_eq!(text(result(&passing.take().unwrap(), "node")[0]), "hello");
    }
}

#[test]
fn fifty_jobs_at_once_keep_apart() {
    let pipeline = pipeline(&single("AudioResample", json!({"target_rate": 16_000})));
    let runtime = Runtime::shared();
    let input = |seed: u64| noise(seed, 4_800 + seed as usize, 48_000, 1);
    let jobs: Vec<_> = (0..50)
        .map(|seed| pipeline.start(&runtime, vec![input(seed).into()], RunOptions::default(), 0).unwrap())
        .collect();
    for (seed, job) in jobs.iter().enumerate() {
        assert!(job.wait(LONG));
        let by_job = job.take().unwrap();
        let by_run = pipeline.run(vec![input(seed as u64).into()], &RunOptions::default()).unwrap();
        assert_eq!(audio(result(&by_job, "node")[0]), audio(result(&by_run, "node")[0]), "job {seed}");
    }
}

#[test]
fn a_runtime_that_goes_ends_the_jobs_that_wait() {
    let blocked = blocked();
    let runtime = Runtime::new(Registry::default());
    // As many runs as any machine has threads take the threads; one more waits for its turn.
    let count = std::thread::available_parallelism().map_or(1, usize::from) + 1;
    let start = || blocked.pipeline.start(&runtime, hello(), RunOptions::default(), 0).unwrap();
    let jobs: Vec<_> = (0..count).map(|_| start()).collect();
    blocked.started.recv_timeout(LONG).unwrap();
    drop(runtime);
    let last = jobs.last().unwrap();
    assert!(last.wait(LONG), "nobody is left who would run it");
    assert_eq!(last.take().unwrap_err().kind(), ErrorKind::Closed);
    for _ in 1..count {
        blocked.release.send(()).unwrap();
    }
}

#[test]
fn nodes_that_never_return_take_no_thread_from_others() {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let runtime = Runtime::new(Registry::default());
    let stuck: Vec<Blocked> = (0..=cores).map(|_| blocked()).collect();
    for one in &stuck {
        let job = one.pipeline.start(&runtime, hello(), RunOptions::default(), 1).unwrap();
        assert!(job.wait(LONG));
        assert_eq!(job.take().unwrap_err().kind(), ErrorKind::Timeout);
    }
    // Every thread is taken by a node that does not return, and yet this ends.
    let healthy = pipeline(&single("PassThrough", json!({})));
    let job = healthy.start(&runtime, hello(), RunOptions::default(), 0).unwrap();
    assert!(job.wait(LONG));
    assert_eq!(text(result(&job.take().unwrap(), "node")[0]), "hello");
    let abandoned = runtime.abandoned_threads();
    assert!((1..=cores + 1).contains(&abandoned), "{abandoned} threads were given up");
    for one in &stuck {
        one.release.send(()).unwrap();
    }
}

#[test]
fn a_run_that_waits_for_a_thread_is_dropped_when_it_is_stopped() {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let runtime = Runtime::new(Registry::default());
    let busy: Vec<Blocked> = (0..cores).map(|_| blocked()).collect();
    let jobs: Vec<_> = busy
        .iter()
        .map(|one| {
            let job = one.pipeline.start(&runtime, hello(), RunOptions::default(), 0).unwrap();
            one.started.recv_timeout(LONG).unwrap();
            job
        })
        .collect();
    let data = std::sync::Arc::new(vec![1_u8; 1000]);
    let items = vec![RuntimeData::Binary(data.clone())];
    let waiting = pipeline(&single("PassThrough", json!({})));
    let waiting = waiting.start(&runtime, items, RunOptions::default(), 0).unwrap();
    waiting.stop();
    assert_eq!(std::sync::Arc::strong_count(&data), 1, "what it held is free at once");
    for one in &busy {
        one.release.send(()).unwrap();
    }
    assert!(jobs.iter().all(|job| job.wait(LONG)));
}
