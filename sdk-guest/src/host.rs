//! What the host does for a plugin in a call besides WASI: progress, changed lists, settings.
//! Nothing here needs a grant.
//! Must not be called in native tests: outside a component there is no host.

use serde::de::DeserializeOwned;

use crate::bindings::tools::kennel::plugin::host;
pub use crate::bindings::tools::kennel::plugin::host::ListKind;
use crate::{Result, ResultExt};

/// Tells the client how far the call is. `done` must grow from call to call; give `total` when it is
/// known. Without a client that asked for progress this does nothing.
///
/// ```no_run
/// for page in 1..=3 {
///     kennel_sdk::progress(f64::from(page), Some(3.0), "reading pages");
/// }
/// ```
pub fn progress<'a>(done: f64, total: impl Into<Option<f64>>, message: impl Into<Option<&'a str>>) {
    host::progress(done, total.into(), message.into());
}

/// Says that one of this plugin's lists is different from now on.
pub fn list_changed(kind: ListKind) {
    host::list_changed(kind);
}

/// Says that a resource of this plugin has new contents.
pub fn resource_updated(uri: &str) {
    host::resource_updated(uri);
}

/// Says that this call will take long, so that a client that can poll need not wait.
pub fn detach() {
    host::detach();
}

/// A setting of this plugin from `kennel.toml`; none when it is not set. Never a secret.
///
/// ```no_run
/// # use kennel_sdk::prelude::*;
/// # fn f() -> Result<()> {
/// let limit: u64 = kennel_sdk::setting("max-results")?.unwrap_or(20);
/// # Ok(()) }
/// ```
///
/// # Errors
/// [`Error::Failed`](crate::Error::Failed) naming the setting, when it is not a `T`.
pub fn setting<T: DeserializeOwned>(key: &str) -> Result<Option<T>> {
    host::setting(key)
        .map(|text| serde_json::from_str(&text).context(format_args!("the setting `{key}`")))
        .transpose()
}
