//! What authors wrote about functions and types: a component's `package-docs` section, of the versions 0 and 1 that
//! `wit-parser` writes (its `metadata.rs` is the format's only description). Reads; decides nothing.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Deserialize;

use super::shape::Words;

/// Name of the custom section.
pub const DOCS_SECTION: &str = "package-docs";
/// Largest section read, in bytes.
pub const MAX_DOCS: usize = 1 << 20;

/// Why a section is not read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DocsError {
    /// Over [`MAX_DOCS`].
    #[error("its section `{DOCS_SECTION}` has {0} bytes; at most {MAX_DOCS} are read")]
    TooLarge(usize),
    /// A later format.
    #[error("its section `{DOCS_SECTION}` is of a version that this Kennel does not know")]
    Version,
    /// Not the JSON it should be.
    #[error("its section `{DOCS_SECTION}` does not read: {0}")]
    Json(String),
}

/// What is written about a component's package.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Docs {
    worlds: BTreeMap<String, World>,
    interfaces: BTreeMap<String, Interface>,
}

/// The words about exports are under `*_exports` only when there are imports of the same names.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct World {
    interfaces: BTreeMap<String, Interface>,
    interface_exports: BTreeMap<String, Interface>,
    funcs: BTreeMap<String, Function>,
    func_exports: BTreeMap<String, Function>,
    types: BTreeMap<String, Type>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Interface {
    funcs: BTreeMap<String, Function>,
    types: BTreeMap<String, Type>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
enum Function {
    /// Version 0.
    Words(Option<String>),
    /// Version 1.
    More { docs: Option<String> },
}

impl Function {
    fn words(&self) -> Option<&str> {
        match self {
            Self::Words(docs) | Self::More { docs } => docs.as_deref(),
        }
    }
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Type {
    docs: Option<String>,
    items: BTreeMap<String, String>,
}

impl Docs {
    /// Reads the bytes of the section.
    ///
    /// # Errors
    /// When they are too many or of another format.
    pub fn parse(bytes: &[u8]) -> Result<Self, DocsError> {
        if guarded!("function-docs", bytes.len() > MAX_DOCS) {
            return Err(DocsError::TooLarge(bytes.len()));
        }
        match bytes.split_first() {
            Some((0 | 1, json)) => {
                serde_json::from_slice(json).map_err(|error| DocsError::Json(error.to_string()))
            }
            _ => Err(DocsError::Version),
        }
    }

    /// About an exported function; `interface` as it is written among the exports.
    pub(super) fn function(&self, interface: Option<&str>, name: &str) -> Option<&str> {
        let found = match interface {
            None => self.worlds.values().find_map(|w| w.func_exports.get(name).or_else(|| w.funcs.get(name))),
            Some(interface) => self.interface(interface).and_then(|interface| interface.funcs.get(name)),
        };
        found.and_then(Function::words)
    }

    /// About a type with a name: in its interface, or else wherever the name is, for types are used across interfaces.
    pub(super) fn words(&self, interface: Option<&str>, name: &str) -> Option<Arc<Words>> {
        let here = interface.and_then(|interface| self.interface(interface)?.types.get(name));
        let everywhere = || {
            let worlds = self.worlds.values().map(|world| &world.types);
            let interfaces = self.interfaces.values().map(|interface| &interface.types);
            worlds.chain(interfaces).find_map(|types| types.get(name))
        };
        let found = here.or_else(everywhere)?;
        Some(Arc::new(Words { docs: found.docs.clone(), items: found.items.clone() }))
    }

    fn interface(&self, written: &str) -> Option<&Interface> {
        let path = written.split_once('@').map_or(written, |(path, _)| path);
        let short = path.rsplit_once('/').map_or(path, |(_, short)| short);
        self.interfaces.get(short).or_else(|| {
            let inline = |world: &'_ World| world.interface_exports.contains_key(short);
            let here = |world: &&World| inline(world) || world.interfaces.contains_key(short);
            let world = self.worlds.values().find(here)?;
            world.interface_exports.get(short).or_else(|| world.interfaces.get(short))
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn both_versions_are_read_and_others_refused() {
        let old = Docs::parse(b"\0{\"worlds\":{\"w\":{\"funcs\":{\"add\":\"Adds.\"}}}}").unwrap();
        assert_eq!(old.function(None, "add"), Some("Adds."));
        let words = br#"{"docs":"x","interfaces":{"calc":{"docs":"y",
            "funcs":{"add":{"docs":"Adds.","stability":{"stable":{"since":"0.1.0"}}}},
            "types":{"point":{"docs":"A place.","items":{"x":"East."}}}}},
            "worlds":{"w":{"interface_exports":{"own":{"funcs":{"do":{"docs":"Does."}}}}}}}"#;
        let new = Docs::parse(&[b"\x01".as_slice(), words.as_slice()].concat()).unwrap();
        assert_eq!(new.function(Some("a:b/calc@0.1.0"), "add"), Some("Adds."));
        assert_eq!(new.function(Some("own"), "do"), Some("Does."));
        assert_eq!(new.function(None, "add"), None);
        let point = new.words(Some("own"), "point").unwrap();
        assert_eq!((point.docs.as_deref(), point.items["x"].as_str()), (Some("A place."), "East."));
        assert!(matches!(Docs::parse(b"\x02{}"), Err(DocsError::Version)));
        assert!(matches!(Docs::parse(b""), Err(DocsError::Version)));
        assert!(matches!(Docs::parse(b"\x01[}"), Err(DocsError::Json(_))));
        assert!(matches!(Docs::parse(&vec![1; MAX_DOCS + 1]), Err(DocsError::TooLarge(_))));
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes: Vec<u8>) {
            let _ = Docs::parse(&[&[1], bytes.as_slice()].concat());
        }
    }
}
