//! What fuzzing found worth keeping, again: each input of `fuzz/corpus/` through the checks of its target. No fuzzer is
//! needed for that, so that it is held in every run of the tests.

#![allow(clippy::unwrap_used, clippy::expect_used, dead_code, unreachable_pub)]

#[path = "../stdio/catalog.rs"]
mod catalog;
#[path = "../../../fuzz/checks/component.rs"]
mod component;
#[path = "../../../fuzz/checks/configuration.rs"]
mod configuration;
#[path = "../../../fuzz/checks/egress.rs"]
mod egress;
#[path = "../../../fuzz/checks/front_door.rs"]
mod front_door;
#[path = "../../../fuzz/checks/manifest.rs"]
mod manifest;
#[path = "../../../fuzz/checks/message_path.rs"]
mod message_path;
#[path = "../../../fuzz/checks/templates.rs"]
mod templates;
use kennel_sdk::__private::template;

use std::panic::catch_unwind;
use std::path::Path;

/// Runs all inputs of one target and names those that fail.
fn replay(target: &str, check: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus").join(target);
    let (mut inputs, mut failed) = (0, Vec::new());
    for entry in std::fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        let bytes = std::fs::read(&path).unwrap();
        inputs += 1;
        if catch_unwind(|| check(&bytes)).is_err() {
            failed.push(path.file_name().unwrap().to_string_lossy().into_owned());
        }
    }
    // A corpus that is not there would pass as well.
    assert!(inputs >= 20, "{target}: only {inputs} inputs in its corpus");
    assert!(failed.is_empty(), "{target}: {failed:?}");
}

#[test]
fn the_front_door_holds() {
    replay("front_door", front_door::check);
}

#[test]
fn the_message_path_holds() {
    replay("message_path", message_path::check);
}

#[test]
fn the_configuration_holds() {
    replay("configuration", configuration::check);
}

#[test]
fn the_manifest_holds() {
    replay("manifest", manifest::check);
}

#[test]
fn the_component_holds() {
    replay("component", component::check);
}

#[test]
fn the_rules_of_egress_hold() {
    replay("egress", egress::check);
}

#[test]
fn the_templates_hold() {
    replay("templates", templates::check);
}

/// The checks are not empty: a conversation and a message in which something is lost would be noticed.
#[test]
fn each_input_is_really_looked_at() {
    let id = front_door::readable_id(br#"{"jsonrpc":"2.0","id":"a","method":"ping"}"#);
    assert_eq!(id, Some("a".into()));
    assert_eq!(front_door::readable_id(br#"{"id":1,"id":2,"method":"ping"}"#), None);
    let owed = message_path::owed(
        b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}\n{\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}",
    );
    assert_eq!(owed["1"], message_path::Owed { least: 2, most: 2 });
    assert_eq!(owed[""], message_path::Owed { least: 1, most: 1 });
    let said = message_path::converse(b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}\n");
    assert_eq!(said, b"{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}\n");
}
