//! Tells the host what a plugin panics with before it traps, so that the tool's error can say it.
//! Every export installs the hook first; an instance lives for one call, so this is once a call.
//! Must not allocate more than the message needs: the panic may be about memory.

use std::sync::Once;

/// Installs the hook; only the first time in an instance does something.
pub(crate) fn install() {
    static ONCE: Once = Once::new();
    // Natively there is no host to tell: tests of plugins keep Rust's own hook.
    if !cfg!(target_arch = "wasm32") {
        return;
    }
    ONCE.call_once(|| {
        std::panic::set_hook(Box::new(|info| {
            let message = info.payload_as_str().unwrap_or("the panic's payload is not a text");
            let place = info.location().map(ToString::to_string).unwrap_or_default();
            crate::bindings::tools::kennel::plugin::host::panicked(message, &place);
        }));
    });
}
