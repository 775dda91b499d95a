//! One message of any bytes through the front door.
#![no_main]

#[path = "../checks/front_door.rs"]
mod check;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| check::check(bytes));
