//! What a guest printed, in the host's own log: bounded and escaped before it comes here.

/// One captured stream of one call.
pub struct Captured<'a> {
    /// The plugin's name.
    pub plugin: &'a str,
    /// `stdout` or `stderr`.
    pub stream: &'static str,
    /// The text, made safe.
    pub text: &'a str,
    /// Bytes that were not kept.
    pub dropped: u64,
}

impl Captured<'_> {
    /// Writes its lines.
    pub fn log(&self) {
        let Self { plugin, stream, text, dropped } = self;
        for line in text.lines() {
            tracing::info!(plugin, stream, "{line}");
        }
        if *dropped > 0 {
            tracing::warn!(plugin, stream, "{dropped} more bytes were printed and dropped");
        }
    }
}
