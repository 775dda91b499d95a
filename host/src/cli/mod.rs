//! The verbs, one file each: arguments in, text out. Holds no logic that another room needs.

pub mod approve;
mod candidates;
pub mod check;
pub mod client_config;

pub use candidates::{Read, Reading};

#[cfg(test)]
mod testing;
