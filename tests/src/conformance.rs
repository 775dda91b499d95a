//! The protocol's own conformance suite against `kennel serve --http` with the plugin `everything`, one revision of the
//! protocol after the other, every scenario, and what came of each check.
//! Used by `cargo xtask conformance`, which prints the report, and by a test, which demands that nothing failed.
//! It must not expect a failure: there is no list of them. A scenario that left no result has failed.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::{self, File};
use std::io::{Error, Read as _, Result, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

/// How long the server may take until its plugin is loaded: a debug build compiles it in that time.
const READY: Duration = Duration::from_secs(180);
/// How long one scenario may take, in milliseconds, as the suite's option wants it.
const SCENARIO_MS: &str = "60000";

/// A revision of the protocol, and which of the suite's scenarios are run for it.
#[derive(Debug, Clone, Copy)]
pub struct Revision {
    /// As the protocol calls it.
    pub name: &'static str,
    /// What chooses the scenarios on the suite's command line.
    choice: &'static [&'static str],
    /// How many scenarios there are, scored and unscored: these sets are frozen, and a run with fewer is none.
    scenarios: usize,
}

/// All of them. With `--requirements` come the frozen scored set (30 and 37) and every unscored scenario (3 and 13).
pub const REVISIONS: [Revision; 3] = [
    Revision {
        name: "2025-06-18",
        choice: &["--suite", "active", "--spec-version", "2025-06-18"],
        scenarios: 27,
    },
    Revision { name: "2025-11-25", choice: &["--requirements", "2025-11-25"], scenarios: 33 },
    Revision { name: "2026-07-28", choice: &["--requirements", "2026-07-28"], scenarios: 50 },
];

/// What a run needs, all of it built or installed before.
#[derive(Debug)]
pub struct Setting {
    /// The binary under test.
    pub kennel: PathBuf,
    /// The component `everything.wasm`.
    pub plugin: PathBuf,
    /// Its `kennel.toml`.
    pub config: PathBuf,
    /// A Node that the suite runs on.
    pub node: PathBuf,
    /// The suite's `dist/index.js`.
    pub suite: PathBuf,
    /// Where the home, the results and the logs go; made anew for each revision.
    pub folder: PathBuf,
}

impl Setting {
    /// The parts of a `target` folder and of the sources, with results in `folder`.
    pub fn new(kennel: PathBuf, target: &Path, sources: &Path, folder: PathBuf) -> Self {
        let packages = target.join("clients/node/node_modules");
        Self {
            kennel,
            plugin: target.join("plugins/everything.wasm"),
            config: sources.join("plugins/everything/kennel.toml"),
            node: packages.join(".bin/node"),
            suite: packages.join("@modelcontextprotocol/conformance/dist/index.js"),
            folder,
        }
    }

    /// Starts a server of its own on a home of its own and runs every scenario of a revision against it.
    ///
    /// # Errors
    /// When something cannot be started or read; a scenario that fails is no error but part of the report.
    pub fn run(&self, revision: Revision) -> Result<Report> {
        let folder = self.folder.join(revision.name);
        if folder.exists() {
            fs::remove_dir_all(&folder)?;
        }
        let (home, results) = (folder.join("home"), folder.join("results"));
        fs::create_dir_all(home.join("plugins"))?;
        fs::create_dir_all(folder.join("user"))?;
        fs::copy(&self.plugin, home.join("plugins/everything.wasm"))
            .map_err(|error| told(&self.plugin, &error))?;
        fs::copy(&self.config, home.join("kennel.toml")).map_err(|error| told(&self.config, &error))?;
        let approved = self.kennel(&folder).args(["approve", "--all"]).output()?;
        if !approved.status.success() {
            let said = String::from_utf8_lossy(&approved.stderr).into_owned();
            return Err(Error::other(format!("`kennel approve --all` failed: {said}")));
        }
        let server = Served::start(self.kennel(&folder), &folder.join("kennel.log"))?;
        let log = folder.join("suite.log");
        let said = File::create(&log)?;
        let status = Command::new(&self.node)
            .arg(&self.suite)
            .args(["server", "--url", &server.url, "--timeout", SCENARIO_MS, "--output-dir"])
            .arg(&results)
            .args(revision.choice)
            .current_dir(&folder)
            .stdin(Stdio::null())
            .stderr(said.try_clone()?)
            .stdout(said)
            .status()
            .map_err(|error| told(&self.node, &error))?;
        if !results.is_dir() {
            return Err(Error::other(format!("the suite ran nothing ({status}); see {}", log.display())));
        }
        Report::read(revision, &results)
    }

    fn kennel(&self, folder: &Path) -> Command {
        let mut command = Command::new(&self.kennel);
        command
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("KENNEL_HOME", folder.join("home"))
            .env("HOME", folder.join("user"));
        command
    }
}

