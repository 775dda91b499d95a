//! Walking the history: commits from some on, the youngest first, as `git rev-list` gives them.
//! Must not show anything.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, HashSet};

use gix_hash::ObjectId;
use gix_object::Kind;

use crate::failure::Result;
use crate::repo::Repo;
use crate::trees::Commit;

/// How many commits that nobody asked for are looked at before the walk ends, because dates may be wrong. As git.
const SLOP: usize = 5;

/// Commits from some on, by date, the youngest first; of one date, in the order met.
pub(crate) struct Walk<'a> {
    repo: &'a Repo,
    queue: BinaryHeap<(i64, Reverse<usize>, ObjectId)>,
    waiting: HashMap<ObjectId, Commit>,
    seen: HashSet<ObjectId>,
    met: usize,
}

impl<'a> Walk<'a> {
    /// From these commits on.
    pub(crate) fn new(repo: &'a Repo, starts: &[ObjectId]) -> Result<Self> {
        let mut walk =
            Self { repo, queue: BinaryHeap::new(), waiting: HashMap::new(), seen: HashSet::new(), met: 0 };
        for start in starts {
            walk.meet(start)?;
        }
        Ok(walk)
    }

    fn meet(&mut self, id: &ObjectId) -> Result<()> {
        if self.seen.insert(*id) {
            let commit = self.repo.commit(id)?;
            self.queue.push((commit.committed, Reverse(self.met), *id));
            self.waiting.insert(*id, commit);
            self.met += 1;
        }
        Ok(())
    }
}

impl Iterator for Walk<'_> {
    type Item = Result<Commit>;

    fn next(&mut self) -> Option<Self::Item> {
        let (_, _, id) = self.queue.pop()?;
        let commit = self.waiting.remove(&id)?;
        for parent in &commit.parents {
            if let Err(error) = self.meet(parent) {
                return Some(Err(error));
            }
        }
        Some(Ok(commit))
    }
}

/// Up to `most` commits from one on that are not before `since` (with all that lies before such a one) and not
/// after `until`.
pub(crate) fn log(
    repo: &Repo,
    from: ObjectId,
    most: Option<usize>,
    since: Option<i64>,
    until: Option<i64>,
) -> Result<Vec<Commit>> {
    let wanted = |commit: &Commit| until.is_none_or(|until| commit.committed <= until);
    let Some(since) = since else {
        let all = Walk::new(repo, &[from])?.filter(|commit| commit.as_ref().map_or(true, wanted));
        return all.take(most.unwrap_or(usize::MAX)).collect();
    };
    let mut left_out: HashSet<ObjectId> = HashSet::new();
    let (mut kept, mut slop) = (Vec::new(), 0);
    for commit in Walk::new(repo, &[from])? {
        let commit = commit?;
        if commit.committed < since || left_out.contains(&commit.id) {
            left_out.extend(&commit.parents);
            left_out.insert(commit.id);
            slop += 1;
            if slop > SLOP {
                break;
            }
        } else {
            slop = 0;
            kept.push(commit);
        }
    }
    kept.retain(|commit| !left_out.contains(&commit.id) && wanted(commit));
    kept.truncate(most.unwrap_or(usize::MAX));
    Ok(kept)
}

/// The commits that references and `HEAD` are at.
pub(crate) fn tips(repo: &Repo) -> Result<Vec<ObjectId>> {
    let mut tips: Vec<ObjectId> = repo.head_commit()?.into_iter().collect();
    for (name, _) in repo.refs.below("refs/")? {
        if let Some(id) = repo.refs.resolve(&name)?
            && let (id, Kind::Commit) = repo.peel(id)?
        {
            tips.push(id);
        }
    }
    Ok(tips)
}

/// Whether one commit is another or comes before it.
pub(crate) fn contains(repo: &Repo, tip: ObjectId, searched: &ObjectId) -> Result<bool> {
    for commit in Walk::new(repo, &[tip])? {
        if commit?.id == *searched {
            return Ok(true);
        }
    }
    Ok(false)
}

/// How many commits each of two has that the other has not.
pub(crate) fn ahead_behind(repo: &Repo, ours: ObjectId, theirs: ObjectId) -> Result<(usize, usize)> {
    let all = |tip: ObjectId| -> Result<HashSet<ObjectId>> {
        Walk::new(repo, &[tip])?.map(|commit| commit.map(|commit| commit.id)).collect()
    };
    if ours == theirs {
        return Ok((0, 0));
    }
    let (ours, theirs) = (all(ours)?, all(theirs)?);
    Ok((ours.difference(&theirs).count(), theirs.difference(&ours).count()))
}
