//! The plugin `github` through the binary, against a real HTTPS server on loopback that answers as GitHub does: what is
//! asked, what is told, and what is said when it fails. The token is the host's: the plugin never has it.

use std::time::Duration;

use kennel_tests::web::{Answer, Asked, WebServer};
use kennel_tests::{Client, Home, each_grant_is_needed, words};
use serde_json::{Value, json};

const TOKEN: &str = "github-token-of-tests";

/// A little GitHub: one repository `ada/engine`.
fn answer(asked: &Asked) -> Answer {
    if asked.header("authorization") != Some(&format!("Bearer {TOKEN}")) {
        return Answer::failure(401, &json!({ "message": "Bad credentials" }));
    }
    let commit =
        |sha: &str| json!({ "ref": "refs/heads/main", "object": { "sha": sha, "type": "commit" }, "x": 1 });
    let issue = |number: u64| json!({ "number": number, "title": format!("issue {number}"), "state": "open", "body": "b" });
    match asked.line().as_str() {
        "GET /repos/ada/engine" => {
            Answer::json(&json!({ "full_name": "ada/engine", "default_branch": "trunk" }))
        }
        "GET /repos/ada/engine/issues/7" => {
            if asked.header("if-none-match") == Some("\"seven\"") {
                return Answer::status(304);
            }
            Answer::json(&issue(7)).header("etag", "\"seven\"")
        }
        "GET /repos/ada/engine/issues" => {
            let page: u64 = asked.query("page").map_or(1, |page| page.parse().unwrap());
            let issues: Vec<_> = (0..2).map(|at| issue(page * 10 + at)).collect();
            let next = format!(
                "<https://{}/repos/ada/engine/issues?state={}&page={}>; rel=\"next\"",
                asked.header("host").unwrap(),
                asked.query("state").unwrap_or_default(),
                page + 1
            );
            let answer = Answer::json(&issues.into());
            if page < 3 { answer.header("link", &next) } else { answer }
        }
        "POST /repos/ada/engine/issues" | "PATCH /repos/ada/engine/issues/7" => {
            let mut issue = issue(8);
            issue["asked"] = asked.json();
            Answer::json(&issue)
        }
        "GET /repos/ada/engine/contents/docs/a%20b.md" => Answer::json(
            &json!({ "name": "a b.md", "sha": "old", "content": "aGVs\nbG8=\n", "encoding": "base64" }),
        ),
        "PUT /repos/ada/engine/contents/docs/a%20b.md" => Answer::json(
            &json!({ "content": { "sha": "new" }, "commit": { "sha": "c", "message": asked.json()["message"] } }),
        ),
        "GET /repos/ada/engine/git/refs/heads/trunk" | "GET /repos/ada/engine/git/refs/heads/feature/x" => {
            Answer::json(&commit("parent"))
        }
        "POST /repos/ada/engine/git/trees" => Answer::json(&json!({ "sha": "tree" })),
        "POST /repos/ada/engine/git/commits" => Answer::json(&json!({ "sha": "commit" })),
        "POST /repos/ada/engine/git/refs" | "PATCH /repos/ada/engine/git/refs/heads/trunk" => {
            Answer::json(&commit("commit"))
        }
        "GET /repos/ada/engine/pulls/3" => {
            let side = json!({ "sha": "headsha", "ref": "x", "extra": 1 });
            Answer::json(&json!({ "number": 3, "title": "t", "head": side, "base": side, "extra": 1 }))
        }
        "GET /repos/ada/engine/commits/headsha/status" => Answer::json(
            &json!({ "state": "success", "statuses": [], "sha": "headsha", "total_count": 0, "extra": 1 }),
        ),
        "PUT /repos/ada/engine/pulls/3/update-branch" => {
            Answer::failure(202, &json!({ "message": "Updating" }))
        }
        "GET /search/repositories" => Answer::json(
            &json!({ "total_count": 1, "incomplete_results": false, "items": [{ "id": 1, "x": 2 }] }),
        ),
        _ => Answer::failure(404, &json!({ "message": "Not Found" })),
    }
}

