//! `filesystem` and `memory` hold nothing that they do not need. (Plugins with tests of their own show the same there.)

#![allow(clippy::unwrap_used, clippy::expect_used)]

use kennel_tests::Home;
use kennel_tests::grants::{each_is_needed, tool_text};
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
