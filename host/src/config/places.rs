//! Keeps Kennel's own files out of every plugin's reach: a directory grant that holds one of them, or
//! lies inside one, is refused. By file identity and the kernel's mounts, never by spelling.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::{Home, mounts};

/// Kennel's own files and folders under one configuration.
#[derive(Clone, Debug)]
pub struct Places {
    own: Vec<Place>,
    mounts: Vec<mounts::Mount>,
    /// Files with more than one name: a plugin could write to them by the other.
    linked: Vec<PathBuf>,
}

#[derive(Clone, Debug)]
struct Place {
    what: &'static str,
    path: PathBuf,
    /// Itself (when it exists) and every folder above it.
    chain: Vec<Identity>,
    /// Whether the first of `chain` is the place itself.
    exists: bool,
    /// Where it is and can also be reached.
    paths: Vec<PathBuf>,
    /// Where something in it can also be reached.
    parts: Vec<PathBuf>,
}

/// Device and inode: what makes two names one file.
type Identity = (u64, u64);

/// Why a directory cannot be granted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Conflict {
    /// The directory holds a place.
    #[error("{} holds {what} ({}); no plugin may reach Kennel's own files, so grant a folder beside it", dir.display(), place.display())]
    Holds {
        /// The directory.
        dir: PathBuf,
        /// What it holds.
        what: &'static str,
        /// Where that is.
        place: PathBuf,
    },
    /// The directory is a place, or lies in one.
    #[error("{} lies in {what} ({}); no plugin may reach Kennel's own files, so grant a folder elsewhere", dir.display(), place.display())]
    Inside {
        /// The directory.
        dir: PathBuf,
        /// What it lies in.
        what: &'static str,
        /// Where that is.
        place: PathBuf,
    },
    /// A file of Kennel's has a second name, which could lie anywhere.
    #[error("{} has another name (a hard link), by which a plugin could change it; make it a file of one name before granting directories", .0.display())]
    Linked(PathBuf),
}

/// Why the places cannot be as they are.
#[derive(Debug, thiserror::Error)]
pub enum PlacesError {
    /// A place cannot be looked at.
    #[error("{}: cannot be looked at: {source}", path.display())]
    Look {
        /// The place.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The plugins folder would hold Kennel's own files as if they were plugins, or hide among them.
    #[error("{}: the plugins folder {relation} {what} ({}); keep them apart", folder.display(), place.display())]
    Mixed {
        /// The plugins folder.
        folder: PathBuf,
        /// `holds` or `lies in`.
        relation: &'static str,
        /// Which place.
        what: &'static str,
        /// Where that is.
        place: PathBuf,
    },
}

impl Places {
    /// Looks at the places of this home and plugins folder as they are now.
    ///
    /// # Errors
    /// When one cannot be looked at, or the plugins folder and another place hold each other.
    pub fn new(home: &Home, plugins: &Path) -> Result<Self, PlacesError> {
        let look = |path: &Path, source| PlacesError::Look { path: path.to_owned(), source };
        let list = Path::new("/proc/self/mountinfo");
        let mounts = mounts::of_process().map_err(|source| look(list, source))?;
        let place = |what, path: &Path| Place::look(what, path, &mounts).map_err(|source| look(path, source));
        let files = [("the configuration", home.config_file().to_owned()), ("the lock", home.lock_file())];
        let folders = [
            ("the plugins' state", home.state()),
            ("the cache", home.cache()),
            ("the approved plugins", home.approved()),
            ("the audit", home.audit()),
        ];
        let mut own = Vec::new();
        for (what, path) in files.iter().chain(&folders) {
            own.push(place(what, path)?);
        }
        let root = place("Kennel's home", home.root())?;
        let folder = place("the plugins folder", plugins)?;
        // The default plugins folder lies in the home; every other place is a world of its own.
        for other in own.iter().chain([&root]) {
            // A folder in the home that is mounted elsewhere as well is still only a folder in the home.
            let (holds, inside) = if other.what == root.what {
                (other.wholly_lies_in(&folder), false)
            } else {
                (other.lies_in(&folder), folder.lies_in(other))
            };
            if let Some(relation) = if holds { Some("holds") } else { inside.then_some("lies in") } {
                let (folder, place) = (folder.path.clone(), other.path.clone());
                return Err(PlacesError::Mixed { folder, relation, what: other.what, place });
            }
        }
        own.extend([folder, root]);
        let linked = files.into_iter().map(|(_, path)| path);
        let linked = linked
            .filter(|path| {
                fs::metadata(path).is_ok_and(|meta| guarded!("own-files-linked", meta.nlink() > 1))
            })
            .collect();
        Ok(Self { own, mounts, linked })
    }

