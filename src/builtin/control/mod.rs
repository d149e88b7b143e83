//! Control nodes.

mod pass_through;
mod tee;

use crate::error::Result;
use crate::node::Registry;

pub(super) fn register(registry: &mut Registry) -> Result<()> {
    registry.add(pass_through::PassThrough)?;
    registry.add(tee::Tee)
}
