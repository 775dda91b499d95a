//! A home opened for one verb: its plugins loaded once and its catalog made, as `serve` would have them.

use std::cell::OnceCell;
use std::sync::Arc;

use tokio::runtime::Runtime;

use crate::catalog::Catalog;
use crate::config::{Config, Home, Surroundings};
use crate::observe::Audit;
use crate::plugin::{Cache, Compiler, Library, Loader, Status};
use crate::sandbox::Sandbox;

use super::{Failure, Reading};

/// Everything a verb needs to look at plugins or to call one.
pub struct Opened {
    /// The library after one look.
    pub library: Library,
    /// How the plugins stand.
    pub statuses: Arc<Vec<Status>>,
    /// What they offer together.
    pub catalog: Catalog,
    /// Runs the verb's futures.
    pub runtime: Runtime,
    /// Every call leaves a line there. To be closed before the process ends.
    pub audit: Audit<crate::sandbox::Usage>,
}

impl Opened {
    /// Opens a home and loads its plugins.
    ///
    /// # Errors
    /// When the configuration, the lock or the home cannot be used.
    pub fn open(home: Home, surroundings: Surroundings) -> Result<Self, Failure> {
        let config = Config::load(&home, &surroundings)?;
        home.create()?;
        let audit = Audit::begin(&home.audit(), super::audit::options(&config.audit))?;
        let runtime = runtime()?;
        let sandbox = Sandbox::start()?;
        let mut library = Library::open(home, surroundings, config, sandbox, Compiler::of_this_process()?)?;
        runtime.block_on(library.refresh())?;
        let statuses = library.statuses().borrow().clone();
        let catalog = Catalog::new(Some(audit.clone()));
        catalog.show(&statuses);
        catalog.set_ready();
        Ok(Self { library, statuses, catalog, runtime, audit })
    }

    /// For verbs that look into components only when they come to them.
    pub(super) fn lazily(home: Home, surroundings: Surroundings) -> Lazy {
        Lazy { home, surroundings, loader: OnceCell::new() }
    }
}

/// A home whose loader starts at its first use.
pub(super) struct Lazy {
    home: Home,
    surroundings: Surroundings,
    loader: OnceCell<(Runtime, Loader)>,
}

impl Lazy {
    pub(super) fn home(&self) -> &Home {
        &self.home
    }

    pub(super) fn surroundings(&self) -> &Surroundings {
        &self.surroundings
    }

    /// Reads components, with nothing granted.
    pub(super) fn reader(&self) -> impl FnMut(&crate::plugin::PluginFile) -> Result<Reading, String> {
        |file| {
            let (runtime, loader) = self.loader().map_err(Failure::into_text)?;
            let component = runtime.block_on(loader.read(file)).map_err(|error| error.to_string())?;
            let wording = component.definitions.wording().map_err(|error| error.to_string())?;
            Ok(Reading { asked: component.asked, wording })
        }
    }

    /// The loader, started at its first use.
    pub(super) fn loader(&self) -> Result<&(Runtime, Loader), Failure> {
        if let Some(loader) = self.loader.get() {
            return Ok(loader);
        }
        self.home.create()?;
        let sandbox = Sandbox::start()?;
        let cache = Cache::open(&self.home.cache(), sandbox.code_key())?;
        let loader = Loader::new(sandbox, cache, Compiler::of_this_process()?, &self.home);
        let made = (runtime()?, loader);
        Ok(self.loader.get_or_init(|| made))
    }
}

/// Runs a verb's futures.
pub(super) fn runtime() -> std::io::Result<Runtime> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()
}
