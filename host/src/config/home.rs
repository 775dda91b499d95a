//! The folder that all Kennel processes of a user share, and the places in it. Makes folders, private to
//! the user; reads none of the files.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use super::Surroundings;

/// Kennel's home and the configuration in force. Paths are absolute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Home {
    root: PathBuf,
    config: PathBuf,
    is_default: bool,
    config_is_given: bool,
}

/// What can be wrong with the home.
#[derive(Debug, thiserror::Error)]
pub enum HomeError {
    /// Nobody says where it is.
    #[error("no home: set KENNEL_HOME or HOME to an absolute path, or use --home")]
    Nowhere,
    /// The folder in which Kennel was started is gone.
    #[error("{}: cannot be made absolute: {source}; use an absolute path", path.display())]
    Relative {
        /// As given.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Cannot be made.
    #[error("{}: cannot be made: {source}; make it, or use --home", path.display())]
    Make {
        /// The folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Others could change what is approved.
    #[error("{}: others may write here; run `chmod go-w {}`", path.display(), path.display())]
    Open {
        /// The folder.
        path: PathBuf,
    },
    /// Somebody else's.
    #[error("{}: belongs to another user; use --home", path.display())]
    Foreign {
        /// The folder.
        path: PathBuf,
    },
}

impl Home {
    /// Finds the home: `home` (the flag `--home`), else `$KENNEL_HOME`, else `~/.kennel`; and the
    /// configuration: `config` (the flag `--config`), else `kennel.toml` in the home. Makes nothing.
    ///
    /// # Errors
    /// When none of these says where it is.
    pub fn locate(
        home: Option<&Path>,
        config: Option<&Path>,
        surroundings: &Surroundings,
    ) -> Result<Self, HomeError> {
        let default = surroundings.user_home().map(|user| user.join(".kennel"));
        let given = home.map(Path::to_owned).or_else(|| surroundings.variable("KENNEL_HOME").map(Into::into));
        let root = given.or_else(|| default.clone()).ok_or(HomeError::Nowhere)?;
        let root = absolute(&root)?;
        let is_default = Some(&root) == default.as_ref();
        let config_is_given = config.is_some();
        let config = match config {
            Some(config) => absolute(config)?,
            None => root.join("kennel.toml"),
        };
        Ok(Self { root, config, is_default, config_is_given })
    }

    /// Makes the home and the folders in it, readable by the user alone. What exists is not changed.
    ///
    /// # Errors
    /// When a folder cannot be made, belongs to another user, or others may write to it: whoever can write
    /// there can approve plugins.
    pub fn create(&self) -> Result<(), HomeError> {
        let inside = [self.approved(), self.state(), self.cache(), self.audit()];
        for path in [self.root.clone()].into_iter().chain(inside) {
            let make = |source| HomeError::Make { path: path.clone(), source };
            DirBuilder::new().recursive(true).mode(0o700).create(&path).map_err(make)?;
            let meta = fs::metadata(&path).map_err(make)?;
            if meta.uid() != rustix::process::geteuid().as_raw() {
                return Err(HomeError::Foreign { path });
            }
            if guarded!("private-folders", meta.mode() & 0o022 != 0) {
                return Err(HomeError::Open { path });
            }
        }
        Ok(())
    }

    /// The folder itself.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The configuration in force; may not exist.
    #[must_use]
    pub fn config_file(&self) -> &Path {
        &self.config
    }

    /// Whether the configuration was named by hand, so that it must exist.
    #[must_use]
    pub fn config_is_given(&self) -> bool {
        self.config_is_given
    }

    /// Whether it is the one Kennel finds without being told.
    #[must_use]
    pub fn is_default(&self) -> bool {
        self.is_default
    }

    /// What was approved.
    #[must_use]
    pub fn lock_file(&self) -> PathBuf {
        self.root.join("kennel.lock")
    }

    /// Where plugins are when the configuration does not say.
    #[must_use]
    pub fn default_plugins(&self) -> PathBuf {
        self.root.join("plugins")
    }

    /// Approved bytes, each as `<sha256>.wasm`.
    #[must_use]
    pub fn approved(&self) -> PathBuf {
        self.root.join("approved")
    }

    /// The plugins' stores.
    #[must_use]
    pub fn state(&self) -> PathBuf {
        self.root.join("state")
    }

    /// Compiled code.
    #[must_use]
    pub fn cache(&self) -> PathBuf {
        self.root.join("cache")
    }

    /// Audit segments.
    #[must_use]
    pub fn audit(&self) -> PathBuf {
        self.root.join("audit")
    }
}

fn absolute(path: &Path) -> Result<PathBuf, HomeError> {
    std::path::absolute(path).map_err(|source| HomeError::Relative { path: path.to_owned(), source })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn with(variable: Option<&'static str>) -> Surroundings {
        Surroundings::new(Some("/home/ada".into()), move |name| {
            (name == "KENNEL_HOME").then_some(variable).flatten().map(Into::into)
        })
    }

    #[test]
    fn flag_before_variable_before_default() {
        let plain = Home::locate(None, None, &with(None)).unwrap();
        assert_eq!(plain.root(), Path::new("/home/ada/.kennel"));
        assert_eq!(plain.config_file(), Path::new("/home/ada/.kennel/kennel.toml"));
        assert!(plain.is_default() && !plain.config_is_given());
        let variable = Home::locate(None, None, &with(Some("/v"))).unwrap();
        assert_eq!((variable.root(), variable.is_default()), (Path::new("/v"), false));
        assert!(Home::locate(None, None, &with(Some(""))).unwrap().is_default());
        let flags =
            Home::locate(Some(Path::new("/f")), Some(Path::new("/c.toml")), &with(Some("/v"))).unwrap();
        assert_eq!((flags.root(), flags.config_file()), (Path::new("/f"), Path::new("/c.toml")));
        assert_eq!(flags.lock_file(), Path::new("/f/kennel.lock"));
        let nowhere = Home::locate(None, None, &Surroundings::new(None, |_| None));
        assert!(matches!(nowhere, Err(HomeError::Nowhere)));
    }

    #[test]
    fn folders_are_private_and_open_ones_refused() {
        let scratch = tempfile::tempdir().unwrap();
        let root = scratch.path().join("deep/home");
        let home = Home::locate(Some(&root), None, &with(None)).unwrap();
        home.create().unwrap();
        home.create().unwrap();
        for path in [home.root(), &home.state(), &home.approved(), &home.cache(), &home.audit()] {
            assert_eq!(fs::metadata(path).unwrap().permissions().mode() & 0o777, 0o700, "{}", path.display());
        }
        fs::set_permissions(home.approved(), fs::Permissions::from_mode(0o770)).unwrap();
        assert!(matches!(home.create(), Err(HomeError::Open { path }) if path == home.approved()));
    }
}
