//! Resources: which function reads a URI, what it may return, what is listed.
//! Must not keep a list: the host asks again when the plugin says `list-changed`.

use std::fmt::Display;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::Serialize;

pub use crate::bindings::resources::exports::kennel::plugin::resources::{
    ReadOutcome as WitReadOutcome, ResourceCall, ResourceTemplate,
};
use crate::bindings::tools::kennel::plugin::types as wit;
use crate::template::{Template, Values};
use crate::{Error, Json, Outcome, Pretty, ResourceBody, ResourceContents, ResourceInfo, Result, panic};

/// A function under `#[resource]`. The macro implements it.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no resource",
    label = "no resource",
    note = "write `#[resource(\"scheme:///{{variable}}\")]` above the function `{Self}`"
)]
#[doc(hidden)]
pub trait Resource {
    /// Which URIs it reads.
    const TEMPLATE: Template;
    /// As listed, when it has variables.
    fn describe() -> Option<ResourceTemplate>;
    /// The resources there are now.
    fn list() -> Result<Vec<ResourceInfo>>;
    /// Reads one.
    fn read(call: ResourceCall, values: Values) -> Result<Outcome<Vec<ResourceContents>>>;
}

type Read = fn(ResourceCall, Values) -> Result<Outcome<Vec<ResourceContents>>>;

/// A row of a plugin's table of resources.
#[doc(hidden)]
#[derive(Debug, Clone, Copy)]
pub struct Entry {
    template: Template,
    describe: fn() -> Option<ResourceTemplate>,
    list: fn() -> Result<Vec<ResourceInfo>>,
    read: Read,
}

impl Entry {
    /// The row of a resource.
    #[must_use]
    pub const fn of<T: Resource>() -> Self {
        Self { template: T::TEMPLATE, describe: T::describe, list: T::list, read: T::read }
    }
}

/// The export `list-resources`.
#[doc(hidden)]
pub fn list_all(entries: &[Entry]) -> Result<Vec<ResourceInfo>, wit::Error> {
    panic::install();
    let mut all = Vec::new();
    for entry in entries {
        all.extend((entry.list)()?);
    }
    Ok(all)
}

/// The export `list-templates`.
#[doc(hidden)]
pub fn templates(entries: &[Entry]) -> Result<Vec<ResourceTemplate>, wit::Error> {
    panic::install();
    Ok(entries.iter().filter_map(|entry| (entry.describe)()).collect())
}

/// The row that a URI belongs to: the first that matches, so write the narrower before the wider.
fn find(entries: &[Entry], uri: &str) -> Result<(Read, Values)> {
    entries
        .iter()
        .find_map(|entry| entry.template.matches(uri).map(|values| (entry.read, values)))
        .ok_or_else(|| Error::unknown(format!("there is no resource `{uri}`")))
}

/// The export `read-resource`.
#[doc(hidden)]
pub fn read(entries: &[Entry], call: ResourceCall) -> Result<WitReadOutcome, wit::Error> {
    panic::install();
    let (read, values) = find(entries, &call.uri)?;
    Ok(match read(call, values)? {
        Outcome::Complete(contents) => WitReadOutcome::Complete(contents),
        Outcome::Ask(pending) => WitReadOutcome::InputRequired(pending.0),
    })
}

/// The exports `subscribe` and `unsubscribe`: whether the URI is one of the plugin's.
#[doc(hidden)]
pub fn subscribe(entries: &[Entry], uri: &str) -> Result<(), wit::Error> {
    panic::install();
    find(entries, uri)?;
    Ok(())
}

fn parsed<T: FromStr<Err: Display>>(value: &str, name: &str) -> Result<T> {
    // Such a URI fits the template, yet names nothing.
    value
        .parse()
        .map_err(|error| Error::unknown(format!("there is no such resource: `{name}` is `{value}`: {error}")))
}

/// The value of a variable that must be there.
#[doc(hidden)]
pub fn single<T: FromStr<Err: Display>>(values: &Values, name: &str) -> Result<T> {
    match values.get(name) {
        [value] => parsed(value, name),
        other => {
            Err(Error::invalid(format!("the variable `{name}` has {} values instead of one", other.len())))
        }
    }
}

/// The value of a variable that may be missing.
#[doc(hidden)]
pub fn optional<T: FromStr<Err: Display>>(values: &Values, name: &str) -> Result<Option<T>> {
    if values.get(name).is_empty() { Ok(None) } else { single(values, name).map(Some) }
}

/// The values of a list.
#[doc(hidden)]
pub fn list<T: FromStr<Err: Display>>(values: &Values, name: &str) -> Result<Vec<T>> {
    values.get(name).iter().map(|value| parsed(value, name)).collect()
}

/// What a function under `list = …` may return.
#[doc(hidden)]
#[diagnostic::on_unimplemented(
    message = "a list of resources cannot be `{Self}`",
    note = "return `Vec<ResourceInfo>` or `Result<Vec<ResourceInfo>>`"
)]
pub trait IntoListed {
    /// The list.
    fn into_listed(self) -> Result<Vec<ResourceInfo>>;
}

impl IntoListed for Vec<ResourceInfo> {
    fn into_listed(self) -> Result<Vec<ResourceInfo>> {
        Ok(self)
    }
}

