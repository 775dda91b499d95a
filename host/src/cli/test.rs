//! `kennel test`: builds a plugin and runs the calls in its `tests/*.json` through the real host, with the grants of
//! its `tests/kennel.toml`; compares the answers with what the files or their snapshots say.
//! Must not write anything but snapshots, and those only when told.

mod bench;
mod build;
mod cases;
mod compare;

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use serde_json::Value;

use super::Failure;
use super::call::describe;
use crate::catalog::api::Usage;
use crate::grants::PluginName;
use crate::observe::escape_for_people;

use bench::{Bench, Subject};
use build::Crate;
use cases::{Call, Test, What};

/// Build a plugin and run the calls in its tests/*.json
///
/// Each file is a call, or a list of calls that share state: {"tool": "hello", "arguments": {"name": "Ada"}, "expect":
/// {"text": "Hello, Ada!"}}; "resource": URI and "prompt": NAME likewise. A call without "expect" is compared with
/// tests/NAME.snap, which --update writes. The calls go the way a client's go; the plugin holds what tests/kennel.toml
/// (or --config) grants it, in a home of its own. Answers 0 when every test passed, else 1.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// The plugin's folder
    #[arg(default_value = ".")]
    dir: PathBuf,
    /// Write what calls without "expect" answer now to the snapshots
    #[arg(long)]
    update: bool,
    /// Take the component as it was built last
    #[arg(long)]
    no_build: bool,
    /// Test this component and build nothing; its file's name is the plugin's
    #[arg(long, value_name = "FILE")]
    component: Option<PathBuf>,
    /// Run only the tests whose name contains this
    #[arg(long, value_name = "TEXT")]
    filter: Option<String>,
}

/// Tests. `config` stands in the place of `tests/kennel.toml`.
///
/// # Errors
/// When there is nothing to test, the build fails, or the component or its configuration cannot be used.
pub fn run(
    args: &Args,
    config: Option<&Path>,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> Result<ExitCode, Failure> {
    let folder = args.dir.join("tests");
    let tests = cases::tests(&folder, args.filter.as_deref())
        .map_err(|error| Failure::new(format!("{}: {error}", folder.display())))?;
    if tests.is_empty() {
        let which =
            args.filter.as_ref().map(|text| format!(" with {text:?} in its name")).unwrap_or_default();
        return Err(Failure::new(format!(
            "{}: no test{which}; write a call into a file there, for example {{\"tool\": \"hello\", \"arguments\": {{}}}}",
            folder.join("NAME.json").display()
        )));
    }
    let (name, component) = component(args)?;
    let config = match config {
        Some(config) => Some(config.to_owned()),
        None => Some(folder.join("kennel.toml")).filter(|file| file.exists()),
    };
    let bench = Bench::new(name, &component, config)?;
    let (mut passed, mut failed) = (0_usize, 0_usize);
    for (at, test) in tests.iter().enumerate() {
        let subject = bench.subject(at)?;
        if at == 0 {
            for line in &subject.withheld {
                writeln!(err, "withheld: {line}")?;
            }
        }
        let report = report(test, &subject, args.update);
        let shown = escape_for_people(&test.name);
        if report.faults.is_empty() {
            passed += 1;
            writeln!(out, "{shown} ok ({})", describe(&report.usage))?;
        } else {
            failed += 1;
            writeln!(out, "{shown} FAILED (- expected, + answered)")?;
        }
        for line in report.faults.iter().chain(&report.notes) {
            writeln!(out, "  {line}")?;
        }
        out.flush()?;
    }
    writeln!(out, "{passed} passed, {failed} failed")?;
    out.flush()?;
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The plugin's name and its component, built if need be.
fn component(args: &Args) -> Result<(PluginName, PathBuf), Failure> {
    if let Some(file) = &args.component {
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        return Ok((PluginName::from_file_name(&name)?, file.clone()));
    }
    let plugin = Crate::at(&args.dir)?;
    if !args.no_build {
        plugin.build()?;
    }
    if !plugin.component.exists() {
        let file = plugin.component.display();
        return Err(Failure::new(format!("{file}: is not there; run without --no-build")));
    }
    Ok((PluginName::new(&plugin.name)?, plugin.component))
}

/// What became of a test.
#[derive(Default)]
struct Report {
    /// Lines that say what is not as it should be; none when the test passed.
    faults: Vec<String>,
    /// What was written.
    notes: Vec<String>,
    usage: Usage,
}

fn report(test: &Test, subject: &Subject<'_>, update: bool) -> Report {
    let calls = match &test.calls {
        Ok(calls) => calls,
        Err(error) => {
            let fault = format!("{}.json {}", test.name, error);
            return Report { faults: vec![escape_for_people(&fault).into_owned()], ..Report::default() };
        }
    };
    let mut report = Report::default();
    let mut snapshot = String::new();
    for (at, call) in calls.iter().enumerate() {
        let (answer, usage) = subject.call(call);
        report.usage = bench::sum(&report.usage, &usage);
        let title = format!("call {}, {}", at + 1, title(call));
        match &call.expect {
            None => snapshot.push_str(&format!("# {title}\n{answer:#}\n")),
            Some(expect) => {
                let found = compare::against(expect, &answer);
                if !found.is_empty() {
                    report.faults.push(escape_for_people(&title).into_owned());
                    report.faults.extend(found.into_iter().map(|line| format!("  {line}")));
                }
            }
        }
    }
    if let Err(error) = hold(test, &snapshot, update, &mut report) {
        report.faults.push(format!("{}: {error}", test.snapshot.display()));
    }
    report
}

/// Holds the answers of calls without `expect` (`now`, empty when there are none) against the snapshot, or makes the
/// snapshot say them.
fn hold(test: &Test, now: &str, update: bool, report: &mut Report) -> io::Result<()> {
    let before = match fs::read_to_string(&test.snapshot) {
        Ok(text) => Some(text),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(error),
    };
    let file = format!("{}.snap", test.name);
    match before {
        None if now.is_empty() => {}
        Some(before) if before == now && !now.is_empty() => {}
        Some(_) if now.is_empty() && update => {
            fs::remove_file(&test.snapshot)?;
            report.notes.push(format!("removed {file}"));
        }
        _ if update => {
            fs::write(&test.snapshot, now)?;
            report.notes.push(format!("wrote {file}"));
        }
        Some(_) if now.is_empty() => {
            report
                .faults
                .push(format!("{file}: every call says what it expects; remove it, or use --update"));
        }
        Some(before) => report.faults.extend(compare::texts(&file, &before, now)),
        None => {
            report
                .faults
                .push(format!("{file}: is not there; say what you expect, or write it with --update"));
            report.faults.extend(now.lines().map(|line| format!("+ {}", escape_for_people(line))));
        }
    }
    Ok(())
}

/// A call in one line.
fn title(call: &Call) -> String {
    match &call.what {
        What::Tool { name, arguments } => format!("tool {name} {}", Value::Object(arguments.clone())),
        What::Resource { uri } => format!("resource {uri}"),
        What::Prompt { name, arguments } => format!("prompt {name} {arguments:?}"),
    }
}
