//! State that a forked child has anew: a lock that another thread of its parent held stays locked in the child for ever.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use arc_swap::ArcSwapOption;

/// How many forks lie between this process and the first one.
static GENERATION: AtomicU32 = AtomicU32::new(0);

/// Says that this process is a forked child, before anything else is done in it.
pub(crate) fn forked() {
    GENERATION.fetch_add(1, Ordering::Relaxed);
}

/// How many forks lie between this process and the first one.
pub(crate) fn generation() -> u32 {
    GENERATION.load(Ordering::Relaxed)
}

/// A value of this process, made when first used. Nothing here waits, so that a fork at any moment leaves it usable; what
/// the parent had is left where it is.
pub(crate) struct PerProcess<T: 'static>(ArcSwapOption<(u32, &'static T)>);

impl<T: Default + Sync> PerProcess<T> {
    /// None yet.
    pub(crate) const fn new() -> Self {
        Self(ArcSwapOption::const_empty())
    }

    /// The value of this process.
    pub(crate) fn get(&self) -> &'static T {
        self.of(generation())
    }

    fn of(&self, generation: u32) -> &'static T {
        loop {
            let present = self.0.load();
            if let Some(of) = present.as_deref().filter(|of| of.0 == generation) {
                return of.1;
            }
            let value: &'static T = Box::leak(Box::default());
            self.0.compare_and_swap(&present, Some(Arc::new((generation, value))));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    #[test]
    fn a_child_gets_a_value_that_nobody_has_locked() {
        static VALUE: PerProcess<Mutex<u32>> = PerProcess::new();
        let of_parent = VALUE.of(0);
        let mut held = of_parent.lock().unwrap();
        *held = 1;
        assert!(std::ptr::eq(VALUE.of(0), of_parent));
        let of_child = VALUE.of(1);
        assert_eq!(*of_child.try_lock().unwrap(), 0);
        assert!(std::ptr::eq(VALUE.of(1), of_child) && !std::ptr::eq(of_child, of_parent));
    }
}
