//! Switches each guard of `tests/guards.toml` off in turn and sees its tests turn red: a guard whose loss no test notices
//! is none. One build of the host has the switches (the feature `mutate`); the tests are the ordinary ones, run against it.
//! It must not judge a test by more than whether it failed, and must not leave a mutated `kennel` where others would run it.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use kennel_tests::guards::{self, Guard, PATIENCE, SWITCH};
use serde::Deserialize;

use crate::plugins;
use crate::workspace::{self, Workspace, say};

/// Longest run of one test, with and without its guard. One that goes on for so long hangs, which is a failure.
const LONGEST: Duration = Duration::from_secs(240);
/// Seconds that a test waits for one answer: without some guards none comes.
const ANSWER: &str = "30";
/// Where the switched build lies, below the target folder.
const FOLDER: &str = "mutate";

/// Cargo's message about something it built.
#[derive(Deserialize)]
struct Message {
    reason: String,
    manifest_path: Option<PathBuf>,
    executable: Option<PathBuf>,
    target: Option<Target>,
    profile: Option<Profile>,
}

#[derive(Deserialize)]
struct Target {
    name: String,
    kind: Vec<String>,
}

#[derive(Deserialize)]
struct Profile {
    test: bool,
}

/// A test's executable and the folder of its package.
#[derive(Clone)]
struct Binary {
    executable: PathBuf,
    package: PathBuf,
}

/// How one run of one test ended.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ended {
    Passed,
    Failed,
    Hung,
}

/// Runs it for the guards whose names contain one of `only`, or for all.
pub(crate) fn run(workspace: &Workspace, only: &[String]) -> Result<()> {
    let mut guards = guards::read(&workspace.path("")).map_err(anyhow::Error::msg)?;
    guards.retain(|name, _| only.is_empty() || only.iter().any(|part| name.contains(part.as_str())));
    if guards.is_empty() {
        bail!("no guard in tests/guards.toml has {only:?} in its name");
    }
    plugins::build(workspace)?;
    plugins::build_hostile(workspace)?;
    let bench = Bench::build(workspace)?;

    let all: BTreeSet<&str> =
        guards.values().flat_map(|guard| guard.tests.iter().map(String::as_str)).collect();
    say(&format!("{} tests with every guard in its place", all.len()));
    let runs: Vec<(&str, &str)> = all.iter().map(|test| ("", *test)).collect();
    let sound = bench.run_all(&runs)?;
    let broken: Vec<&str> = sound
        .iter()
        .filter(|(_, ended, _)| *ended != Ended::Passed)
        .map(|(index, ..)| runs[*index].1)
        .collect();
    if !broken.is_empty() {
        bail!("these fail with every guard in its place, so they show nothing: {}", broken.join(", "));
    }

    say(&format!("switching {} guards off, one at a time", guards.len()));
    let runs: Vec<(&str, &str)> = guards
        .iter()
        .flat_map(|(name, guard)| guard.tests.iter().map(|test| (name.as_str(), test.as_str())))
        .collect();
    let ended = bench.run_all(&runs)?;
    report(&guards, &runs, &ended)
}

/// One line a guard; an error when a test stayed green.
fn report(
    guards: &BTreeMap<String, Guard>,
    runs: &[(&str, &str)],
    ended: &[(usize, Ended, Duration)],
) -> Result<()> {
    let mut green = Vec::new();
    println!("{:<4} {:<22} {:>7}  without it", "row", "guard", "s");
    for (name, guard) in guards {
        let mut words = Vec::new();
        let mut took = Duration::ZERO;
        for (index, how, time) in ended.iter().filter(|(index, ..)| runs[*index].0 == name) {
            let test = runs[*index].1;
            took += *time;
            words.push(match how {
                Ended::Failed => format!("red: {test}"),
                Ended::Hung => format!("red (never ended): {test}"),
                Ended::Passed => {
                    green.push(format!("{name}: {test}"));
                    format!("GREEN: {test}")
                }
            });
        }
        println!("{:<4} {name:<22} {:>7.1}  {}", guard.row, took.as_secs_f64(), words.join(", "));
    }
    println!("{} guards, {} runs, {} green", guards.len(), runs.len(), green.len());
    if green.is_empty() {
        return Ok(());
    }
    bail!("these tests do not notice that their guard is gone:\n{}", green.join("\n"))
}

/// Everything that the runs need.
struct Bench {
    kennel: PathBuf,
    /// By the first part of a test's name.
    binaries: BTreeMap<String, Binary>,
}

impl Bench {
    fn build(workspace: &Workspace) -> Result<Self> {
        say("building kennel with switches");
        workspace::run(workspace.cargo(&[
            "build",
            "--workspace",
            "--bin",
            "kennel",
            "--features",
            "kennel/mutate",
        ]))?;
        let kennel = workspace.target(FOLDER).join("kennel");
        std::fs::create_dir_all(workspace.target(FOLDER)).context("cannot make a folder under target/")?;
        std::fs::copy(workspace.target("debug/kennel"), &kennel)
            .context("cannot copy the switched kennel")?;
        // The host's own tests have the switches too; those of `tests/` are as always, and so is `kennel` again.
        let with = ["test", "--workspace", "--lib", "--test", "stdio", "--features", "kennel/mutate"];
        let mut binaries = built(workspace, &with, &|name| matches!(name, "kennel" | "stdio"))?;
        workspace.build_host()?;
        binaries.extend(built(workspace, &["test", "--workspace", "--tests"], &|name| {
            !matches!(name, "kennel" | "stdio")
        })?);
        Ok(Self { kennel, binaries })
    }

