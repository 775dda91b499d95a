//! The workspace's folders, and how commands are run in it.
//! One place decides the environment of cargo's children, so that paths with spaces and other target folders work.
//! It must not know any task.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};

/// Where the sources and the build results are.
#[derive(Debug)]
pub(crate) struct Workspace {
    root: PathBuf,
    target: PathBuf,
}

impl Workspace {
    /// Finds the workspace that this `xtask` was built from.
    pub(crate) fn find() -> Result<Self> {
        let manifest = std::env::var_os("CARGO_MANIFEST_DIR").context("run this as `cargo xtask`")?;
        let root = Path::new(&manifest).parent().context("xtask/ does not lie in a workspace")?.to_path_buf();
        // This program lies in TARGET/PROFILE/xtask.
        let exe = std::env::current_exe().context("cannot find my own path")?;
        let target = exe.ancestors().nth(2).context("xtask does not lie in a target folder")?.to_path_buf();
        Ok(Self { root, target })
    }

    /// A path in the sources.
    pub(crate) fn path(&self, relative: &str) -> PathBuf {
        self.root.join(relative)
    }

    /// A path in the target folder.
    pub(crate) fn target(&self, relative: &str) -> PathBuf {
        self.target.join(relative)
    }

    /// Cargo, in the workspace's root, building into the workspace's target folder.
    pub(crate) fn cargo(&self, args: &[&str]) -> Command {
        let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        command.args(args).current_dir(&self.root).env("CARGO_TARGET_DIR", &self.target);
        clean_environment(&mut command);
        command
    }

    /// Builds the `kennel` binary and returns its path. With `--workspace`, its dependencies have the features that they
    /// have for the tests, so that one target folder holds one build of them.
    pub(crate) fn build_host(&self) -> Result<PathBuf> {
        say("building kennel");
        run(self.cargo(&["build", "--workspace", "--bin", "kennel"]))?;
        Ok(self.target("debug/kennel"))
    }
}

/// Removes what `cargo run` sets for its child and another cargo would take for its own.
pub(crate) fn clean_environment(command: &mut Command) {
    for (key, _) in std::env::vars_os() {
        let name = key.to_string_lossy();
        if name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_") {
            command.env_remove(&key);
        }
    }
}

/// Runs a command with our own input and output; an error names it.
pub(crate) fn run(mut command: Command) -> Result<()> {
    let what = describe(&command);
    let status = command.status().with_context(|| format!("cannot start `{what}`"))?;
    if !status.success() {
        bail!("`{what}` failed: {status}");
    }
    Ok(())
}

/// Runs a command and returns its standard output, trimmed; its errors go to ours.
pub(crate) fn output(mut command: Command) -> Result<String> {
    let what = describe(&command);
    let output =
        command.stderr(Stdio::inherit()).output().with_context(|| format!("cannot start `{what}`"))?;
    if !output.status.success() {
        bail!("`{what}` failed: {}", output.status);
    }
    let text = String::from_utf8(output.stdout).with_context(|| format!("`{what}` did not print text"))?;
    Ok(text.trim().to_owned())
}

/// Whether a command can be started and succeeds.
pub(crate) fn works(mut command: Command) -> bool {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// One line on standard error about what goes on, so that standard output stays the task's own.
pub(crate) fn say(what: &str) {
    eprintln!("xtask: {what}");
}

fn describe(command: &Command) -> String {
    let program =
        Path::new(command.get_program()).file_name().unwrap_or_default().to_string_lossy().into_owned();
    command.get_args().fold(program, |line, arg| format!("{line} {}", arg.to_string_lossy()))
}
