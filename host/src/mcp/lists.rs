//! The catalog's lists in the protocol's words, made once for each snapshot. Asks no plugin.

use std::sync::{Arc, Mutex, PoisonError};

use rmcp::model::{Prompt, ResourceTemplate, Tool};

use super::convert;
use crate::catalog::api::Snapshot;

/// The last snapshot in the protocol's words, so that it is put into them once and not for every client
/// and request.
#[derive(Default)]
pub(super) struct Lists {
    last: Mutex<Option<Arc<Listed>>>,
}

pub(super) struct Listed {
    of: Arc<Snapshot>,
    /// By name.
    pub(super) tools: Vec<Tool>,
    /// By name.
    pub(super) prompts: Vec<Prompt>,
    /// By their text.
    pub(super) templates: Vec<ResourceTemplate>,
}

impl Lists {
    /// This snapshot's lists.
    pub(super) fn of(&self, snapshot: Arc<Snapshot>) -> Arc<Listed> {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(listed) = &*last
            && Arc::ptr_eq(&listed.of, &snapshot)
        {
            return listed.clone();
        }
        let mut listed = Listed {
            tools: snapshot.tools.iter().map(convert::tool).collect(),
            prompts: snapshot.prompts.iter().map(convert::prompt).collect(),
            templates: snapshot.templates.iter().map(convert::template).collect(),
            of: snapshot,
        };
        // A model's prompt cache holds only while a list keeps its order.
        listed.tools.sort_by(|a, b| a.name.cmp(&b.name));
        listed.prompts.sort_by(|a, b| a.name.cmp(&b.name));
        listed.templates.sort_by(|a, b| a.uri_template.cmp(&b.uri_template));
        let listed = Arc::new(listed);
        *last = Some(listed.clone());
        listed
    }
}
