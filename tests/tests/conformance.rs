//! The protocol's own conformance suite, every scenario of three revisions, scored or not, over HTTP: nothing may fail.
//! `cargo xtask conformance` runs the same and shows what came of each.

#![allow(clippy::unwrap_used, clippy::expect_used)]
#![allow(clippy::print_stdout, reason = "the line of a revision is worth seeing when it passes, too")]

use kennel_tests::conformance::{REVISIONS, Setting};
use kennel_tests::{Home, clients_dir, kennel_bin, plugin_file, source_root, target_dir};

fn nothing_fails(revision: &str) {
    let revision = *REVISIONS.iter().find(|known| known.name == revision).expect("a revision");
    // Both say what to run when they are not there.
    let _ = (clients_dir(), plugin_file("everything"));
    let home = Home::new("conformance");
    let setting = Setting::new(kennel_bin(), &target_dir(), &source_root(), home.folder("conformance"));
    let report = setting.run(revision).unwrap();
    println!("{report}");
    assert!(report.is_clean(), "{report}\n{}", report.remarks().join("\n"));
}

#[test]
fn the_revision_of_june_2025() {
    nothing_fails("2025-06-18");
}

#[test]
fn the_revision_of_november_2025() {
    nothing_fails("2025-11-25");
}

#[test]
fn the_revision_of_july_2026() {
    nothing_fails("2026-07-28");
}
