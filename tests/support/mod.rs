//! What several of these tests share. Each test file uses a part of it.
#![allow(dead_code, reason = "every test file is a crate of its own and uses only some of the helpers")]

pub mod audio;
pub mod fit;
pub mod nodes;
pub mod random;
pub mod run;
