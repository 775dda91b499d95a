//! In the place of `wire` for those who build the harness without the schemas (the `xtask`, the benchmarks): checks nothing.
//! It must have what `wire` has for the clients here, and nothing else.

/// Checks nothing.
#[derive(Debug, Default)]
pub struct Wire;

impl Wire {
    /// Knows nothing of revisions.
    pub fn agreed_on(_: &str) -> Self {
        Self
    }

    /// Does nothing.
    pub fn sent(&mut self, _: &[u8]) {}

    /// Does nothing.
    pub fn received(&mut self, _: &[u8]) {}

    /// None.
    pub fn take_violations(&mut self) -> Vec<String> {
        Vec::new()
    }
}