fn told(path: &Path, error: &Error) -> Error {
    Error::new(error.kind(), format!("{}: {error}", path.display()))
}

/// A running `kennel serve --http`; killed on drop.
struct Served {
    child: Child,
    url: String,
}

impl Served {
    /// Starts it on a port of its own choice and waits until its plugins are loaded.
    fn start(mut command: Command, log: &Path) -> Result<Self> {
        let child = command
            .args(["serve", "--http", "127.0.0.1:0"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(log)?)
            .spawn()?;
        let mut served = Self { child, url: String::new() };
        let end = Instant::now() + READY;
        while Instant::now() < end {
            let said = fs::read_to_string(log)?;
            if let Some(status) = served.child.try_wait()? {
                return Err(Error::other(format!("`kennel serve --http` ended ({status}) and said: {said}")));
            }
            // A line that is still being written is no address yet.
            let lines = said.rsplit_once('\n').map_or("", |(lines, _)| lines);
            if let Some(url) = lines.lines().find_map(listening).filter(|url| is_ready(url)) {
                served.url = url.to_owned();
                return Ok(served);
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Err(Error::other(format!(
            "`kennel serve --http` was not ready after {READY:?}; see {}",
            log.display()
        )))
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The URL in the line that says where the server listens.
fn listening(line: &str) -> Option<&str> {
    line.split_once("listening on ").map(|(_, rest)| rest.split_whitespace().next().unwrap_or_default())
}

/// Whether the server says that its plugins are loaded.
fn is_ready(url: &str) -> bool {
    let Some(address) = url.strip_prefix("http://").and_then(|rest| rest.split('/').next()) else {
        return false;
    };
    let ask = || -> Result<bool> {
        let mut stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(Duration::from_secs(10)))?;
        write!(stream, "GET /ready HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")?;
        let mut status = [0; 12];
        stream.read_exact(&mut status)?;
        Ok(status.ends_with(b" 200"))
    };
    ask().unwrap_or(false)
}

/// What came of one scenario: each check that did not simply succeed, and the numbers.
#[derive(Debug, Default)]
struct Scenario {
    passed: usize,
    /// Checks that failed, and what the suite says of each.
    failed: Vec<String>,
    warned: Vec<String>,
    skipped: Vec<String>,
}

/// What came of a revision.
#[derive(Debug)]
pub struct Report {
    revision: Revision,
    scenarios: BTreeMap<String, Scenario>,
}

impl Report {
    /// Reads the folders `server-SCENARIO-TIME` that the suite left.
    fn read(revision: Revision, results: &Path) -> Result<Self> {
        let mut scenarios = BTreeMap::new();
        for entry in fs::read_dir(results)? {
            let path = entry?.path();
            let folder = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let name = scenario_name(&folder)
                .ok_or_else(|| Error::other(format!("what is {} among the results?", path.display())))?;
            let scenario = match fs::read(path.join("checks.json")) {
                Ok(bytes) => Scenario::read(&bytes).map_err(|error| told(&path, &error))?,
                Err(error) => Scenario::broken(format!("it left no checks: {error}")),
            };
            scenarios.insert(name.to_owned(), scenario);
        }
        Ok(Self { revision, scenarios })
    }

    /// Whether every scenario ran and no check failed.
    pub fn is_clean(&self) -> bool {
        self.scenarios.len() == self.revision.scenarios
            && self.scenarios.values().all(|scenario| scenario.is_good() || scenario.is_skipped())
    }

    /// Everything besides what simply passed, a line each.
    pub fn remarks(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for (name, scenario) in &self.scenarios {
            for (kind, remarks) in
                [("FAILED", &scenario.failed), ("warning", &scenario.warned), ("skipped", &scenario.skipped)]
            {
                lines.extend(remarks.iter().map(|remark| format!("{kind}: {name}: {remark}")));
            }
            if !scenario.is_good() && !scenario.is_skipped() && scenario.failed.is_empty() {
                lines.push(format!("FAILED: {name}: it checked nothing"));
            }
        }
        if self.scenarios.len() != self.revision.scenarios {
            lines.push(format!(
                "FAILED: {} scenarios ran instead of {}",
                self.scenarios.len(),
                self.revision.scenarios
            ));
        }
        lines
    }
}

/// The one line for a revision.
impl fmt::Display for Report {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sum = |count: fn(&Scenario) -> usize| self.scenarios.values().map(count).sum::<usize>();
        let good = sum(|scenario| usize::from(scenario.is_good()));
        let skipped = sum(|scenario| usize::from(scenario.is_skipped()));
        let all = self.revision.scenarios.max(self.scenarios.len());
        write!(
            formatter,
            "{}: scenarios: {good} passed, {} failed, {skipped} skipped; checks: {} passed, {} failed, {} warnings, {} skipped",
            self.revision.name,
            all - good - skipped,
            sum(|scenario| scenario.passed),
            sum(|scenario| scenario.failed.len()),
            sum(|scenario| scenario.warned.len()),
            sum(|scenario| scenario.skipped.len()),
        )
    }
}

impl Scenario {
    fn broken(why: String) -> Self {
        Self { failed: vec![why], ..Self::default() }
    }

    /// The suite left all of it out, by its own decision.
    fn is_skipped(&self) -> bool {
        self.passed + self.failed.len() + self.warned.len() == 0 && !self.skipped.is_empty()
    }

    /// Something was checked, and nothing failed.
    fn is_good(&self) -> bool {
        self.failed.is_empty() && self.passed + self.warned.len() > 0
    }

    /// Reads a `checks.json`: a list of `{id, status, errorMessage…}`.
    fn read(bytes: &[u8]) -> Result<Self> {
        let checks: Vec<Value> = serde_json::from_slice(bytes)?;
        let mut scenario = Self::default();
        for check in &checks {
            let why =
                check["errorMessage"].as_str().or_else(|| check["description"].as_str()).unwrap_or_default();
            let remark = format!("{}: {why}", check["id"].as_str().unwrap_or("a check"));
            match check["status"].as_str() {
                // The suite notes with `INFO` what it saw and does not judge.
                Some("SUCCESS") => scenario.passed += 1,
                Some("INFO") => {}
                Some("WARNING") => scenario.warned.push(remark),
                Some("SKIPPED") => scenario.skipped.push(remark),
                // What this code does not know is not taken for a success.
                _ => scenario.failed.push(remark),
            }
        }
        Ok(scenario)
    }
}

/// `tools-list` out of `server-tools-list-2026-11-21T15-14-28-395Z`.
fn scenario_name(folder: &str) -> Option<&str> {
    const TIME: &str = "-2026-11-21T15-14-28-395Z";
    let name = folder.strip_prefix("server-")?;
    let time = name.len().checked_sub(TIME.len())?;
    name.is_char_boundary(time).then(|| &name[..time]).filter(|name| !name.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(checks: &[&str]) -> Report {
        let scenarios = checks
            .iter()
            .enumerate()
            .map(|(at, text)| (format!("s{at}"), Scenario::read(text.as_bytes()).unwrap()))
            .collect();
        Report { revision: Revision { name: "r", choice: &[], scenarios: 2 }, scenarios }
    }

    const GOOD: &str = r#"[{"id": "a", "status": "SUCCESS"}, {"id": "n", "status": "INFO"}]"#;

    #[test]
    fn only_a_whole_and_clean_run_is_clean() {
        let clean = report(&[GOOD, r#"[{"id": "b", "status": "WARNING", "errorMessage": "hm"}]"#]);
        assert!(clean.is_clean());
        assert_eq!(
            clean.to_string(),
            "r: scenarios: 2 passed, 0 failed, 0 skipped; checks: 1 passed, 0 failed, 1 warnings, 0 skipped"
        );
        let skipped = report(&[GOOD, r#"[{"id": "b", "status": "SKIPPED", "errorMessage": "later"}]"#]);
        assert!(skipped.is_clean());
        assert_eq!(skipped.remarks(), ["skipped: s1: b: later"]);
        assert!(
            skipped.to_string().starts_with("r: scenarios: 1 passed, 0 failed, 1 skipped; "),
            "{skipped}"
        );
        assert_eq!(clean.remarks(), ["warning: s1: b: hm"]);
        for (checks, says) in [
            (vec![GOOD], "1 scenarios ran instead of 2"),
            (vec![GOOD, "[]"], "s1: it checked nothing"),
            (vec![GOOD, r#"[{"id": "b", "status": "FAILURE", "errorMessage": "no"}]"#], "s1: b: no"),
            (vec![GOOD, r#"[{"id": "b", "status": "PERHAPS"}]"#], "s1: b: "),
        ] {
            let report = report(&checks);
            assert!(!report.is_clean(), "{report}");
            assert!(report.to_string().contains("1 passed, 1 failed, 0 skipped;"), "{report}");
            let remarks = report.remarks().join("\n");
            assert!(remarks.contains("FAILED") && remarks.contains(says), "{remarks}");
        }
    }

    #[test]
    fn names_of_scenarios_are_found_in_their_folders() {
        assert_eq!(scenario_name("server-tools-list-2026-11-21T15-14-28-395Z"), Some("tools-list"));
        for other in ["tools-list-2026-11-21T15-14-28-395Z", "server-2026-11-21T15-14-28-395Z", "server-x"] {
            assert_eq!(scenario_name(other), None, "{other}");
        }
    }

    #[test]
    fn the_address_is_read_from_its_line() {
        assert_eq!(
            listening("12:00 INFO listening on http://127.0.0.1:8080/mcp (no token)"),
            Some("http://127.0.0.1:8080/mcp")
        );
        assert_eq!(listening("loading plugins"), None);
    }
}
