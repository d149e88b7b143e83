//! Numbers below about 1e-38, which processors work on up to a hundred times as slowly as on others. They are far below
//! anything that can be heard, so work on samples takes them for zero: the tail of a fade or of a filter costs no more than
//! the rest.
#![allow(unsafe_code)]

/// While it lives, this thread takes denormal numbers for zero, and makes none; or does again what it did before.
#[derive(Debug)]
pub(crate) struct Denormals {
    before: Control,
    now: Control,
}

/// Takes denormal numbers for zero from now on.
pub(crate) fn flushed() -> Denormals {
    set(|control| control | FLUSH)
}

/// Works with them as any other code does: for code of others that is called from ours.
pub(crate) fn kept() -> Denormals {
    set(|control| control & !FLUSH)
}

fn set(change: impl FnOnce(Control) -> Control) -> Denormals {
    let before = read();
    let now = change(before);
    if now != before {
        write(now);
    }
    Denormals { before, now }
}

impl Drop for Denormals {
    fn drop(&mut self) {
        if self.now != self.before {
            write(self.before);
        }
    }
}

#[cfg(target_arch = "x86_64")]
use x86_64::{Control, FLUSH, read, write};

#[cfg(target_arch = "x86_64")]
mod x86_64 {
    use std::arch::asm;

    pub(super) type Control = u32;
    /// "Flush to zero" and "denormals are zeros" of MXCSR (Intel SDM, volume 1, 10.2.3).
    pub(super) const FLUSH: Control = 1 << 15 | 1 << 6;

    pub(super) fn read() -> Control {
        let mut control: Control = 0;
        // SAFETY: stores the register to memory of ours.
        unsafe { asm!("stmxcsr [{}]", in(reg) &raw mut control, options(nostack, preserves_flags)) };
        control
    }

    pub(super) fn write(control: Control) {
        // SAFETY: the register as it was read, but for two bits that change how denormal numbers are rounded and nothing
        // else. Code that does not know of it works on as before, and no exception is unmasked.
        unsafe { asm!("ldmxcsr [{}]", in(reg) &raw const control, options(nostack, preserves_flags, readonly)) };
    }
}

#[cfg(target_arch = "aarch64")]
use aarch64::{Control, FLUSH, read, write};

#[cfg(target_arch = "aarch64")]
mod aarch64 {
    use std::arch::asm;

    pub(super) type Control = u64;
    /// FZ of FPCR.
    pub(super) const FLUSH: Control = 1 << 24;

    pub(super) fn read() -> Control {
        let control: Control;
        // SAFETY: reads a register.
        unsafe { asm!("mrs {}, fpcr", out(reg) control, options(nomem, nostack, preserves_flags)) };
        control
    }

    pub(super) fn write(control: Control) {
        // SAFETY: as for x86-64: one bit of the register as it was read has changed.
        unsafe { asm!("msr fpcr, {}", in(reg) control, options(nomem, nostack, preserves_flags)) };
    }
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
use other::{Control, FLUSH, read, write};

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
mod other {
    pub(super) type Control = u32;
    /// Left as they are.
    pub(super) const FLUSH: Control = 0;

    pub(super) fn read() -> Control {
        0
    }

    pub(super) fn write(_: Control) {}
}

#[cfg(all(test, any(target_arch = "x86_64", target_arch = "aarch64")))]
mod tests {
    use std::hint::black_box;

    use super::*;

    /// The smallest normal number, halved: a denormal one.
    fn halved() -> f32 {
        black_box(f32::MIN_POSITIVE) * black_box(0.5)
    }

    #[test]
    fn denormal_numbers_are_zero_inside_and_as_before_outside() {
        assert!(halved() > 0.0);
        {
            let _inside = flushed();
            assert_eq!(halved(), 0.0);
            {
                let _others = kept();
                assert!(halved() > 0.0);
            }
            assert_eq!(halved(), 0.0);
        }
        assert!(halved() > 0.0);
        assert!(
            std::panic::catch_unwind(|| {
                let _inside = flushed();
                panic!("out")
            })
            .is_err()
        );
        assert!(halved() > 0.0);
    }
}