impl<E: Into<Error>> IntoListed for Result<Vec<ResourceInfo>, E> {
    fn into_listed(self) -> Result<Vec<ResourceInfo>> {
        self.map_err(Into::into)
    }
}

/// Calls a function under `list = …`.
#[doc(hidden)]
pub fn listed(list: impl IntoListed) -> Result<Vec<ResourceInfo>> {
    list.into_listed()
}

/// What a resource may return: text, bytes, [`Json`], [`Pretty`], [`ResourceContents`] or several, an
/// `Option` of these (none: there is no such resource), an [`Outcome`] of these, and a `Result` of any.
/// The MIME type is the attribute's unless the contents have one of their own.
#[diagnostic::on_unimplemented(
    message = "a resource cannot return `{Self}`",
    label = "not a resource's contents",
    note = "return a `String`, `Vec<u8>`, `Json<T>`, `ResourceContents`, an `Option` or `Outcome` of one, or a `Result` of these"
)]
pub trait IntoReadOutcome {
    /// The outcome.
    ///
    /// # Errors
    /// The function's own; [`Error::Unknown`] for none; [`Error::Failed`] when it cannot be written as JSON.
    fn into_read_outcome(
        self,
        uri: &str,
        mime_type: Option<String>,
    ) -> Result<Outcome<Vec<ResourceContents>>>;
}

fn one(uri: &str, mime_type: Option<String>, body: ResourceBody) -> Result<Outcome<Vec<ResourceContents>>> {
    Ok(Outcome::Complete(vec![ResourceContents { uri: uri.to_owned(), mime_type, body, meta: None }]))
}

impl IntoReadOutcome for String {
    fn into_read_outcome(
        self,
        uri: &str,
        mime_type: Option<String>,
    ) -> Result<Outcome<Vec<ResourceContents>>> {
        one(uri, mime_type, ResourceBody::Text(self))
    }
}

impl IntoReadOutcome for &str {
    fn into_read_outcome(
        self,
        uri: &str,
        mime_type: Option<String>,
    ) -> Result<Outcome<Vec<ResourceContents>>> {
        self.to_owned().into_read_outcome(uri, mime_type)
    }
}

impl IntoReadOutcome for Vec<u8> {
    fn into_read_outcome(
        self,
        uri: &str,
        mime_type: Option<String>,
    ) -> Result<Outcome<Vec<ResourceContents>>> {
        one(uri, mime_type, ResourceBody::Blob(self))
    }
}

const JSON_MIME: &str = "application/json";

impl<T: Serialize + JsonSchema> IntoReadOutcome for Json<T> {
    fn into_read_outcome(
        self,
        uri: &str,
        mime_type: Option<String>,
    ) -> Result<Outcome<Vec<ResourceContents>>> {
        let text = serde_json::to_string(&self.0)?;
        one(uri, mime_type.or_else(|| Some(JSON_MIME.into())), ResourceBody::Text(text))
    }
}

impl<T: Serialize + JsonSchema> IntoReadOutcome for Pretty<T> {
    fn into_read_outcome(
        self,
        uri: &str,
        mime_type: Option<String>,
    ) -> Result<Outcome<Vec<ResourceContents>>> {
        let text = serde_json::to_string_pretty(&self.0)?;
        one(uri, mime_type.or_else(|| Some(JSON_MIME.into())), ResourceBody::Text(text))
    }
}

impl IntoReadOutcome for ResourceContents {
    fn into_read_outcome(
        self,
        uri: &str,
        mime_type: Option<String>,
    ) -> Result<Outcome<Vec<ResourceContents>>> {
        vec![self].into_read_outcome(uri, mime_type)
    }
}

impl IntoReadOutcome for Vec<ResourceContents> {
    fn into_read_outcome(
        mut self,
        _uri: &str,
        mime_type: Option<String>,
    ) -> Result<Outcome<Vec<ResourceContents>>> {
        for contents in &mut self {
            if contents.mime_type.is_none() {
                contents.mime_type.clone_from(&mime_type);
            }
        }
        Ok(Outcome::Complete(self))
    }
}

impl<T: IntoReadOutcome> IntoReadOutcome for Option<T> {
    fn into_read_outcome(
        self,
        uri: &str,
        mime_type: Option<String>,
    ) -> Result<Outcome<Vec<ResourceContents>>> {
        self.ok_or_else(|| Error::unknown(format!("there is no resource `{uri}`")))?
            .into_read_outcome(uri, mime_type)
    }
}

impl<T: IntoReadOutcome> IntoReadOutcome for Outcome<T> {
    fn into_read_outcome(
        self,
        uri: &str,
        mime_type: Option<String>,
    ) -> Result<Outcome<Vec<ResourceContents>>> {
        self.and_then(|contents| contents.into_read_outcome(uri, mime_type))
    }
}

impl<T: IntoReadOutcome, E: Into<Error>> IntoReadOutcome for Result<T, E> {
    fn into_read_outcome(
        self,
        uri: &str,
        mime_type: Option<String>,
    ) -> Result<Outcome<Vec<ResourceContents>>> {
        self.map_err(Into::into)?.into_read_outcome(uri, mime_type)
    }
}
