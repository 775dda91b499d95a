//! The table of published servers beside the plugins that stand in for them, measured in one run and written into `README.md`
//! between its marks.
//! It must not change a figure: what the run printed is what stands there.

use anyhow::{Context as _, Result, bail};

use crate::workspace::{self, Workspace, output, say};
use crate::{bench, clients, plugins};

const BEGIN: &str = "<!-- made by `cargo xtask compare` -->\n";
const END: &str = "<!-- end -->\n";

/// Builds for release, measures, and writes the table.
pub(crate) fn run(workspace: &Workspace, names: &[String]) -> Result<()> {
    clients::install(workspace)?;
    plugins::build(workspace)?;
    bench::build(workspace)?;
    say("measuring");
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let arguments = [&["bench"], &bench::PACKAGES[..], &["--bench", "compare", "--"], &names].concat();
    if !names.is_empty() {
        return workspace::run(workspace.cargo(&arguments));
    }
    let table = output(workspace.cargo(&arguments))?;
    println!("{table}");
    let readme = workspace.path("README.md");
    let text = std::fs::read_to_string(&readme).context("cannot read README.md")?;
    std::fs::write(&readme, with_table(&text, &table)?).context("cannot write README.md")
}

/// The text with another table between the marks.
fn with_table(text: &str, table: &str) -> Result<String> {
    let parts = text.split_once(BEGIN).and_then(|(before, rest)| Some((before, rest.split_once(END)?.1)));
    let Some((before, after)) = parts else {
        bail!("README.md has no place for the table: {BEGIN}{END}");
    };
    Ok(format!("{before}{BEGIN}\n{}\n\n{END}{after}", table.trim()))
}
