//! What the attackers' tests report for the table that `cargo xtask hostile` and `cargo xtask test` print: how each ended,
//! how long it took, and the most memory that a `kennel` under test had. Written as tests end, one line each.
//! It must not judge, and a report that cannot be written must not fail a test.

use std::collections::{BTreeMap, HashMap};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use crate::paths::target_dir;
use crate::process;

/// The binaries whose tests report.
const SUITE: &str = "hostile_";

/// One line of the table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The rows of the list of attackers.
    pub rows: String,
    /// The test's name in words.
    pub attack: String,
    /// Whether the test did not fail.
    pub passed: bool,
    /// From its first home to the end of its last.
    pub millis: u64,
    /// The most memory of any `kennel` that it served with, in bytes; none where the system does not tell.
    pub peak_bytes: u64,
}

/// What one home of a test reports at its end.
#[derive(Debug, Serialize, Deserialize)]
struct Line {
    binary: String,
    test: String,
    passed: bool,
    from: u64,
    to: u64,
    peak: u64,
}

/// A home's part of its test's report; written when it is dropped.
#[derive(Debug)]
pub(crate) struct Reporting(Option<(String, String, u64)>);

/// The most memory that processes of a test had, by the test's name.
static PEAKS: Mutex<Option<HashMap<String, u64>>> = Mutex::new(None);

impl Reporting {
    /// For the test that runs now; for tests that are no attackers nothing.
    pub(crate) fn begin() -> Self {
        Self(binary().map(|binary| (binary, test(), now())))
    }
}

impl Drop for Reporting {
    fn drop(&mut self) {
        let Some((binary, test, from)) = self.0.take() else { return };
        let peaks = PEAKS.lock().unwrap_or_else(PoisonError::into_inner);
        let peak = peaks.as_ref().and_then(|peaks| peaks.get(&test)).copied().unwrap_or(0);
        let line =
            Line { passed: !std::thread::panicking(), peak, to: now(), from, test, binary: binary.clone() };
        let folder = folder(&target_dir());
        let file = folder.join(format!("{binary}-{}.jsonl", std::process::id()));
        let written = std::fs::create_dir_all(&folder)
            .and_then(|()| std::fs::OpenOptions::new().create(true).append(true).open(&file))
            .and_then(|mut file| writeln!(file, "{}", serde_json::to_string(&line)?));
        if let Err(error) = written {
            eprintln!("not reported: {}: {error}", file.display());
        }
    }
}

/// Notes the memory of a process that is about to be ended.
pub(crate) fn saw(pid: u32) {
    if let (Some(_), Some(peak)) = (binary(), process::peak_if_running(pid)) {
        let mut peaks = PEAKS.lock().unwrap_or_else(PoisonError::into_inner);
        let most = peaks.get_or_insert_default().entry(test()).or_default();
        *most = peak.max(*most);
    }
}

/// This test executable's name without its hash, if its tests report.
fn binary() -> Option<String> {
    let exe = std::env::current_exe().ok()?;
    let stem = exe.file_stem()?.to_str()?;
    let name = stem.rsplit_once('-').map_or(stem, |(name, _)| name);
    name.starts_with(SUITE).then(|| name.to_owned())
}

/// The test that runs on this thread; where the runner gave the thread no name, the one it was asked for.
fn test() -> String {
    match std::thread::current().name() {
        Some(name) if name != "main" => name.to_owned(),
        _ => {
            let mut args = std::env::args().skip_while(|arg| arg != "--exact").skip(1);
            args.find(|arg| !arg.starts_with('-')).unwrap_or_default()
        }
    }
}

fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// Where the reports are.
#[must_use]
pub fn folder(target: &Path) -> PathBuf {
    target.join("hostile-report")
}

