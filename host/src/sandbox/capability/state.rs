//! `kennel:plugin/state`: a small store of the plugin's own that outlives its calls, bounded by the grant.
//! Must not know who the caller is beyond an opaque id, nor tell a guest anything of the host's paths.

mod store;

use std::sync::Arc;

use sha2::{Digest, Sha256};
use wasmtime::component::{HasSelf, Linker};

use crate::grants::{Decision, Grants, Intent, Operation, Reason, Rule, StateScope, decide};
use crate::sandbox::bindings::kennel::plugin::state as wit;
use crate::sandbox::{CallState, Counters};

use super::{Configure, ConfigureError};

use store::{Scope, Store, StoreError};

/// Bytes of a key (`wit/state.wit`).
pub const MAX_KEY: usize = 512;
/// Bytes of a value (`wit/state.wit`).
pub const MAX_VALUE: usize = 1 << 20;
/// Keys of one list (`wit/state.wit`).
pub const MAX_LIST: u32 = 1000;
/// Fuel for one trip to the store, over the byte count: about what a small write costs in time.
const TRIP: u64 = 5_000;

/// Puts the interface behind its import.
///
/// # Errors
/// When it is linked already.
pub fn link(linker: &mut Linker<CallState>) -> wasmtime::Result<()> {
    wit::add_to_linker::<CallState, HasSelf<Call>>(linker, |state| &mut state.state)
}

/// A plugin's store, or none.
#[derive(Clone, Debug)]
pub struct Configured(Option<Granted>);

#[derive(Clone, Debug)]
struct Granted {
    store: Arc<Store>,
    scope: StateScope,
    /// The grant's text, for the audit.
    rule: Arc<str>,
}

impl Configured {
    /// The plugin's store, as granted. Nothing is opened before the first use.
    ///
    /// # Errors
    /// When the plugin's name cannot name a file.
    pub fn configure(from: &Configure<'_>) -> Result<Self, ConfigureError> {
        let held = decide(from.grants, &Operation::State { bytes: 0 }).is_allowed();
        let (true, Some(grant), Some(folder)) = (held, from.grants.state, from.state_dir) else {
            return Ok(Self(None));
        };
        let name = from.plugin;
        let safe = !name.is_empty()
            && name.len() <= 64
            && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
        if !safe {
            return Err(ConfigureError::StateName(name.to_owned()));
        }
        let rule = grant.to_string().into();
        // The store asks for each write; what is not about it need not be kept with it.
        let grants = Grants { state: Some(grant), ..Grants::default() };
        let store = Arc::new(Store::new(folder.join(format!("{name}.sqlite")), grants));
        Ok(Self(Some(Granted { store, scope: grant.scope, rule })))
    }

    /// The same store, or the one that is granted in addition.
    ///
    /// # Errors
    /// As [`Configured::configure`].
    pub fn widened(&self, from: &Configure<'_>) -> Result<Self, ConfigureError> {
        if self.0.is_some() { Ok(self.clone()) } else { Self::configure(from) }
    }

    /// The part of a call made for `caller` (its stable id; empty when unknown).
    #[must_use]
    pub fn begin(&self, caller: &str, counters: &Arc<Counters>) -> Call {
        let granted = self.0.as_ref().map(|granted| {
            let scope = match guarded!("state-scope", granted.scope, without StateScope::Plugin) {
                StateScope::Plugin => Scope::default(),
                // Hashed so that an id of any length or content is a key of one size, and so that the
                // file does not tell who used the plugin.
                StateScope::Caller => Scope::caller(
                    Sha256::new()
                        .chain_update(b"kennel state caller\0")
                        .chain_update(caller)
                        .finalize()
                        .into(),
                ),
            };
            (Arc::clone(&granted.store), scope, Arc::clone(&granted.rule))
        });
        Call { granted, counters: Arc::clone(counters) }
    }
}

/// A call's access to its store.
#[derive(Debug)]
pub struct Call {
    granted: Option<(Arc<Store>, Scope, Arc<str>)>,
    counters: Arc<Counters>,
}

