//! `on-denied = "ask"`: what a plugin was denied becomes a question to the person, in both eras and over HTTP, and the same
//! call is made again with a yes; judged by what a server got and what is in a folder. Who may not be asked, what is not
//! for asking and what was done already is denied as ever.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::time::{Duration, Instant};

use kennel_tests::asker::{accept, modern, state};
use kennel_tests::web::{Answer, WebServer};
use kennel_tests::{Client, Home, HttpServer, Reply, modern_request, words};
use serde_json::{Value, json};

/// A server that answers every request with `reached`.
struct Server {
    web: WebServer,
    port: u16,
}

impl Server {
    fn start() -> Self {
        let web = WebServer::clear(|_| Answer::once_only("reached"));
        Self { port: web.port(), web }
    }

    /// The requests so far.
    fn got(&self) -> usize {
        self.web.asked().len()
    }

    fn request(&self, method: &str, path: &str) -> Value {
        json!({"method": method, "scheme": "http", "authority": self.web.authority(), "path": path})
    }
}

const OLDER: &str = "2025-11-25";

/// What a client declares that can ask its person.
fn can() -> Value {
    json!({"elicitation": {"form": {}}})
}

/// A home in which `attacker` asks for the server (by a variable) and holds nothing of it; `more` are lines of its table.
fn home(name: &str, server: &Server, more: &str) -> Home {
    let home = Home::new(name);
    home.hostile_as("attacker", "attacker").config(&config(server, "ask", more)).approve();
    home
}

fn config(server: &Server, on_denied: &str, more: &str) -> String {
    format!(
        "[plugins.attacker]\non-denied = \"{on_denied}\"\nenv = {{ TARGET = \"http://127.0.0.1:{}\" }}\n{more}\n",
        server.port
    )
}

/// A tool's call of the newer era, from a client that can ask its person.
fn call(client: &Client, tool: &str, arguments: &Value, more: &Value) -> Reply {
    modern(client, "tools/call", Client::call_params(tool, arguments), &can(), more)
}

fn web(client: &Client, request: &Value, more: &Value) -> Reply {
    call(client, "attacker__web", request, more)
}

/// The question's words.
#[track_caller]
fn question(reply: &Reply) -> String {
    let _ = state(reply);
    let asked = &reply.as_ref().unwrap()["inputRequests"]["kennel"]["params"];
    asked["message"].as_str().unwrap_or_else(|| panic!("no question: {reply:?}")).to_owned()
}

/// Comes again with an answer.
fn again(asked: &Reply, answer: &str) -> Value {
    json!({"inputResponses": {"kennel": accept(&json!({"answer": answer}))}, "requestState": state(asked)})
}

#[track_caller]
fn done(reply: &Reply) -> String {
    let result = reply.as_ref().unwrap();
    assert!(result["isError"] != true && result["resultType"] == "complete", "{result}");
    words(result)
}

#[track_caller]
fn denied(reply: &Reply) -> String {
    let result = reply.as_ref().unwrap();
    assert!(result["isError"] == true && result["resultType"] == "complete", "{result}");
    words(result)
}

/// The changes of grants that persons made by their answers, as the audit tells them.
fn answers(home: &Home) -> String {
    let lines = home.audit();
    let changes = lines.iter().filter(|line| line["kind"] == "grants" && line["by"] != "host");
    let told = changes.map(|line| {
        let more = line["now"].as_array().unwrap().len() - line["before"].as_array().unwrap().len();
        format!(
            "{} {} {} +{more}",
            line["plugin"].as_str().unwrap(),
            line["what"].as_str().unwrap(),
            line["by"].as_str().unwrap()
        )
    });
    told.filter(|line| !line.contains(" approved ")).collect::<Vec<_>>().join("\n")
}

fn ended(client: &Client) {
    client.end_input();
    client.exit(Duration::from_secs(60)).expect("it goes");
}

