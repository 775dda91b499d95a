//! Any bytes as a component, up to where it would be compiled.
#![no_main]

#[path = "../checks/component.rs"]
mod check;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| check::check(bytes));
