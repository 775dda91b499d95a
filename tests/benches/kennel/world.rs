//! The homes that the benchmarks run in, and plugins loaded from them in this process.
//! Everything goes the way it goes in `kennel serve`, but for the process.
//! It must not measure.

use std::path::Path;
use std::sync::Arc;

use kennel::config::{Config, Home as KennelHome, Surroundings};
use kennel::plugin::{Compiler, Library, Plugin, Status};
use kennel::sandbox::Sandbox;
use kennel_tests::{Home, kennel_bin, plugin_file};

/// A component's bytes: one of the project's own plugins.
pub fn component(name: &str) -> Vec<u8> {
    std::fs::read(plugin_file(name)).unwrap()
}

/// The same component as other bytes: a custom section that says which copy it is, at the end.
pub fn copy_of(component: &[u8], number: usize) -> Vec<u8> {
    let name = b"copy";
    let payload = u32::try_from(number).unwrap().to_le_bytes();
    let mut section = vec![u8::try_from(name.len()).unwrap()];
    section.extend_from_slice(name);
    section.extend_from_slice(&payload);
    // Section 0, its length (short enough for one byte of LEB128), its contents.
    let mut copy = component.to_vec();
    copy.extend([0, u8::try_from(section.len()).unwrap()]);
    copy.extend(section);
    copy
}

/// A home with one plugin, approved.
pub fn home_with(name: &str) -> Home {
    home_under(name, "")
}

/// The same, with lines of `kennel.toml`.
pub fn home_under(name: &str, config: &str) -> Home {
    let home = Home::new("bench");
    home.plugin(name).config(config).approve();
    home
}

/// Loads a home's plugins into this process.
pub fn load(home: &Path, runtime: &tokio::runtime::Runtime) -> (Arc<Sandbox>, Vec<Status>) {
    let surroundings = Surroundings::of_process();
    let home = KennelHome::locate(Some(home), None, &surroundings).unwrap();
    let config = Config::load(&home, &surroundings).unwrap();
    let sandbox = Sandbox::start().unwrap();
    let mut library =
        Library::open(home, surroundings, config, sandbox.clone(), Compiler::new(kennel_bin())).unwrap();
    runtime.block_on(library.refresh()).unwrap();
    let statuses = library.statuses().borrow().to_vec();
    (sandbox, statuses)
}

/// The one plugin of a home, ready.
pub fn only(statuses: &[Status]) -> Arc<Plugin> {
    let [status] = statuses else { panic!("one plugin") };
    status.plugin.clone().unwrap_or_else(|| panic!("{} does not serve: {:?}", status.name, status.standing))
}

/// A runtime as `kennel serve` has for its protocol.
pub fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}
