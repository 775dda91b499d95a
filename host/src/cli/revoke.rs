//! `kennel revoke`: takes grants out of `kennel.toml` in place. How the file is edited is `config`'s.

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use crate::config::edit::{self, Revoke};
use crate::config::{Home, Surroundings};
use crate::grants::{PluginName, SocketKind};

use super::Failure;
use super::edited::{absolute, put};

/// Take grants of a plugin back, in kennel.toml
///
/// The file is edited in place: comments and order stay. A running host applies it at once, and ends the calls that
/// began with what is gone. To take the approval of a plugin's bytes back, see `kennel approve --revoke`. For example:
///
///   kennel revoke filesystem --dir ~/Documents
///
///   kennel revoke weather-us --http https://api.weather.gov --methods POST
///
///   kennel revoke memory --all
#[derive(Clone, Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("what").required(true).multiple(true)
    .args(["dir", "http", "tcp", "udp", "resolve", "env", "secret", "state", "commands", "elicit", "sample", "roots", "all"]))]
pub struct Args {
    /// The plugin
    plugin: PluginName,
    /// A directory, by its path on this machine or the path the plugin sees
    #[arg(long, value_name = "PATH")]
    dir: Vec<String>,
    /// Requests to this place; secrets that go there have to go with it
    #[arg(long, value_name = "URL")]
    http: Vec<String>,
    /// Only these methods
    #[arg(long, value_name = "METHOD,...", value_delimiter = ',', requires = "http")]
    methods: Vec<String>,
    /// TCP to this host and port
    #[arg(long, value_name = "HOST:PORT")]
    tcp: Vec<String>,
    /// UDP to this host and port
    #[arg(long, value_name = "HOST:PORT")]
    udp: Vec<String>,
    /// That a name is looked up
    #[arg(long, value_name = "NAME")]
    resolve: Vec<String>,
    /// An environment variable
    #[arg(long, value_name = "NAME")]
    env: Vec<String>,
    /// A secret
    #[arg(long, value_name = "NAME")]
    secret: Vec<String>,
    /// Its store; what is in it stays on the disk
    #[arg(long)]
    state: bool,
    /// To run commands
    #[arg(long)]
    commands: bool,
    /// To ask the person
    #[arg(long)]
    elicit: bool,
    /// To ask the client's model
    #[arg(long)]
    sample: bool,
    /// To ask which directories the client works in
    #[arg(long)]
    roots: bool,
    /// Everything; settings and limits stay
    #[arg(long, conflicts_with_all = ["dir", "http", "tcp", "udp", "resolve", "env", "secret", "state", "commands", "elicit", "sample", "roots"])]
    all: bool,
}

/// Takes them back. `here` is where relative paths begin.
///
/// # Errors
/// When one of them is not there, or the file cannot be edited; then nothing was changed.
pub fn run(
    args: &Args,
    home: &Home,
    surroundings: &Surroundings,
    here: &Path,
    out: &mut dyn Write,
) -> Result<ExitCode, Failure> {
    let mut all = Vec::new();
    for path in &args.dir {
        all.push(Revoke::Directory(absolute(path, here)?));
    }
    for url in &args.http {
        all.push(Revoke::Http { url: url.clone(), methods: args.methods.clone() });
    }
    for (kind, places) in [(SocketKind::Tcp, &args.tcp), (SocketKind::Udp, &args.udp)] {
        all.extend(places.iter().map(|to| Revoke::Socket(kind, to.clone())));
    }
    all.extend(args.resolve.iter().cloned().map(Revoke::Resolve));
    all.extend(args.secret.iter().cloned().map(Revoke::Secret));
    all.extend(args.env.iter().cloned().map(Revoke::Env));
    all.extend(args.state.then_some(Revoke::State));
    all.extend(args.commands.then_some(Revoke::Commands));
    all.extend(args.elicit.then_some(Revoke::Elicit));
    all.extend(args.sample.then_some(Revoke::Sample));
    all.extend(args.roots.then_some(Revoke::Roots));
    all.extend(args.all.then_some(Revoke::All));
    home.create()?;
    let edit = edit::revoke(home, surroundings, &args.plugin, &all)?;
    put(edit, "revoked", &args.plugin, home, surroundings, out)?;
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}
