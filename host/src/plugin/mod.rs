//! Bytes on disk become plugins ready to call: found, hashed, held against the lock, compiled or loaded
//! from the cache, read for what they offer, watched. Speaks no MCP and runs nothing itself.

mod cache;
mod compile;
mod definitions;
mod file;
mod library;
mod load;
mod section;
mod watch;

pub use cache::{Cache, CacheError};
pub use compile::{CompileError, Compiler, child_main};
pub use definitions::{Definitions, DefinitionsError};
pub use file::{FileError, MAX_COMPONENT, PluginFile};
pub use library::{Library, LibraryError, Standing, Status};
pub use load::{LoadError, Loader, Plugin};
pub use section::manifest;
