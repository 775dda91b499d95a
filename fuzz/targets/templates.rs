//! Any text held against URI templates.
#![no_main]

// The module alone: the whole SDK would bring compiler plugins, which cannot be instrumented.
#[allow(dead_code, unreachable_pub)]
#[path = "../../sdk-guest/src/template.rs"]
mod template;

#[path = "../checks/templates.rs"]
mod check;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| check::check(bytes));
