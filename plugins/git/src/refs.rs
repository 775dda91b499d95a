//! The references of a repository: what a name points at, all of them, and changing one with its log.
//! Changes are written here and not by `gix-ref`, whose temporary files need a process id, which a sandbox has not.
//! Must not know what is in an object.

use std::io::Write as _;
use std::path::PathBuf;

use bstr::ByteSlice as _;
use gix_actor::Signature;
use gix_hash::ObjectId;
use gix_ref::file::Store;
use gix_ref::store::WriteReflog;
use gix_ref::{FullName, Target};

use crate::failure::{Failure, Result};
use crate::lock::Lock;

/// How many symbolic references may follow one another, as in git.
const DEEPEST: usize = 5;

/// The references of a repository.
pub(crate) struct Refs {
    store: Store,
}

/// A reference as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Points {
    /// At an object.
    At(ObjectId),
    /// At what another points at.
    To(String),
}

impl Refs {
    /// Those of a repository; `common` is another folder when this is a linked worktree.
    pub(crate) fn at(git_dir: PathBuf, common: PathBuf) -> Self {
        let options = gix_ref::store::init::Options {
            write_reflog: WriteReflog::Normal,
            ..gix_ref::store::init::Options::default()
        };
        let mut store = if git_dir == common {
            Store::at_opts(git_dir, gix_hash::Kind::Sha1, options)
        } else {
            Store::for_linked_worktree_opts(git_dir, common, gix_hash::Kind::Sha1, options)
        };
        // There is nothing to map a file into.
        store.set_packed_buffer_mmap_threshold(u64::MAX);
        Self { store }
    }

    /// What a full name points at; none when there is no such reference, or the name cannot be one's.
    pub(crate) fn get(&self, name: &str) -> Result<Option<Points>> {
        let Ok(full) = FullName::try_from(name) else { return Ok(None) };
        match self.store.try_find(full.as_ref()) {
            Ok(found) => Ok(found.map(|reference| points(reference.target))),
            // A folder, or a file that is no reference.
            Err(_) if name != "HEAD" => Ok(None),
            Err(error) => Err(Failure::corrupt(name, error)),
        }
    }

    /// The object that a full name stands for in the end.
    pub(crate) fn resolve(&self, name: &str) -> Result<Option<ObjectId>> {
        let mut name = name.to_owned();
        for _ in 0..DEEPEST {
            match self.get(&name)? {
                None => return Ok(None),
                Some(Points::At(id)) => return Ok(Some(id)),
                Some(Points::To(next)) => name = next,
            }
        }
        Ok(None)
    }

    /// All below a prefix such as `refs/heads/`, sorted by name.
    pub(crate) fn below(&self, prefix: &str) -> Result<Vec<(String, Points)>> {
        let broken = |error: &dyn std::fmt::Display| Failure::corrupt("its references", error);
        let platform = self.store.iter().map_err(|error| broken(&error))?;
        let mut all = Vec::new();
        for reference in platform.all().map_err(|error| broken(&error))? {
            // As git: a broken one is not there.
            let Ok(reference) = reference else { continue };
            if let Ok(name) = reference.name.as_bstr().to_str()
                && name.starts_with(prefix)
            {
                all.push((name.to_owned(), points(reference.target)));
            }
        }
        all.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
        Ok(all)
    }

    /// Makes a branch.
    pub(crate) fn make(&self, name: &str, at: ObjectId, why: &str, who: &Signature) -> Result<()> {
        full_name(name)?;
        let lock = self.lock(name)?;
        if self.get(name)?.is_some() {
            return Err(Failure::new(format!("the reference '{name}' exists already")));
        }
        // Nothing may be a reference and a folder of others.
        let folder = format!("{name}/");
        let parents = name.match_indices('/').filter_map(|(end, _)| name.get(..end));
        for parent in parents.filter(|parent| parent.matches('/').count() > 1) {
            if self.get(parent)?.is_some() {
                return Err(Failure::new(format!("'{name}' cannot be made: '{parent}' is a reference")));
            }
        }
        if let Some((other, _)) = self.below(&folder)?.into_iter().next() {
            return Err(Failure::new(format!("'{name}' cannot be made: '{other}' is a reference")));
        }
        self.append_log(name, None, at, why, who)?;
        lock.replace(&self.place(name), format!("{at}\n").as_bytes())
    }

