//! One typed operation, and the one answer to whether a plugin may do it. Every host call asks here and nothing else
//! decides. Pure: reads nothing, resolves nothing, and allocates nothing to say yes.

use std::fmt;
use std::net::IpAddr;

use super::http::{self, DenyReason, HttpHost, HttpOperation};
use super::socket::{Naming, SocketDecision, SocketDeny, SocketKind, decide_connect, decide_lookup};
use super::{Grants, SecretGrant, SecretUse, units};

/// Something a plugin wants to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation<'a> {
    /// Something with a file or directory.
    File {
        /// What.
        access: Access,
        /// With which.
        path: FilePath<'a>,
    },
    /// Send this request. Whether the addresses of its name may be dialled is seen only when it is resolved.
    Http(&'a HttpOperation),
    /// Go to this port with a socket.
    Connect {
        /// With which.
        kind: SocketKind,
        /// The address; none when it is not known yet.
        address: Option<IpAddr>,
        /// The port.
        port: u16,
        /// The names that were looked up for the plugin and had the address.
        names: &'a [HttpHost],
    },
    /// Look up this name.
    Lookup(&'a HttpHost),
    /// See this environment variable, which may be a secret that is exposed.
    Env(&'a str),
    /// Send this request with a secret in it.
    Secret {
        /// Its name.
        name: &'a str,
        /// The request, which must be granted too.
        request: &'a HttpOperation,
    },
    /// Use the store, so that it holds so many bytes afterwards.
    State {
        /// Counted as [`StateGrant::quota`](super::StateGrant::quota) does; 0 to read.
        bytes: u64,
    },
    /// Run the command of this name.
    Command(&'a str),
    /// Ask the person.
    Elicit,
    /// Ask the client's model.
    Sample,
    /// Ask which directories the client works in.
    Roots,
}

/// What is done with a file or directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Access {
    /// Read a file or look at it.
    Read,
    /// Create, write, rename or remove a file, or set its times.
    Write,
    /// Open or list a directory, or look at it.
    List,
    /// Make, rename or remove a directory, or set its times.
    Directory,
}

/// Which file or directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FilePath<'a> {
    /// By the absolute path that the guest sees.
    Guest(&'a str),
    /// By a path below an open directory, under the grant with this number.
    Below(usize, &'a str),
    /// By an open descriptor, under the grant with this number: its name was judged when it was opened.
    Held(usize),
}

/// What was decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// By this rule.
    Allowed(Rule),
    /// By none.
    Denied(Reason),
}

impl Decision {
    /// Whether it may be done.
    #[must_use]
    pub fn is_allowed(self) -> bool {
        matches!(self, Self::Allowed(_))
    }
}

/// The grant that allows something, of the [`Grants`] that were asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// The directory with this number.
    Directory(usize),
    /// The HTTP grant with this number. Of several that fit, one that allows private addresses comes first, because a
    /// request holds all that any fitting grant gives.
    Http(usize),
    /// The grant of TCP with this number.
    Tcp(usize),
    /// The grant of UDP with this number.
    Udp(usize),
    /// A grant that names the host.
    Lookup {
        /// Which. Of several, one that allows private addresses comes first.
        by: Naming,
        /// Whether the plugin may be told addresses that are not on the public network.
        private: bool,
    },
    /// The variable that was asked for.
    Env,
    /// The secret with this number.
    Secret(usize),
    /// The store.
    State,
    /// The folder of commands.
    Commands,
    /// To ask the person.
    Elicit,
    /// To ask the client's model.
    Sample,
    /// To ask for the client's directories.
    Roots,
}

/// Why something is denied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// There is no grant of a directory at all.
    NoDirectory,
    /// The path lies in none of the granted directories.
    Outside,
    /// The path is not absolute, or has `.` or `..` in it.
    OddPath,
    /// The directory with this number is granted to be read only.
    ReadOnly(usize),
    /// Of the directory with this number only files with other extensions are granted.
    Extension(usize),
    /// No HTTP grant fits.
    Http(DenyReason),
    /// No grant of a socket fits.
    Socket(SocketDeny),
    /// No grant names the host.
    Lookup,
    /// The variable is not granted.
    Env,
    /// There is no secret of this name.
    NoSecret,
    /// The secret with this number is a variable of the plugin's own, and is not sent.
    Exposed(usize),
    /// The secret with this number is for other requests, which differ in this.
    Audience(usize, DenyReason),
    /// There is no store.
    NoState,
    /// The store would hold more than so many bytes.
    Quota(u64),
    /// There is no folder of commands.
    NoCommands,
    /// Of the folder of commands this one is not granted.
    Command,
    /// May not ask the person.
    Elicit,
    /// May not ask the client's model.
    Sample,
    /// May not ask for the client's directories.
    Roots,
}

