//! Variants of the plugin `trial`, made by replacing texts of a fixed length in its finished component.
//! Each variant is another component with another digest, without building anything.
//! It must not change a byte besides the marks that `plugins/trial/src/marks.rs` names.

use crate::paths::plugin_file;

/// A variant of the plugin `trial`.
#[derive(Clone, Debug)]
pub struct Trial(Vec<u8>);

impl Default for Trial {
    fn default() -> Self {
        Self::new()
    }
}

impl Trial {
    /// As it was built: version `00000000`.
    pub fn new() -> Self {
        Self(std::fs::read(plugin_file("trial")).expect("the plugin can be read"))
    }

    /// With another version, of at most eight characters. It shows in the description of the tool `version`.
    pub fn version(self, version: &str) -> Self {
        self.mark("kennel-trial-begin:", version).final_version(version)
    }

    /// With another version at the end of a call than at its beginning, as no sound component has.
    pub fn final_version(self, version: &str) -> Self {
        self.mark("kennel-trial-final:", version)
    }

    /// With another behaviour while its tools are listed: `serve`, `trap`, `panic`, `loop` or `sleep`.
    pub fn listing(self, what: &str) -> Self {
        self.mark("kennel-trial-lists:", what)
    }

    /// The component.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    fn mark(mut self, mark: &str, value: &str) -> Self {
        assert!(value.len() <= 8, "{value:?} is too long for a mark");
        let mut places =
            self.0.windows(mark.len()).enumerate().filter(|(_, window)| *window == mark.as_bytes());
        let place = places.next().map(|(at, _)| at + mark.len());
        assert!(place.is_some() && places.next().is_none(), "trial.wasm has {mark:?} once");
        let at = place.unwrap_or_default();
        self.0[at..at + 8].copy_from_slice(format!("{value:.<8}").as_bytes());
        self
    }
}
