//! One row's two sides, ready to start: the published server and `kennel serve` with our plugin alone.
//! It must not measure.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;

use kennel_tests::site::{Page, Site};
use kennel_tests::{Client, Home, Postgres, clients_dir, node, python, python_mcp1};
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
}

/// One that runs.
enum Running {
    Site(Site),
    Postgres(Postgres),
}

impl Service {
    fn start(self) -> Running {
        match self {
            Self::Site => Running::Site(Site::start(|asked| match asked.target.as_str() {
                "/article" => Page::of("text/html", ARTICLE),
                _ => Page::status(404),
            })),
            Self::Postgres => Running::Postgres(Postgres::start(PEOPLE)),
        }
    }
}

impl Running {
    fn url(&self) -> String {
        match self {
            Self::Site(site) => site.url(),
            Self::Postgres(server) => server.url("trusting"),
        }
    }

    /// Host and port.
    fn at(&self) -> String {
        match self {
            Self::Site(site) => site.url().replace("http://", ""),
            Self::Postgres(server) => server.at(),
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
}

/// A row whose plugin is compiled and approved, and whose files are there.
pub(crate) struct Prepared<'a> {
    server: &'a Server,
    home: Home,
    root: PathBuf,
    beside: Option<Running>,
}

impl<'a> Prepared<'a> {
    pub(crate) fn new(server: &'a Server) -> Self {
        let home = Home::new("compare");
        let root = home.folder("files");
        for (name, text) in &server.files {
            std::fs::write(root.join(name), text).unwrap();
        }
        if let Some(line) = &server.shell {
            let done = Command::new("sh").args(["-eu", "-c", line]).current_dir(&root).status().unwrap();
            assert!(done.success(), "`{line}` for `{}`: {done}", server.plugin);
        }
        let beside = server.beside.map(Service::start);
        let prepared = Self { server, home, root, beside };
        let plugin = &server.plugin;
        prepared.home.plugin(plugin);
        let grants = prepared.placed(&server.grants);
        prepared.home.config(&format!("[plugins.{plugin}]\nprefix = \"\"\n{grants}")).approve();
        prepared
    }

    fn placed(&self, text: &str) -> String {
        let text = text.replace("{root}", self.root.to_str().expect("a text"));
        match &self.beside {
            Some(beside) => text.replace("{url}", &beside.url()).replace("{at}", &beside.at()),
            None => text,
        }
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
        command
    }

    /// The parameters of the typical call.
    pub(crate) fn call(&self) -> Option<Value> {
        let call = self.server.call.as_ref()?;
        let arguments = serde_json::from_str(&self.placed(&call.arguments.to_string())).expect("still JSON");
        Some(Client::call_params(&call.tool, &arguments))
    }

    /// What the plugin holds, as `kennel list` says it.
    pub(crate) fn rights(&self) -> String {
        let listed = self.home.kennel(["list", "--format", "json"]).success().json();
        let holds = listed["plugins"][0]["holds"].as_array().expect("a list").clone();
        let words: Vec<_> = holds.iter().filter_map(Value::as_str).collect();
        let mut said = words.join("; ").replace(self.root.to_str().expect("a text"), "/folder");
        if let Some(beside) = &self.beside {
            said = said.replace(&beside.at(), "127.0.0.1:PORT");
        }
        if said.is_empty() { "nothing".to_owned() } else { said }
    }
}
