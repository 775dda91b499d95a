//! Any request held against any grant.
#![no_main]

#[path = "../checks/egress.rs"]
mod check;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| check::check(bytes));
