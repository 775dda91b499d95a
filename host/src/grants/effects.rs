//! What a plugin with these grants could do to the world at all, for the words that clients read about its tools;
//! and with all that it asks for, where a person may allow that in the middle of a call.

use super::{Asked, DirectoryMode, Grants};

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
            // A command gets no more than directories that are counted here.
            commands: _,
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
            commands: _,
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

impl Asked {
    /// Whether anything could leave the machine if a person allowed all of it.
    #[must_use]
    pub fn reaches_out(&self) -> bool {
        !(self.http.is_empty() && self.tcp.is_empty() && self.udp.is_empty() && self.resolve.is_empty())
    }

    /// Whether anything could be changed if a person allowed all of it.
    #[must_use]
    pub fn can_change(&self) -> bool {
        let methods = self.http.iter().flat_map(|http| &http.methods);
        self.state.is_some()
            || !self.tcp.is_empty()
            || !self.udp.is_empty()
            || self.directories.as_ref().is_some_and(|ask| ask.mode == DirectoryMode::ReadWrite)
            || methods.into_iter().any(|method| !matches!(method.as_str(), "GET" | "HEAD"))
    }
}
