//! Compiled code: made from WebAssembly in a process of its own, loaded from files that the caller has
//! authenticated, and read for what it imports and exports. Runs nothing.

use std::fs::File;
use std::os::fd::AsRawFd as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use futures::future::BoxFuture;
use wasmtime::component::Component;
use wasmtime::component::types::ComponentItem;

use crate::grants::Digest;

use super::command::is_run;
use super::contract::Tool;
use super::engine;
use super::functions::{self, Docs, Function, spoken_for};
use super::running::{Sandbox, StartError};

/// A component's machine code, ready to be given grants. Cheap to clone.
#[derive(Clone)]
pub struct Code {
    pub(super) component: Component,
}

/// Where a program's machine code comes from when its first call needs it.
pub trait CodeSource: Send + Sync + 'static {
    /// The code. Whoever asks while it is being made waits for the same; after a failure the next one tries again.
    /// The error is one line that says why there is none.
    fn code(self: Arc<Self>) -> BoxFuture<'static, Result<Arc<Code>, String>>;
}

/// Where the command components are found that a plugin may run.
pub trait CommandSource: Send + Sync + 'static {
    /// The command in this file, ready to be given code; `None` when there is no such file. The error is one line that says
    /// why it cannot be run.
    fn find(self: Arc<Self>, file: PathBuf) -> BoxFuture<'static, Result<Option<Found>, String>>;
}

/// A command component that was found.
pub struct Found {
    /// Of its bytes.
    pub digest: Digest,
    /// Its imports and exports.
    pub interface: Interface,
    /// Where its machine code comes from.
    pub code: Arc<dyn CodeSource>,
}

/// What a component needs and gives, by its own type.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Interface {
    /// Imported interfaces and functions.
    pub imports: Vec<String>,
    /// Exported interfaces and functions.
    pub exports: Vec<String>,
}

impl Interface {
    /// Whether it does not speak the contract but may export plain functions, which are its tools.
    #[must_use]
    pub fn is_plain(&self) -> bool {
        !self.speaks() && self.exports.iter().any(|name| !spoken_for(name))
    }

    /// Whether it exports anything of the contract.
    #[must_use]
    pub fn speaks(&self) -> bool {
        self.exports.iter().any(|name| name.starts_with("kennel:plugin/"))
    }

    /// Whether it is a command (`wasi:cli/command`), whatever else it is.
    #[must_use]
    pub fn is_command(&self) -> bool {
        self.exports.iter().any(|name| is_run(name))
    }
}

/// The tools that plain functions are.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Functions {
    /// In the order of the exports.
    pub tools: Vec<Tool>,
    /// Functions that cannot be tools, with the reason; one line each, safe to show.
    pub left_out: Vec<String>,
}

/// Why bytes are not code that can run here.
#[derive(Debug, thiserror::Error)]
pub enum CodeError {
    /// Not a component at all.
    #[error("{0}")]
    NotAComponent(String),
    /// The compiler refused it.
    #[error("it does not compile: {0}")]
    Compile(String),
    /// Code does not fit this engine, or needs more than an instance can have.
    #[error("its code does not fit this host: {0}")]
    Stored(String),
    /// Nothing can run here.
    #[error(transparent)]
    Start(#[from] StartError),
}

/// Compiles a component to machine code. For the compiling child process alone: the work and memory
/// that hostile bytes can cost here have no bound of their own.
///
/// # Errors
/// When the bytes are no valid component.
pub fn compile(wasm: &[u8]) -> Result<Vec<u8>, CodeError> {
    check_kind(wasm)?;
    let one_line = |error: wasmtime::Error| format!("{error:#}").replace('\n', " ");
    let engine = engine::on_demand().map_err(|error| CodeError::Compile(one_line(error)))?;
    engine.precompile_component(wasm).map_err(|error| CodeError::Compile(one_line(error)))
}

/// Tells a component from everything else by its first bytes, and names what it is instead.
///
/// # Errors
/// When it is not a binary component.
pub fn check_kind(bytes: &[u8]) -> Result<(), CodeError> {
    // The component model's binary format, "Component Definitions": magic, version 13, layer 1.
    const COMPONENT: [u8; 8] = [0, b'a', b's', b'm', 0x0d, 0, 1, 0];
    const MODULE: [u8; 8] = [0, b'a', b's', b'm', 1, 0, 0, 0];
    let is = |text: &str| Err(CodeError::NotAComponent(text.to_owned()));
    if bytes.starts_with(&COMPONENT) {
        Ok(())
    } else if bytes.starts_with(&MODULE) {
        is("it is a core WebAssembly module, not a component; build it for wasm32-wasip2")
    } else if bytes.starts_with(b"\x7fELF") {
        is("it is a native program or compiled code (ELF), not a WebAssembly component")
    } else if bytes.is_empty() {
        is("it is empty")
    } else if bytes.starts_with(b"\0asm") {
        is("it is WebAssembly of a version this Kennel does not know")
    } else {
        is("it is not a WebAssembly component")
    }
}

impl Sandbox {
    /// Loads compiled code.
    ///
    /// `file` must be what [`compile`] gave, unaltered: the caller has checked its authentication tag
    /// through this very handle, in a folder that only this user can write to.
    ///
    /// # Errors
    /// When it was made by other engine settings.
    pub fn load(self: &Arc<Self>, file: &AuthenticFile) -> Result<Code, CodeError> {
        // wasmtime maps a path; this one names the very file that is open, whatever its folder holds by
        // now. The map outlives the handle.
        let path = open_file(&file.0);
        let engine = &self.running()?.engine;
        // SAFETY: `Component::deserialize_file` needs the bytes to be wasmtime's own output and the file
        // to stay as it is. `AuthenticFile` can only be made by saying so; its one maker
        // (plugin/cache.rs) checks a keyed hash over all bytes of this handle, whose key only this user
        // can read, and files in the cache are written aside and renamed, never in place.
        #[allow(unsafe_code)]
        let component = unsafe { Component::deserialize_file(engine, path) };
        component
            .map(|component| Code { component })
            .map_err(|error| CodeError::Stored(format!("{error:#}").replace('\n', " ")))
    }
}

/// A path to a file that is open here.
fn open_file(file: &File) -> PathBuf {
    let folder = if cfg!(target_os = "linux") { "/proc/self/fd" } else { "/dev/fd" };
    Path::new(folder).join(file.as_raw_fd().to_string())
}

/// An open file of compiled code whose authentication tag fits.
pub struct AuthenticFile(File);

impl AuthenticFile {
    /// Says that the file's bytes were authenticated through this handle.
    #[must_use]
    pub fn vouch(file: File) -> Self {
        Self(file)
    }
}

impl Code {
    /// The plain functions it exports, as tools, in the words of `docs`. Runs nothing.
    #[must_use]
    pub fn functions(&self, docs: &Docs) -> Functions {
        let found = functions::find(&self.component, docs);
        Functions { tools: found.functions.iter().map(Function::tool).collect(), left_out: found.left_out }
    }

    /// What it imports and exports.
    #[must_use]
    pub fn interface(&self) -> Interface {
        let engine = self.component.engine();
        let ty = self.component.component_type();
        let names = |name: &str| name.to_owned();
        Interface {
            imports: ty.imports(engine).map(|(name, _)| names(name)).collect(),
            exports: ty
                .exports(engine)
                .filter(|(_, item)| {
                    matches!(item.ty, ComponentItem::ComponentInstance(_) | ComponentItem::ComponentFunc(_))
                })
                .map(|(name, _)| names(name))
                .collect(),
        }
    }
}