impl Call {
    /// Runs `work` on a thread that may block, with as many threads as a plugin's store allows.
    async fn run<R: Send + 'static>(
        &self,
        bytes: usize,
        work: impl FnOnce(&Store, &Scope) -> Result<R, StoreError> + Send + 'static,
    ) -> Result<R, wit::StateError> {
        if let Some(recorder) = self.counters.recorder() {
            let decision = match &self.granted {
                Some(_) => Decision::Allowed(Rule::State),
                None => Decision::Denied(Reason::NoState),
            };
            recorder.decided(&Operation::State { bytes: 0 }, decision);
        }
        let Some((store, scope, rule)) = &self.granted else {
            self.counters.denied("state");
            self.counters.refused(Intent::State(0));
            return Err(wit::StateError::Denied);
        };
        self.counters.allowed(rule);
        self.counters.charge(TRIP + bytes as u64);
        let (store, scope) = (Arc::clone(store), *scope);
        let lane = store.lane().await;
        wasmtime_wasi::runtime::spawn_blocking(move || {
            let result = work(&store, &scope);
            drop(lane);
            result
        })
        .await
        .map_err(Into::into)
    }

    /// Tells whoever records how much the store holds after a change, or would have held.
    async fn record_use<R>(&self, changed: &Result<R, wit::StateError>) {
        let (Some(recorder), Some((store, ..))) = (self.counters.recorder(), &self.granted) else { return };
        if let Err(wit::StateError::Quota(quota)) = changed {
            let over = Operation::State { bytes: quota.saturating_add(1) };
            recorder.decided(&over, Decision::Denied(Reason::Quota(*quota)));
            return;
        }
        let store = Arc::clone(store);
        if let Ok(bytes) = wasmtime_wasi::runtime::spawn_blocking(move || store.used()).await {
            recorder.decided(&Operation::State { bytes }, Decision::Allowed(Rule::State));
        }
    }
}

impl Call {
    /// What is about to be done changes the store, if there is one.
    fn changes(&self) {
        if self.granted.is_some() {
            self.counters.effect();
        }
    }
}

impl From<StoreError> for wit::StateError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Quota(quota) => Self::Quota(quota),
            StoreError::Denied => Self::Denied,
            other => Self::Failed(other.to_string()),
        }
    }
}

fn check_key(key: &str) -> Result<(), wit::StateError> {
    match key.len() {
        0 => Err(wit::StateError::Invalid("the key is empty".into())),
        1..=MAX_KEY => Ok(()),
        long => {
            Err(wit::StateError::Invalid(format!("the key has {long} bytes; at most {MAX_KEY} are possible")))
        }
    }
}

fn check_value(value: &[u8]) -> Result<(), wit::StateError> {
    if guarded!("state-values", value.len() > MAX_VALUE) {
        return Err(wit::StateError::Invalid(format!(
            "the value has {} bytes; at most {MAX_VALUE} are possible",
            value.len()
        )));
    }
    Ok(())
}

type Answer<T> = wasmtime::Result<Result<T, wit::StateError>>;

impl wit::Host for Call {
    async fn get(&mut self, key: String) -> Answer<Option<Vec<u8>>> {
        if let Err(invalid) = check_key(&key) {
            return Ok(Err(invalid));
        }
        let found = self.run(key.len(), move |store, scope| store.get(scope, &key)).await;
        if let Ok(Some(value)) = &found {
            self.counters.charge(value.len() as u64);
        }
        Ok(found)
    }

    async fn set(&mut self, key: String, value: Vec<u8>) -> Answer<()> {
        if let Err(invalid) = check_key(&key).and_then(|()| check_value(&value)) {
            return Ok(Err(invalid));
        }
        self.changes();
        let set = self.run(key.len() + value.len(), move |store, scope| store.set(scope, &key, &value)).await;
        self.record_use(&set).await;
        Ok(set)
    }

    async fn delete(&mut self, key: String) -> Answer<bool> {
        if let Err(invalid) = check_key(&key) {
            return Ok(Err(invalid));
        }
        self.changes();
        Ok(self.run(key.len(), move |store, scope| store.delete(scope, &key)).await)
    }

    async fn list(&mut self, prefix: String, after: Option<String>, limit: u32) -> Answer<Vec<String>> {
        let bytes = prefix.len() + after.as_ref().map_or(0, String::len);
        let listed = self
            .run(bytes, move |store, scope| store.list(scope, &prefix, after.as_deref(), limit.min(MAX_LIST)))
            .await;
        if let Ok(keys) = &listed {
            self.counters.charge(keys.iter().map(|key| key.len() as u64).sum());
        }
        Ok(listed)
    }

    async fn compare_and_swap(
        &mut self,
        key: String,
        expected: Option<Vec<u8>>,
        new: Option<Vec<u8>>,
    ) -> Answer<bool> {
        let checked = check_key(&key).and_then(|()| check_value(new.as_deref().unwrap_or_default()));
        if let Err(invalid) = checked {
            return Ok(Err(invalid));
        }
        self.changes();
        let bytes = key.len() + expected.as_ref().map_or(0, Vec::len) + new.as_ref().map_or(0, Vec::len);
        let swapped = self
            .run(bytes, move |store, scope| {
                store.compare_and_swap(scope, &key, expected.as_deref(), new.as_deref())
            })
            .await;
        self.record_use(&swapped).await;
        Ok(swapped)
    }
}

#[cfg(test)]
mod tests;
