//! `task-manager` through the binary: tasks are made, moved on, reviewed and deleted, and clients hear of it.
//! No test may look into its state.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use kennel_tests::{Client, Home, each_grant_is_needed, words};
use serde_json::{Value, json};

const FIRST: &str = "[plugins.task-manager]\nprefix = \"\"\n";
const STATE: &str = "[plugins.task-manager.state]\nquota = \"1MiB\"\n";

fn served() -> (Home, Client) {
    let home = Home::new("tasks");
    home.plugin("task-manager").config(&format!("{FIRST}{STATE}")).approve();
    let client = home.serve();
    client.initialize();
    (home, client)
}

#[track_caller]
fn done(client: &Client, tool: &str, arguments: &Value) -> Value {
    let result = client.call(tool, arguments);
    assert_ne!(result["isError"], true, "{tool} {arguments}: {result}");
    result["structuredContent"].clone()
}

fn task(client: &Client, uri: &str) -> Value {
    let result = client.request("resources/read", json!({ "uri": uri })).unwrap();
    assert_eq!(result["contents"][0]["mimeType"], "application/json");
    serde_json::from_str(result["contents"][0]["text"].as_str().unwrap()).unwrap()
}

/// The ids of the tasks that a prompt attaches.
fn attached(client: &Client, prompt: &str, arguments: &Value) -> Vec<String> {
    let result = client.request("prompts/get", json!({ "name": prompt, "arguments": arguments })).unwrap();
    let messages = result["messages"].as_array().unwrap();
    assert_eq!(messages[0]["content"]["type"], "text");
    messages[1..]
        .iter()
        .map(|message| {
            let resource = &message["content"]["resource"];
            let task: Value = serde_json::from_str(resource["text"].as_str().unwrap()).unwrap();
            assert_eq!(resource["uri"], format!("task://{}", task["id"].as_str().unwrap()));
            task["id"].as_str().unwrap().to_owned()
        })
        .collect()
}

#[test]
fn a_task_goes_its_way() {
    let (home, client) = served();
    let made = done(&client, "create_task", &json!({ "title": "Walk", "description": "Twice a day" }));
    assert_eq!(made["status"], "pending");
    assert_eq!(made["createdAt"], made["updatedAt"]);
    client.notification("notifications/resources/list_changed");
    let id = made["id"].as_str().unwrap();
    let uri = format!("task://{id}");
    assert_eq!(task(&client, &uri), made);
    done(&client, "create_task", &json!({ "title": "Feed", "description": "" }));
    client.notification("notifications/resources/list_changed");
    done(&client, "create_task", &json!({ "title": "Brush", "description": "Gently" }));

    client.request("resources/subscribe", json!({ "uri": uri })).unwrap();
    let moved = done(&client, "update_task_status", &json!({ "id": id, "status": "in-progress" }));
    assert_eq!((&moved["status"], &moved["title"]), (&json!("in-progress"), &json!("Walk")));
    assert_eq!(client.notification("notifications/resources/updated")["params"]["uri"], uri.as_str());
    assert_eq!(task(&client, &uri)["status"], "in-progress");
    done(&client, "update_task_status", &json!({ "id": "2", "status": "completed" }));

    let list = client.request("resources/list", Value::Null).unwrap();
    let list: Vec<_> =
        list["resources"].as_array().unwrap().iter().map(|entry| entry["title"].clone()).collect();
    assert_eq!(list, ["Walk", "Feed", "Brush"]);

    assert_eq!(attached(&client, "weekly_review", &json!({})), ["1", "3"]);
    assert_eq!(attached(&client, "weekly_review", &json!({ "include_completed": "false" })), ["1", "3"]);
    assert_eq!(attached(&client, "weekly_review", &json!({ "include_completed": "true" })), ["1", "2", "3"]);
    assert_eq!(attached(&client, "task_prioritization", &json!({})), ["1", "3"]);
    let wrong = json!({ "name": "weekly_review", "arguments": { "include_completed": "perhaps" } });
    assert!(client.request("prompts/get", wrong).is_err());

    let ids = json!({
        "ref": { "type": "ref/resource", "uri": "task://{id}" }, "argument": { "name": "id", "value": "" },
    });
    assert_eq!(
        client.request("completion/complete", ids).unwrap()["completion"]["values"],
        json!(["1", "2", "3"])
    );

    done(&client, "delete_task", &json!({ "id": id }));
    client.notification("notifications/resources/list_changed");
    assert!(client.request("resources/read", json!({ "uri": uri })).is_err());
    // Kept beyond the server, and no number is given twice.
    drop(client);
    let client = home.serve();
    client.initialize();
    assert_eq!(task(&client, "task://2")["status"], "completed");
    assert_eq!(done(&client, "create_task", &json!({ "title": "Next", "description": "" }))["id"], "4");
}

#[test]
fn what_is_not_there_is_an_error_of_the_tool() {
    let (_home, client) = served();
    for id in ["1", "x", "", "01", "-1", "last-id"] {
        let refused = client.refused("update_task_status", &json!({ "id": id, "status": "completed" }));
        assert!(refused.contains(&format!("there is no task `{id}`")), "{refused}");
        let refused = client.refused("delete_task", &json!({ "id": id }));
        assert!(refused.contains(&format!("there is no task `{id}`")), "{refused}");
    }
    assert!(client.request("resources/read", json!({ "uri": "task://1" })).is_err());
    for arguments in
        [json!({ "title": " ", "description": "" }), json!({ "title": "", "description": "" }), json!({})]
    {
        assert_eq!(client.call("create_task", &arguments)["isError"], true);
    }
    let wrong = json!({ "id": "1", "status": "done" });
    assert!(words(&client.call("update_task_status", &wrong)).contains("status"));
    done(&client, "create_task", &json!({ "title": "One", "description": "" }));
    done(&client, "delete_task", &json!({ "id": "1" }));
    client.refused("delete_task", &json!({ "id": "1" }));
    let none = json!({ "name": "task_prioritization", "arguments": {} });
    let none = client.request("prompts/get", none).unwrap();
    assert_eq!(none["messages"].as_array().unwrap().len(), 1);
}

#[test]
fn it_holds_nothing_that_it_does_not_need() {
    each_grant_is_needed("task-manager", FIRST, &[("state", STATE.to_owned())], None, |client| {
        let result = client.call("create_task", &json!({ "title": "One", "description": "" }));
        if result["isError"] == true { Err(words(&result)) } else { Ok(()) }
    });
}