    /// Whether this existing directory may be granted.
    ///
    /// # Errors
    /// `Ok(Err(_))` is the refusal.
    pub fn check(&self, dir: &Path) -> io::Result<Result<(), Conflict>> {
        let grant = Place::look("the directory", dir, &self.mounts)?;
        let dir = dir.to_owned();
        // A grant of the home or the state folder itself reads better as lying inside.
        if let Some(place) = self.own.iter().find(|place| guarded!("own-files", grant.lies_in(place))) {
            return Ok(Err(Conflict::Inside { dir, what: place.what, place: place.path.clone() }));
        }
        if let Some(place) = self.own.iter().find(|place| guarded!("own-files", place.lies_in(&grant))) {
            return Ok(Err(Conflict::Holds { dir, what: place.what, place: place.path.clone() }));
        }
        Ok(self.linked.first().map_or(Ok(()), |path| Err(Conflict::Linked(path.clone()))))
    }
}

impl Place {
    fn look(what: &'static str, path: &Path, mounts: &[mounts::Mount]) -> io::Result<Self> {
        let (real, exists) = real_path(path)?;
        let existing = if exists { Some(real.as_path()) } else { None };
        let mut chain = Vec::new();
        for path in existing.into_iter().chain(real.ancestors().skip(1)) {
            match fs::metadata(path) {
                Ok(meta) => chain.push((meta.dev(), meta.ino())),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        let mounts::Aliases { whole: mut paths, part: parts } = mounts::aliases(&real, mounts);
        paths.push(real);
        Ok(Self { what, path: path.to_owned(), chain, exists, paths, parts })
    }

    /// Whether it, or anything in it, is `other` or lies in it, by any way that leads there.
    fn lies_in(&self, other: &Self) -> bool {
        let parts = || {
            let others: Vec<_> = other.paths.iter().chain(&other.parts).collect();
            self.paths
                .iter()
                .chain(&self.parts)
                .any(|path| others.iter().any(|other| path.starts_with(other)))
        };
        self.wholly_lies_in(other) || guarded!("own-files-mounted", parts())
    }

    /// Whether it is `other` or lies in it, itself and not only something in it.
    fn wholly_lies_in(&self, other: &Self) -> bool {
        let by_identity = other.exists
            && other
                .chain
                .first()
                .is_some_and(|id| self.chain.iter().copied().collect::<HashSet<_>>().contains(id));
        let by_mounts =
            || self.paths.iter().any(|path| other.paths.iter().any(|other| path.starts_with(other)));
        by_identity || by_mounts()
    }
}

/// The path without links, and whether it exists: what does not exist is taken as it would be made,
/// below what does.
fn real_path(path: &Path) -> io::Result<(PathBuf, bool)> {
    match fs::canonicalize(path) {
        Ok(real) => Ok((real, true)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else { return Err(error) };
            // A link to nothing: where it leads can be made later, so it is followed.
            let next = match fs::read_link(path) {
                Ok(target) => return real_path(&parent.join(target)),
                Err(_) => real_path(parent)?.0,
            };
            Ok((next.join(name), false))
        }
        Err(error) => Err(error),
    }
}

#[cfg(test)]
#[path = "places_tests.rs"]
mod tests;
