//! What must hold of a manifest for any bytes: it reads or it does not, in one line; it reads the same from the component
//! that carries it; and asking gives nothing, whatever is asked. Shared by the fuzzer and by the replay of its corpus
//! (`host/tests/corpus/`).

use kennel::grants::{Asked, Grants, MANIFEST_SECTION, MAX_MANIFEST, effective};
use kennel::plugin::manifest;

/// Panics when something does not hold.
pub fn check(bytes: &[u8]) {
    let read = Asked::parse(bytes);
    if let Err(error) = &read {
        let said = error.to_string();
        assert!(!said.is_empty() && said.lines().count() == 1, "{said:?}");
    }
    if bytes.len() <= MAX_MANIFEST {
        let carried = manifest(&carrying(bytes, 1));
        match (&read, carried) {
            (Ok(one), Ok(Some(two))) => assert_eq!(format!("{one:?}"), format!("{two:?}")),
            (Err(one), Err(two)) => assert_eq!(one.to_string(), two.to_string()),
            (read, carried) => panic!("{read:?} alone, {carried:?} in its component"),
        }
        // The same twice is one; another beside it is refused.
        assert_eq!(manifest(&carrying(bytes, 2)).is_ok(), read.is_ok());
    }
    if let Ok(asked) = read {
        let (held, withheld) = effective(&Grants::default(), Some(&asked));
        assert_eq!(held, Grants::default(), "asking gave something");
        assert!(withheld.is_empty(), "{withheld:?}");
    }
}

/// A component with so many sections of this kind.
fn carrying(bytes: &[u8], count: usize) -> Vec<u8> {
    let mut component = wasm_encoder::Component::new();
    for _ in 0..count {
        component.section(&wasm_encoder::CustomSection { name: MANIFEST_SECTION.into(), data: bytes.into() });
    }
    component.finish()
}