    /// Moves `HEAD`'s branch on to a new commit, or `HEAD` itself where it is on none, and writes why into the logs.
    /// `before` is where it has to be now.
    pub(crate) fn advance(
        &self,
        new: ObjectId,
        before: Option<ObjectId>,
        why: &str,
        who: &Signature,
    ) -> Result<()> {
        let branch = match self.get("HEAD")? {
            Some(Points::To(branch)) => branch,
            _ => "HEAD".to_owned(),
        };
        full_name(&branch)?;
        let lock = self.lock(&branch)?;
        if self.resolve(&branch)? != before {
            return Err(Failure::new(format!(
                "the reference '{branch}' was changed by another process; look again"
            )));
        }
        self.append_log(&branch, before, new, why, who)?;
        if branch != "HEAD" {
            self.append_log("HEAD", before, new, why, who)?;
        }
        lock.replace(&self.place(&branch), format!("{new}\n").as_bytes())
    }

    /// Puts `HEAD` on a branch, or on none; it is at `now` then. `before` is where it was.
    pub(crate) fn switch(
        &self,
        to: &Points,
        before: Option<ObjectId>,
        now: ObjectId,
        why: &str,
        who: &Signature,
    ) -> Result<()> {
        let text = match to {
            Points::To(branch) => format!("ref: {}\n", full_name(branch)?.as_bstr()),
            Points::At(id) => format!("{id}\n"),
        };
        let lock = self.lock("HEAD")?;
        self.append_log("HEAD", before, now, why, who)?;
        lock.replace(&self.place("HEAD"), text.as_bytes())
    }

    /// The file of a reference. Only `HEAD` is a worktree's own.
    fn place(&self, name: &str) -> PathBuf {
        let folder = if name == "HEAD" { self.store.git_dir() } else { self.store.common_dir_resolved() };
        folder.join(name)
    }

    /// git's own lock on a reference.
    fn lock(&self, name: &str) -> Result<Lock> {
        let mut path = self.place(name).into_os_string();
        path.push(".lock");
        let path = PathBuf::from(path);
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(|error| Failure::io("make", folder, &error))?;
        }
        Lock::take(path.clone())?.ok_or_else(|| {
            Failure::new(format!(
                "the reference '{name}' is being changed by another process; when there is none, remove '{}'",
                path.display()
            ))
        })
    }

    /// Adds a line to a reference's log.
    fn append_log(
        &self,
        name: &str,
        before: Option<ObjectId>,
        now: ObjectId,
        why: &str,
        who: &Signature,
    ) -> Result<()> {
        let folder = if name == "HEAD" { self.store.git_dir() } else { self.store.common_dir_resolved() };
        let path = folder.join("logs").join(name);
        let failed = |error: std::io::Error| Failure::io("write", &path, &error);
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent).map_err(failed)?;
        }
        let before = before.unwrap_or(ObjectId::null(gix_hash::Kind::Sha1));
        let mut line = format!("{before} {now} ").into_bytes();
        who.write_to(&mut line).map_err(failed)?;
        // One line for each change.
        line.extend_from_slice(format!("\t{}\n", why.lines().next().unwrap_or_default()).as_bytes());
        let log = std::fs::OpenOptions::new().append(true).create(true).open(&path);
        log.and_then(|mut log| log.write_all(&line)).map_err(failed)
    }

    /// The lines of a reference's log, oldest first; none when it has no log.
    pub(crate) fn log(&self, name: &str) -> Result<Option<Vec<LogLine>>> {
        let full = full_name(name)?;
        let mut buffer = Vec::new();
        let lines = self
            .store
            .reflog_iter(full.as_ref(), &mut buffer)
            .map_err(|error| Failure::corrupt(&format!("the log of {name}"), error))?;
        Ok(lines.map(|lines| {
            lines
                .flatten()
                .map(|line| LogLine {
                    new: line.new_oid(),
                    message: line.message.to_str_lossy().into_owned(),
                    seconds: line.signature.time().map(|time| time.seconds).unwrap_or_default(),
                })
                .collect()
        }))
    }
}

/// One change of a reference.
#[derive(Debug, Clone)]
pub(crate) struct LogLine {
    pub(crate) new: ObjectId,
    pub(crate) message: String,
    /// When, in seconds since 1970.
    pub(crate) seconds: i64,
}

fn full_name(name: &str) -> Result<FullName> {
    FullName::try_from(name).map_err(|_| Failure::new(format!("'{name}' is not a valid name of a reference")))
}

fn points(target: Target) -> Points {
    match target {
        Target::Object(id) => Points::At(id),
        Target::Symbolic(name) => Points::To(name.as_bstr().to_str_lossy().into_owned()),
    }
}
