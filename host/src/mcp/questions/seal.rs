//! Everything a call needs to go on once its questions are answered, sealed into the text a client carries
//! (`requestState`): it can neither read nor change it, nor use it twice, for another call, for another caller or after
//! its time. The text holds all; the host keeps only which were used. Asks nobody and calls nothing.

use std::collections::BTreeMap;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chacha20poly1305::aead::{Aead as _, KeyInit as _, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Asked, Round};
use crate::catalog::types::{Asker, Leave, Spent};

/// Before every text, and authenticated with it: another form of state gets another mark.
const MARK: &str = "kennel1.";
/// Bytes of a sealed state before its encoding.
const MAX_STATE: usize = 2 << 20;
/// States remembered as used. When there are more, the oldest of them is forgotten together with the right to use any
/// that is as old or older, so that forgetting never lets one be used twice.
const MAX_USED: usize = 65_536;
const NONCE: usize = 24;

/// Why a state is not taken. Says what is wrong in general words; a client can only begin again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(in crate::mcp) enum StateFault {
    /// Also for every state of a process before this one.
    #[error("it was not given out by this server process, or was changed on its way")]
    Unknown,
    #[error("it has expired")]
    Expired,
    #[error("it was used before")]
    Used,
    #[error("it belongs to another method")]
    Method,
    #[error("it belongs to another tool, prompt or resource")]
    Name,
    #[error("it belongs to other arguments")]
    Arguments,
    #[error("it belongs to another caller")]
    Caller,
}

/// Why a state cannot be made.
#[derive(Debug, thiserror::Error)]
pub(in crate::mcp) enum SealFault {
    #[error("the system gives no random numbers: {0}")]
    Random(String),
    #[error("what the plugin keeps and was answered takes more than {} MiB", MAX_STATE >> 20)]
    TooLarge,
}

/// The call a state belongs to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::mcp) struct Binding {
    /// The protocol's method.
    pub(in crate::mcp) method: String,
    /// The public name or URI.
    pub(in crate::mcp) name: String,
    /// A digest of the arguments, see [`digest`].
    pub(in crate::mcp) arguments: String,
    /// Who calls.
    pub(in crate::mcp) caller: String,
}

/// The sealed text's contents.
#[derive(Serialize, Deserialize)]
struct Contents {
    /// Since the process's first moment, so that no clock can be set back.
    expires: Duration,
    call: Binding,
    plugin: String,
    digest: String,
    answer_within: Duration,
    spent: Spent,
    continuation: String,
    asked: Vec<(String, Asked)>,
    answers: BTreeMap<String, Value>,
    leave: Leave,
}

/// Seals and opens the states of one process.
pub(in crate::mcp) struct Seals {
    key: OnceLock<XChaCha20Poly1305>,
    start: Instant,
    states: Mutex<States>,
}

#[derive(Default)]
struct States {
    /// The next state's number, which is also its nonce: a key never sees one twice.
    next: u64,
    /// Those that were used and would not have expired yet, with the moment they do.
    used: BTreeMap<u64, Duration>,
    /// Below this number all count as expired.
    floor: u64,
}

impl Default for Seals {
    fn default() -> Self {
        Self { key: OnceLock::new(), start: Instant::now(), states: Mutex::default() }
    }
}