    /// Runs tests, each in a process of its own and as many at once as there are cores, with the named guard off. Gives
    /// how each ended.
    fn run_all(&self, runs: &[(&str, &str)]) -> Result<Vec<(usize, Ended, Duration)>> {
        let next = AtomicUsize::new(0);
        let ended = Mutex::new(Vec::new());
        let workers = std::thread::available_parallelism().map_or(2, usize::from);
        std::thread::scope(|scope| {
            let work = || -> Result<()> {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    let Some((guard, test)) = runs.get(index) else { return Ok(()) };
                    let begun = Instant::now();
                    let how = self.run_one(guard, test)?;
                    ended.lock().map_err(|_| anyhow::anyhow!("a worker panicked"))?.push((
                        index,
                        how,
                        begun.elapsed(),
                    ));
                }
            };
            let workers: Vec<_> = (0..workers).map(|_| scope.spawn(work)).collect();
            for worker in workers {
                worker.join().map_err(|_| anyhow::anyhow!("a worker panicked"))??;
            }
            Ok::<_, anyhow::Error>(())
        })?;
        let mut ended = ended.into_inner().map_err(|_| anyhow::anyhow!("a worker panicked"))?;
        ended.sort_by_key(|(index, ..)| *index);
        Ok(ended)
    }

    fn run_one(&self, guard: &str, test: &str) -> Result<Ended> {
        let (binary, path) = test.split_once("::").with_context(|| format!("{test} is not BINARY::PATH"))?;
        let binary = self.binaries.get(binary).with_context(|| format!("{test}: there is no such binary"))?;
        let folder = tempfolder()?;
        let output = folder.join("output");
        let file = std::fs::File::create(&output).context("cannot make a temporary file")?;
        let mut command = Command::new(&binary.executable);
        command
            .args(["--exact", path, "--include-ignored"])
            .current_dir(&binary.package)
            .env("CARGO_MANIFEST_DIR", &binary.package)
            .env("KENNEL_BIN", &self.kennel)
            .env("TMPDIR", &folder)
            .env("INSTA_UPDATE", "no")
            .env("PROPTEST_FAILURE_PERSISTENCE", "off")
            .env(PATIENCE, ANSWER)
            .env_remove(SWITCH)
            .stdin(Stdio::null())
            .stdout(file.try_clone().context("cannot make a temporary file")?)
            .stderr(file)
            // Killed as a whole, servers and all, when it hangs.
            .process_group(0);
        if !guard.is_empty() {
            command.env(SWITCH, guard);
        }
        let mut child = command.spawn().with_context(|| format!("cannot run {test}"))?;
        let begun = Instant::now();
        let status = loop {
            if let Some(status) = child.try_wait()? {
                break Some(status);
            }
            if begun.elapsed() > LONGEST {
                let group = format!("-{}", child.id());
                let _ = Command::new("kill").args(["-KILL", "--", &group]).status();
                child.wait()?;
                break None;
            }
            std::thread::sleep(Duration::from_millis(20));
        };
        let said = std::fs::read_to_string(&output).unwrap_or_default();
        let _ = std::fs::remove_dir_all(&folder);
        let Some(status) = status else { return Ok(Ended::Hung) };
        if status.success() && !said.contains("test result: ok. 1 passed") {
            bail!("{test} was not run: its binary knows no such test");
        }
        if !status.success() && guard.is_empty() {
            eprintln!("{said}");
        }
        Ok(if status.success() { Ended::Passed } else { Ended::Failed })
    }
}

/// A folder of its own for what a killed test would leave behind.
fn tempfolder() -> Result<PathBuf> {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let name = format!("kennel-guard-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
    let folder = std::env::temp_dir().join(name);
    std::fs::create_dir(&folder).context("cannot make a temporary folder")?;
    Ok(folder)
}

/// Builds tests and gives the executables whose names are wanted.
fn built(
    workspace: &Workspace,
    args: &[&str],
    wanted: &dyn Fn(&str) -> bool,
) -> Result<BTreeMap<String, Binary>> {
    let mut command = workspace.cargo(args);
    command.args(["--no-run", "--quiet", "--message-format=json"]);
    let text = workspace::output(command)?;
    let mut found = BTreeMap::new();
    for line in text.lines().filter(|line| line.starts_with('{')) {
        let message: Message = serde_json::from_str(line).context("cargo's messages")?;
        let (Some(executable), Some(target), Some(manifest)) =
            (message.executable, message.target, message.manifest_path)
        else {
            continue;
        };
        let is_test = message.reason == "compiler-artifact" && message.profile.is_some_and(|it| it.test);
        // The library and the binary of one package have one name.
        let is_main = target.kind.iter().any(|kind| kind == "bin");
        if is_test && !is_main && wanted(&target.name) {
            let package = manifest.parent().unwrap_or(Path::new(".")).to_path_buf();
            found.insert(target.name, Binary { executable, package });
        }
    }
    Ok(found)
}
