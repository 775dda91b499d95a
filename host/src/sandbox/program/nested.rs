//! A command component that a plugin's call runs: in a sandbox of its own, with the plugin's limits and nothing but
//! directories that the plugin holds. It takes a place of the pool only if one is free, because the call that waits for it
//! has one already.

use std::sync::{Arc, Mutex};
use std::time::Instant;

use crate::grants::Grants;

use super::super::capability::wasi::{Base, Surroundings};
use super::super::capability::{Configure, ConfigureError, commands, host, http, secrets, sockets, state};
use super::super::code::Found;
use super::super::operation::Offers;
use super::super::turns::Turns;
use super::super::{CallContext, Ran, RunCommand};
use super::{Finished, Program, Revoked};

/// Why a command does not run now.
pub(in crate::sandbox) enum NotRun {
    /// No place of the pool is free.
    Full,
    /// It cannot at all.
    Cannot(String),
}

impl Program {
    /// A command made ready to run for calls of this program, with some of its directories. It counts what it adds to them as
    /// the program itself does.
    ///
    /// # Errors
    /// When a directory cannot be opened.
    pub(in crate::sandbox) fn command(
        &self,
        found: Found,
        grants: &Grants,
    ) -> Result<Arc<Self>, ConfigureError> {
        let configure = Configure {
            plugin: &self.host.plugin,
            grants,
            limits: &self.limits,
            egress: &self.egress,
            state_dir: None,
        };
        let secrets = Arc::new(secrets::Configured::configure(&configure)?);
        Ok(Arc::new(Self {
            sandbox: self.sandbox.clone(),
            source: found.code,
            linked: tokio::sync::OnceCell::new(),
            offers: Offers::of(&found.interface),
            host: Arc::new(host::Host { plugin: self.host.plugin.clone(), ..host::Host::default() }),
            base: Arc::new(Base::configure(grants, secrets.exposed(), Surroundings::Live)),
            files: self.files.widened(&configure)?,
            http: http::Configured::configure(&configure, &secrets)?,
            secrets,
            sockets: sockets::Configured::configure(&configure)?,
            state: state::Configured::configure(&configure)?,
            commands: commands::Configured::default(),
            limits: self.limits.clone(),
            owner: self.owner,
            turns: Turns::new(&self.limits, Instant::now()),
            health: Arc::default(),
            egress: self.egress.clone(),
            state_dir: self.state_dir.clone(),
            revoked: Revoked::default(),
            kept: Arc::default(),
            nested: true,
            wider: Mutex::default(),
        }))
    }

    /// Runs a command within a call that has its turn already. Dropping the future ends it.
    pub(in crate::sandbox) async fn run_command(
        self: &Arc<Self>,
        command: RunCommand,
        context: CallContext,
    ) -> Result<Finished<Ran>, NotRun> {
        let slot = self.sandbox.slots().try_acquire_owned().map_err(|_| NotRun::Full)?;
        let linked = self.linked().await.map_err(|error| NotRun::Cannot(error.to_string()))?.clone();
        Ok(self.go(linked, command, context, None, slot).await)
    }
}
