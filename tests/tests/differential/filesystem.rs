//! `filesystem` beside npm's `@modelcontextprotocol/server-filesystem`.

use std::path::Path;
use std::process::Command;

use kennel_tests::Home;
use serde_json::Value;

use crate::server::{Server, directory, npm};

pub(crate) struct Filesystem;

impl Server for Filesystem {
    const NAME: &'static str = "filesystem";
    const TABLE: &'static str = include_str!("filesystem.json");

    fn reference(&self, _: &Home, root: &Path) -> Command {
        let mut command = npm("server-filesystem");
        command.arg(root);
        command
    }

    fn grants(&self, root: &Path, shown_as: &Path) -> String {
        directory(Self::NAME, root, shown_as, "read-write")
    }

    /// 1. The times of files: the calls are not at the same instant.
    /// 2. The order of a directory's entries where the reference gives the order of the file system.
    /// 3. The random part of a temporary file's name in an error.
    fn text(&self, tool: &str, text: &str) -> Value {
        match tool {
            "get_file_info" => text
                .lines()
                .map(|line| match line.split_once(": ") {
                    Some((key @ ("created" | "modified" | "accessed"), _)) => format!("{key}: (a time)"),
                    _ => line.to_owned(),
                })
                .collect::<Vec<_>>()
                .join("\n")
                .into(),
            "list_directory" | "search_files" => {
                let mut lines: Vec<&str> = text.lines().collect();
                lines.sort_unstable();
                lines.join("\n").into()
            }
            "directory_tree" => match serde_json::from_str(text) {
                Ok(tree) => sorted_tree(tree),
                Err(_) => text.into(),
            },
            _ => text.into(),
        }
    }

    fn error(&self, text: &str) -> String {
        without_random_names(text)
    }
}

/// `made.58cb…7b.tmp` becomes `made.(random).tmp`.
fn without_random_names(text: &str) -> String {
    let is_random = |part: &str| part.len() == 32 && part.bytes().all(|byte| byte.is_ascii_hexdigit());
    text.split('.').map(|part| if is_random(part) { "(random)" } else { part }).collect::<Vec<_>>().join(".")
}

/// Sorts the entries of a directory tree by name, at every level.
fn sorted_tree(tree: Value) -> Value {
    match tree {
        Value::Array(mut entries) => {
            entries.sort_by_key(|entry| entry["name"].as_str().unwrap_or("").to_owned());
            entries.into_iter().map(sorted_tree).collect()
        }
        Value::Object(fields) => fields
            .into_iter()
            .map(|(key, value)| (key, sorted_tree(value)))
            .collect::<serde_json::Map<_, _>>()
            .into(),
        other => other,
    }
}

#[test]
fn only_times_and_order_are_left_out() {
    let text = |tool: &str, text: &str| Filesystem.text(tool, text);
    assert_ne!(text("read_text_file", "a"), text("read_text_file", "b"));
    assert_ne!(text("list_directory", "[FILE] a\n[FILE] b"), text("list_directory", "[FILE] a"));
    assert_eq!(text("list_directory", "[FILE] a\n[DIR] b"), text("list_directory", "[DIR] b\n[FILE] a"));
    assert_ne!(text("get_file_info", "size: 1\ncreated: x"), text("get_file_info", "size: 2\ncreated: x"));
    assert_eq!(text("get_file_info", "size: 1\ncreated: x"), text("get_file_info", "size: 1\ncreated: y"));
}