impl Seals {
    fn key(&self) -> Result<&XChaCha20Poly1305, SealFault> {
        if let Some(key) = self.key.get() {
            return Ok(key);
        }
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes).map_err(|error| SealFault::Random(error.to_string()))?;
        Ok(self.key.get_or_init(|| XChaCha20Poly1305::new(&bytes.into())))
    }

    /// A text for this round of this call. It expires when the time for an answer is over.
    ///
    /// # Errors
    /// See [`SealFault`].
    pub(in crate::mcp) fn seal(&self, call: Binding, round: &Round) -> Result<String, SealFault> {
        self.seal_at(self.start.elapsed(), call, round)
    }

    fn seal_at(&self, now: Duration, call: Binding, round: &Round) -> Result<String, SealFault> {
        let contents = Contents {
            expires: now.saturating_add(round.asker.answer_within),
            call,
            plugin: round.asker.plugin.clone(),
            digest: round.asker.digest.clone(),
            answer_within: round.asker.answer_within,
            spent: round.spent,
            continuation: URL_SAFE_NO_PAD.encode(&round.continuation),
            asked: round.asked.clone(),
            answers: round.answers.clone(),
            leave: round.leave.clone(),
        };
        let plain = serde_json::to_vec(&contents).map_err(|_| SealFault::TooLarge)?;
        if plain.len() > MAX_STATE {
            return Err(SealFault::TooLarge);
        }
        let number = {
            let mut states = self.states.lock().unwrap_or_else(PoisonError::into_inner);
            states.next += guarded!("nonce", 1, without 0);
            states.next
        };
        let mut text = nonce(number).to_vec();
        let payload = Payload { msg: &plain, aad: MARK.as_bytes() };
        let sealed = self.key()?.encrypt(XNonce::from_slice(&text), payload);
        text.extend(sealed.map_err(|_| SealFault::TooLarge)?);
        Ok(format!("{MARK}{}", URL_SAFE_NO_PAD.encode(text)))
    }

    /// Opens a text for this call, once.
    ///
    /// # Errors
    /// See [`StateFault`]. A state that is refused is not used up.
    pub(in crate::mcp) fn open(&self, text: &str, call: &Binding) -> Result<Round, StateFault> {
        self.open_at(self.start.elapsed(), text, call)
    }

    fn open_at(&self, now: Duration, text: &str, call: &Binding) -> Result<Round, StateFault> {
        // No text can be longer than its contents allow; a longer one is not worth decoding.
        if text.len() > MARK.len() + 2 * MAX_STATE {
            return Err(StateFault::Unknown);
        }
        let bytes = text.strip_prefix(MARK).and_then(|text| URL_SAFE_NO_PAD.decode(text).ok());
        let bytes = bytes.filter(|bytes| bytes.len() > NONCE).ok_or(StateFault::Unknown)?;
        let (nonce, sealed) = bytes.split_at(NONCE);
        let key = self.key.get().ok_or(StateFault::Unknown)?;
        let payload = Payload { msg: sealed, aad: MARK.as_bytes() };
        let plain = key.decrypt(XNonce::from_slice(nonce), payload).map_err(|_| StateFault::Unknown)?;
        let contents: Contents = serde_json::from_slice(&plain).map_err(|_| StateFault::Unknown)?;
        let continuation = URL_SAFE_NO_PAD.decode(&contents.continuation).map_err(|_| StateFault::Unknown)?;
        let made = &contents.call;
        for (same, fault) in [
            (guarded!("state-caller", made.caller == call.caller, without true), StateFault::Caller),
            (guarded!("state-method", made.method == call.method, without true), StateFault::Method),
            (guarded!("state-name", made.name == call.name, without true), StateFault::Name),
            (
                guarded!("state-arguments", made.arguments == call.arguments, without true),
                StateFault::Arguments,
            ),
            (guarded!("state-time", now < contents.expires, without true), StateFault::Expired),
        ] {
            if !same {
                return Err(fault);
            }
        }
        self.states.lock().unwrap_or_else(PoisonError::into_inner).take(
            number(nonce),
            now,
            contents.expires,
        )?;
        Ok(Round {
            asker: Asker {
                plugin: contents.plugin,
                digest: contents.digest,
                answer_within: contents.answer_within,
            },
            spent: contents.spent,
            continuation,
            asked: contents.asked,
            answers: contents.answers,
            leave: contents.leave,
        })
    }
}

impl States {
    fn take(&mut self, number: u64, now: Duration, expires: Duration) -> Result<(), StateFault> {
        if guarded!("state-forgotten", number < self.floor) {
            return Err(StateFault::Expired);
        }
        if guarded!("state-once", self.used.contains_key(&number)) {
            return Err(StateFault::Used);
        }
        self.used.insert(number, expires);
        if self.used.len() > MAX_USED {
            self.used.retain(|_, expires| now < *expires);
        }
        while self.used.len() > MAX_USED
            && let Some((oldest, _)) = self.used.pop_first()
        {
            self.floor = oldest + 1;
        }
        Ok(())
    }
}

fn nonce(number: u64) -> [u8; NONCE] {
    let mut nonce = [0; NONCE];
    nonce[..8].copy_from_slice(&number.to_le_bytes());
    nonce
}

/// The number of an authentic nonce.
fn number(nonce: &[u8]) -> u64 {
    let mut bytes = [0; 8];
    bytes.copy_from_slice(&nonce[..8]);
    u64::from_le_bytes(bytes)
}

/// A digest of arguments that does not depend on the order of an object's keys or on spaces, which a client may write
/// otherwise the second time.
pub(in crate::mcp) fn digest(arguments: &Value) -> String {
    let mut hasher = blake3::Hasher::new();
    feed(arguments, &mut hasher);
    hasher.finalize().to_hex().to_string()
}

/// Every value begins with its kind, and its length where it has one, so that no two run into each other.
fn feed(value: &Value, hasher: &mut blake3::Hasher) {
    let text = |kind: &[u8], text: &str, hasher: &mut blake3::Hasher| {
        hasher.update(kind).update(&(text.len() as u64).to_le_bytes()).update(text.as_bytes());
    };
    match value {
        Value::Null => {
            hasher.update(b"n");
        }
        Value::Bool(bool) => {
            hasher.update(if *bool { b"t" } else { b"f" });
        }
        Value::Number(number) => text(b"#", &number.to_string(), hasher),
        Value::String(string) => text(b"s", string, hasher),
        Value::Array(items) => {
            hasher.update(b"[").update(&(items.len() as u64).to_le_bytes());
            for item in items {
                feed(item, hasher);
            }
        }
        Value::Object(object) => {
            hasher.update(b"{").update(&(object.len() as u64).to_le_bytes());
            let mut entries: Vec<_> = object.iter().collect();
            entries.sort_by_key(|(key, _)| *key);
            for (key, value) in entries {
                text(b"k", key, hasher);
                feed(value, hasher);
            }
        }
    }
}

#[cfg(test)]
#[path = "seal_tests.rs"]
mod tests;
