//! An operation as a person writes it: `read /docs/a.md`, `GET https://api.example.org/v1`, `state 5MiB`. Decides
//! nothing.

use std::fmt;
use std::str::FromStr;

use super::http::{parse_authority, parse_host};
use super::{
    Access, FilePath, HttpHost, HttpOperation, HttpScheme, OddRequest, Operation, SocketKind, units,
};

/// The words that [`Intent`] reads, for a person who wrote others.
const FORMS: &str = "read PATH, write PATH, list PATH, mkdir PATH, METHOD URL, tcp HOST:PORT, udp HOST:PORT, resolve HOST, env NAME, secret NAME METHOD URL, state [SIZE], run COMMAND, elicit, sample, roots";

/// An operation that owns its text.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Intent {
    /// With a file or directory, by the path that the plugin sees.
    File(Access, String),
    /// A request.
    Http(HttpOperation),
    /// A socket to this host and port. What a name resolves to is not known.
    Connect(SocketKind, [HttpHost; 1], u16),
    /// The look-up of a name.
    Lookup(HttpHost),
    /// An environment variable.
    Env(String),
    /// A secret in a request.
    Secret(String, HttpOperation),
    /// The store, so that it holds so many bytes.
    State(u64),
    /// A command.
    Command(String),
    /// Ask the person.
    Elicit,
    /// Ask the client's model.
    Sample,
    /// Ask for the client's directories.
    Roots,
}

/// Why a text is no operation.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IntentError {
    /// Other words.
    #[error("{0:?} is no operation; write one of: {FORMS}")]
    Form(String),
    /// Not `http://` or `https://`.
    #[error("{0:?} is not a URL; write for example https://api.example.org/v1")]
    Url(String),
    /// A request that no plugin can send.
    #[error("{0:?}: {1}")]
    Odd(String, OddRequest),
    /// Not a name.
    #[error("{0:?} is an address, which needs no looking up")]
    Address(String),
    /// Not a size.
    #[error("{0}")]
    Size(String),
}

impl Intent {
    /// What was done, so that it can be kept. None of a file that is not named by the path the plugin sees. Of the names
    /// an address was looked up by it is the first.
    #[must_use]
    pub fn of(operation: &Operation<'_>) -> Option<Self> {
        Some(match *operation {
            Operation::File { access, path: FilePath::Guest(path) } => Self::File(access, path.to_owned()),
            Operation::File { .. } => return None,
            Operation::Http(request) => Self::Http(request.clone()),
            Operation::Connect { kind, address, port, names } => {
                let host = names.first().cloned();
                Self::Connect(kind, [host.or(address.map(HttpHost::Address))?], port)
            }
            Operation::Lookup(name) => Self::Lookup(name.clone()),
            Operation::Env(name) => Self::Env(name.to_owned()),
            Operation::Secret { name, request } => Self::Secret(name.to_owned(), request.clone()),
            Operation::State { bytes } => Self::State(bytes),
            Operation::Command(name) => Self::Command(name.to_owned()),
            Operation::Elicit => Self::Elicit,
            Operation::Sample => Self::Sample,
            Operation::Roots => Self::Roots,
        })
    }

    /// The command that is run, if it is about one.
    #[must_use]
    pub fn command(&self) -> Option<&str> {
        match self {
            Self::Command(name) => Some(name),
            _ => None,
        }
    }

    /// The operation itself.
    #[must_use]
    pub fn operation(&self) -> Operation<'_> {
        match self {
            Self::File(access, path) => Operation::File { access: *access, path: FilePath::Guest(path) },
            Self::Http(request) => Operation::Http(request),
            Self::Connect(kind, host, port) => {
                let (address, names) = match host {
                    [HttpHost::Address(address)] => (Some(*address), [].as_slice()),
                    name => (None, name.as_slice()),
                };
                Operation::Connect { kind: *kind, address, port: *port, names }
            }
            Self::Lookup(name) => Operation::Lookup(name),
            Self::Env(name) => Operation::Env(name),
            Self::Secret(name, request) => Operation::Secret { name, request },
            Self::State(bytes) => Operation::State { bytes: *bytes },
            Self::Command(name) => Operation::Command(name),
            Self::Elicit => Operation::Elicit,
            Self::Sample => Operation::Sample,
            Self::Roots => Operation::Roots,
        }
    }
}

impl FromStr for Intent {
    type Err = IntentError;

