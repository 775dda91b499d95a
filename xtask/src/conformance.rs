//! The protocol's own conformance suite against the real binary and the plugin `everything`.
//! It prints every check that did not simply pass, then one line for each revision.
//! It must not judge: what counts as failed is decided where the tests decide it, in `kennel_tests::conformance`.

use anyhow::{Context as _, Result, bail};
use kennel_tests::conformance::{REVISIONS, Setting};

use crate::workspace::{Workspace, say};
use crate::{clients, plugins};

/// Builds and installs what is needed, then runs every scenario of every revision.
pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    clients::install_node(workspace)?;
    plugins::build(workspace)?;
    let kennel = workspace.build_host()?;
    let setting =
        Setting::new(kennel, &workspace.target(""), &workspace.path(""), workspace.target("conformance"));
    let mut reports = Vec::new();
    for revision in REVISIONS {
        say(&format!("running every scenario of {}", revision.name));
        let report = setting.run(revision).with_context(|| format!("conformance to {}", revision.name))?;
        for remark in report.remarks() {
            println!("{}: {remark}", revision.name);
        }
        reports.push(report);
    }
    for report in &reports {
        println!("{report}");
    }
    if !reports.iter().all(kennel_tests::conformance::Report::is_clean) {
        bail!("not conformant; what was said and answered is in {}", setting.folder.display());
    }
    Ok(())
}
