//! A whole input of any bytes through everything between a client's pipe and a catalog.
#![no_main]

#[allow(dead_code, clippy::unwrap_used, clippy::expect_used)]
#[path = "../../host/tests/stdio/catalog.rs"]
mod catalog;
#[path = "../checks/message_path.rs"]
mod check;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| check::check(bytes));