    fn from_str(text: &str) -> Result<Self, IntentError> {
        let text = text.trim();
        let (word, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
        let rest = rest.trim();
        let access = match word {
            "read" => Some(Access::Read),
            "write" => Some(Access::Write),
            "list" => Some(Access::List),
            "mkdir" => Some(Access::Directory),
            _ => None,
        };
        Ok(match (word, rest) {
            (_, path) if !path.is_empty() && access.is_some() => {
                Self::File(access.unwrap_or(Access::Read), path.to_owned())
            }
            ("tcp", to) if !to.is_empty() => connect(SocketKind::Tcp, to)?,
            ("udp", to) if !to.is_empty() => connect(SocketKind::Udp, to)?,
            ("resolve", name) if !name.is_empty() => {
                match parse_host(name).map_err(|why| IntentError::Odd(name.to_owned(), why))? {
                    HttpHost::Address(_) => return Err(IntentError::Address(name.to_owned())),
                    host => Self::Lookup(host),
                }
            }
            ("env", name) if !name.is_empty() => Self::Env(name.to_owned()),
            ("secret", rest) => match rest.split_whitespace().collect::<Vec<_>>()[..] {
                [name, method, url] => Self::Secret(name.to_owned(), request(method, url)?),
                _ => return Err(IntentError::Form(text.to_owned())),
            },
            ("state", "") => Self::State(0),
            ("state", size) => {
                Self::State(units::parse_size(size).map_err(|e| IntentError::Size(e.to_string()))?)
            }
            ("run", name) if !name.is_empty() => Self::Command(name.to_owned()),
            ("elicit", "") => Self::Elicit,
            ("sample", "") => Self::Sample,
            ("roots", "") => Self::Roots,
            (method, url) if method.bytes().all(|b| b.is_ascii_uppercase()) && !url.is_empty() => {
                Self::Http(request(method, url)?)
            }
            _ => return Err(IntentError::Form(text.to_owned())),
        })
    }
}

fn connect(kind: SocketKind, to: &str) -> Result<Intent, IntentError> {
    let (host, port) = parse_authority(to).map_err(|why| IntentError::Odd(to.to_owned(), why))?;
    let port = port.ok_or_else(|| IntentError::Odd(to.to_owned(), OddRequest::Port))?;
    Ok(Intent::Connect(kind, [host], port))
}

fn request(method: &str, url: &str) -> Result<HttpOperation, IntentError> {
    let (scheme, rest) = url.split_once("://").ok_or_else(|| IntentError::Url(url.to_owned()))?;
    let scheme = match scheme {
        "http" => HttpScheme::Http,
        "https" => HttpScheme::Https,
        _ => return Err(IntentError::Url(url.to_owned())),
    };
    let rest = rest.split(['?', '#']).next().unwrap_or_default();
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    HttpOperation::parse(method, scheme, authority, path).map_err(|why| IntentError::Odd(url.to_owned(), why))
}

impl fmt::Display for Intent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(access, path) => {
                let word = match access {
                    Access::Read => "read",
                    Access::Write => "write",
                    Access::List => "list",
                    Access::Directory => "mkdir",
                };
                write!(f, "{word} {path}")
            }
            Self::Http(request) => request.fmt(f),
            Self::Connect(kind, [host], port) => {
                let word = match kind {
                    SocketKind::Tcp => "tcp",
                    SocketKind::Udp => "udp",
                };
                write!(f, "{word} {host}:{port}")
            }
            Self::Lookup(name) => write!(f, "resolve {name}"),
            Self::Env(name) => write!(f, "env {name}"),
            Self::Secret(name, request) => write!(f, "secret {name} {request}"),
            Self::State(0) => f.write_str("state"),
            Self::State(bytes) => write!(f, "state {}", units::show_size(*bytes)),
            Self::Command(name) => write!(f, "run {name}"),
            Self::Elicit => f.write_str("elicit"),
            Self::Sample => f.write_str("sample"),
            Self::Roots => f.write_str("roots"),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    #[test]
    fn what_is_written_is_shown_again() {
        for (text, shown) in [
            ("read /docs/a b.md", "read /docs/a b.md"),
            ("  write   /docs ", "write /docs"),
            ("list /", "list /"),
            ("mkdir /docs/x", "mkdir /docs/x"),
            ("GET https://api.example.org/v1?key=secret", "GET https://api.example.org:443/v1"),
            ("POST http://127.0.0.1:8080", "POST http://127.0.0.1:8080/"),
            ("tcp db.example.org:5432", "tcp db.example.org:5432"),
            ("udp [::1]:53", "udp [::1]:53"),
            ("resolve DB.example.org.", "resolve db.example.org"),
            ("env HOME", "env HOME"),
            ("secret token  GET https://a.org/v1?x", "secret token GET https://a.org:443/v1"),
            ("state", "state"),
            ("state 5MiB", "state 5MiB"),
            ("run  word-count", "run word-count"),
            ("elicit", "elicit"),
            ("sample", "sample"),
            ("roots", "roots"),
        ] {
            assert_eq!(text.parse::<Intent>().unwrap().to_string(), shown, "{text}");
        }
    }

    #[test]
    fn refusals_say_what_to_write() {
        let texts = [
            "",
            "read",
            "fly /a",
            "GET",
            "GET api.example.org",
            "GET ftp://a",
            "GET http://a/../b",
            "state x",
            "secret token",
            "resolve 192.0.2.1",
            "secret token GET",
            "secret token GET a.org",
        ];
        let all: Vec<_> = texts.iter().map(|text| text.parse::<Intent>().unwrap_err().to_string()).collect();
        insta::assert_snapshot!(all.join("\n"));
    }
}