/// All that was reported, by row and name. A test that is in the sources and reported nothing is left out: it was not run,
/// or was killed, which the runner says.
///
/// # Errors
/// When reports or sources cannot be read.
pub fn read(target: &Path, source_root: &Path) -> std::io::Result<Vec<Entry>> {
    let rows = rows(source_root)?;
    let mut tests: BTreeMap<(String, String), Line> = BTreeMap::new();
    let files = match std::fs::read_dir(folder(target)) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        other => other?,
    };
    for file in files {
        for line in std::fs::read_to_string(file?.path())?.lines() {
            let line: Line = serde_json::from_str(line)?;
            match tests.entry((line.binary.clone(), line.test.clone())) {
                std::collections::btree_map::Entry::Vacant(place) => {
                    place.insert(line);
                }
                std::collections::btree_map::Entry::Occupied(mut place) => {
                    let before = place.get_mut();
                    before.passed &= line.passed;
                    before.from = before.from.min(line.from);
                    before.to = before.to.max(line.to);
                    before.peak = before.peak.max(line.peak);
                }
            }
        }
    }
    let mut entries: Vec<_> = tests
        .into_iter()
        .map(|(key, line)| Entry {
            rows: rows.get(&key).cloned().unwrap_or_default(),
            attack: line.test.rsplit("::").next().unwrap_or_default().replace('_', " "),
            passed: line.passed,
            millis: line.to.saturating_sub(line.from),
            peak_bytes: line.peak,
        })
        .collect();
    let number = |entry: &Entry| {
        let digits: String = entry.rows.chars().take_while(char::is_ascii_digit).collect();
        digits.parse::<u32>().unwrap_or(u32::MAX)
    };
    entries.sort_by_key(|entry| (number(entry), entry.rows.clone(), entry.attack.clone()));
    Ok(entries)
}

/// The rows of each attacker's test, by binary and name: `Row 14.` or `Rows 6 and 8.` at the beginning of its documentation,
/// else what the file's own first lines say.
///
/// # Errors
/// When the sources cannot be read.
pub fn rows(source_root: &Path) -> std::io::Result<BTreeMap<(String, String), String>> {
    let mut found = BTreeMap::new();
    for file in std::fs::read_dir(source_root.join("tests/tests"))? {
        let path = file?.path();
        let binary = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        if !binary.starts_with(SUITE) || path.extension().is_none_or(|ending| ending != "rs") {
            continue;
        }
        let source = std::fs::read_to_string(&path)?;
        let head: Vec<&str> = source.lines().map_while(|line| line.strip_prefix("//!")).collect();
        let of_file = rows_in(&head.join(" "));
        let (mut documentation, mut is_test) = (String::new(), false);
        for line in source.lines() {
            if let Some(text) = line.strip_prefix("///") {
                documentation.push_str(text);
            } else if line.starts_with("#[") {
                is_test |= line == "#[test]";
            } else {
                if let Some(name) = line.strip_prefix("fn ").filter(|_| is_test) {
                    let name = name.split('(').next().unwrap_or_default().to_owned();
                    let rows = rows_in(&documentation).or_else(|| of_file.clone());
                    found.insert((binary.clone(), name), rows.unwrap_or_default());
                }
                documentation.clear();
                is_test = false;
            }
        }
    }
    Ok(found)
}

/// The numbers behind the first `row` or `rows` of a text.
fn rows_in(text: &str) -> Option<String> {
    let mut words = text.split_ascii_whitespace();
    words.find(|word| matches!(word.trim_matches('('), "Row" | "Rows" | "row" | "rows"))?;
    let mut rows = Vec::new();
    for word in words {
        let number = word.trim_end_matches([',', '.', ':', ')']);
        let is_number = number.starts_with(|c: char| c.is_ascii_digit());
        match (is_number, word) {
            (true, _) => rows.push(number),
            (false, "and") => {}
            (false, "to") => rows.push("–"),
            (false, _) => break,
        }
        if word.ends_with(['.', ':', ')']) {
            break;
        }
    }
    (!rows.is_empty()).then(|| rows.join(" ").replace(" – ", "–"))
}
