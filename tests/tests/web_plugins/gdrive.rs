//! Google Drive: searched by the tool, listed and read as resources. The login is the host's: it gets an access token
//! with the refresh token, here from the same server.

use kennel_tests::Client;
use kennel_tests::web::{Answer, Asked, WebServer};
use kennel_tests::web_plugin::{KEY, WebPlugin, gives_up, told, works};
use serde_json::{Value, json};

const ACCESS: &str = "access-token-of-the-tests";

fn gdrive(server: &WebServer) -> WebPlugin {
    let token = format!(
        "[[plugins.gdrive.secrets]]\nname = \"login\"\nfrom = \"env:KEY\"\nas = \"oauth-refresh\"\n\
         token-url = \"{url}/token\"\nclient-id = \"kennel\"\nfor = \"{url}\"\n",
        url = server.url()
    );
    WebPlugin {
        name: "gdrive",
        variable: "GDRIVE_BASE_URL",
        methods: "[\"GET\"]",
        secret: None,
        state: false,
        more: vec![("secrets", token)],
    }
}

fn answer(asked: &Asked) -> Answer {
    if asked.line() == "POST /token" {
        let body = String::from_utf8_lossy(&asked.body).into_owned();
        assert!(body.contains("grant_type=refresh_token") && body.contains(KEY), "{body}");
        return Answer::json(&json!({ "access_token": ACCESS, "token_type": "Bearer", "expires_in": 3600 }));
    }
    if asked.header("authorization") != Some(&format!("Bearer {ACCESS}")) {
        return Answer::failure(401, &json!({ "error": { "message": "Invalid Credentials" } }));
    }
    let file = |id: &str, name: &str, kind: &str| json!({ "id": id, "name": name, "mimeType": kind });
    let document = "application/vnd.google-apps.document";
    match (asked.path(), asked.query("alt"), asked.query("pageToken").as_deref()) {
        ("/files", ..) if asked.query("q").is_some() => Answer::json(
            &json!({ "files": [file("d1", "Plan", document), file("t1", "a.txt", "text/plain")] }),
        ),
        ("/files", _, None) => {
            Answer::json(&json!({ "files": [file("d1", "Plan", document)], "nextPageToken": "2" }))
        }
        ("/files", _, Some("2")) => Answer::json(&json!({ "files": [file("t1", "a.txt", "text/plain")] })),
        ("/files/d1", ..) => Answer::json(&json!({ "mimeType": document })),
        ("/files/d1/export", ..) => {
            Answer::status(200).body(format!("# {}", asked.query("mimeType").unwrap()))
        }
        ("/files/t1", None, _) => Answer::json(&json!({ "mimeType": "text/plain" })),
        ("/files/t1", Some(_), _) => Answer::status(200).body("hello"),
        ("/files/p1", None, _) => Answer::json(&json!({ "mimeType": "image/png" })),
        ("/files/p1", Some(_), _) => Answer::status(200).body([0x89, 0xff, 0]),
        _ => Answer::failure(404, &json!({ "error": { "message": "File not found" } })),
    }
}

fn read(client: &Client, id: &str) -> Value {
    let uri = format!("gdrive:///{id}");
    let read = client.request("resources/read", json!({ "uri": uri })).unwrap();
    assert_eq!(read["contents"][0]["uri"], uri);
    read["contents"][0].clone()
}

#[test]
fn files_are_found_listed_and_read() {
    let server = WebServer::tls(answer);
    let (_home, client) = gdrive(&server).start(&server, "");
    assert_eq!(
        told(&client, "search", &json!({ "query": "ada's \\ plan" })),
        "Found 2 files:\nPlan (application/vnd.google-apps.document)\na.txt (text/plain)"
    );
    let asked = server.last();
    assert_eq!(asked.query("q").as_deref(), Some("fullText contains 'ada\\'s \\\\ plan'"));
    assert_eq!(asked.query("pageSize").as_deref(), Some("10"));

    let listed = client.request("resources/list", json!({})).unwrap();
    let uris: Vec<_> =
        listed["resources"].as_array().unwrap().iter().map(|one| one["uri"].as_str().unwrap()).collect();
    assert_eq!(uris, ["gdrive:///d1", "gdrive:///t1"], "{listed}");
    let document = read(&client, "d1");
    assert_eq!(
        (&document["text"], &document["mimeType"]),
        (&json!("# text/markdown"), &json!("text/markdown"))
    );
    assert_eq!(read(&client, "t1")["text"], "hello");
    let picture = read(&client, "p1");
    assert_eq!((&picture["blob"], &picture["mimeType"]), (&json!("if8A"), &json!("image/png")));
    let error = client.request("resources/read", json!({ "uri": "gdrive:///none" })).unwrap_err();
    assert!(error["message"].as_str().unwrap().contains("404 File not found"), "{error}");
    assert!(!client.stderr().contains(KEY) && !client.stderr().contains(ACCESS));
}

#[test]
fn failures_are_told() {
    let server = WebServer::tls(answer);
    let query = json!({ "query": "x" });
    gdrive(&server).tells_failures(&server, "GET /files", "search", &query, "Google Drive error: ");
}

#[test]
fn it_needs_what_it_asks_for() {
    let server = WebServer::tls(answer);
    let query = json!({ "query": "x" });
    gdrive(&server).needs_its_grants(&server, |client| {
        works(client, "search", &query)?;
        gives_up(&server, "GET /files", client, "search", &query)
    });
}
