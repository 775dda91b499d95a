//! `kennel allow`: writes grants into `kennel.toml` in place. How the file is edited is `config`'s; what is here is what
//! a person types.

mod secret;

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use crate::config::edit::{self, Allow};
use crate::config::{Home, Surroundings};
use crate::grants::{DirectoryMode, PluginName, SocketKind};

use super::Failure;
use super::edited::{absolute, put};
use super::holder::Written;

/// Grant a plugin something, in kennel.toml
///
/// The file is edited in place: comments and order stay. A running host applies it at once. A grant takes effect for
/// bytes that you approved (`kennel approve PLUGIN`) and as far as the plugin asks for it. For example:
///
///   kennel allow filesystem --dir ~/Documents:rw --as /docs
///
///   kennel allow weather-us --http https://api.weather.gov
///
///   kennel allow memory --state 4MiB
///
///   kennel allow dev-assistant --commands ~/commands --only wc,cut
///
///   kennel allow issues --http https://api.example.org --secret token --from env:TOKEN --as bearer
///     --for https://api.example.org
#[derive(Clone, Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("what").required(true).multiple(true)
    .args(["dir", "http", "tcp", "udp", "resolve", "env", "secret", "state", "commands", "elicit", "sample", "roots", "limit"]))]
pub struct Args {
    /// The plugin
    plugin: PluginName,
    #[command(flatten)]
    grants: Typed,
}

/// Grants as a person types them.
#[derive(Clone, Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("places").multiple(true).args(["http", "tcp", "udp"]))]
#[command(group = clap::ArgGroup::new("requests").multiple(true).args(["http", "secret"]))]
#[command(group = clap::ArgGroup::new("named").multiple(true).args(["dir", "secret"]))]
pub struct Typed {
    /// A directory, to read only (`:ro`, which holds when nothing is said) or to change too (`:rw`)
    #[arg(long, value_name = "PATH[:ro|rw]")]
    dir: Vec<String>,
    /// The path under which the plugin sees the directory [default: its own]; of a secret, as what it is sent:
    /// `bearer`, `basic:USER`, `header:NAME` or `query:KEY`
    #[arg(long = "as", value_name = "PATH|CREDENTIAL", requires = "named")]
    known_as: Option<String>,
    /// Of the directory only files with these extensions, such as md,txt
    #[arg(long, value_name = "EXT,...", value_delimiter = ',', requires = "dir")]
    extensions: Vec<String>,
    /// Requests to this scheme, host, port and path prefix; `*.example.org` is every host below it
    #[arg(long, value_name = "URL")]
    http: Vec<String>,
    /// With these methods [default: GET,HEAD]; without --http, those of the requests a secret goes into
    #[arg(long, value_name = "METHOD,...", value_delimiter = ',', requires = "requests")]
    methods: Vec<String>,
    /// TCP to this host and port
    #[arg(long, value_name = "HOST:PORT")]
    tcp: Vec<String>,
    /// UDP to this host and port, and what it answers
    #[arg(long, value_name = "HOST:PORT")]
    udp: Vec<String>,
    /// That a name is looked up, besides those of hosts granted otherwise
    #[arg(long, value_name = "NAME")]
    resolve: Vec<String>,
    /// Also when the host has a private or local address
    #[arg(long, requires = "places")]
    private_addresses: bool,
    /// An environment variable with its value; your own environment is never passed on
    #[arg(long, value_name = "NAME=VALUE")]
    env: Vec<String>,
    #[command(flatten)]
    secret: secret::SecretArgs,
    /// A store of its own of at most so much, such as 4MiB
    #[arg(long, value_name = "SIZE")]
    state: Option<String>,
    /// To run the command components in this folder, each in a sandbox of its own that holds only what the plugin passes on of
    /// its directories
    #[arg(long, value_name = "PATH")]
    commands: Option<String>,
    /// Of the commands only these
    #[arg(long, value_name = "NAME,...", value_delimiter = ',', requires = "commands")]
    only: Vec<String>,
    /// To ask the person behind the client
    #[arg(long)]
    elicit: bool,
    /// To ask the client's model
    #[arg(long)]
    sample: bool,
    /// To ask which directories the client works in
    #[arg(long)]
    roots: bool,
    /// A limit of its calls, such as fuel=50_000_000 or deadline=2m; `kennel inspect` shows them
    #[arg(long, value_name = "LIMIT=VALUE")]
    limit: Vec<String>,
}

