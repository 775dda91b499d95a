//! One row's two sides, ready to start: the published server and `kennel serve` with our plugin alone.
//! It must not measure.

use std::collections::BTreeMap;
use std::process::Command;
use std::time::Duration;

use kennel_tests::web::{Answer, WebServer};
use kennel_tests::{Chromium, Client, Home, Names, Postgres, clients_dir, node, python, python_mcp1};
use serde::Deserialize;
use serde_json::Value;

#[derive(Deserialize)]
struct Table {
    server: Vec<Server>,
}

/// An entry of `servers.toml`, whose head says what the fields mean.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Server {
    pub(crate) plugin: String,
    npm: Option<String>,
    pypi: Option<String>,
    #[serde(rename = "pypi-mcp1")]
    pypi_mcp1: Option<String>,
    run: String,
    #[serde(default)]
    arguments: Vec<String>,
    #[serde(default)]
    env: BTreeMap<String, String>,
    #[serde(default)]
    files: BTreeMap<String, String>,
    shell: Option<String>,
    beside: Option<Service>,
    internet: Option<Internet>,
    #[serde(default)]
    grants: String,
    call: Option<Call>,
}

/// What both sides use over the network, on loopback.
#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Service {
    /// A site with one page, `/article`.
    Site,
    /// A PostgreSQL with one table of ten rows, `people`.
    Postgres,
    /// The same site, and a Chromium for our plugin: the original starts its own.
    Chromium,
}

/// A service of the internet, under its own names, in a network where every address is this machine.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Internet {
    hosts: Vec<String>,
    /// For a method and a path: what is answered, as JSON.
    answers: BTreeMap<String, Value>,
}

/// An address of the world, which is this machine's here.
const PUBLIC: &str = "93.184.215.14";

/// One that runs.
enum Running {
    Site(WebServer),
    Postgres(Postgres),
    Chromium(WebServer, Chromium),
    Internet(WebServer, #[expect(dead_code, reason = "it answers while it is there")] Names),
}

impl Service {
    fn start(self, home: &Home) -> Running {
        match self {
            Self::Site => Running::Site(site()),
            Self::Postgres => Running::Postgres(Postgres::start(PEOPLE)),
            Self::Chromium => Running::Chromium(site(), Chromium::start(&home.folder("profile"))),
        }
    }
}

fn site() -> WebServer {
    WebServer::clear(|asked| match asked.target.as_str() {
        "/article" => Answer::status(200).header("content-type", "text/html").body(ARTICLE),
        _ => Answer::status(404),
    })
}

impl Internet {
    fn start(&self) -> Running {
        let names = Names::start();
        for host in &self.hosts {
            names.set(host, &[&[PUBLIC]]);
        }
        let answers = self.answers.clone();
        Running::Internet(
            WebServer::tls_at("0.0.0.0:443", &self.hosts, move |asked| match answers.get(&asked.line()) {
                Some(answer) => Answer::json(answer),
                None => Answer::failure(404, &Value::Null),
            }),
            names,
        )
    }
}

impl Running {
    /// What stands in texts for the names in braces.
    fn places(&self, home: &Home) -> Vec<(&'static str, String)> {
        match self {
            Self::Site(site) => vec![("url", site.url()), ("at", site.authority())],
            Self::Postgres(server) => vec![("url", server.url("trusting")), ("at", server.at())],
            Self::Chromium(site, browser) => {
                let script = Chromium::script(&home.folder("browser")).display().to_string();
                vec![("url", site.url()), ("at", browser.address()), ("chromium", script)]
            }
            // It has its own names.
            Self::Internet(..) => Vec::new(),
        }
    }
}

const ARTICLE: &str = include_str!("../../tests/differential/pages/article.html");
const PEOPLE: &str =
    "CREATE TABLE people AS SELECT n AS id, repeat('x', 20) AS name FROM generate_series(1, 10) AS n;
    CREATE ROLE trusting LOGIN; GRANT SELECT ON people TO trusting;";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Call {
    tool: String,
    arguments: Value,
    #[serde(default)]
    pause: f64,
}

impl Server {
    /// All rows, in order.
    pub(crate) fn all() -> Vec<Self> {
        let table: Table = toml::from_str(include_str!("servers.toml")).expect("servers.toml fits");
        table.server
    }

    /// The original's package, as people know it.
    pub(crate) fn original(&self) -> String {
        let pypi = self.pypi.as_ref().or(self.pypi_mcp1.as_ref());
        let npm = self.npm.as_ref().map(|name| format!("npm `{name}`"));
        npm.or_else(|| pypi.map(|name| format!("PyPI `{name}`"))).expect("a row names its package")
    }

