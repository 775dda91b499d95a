//! Where a plugin crate's component is, and how it is built: everything is asked of cargo.
//! Must not set anything of its own: compiler, target folder and flags are the author's, by the environment.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};

use serde::Deserialize;

/// What components are built for.
const TARGET: &str = "wasm32-wasip2";

/// A plugin's crate.
#[derive(Debug)]
pub(super) struct Crate {
    /// The package's name.
    pub(super) name: String,
    /// Where the component is once it is built.
    pub(super) component: PathBuf,
    manifest: PathBuf,
}

/// Why there is no component.
#[derive(Debug, thiserror::Error)]
pub(super) enum BuildError {
    /// No crate.
    #[error("{}: no Cargo.toml here; name the plugin's folder, or its component with --component FILE", .0.display())]
    NoCrate(PathBuf),
    /// No cargo.
    #[error("cannot start cargo: {0}; install Rust, or give a built component with --component FILE")]
    NoCargo(std::io::Error),
    /// Cargo said why.
    #[error("{}: cargo cannot read it ({status})", manifest.display())]
    Metadata {
        /// The crate's manifest.
        manifest: PathBuf,
        /// How cargo ended.
        status: ExitStatus,
    },
    /// Not what cargo prints.
    #[error("`cargo metadata` did not print what was expected: {0}")]
    Unexpected(String),
    /// A crate that makes no component.
    #[error("{}: makes no component; it needs `crate-type = [\"cdylib\"]` under [lib]", .0.display())]
    NoComponent(PathBuf),
    /// The compiler said why.
    #[error(
        "the build failed ({0}); when the target is missing, run `rustup target add {TARGET}` or name another compiler \
         with RUSTC"
    )]
    Build(ExitStatus),
}

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
    target_directory: PathBuf,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    manifest_path: PathBuf,
    targets: Vec<Target>,
}

#[derive(Deserialize)]
struct Target {
    name: String,
    crate_types: Vec<String>,
}

fn cargo() -> Command {
    Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

impl Crate {
    /// Asks cargo about the crate in this folder.
    pub(super) fn at(folder: &Path) -> Result<Self, BuildError> {
        let manifest =
            folder.join("Cargo.toml").canonicalize().map_err(|_| BuildError::NoCrate(folder.to_owned()))?;
        let output = cargo()
            .args(["metadata", "--no-deps", "--format-version=1", "--manifest-path"])
            .arg(&manifest)
            .stderr(Stdio::inherit())
            .output()
            .map_err(BuildError::NoCargo)?;
        if !output.status.success() {
            return Err(BuildError::Metadata { manifest, status: output.status });
        }
        let metadata: Metadata = serde_json::from_slice(&output.stdout)
            .map_err(|error| BuildError::Unexpected(error.to_string()))?;
        let package = metadata.packages.into_iter().find(|package| package.manifest_path == manifest);
        let Some(package) = package else {
            return Err(BuildError::NoComponent(manifest));
        };
        let library =
            package.targets.iter().find(|target| target.crate_types.iter().any(|kind| kind == "cdylib"));
        let Some(library) = library else {
            return Err(BuildError::NoComponent(manifest));
        };
        let file = format!("{}.wasm", library.name.replace('-', "_"));
        let component = metadata.target_directory.join(TARGET).join("release").join(file);
        Ok(Self { name: package.name, component, manifest })
    }

    /// Builds the component; the compiler's words go to standard error.
    pub(super) fn build(&self) -> Result<(), BuildError> {
        let status = cargo()
            .args(["build", "--release", "--target", TARGET, "--manifest-path"])
            .arg(&self.manifest)
            .stdout(Stdio::null())
            .status()
            .map_err(BuildError::NoCargo)?;
        if status.success() { Ok(()) } else { Err(BuildError::Build(status)) }
    }
}