/// Whether these grants allow the operation, and by which of them; else why not.
#[must_use]
pub fn decide(grants: &Grants, operation: &Operation<'_>) -> Decision {
    match *operation {
        Operation::File { access, path } => file(grants, access, path),
        Operation::Http(request) => match http::decide(&grants.http, request) {
            http::Decision::Allowed(index) => Decision::Allowed(Rule::Http(index)),
            http::Decision::Denied(why) => Decision::Denied(Reason::Http(why)),
        },
        Operation::Connect { kind, address, port, names } => {
            let (held, rule): (_, fn(usize) -> Rule) = match kind {
                SocketKind::Tcp => (&grants.tcp, Rule::Tcp),
                SocketKind::Udp => (&grants.udp, Rule::Udp),
            };
            match decide_connect(held, address, port, names) {
                SocketDecision::Allowed(index) => Decision::Allowed(rule(index)),
                SocketDecision::Denied(why) => Decision::Denied(Reason::Socket(why)),
            }
        }
        Operation::Lookup(name) => match decide_lookup(grants, name) {
            Some((by, private)) => Decision::Allowed(Rule::Lookup { by, private }),
            None => Decision::Denied(Reason::Lookup),
        },
        Operation::Env(name) => env(grants, name),
        Operation::Secret { name, request } => secret(grants, name, request),
        Operation::State { bytes } => match &grants.state {
            None => Decision::Denied(Reason::NoState),
            Some(state) => either(bytes <= state.quota, Rule::State, Reason::Quota(state.quota)),
        },
        Operation::Command(name) => match &grants.commands {
            None => Decision::Denied(Reason::NoCommands),
            Some(commands) => {
                let shown = guarded!("command-names", commands.shows(name), without true);
                either(shown, Rule::Commands, Reason::Command)
            }
        },
        Operation::Elicit => either(grants.elicit, Rule::Elicit, Reason::Elicit),
        Operation::Sample => either(grants.sample, Rule::Sample, Reason::Sample),
        Operation::Roots => either(grants.roots, Rule::Roots, Reason::Roots),
    }
}

fn either(granted: bool, rule: Rule, reason: Reason) -> Decision {
    if granted { Decision::Allowed(rule) } else { Decision::Denied(reason) }
}

fn env(grants: &Grants, name: &str) -> Decision {
    let exposed = |grant: &SecretGrant| grant.used == SecretUse::Exposed && grant.name == name;
    match grants.secrets.iter().position(exposed) {
        Some(index) => Decision::Allowed(Rule::Secret(index)),
        None => either(grants.env.contains_key(name), Rule::Env, Reason::Env),
    }
}

fn secret(grants: &Grants, name: &str, request: &HttpOperation) -> Decision {
    let found = grants.secrets.iter().enumerate().find(|(_, grant)| grant.name == name);
    let Some((index, grant)) = found else { return Decision::Denied(Reason::NoSecret) };
    let Some(sent) = grant.sent() else { return Decision::Denied(Reason::Exposed(index)) };
    // An audience is within what was granted, which may be more than is held.
    if let http::Decision::Denied(why) = http::decide(&grants.http, request) {
        return Decision::Denied(Reason::Http(why));
    }
    match guarded!("secret-audience", sent.audience.misses(request), without None) {
        None => Decision::Allowed(Rule::Secret(index)),
        Some(part) => Decision::Denied(Reason::Audience(index, part)),
    }
}

