//! A plugin with more than it holds, for one caller who allowed it. Asks nobody, and keeps nothing.

use std::sync::Arc;

use crate::grants::{Grants, Holding};
use crate::sandbox::capability::ConfigureError;

use super::load::Plugin;

impl Plugin {
    /// The same plugin under these grants, which must be its own and more. What it offers, and what its calls may use, is
    /// the same; what is taken back from it is taken from this one too.
    ///
    /// # Errors
    /// When a grant cannot be given.
    pub fn widened(&self, grants: Grants) -> Result<Arc<Self>, ConfigureError> {
        let program = self.program.widened(&grants)?;
        Ok(Arc::new(Self {
            config: self.config.clone(),
            digest: self.digest,
            size: self.size,
            load_time: self.load_time,
            asked: self.asked.clone(),
            holding: Holding { grants, ..self.holding.clone() },
            definitions: self.definitions.clone(),
            drift: self.drift.clone(),
            interface: self.interface.clone(),
            program,
        }))
    }
}
