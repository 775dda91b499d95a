//! The resources that one client, or one of its streams, wants to hear of. Each is subscribed to once and given up
//! when the client says so, or when this is dropped because the client is gone.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use tokio_util::sync::CancellationToken;

use super::changes::Subscriptions;
use crate::catalog::api::{Backend, CallFailure, CallInfo};

/// Most URIs one client or stream may subscribe to.
pub(super) const MAX_SUBSCRIPTIONS: usize = 1024;

/// What is subscribed to.
pub(super) struct Subscribed<B: Backend> {
    backend: B,
    uris: Subscriptions,
    /// Of the last request that subscribed; what says for whom it is.
    info: Mutex<Option<CallInfo>>,
}

impl<B: Backend> Subscribed<B> {
    pub(super) fn nothing(backend: &B) -> Self {
        Self { backend: backend.clone(), uris: Arc::new(Mutex::new(HashSet::new())), info: Mutex::default() }
    }

    /// The URIs, as they are now and will be.
    pub(super) fn uris(&self) -> Subscriptions {
        self.uris.clone()
    }

    /// Subscribes; twice is like once.
    ///
    /// # Errors
    /// When there are too many, nobody owns the resource, or its plugin fails.
    pub(super) async fn add(&self, uri: &str, info: CallInfo) -> Result<(), CallFailure> {
        {
            let uris = self.uris.lock().unwrap_or_else(PoisonError::into_inner);
            if uris.contains(uri) {
                return Ok(());
            }
            if uris.len() >= MAX_SUBSCRIPTIONS {
                return Err(CallFailure::InvalidArguments(format!(
                    "a client may subscribe to {MAX_SUBSCRIPTIONS} resources; unsubscribe from some first"
                )));
            }
        }
        self.backend.subscribe(uri, info.clone()).await?;
        let new = self.uris.lock().unwrap_or_else(PoisonError::into_inner).insert(uri.to_owned());
        *self.info.lock().unwrap_or_else(PoisonError::into_inner) = Some(info.clone());
        if !new {
            // Two requests at once; the catalog has counted both.
            give_up(self.backend.clone(), info, vec![uri.to_owned()]);
        }
        Ok(())
    }

    /// Unsubscribes; from what was not subscribed to, too.
    ///
    /// # Errors
    /// When the plugin fails.
    pub(super) async fn remove(&self, uri: &str, info: CallInfo) -> Result<(), CallFailure> {
        let was = self.uris.lock().unwrap_or_else(PoisonError::into_inner).remove(uri);
        if was { self.backend.unsubscribe(uri, info).await } else { Ok(()) }
    }
}

impl<B: Backend> Drop for Subscribed<B> {
    fn drop(&mut self) {
        let uris = std::mem::take(&mut *self.uris.lock().unwrap_or_else(PoisonError::into_inner));
        let info = self.info.get_mut().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(info) = info
            && !uris.is_empty()
        {
            give_up(self.backend.clone(), info, uris.into_iter().collect());
        }
    }
}

/// Unsubscribes in its own time, for a client that does not wait for it.
fn give_up<B: Backend>(backend: B, mut info: CallInfo, uris: Vec<String>) {
    // The request that subscribed is over.
    info.cancel = CancellationToken::new();
    if let Ok(runtime) = tokio::runtime::Handle::try_current() {
        runtime.spawn(async move {
            for uri in uris {
                if let Err(failure) = backend.unsubscribe(&uri, info.clone()).await {
                    tracing::debug!("unsubscribing from {uri:?}: {failure}");
                }
            }
        });
    }
}
