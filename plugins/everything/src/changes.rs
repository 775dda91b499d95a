//! What a plugin says about its own lists and resources to those who keep a copy.
//! Must not change anything really: the lists of an instance are fixed, and a client that asks again sees that.

use kennel_sdk::prelude::*;

/// Says that the list of tools changed.
#[tool]
pub(crate) fn test_trigger_tool_change() -> &'static str {
    list_changed(ListKind::Tools);
    "Said that the tools changed."
}

/// Says that the list of prompts changed.
#[tool]
pub(crate) fn test_trigger_prompt_change() -> &'static str {
    list_changed(ListKind::Prompts);
    "Said that the prompts changed."
}

/// Says that a resource has new contents and that the list of resources changed.
#[tool]
pub(crate) fn test_trigger_resource_change() -> &'static str {
    resource_updated(crate::resources::WATCHED);
    list_changed(ListKind::Resources);
    "Said that the watched resource changed."
}
