//! Reads the value of a secret from the host: its environment, a file that is the user's alone, the system's keyring.
//! Must not write a value anywhere, nor into an error.

use std::fs::File;
use std::io::{self, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use secrecy::SecretString;
use secrecy::zeroize::Zeroize as _;

use crate::grants::SecretSource;

/// Shortest value, in bytes: a shorter one is guessed, and is found in innocent text.
const SHORTEST: usize = 8;
/// Longest value, in bytes: as much as common servers take in one header, and what scrubbing can look for.
const LONGEST: usize = 4 << 10;
/// Longest wait for the keyring, which may ask its owner for a password.
const PATIENCE: Duration = Duration::from_secs(30);
/// How often it is looked whether the keyring has answered.
const LOOK: Duration = Duration::from_millis(10);

/// Why a value cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// No such variable.
    #[error(
        "the environment variable {0} is not set where Kennel was started; set it there, or use file: or keyring:"
    )]
    Unset(String),
    /// No such file, or none that can be read.
    #[error("{}: {source}; write the value there, readable by you alone", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A link.
    #[error("{}: is a link, which is not followed; name the file itself", .0.display())]
    Link(PathBuf),
    /// A folder, a pipe, a device.
    #[error("{}: is not a file", .0.display())]
    NotFile(PathBuf),
    /// Somebody else's.
    #[error("{}: belongs to another user; use a file of your own", .0.display())]
    Foreign(PathBuf),
    /// Readable or writable by others.
    #[error("{}: others may use it; run `chmod 600 {}`", .0.display(), .0.display())]
    Exposed(PathBuf),
    /// Too short.
    #[error("{0} gives fewer than {SHORTEST} bytes, which is too short to be kept secret; use a longer one")]
    Short(String),
    /// Too long.
    #[error("{0} gives more than {LONGEST} bytes; use a shorter one")]
    Long(String),
    /// Not text that can be sent.
    #[error("{0} gives what is not text in one line, and cannot be sent")]
    NotText(String),
    /// The keyring's program is not there.
    #[error(
        "{program} is needed to ask the system's keyring and cannot be started ({source}); install it ({package}), or use env: or file:"
    )]
    NoKeyring {
        /// Which.
        program: &'static str,
        /// What it comes with.
        package: &'static str,
        /// Why.
        source: io::Error,
    },
    /// The keyring has no such entry, or is locked, or no keyring runs.
    #[error(
        "the system's keyring gives nothing for service {service:?}, user {user:?}; unlock it and store it there with `{how}`, or use env: or file:"
    )]
    NotInKeyring {
        /// The service.
        service: String,
        /// The user.
        user: String,
        /// The command that stores it.
        how: String,
    },
}

/// Reads a value; a line break at its end is not part of it. One that is `sent` is text in one line.
///
/// # Errors
/// When it cannot be read, is too short or too long, or is not text.
pub(super) fn read(source: &SecretSource, sent: bool) -> Result<SecretString, SourceError> {
    let mut bytes = match source {
        SecretSource::Env(name) => {
            let value = std::env::var_os(name).ok_or_else(|| SourceError::Unset(name.clone()))?;
            value.into_encoded_bytes()
        }
        SecretSource::File(path) => read_file(path)?,
        SecretSource::Keyring { service, user } => ask_keyring(service, user)?,
    };
    if bytes.ends_with(b"\n") {
        bytes.pop();
        if bytes.ends_with(b"\r") {
            bytes.pop();
        }
    }
    let what = || source.to_string();
    let text = String::from_utf8(bytes).map_err(|error| {
        error.into_bytes().zeroize();
        SourceError::NotText(what())
    })?;
    let bad = |c: char| if sent { c.is_control() } else { c == '\0' };
    let fault = if guarded!("secret-length", text.len() < SHORTEST) {
        Some(SourceError::Short(what()))
    } else if text.len() > LONGEST {
        Some(SourceError::Long(what()))
    } else if text.contains(bad) {
        Some(SourceError::NotText(what()))
    } else {
        None
    };
    let text = SecretString::from(text);
    fault.map_or(Ok(text), Err)
}

fn read_file(path: &Path) -> Result<Vec<u8>, SourceError> {
    let fault = |source| SourceError::Open { path: path.to_owned(), source };
    // Without blocking, should it be a pipe.
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC | OFlags::NOCTTY;
    let file = match rustix::fs::open(path, flags, Mode::empty()) {
        Ok(file) => File::from(file),
        Err(Errno::LOOP) => return Err(SourceError::Link(path.to_owned())),
        Err(error) => return Err(fault(error.into())),
    };
    let meta = file.metadata().map_err(fault)?;
    if !meta.is_file() {
        return Err(SourceError::NotFile(path.to_owned()));
    }
    if meta.uid() != rustix::process::geteuid().as_raw() {
        return Err(SourceError::Foreign(path.to_owned()));
    }
    if guarded!("secret-files", meta.mode() & 0o077 != 0) {
        return Err(SourceError::Exposed(path.to_owned()));
    }
    read_bounded(file).map_err(fault)
}

/// As much as the longest value with its line break, and one byte more for those that are longer.
fn read_bounded(from: impl io::Read) -> io::Result<Vec<u8>> {
    // Of this size from the beginning: growing would leave copies behind.
    let mut bytes = Vec::with_capacity(LONGEST + 4);
    from.take(LONGEST as u64 + 3).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Asks the system's keyring by the program that comes with it: on macOS that of the keychain, elsewhere that of the
/// Secret Service, which GNOME Keyring, KWallet and KeePassXC offer.
fn ask_keyring(service: &str, user: &str) -> Result<Vec<u8>, SourceError> {
    let mac = cfg!(target_os = "macos");
    let (program, package) =
        if mac { ("security", "part of macOS") } else { ("secret-tool", "libsecret-tools") };
    let mut command = Command::new(program);
    if mac {
        command.args(["find-generic-password", "-w", "-s", service, "-a", user]);
    } else {
        command.args(["lookup", "service", service, "username", user]);
    }
    let no_keyring = |source| SourceError::NoKeyring { program, package, source };
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().map_err(no_keyring)?;
    let out = child.stdout.take().ok_or_else(|| no_keyring(io::ErrorKind::BrokenPipe.into()))?;
    let reader = std::thread::Builder::new()
        .name("keyring".into())
        .spawn(move || read_bounded(out))
        .map_err(no_keyring)?;
    let until = Instant::now() + PATIENCE;
    let worked = loop {
        match child.try_wait().map_err(no_keyring)? {
            Some(status) => break status.success(),
            None if Instant::now() >= until => {
                let _ = child.kill();
                let _ = child.wait();
                break false;
            }
            None => std::thread::sleep(LOOK),
        }
    };
    // Nobody waits for what a program that was stopped may have left open.
    let bytes = if worked { reader.join().ok().and_then(Result::ok) } else { None };
    let bytes = bytes.filter(|bytes| !bytes.is_empty());
    bytes.ok_or_else(|| SourceError::NotInKeyring {
        service: service.to_owned(),
        user: user.to_owned(),
        how: if mac {
            format!("security add-generic-password -s {service} -a {user} -w")
        } else {
            format!("secret-tool store --label={service} service {service} username {user}")
        },
    })
}

#[cfg(test)]
#[path = "source_tests.rs"]
mod tests;
