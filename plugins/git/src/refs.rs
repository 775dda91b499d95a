//! The references of a repository: what a name points at, all of them, and changing one with its log.
//! Must not know what is in an object.

use std::io::Write as _;
use std::path::PathBuf;

use bstr::{BString, ByteSlice as _};
use gix_actor::Signature;
use gix_hash::ObjectId;
use gix_lock::acquire::Fail;
use gix_ref::file::Store;
use gix_ref::store::WriteReflog;
use gix_ref::transaction::{Change, LogChange, PreviousValue, RefEdit, RefLog};
use gix_ref::{FullName, Target};

use crate::failure::{Failure, Result};

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
        self.change(name, at, PreviousValue::MustNotExist, false, why, who)
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
        let expected = match before {
            Some(id) => PreviousValue::MustExistAndMatch(Target::Object(id)),
            None => PreviousValue::MustNotExist,
        };
        self.change("HEAD", new, expected, true, why, who)
    }

    /// Takes `HEAD` off its branch.
    pub(crate) fn detach(&self, at: ObjectId, why: &str, who: &Signature) -> Result<()> {
        self.change("HEAD", at, PreviousValue::Any, false, why, who)
    }

    /// Puts `HEAD` on a branch, which is at `now`. `before` is where `HEAD` was.
    pub(crate) fn switch(
        &self,
        branch: &str,
        before: Option<ObjectId>,
        now: ObjectId,
        why: &str,
        who: &Signature,
    ) -> Result<()> {
        let update = Change::Update {
            log: LogChange::default(),
            expected: PreviousValue::Any,
            new: Target::Symbolic(full_name(branch)?),
        };
        self.commit(RefEdit::new(full_name("HEAD")?, update), who)?;
        // A change of what it leads to is not in the log by itself.
        let path = self.store.git_dir().join("logs/HEAD");
        let before = before.unwrap_or(ObjectId::null(gix_hash::Kind::Sha1));
        let mut line = format!("{before} {now} ").into_bytes();
        who.write_to(&mut line).map_err(|error| Failure::io("write", &path, &error))?;
        line.extend_from_slice(format!("\t{why}\n").as_bytes());
        let log = std::fs::OpenOptions::new().append(true).create(true).open(&path);
        log.and_then(|mut log| log.write_all(&line)).map_err(|error| Failure::io("write", &path, &error))
    }

    fn change(
        &self,
        name: &str,
        new: ObjectId,
        expected: PreviousValue,
        deref: bool,
        why: &str,
        who: &Signature,
    ) -> Result<()> {
        // A log has one line for each change.
        let message = BString::from(why.lines().next().unwrap_or_default());
        let log = LogChange { mode: RefLog::AndReference, force_create_reflog: false, message };
        let update = Change::Update { log, expected, new: Target::Object(new) };
        self.commit(RefEdit::new(full_name(name)?, update).with_deref(deref), who)
    }

    fn commit(&self, edit: RefEdit, who: &Signature) -> Result<()> {
        let name = edit.name.to_string();
        let mut time = gix_date::parse::TimeBuf::default();
        self.store
            .transaction()
            .prepare([edit], Fail::Immediately, Fail::Immediately)
            .and_then(|transaction| transaction.commit(who.to_ref(&mut time)))
            .map_err(|error| Failure::new(format!("cannot change the reference '{name}': {error}")))?;
        Ok(())
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
