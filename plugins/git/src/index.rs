//! The index: what is staged. Reading it, changing entries, and replacing the file under git's own lock.
//! Must not read the files that it is about.

use std::fs::{Metadata, OpenOptions};
use std::io::Write as _;
use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use bstr::{BStr, BString, ByteSlice};
use gix_hash::ObjectId;
use gix_index::State;
use gix_index::entry::{Flags, Mode, Stat, stat};

use crate::failure::{Failure, Result};
use crate::repo::Repo;
use crate::trees::{Leaf, Leaves};

/// What is staged in a repository.
pub(crate) struct Index {
    state: State,
    /// When the file was written: what changed since then or at that moment is not trusted by its time alone.
    written: stat::Time,
}

/// One file in the index that is not in conflict.
#[derive(Debug, Clone)]
pub(crate) struct Staged {
    pub(crate) path: BString,
    pub(crate) leaf: Leaf,
    pub(crate) stat: Stat,
    /// Announced (`git add -N`), not yet staged.
    pub(crate) announced: bool,
    /// Not looked at on disk: `assume-unchanged` or outside a sparse checkout.
    pub(crate) unseen: bool,
    /// Its time says nothing: it was changed when the index was written, or after.
    pub(crate) racy: bool,
}

/// A file in conflict: the common ancestor's, ours and theirs.
#[derive(Debug, Clone)]
pub(crate) struct Conflict {
    pub(crate) path: BString,
    pub(crate) stages: [Option<Leaf>; 3],
}

impl Index {
    /// Reads the index; one that does not exist is empty.
    pub(crate) fn load(repo: &Repo) -> Result<Self> {
        let path = repo.git_dir.join("index");
        let bytes = match std::fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Ok(Self { state: State::new(gix_hash::Kind::Sha1), written: stat::Time::default() });
            }
            Err(error) => return Err(Failure::io("read", &path, &error)),
        };
        let about = std::fs::metadata(&path).map_err(|error| Failure::io("read", &path, &error))?;
        let options =
            gix_index::decode::Options { thread_limit: Some(1), ..gix_index::decode::Options::default() };
        let time = filetime::FileTime::zero();
        let (state, _) = State::from_bytes(&bytes, time, gix_hash::Kind::Sha1, options)
            .map_err(|error| Failure::corrupt("index", error))?;
        if state.link().is_some() {
            return Err(Failure::new("the index is split; join it with `git update-index --no-split-index`"));
        }
        if state.is_sparse() {
            return Err(Failure::new("the index is sparse; fill it with `git sparse-checkout disable`"));
        }
        Ok(Self { state, written: time_of(about.modified().ok()) })
    }

    /// The files that are not in conflict, by path.
    pub(crate) fn staged(&self) -> Vec<Staged> {
        let entries = self.state.entries().iter().filter(|entry| entry.flags.stage_raw() == 0);
        entries
            .map(|entry| Staged {
                path: entry.path(&self.state).to_owned(),
                leaf: Leaf { mode: entry.mode.bits(), id: entry.id },
                stat: entry.stat,
                announced: entry.flags.contains(Flags::INTENT_TO_ADD),
                unseen: entry.flags.intersects(Flags::ASSUME_VALID | Flags::SKIP_WORKTREE),
                racy: after(entry.stat.mtime, self.written),
            })
            .collect()
    }

    /// What a commit would hold, by path.
    pub(crate) fn leaves(&self) -> Leaves {
        let staged = self.staged().into_iter().filter(|entry| !entry.announced);
        staged.map(|entry| (entry.path, entry.leaf)).collect()
    }

    /// The files in conflict.
    pub(crate) fn conflicts(&self) -> Vec<Conflict> {
        let mut conflicts: Vec<Conflict> = Vec::new();
        for entry in self.state.entries() {
            let Some(stage) =
                usize::try_from(entry.flags.stage_raw()).ok().and_then(|raw| raw.checked_sub(1))
            else {
                continue;
            };
            let path = entry.path(&self.state);
            if conflicts.last().is_none_or(|last| last.path != path) {
                conflicts.push(Conflict { path: path.to_owned(), stages: [None; 3] });
            }
            let slot = conflicts.last_mut().and_then(|last| last.stages.get_mut(stage));
            if let Some(slot) = slot {
                *slot = Some(Leaf { mode: entry.mode.bits(), id: entry.id });
            }
        }
        conflicts
    }

    /// The object at a path and stage.
    pub(crate) fn at_stage(&self, path: &BStr, stage: u32) -> Option<ObjectId> {
        let mut entries = self.state.entries().iter();
        entries
            .find(|entry| entry.flags.stage_raw() == stage && entry.path(&self.state) == path)
            .map(|entry| entry.id)
    }

    /// Every path, those in conflict once.
    pub(crate) fn paths(&self) -> Vec<BString> {
        let mut paths: Vec<BString> =
            self.state.entries().iter().map(|entry| entry.path(&self.state).to_owned()).collect();
        paths.dedup();
        paths
    }

    /// Forgets these paths in all stages.
    pub(crate) fn remove(&mut self, gone: &dyn Fn(&BStr) -> bool) {
        self.state.remove_entries(|_, path, _| gone(path));
        let _ = self.state.remove_tree();
    }

    /// Puts files in, in the place of what has their paths. `about` is how a file lies on disk.
    pub(crate) fn put(&mut self, files: Vec<(BString, Leaf, Option<Metadata>)>) {
        let paths: std::collections::HashSet<&BStr> = files.iter().map(|(path, ..)| path.as_bstr()).collect();
        // A file takes the place of a folder of its name, and the other way about.
        let within = |path: &BStr| {
            let mut ends = path.find_iter("/");
            ends.any(|end| path.get(..end).is_some_and(|folder| paths.contains(folder.as_bstr())))
        };
        let folders: std::collections::HashSet<&BStr> = files
            .iter()
            .flat_map(|(path, ..)| {
                path.find_iter("/").filter_map(|end| path.get(..end)).map(ByteSlice::as_bstr)
            })
            .collect();
        self.state
            .remove_entries(|_, path, _| paths.contains(path) || within(path) || folders.contains(path));
        for (path, leaf, about) in &files {
            let stat = about.as_ref().map(stat_of).unwrap_or_default();
            let mode = Mode::from_bits_retain(leaf.mode);
            self.state.dangerously_push_entry(stat, leaf.id, Flags::UPTODATE, mode, path.as_bstr());
        }
        self.state.sort_entries();
        let _ = self.state.remove_tree();
    }

    /// Replaces the file. Refuses while another process holds git's lock on it.
    pub(crate) fn save(mut self, repo: &Repo, command: &str) -> Result<()> {
        // As far as we know unchanged, but not by its time: the new index must not make it look trusted.
        let written = self.written;
        for entry in self.state.entries_mut() {
            if after(entry.stat.mtime, written) && !entry.flags.contains(Flags::UPTODATE) {
                entry.stat = Stat::default();
            }
        }
        let path = repo.git_dir.join("index");
        let lock = Lock::take(repo.git_dir.join("index.lock"), command)?;
        let mut bytes = Vec::new();
        self.state
            .write_to(&mut bytes, gix_index::write::Options::default())
            .map_err(|error| Failure::new(format!("cannot write the index: {error}")))?;
        // The file ends with the name of what stands before.
        let mut hasher = gix_hash::hasher(gix_hash::Kind::Sha1);
        hasher.update(&bytes);
        let end = hasher.try_finalize().map_err(|error| Failure::corrupt("index", error))?;
        bytes.extend_from_slice(end.as_slice());
        lock.replace(&path, &bytes)
    }
}

