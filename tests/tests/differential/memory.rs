//! `memory` beside npm's `@modelcontextprotocol/server-memory`.

use std::path::Path;
use std::process::Command;

use kennel_tests::Home;

use crate::server::{Server, npm};

pub(crate) struct Memory;

impl Server for Memory {
    const NAME: &'static str = "memory";
    const TABLE: &'static str = include_str!("memory.json");

    fn reference(&self, home: &Home, _: &Path) -> Command {
        let mut command = npm("server-memory");
        command.env("MEMORY_FILE_PATH", home.folder("reference-memory").join("memory.jsonl"));
        command
    }

    fn grants(&self, _: &Path, _: &Path) -> String {
        "[plugins.memory.state]\nquota = \"1MiB\"\n".to_owned()
    }
}