/// What a person writes for a server in the place of GitHub, grant by grant.
fn grants(server: &WebServer) -> Vec<(&'static str, String)> {
    let url = server.url();
    vec![
        ("env", format!("[plugins.github.env]\nGITHUB_BASE_URL = \"{url}\"\n")),
        (
            "http",
            format!(
                "[[plugins.github.http]]\nurl = \"{url}\"\nmethods = [\"GET\", \"POST\", \"PUT\", \"PATCH\"]\n"
            ),
        ),
        (
            "secrets",
            format!(
                "[[plugins.github.secrets]]\nname = \"token\"\nfrom = \"env:GITHUB_TOKEN\"\nas = \"bearer\"\nfor = \"{url}\"\n"
            ),
        ),
        ("state", "[plugins.github.state]\nquota = \"4MiB\"\n".to_owned()),
        ("settings", "[plugins.github.settings]\ntimeout = 2\n".to_owned()),
    ]
}

fn first(server: &WebServer) -> String {
    format!("{}[plugins.github]\nprefix = \"\"\n", server.trust())
}

fn start(name: &str, server: &WebServer) -> (Home, Client) {
    let home = Home::new(name).env("GITHUB_TOKEN", TOKEN);
    let grants: String = grants(server).into_iter().map(|(_, lines)| lines).collect();
    home.plugin("github").config(&(first(server) + &grants)).approve();
    let client = home.serve();
    client.initialize();
    (home, client)
}

#[track_caller]
fn call(client: &Client, tool: &str, arguments: &Value) -> String {
    let result = client.call(tool, arguments);
    assert_ne!(result["isError"], true, "{tool} {arguments}: {result}\n{}", client.stderr());
    words(&result)
}

#[track_caller]
fn told(client: &Client, tool: &str, arguments: &Value) -> Value {
    let text = call(client, tool, arguments);
    let value: Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
    assert_eq!(text, serde_json::to_string_pretty(&value).unwrap(), "written as the published server writes");
    value
}

#[track_caller]
fn fails(client: &Client, tool: &str, arguments: &Value) -> String {
    let result = client.call(tool, arguments);
    let said = words(&result);
    assert_eq!(result["isError"], true, "{tool} {arguments}: {said}");
    assert!(said.lines().count() == 1, "{said}");
    said
}

/// Arguments go where GitHub wants them, and the told answer has the published fields.
#[test]
fn tools_ask_and_tell() {
    let server = WebServer::tls(answer);
    let (_home, client) = start("github", &server);
    let here = |more: Value| {
        let mut all = json!({ "owner": "ada", "repo": "engine" });
        all.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        all
    };

    let made =
        told(&client, "create_issue", &here(json!({ "title": "t", "labels": ["bug"], "milestone": 2 })));
    assert_eq!(made["asked"], json!({ "title": "t", "labels": ["bug"], "milestone": 2 }));
    let changed = told(&client, "update_issue", &here(json!({ "issue_number": 7, "state": "closed" })));
    assert_eq!(changed["asked"], json!({ "state": "closed" }));
    told(&client, "list_issues", &here(json!({ "labels": ["a b", "c"], "per_page": 5 })));
    let asked = server.last();
    assert_eq!(asked.query("labels").as_deref(), Some("a b,c"));
    assert_eq!((asked.query("per_page").as_deref(), asked.query("page")), (Some("5"), None));

    let file = told(&client, "get_file_contents", &here(json!({ "path": "docs/a b.md", "branch": "trunk" })));
    assert_eq!(file, json!({ "name": "a b.md", "sha": "old", "content": "hello", "encoding": "base64" }));
    assert_eq!(server.last().query("ref").as_deref(), Some("trunk"));
    let write = json!({ "path": "docs/a b.md", "content": "bye", "message": "m", "branch": "trunk" });
    assert_eq!(told(&client, "create_or_update_file", &here(write))["commit"]["message"], "m");
    assert_eq!(
        server.last().json(),
        json!({ "content": "Ynll", "message": "m", "branch": "trunk", "sha": "old" })
    );

    told(&client, "create_branch", &here(json!({ "branch": "feature/y", "from_branch": "feature/x" })));
    assert_eq!(server.last().json(), json!({ "ref": "refs/heads/feature/y", "sha": "parent" }));
    // Without a branch to begin from it is the repository's own.
    told(&client, "create_branch", &here(json!({ "branch": "z" })));
    assert!(server.lines().contains(&"GET /repos/ada/engine/git/refs/heads/trunk".to_owned()));
    let files = json!([{ "path": "a", "content": "1" }, { "path": "b", "content": "2" }]);
    let pushed =
        told(&client, "push_files", &here(json!({ "branch": "trunk", "files": files, "message": "m" })));
    assert_eq!(pushed, json!({ "ref": "refs/heads/main", "object": { "sha": "commit", "type": "commit" } }));
    assert_eq!(server.last().json(), json!({ "sha": "commit" }));

    let pull = here(json!({ "pull_number": 3 }));
    let side = json!({ "ref": "x", "sha": "headsha" });
    assert_eq!(
        told(&client, "get_pull_request", &pull),
        json!({ "number": 3, "title": "t", "head": side, "base": side })
    );
    assert_eq!(told(&client, "get_pull_request_status", &pull)["state"], "success");
    assert_eq!(told(&client, "update_pull_request_branch", &pull), json!({ "success": true }));
    let found = told(&client, "search_repositories", &json!({ "query": "engine language:rust" }));
    assert_eq!(found, json!({ "total_count": 1, "incomplete_results": false, "items": [{ "id": 1 }] }));
    assert_eq!(server.last().query("q").as_deref(), Some("engine language:rust"));
    assert!(client.stderr().lines().all(|line| !line.contains(TOKEN)), "the token is in the log");
}

