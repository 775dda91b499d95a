//! What the tests of plugins for web APIs share: the grants for a server in the service's place, calls, and the failures
//! that every service has one day.
//! It must not know a service: paths, arguments and words are the tests'.

use std::time::Duration;

use serde_json::{Value, json};

use crate::client::{Client, words};
use crate::home::Home;
use crate::grants::each_grant_is_needed;
use crate::web::{Answer, WebServer};

/// The value that the host puts into requests.
pub const KEY: &str = "api-key-of-the-tests";

/// A plugin for a web API.
#[derive(Debug, Clone)]
pub struct WebPlugin {
    /// Its name.
    pub name: &'static str,
    /// The variable that names another server.
    pub variable: &'static str,
    /// The methods it uses, as `kennel.toml` has them.
    pub methods: &'static str,
    /// The secret's name, and how it is put in, as lines of `kennel.toml`; none for a service without one.
    pub secret: Option<(&'static str, &'static str)>,
    /// Whether it keeps answers.
    pub state: bool,
    /// More grants: names for messages, and lines, of `[plugins.NAME]` or of a table of their own.
    pub more: Vec<(&'static str, String)>,
}

impl WebPlugin {
    /// What a person writes for this server, grant by grant. One request may take two seconds.
    pub fn grants(&self, server: &WebServer) -> Vec<(&'static str, String)> {
        let (name, url) = (self.name, server.url());
        let mut all = vec![
            ("env", format!("env.{} = \"{url}\"\n", self.variable)),
            ("http", format!("[[plugins.{name}.http]]\nurl = \"{url}\"\nmethods = {}\n", self.methods)),
            ("settings", "settings.timeout = 2\n".to_owned()),
        ];
        if let Some((secret, lines)) = self.secret {
            let secret = format!(
                "[[plugins.{name}.secrets]]\nname = \"{secret}\"\nfrom = \"env:KEY\"\nfor = \"{url}\"\n{lines}\n"
            );
            all.push(("secrets", secret));
        }
        if self.state {
            all.push(("state", "state.quota = \"1MiB\"\n".to_owned()));
        }
        all.extend(self.more.iter().cloned());
        // Keys of the plugin's own table stand before other tables.
        all.sort_by_key(|(_, lines)| lines.starts_with('['));
        all
    }

    fn first(&self, server: &WebServer) -> String {
        format!("{}[plugins.{}]\nprefix = \"\"\n", server.trust(), self.name)
    }

    /// A home in which all is granted, and a client of it. `more` are further lines of the
    /// plugin's own table.
    #[track_caller]
    pub fn start(&self, server: &WebServer, more: &str) -> (Home, Client) {
        let home = Home::new(self.name).env("KEY", KEY);
        let grants: String = self.grants(server).into_iter().map(|(_, lines)| lines).collect();
        home.plugin(self.name).config(&(self.first(server) + more + &grants)).approve();
        let client = home.serve();
        client.initialize();
        (home, client)
    }

    /// Shows that something fails without each of the grants; see [`each_grant_is_needed`]. [`gives_up`] needs the
    /// setting.
    #[track_caller]
    pub fn needs_its_grants(&self, server: &WebServer, works: impl Fn(&Client) -> Result<(), String>) {
        let secret = self.secret.map(|_| ("KEY", KEY));
        each_grant_is_needed(self.name, &self.first(server), &self.grants(server), secret, works);
    }

    /// Shows that a call which begins with the request `line` tells each failure of a service in one line that begins
    /// with `prefix` and says what to do.
    #[track_caller]
    pub fn tells_failures(
        &self,
        server: &WebServer,
        line: &str,
        tool: &str,
        arguments: &Value,
        prefix: &str,
    ) {
        let (_home, client) = self.start(server, "");
        let elsewhere = WebServer::clear(|_| Answer::json(&json!({})));
        let failure =
            |status: u16| Answer::failure(status, &json!({ "error": { "message": "in its words" } }));
        for (what, answer, says) in [
            ("401", failure(401), "in its words; check the secret"),
            ("403", failure(403), "in its words; give the credential the right to it"),
            ("404", failure(404), "in its words; check the names"),
            ("500", failure(500), "in its words; try again later"),
            ("a page", Answer::status(502).body("<html>busy</html>"), "Bad Gateway; try again later"),
            (
                "no JSON",
                Answer::status(200).body("<html>hello</html>"),
                "; check that the address is the service's",
            ),
            ("cut", Answer::json(&json!({ "a": "long answer" })).cut(), "; check that the service runs"),
            (
                "slow",
                Answer::json(&json!({})).slow(Duration::from_secs(4)),
                "took too long to answer; try again later",
            ),
        ] {
            server.once(line, answer);
            let said = fails(&client, tool, arguments);
            assert!(
                said.starts_with(prefix) && said.contains(says),
                "{what}: {said:?} lacks {prefix:?} or {says:?}"
            );
            assert!(said.lines().count() == 1 && said.len() < 700, "{what}: {said}");
        }
        // To another host: what was not granted is not asked, and the host says how it would be.
        server.once(line, Answer::redirect(&format!("{}/elsewhere", elsewhere.url())));
        let said = fails(&client, tool, arguments);
        let name = self.name;
        assert!(
            said.contains(&format!("{}/elsewhere was not granted to `{name}`", elsewhere.url())),
            "{said}"
        );
        assert!(elsewhere.asked().is_empty(), "it was asked");
        // Last: where something can be remembered, a wait is.
        server.once(line, failure(429).header("retry-after", "30"));
        let said = fails(&client, tool, arguments);
        assert!(said.starts_with(prefix) && said.contains("in its words; try again in 30 s"), "429: {said}");
    }
}

/// The words of a call that works.
#[track_caller]
pub fn told(client: &Client, tool: &str, arguments: &Value) -> String {
    let result = client.call(tool, arguments);
    assert_ne!(result["isError"], true, "{tool} {arguments}: {result}\n{}", client.stderr());
    words(&result)
}

/// The words of a call that works, which are JSON.
#[track_caller]
pub fn told_json(client: &Client, tool: &str, arguments: &Value) -> Value {
    let text = told(client, tool, arguments);
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// The words of a call that fails.
#[track_caller]
pub fn fails(client: &Client, tool: &str, arguments: &Value) -> String {
    let result = client.call(tool, arguments);
    assert_eq!(result["isError"], true, "{tool} {arguments}: {result}\n{}", client.stderr());
    words(&result)
}

/// What a call said when it failed, for [`WebPlugin::needs_its_grants`].
///
/// # Errors
/// What the failed call said.
pub fn works(client: &Client, tool: &str, arguments: &Value) -> Result<(), String> {
    let result = client.call(tool, arguments);
    if result["isError"] == true { Err(words(&result)) } else { Ok(()) }
}

/// Says whether the call gives up an answer that takes longer than the plugin was told to wait.
///
/// # Errors
/// When it waited.
pub fn gives_up(
    server: &WebServer,
    line: &str,
    client: &Client,
    tool: &str,
    arguments: &Value,
) -> Result<(), String> {
    server.once(line, Answer::json(&json!({})).slow(Duration::from_secs(4)));
    let said = words(&client.call(tool, arguments));
    if said.contains("took too long") {
        Ok(())
    } else {
        Err(format!("it waited longer than it was told: {said}"))
    }
}
