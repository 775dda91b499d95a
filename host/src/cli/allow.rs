//! `kennel allow`: writes grants into `kennel.toml` in place. How the file is edited is `config`'s; what is here is what
//! a person types and reads.

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use crate::config::edit::{self, Allow, Edited};
use crate::config::{Home, Surroundings};
use crate::grants::{DirectoryMode, PluginName};

use super::Failure;
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
#[derive(Clone, Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("what").required(true).multiple(true)
    .args(["dir", "http", "env", "state", "elicit", "sample", "roots"]))]
pub struct Args {
    /// The plugin
    plugin: PluginName,
    /// A directory, to read only (`:ro`, which holds when nothing is said) or to change too (`:rw`)
    #[arg(long, value_name = "PATH[:ro|rw]")]
    dir: Vec<String>,
    /// The path under which the plugin sees the directory [default: its own]
    #[arg(long = "as", value_name = "PATH", requires = "dir")]
    guest: Option<String>,
    /// Of the directory only files with these extensions, such as md,txt
    #[arg(long, value_name = "EXT,...", value_delimiter = ',', requires = "dir")]
    extensions: Vec<String>,
    /// Requests to this scheme, host, port and path prefix; `*.example.org` is every host below it
    #[arg(long, value_name = "URL")]
    http: Vec<String>,
    /// With these methods [default: GET,HEAD]
    #[arg(long, value_name = "METHOD,...", value_delimiter = ',', requires = "http")]
    methods: Vec<String>,
    /// An environment variable with its value; your own environment is never passed on
    #[arg(long, value_name = "NAME=VALUE")]
    env: Vec<String>,
    /// A store of its own of at most so much, such as 4MiB
    #[arg(long, value_name = "SIZE")]
    state: Option<String>,
    /// To ask the person behind the client
    #[arg(long)]
    elicit: bool,
    /// To ask the client's model
    #[arg(long)]
    sample: bool,
    /// To ask which directories the client works in
    #[arg(long)]
    roots: bool,
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
    let wanted = args.wanted(here)?;
    home.create()?;
    let edited = edit::allow(home, surroundings, &args.plugin, &wanted)?;
    tell(&args.plugin, &edited, out)?;
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

impl Args {
    fn wanted(&self, here: &Path) -> Result<Vec<Allow>, Failure> {
        if self.guest.is_some() && self.dir.len() != 1 {
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
                guest: self.guest.clone(),
                mode,
                extensions: self.extensions.clone(),
            });
        }
        for url in &self.http {
            all.push(Allow::Http { url: url.clone(), methods: self.methods.clone() });
        }
        for text in &self.env {
            let (name, value) = text
                .split_once('=')
                .ok_or_else(|| Failure::new(format!("--env {text}: write NAME=VALUE")))?;
            all.push(Allow::Env { name: name.to_owned(), value: value.to_owned() });
        }
        all.extend(self.state.clone().map(Allow::State));
        all.extend(self.elicit.then_some(Allow::Elicit));
        all.extend(self.sample.then_some(Allow::Sample));
        all.extend(self.roots.then_some(Allow::Roots));
        Ok(all)
    }
}

/// A path as it is written into the file, where relative paths would begin elsewhere and `$` has a meaning.
pub(super) fn absolute(path: &str, here: &Path) -> Result<String, Failure> {
    if path == "~" || path.starts_with("~/") {
        return Ok(path.replace('$', "$$"));
    }
    let joined = here.join(path);
    // Without `.` and the slash at the end, but with links as they are: a person reads it.
    let clean: std::path::PathBuf = joined.components().collect();
    let text = clean.to_str().ok_or_else(|| Failure::new(format!("{}: is not UTF-8", clean.display())))?;
    Ok(text.replace('$', "$$"))
}

/// Prints what an edit gave and took.
pub(super) fn tell(plugin: &PluginName, edited: &Edited, out: &mut dyn Write) -> Result<(), Failure> {
    let (before, now) = (edited.before.describe(), edited.now.describe());
    for line in before.iter().filter(|line| !now.contains(line)) {
        writeln!(out, "{plugin}: taken back: {line}")?;
    }
    for line in now.iter().filter(|line| !before.contains(line)) {
        writeln!(out, "{plugin}: granted: {line}")?;
    }
    match (edited.changed, before == now) {
        (false, _) => writeln!(out, "{plugin}: nothing to change")?,
        (true, true) => writeln!(out, "{plugin}: changed")?,
        _ => {}
    }
    Ok(())
}
