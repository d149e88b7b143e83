//! The nodes we ship, one file each.

#[cfg(feature = "audio")]
mod audio;
mod control;
mod text;
#[cfg(feature = "video")]
mod video;

use crate::error::Result;
use crate::node::Registry;

/// Adds every built-in node to a registry.
///
/// # Errors
/// `InputValue` when the registry has one of the names already.
pub fn register(registry: &mut Registry) -> Result<()> {
    control::register(registry)?;
    text::register(registry)?;
    #[cfg(feature = "audio")]
    audio::register(registry)?;
    #[cfg(feature = "video")]
    video::register(registry)?;
    Ok(())
}