/// A file `NAME.lock` that keeps others from changing `NAME`; removed when it is not used.
struct Lock {
    path: PathBuf,
}

impl Lock {
    fn take(path: PathBuf, command: &str) -> Result<Self> {
        match OpenOptions::new().write(true).create_new(true).open(&path) {
            Ok(_) => Ok(Self { path }),
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Err(Failure::command(
                command,
                128,
                &format!(
                    "fatal: Unable to create '{}': File exists.\n\nAnother git process seems to be running in this \
                     repository, e.g.\nan editor opened by 'git commit'. Please make sure all processes\nare terminated \
                     then try again. If it still fails, a git process\nmay have crashed in this repository \
                     earlier:\nremove the file manually to continue.",
                    path.display()
                ),
            )),
            Err(error) => Err(Failure::io("write", &path, &error)),
        }
    }

    fn replace(self, target: &std::path::Path, bytes: &[u8]) -> Result<()> {
        let failed = |error: std::io::Error| Failure::io("write", target, &error);
        let mut file = OpenOptions::new().write(true).truncate(true).open(&self.path).map_err(failed)?;
        file.write_all(bytes).and_then(|()| file.sync_all()).map_err(failed)?;
        std::fs::rename(&self.path, target).map_err(failed)
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Gone already when it took the other's place.
        let _ = std::fs::remove_file(&self.path);
    }
}

/// Whether a time is not before another.
fn after(time: stat::Time, other: stat::Time) -> bool {
    (time.secs, time.nsecs) >= (other.secs, other.nsecs)
}

fn time_of(time: Option<SystemTime>) -> stat::Time {
    let since = time.and_then(|time| time.duration_since(UNIX_EPOCH).ok()).unwrap_or_default();
    // The index has 32 bits for it, and git cuts likewise.
    let secs = u32::try_from(since.as_secs() & u64::from(u32::MAX)).unwrap_or_default();
    stat::Time { secs, nsecs: since.subsec_nanos() }
}

/// What the index keeps about a file on disk: a sandbox sees its times and its size.
pub(crate) fn stat_of(about: &Metadata) -> Stat {
    Stat {
        mtime: time_of(about.modified().ok()),
        ctime: time_of(about.created().ok()),
        size: u32::try_from(about.len() & u64::from(u32::MAX)).unwrap_or_default(),
        ..Stat::default()
    }
}
