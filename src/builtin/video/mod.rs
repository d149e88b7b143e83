//! Video nodes.

mod scale;

use crate::error::Result;
use crate::node::Registry;

pub(super) fn register(registry: &mut Registry) -> Result<()> {
    registry.add(scale::VideoScale)
}
