//! `filesystem` and `memory` hold nothing that they do not need. (Plugins with tests of their own show the same there.)

#![allow(clippy::unwrap_used, clippy::expect_used)]

use kennel_tests::grants::{each_is_needed, tool_text};
use kennel_tests::{Home, plugin_file, source_root};
use serde_json::{Value, json};

#[test]
fn filesystem_needs_its_directory() {
    let files = Home::new("grants-files");
    let folder = files.folder("docs");
    std::fs::write(folder.join("a.txt"), "one").unwrap();
    let grant = format!(
        "[[plugins.filesystem.directories]]\npath = {}\nas = \"/docs\"\nmode = \"read-write\"",
        Value::from(folder.to_str().unwrap())
    );
    each_is_needed("filesystem", "", &[("/docs/a.txt", &grant)], |client| {
        assert_eq!(tool_text(client, "read_text_file", &json!({ "path": "/docs/a.txt" }))?, "one");
        tool_text(client, "write_file", &json!({ "path": "/docs/b.txt", "content": "two" })).map(drop)
    });
    assert_eq!(std::fs::read_to_string(folder.join("b.txt")).unwrap(), "two");
}

#[test]
fn memory_needs_its_store() {
    let grant = "[plugins.memory.state]\nquota = \"1MiB\"";
    each_is_needed("memory", "", &[("state is not granted", grant)], |client| {
        let entities = json!({ "entities": [{ "name": "a", "entityType": "b", "observations": [] }] });
        tool_text(client, "create_entities", &entities).map(drop)
    });
}

/// Plugins that are fixtures of tests: what they ask for is what is tested with them.
const FIXTURES: [&str; 3] = ["asker", "chores", "trial"];

/// Each plugin that asks for a grant has a test that leaves each of them out.
#[test]
fn whatever_is_asked_for_is_left_out_by_a_test() {
    let home = Home::new("grants-all");
    let mut seen = 0;
    for entry in std::fs::read_dir(source_root().join("plugins")).unwrap() {
        let folder = entry.unwrap().path();
        let name = folder.file_name().unwrap().to_str().unwrap();
        if !folder.join("Cargo.toml").exists() || FIXTURES.contains(&name) {
            continue;
        }
        let shown = home.kennel(["inspect", plugin_file(name).to_str().unwrap(), "--format", "json"]);
        let asks = shown.success().json()["asks"].as_array().cloned().unwrap_or_default();
        // A setting is no grant.
        if asks.iter().all(|ask| ask.as_str().unwrap().starts_with("setting ")) {
            continue;
        }
        let tests = source_root().join("tests/tests");
        let snake = name.replace('-', "_");
        let files =
            [format!("plugin_{snake}.rs"), format!("web_plugins/{snake}.rs"), "plugin_grants.rs".into()];
        let text: String =
            files.iter().filter_map(|file| std::fs::read_to_string(tests.join(file)).ok()).collect();
        let functions = [
            "it_holds_nothing_that_it_does_not_need".to_owned(),
            "it_needs_what_it_asks_for".to_owned(),
            "it_needs_each_of_its_grants".to_owned(),
            "it_needs_its_grant".to_owned(),
            "it_needs_its_store".to_owned(),
            "each_grant_is_needed".to_owned(),
            "each_grant_is_needed_by_the_work".to_owned(),
            format!("{snake}_needs_its_directory"),
            format!("{snake}_needs_its_store"),
        ];
        let has = functions.iter().any(|function| text.contains(&format!("fn {function}() {{")));
        assert!(has, "no test leaves out what `{name}` asks for: {asks:?}");
        seen += 1;
    }
    assert!(seen > 20, "{seen}");
}
