//! A program like any other, built for WASI: what a person or a plugin runs as a command.

use std::process::Command;
use std::sync::OnceLock;

use tempfile::TempDir;

use crate::source_root;

/// A command component, `tests/tests/commands/words.rs`, built once. `cargo xtask test` says which compiler builds components, when it is not the active one.
pub fn command_component() -> &'static [u8] {
    static BUILT: OnceLock<Vec<u8>> = OnceLock::new();
    BUILT.get_or_init(|| {
        let out = TempDir::new().unwrap();
        let file = out.path().join("words.wasm");
        let rustc = std::env::var_os("KENNEL_TEST_RUSTC").unwrap_or_else(|| "rustc".into());
        let mut build = Command::new(rustc);
        build.args(["--edition", "2024", "--target", "wasm32-wasip2", "-O", "-o"]).arg(&file);
        build.arg(source_root().join("tests/tests/commands/words.rs"));
        let done = build.output().expect("the compiler starts");
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        std::fs::read(file).unwrap()
    })
}
