//! A thing that one thread uses at a time; the others wait, but not for ever.

use std::ops::{Deref, DerefMut};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// The thing, when nobody has it.
#[derive(Debug)]
pub struct Gate<T> {
    state: Mutex<State<T>>,
    came_back: Condvar,
}

#[derive(Debug)]
struct State<T> {
    free: Option<Box<T>>,
    /// Threads that wait for it. Without any nobody is woken, which would take a system call.
    waiting: usize,
}

/// The thing, until this is dropped.
#[derive(Debug)]
pub struct Turn<'a, T> {
    gate: &'a Gate<T>,
    thing: Option<Box<T>>,
}

impl<T> Gate<T> {
    pub fn new(thing: T) -> Self {
        Self { state: Mutex::new(State { free: Some(Box::new(thing)), waiting: 0 }), came_back: Condvar::new() }
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the thing as soon as it is free. `None` when it is not within the time.
    pub fn enter(&self, limit: Duration) -> Option<Turn<'_, T>> {
        let mut state = self.lock();
        if state.free.is_none() {
            state.waiting += 1;
            let waited = self.came_back.wait_timeout_while(state, limit, |state| state.free.is_none());
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
            state.waiting -= 1;
        }
        state.free.take().map(|thing| Turn { gate: self, thing: Some(thing) })
    }

    /// Takes the thing for good.
    pub fn take(&self, limit: Duration) -> Option<T> {
        self.enter(limit).and_then(|mut turn| turn.thing.take()).map(|thing| *thing)
    }
}

impl<T> Deref for Turn<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.thing.as_ref().expect("the thing is here until the turn is over")
    }
}

impl<T> DerefMut for Turn<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        self.thing.as_mut().expect("the thing is here until the turn is over")
    }
}

impl<T> Drop for Turn<'_, T> {
    fn drop(&mut self) {
        if let Some(thing) = self.thing.take() {
            let mut state = self.gate.lock();
            state.free = Some(thing);
            if state.waiting > 0 {
                self.gate.came_back.notify_one();
            }
        }
    }
}