/// Pages are followed to their end; an answer that has not changed is not sent again.
#[test]
fn pages_are_followed_and_answers_kept() {
    let server = WebServer::tls(answer);
    let (_home, client) = start("github-pages", &server);
    let issues = told(&client, "get_issues", &json!({ "repo": "ada/engine" }));
    let numbers: Vec<_> =
        issues.as_array().unwrap().iter().map(|issue| issue["number"].as_u64().unwrap()).collect();
    assert_eq!(numbers, [10, 11, 20, 21, 30, 31]);
    assert!(server.asked().iter().all(|asked| asked.query("state").as_deref() == Some("open")));

    let issue = json!({ "owner": "ada", "repo": "engine", "issue_number": 7 });
    let one = call(&client, "get_issue", &issue);
    assert_eq!(server.last().header("if-none-match"), None);
    assert_eq!(call(&client, "get_issue", &issue), one);
    assert_eq!(server.last().header("if-none-match"), Some("\"seven\""));

    // A next page elsewhere is not asked, and the token does not go there.
    let away = Answer::json(&json!([])).header("link", "<https://localhost:1/x>; rel=next");
    server.once("GET /repos/ada/engine/issues", away);
    let said = fails(&client, "get_issues", &json!({ "repo": "ada/engine", "state": "all" }));
    assert!(said.contains("the next page is at another host"), "{said}");
}

