//! Nodes written in Python: in this process, or in worker processes over shared memory.
//!
//! A [`PythonNode`] is a node type like any other. Its processor has a *seat* for each stream: an instance of the class,
//! in this process (`local`) or in a worker (`pool`, `worker`, `child`). Both get requests and give replies in one form
//! (`wire`, `reply`); `shm` carries them to a worker, whose side is [`Serving`].

mod child;
mod gate;
mod kept;
mod local;
mod memory;
mod os;
mod pool;
mod processor;
mod python;
mod reply;
mod restart;
mod said;
mod seat;
mod serve;
mod service;
mod shm;
mod slots;
mod spec;
mod storage;
mod sweep;
mod time;
mod wire;
mod worker;

pub use local::{Called, Interpreter as LocalInterpreter, accept, install, next_request};
pub use memory::{FOLDER, megabytes};
pub use os::{exit_now, most_files, room};
pub use python::{Declared, Output, PythonNode};
pub use serve::Serving;
pub use spec::{ClassRef, Interpreter, set_interpreter};
pub use sweep::{Leftover, leftovers};
pub use wire::Payload;

/// Ends everything that this process has started for Python nodes.
pub fn shutdown(limit: std::time::Duration) {
    local::shutdown();
    worker::shutdown(limit);
}
