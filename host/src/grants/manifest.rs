//! What a plugin asks for: the JSON of its `kennel:manifest` section, which can be read without
//! running it. Asking gives nothing; this module grants nothing and trusts nothing it reads.

use std::fmt;

use serde::Deserialize;

use crate::escape::{deceives, escape_for_line};

use super::{DirectoryMode, HostPattern, HttpPlace, SocketPlace, StateScope, parse_resolvable, units};

/// Name of the custom section.
pub const MANIFEST_SECTION: &str = "kennel:manifest";
/// Largest section, in bytes.
pub const MAX_MANIFEST: usize = 64 << 10;
/// Largest list in a manifest, in items.
const MAX_ITEMS: usize = 64;
/// Longest reason or description, in characters: it is shown to a person.
const MAX_TEXT: usize = 1000;
/// Longest name of a variable, setting, method or version, in characters.
const MAX_WORD: usize = 128;

/// Methods of an ask or a grant that names none.
pub const DEFAULT_METHODS: [&str; 2] = ["GET", "HEAD"];

/// A manifest, checked: every text is short and holds nothing that could deceive a terminal.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Asked {
    /// Version of `kennel:plugin` it was built for.
    pub contract: Option<String>,
    /// The crate's name. Says nothing about who wrote it.
    pub name: Option<String>,
    /// The crate's version.
    pub version: Option<String>,
    /// One line about the plugin.
    pub description: Option<String>,
    /// Directories: which ones is for the person to say.
    pub directories: Option<AskedDirectories>,
    /// Outbound HTTP.
    pub http: Vec<AskedHttp>,
    /// A store of its own.
    pub state: Option<AskedState>,
    /// Environment variables.
    pub env: Vec<AskedName>,
    /// Secrets, by the names it writes as `{{secret:NAME}}` or reads as variables.
    pub secrets: Vec<AskedName>,
    /// Settings it reads. These are no grants; listed so that a person knows what to write.
    pub settings: Vec<AskedName>,
    /// Outbound TCP.
    pub tcp: Vec<AskedSocket>,
    /// UDP.
    pub udp: Vec<AskedSocket>,
    /// Names to look up, besides those it asks to go to.
    pub resolve: Vec<AskedLookup>,
    /// Commands of a folder: which is for the person to say.
    pub commands: Option<AskedCommands>,
    /// To ask the person.
    pub elicit: bool,
    /// To ask the client's model.
    pub sample: bool,
    /// To ask which directories the client works in.
    pub roots: bool,
}

/// An ask for directories.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AskedDirectories {
    /// The most it wants to do there.
    pub mode: DirectoryMode,
    /// What for.
    pub why: Option<String>,
}

/// An ask for commands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AskedCommands {
    /// What for.
    pub why: Option<String>,
}

/// An ask for outbound HTTP: to a place, or to the URL in a variable, or to either.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AskedHttp {
    /// Where, if it says.
    pub place: Option<AskedPlace>,
    /// The environment variable whose granted value is a URL it also wants to reach.
    pub url_from_env: Option<String>,
    /// Upper case.
    pub methods: Vec<String>,
    /// What for.
    pub why: Option<String>,
}

/// Where an ask for HTTP points.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AskedPlace {
    /// Wherever the person grants; written `*`.
    Any,
    /// One place.
    At(HttpPlace),
}

/// An ask for a store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AskedState {
    /// The most it wants, in bytes; as granted when it does not say.
    pub quota: Option<u64>,
    /// The widest it wants.
    pub scope: StateScope,
    /// What for.
    pub why: Option<String>,
}

/// A variable or setting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AskedName {
    /// Its name.
    pub name: String,
    /// What for.
    pub why: Option<String>,
}

/// An ask for TCP or UDP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AskedSocket {
    /// Where; `None` is wherever the person grants, written `*`.
    pub place: Option<SocketPlace>,
    /// What for.
    pub why: Option<String>,
}

/// An ask to look up names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AskedLookup {
    /// Which; `None` is whichever the person grants, written `*`.
    pub host: Option<HostPattern>,
    /// What for.
    pub why: Option<String>,
}

