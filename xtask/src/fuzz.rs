//! Coverage-guided fuzzing with libFuzzer: builds the targets in `fuzz/` with instrumentation, lets each run for a while,
//! and says which part of each room it reached. Needs a C++ compiler and binutils; the compiler is the stable one.
//! It must not write into the sources: what was found stays under `target/fuzz` until a person adds it to `fuzz/corpus`.

use std::collections::{BTreeMap, HashSet};
use std::io::{ErrorKind, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};

use crate::workspace::{self, Workspace, clean_environment, output, say};

/// Files of our own whose coverage is told, below `host/src`.
const SOURCES: &str = "/host/src/";

/// Builds and runs the targets of these names, or all, each for so many minutes.
pub(crate) fn run(workspace: &Workspace, minutes: u64, wanted: &[String]) -> Result<()> {
    let targets = targets(workspace)?;
    if let Some(unknown) = wanted.iter().find(|name| !targets.contains(name)) {
        bail!("there is no fuzz target {unknown:?}; there are {}", targets.join(", "));
    }
    build(workspace)?;
    let chosen = targets.iter().filter(|name| wanted.is_empty() || wanted.contains(name));
    let (mut reports, mut failed) = (Vec::new(), Vec::new());
    for target in chosen {
        let binary = workspace.target(&format!("fuzz/debug/fuzz_{target}"));
        let found = workspace.target(&format!("fuzz/corpus/{target}"));
        std::fs::create_dir_all(&found).with_context(|| format!("cannot make {}", found.display()))?;
        let corpora = [found, workspace.path(&format!("fuzz/corpus/{target}"))];
        say(&format!("fuzzing {target} for {minutes} minutes"));
        let mut fuzz = Command::new(&binary);
        fuzz.args(&corpora)
            .arg(format!("-max_total_time={}", minutes * 60))
            .arg(format!("-artifact_prefix={}/", workspace.target("fuzz").display()))
            .args(["-timeout=60", "-rss_limit_mb=4096", "-print_final_stats=1"]);
        match workspace::run(fuzz) {
            Ok(()) => reports.push((target, coverage(&binary, &corpora)?)),
            // The others are still worth their time.
            Err(error) => failed.push(format!("{target}: {error:#}")),
        }
    }
    for (target, rooms) in reports {
        for (room, (reached, all)) in rooms {
            println!("{target}: {room}: {reached} of {all} edges reached");
        }
    }
    if !failed.is_empty() {
        bail!("what these fail on is written under target/fuzz:\n{}", failed.join("\n"));
    }
    Ok(())
}

/// The names of the targets, as they are in `fuzz/targets`.
fn targets(workspace: &Workspace) -> Result<Vec<String>> {
    let folder = workspace.path("fuzz/targets");
    let entries = std::fs::read_dir(&folder).with_context(|| format!("cannot read {}", folder.display()))?;
    let mut names = Vec::new();
    for entry in entries {
        let path = entry?.path();
        if let Some(name) = path.file_stem().and_then(|name| name.to_str()) {
            names.push(name.to_owned());
        }
    }
    names.sort_unstable();
    Ok(names)
}

fn build(workspace: &Workspace) -> Result<()> {
    let mut build = workspace.cargo(&["build", "--manifest-path"]);
    build
        .arg(workspace.path("fuzz/Cargo.toml"))
        .env("CARGO_TARGET_DIR", workspace.target("fuzz"))
        .env("RUSTC_WRAPPER", workspace.path("scripts/fuzz-rustc.sh"));
    workspace::run(build)
}

/// Edges reached and edges there are, by room of the host, for what these corpora hold.
fn coverage(
    binary: &Path,
    corpora: &[impl AsRef<std::ffi::OsStr>],
) -> Result<BTreeMap<String, (usize, usize)>> {
    // Merging notes which edges each input reaches; what it merges into is of no further use.
    let (notes, merged) = (binary.with_extension("edges"), binary.with_extension("merged"));
    for old in [std::fs::remove_file(&notes), std::fs::remove_dir_all(&merged)] {
        old.or_else(|error| if error.kind() == ErrorKind::NotFound { Ok(()) } else { Err(error) })?;
    }
    std::fs::create_dir_all(&merged)?;
    let mut merge = Command::new(binary);
    clean_environment(&mut merge);
    merge.arg("-merge=1").arg(format!("-merge_control_file={}", notes.display())).arg(&merged).args(corpora);
    output(merge)?;
    let notes = std::fs::read_to_string(&notes).context("the merge left no notes")?;
    let reached: HashSet<usize> = notes
        .lines()
        .filter_map(|line| line.strip_prefix("COV "))
        .flat_map(|line| line.split(' ').skip(1).filter_map(|edge| edge.parse().ok()))
        .collect();
    let mut rooms: BTreeMap<String, (usize, usize)> = BTreeMap::new();
    for (edge, file) in files(binary, &places(binary)?)?.iter().enumerate() {
        let Some((_, inside)) = file.split_once(SOURCES) else { continue };
        let room = inside.split('/').next().unwrap_or(inside);
        let (hit, all) = rooms.entry(room.to_owned()).or_default();
        *hit += usize::from(reached.contains(&edge));
        *all += 1;
    }
    if !rooms.values().any(|(hit, _)| *hit > 0) {
        bail!("the coverage of {} cannot be read", binary.display());
    }
    Ok(rooms)
}

/// The address of each instrumented edge: the compiler leaves them in a section, each with a word of flags.
fn places(binary: &Path) -> Result<Vec<u64>> {
    let table = binary.with_extension("pcs");
    let mut copy = Command::new("objcopy");
    copy.args(["-O", "binary", "--only-section=__sancov_pcs"]).arg(binary).arg(&table);
    output(copy)?;
    let bytes = std::fs::read(&table).with_context(|| format!("cannot read {}", table.display()))?;
    let (words, _) = bytes.as_chunks::<8>();
    Ok(words.iter().step_by(2).map(|word| u64::from_le_bytes(*word)).collect())
}

/// The source file of each address.
fn files(binary: &Path, places: &[u64]) -> Result<Vec<String>> {
    let mut child = Command::new("addr2line")
        .arg("-e")
        .arg(binary)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .context("cannot start `addr2line`; install binutils")?;
    let mut asked = child.stdin.take().context("no pipe to `addr2line`")?;
    let questions: String = places.iter().map(|place| format!("{place:#x}\n")).collect();
    let writer = std::thread::spawn(move || asked.write_all(questions.as_bytes()));
    let answered = child.wait_with_output().context("`addr2line` failed")?;
    writer.join().map_err(|_| anyhow::anyhow!("a thread panicked"))??;
    let lines = String::from_utf8_lossy(&answered.stdout).lines().map(str::to_owned).collect::<Vec<_>>();
    if lines.len() != places.len() {
        bail!("`addr2line` answered {} of {} questions", lines.len(), places.len());
    }
    Ok(lines)
}
