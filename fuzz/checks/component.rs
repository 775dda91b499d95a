//! What must hold of bytes that are taken for a component, up to where the compiler's own process would get them: no panic;
//! one line when they are refused; names of imports and exports that are in the bytes. Shared by the fuzzer and by the
//! replay of its corpus (`host/tests/corpus/`).

use kennel::plugin::{describe_component, manifest};
use kennel::sandbox::check_kind;

/// The component model's preamble: magic, version, layer.
const PREAMBLE: [u8; 8] = [0, b'a', b's', b'm', 0x0d, 0, 1, 0];

/// Panics when something does not hold.
pub fn check(bytes: &[u8]) {
    read(bytes);
    // Most bytes would end at the preamble.
    read(&[PREAMBLE.as_slice(), bytes].concat());
}

fn read(bytes: &[u8]) {
    let kind = check_kind(bytes);
    let described = describe_component(bytes);
    if let Err(error) = &kind {
        one_line(error);
        assert!(described.is_err(), "described what is no component");
    }
    if let Err(error) = manifest(bytes) {
        one_line(&error);
    }
    match described {
        Ok(interface) => {
            assert!(bytes.starts_with(&PREAMBLE));
            for name in interface.imports.iter().chain(&interface.exports) {
                let found = bytes.windows(name.len().max(1)).any(|window| window == name.as_bytes());
                assert!(found || name.is_empty(), "{name:?} is not in the bytes");
            }
        }
        Err(error) => one_line(&error),
    }
}

fn one_line(error: &dyn std::fmt::Display) {
    let said = error.to_string();
    assert!(!said.is_empty() && said.lines().count() == 1, "{said:?}");
}