    /// Whether it has to be measured in a network of its own, because it asks a service of the internet.
    pub(crate) fn asks_the_internet(&self) -> bool {
        self.internet.is_some()
    }
}

/// A row whose plugin is compiled and approved, and whose files are there.
pub(crate) struct Prepared<'a> {
    server: &'a Server,
    home: Home,
    beside: Option<Running>,
    /// Names in braces and what stands for them.
    places: Vec<(&'static str, String)>,
}

impl<'a> Prepared<'a> {
    pub(crate) fn new(server: &'a Server) -> Self {
        let home = Home::new("compare").env("KEY", "key-of-this-machine");
        let root = home.folder("files");
        for (name, text) in &server.files {
            std::fs::write(root.join(name), text).unwrap();
        }
        if let Some(line) = &server.shell {
            let done = Command::new("sh").args(["-eu", "-c", line]).current_dir(&root).status().unwrap();
            assert!(done.success(), "`{line}` for `{}`: {done}", server.plugin);
        }
        let beside = match &server.internet {
            Some(internet) => Some(internet.start()),
            None => server.beside.map(|service| service.start(&home)),
        };
        let mut places = beside.as_ref().map(|beside| beside.places(&home)).unwrap_or_default();
        places.push(("root", root.to_str().expect("a text").to_owned()));
        let prepared = Self { server, home, beside, places };
        let plugin = &server.plugin;
        prepared.home.plugin(plugin);
        let grants = prepared.placed(&server.grants);
        let trust = prepared.with_certificate().map(WebServer::trust).unwrap_or_default();
        prepared.home.config(&format!("{trust}[plugins.{plugin}]\nprefix = \"\"\n{grants}")).approve();
        prepared
    }

    /// The server whose certificate both sides have to trust.
    fn with_certificate(&self) -> Option<&WebServer> {
        match &self.beside {
            Some(Running::Internet(server, _)) => Some(server),
            _ => None,
        }
    }

    fn placed(&self, text: &str) -> String {
        self.places
            .iter()
            .fold(text.to_owned(), |text, (name, value)| text.replace(&format!("{{{name}}}"), value))
    }

    /// Starts the original (0) or Kennel with the plugin (1).
    pub(crate) fn command(&self, which: usize) -> Command {
        if which == 1 {
            let mut command = self.home.command();
            command.arg("serve");
            return command;
        }
        let server = self.server;
        let mut command = match &server.npm {
            Some(package) => {
                let mut command = Command::new(node());
                let scope = clients_dir().join("node/node_modules/@modelcontextprotocol");
                command.arg(scope.join(package).join(&server.run));
                command
            }
            None => {
                let mut command = Command::new(if server.pypi.is_some() { python() } else { python_mcp1() });
                command.args(["-c", &server.run]);
                command
            }
        };
        command
            .args(server.arguments.iter().map(|argument| self.placed(argument)))
            .envs(server.env.iter().map(|(name, value)| (name, self.placed(value))))
            .current_dir(self.home.folder("user"));
        if let Some(authority) = self.with_certificate().and_then(WebServer::certificate) {
            command.env("NODE_EXTRA_CA_CERTS", &authority).env("SSL_CERT_FILE", &authority);
        }
        command
    }

    /// The parameters of the typical call.
    pub(crate) fn call(&self) -> Option<Value> {
        let call = self.server.call.as_ref()?;
        let arguments = serde_json::from_str(&self.placed(&call.arguments.to_string())).expect("still JSON");
        Some(Client::call_params(&call.tool, &arguments))
    }

    /// The time between two calls, for an original that allows itself only so many.
    pub(crate) fn pause(&self) -> Duration {
        self.server.call.as_ref().map_or(Duration::ZERO, |call| Duration::from_secs_f64(call.pause))
    }

    /// What the plugin holds, as `kennel list` says it.
    pub(crate) fn rights(&self) -> String {
        let listed = self.home.kennel(["list", "--format", "json"]).success().json();
        let holds = listed["plugins"][0]["holds"].as_array().expect("a list").clone();
        let words: Vec<_> = holds.iter().filter_map(Value::as_str).collect();
        // What is this run's alone is not the row's.
        let said = self.places.iter().fold(words.join("; "), |said, (name, value)| match *name {
            "root" => said.replace(value, "/folder"),
            "at" => said.replace(value, "127.0.0.1:PORT"),
            _ => said,
        });
        if said.is_empty() { "nothing".to_owned() } else { said }
    }
}