/// Why a manifest is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ManifestError {
    /// Over [`MAX_MANIFEST`].
    #[error("its manifest is {0} bytes; at most {MAX_MANIFEST} are read")]
    TooLarge(usize),
    /// Two sections that say different things.
    #[error("it has two manifests that differ")]
    Twice,
    /// Not JSON of the right shape.
    #[error("its manifest does not read: {path}: {message}")]
    Json {
        /// Dotted path of the fault, `.` for the whole.
        path: String,
        /// What is wrong there.
        message: String,
    },
    /// A value that says nothing Kennel can hold a plugin to.
    #[error("its manifest does not read: {path}: {message}")]
    Value {
        /// Dotted path of the fault.
        path: String,
        /// What is wrong there.
        message: String,
    },
}

#[derive(Deserialize)]
#[serde(expecting = "a JSON object")]
struct Raw {
    contract: Option<String>,
    name: Option<String>,
    version: Option<String>,
    description: Option<String>,
    #[serde(default)]
    asks: RawAsks,
}

// Unknown keys are errors here: an ask that this version cannot enforce must not look granted.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RawAsks {
    directories: Option<RawDirectories>,
    http: Vec<RawHttp>,
    state: Option<RawState>,
    env: Vec<RawName>,
    secrets: Vec<RawName>,
    settings: Vec<RawName>,
    tcp: Vec<RawSocket>,
    udp: Vec<RawSocket>,
    resolve: Vec<RawName>,
    commands: Option<RawCommands>,
    elicit: bool,
    sample: bool,
    roots: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawDirectories {
    mode: RawMode,
    why: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawCommands {
    why: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
enum RawMode {
    ReadOnly,
    ReadWrite,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct RawHttp {
    url: Option<String>,
    url_from_env: Option<String>,
    methods: Option<Vec<String>>,
    why: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawState {
    quota: Option<String>,
    scope: Option<RawScope>,
    why: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
enum RawScope {
    Plugin,
    Caller,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawName {
    name: String,
    why: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawSocket {
    address: String,
    why: Option<String>,
}

impl Asked {
    /// Reads the bytes of the section.
    ///
    /// # Errors
    /// When they are more than [`MAX_MANIFEST`], are not JSON of the manifest's shape, hold an unknown
    /// key under `asks`, or a value out of its bounds.
    pub fn parse(bytes: &[u8]) -> Result<Self, ManifestError> {
        if bytes.len() > MAX_MANIFEST {
            return Err(ManifestError::TooLarge(bytes.len()));
        }
        let mut json = serde_json::Deserializer::from_slice(bytes);
        let raw: Raw = serde_path_to_error::deserialize(&mut json).map_err(|error| ManifestError::Json {
            path: escape_for_line(&error.path().to_string()).into_owned(),
            message: escape_for_line(&error.inner().to_string()).into_owned(),
        })?;
        json.end()
            .map_err(|error| ManifestError::Json { path: ".".to_owned(), message: error.to_string() })?;
        raw.check()
    }

    /// Every environment variable it asks for, those of `url-from-env` included.
    pub fn env_names(&self) -> impl Iterator<Item = &str> {
        let urls = self.http.iter().filter_map(|http| http.url_from_env.as_deref());
        self.env.iter().map(|env| env.name.as_str()).chain(urls)
    }
}

impl Raw {
    fn check(self) -> Result<Asked, ManifestError> {
        let asks = self.asks;
        let directories = match asks.directories {
            Some(raw) => Some(AskedDirectories {
                mode: match raw.mode {
                    RawMode::ReadOnly => DirectoryMode::ReadOnly,
                    RawMode::ReadWrite => DirectoryMode::ReadWrite,
                },
                why: text("asks.directories.why", raw.why)?,
            }),
            None => None,
        };
        let state = match asks.state {
            Some(raw) => Some(raw.check()?),
            None => None,
        };
        let commands = match asks.commands {
            Some(raw) => Some(AskedCommands { why: text("asks.commands.why", raw.why)? }),
            None => None,
        };
        Ok(Asked {
            contract: word("contract", self.contract)?,
            name: word("name", self.name)?,
            version: word("version", self.version)?,
            description: text("description", self.description)?,
            directories,
            http: list("asks.http", asks.http, RawHttp::check)?,
            state,
            env: list("asks.env", asks.env, RawName::check)?,
            secrets: list("asks.secrets", asks.secrets, RawName::check)?,
            settings: list("asks.settings", asks.settings, RawName::check)?,
            tcp: list("asks.tcp", asks.tcp, RawSocket::check)?,
            udp: list("asks.udp", asks.udp, RawSocket::check)?,
            resolve: list("asks.resolve", asks.resolve, RawName::check_lookup)?,
            commands,
            elicit: asks.elicit,
            sample: asks.sample,
            roots: asks.roots,
        })
    }
}

impl RawHttp {
    fn check(self, path: &str) -> Result<AskedHttp, ManifestError> {
        let place = match self.url.as_deref() {
            None => None,
            Some("*") => Some(AskedPlace::Any),
            Some(url) => {
                let url = required(&format!("{path}.url"), url.to_owned(), MAX_TEXT)?;
                Some(AskedPlace::At(HttpPlace::parse(&url).map_err(|e| fault(&format!("{path}.url"), e))?))
            }
        };
        let url_from_env = word(&format!("{path}.url-from-env"), self.url_from_env)?;
        if place.is_none() && url_from_env.is_none() {
            return Err(fault(path, "neither `url` nor `url-from-env`"));
        }
        let methods = match self.methods {
            None => DEFAULT_METHODS.map(str::to_owned).to_vec(),
            Some(methods) => list(&format!("{path}.methods"), methods, |method, path| {
                check_method(&method).map_err(|message| fault(path, message))?;
                Ok(method)
            })?,
        };
        Ok(AskedHttp { place, url_from_env, methods, why: text(&format!("{path}.why"), self.why)? })
    }
}

impl RawState {
    fn check(self) -> Result<AskedState, ManifestError> {
        let quota = match word("asks.state.quota", self.quota)? {
            Some(quota) => Some(units::parse_size(&quota).map_err(|e| fault("asks.state.quota", e))?),
            None => None,
        };
        let scope = match self.scope {
            Some(RawScope::Caller) => StateScope::Caller,
            Some(RawScope::Plugin) | None => StateScope::Plugin,
        };
        Ok(AskedState { quota, scope, why: text("asks.state.why", self.why)? })
    }
}

impl RawName {
    fn check(self, path: &str) -> Result<AskedName, ManifestError> {
        let name = required(&format!("{path}.name"), self.name, MAX_WORD)?;
        Ok(AskedName { name, why: text(&format!("{path}.why"), self.why)? })
    }
}

impl RawName {
    fn check_lookup(self, path: &str) -> Result<AskedLookup, ManifestError> {
        let path_of_name = format!("{path}.name");
        let AskedName { name, why } = self.check(path)?;
        let host = match name.as_str() {
            "*" => None,
            name => Some(parse_resolvable(name).map_err(|e| fault(&path_of_name, e))?),
        };
        Ok(AskedLookup { host, why })
    }
}

impl RawSocket {
    fn check(self, path: &str) -> Result<AskedSocket, ManifestError> {
        let path_of_address = format!("{path}.address");
        let place = match required(&path_of_address, self.address, MAX_TEXT)?.as_str() {
            "*" => None,
            address => Some(SocketPlace::parse(address).map_err(|e| fault(&path_of_address, e))?),
        };
        Ok(AskedSocket { place, why: text(&format!("{path}.why"), self.why)? })
    }
}

/// Whether a grant or an ask may name this method: an upper-case token (RFC 9110, 9.1), not `CONNECT`,
/// which would be a tunnel past every other check.
///
/// # Errors
/// A sentence that says what is wrong.
pub(crate) fn check_method(method: &str) -> Result<(), String> {
    let token = http::Method::from_bytes(method.as_bytes()).is_ok() && method.len() <= MAX_WORD;
    if !token {
        Err(format!("{method:?} is not an HTTP method; write for example \"GET\""))
    } else if method.chars().any(|c| c.is_ascii_lowercase()) {
        Err(format!("{method:?} is not upper case; write {:?}", method.to_ascii_uppercase()))
    } else if method == "CONNECT" {
        Err("\"CONNECT\" opens a tunnel past every check and cannot be granted".to_owned())
    } else {
        Ok(())
    }
}

#[allow(clippy::needless_pass_by_value, reason = "a message is made for this call")]
fn fault(path: &str, message: impl fmt::Display) -> ManifestError {
    ManifestError::Value { path: path.to_owned(), message: message.to_string() }
}

fn list<R, T>(
    path: &str,
    raw: Vec<R>,
    check: impl Fn(R, &str) -> Result<T, ManifestError>,
) -> Result<Vec<T>, ManifestError> {
    if raw.len() > MAX_ITEMS {
        return Err(fault(path, format!("{} items; at most {MAX_ITEMS} are read", raw.len())));
    }
    raw.into_iter().enumerate().map(|(i, item)| check(item, &format!("{path}[{i}]"))).collect()
}

fn word(path: &str, value: Option<String>) -> Result<Option<String>, ManifestError> {
    value.map(|value| required(path, value, MAX_WORD)).transpose()
}

fn text(path: &str, value: Option<String>) -> Result<Option<String>, ManifestError> {
    // A doc comment's line breaks are no fault; it is shown as one line.
    let folded = value.map(|value| value.split_ascii_whitespace().collect::<Vec<_>>().join(" "));
    folded.map(|value| if value.is_empty() { Ok(value) } else { required(path, value, MAX_TEXT) }).transpose()
}

fn required(path: &str, value: String, max: usize) -> Result<String, ManifestError> {
    let length = value.chars().count();
    if length == 0 {
        Err(fault(path, "empty"))
    } else if length > max {
        Err(fault(path, format!("{length} characters; at most {max} are read")))
    } else if let Some(c) = value.chars().find(|c| *c == '\n' || deceives(*c)) {
        Err(fault(path, format!("holds the control or invisible character U+{:04X}", u32::from(c))))
    } else {
        Ok(value)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reads_a_full_manifest() {
        let asked = Asked::parse(
            br#"{"contract":"0.1.0","name":"weather","version":"1.2.3","description":"Weather\n of the US.",
            "asks":{"directories":{"mode":"read-write","why":"to keep maps"},
            "http":[{"url":"https://api.weather.gov","methods":["GET"],"url-from-env":"NWS_BASE_URL","why":"forecasts"},
                    {"url":"*"}],
            "state":{"quota":"16MiB","scope":"caller","why":"cache"},
            "env":[{"name":"NWS_BASE_URL"}],"settings":[{"name":"units","why":"metric or not"}],
            "tcp":[{"address":"db:5432"}],"udp":[{"address":"*","why":"any"}],"resolve":[{"name":"*.a.org"}],"commands":{"why":"to check"},"elicit":true,"sample":true,"roots":true}}"#,
        )
        .unwrap();
        insta::assert_debug_snapshot!(asked);
        assert_eq!(Asked::parse(b"{}").unwrap(), Asked::default());
    }

    #[test]
    fn refusals_name_the_place() {
        let long = format!(r#"{{"description":"{}"}}"#, "x".repeat(MAX_TEXT + 1));
        let many = format!(r#"{{"asks":{{"env":[{}]}}}}"#, vec![r#"{"name":"A"}"#; 65].join(","));
        let cases = [
            "",
            "[]",
            "{} {}",
            r#"{"asks":{"root":true}}"#,
            r#"{"asks":{"http":[{"url":"*","audience":1}]}}"#,
            r#"{"asks":{"elicit":true,"elicit":false}}"#,
            r#"{"asks":{"http":[{}]}}"#,
            r#"{"asks":{"http":[{"url":"ftp://x"}]}}"#,
            r#"{"asks":{"http":[{"url":"*","methods":["get"]}]}}"#,
            r#"{"asks":{"http":[{"url":"*","methods":["CONNECT"]}]}}"#,
            r#"{"asks":{"http":[{"url":"*","methods":["G T"]}]}}"#,
            r#"{"asks":{"state":{"quota":"lots"}}}"#,
            r#"{"asks":{"directories":{"mode":"all"}}}"#,
            r#"{"asks":{"env":[{"name":""}]}}"#,
            r#"{"asks":{"tcp":[{"address":"db"}]}}"#,
            r#"{"asks":{"udp":[{"address":"*.1.2.3.4:53"}]}}"#,
            r#"{"asks":{"resolve":[{"name":"127.0.0.1"}]}}"#,
            "{\"name\":\"a\\u202eb\"}",
            "{\"name\":\"a\\u001b[2Jb\"}",
            &long,
            &many,
        ];
        let said: Vec<_> =
            cases.iter().map(|case| Asked::parse(case.as_bytes()).unwrap_err().to_string()).collect();
        insta::assert_snapshot!(said.join("\n"));
        assert_eq!(Asked::parse(&[b' '; MAX_MANIFEST + 1]), Err(ManifestError::TooLarge(MAX_MANIFEST + 1)));
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes: Vec<u8>) {
            let _ = Asked::parse(&bytes);
        }
    }
}
