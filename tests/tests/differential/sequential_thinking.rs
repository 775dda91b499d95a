//! `sequential-thinking` beside npm's `@modelcontextprotocol/server-sequential-thinking`.

use std::path::Path;
use std::process::Command;

use kennel_tests::Home;

use crate::server::{Server, npm};

pub(crate) struct SequentialThinking;

impl Server for SequentialThinking {
    const NAME: &'static str = "sequential-thinking";
    const TABLE: &'static str = include_str!("sequential-thinking.json");

    fn reference(&self, _: &Home, _: &Path) -> Command {
        npm("server-sequential-thinking")
    }

    fn grants(&self, _: &Path, _: &Path) -> String {
        "[plugins.sequential-thinking.state]\nquota = \"2MiB\"\nscope = \"caller\"\n".to_owned()
    }
}