fn file(grants: &Grants, access: Access, path: FilePath<'_>) -> Decision {
    let (index, name) = match path {
        FilePath::Below(index, path) => (index, Some(path)),
        FilePath::Held(index) => (index, None),
        FilePath::Guest(path) => match below(grants, path) {
            Ok((index, rest)) => (index, Some(rest)),
            Err(reason) => return Decision::Denied(reason),
        },
    };
    let Some(grant) = grants.directories.get(index) else {
        return Decision::Denied(Reason::NoDirectory);
    };
    if guarded!("read-only", !grant.mode.allows(access)) {
        return Decision::Denied(Reason::ReadOnly(index));
    }
    let of_a_file = matches!(access, Access::Read | Access::Write);
    if guarded!("extensions", of_a_file && !name.is_none_or(|name| grant.shows(name))) {
        return Decision::Denied(Reason::Extension(index));
    }
    Decision::Allowed(Rule::Directory(index))
}

/// The directory a guest's path lies in, the deepest when one lies in another, and the rest of the path.
fn below<'a>(grants: &Grants, path: &'a str) -> Result<(usize, &'a str), Reason> {
    if !path.starts_with('/') || path.split('/').any(|part| matches!(part, "." | "..")) {
        return Err(Reason::OddPath);
    }
    let path = path.trim_end_matches('/');
    let rest = |guest: &str| -> Option<&'a str> {
        let rest = path.strip_prefix(guest.trim_end_matches('/'))?;
        (rest.is_empty() || rest.starts_with('/')).then(|| rest.trim_start_matches('/'))
    };
    let fitting = grants.directories.iter().enumerate();
    let fitting = fitting.filter_map(|(index, grant)| Some((index, rest(&grant.guest)?)));
    let none = if grants.directories.is_empty() { Reason::NoDirectory } else { Reason::Outside };
    fitting.min_by_key(|(_, rest)| rest.len()).ok_or(none)
}

/// What the plugin lacks, as the end of "denied: ...".
impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoDirectory => "it holds no directory",
            Self::Outside => "it holds no directory in which this path lies",
            Self::OddPath => "a path is absolute, as the plugin sees it, and has no `.` or `..` in it",
            Self::ReadOnly(_) => "it holds this directory to read only",
            Self::Extension(_) => "it holds only files with other extensions in this directory",
            Self::Http(why) => return why.fmt(f),
            Self::Socket(why) => return why.fmt(f),
            Self::Lookup => "no grant names this host",
            Self::Env => "it holds no such environment variable",
            Self::NoSecret => "it holds no secret of this name",
            Self::Exposed(_) => "this secret is a variable of its own, and is put into no request",
            Self::Audience(_, part) => match part {
                DenyReason::Host => "this secret is for another host",
                DenyReason::Scheme => "this secret is for another scheme",
                DenyReason::Port => "this secret is for another port",
                DenyReason::Path => "this secret is for other paths",
                DenyReason::Method => "this secret is for other methods",
                DenyReason::Nothing | DenyReason::Private => "this secret is for other requests",
            },
            Self::NoState => "it holds no state",
            Self::Quota(quota) => {
                return write!(f, "its state may hold {}", units::show_size(*quota));
            }
            Self::NoCommands => "it holds no commands",
            Self::Command => "it holds no command of this name",
            Self::Elicit => "to ask the person was not granted",
            Self::Sample => "to ask the client's model was not granted",
            Self::Roots => "to ask for the client's directories was not granted",
        })
    }
}

#[cfg(test)]
#[path = "operation_tests.rs"]
mod tests;
