//! GitLab: projects by number or path, files, issues, merge requests.

use kennel_tests::web::{Answer, Asked, WebServer};
use kennel_tests::web_plugin::{KEY, WebPlugin, gives_up, told_json, works};
use serde_json::json;

const GITLAB: WebPlugin = WebPlugin {
    name: "gitlab",
    variable: "GITLAB_BASE_URL",
    methods: "[\"GET\", \"POST\", \"PUT\"]",
    secret: Some(("token", "as = \"bearer\"")),
    state: false,
    more: Vec::new(),
};

const FILE: &str = "/projects/ada%2Fengine/repository/files/docs%2Fa.md";

fn answer(asked: &Asked) -> Answer {
    if asked.header("authorization") != Some(&format!("Bearer {KEY}")) {
        return Answer::failure(401, &json!({ "message": "401 Unauthorized" }));
    }
    let echo = |shown: serde_json::Value| Answer::failure(201, &shown);
    match asked.line().as_str() {
        line if line == format!("GET {FILE}") => Answer::json(
            &json!({ "file_name": "a.md", "content": "aGVsbG8=", "ref": asked.query("ref"), "extra": 1 }),
        ),
        line if line == format!("PUT {FILE}") || line == format!("POST {FILE}new") => echo(
            json!({ "file_path": asked.method, "branch": asked.json()["branch"], "extra": asked.json() }),
        ),
        "GET /projects" => {
            Answer::json(&json!([{ "id": 1, "name": "engine", "extra": 1 }])).header("x-total", "41")
        }
        "POST /projects/7/issues" => {
            echo(json!({ "iid": 3, "title": asked.json()["title"], "labels": asked.json()["labels"] }))
        }
        "POST /projects/7/repository/commits" => {
            echo(json!({ "id": "c", "title": asked.json()["commit_message"] }))
        }
        "POST /projects/7/repository/branches" => {
            echo(json!({ "name": asked.json()["branch"], "commit": { "id": asked.json()["ref"], "x": 1 } }))
        }
        "POST /projects/7/fork" => {
            echo(json!({ "id": 8, "forked_from_project": { "name": "engine", "x": 1 } }))
        }
        "POST /projects/7/merge_requests" => {
            echo(json!({ "iid": 4, "source_branch": asked.json()["source_branch"] }))
        }
        _ => Answer::failure(404, &json!({ "message": "404 Not Found" })),
    }
}

#[test]
fn tools_ask_and_tell() {
    let server = WebServer::tls(answer);
    let (_home, client) = GITLAB.start(&server, "");
    for id in ["ada/engine", "ada%2Fengine"] {
        let file =
            told_json(&client, "get_file_contents", &json!({ "project_id": id, "file_path": "docs/a.md" }));
        assert_eq!(file, json!({ "file_name": "a.md", "content": "hello", "ref": "HEAD" }));
    }
    let write = |path: &str| json!({ "project_id": "ada/engine", "file_path": path, "content": "x", "commit_message": "m", "branch": "b" });
    // What is there is replaced, what is not is made.
    let there = told_json(&client, "create_or_update_file", &write("docs/a.md"));
    assert_eq!(there, json!({ "file_path": "PUT", "branch": "b" }));
    assert_eq!(server.last().json(), json!({ "content": "x", "commit_message": "m", "branch": "b" }));
    assert_eq!(told_json(&client, "create_or_update_file", &write("docs/a.mdnew"))["file_path"], "POST");

    let found = told_json(&client, "search_repositories", &json!({ "search": "engine" }));
    assert_eq!(found, json!({ "count": 41, "items": [{ "id": 1, "name": "engine" }] }));
    assert_eq!(server.last().query("per_page").as_deref(), Some("20"));
    let issue = json!({ "project_id": "7", "title": "t", "labels": ["a", "b"] });
    assert_eq!(
        told_json(&client, "create_issue", &issue),
        json!({ "iid": 3, "title": "t", "labels": "a,b" })
    );
    let files = json!({ "project_id": "7", "branch": "b", "commit_message": "m", "files": [{ "file_path": "x", "content": "1" }] });
    assert_eq!(told_json(&client, "push_files", &files), json!({ "id": "c", "title": "m" }));
    assert_eq!(
        server.last().json()["actions"],
        json!([{ "action": "create", "file_path": "x", "content": "1" }])
    );
    let branch = told_json(&client, "create_branch", &json!({ "project_id": "7", "branch": "n" }));
    assert_eq!(branch, json!({ "name": "n", "commit": { "id": "HEAD" } }));
    let fork = told_json(&client, "fork_repository", &json!({ "project_id": "7", "namespace": "me" }));
    assert_eq!(fork, json!({ "id": 8, "forked_from_project": { "name": "engine" } }));
    let merge =
        json!({ "project_id": "7", "title": "t", "source_branch": "s", "target_branch": "m", "draft": true });
    assert_eq!(told_json(&client, "create_merge_request", &merge), json!({ "iid": 4, "source_branch": "s" }));
}

#[test]
fn failures_are_told() {
    let server = WebServer::tls(answer);
    let search = json!({ "search": "engine" });
    GITLAB.tells_failures(&server, "GET /projects", "search_repositories", &search, "GitLab API error: ");
}

#[test]
fn it_needs_what_it_asks_for() {
    let server = WebServer::tls(answer);
    let search = json!({ "search": "engine" });
    GITLAB.needs_its_grants(&server, |client| {
        works(client, "search_repositories", &search)?;
        gives_up(&server, "GET /projects", client, "search_repositories", &search)
    });
}