/// Every failure of a service is told in words that say what to do, on one line.
#[test]
fn failures_are_told() {
    let (server, other) = (WebServer::tls(answer), WebServer::tls(answer));
    let (_home, client) = start("github-failures", &server);
    let issue = json!({ "owner": "ada", "repo": "engine", "issue_number": 7 });
    let message = |text: &str| json!({ "message": text, "documentation_url": "x" });
    let line = "GET /repos/ada/engine/issues/7";
    let slow = Answer::json(&json!({})).slow(Duration::from_secs(4));
    let cut = Answer::json(&json!({ "title": "a long answer that never ends" })).cut();
    let limited = Answer::failure(403, &message("secondary limit")).header("retry-after", "40");
    for (answer, says) in [
        (
            Answer::failure(401, &message("Bad credentials")),
            "Authentication Failed: Bad credentials; check the secret that kennel.toml gives this plugin for the service",
        ),
        (
            Answer::failure(403, &message("Resource not accessible")),
            "Permission Denied: Resource not accessible; give the credential the right to it, or use another",
        ),
        (
            Answer::failure(404, &message("Not Found")),
            "Not Found: Resource not found: Not Found; check the names, and that the credential may see it",
        ),
        (
            Answer::failure(
                422,
                &json!({ "message": "Validation Failed", "errors": [{ "field": "title" }] }),
            ),
            "Validation Error: Validation Failed; details: [{\"field\":\"title\"}]; change the arguments",
        ),
        (Answer::failure(500, &message("boom")), "GitHub API Error: boom; try again later"),
        (Answer::status(502).body("<html>"), "GitHub API Error: Bad Gateway; try again later"),
        (slow, "127.0.0.1:PORT took too long to answer; try again later"),
        (cut, "GitHub API Error: the request to 127.0.0.1:PORT failed: "),
        (Answer::json(&json!({})).body("{\"a\":"), "EOF while parsing"),
        // Said last: it is remembered.
        (limited, "Rate Limit Exceeded: secondary limit; try again in 40 s"),
    ] {
        server.once(line, answer);
        let said = fails(&client, "get_issue", &issue);
        let says = says.replace("PORT", &server.port().to_string());
        assert!(said.contains(&says), "{said:?} does not say {says:?}");
    }
    // While it lasts, nothing is asked.
    let before = server.asked().len();
    let said = fails(&client, "get_issue", &issue);
    assert!(said.contains("Rate Limit Exceeded") && server.asked().len() == before, "{said}");

    // A short wait is waited, once.
    let (_home, client) = start("github-waits", &server);
    server.once(line, Answer::failure(429, &message("slow down")).header("retry-after", "1"));
    assert_eq!(told(&client, "get_issue", &issue)["number"], 7);
    // What changes something is not sent twice.
    let post = "POST /repos/ada/engine/issues";
    server.once(post, Answer::failure(429, &message("slow down")).header("retry-after", "1"));
    let before = server.lines().iter().filter(|asked| *asked == post).count();
    let said = fails(&client, "create_issue", &json!({ "owner": "ada", "repo": "engine", "title": "t" }));
    assert!(said.contains("Rate Limit Exceeded: slow down; try again in 1 s"), "{said}");
    assert_eq!(server.lines().iter().filter(|asked| *asked == post).count(), before + 1);

    // A redirect to a host that was not granted.
    let (_home, client) = start("github-redirect", &server);
    server.once(line, Answer::redirect(&format!("{}/elsewhere", other.url())));
    let result = client.call("get_issue", &issue);
    let said = words(&result);
    assert_eq!(result["isError"], true, "{said}");
    assert!(said.contains(&format!("GET {}/elsewhere was not granted to `github`", other.url())), "{said}");
    assert!(other.asked().is_empty());
    // A path in the place of a name stays a name.
    let said = fails(&client, "get_issue", &json!({ "owner": "..", "repo": "engine", "issue_number": 7 }));
    assert!(said.contains("`owner` cannot be"), "{said}");
}

/// Without any one of its grants something fails.
#[test]
fn it_needs_what_it_asks_for() {
    let server = WebServer::tls(answer);
    each_grant_is_needed(
        "github",
        &first(&server),
        &grants(&server),
        Some(("GITHUB_TOKEN", TOKEN)),
        |client| {
            let issue = json!({ "owner": "ada", "repo": "engine", "issue_number": 7 });
            let fine = |tool: &str, arguments: &Value| match client.call(tool, arguments) {
                result if result["isError"] == true => Err(words(&result)),
                _ => Ok(()),
            };
            fine("get_issue", &issue)?;
            fine("update_issue", &issue)?;
            // What was kept is confirmed, so state was there.
            fine("get_issue", &issue)?;
            if server.last().header("if-none-match").is_none() {
                return Err("nothing was kept".into());
            }
            server.once(
                "GET /repos/ada/engine/issues/7",
                Answer::json(&json!({})).slow(Duration::from_secs(5)),
            );
            fine("get_issue", &issue)
                .is_err()
                .then_some(())
                .ok_or_else(|| "it waits longer than it was told".into())
        },
    );
}
