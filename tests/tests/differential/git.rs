//! `git` beside PyPI's `mcp-server-git`.

use std::path::Path;
use std::process::Command;

use kennel_tests::{Home, python};
use serde_json::Value;

use crate::server::{Server, directory};

/// When the commits of the calls are made.
const NOW: &str = "1750000000 +0000";

pub(crate) struct Git;

impl Server for Git {
    const NAME: &'static str = "git";
    const TABLE: &'static str = include_str!("git.json");

    fn reference(&self, home: &Home, root: &Path) -> Command {
        let mut command = Command::new(python());
        // Nothing of this machine's user: a sandbox sees neither their settings nor their zone.
        command
            .args(["-m", "mcp_server_git", "--repository"])
            .arg(root)
            .envs([("TZ", "UTC"), ("LC_ALL", "C.UTF-8"), ("GIT_CONFIG_GLOBAL", "/dev/null")])
            .envs([("GIT_CONFIG_NOSYSTEM", "1"), ("GIT_AUTHOR_DATE", NOW), ("GIT_COMMITTER_DATE", NOW)])
            .env("HOME", home.folder("user"));
        command
    }

    fn grants(&self, root: &Path, shown_as: &Path) -> String {
        let directory = directory(Self::NAME, root, shown_as, "read-write");
        format!("{directory}[plugins.git.env]\nGIT_AUTHOR_DATE = \"{NOW}\"\nGIT_COMMITTER_DATE = \"{NOW}\"\n")
    }

    /// The repositories that the script makes with the machine's `git`.
    fn lay_out(&self, root: &Path) {
        let made = Command::new("sh")
            .args(["-eu", "-c", include_str!("git.sh")])
            .current_dir(root)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .envs([("TZ", "UTC"), ("LC_ALL", "C.UTF-8"), ("GIT_CONFIG_GLOBAL", "/dev/null")])
            .envs([("GIT_CONFIG_NOSYSTEM", "1"), ("HOME", "/nonexistent")])
            .output()
            .expect("sh runs");
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    }

    /// The name of the temporary index that the reference lets `git read-tree` write, which is random.
    fn error(&self, text: &str) -> String {
        let words = text.split(' ').filter(|word| !word.starts_with("--index-output="));
        words.collect::<Vec<_>>().join(" ")
    }

    fn text(&self, _: &str, text: &str) -> Value {
        text.into()
    }
}
