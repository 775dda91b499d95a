//! What a plugin with these grants could do to the world at all, for the words that clients read about its tools.

use super::{DirectoryMode, Grants};

impl Grants {
    /// Whether anything can leave the machine.
    #[must_use]
    pub fn reaches_out(&self) -> bool {
        // Each kind by name, so that a new one is not forgotten here. Questions reach the client, which asked.
        let Self {
            directories: _,
            http,
            tcp,
            udp,
            resolve,
            env: _,
            secrets: _,
            state: _,
            elicit: _,
            sample: _,
            roots: _,
        } = self;
        // A name that is looked up is told to whoever answers for it.
        !(http.is_empty() && tcp.is_empty() && udp.is_empty() && resolve.is_empty())
    }

    /// Whether anything can be changed: a file, the store, or something at the other end of a request. By HTTP's own
    /// word GET and HEAD change nothing (RFC 9110, 9.2.1).
    #[must_use]
    pub fn can_change(&self) -> bool {
        let Self {
            directories,
            http,
            tcp,
            udp,
            resolve: _,
            env: _,
            secrets: _,
            state,
            elicit: _,
            sample: _,
            roots: _,
        } = self;
        state.is_some()
            || !tcp.is_empty()
            || !udp.is_empty()
            || directories.iter().any(|directory| directory.mode == DirectoryMode::ReadWrite)
            || http.iter().any(|http| http.methods.iter().any(|m| !matches!(m.as_str(), "GET" | "HEAD")))
    }
}
