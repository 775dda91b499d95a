//! Bytes on disk become plugins ready to call: found, hashed, held against the lock, compiled or loaded
//! from the cache, read for what they offer, watched. Speaks no MCP and runs nothing itself.

mod cache;
mod command;
mod compile;
mod definitions;
mod file;
mod library;
mod load;
mod revoke;
mod section;
mod serving;
mod supply;
mod verdict;
mod watch;
mod widen;

pub use cache::{Cache, CacheError};
pub use compile::{CompileError, Compiler};
pub use definitions::{Definitions, DefinitionsError};
pub use file::{FileError, MAX_COMPONENT, PluginFile, component_files};
pub use library::{Library, LibraryError, Standing, Status};
pub use load::{LoadError, Loader, Plugin};
pub use section::{describe_component, manifest};
pub use serving::{Serves, serves};
pub use supply::SupplyError;

/// The hidden verb by which the binary is its own compiling child.
pub mod compile_verb {
    pub use super::compile::{VERB as NAME, child_main as run};
}
