//! A text of any kind as `kennel.toml`.
#![no_main]

#[path = "../checks/configuration.rs"]
mod check;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| check::check(bytes));
