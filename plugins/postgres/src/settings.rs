//! Which server, as whom, and how much of it: `DATABASE_URL`, `PGPASSWORD` and the settings, read once a call.
//! Needs the environment variables that were granted. Must not print the password.

use std::time::Duration;

use kennel_sdk::prelude::*;
use kennel_sdk::setting;
use percent_encoding::percent_decode_str;
use url::Url;

/// Rows of an answer, unless the setting `max-rows` says otherwise.
const MAX_ROWS: u32 = 1_000;
/// Bytes of an answer's rows as JSON, unless `max-bytes` says otherwise. A structured answer holds them twice, and the host
/// lets a result have 1 MiB.
const MAX_BYTES: u32 = 400_000;
/// Seconds a statement may run, unless `statement-timeout` says otherwise. The host ends a call after 30.
const STATEMENT_TIMEOUT: u32 = 20;
/// What a call needs beside its statement.
const SPARE: Duration = Duration::from_secs(2);
/// PostgreSQL's port.
const PORT: u16 = 5432;

/// What one answer may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Bounds {
    /// Rows.
    pub(crate) rows: u32,
    /// Bytes of the rows' JSON.
    pub(crate) bytes: u32,
    /// Wall clock of a statement, which the server keeps.
    pub(crate) statement: Duration,
}

impl Bounds {
    /// For this plugin's own questions to the catalogue, whose answers are of no use in part.
    pub(crate) fn whole(self) -> Self {
        Self { rows: 100_000, bytes: 8 << 20, ..self }
    }
}

/// Where the database is and who asks it.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Server {
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) user: String,
    pub(crate) password: Option<String>,
    pub(crate) database: String,
    /// What URIs of tables begin with: the URL without its password.
    pub(crate) base: Url,
}

impl Server {
    /// From the environment.
    ///
    /// # Errors
    /// [`Error::Failed`] when `DATABASE_URL` is missing or is none that this plugin can use.
    pub(crate) fn from_environment() -> Result<Self> {
        let url = std::env::var("DATABASE_URL").map_err(|_| {
            Error::failed(
                "no database is set: put DATABASE_URL = \"postgresql://USER@HOST:PORT/NAME\" under [plugins.NAME.env] \
                 in kennel.toml",
            )
        })?;
        Self::parse(&url, std::env::var("PGPASSWORD").ok())
    }

    /// From a URL; `password` is for a URL without one.
    fn parse(text: &str, password: Option<String>) -> Result<Self> {
        // The text may hold a password, so no message repeats it.
        let wrong = |why: &str| Error::failed(format!("DATABASE_URL cannot be used: {why}"));
        let mut url = Url::parse(text).map_err(|error| wrong(&error.to_string()))?;
        if !matches!(url.scheme(), "postgres" | "postgresql") {
            return Err(wrong("it begins with neither postgresql:// nor postgres://"));
        }
        for (key, value) in url.query_pairs() {
            let encrypted = match key.as_ref() {
                "sslmode" => !matches!(value.as_ref(), "disable" | "allow" | "prefer"),
                "ssl" => !matches!(value.as_ref(), "0" | "false"),
                _ => false,
            };
            if encrypted {
                return Err(wrong(&format!(
                    "`{key}={value}` asks for TLS, which this plugin does not speak: reach the server over a network or \
                     a tunnel that is private, and say sslmode=disable"
                )));
            }
        }
        let decoded = |text: &str| {
            percent_decode_str(text)
                .decode_utf8()
                .map(std::borrow::Cow::into_owned)
                .map_err(|_| wrong("an escape in it does not make UTF-8"))
        };
        // Of a literal IPv6 address the name resolver wants no brackets.
        let host = decoded(url.host_str().unwrap_or(""))?;
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        if host.starts_with('/') {
            return Err(wrong("it names a socket of this machine; only TCP, HOST:PORT, is possible"));
        }
        let user = decoded(url.username())?;
        if user.is_empty() {
            return Err(wrong("it names no user: write postgresql://USER@HOST:PORT/NAME"));
        }
        let database = decoded(url.path().trim_start_matches('/'))?;
        let password = match url.password() {
            Some(password) if !password.is_empty() => Some(decoded(password)?),
            _ => password,
        };
        if user.contains('\0') || database.contains('\0') {
            return Err(wrong("a name in it has a zero byte"));
        }
        let server = Self {
            host: if host.is_empty() { "localhost".into() } else { host },
            port: url.port().unwrap_or(PORT),
            database: if database.is_empty() { user.clone() } else { database },
            user,
            password,
            base: {
                let base = text.strip_prefix("postgresql:").map(|rest| format!("postgres:{rest}"));
                if let Some(base) = base {
                    url = Url::parse(&base).map_err(|error| wrong(&error.to_string()))?;
                }
                let _ = url.set_password(None);
                url
            },
        };
        Ok(server)
    }
}

/// The bounds of a call that has `left` to go.
///
/// # Errors
/// [`Error::Failed`] naming a setting that is no number or out of its range.
pub(crate) fn bounds(left: Duration) -> Result<Bounds> {
    let number = |key: &str, default: u32, most: u32| -> Result<u32> {
        let value = setting::<u32>(key)?.unwrap_or(default);
        if value == 0 || value > most {
            return Err(Error::failed(format!("the setting `{key}` is {value}; it may be 1 to {most}")));
        }
        Ok(value)
    };
    let statement = Duration::from_secs(number("statement-timeout", STATEMENT_TIMEOUT, 86_400)?.into());
    Ok(Bounds {
        rows: number("max-rows", MAX_ROWS, 1_000_000)?,
        bytes: number("max-bytes", MAX_BYTES, 128 << 20)?,
        // The server must give up before the host does, or nobody learns why.
        statement: statement.min(left.saturating_sub(SPARE)).max(Duration::from_millis(100)),
    })
}

/// The tables that may be read, when not all may: names, or schemas and names with a dot between.
///
/// # Errors
/// [`Error::Failed`] when the setting is no list of texts.
pub(crate) fn tables() -> Result<Option<Vec<String>>> {
    setting("tables")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    #[test]
    fn a_url_is_read_as_libpq_reads_it() {
        let server = Server::parse("postgresql://ada:p%40ss@db.example.org:6000/my%20db", None).unwrap();
        assert_eq!((server.host.as_str(), server.port), ("db.example.org", 6000));
        assert_eq!((server.user.as_str(), server.database.as_str()), ("ada", "my db"));
        assert_eq!(server.password.as_deref(), Some("p@ss"));
        assert_eq!(server.base.as_str(), "postgres://ada@db.example.org:6000/my%20db");
    }

    #[test]
    fn what_is_left_out_has_its_usual_value() {
        let server = Server::parse("postgres://ada@[::1]", Some("kept".into())).unwrap();
        assert_eq!((server.host.as_str(), server.port), ("::1", 5432));
        assert_eq!((server.database.as_str(), server.password.as_deref()), ("ada", Some("kept")));
    }

    #[test]
    fn what_cannot_be_used_is_refused_without_repeating_it() {
        for (url, why) in [
            ("mysql://ada:hush@h/d", "neither"),
            ("postgresql://h/d", "no user"),
            ("postgresql://ada:hush@h/d?sslmode=require", "does not speak"),
            ("postgresql://ada:hush@%2Fvar%2Frun/d", "only TCP"),
            ("hush", "relative"),
        ] {
            let Err(error) = Server::parse(url, None) else { panic!("{url} was taken") };
            let error = error.to_string();
            assert!(error.contains(why) && !error.contains("hush"), "{url}: {error}");
        }
    }
}
