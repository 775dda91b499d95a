//! `sqlite` beside PyPI's `mcp-server-sqlite`, each with a database of its own.

use std::path::Path;
use std::process::Command;

use kennel_tests::{Home, python_mcp1};
use serde_json::Value;

use crate::server::{Server, directory};

pub(crate) struct Sqlite;

impl Server for Sqlite {
    const NAME: &'static str = "sqlite";
    const TABLE: &'static str = include_str!("sqlite.json");

    fn reference(&self, _: &Home, root: &Path) -> Command {
        let mut command = Command::new(python_mcp1());
        command
            .args(["-c", "import mcp_server_sqlite as s; s.main()", "--db-path"])
            .arg(root.join("test.db"));
        command
    }

    fn settings(&self, shown_as: &Path) -> String {
        format!("settings = {{ db-path = {} }}\n", Value::from(shown_as.join("test.db").to_string_lossy()))
    }

    fn grants(&self, root: &Path, shown_as: &Path) -> String {
        let directory = directory(Self::NAME, root, shown_as, "read-write");
        format!("state = {{ quota = \"1MiB\" }}\n{directory}lock = \"sqlite\"\n")
    }
}
