//! `notes` through the binary: a note is made, listed with its title and metadata, read, and attached to a prompt.
//! No test may look into its state.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use kennel_tests::{Client, Home};
use kennel_tests::{each_grant_is_needed, words};
use serde_json::{Value, json};

const FIRST: &str = "[plugins.notes]\nprefix = \"\"\n";
const STATE: &str = "[plugins.notes.state]\nquota = \"1MiB\"\n";

fn served() -> (Home, Client) {
    let home = Home::new("notes");
    home.plugin("notes").config(&format!("{FIRST}{STATE}")).approve();
    let client = home.serve();
    client.initialize();
    (home, client)
}

#[test]
fn a_note_is_listed_read_and_attached_with_its_metadata() {
    let (_home, client) = served();
    for (title, content) in [("Groceries", "Bones"), ("Walks", "Twice a day")] {
        let result = client.call("create_note", &json!({ "title": title, "content": content }));
        assert_ne!(result["isError"], true, "{result}");
        client.notification("notifications/resources/list_changed");
    }
    let list = client.request("resources/list", Value::Null).unwrap();
    let list = list["resources"].as_array().unwrap();
    let titles: Vec<_> = list.iter().map(|entry| (entry["uri"].clone(), entry["title"].clone())).collect();
    assert_eq!(titles, [(json!("note:///1"), json!("Groceries")), (json!("note:///2"), json!("Walks"))]);
    let created = &list[0]["_meta"]["created"];
    assert!(created.as_str().is_some_and(|time| time.ends_with('Z')), "{list:?}");
    assert_eq!(&list[0]["annotations"]["lastModified"], created);
    assert_eq!(list[0]["mimeType"], "text/plain");

    let read = client.request("resources/read", json!({ "uri": "note:///1" })).unwrap();
    let note = &read["contents"][0];
    assert_eq!(note["mimeType"], "text/plain");
    assert_eq!(note["_meta"], json!({ "title": "Groceries", "created": created }));
    assert_eq!(note["text"], format!("Title: Groceries\nCreated: {}\n\nBones", created.as_str().unwrap()));
    assert_eq!(list[0]["size"], note["text"].as_str().unwrap().len());

    let prompt = client.request("prompts/get", json!({ "name": "summarize_notes" })).unwrap();
    let messages = prompt["messages"].as_array().unwrap();
    assert_eq!(messages.len(), 3);
    let attached: Vec<_> =
        messages[1..].iter().map(|message| message["content"]["resource"]["uri"].clone()).collect();
    assert_eq!(attached, ["note:///1", "note:///2"]);
    assert_eq!(messages[1]["content"]["resource"], *note);
}

#[test]
fn what_is_no_note_is_refused() {
    let (_home, client) = served();
    // What is told when the plugins are loaded is no news of a note.
    client.request("resources/list", json!({})).unwrap();
    std::thread::sleep(std::time::Duration::from_millis(500));
    client.forget_notifications();
    assert!(
        client
            .refused("create_note", &json!({ "title": " ", "content": "x" }))
            .contains("the title is blank")
    );
    for uri in ["note:///1", "note:///x", "note:///"] {
        assert!(client.request("resources/read", json!({ "uri": uri })).is_err(), "{uri}");
    }
    assert!(
        client
            .notification_within(
                "notifications/resources/list_changed",
                std::time::Duration::from_millis(200)
            )
            .is_none()
    );
}

#[test]
fn it_holds_nothing_that_it_does_not_need() {
    each_grant_is_needed("notes", FIRST, &[("state", STATE.to_owned())], None, |client| {
        let result = client.call("create_note", &json!({ "title": "a", "content": "b" }));
        if result["isError"] == true { Err(words(&result)) } else { Ok(()) }
    });
}
