//! A small store of the plugin's own that outlives its calls, when it is granted.
//! Values are JSON here; the functions with `bytes` in their names take them raw. Several calls and
//! several hosts may use the store at once, so change what is there with [`update`].
//! Must not cache: another call may have written meanwhile.

use std::fmt;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::bindings::tools::kennel::plugin::state as wit;
use crate::{Error, Result, ResultExt};

/// Why the store did not do it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum StateError {
    /// State was not granted.
    Denied,
    /// The write would pass the quota, in bytes.
    Quota(u64),
    /// A key is over 512 bytes or empty, or a value over 1 MiB.
    Invalid(String),
    /// The store itself failed.
    Failed(String),
}

impl fmt::Display for StateError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Denied => formatter.write_str("state is not granted to this plugin"),
            Self::Quota(bytes) => write!(formatter, "the store is full: the quota is {bytes} bytes"),
            Self::Invalid(why) => write!(formatter, "the store does not take this: {why}"),
            Self::Failed(why) => write!(formatter, "the store failed: {why}"),
        }
    }
}

impl std::error::Error for StateError {}

impl From<wit::StateError> for StateError {
    fn from(error: wit::StateError) -> Self {
        match error {
            wit::StateError::Denied => Self::Denied,
            wit::StateError::Quota(bytes) => Self::Quota(bytes),
            wit::StateError::Invalid(why) => Self::Invalid(why),
            wit::StateError::Failed(why) => Self::Failed(why),
        }
    }
}

/// The value under a key.
///
/// ```no_run
/// # use kennel_sdk::prelude::*;
/// # fn f() -> Result<()> {
/// let count: u64 = state::get("count")?.unwrap_or(0);
/// state::set("count", &(count + 1))?;
/// # Ok(()) }
/// ```
///
/// # Errors
/// A [`StateError`], or [`Error::Failed`] when what is there is not a `T`.
pub fn get<T: DeserializeOwned>(key: &str) -> Result<Option<T>> {
    get_bytes(key)?.map(|bytes| read(key, &bytes)).transpose()
}

/// Puts a value in the place of whatever was there.
///
/// # Errors
/// A [`StateError`], or [`Error::Failed`] when the value cannot be written as JSON.
pub fn set<T: Serialize + ?Sized>(key: &str, value: &T) -> Result<()> {
    Ok(set_bytes(key, &serde_json::to_vec(value)?)?)
}

/// Removes a key; says whether it was there.
///
/// # Errors
/// A [`StateError`].
pub fn delete(key: &str) -> Result<bool, StateError> {
    Ok(wit::delete(key)?)
}

/// Changes the value under a key: `change` gets what is there and gives what shall be there (none:
/// nothing). When another call wrote meanwhile, `change` runs again with the newer value, so it must
/// do nothing else. Gives back what is there now.
///
/// ```no_run
/// # use kennel_sdk::prelude::*;
/// # fn f() -> Result<()> {
/// let visits = state::update("visits", |old: Option<u64>| Ok(Some(old.unwrap_or(0) + 1)))?;
/// # Ok(()) }
/// ```
///
/// # Errors
/// A [`StateError`], `change`'s own, or [`Error::Failed`] when what is there is not a `T`.
pub fn update<T, F>(key: &str, mut change: F) -> Result<Option<T>>
where
    T: Serialize + DeserializeOwned,
    F: FnMut(Option<T>) -> Result<Option<T>>,
{
    // Each round that fails is another call's success, so there is no need to give up; the call's
    // own budget ends it.
    loop {
        let before = get_bytes(key)?;
        let old = before.as_deref().map(|bytes| read(key, bytes)).transpose()?;
        let new = change(old)?;
        let after = new.as_ref().map(serde_json::to_vec).transpose()?;
        if compare_and_swap_bytes(key, before.as_deref(), after.as_deref())? {
            return Ok(new);
        }
    }
}

/// The keys that begin with `prefix`, in byte order. Pages are fetched as the iterator goes.
pub fn list(prefix: &str) -> impl Iterator<Item = Result<String, StateError>> + use<> {
    Keys { prefix: prefix.to_owned(), page: Vec::new().into_iter(), last: None, done: false }
}

/// How many keys are fetched at once; the contract's most.
const PAGE: u32 = 1_000;

struct Keys {
    prefix: String,
    page: std::vec::IntoIter<String>,
    last: Option<String>,
    done: bool,
}

impl Iterator for Keys {
    type Item = Result<String, StateError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(key) = self.page.next() {
                return Some(Ok(key));
            }
            if self.done {
                return None;
            }
            match wit::list(&self.prefix, self.last.as_deref(), PAGE) {
                Ok(page) => {
                    self.done = u32::try_from(page.len()).is_ok_and(|length| length < PAGE);
                    self.last = page.last().cloned();
                    self.page = page.into_iter();
                }
                Err(error) => {
                    self.done = true;
                    return Some(Err(error.into()));
                }
            }
        }
    }
}

/// The bytes under a key.
///
/// # Errors
/// A [`StateError`].
pub fn get_bytes(key: &str) -> Result<Option<Vec<u8>>, StateError> {
    Ok(wit::get(key)?)
}

/// Puts bytes in the place of whatever was there.
///
/// # Errors
/// A [`StateError`].
pub fn set_bytes(key: &str, value: &[u8]) -> Result<(), StateError> {
    Ok(wit::set(key, value)?)
}

/// Sets (`new` is a value) or deletes (`new` is none) only if the present value is `expected`; says
/// whether it did.
///
/// # Errors
/// A [`StateError`].
pub fn compare_and_swap_bytes(
    key: &str,
    expected: Option<&[u8]>,
    new: Option<&[u8]>,
) -> Result<bool, StateError> {
    Ok(wit::compare_and_swap(key, expected, new)?)
}

fn read<T: DeserializeOwned>(key: &str, bytes: &[u8]) -> Result<T> {
    serde_json::from_slice(bytes).map_err(Error::from).context(format_args!("the state under `{key}`"))
}
