//! A component's machine code behind its imports, and where its exports are. Runs nothing.

use std::sync::Arc;

use tokio::task::spawn_blocking;
use wasmtime::component::InstancePre;

use super::CallState;
use super::capability::ConfigureError;
use super::code::{Code, CodeSource};
use super::operation::Exports;
use super::running::{Running, Sandbox, StartError};

/// Why a component cannot run here.
#[derive(Debug, thiserror::Error)]
pub enum PrepareError {
    /// Nothing can run here.
    #[error(transparent)]
    Start(#[from] StartError),
    /// There is no machine code.
    #[error("{0}")]
    Code(String),
    /// It imports or exports something that does not fit.
    #[error("{0}")]
    Link(String),
    /// What was granted cannot be given.
    #[error(transparent)]
    Configure(#[from] ConfigureError),
}

/// A component ready to be instantiated.
pub(super) struct Linked {
    pub(super) running: Arc<Running>,
    pub(super) pre: InstancePre<CallState>,
    pub(super) exports: Exports,
}

impl Linked {
    /// Gets the code and links it. The work is done on other threads, because whoever asks is the protocol's; and it
    /// goes on when whoever asked first is gone, for those that ask next.
    ///
    /// # Errors
    /// When there is no code, an import is missing or an export does not fit.
    pub(super) async fn of(
        sandbox: &Arc<Sandbox>,
        source: &Arc<dyn CodeSource>,
    ) -> Result<Self, PrepareError> {
        let failed = |panic: tokio::task::JoinError| PrepareError::Code(panic.to_string());
        let running = {
            let sandbox = sandbox.clone();
            spawn_blocking(move || sandbox.running().cloned()).await.map_err(failed)??
        };
        let code = running.io.spawn(source.clone().code()).await.map_err(failed)?;
        let code = code.map_err(PrepareError::Code)?;
        Self::new(running, &code)
    }

    fn new(running: Arc<Running>, code: &Code) -> Result<Self, PrepareError> {
        let misfit = |error: wasmtime::Error| PrepareError::Link(format!("{error:#}").replace('\n', " "));
        let pre = running.linker.instantiate_pre(&code.component).map_err(misfit)?;
        let exports = Exports::find(&pre).map_err(misfit)?;
        Ok(Self { running, pre, exports })
    }
}