#[test]
fn once_is_for_this_call_and_a_session_for_all_of_it() {
    let server = Server::start();
    let home = home("asking-modern", &server, "");
    let client = home.serve();
    let get = server.request("GET", "/a");

    let first = web(&client, &get, &json!({}));
    assert_eq!(
        question(&first).replace(&server.port.to_string(), "PORT"),
        "Kennel asks: may the plugin `attacker` have this? GET requests to http://127.0.0.1:PORT, which is not on the \
         public network"
    );
    let asked = &first.as_ref().unwrap()["inputRequests"]["kennel"]["params"];
    assert_eq!(asked["requestedSchema"]["properties"]["answer"]["enum"], json!(["once", "session", "no"]));
    assert_eq!(asked["_meta"]["io.kennel/grant"], "attacker");
    assert_eq!(server.got(), 0, "nothing was sent before a person said yes");

    // Once: for this call, and asked again for the next.
    assert_eq!(done(&web(&client, &get, &again(&first, "once"))), "200 reached");
    assert_eq!(server.got(), 1);
    // A state is good for one answer.
    assert!(web(&client, &get, &again(&first, "once")).is_err());
    let second = web(&client, &get, &json!({}));
    question(&second);
    assert_eq!(server.got(), 1);

    // For the session: this host, any path, and asked no more.
    assert_eq!(done(&web(&client, &get, &again(&second, "session"))), "200 reached");
    assert_eq!(done(&web(&client, &server.request("GET", "/b/c"), &json!({}))), "200 reached");
    assert_eq!(server.got(), 3);
    // Of two calls that wait for the same word, the second needs none.
    let [one, two] = [
        web(&client, &server.request("POST", "/1"), &json!({})),
        web(&client, &server.request("POST", "/2"), &json!({})),
    ];
    assert_eq!(done(&web(&client, &server.request("POST", "/1"), &again(&one, "session"))), "200 reached");
    assert_eq!(done(&web(&client, &server.request("POST", "/2"), &again(&two, "session"))), "200 reached");
    assert_eq!(server.got(), 5);
    ended(&client);
    let client = home.serve();
    // Another method is another question.
    let asked = web(&client, &get, &json!({}));
    assert_eq!(done(&web(&client, &get, &again(&asked, "session"))), "200 reached");
    let post = web(&client, &server.request("POST", "/a"), &json!({}));
    assert!(question(&post).contains("POST requests to http://127.0.0.1"), "{post:?}");
    assert_eq!(server.got(), 6);
    // Another client behind the same pipe is another session.
    let mut other = Client::call_params("attacker__web", &get);
    other["_meta"] = json!({
        "io.modelcontextprotocol/clientCapabilities": can(),
        "io.modelcontextprotocol/clientInfo": {"name": "another", "version": "0"},
    });
    question(&client.modern("tools/call", other));
    ended(&client);

    // Another session knows nothing of it.
    let client = home.serve();
    question(&web(&client, &get, &json!({})));
    ended(&client);
    insta::assert_snapshot!(answers(&home), @r"
    attacker allowed once local:kennel-tests +1
    attacker allowed for the session local:kennel-tests +1
    attacker allowed for the session local:kennel-tests +1
    attacker allowed for the session local:kennel-tests +1
    ");
    let calls = home.audit();
    let ran: Vec<_> =
        calls.iter().filter(|line| line["kind"] == "call" && !line["allowed"].is_null()).collect();
    assert_eq!(ran.len(), 6, "{calls:?}");
    assert!(ran.iter().all(|line| line["allowed"].to_string().contains("HTTP ")), "{ran:?}");
}

#[test]
fn a_no_is_remembered_and_tells_the_model_nothing() {
    let server = Server::start();
    let home = home("asking-no", &server, "");
    let client = home.serve();
    let get = server.request("GET", "/a");
    let first = web(&client, &get, &json!({}));
    let no = again(&first, "no");
    let said = denied(&web(&client, &get, &no));
    // What it reads is what it would read had nobody been asked.
    for word in ["session", "once", "elicit", "on-denied", "may-approve", "kennel allow"] {
        assert!(!said.contains(word), "{said}");
    }
    assert_eq!(denied(&web(&client, &get, &json!({}))), said);
    assert_eq!(server.got(), 0);
    // Neither do the tools offer a way.
    let tools = client.modern("tools/list", json!({})).unwrap();
    let tools: Vec<_> =
        tools["tools"].as_array().unwrap().iter().map(|tool| tool["name"].as_str().unwrap()).collect();
    assert!(tools.iter().all(|name| name.starts_with("attacker__")), "{tools:?}");

    // Put aside: denied now, and asked again at the next call.
    let post = server.request("POST", "/a");
    let first = web(&client, &post, &json!({}));
    let aside = json!({"inputResponses": {"kennel": {"action": "cancel"}}, "requestState": state(&first)});
    denied(&web(&client, &post, &aside));
    question(&web(&client, &post, &json!({})));
    assert_eq!(server.got(), 0);
    ended(&client);
    insta::assert_snapshot!(answers(&home), @"attacker refused when asked local:kennel-tests +0");
}

/// Answers are taken for questions that were shown, and by nobody else's word.
#[test]
fn an_answer_that_was_not_asked_for_allows_nothing() {
    let server = Server::start();
    let home = home("asking-foreseen", &server, "");
    let client = home.serve();
    let get = server.request("GET", "/a");
    let foreseen = json!({"inputResponses": {"kennel": accept(&json!({"answer": "session"}))}});
    question(&web(&client, &get, &foreseen));
    // Nor is an answer to one call good for another, or one with words of its own.
    let asked = web(&client, &get, &json!({}));
    assert!(web(&client, &server.request("GET", "/b"), &again(&asked, "session")).is_err());
    question(&web(&client, &get, &again(&asked, "always")));
    assert_eq!(server.got(), 0);
}

#[test]
fn older_clients_are_asked_by_the_server() {
    let server = Server::start();
    let home = home("asking-older", &server, "limits = { answer-within = \"2s\", concurrency = 1 }");
    let client = home.serve();
    client.initialize_with(OLDER, &can());
    let begin = |request: &Value| client.send("tools/call", Client::call_params("attacker__web", request));
    let answer = |content: &Value| {
        let asked = client.server_request("elicitation/create");
        client.respond(&asked["id"], content);
        asked["params"]["message"].as_str().unwrap().to_owned()
    };
    let get = server.request("GET", "/a");

    let id = begin(&get);
    assert!(
        answer(&accept(&json!({"answer": "once"}))).starts_with("Kennel asks: may the plugin `attacker`")
    );
    assert_eq!(words(&client.wait(id).unwrap()), "200 reached");

    // While nobody answers, the plugin's only turn is free.
    let id = begin(&get);
    let asked = client.server_request("elicitation/create");
    assert_eq!(words(&client.call("attacker__remember", &json!({"text": "x"}))), "[]");
    client.respond(&asked["id"], &accept(&json!({"answer": "session"})));
    assert_eq!(words(&client.wait(id).unwrap()), "200 reached");
    assert_eq!(words(&client.call("attacker__web", &get)), "200 reached");
    assert_eq!(server.got(), 3);

    // Nobody answers at all: denied, without being run again, and not asked again.
    let post = server.request("POST", "/a");
    let id = begin(&post);
    let asked = client.server_request("elicitation/create")["id"].clone();
    let said = client.wait(id).unwrap();
    assert_eq!(said["isError"], true, "{said}");
    assert_eq!(client.notification("notifications/cancelled")["params"]["requestId"], asked);
    assert_eq!(client.call("attacker__web", &post), said);
    assert_eq!(server.got(), 3);
    ended(&client);
    insta::assert_snapshot!(answers(&home), @r"
    attacker allowed once local:kennel-tests +1
    attacker allowed for the session local:kennel-tests +1
    attacker refused when asked local:kennel-tests +0
    ");
    // Each entry into the plugin leaves its line: 2 + 2 + 1 for the requests that were allowed, one for `remember`, one for
    // the request nobody answered about, one for the last.
    let calls = home.audit().iter().filter(|line| line["kind"] == "call").count();
    assert_eq!(calls, 8);
}

#[test]
fn what_had_an_effect_is_not_run_twice_and_is_asked_about_next_time() {
    let server = Server::start();
    let more = |home: &Home| {
        let folder = home.folder("data");
        format!(
            "state = {{ quota = \"1MiB\" }}\ndirectories = [{{ path = {folder:?}, as = \"/data\", mode = \"read-write\" }}]"
        )
    };
    let home = Home::new("asking-effects");
    let granted = format!(
        "{}[[plugins.attacker.http]]\nurl = \"http://127.0.0.1:{}\"\nmethods = [\"GET\"]\n",
        config(&server, "ask", &more(&home)),
        server.port
    );
    home.hostile_as("attacker", "attacker").config(&granted).approve();
    let client = home.serve();
    let mixed = |arguments: &Value, more: &Value| call(&client, "attacker__mixed", arguments, more);
    let count = home.folder("data").join("count");
    let appended = || std::fs::read(&count).map_or(0, |bytes| bytes.len());
    let post = server.request("POST", "/a");

    // It wrote: its answer stays, and the question comes before the next call runs.
    let writes = json!({"append": "/data/count", "requests": [post]});
    denied(&mixed(&writes, &json!({})));
    assert_eq!((appended(), server.got()), (1, 0));
    let asked = mixed(&writes, &json!({}));
    assert!(question(&asked).contains("POST requests"), "{asked:?}");
    assert_eq!((appended(), server.got()), (1, 0), "asked before it runs");
    assert_eq!(done(&mixed(&writes, &again(&asked, "once"))), "appended\n200 reached");
    assert_eq!((appended(), server.got()), (2, 1));

    // Nor what changed its store; and with a no it runs once, as it may.
    let counts = json!({"count": true, "requests": [post]});
    assert!(denied(&mixed(&counts, &json!({}))).contains("counted 1\n"));
    let asked = mixed(&counts, &json!({}));
    question(&asked);
    assert!(denied(&mixed(&counts, &again(&asked, "no"))).contains("counted 2\n"));
    assert_eq!(server.got(), 1);
    ended(&client);

    // A request that only reads is no effect: the call is made again. One that may change something is.
    let client = home.serve();
    let mixed = |arguments: &Value, more: &Value| call(&client, "attacker__mixed", arguments, more);
    let reads = json!({"requests": [server.request("GET", "/a"), post]});
    let asked = mixed(&reads, &json!({}));
    question(&asked);
    assert_eq!(server.got(), 2);
    assert_eq!(done(&mixed(&reads, &again(&asked, "once"))), "200 reached\n200 reached");
    assert_eq!(server.got(), 4);
}

#[test]
fn a_folder_that_may_only_be_read() {
    let server = Server::start();
    let home = Home::new("asking-folder");
    let folder = home.folder("data");
    let more = format!("directories = [{{ path = {folder:?}, as = \"/data\" }}]");
    home.hostile_as("attacker", "attacker").config(&config(&server, "ask", &more)).approve();
    let client = home.serve();
    let write = |name: &str| json!({"path": format!("/data/{name}"), "text": "hello"});
    let ordinary = |name: &str, more: &Value| call(&client, "attacker__ordinary", &write(name), more);
    let first = ordinary("a", &json!({}));
    assert_eq!(
        question(&first),
        "Kennel asks: may the plugin `attacker` have this? to write in the folder /data, which it may only read so far"
    );
    assert!(!folder.join("a").exists());
    assert_eq!(done(&ordinary("a", &again(&first, "session"))), "written");
    assert_eq!(done(&ordinary("b", &json!({}))), "written");
    assert_eq!(std::fs::read_to_string(folder.join("b")).unwrap(), "hello");
}

/// What clients read about a tool is true of what it may come to do in the middle of a call.
#[test]
fn what_may_be_allowed_during_a_call_is_in_the_hints() {
    let server = Server::start();
    let home = home("asking-hints", &server, "");
    let hints = || {
        let tools = home.serve().modern("tools/list", json!({})).unwrap();
        let lamb =
            tools["tools"].as_array().unwrap().iter().find(|tool| tool["name"] == "attacker__lamb").unwrap();
        lamb["annotations"].clone()
    };
    let asked = hints();
    assert_eq!((&asked["readOnlyHint"], &asked["openWorldHint"]), (&json!(false), &json!(true)), "{asked}");
    home.config(&config(&server, "deny", ""));
    let never = hints();
    assert_eq!((&never["readOnlyHint"], &never["openWorldHint"]), (&json!(true), &json!(false)), "{never}");
}

/// The end of a session's grants: with the configuration, with the approval, with the bytes; also for calls that run.
#[test]
fn what_was_allowed_ends_with_what_it_was_allowed_to() {
    let server = Server::start();
    let home = home("asking-ends", &server, "");
    let client = home.serve();
    let get = server.request("GET", "/a");
    let allow = || {
        let asked = web(&client, &get, &json!({}));
        assert_eq!(done(&web(&client, &get, &again(&asked, "session"))), "200 reached");
        assert_eq!(done(&web(&client, &get, &json!({}))), "200 reached");
    };
    let until = |what: &str, holds: &dyn Fn(&Reply) -> bool| {
        let began = Instant::now();
        loop {
            let got = web(&client, &get, &json!({}));
            if holds(&got) {
                return;
            }
            assert!(began.elapsed() < Duration::from_secs(60), "{what}: {got:?}");
            std::thread::sleep(Duration::from_millis(50));
        }
    };
    let is_denied = |reply: &Reply| reply.as_ref().is_ok_and(|result| result["isError"] == true);
    let is_asked =
        |reply: &Reply| reply.as_ref().is_ok_and(|result| result["resultType"] == "input_required");
    allow();
    home.config(&config(&server, "deny", ""));
    until("nobody is asked any more", &is_denied);
    home.config(&config(&server, "ask", ""));
    until("what was allowed before is forgotten", &is_asked);
    allow();
    home.config(&config(&server, "ask", "limits = { http-requests = 7 }"));
    until("another configuration", &is_asked);
    allow();
    home.kennel(["approve", "--revoke", "attacker"]).success();
    until("no approval, no question", &is_denied);
}

/// A server that takes requests and does not answer while the test lasts.
fn silent() -> (Server, std::sync::mpsc::Receiver<()>) {
    let (tell, told) = std::sync::mpsc::channel();
    let web = WebServer::clear(move |_| {
        let _ = tell.send(());
        Answer::once_only("too late").slow(Duration::from_secs(600))
    });
    (Server { port: web.port(), web }, told)
}

#[test]
fn a_call_under_an_answer_ends_when_nobody_is_to_be_asked() {
    let (server, told) = silent();
    let more = "limits = { deadline = \"40s\" }";
    let home = home("asking-flight", &server, more);
    let client = home.serve();
    let get = server.request("GET", "/");
    let asked = web(&client, &get, &json!({}));
    let ended = std::thread::scope(|scope| {
        let call = scope.spawn(|| web(&client, &get, &again(&asked, "once")));
        told.recv_timeout(Duration::from_secs(60)).expect("the request is sent");
        home.config(&config(&server, "deny", more));
        call.join().unwrap()
    });
    let said = denied(&ended);
    assert!(said.contains("what was allowed on being asked"), "{said}");
}

#[test]
fn who_cannot_or_may_not_be_asked_is_denied() {
    let server = Server::start();
    let get = server.request("GET", "/a");
    let plain = |client: &Client, can: &Value| {
        denied(&modern(client, "tools/call", Client::call_params("attacker__web", &get), can, &json!({})))
    };
    // Nothing is asked unless it is written, whatever else is.
    let home = Home::new("asking-denied");
    for text in [
        config(&server, "deny", ""),
        config(&server, "ask", "").replace("on-denied = \"ask\"", ""),
        format!("on-denied = \"ask\"\n{}", config(&server, "deny", "")),
    ] {
        home.hostile_as("attacker", "attacker").config(&text).approve();
        plain(&home.serve(), &can());
    }
    // The whole file's word holds where the plugin has none.
    let whole = config(&server, "ask", "").replace("on-denied = \"ask\"\n", "");
    home.config(&format!("on-denied = \"ask\"\n{whole}"));
    question(&web(&home.serve(), &get, &json!({})));

    home.config(&config(&server, "ask", ""));
    let client = home.serve();
    // Nobody there to be asked: a client that shows no forms, and the command line.
    plain(&client, &json!({}));
    plain(&client, &json!({"elicitation": {"url": {}}}));
    let said = home.kennel(["call", "attacker", "web", &get.to_string()]);
    said.failure();
    // Not asked for: another host, another scheme, another method.
    let other = Server::start();
    for request in [
        other.request("GET", "/a"),
        json!({"method": "GET", "scheme": "https", "authority": format!("127.0.0.1:{}", server.port), "path": "/"}),
        server.request("DELETE", "/a"),
        json!({"method": "GET", "scheme": "http", "authority": format!("localhost:{}", server.port), "path": "/"}),
    ] {
        denied(&web(&client, &request, &json!({})));
    }
    assert_eq!((server.got(), other.got()), (0, 0));
    ended(&client);

    // Nobody approved these bytes: nothing of theirs is asked about.
    let home = Home::new("asking-unapproved");
    home.hostile_as("attacker", "attacker").config(&config(&server, "ask", ""));
    let public = json!({"method": "GET", "scheme": "http", "authority": "good.test", "path": "/"});
    denied(&web(&home.serve(), &public, &json!({})));
    home.approve();
    question(&web(&home.serve(), &public, &json!({})));
}

/// Over HTTP a token must say so; what one caller was allowed is not another's.
#[test]
fn over_http_only_a_token_that_may_approve_is_asked() {
    use std::os::unix::fs::PermissionsExt as _;
    let server = Server::start();
    let home = home("asking-http", &server, "");
    let [plain, approver, other] = ["p", "a", "o"].map(|letter| letter.repeat(40));
    let file = home.folder("secrets").join("tokens");
    std::fs::write(&file, format!("{plain}\n{approver} may-approve\n{other}\tmay-approve\n")).unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    let http = home.serve_http(&["--token-file", file.to_str().unwrap()]);
    let get = server.request("GET", "/a");
    let ask = |http: &HttpServer, token: &str, more: &Value| -> Value {
        let mut params = Client::call_params("attacker__web", &get);
        params["_meta"] = json!({"io.modelcontextprotocol/clientCapabilities": can()});
        for (key, value) in more.as_object().unwrap() {
            params[key] = value.clone();
        }
        let request = modern_request(&json!(1), "tools/call", params);
        let request = if token.is_empty() {
            request
        } else {
            request.header("Authorization", &format!("Bearer {token}"))
        };
        http.send(&request).answer()
    };
    let result = |answer: Value| -> Reply { Ok(answer["result"].clone()) };
    denied(&result(ask(&http, &plain, &json!({}))));
    let asked = result(ask(&http, &approver, &json!({})));
    question(&asked);
    // Whoever else has the state is not taken for the one who was asked.
    assert!(ask(&http, &other, &again(&asked, "session"))["error"].is_object());
    assert!(ask(&http, &plain, &again(&asked, "session"))["error"].is_object());
    assert_eq!(server.got(), 0);
    assert_eq!(done(&result(ask(&http, &approver, &again(&asked, "session")))), "200 reached");
    assert_eq!(done(&result(ask(&http, &approver, &json!({})))), "200 reached");
    assert_eq!(server.got(), 2);
    question(&result(ask(&http, &other, &json!({}))));
    denied(&result(ask(&http, &plain, &json!({}))));

    // Older clients: of the same tokens, each session by itself.
    for (token, asked) in [(&approver, true), (&plain, false)] {
        let session = http.session_of(&can(), &[("Authorization", &format!("Bearer {token}"))]);
        let mut stream = http.send(&session.message(&json!({
            "jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": Client::call_params("attacker__web", &get),
        })));
        let before = server.got();
        if !asked {
            assert_eq!(stream.answer()["result"]["isError"], true);
            continue;
        }
        let question = loop {
            let event = stream.event().expect("a question");
            if event.data.contains("elicitation/create") {
                break serde_json::from_str::<Value>(&event.data).unwrap();
            }
        };
        let yes =
            json!({"jsonrpc": "2.0", "id": question["id"], "result": accept(&json!({"answer": "once"}))});
        assert_eq!(session.post(&yes).status, 202);
        assert_eq!(words(&stream.answer()["result"]), "200 reached");
        assert_eq!(server.got(), before + 1);
    }

    // Without tokens nobody is known, so nobody is asked.
    let open = home.serve_http(&[]);
    denied(&result(ask(&open, "", &json!({}))));
    std::fs::write(&file, format!("{plain} may-do-all\n")).unwrap();
    home.kennel(["serve", "--http", "127.0.0.1:0", "--token-file", file.to_str().unwrap()])
        .failure()
        .stderr_has("may-approve");
}

/// A plugin's own question, when it may not ask any: the person is asked whether it may.
#[test]
fn a_plugin_that_may_not_ask_can_be_let() {
    let home = Home::new("asking-questions");
    home.plugin("asker").config("on-denied = \"ask\"\n[plugins.asker]\n").approve();
    let client = home.serve();
    let params = || json!({"name": "asker__greet"});
    let greet = |more: &Value| modern(&client, "prompts/get", params(), &can(), more);
    let first = greet(&json!({}));
    assert!(question(&first).ends_with("have this? to ask you questions of its own"), "{first:?}");
    // Once is for the whole call, its own questions included.
    let own = greet(&again(&first, "once"));
    let given = json!({"name": accept(&json!({"name": "Ada"}))});
    let last = greet(&json!({"inputResponses": given, "requestState": state(&own)}));
    assert!(last.unwrap().to_string().contains("Hello, Ada!"));
    question(&greet(&json!({})));
}
