//! Steps with names and times, and one table at the end.

use anyhow::{Result, bail};
use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// What became of one step.
enum Outcome {
    Passed,
    Failed(String),
    /// Not run, with the reason: never in silence.
    Left(String),
}

/// What a step does.
pub type Action<'a> = Box<dyn FnOnce() -> Result<()> + Send + 'a>;

/// The steps of one command.
pub struct Steps {
    started: Instant,
    done: Vec<(String, Duration, Outcome)>,
}

impl Steps {
    pub fn new() -> Self {
        Self { started: Instant::now(), done: Vec::new() }
    }

    /// Runs one step; the ones after it run even when it fails.
    pub fn step(&mut self, name: &str, action: impl FnOnce() -> Result<()>) {
        println!("== {name}");
        let started = Instant::now();
        let outcome = match action() {
            Ok(()) => Outcome::Passed,
            Err(error) => {
                eprintln!("xtask: {name}: {error:#}");
                Outcome::Failed(format!("{error:#}"))
            }
        };
        self.done.push((name.to_owned(), started.elapsed(), outcome));
    }

    /// Runs steps that are slow and do not disturb each other, two at a time.
    pub fn in_pairs(&mut self, steps: Vec<(String, Action<'_>)>) {
        let (waiting, done) = (Mutex::new(VecDeque::from(steps)), Mutex::new(Vec::new()));
        let work = || {
            loop {
                let next = waiting.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
                let Some((name, action)) = next else { return };
                let mut alone = Self::new();
                alone.step(&name, action);
                done.lock().unwrap_or_else(PoisonError::into_inner).extend(alone.done);
            }
        };
        std::thread::scope(|scope| {
            scope.spawn(work);
            scope.spawn(work);
        });
        self.done.extend(done.into_inner().unwrap_or_else(PoisonError::into_inner));
    }

    /// Notes a step that this machine cannot run.
    pub fn left_out(&mut self, name: &str, reason: &str) {
        println!("== {name}: left out, {reason}");
        self.done.push((name.to_owned(), Duration::ZERO, Outcome::Left(reason.to_owned())));
    }

    /// Prints the table and the closing line; fails when a step failed.
    pub fn finish(self) -> Result<()> {
        println!("\n{:>8}  step", "seconds");
        for (name, time, outcome) in &self.done {
            let word = match outcome {
                Outcome::Passed => String::new(),
                Outcome::Failed(reason) => format!("  FAILED: {}", reason.lines().next().unwrap_or_default()),
                Outcome::Left(reason) => format!("  left out: {reason}"),
            };
            println!("{:>8.1}  {name}{word}", time.as_secs_f64());
        }
        let failed = self.done.iter().filter(|one| matches!(one.2, Outcome::Failed(_))).count();
        let passed = self.done.iter().filter(|one| matches!(one.2, Outcome::Passed)).count();
        println!("{:>8.1}  all\n", self.started.elapsed().as_secs_f64());
        println!("{passed} passed, {failed} failed");
        if failed > 0 {
            bail!("{failed} of the steps failed");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_step_fails_the_command_but_not_the_next_step() {
        let mut steps = Steps::new();
        let mut ran = false;
        steps.step("breaks", || bail!("as it should"));
        steps.step("runs", || {
            ran = true;
            Ok(())
        });
        let well = |n: i32| -> (String, Action<'static>) { (n.to_string(), Box::new(|| Ok(()))) };
        steps.in_pairs((0..5).map(well).collect());
        assert_eq!(steps.done.len(), 7);
        steps.left_out("cannot", "no such tool");
        assert!(ran);
        assert!(steps.finish().is_err());
        assert!(Steps::new().finish().is_ok());
    }
}
