//! Components that do not speak the contract but export plain functions: each function is a tool. Finds the functions,
//! names them, and calls them with values made of JSON. Needs wasmtime's types of a component; must not run anything to
//! find out what there is.
//!
//! | file | its job |
//! |---|---|
//! | `shape.rs` | the types of values, out of wasmtime's |
//! | `schema.rs` | a type → JSON Schema |
//! | `value.rs` | JSON ⇄ a value of a type |
//! | `name.rs` | a tool's name of an export's |
//! | `docs.rs` | the component's `package-docs` section |
//! | `find.rs` | the functions of a component, and those that cannot be offered |
//! | `enter.rs` | one call |

mod docs;
mod enter;
mod find;
mod name;
mod schema;
mod shape;
mod value;

pub use docs::{DOCS_SECTION, Docs, DocsError, MAX_DOCS};
pub(super) use enter::call;
pub(super) use find::{Function, find, spoken_for};