/// Writes them. `here` is where relative paths begin.
///
/// # Errors
/// When the file cannot be edited; then nothing was changed.
pub fn run(
    args: &Args,
    home: &Home,
    surroundings: &Surroundings,
    here: &Path,
    out: &mut dyn Write,
) -> Result<ExitCode, Failure> {
    let wanted = args.grants.wanted(here)?;
    home.create()?;
    let edit = edit::allow(home, surroundings, &args.plugin, &wanted)?;
    put(edit, "allowed", &args.plugin, home, surroundings, out)?;
    // What was written may still not be held, and whoever wrote it wants to know now.
    let written = Written::read(home, surroundings)?;
    for holder in written.holders(Some(&args.plugin))? {
        for share in holder.shares() {
            if let Some(why) = &share.withheld {
                writeln!(out, "withheld: {}: {why}", share.granted)?;
            }
        }
        if let Some(why) = holder.nothing() {
            writeln!(out, "note: {why}")?;
        }
    }
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}

impl Typed {
    /// The same as the editor of `kennel.toml` takes it; `here` is where relative paths begin.
    pub(super) fn wanted(&self, here: &Path) -> Result<Vec<Allow>, Failure> {
        let methods = if self.http.is_empty() { self.methods.as_slice() } else { &[] };
        let sent_as = self.known_as.as_deref().filter(|_| self.dir.is_empty());
        let secret = self.secret.text(sent_as, methods, here)?;
        let guest = self.known_as.clone().filter(|_| sent_as.is_none());
        if guest.is_some() && secret.is_some() {
            return Err(Failure::new(
                "--as: is it the directory's or the secret's? Grant them one after the other",
            ));
        }
        if guest.is_some() && self.dir.len() != 1 {
            return Err(Failure::new("--as: names one directory; give one --dir with it"));
        }
        let mut all = Vec::new();
        for text in &self.dir {
            let (path, mode) = match text.rsplit_once(':') {
                Some((path, "ro")) => (path, Some(DirectoryMode::ReadOnly)),
                Some((path, "rw")) => (path, Some(DirectoryMode::ReadWrite)),
                _ => (text.as_str(), None),
            };
            all.push(Allow::Directory {
                path: absolute(path, here)?,
                guest: guest.clone(),
                mode,
                extensions: self.extensions.clone(),
            });
        }
        let private = self.private_addresses;
        for url in &self.http {
            all.push(Allow::Http { url: url.clone(), methods: self.methods.clone(), private });
        }
        for (kind, places) in [(SocketKind::Tcp, &self.tcp), (SocketKind::Udp, &self.udp)] {
            all.extend(places.iter().map(|to| Allow::Socket { kind, to: to.clone(), private }));
        }
        all.extend(self.resolve.iter().cloned().map(Allow::Resolve));
        // After HTTP, within which it has to be.
        all.extend(secret.map(Allow::Secret));
        for text in &self.env {
            let (name, value) = text
                .split_once('=')
                .ok_or_else(|| Failure::new(format!("--env {text}: write NAME=VALUE")))?;
            all.push(Allow::Env { name: name.to_owned(), value: value.to_owned() });
        }
        all.extend(self.state.clone().map(Allow::State));
        if let Some(path) = &self.commands {
            all.push(Allow::Commands { path: absolute(path, here)?, only: self.only.clone() });
        }
        all.extend(self.elicit.then_some(Allow::Elicit));
        all.extend(self.sample.then_some(Allow::Sample));
        all.extend(self.roots.then_some(Allow::Roots));
        for text in &self.limit {
            let (name, to) = text
                .split_once('=')
                .ok_or_else(|| Failure::new(format!("--limit {text}: write LIMIT=VALUE")))?;
            all.push(Allow::Limit { name: name.to_owned(), to: to.to_owned() });
        }
        Ok(all)
    }
}
