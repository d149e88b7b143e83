//! Control nodes.

mod pass_through;

use crate::error::Result;
use crate::node::Registry;

pub(super) fn register(registry: &mut Registry) -> Result<()> {
    registry.add(pass_through::PassThrough)
}
