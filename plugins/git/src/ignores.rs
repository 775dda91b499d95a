//! What git does not know: files that are in no index and not ignored.
//! Needs `.gitignore` files and `info/exclude`. Must not open any other file.

use std::collections::BTreeSet;

use bstr::{BStr, BString, ByteSlice as _};
use gix_glob::pattern::Case;
use gix_ignore::Search;
use gix_ignore::search::Ignore;

use crate::failure::{Failure, Result};
use crate::repo::Repo;
use crate::trees::below;
use crate::worktree::Worktree;

/// How deep folders may lie in one another.
const DEEPEST: usize = 256;

/// The ignore rules of a repository, and its files.
pub(crate) struct Ignores<'a> {
    worktree: &'a Worktree<'a>,
    search: Search,
    case: Case,
}

impl<'a> Ignores<'a> {
    /// Those of a repository.
    pub(crate) fn of(repo: &Repo, worktree: &'a Worktree<'a>) -> Result<Self> {
        let mut search = Search::default();
        let exclude = repo.common.join("info/exclude");
        if let Ok(bytes) = std::fs::read(&exclude) {
            search
                .add_patterns_buffer(&bytes, &exclude, None, Ignore::default())
                .map_err(|error| Failure::io("read", &exclude, &error))?;
        }
        let case = if repo.flag("core.ignoreCase", false) { Case::Fold } else { Case::Sensitive };
        Ok(Self { worktree, search, case })
    }

    /// Takes the rules of a folder in; gives whether it has any.
    fn enter(&mut self, folder: &BStr) -> Result<bool> {
        let file = self.worktree.place(below(folder, ".gitignore".into()).as_bstr())?;
        let is_file = std::fs::symlink_metadata(&file).is_ok_and(|about| about.is_file());
        let Some(bytes) = is_file.then(|| std::fs::read(&file).ok()).flatten() else { return Ok(false) };
        let root = self.worktree.place("".into())?;
        self.search
            .add_patterns_buffer(&bytes, &file, Some(&root), Ignore::default())
            .map_err(|error| Failure::io("read", &file, &error))?;
        Ok(true)
    }

    fn leave(&mut self, has_rules: bool) {
        if has_rules {
            self.search.patterns.pop();
        }
    }

    /// What the rules taken in so far say of a path.
    fn says(&self, path: &BStr, is_folder: bool) -> bool {
        self.search
            .pattern_matching_relative_path(path, Some(is_folder), self.case)
            .is_some_and(|found| !found.pattern.is_negative())
    }

    /// Whether a path, or a folder that it is in, is ignored.
    pub(crate) fn ignored(&mut self, path: &BStr, is_folder: bool) -> Result<bool> {
        let mut entered = vec![self.enter("".into())?];
        let mut ignored = false;
        let ends = path.find_iter("/").map(|end| (end, true)).chain([(path.len(), is_folder)]);
        for (end, is_folder) in ends.collect::<Vec<_>>() {
            let part = path.get(..end).unwrap_or_default().as_bstr();
            ignored = self.says(part, is_folder);
            if ignored {
                break;
            }
            if end < path.len() {
                entered.push(self.enter(part)?);
            }
        }
        for has_rules in entered.into_iter().rev() {
            self.leave(has_rules);
        }
        Ok(ignored)
    }

    /// What is not known, by path. A folder in which nothing is known stands for all in it (with a slash at its
    /// end) unless `every` file is wanted.
    pub(crate) fn unknown(&mut self, known: &BTreeSet<BString>, every: bool) -> Result<Vec<BString>> {
        let mut found = Vec::new();
        self.walk("".into(), known, every, &mut found, 0)?;
        found.sort_unstable();
        Ok(found)
    }

    fn walk(
        &mut self,
        folder: &BStr,
        known: &BTreeSet<BString>,
        every: bool,
        found: &mut Vec<BString>,
        depth: usize,
    ) -> Result<()> {
        if depth > DEEPEST {
            return Err(Failure::new(format!("the folders at '{folder}' lie too deep")));
        }
        let has_rules = self.enter(folder)?;
        let place = self.worktree.place(folder)?;
        let entries = std::fs::read_dir(&place).map_err(|error| Failure::io("list", &place, &error))?;
        let mut names = Vec::new();
        for entry in entries {
            let entry = entry.map_err(|error| Failure::io("list", &place, &error))?;
            // What is not UTF-8 cannot be named in an answer.
            if let (Ok(name), Ok(kind)) = (entry.file_name().into_string(), entry.file_type()) {
                names.push((BString::from(name), kind));
            }
        }
        names.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
        for (name, kind) in names {
            let path = below(folder, name.as_bstr());
            if name == ".git" || known.contains(&path) {
                continue;
            }
            if !kind.is_dir() {
                if (kind.is_file() || kind.is_symlink()) && !self.says(path.as_bstr(), false) {
                    found.push(path);
                }
                continue;
            }
            let mut with_slash = path.clone();
            with_slash.push(b'/');
            let holds_known =
                known.range(with_slash.clone()..).next().is_some_and(|next| next.starts_with(&with_slash));
            if !holds_known && self.says(path.as_bstr(), true) {
                continue;
            }
            if holds_known {
                // In an ignored folder nothing but what is known counts.
                if !self.says(path.as_bstr(), true) {
                    self.walk(path.as_bstr(), known, every, found, depth + 1)?;
                }
            } else if self.worktree.nested(path.as_bstr()).is_some() {
                found.push(with_slash);
            } else if every {
                self.walk(path.as_bstr(), known, every, found, depth + 1)?;
            } else {
                let mut within = Vec::new();
                self.walk(path.as_bstr(), known, true, &mut within, depth + 1)?;
                if !within.is_empty() {
                    found.push(with_slash);
                }
            }
        }
        self.leave(has_rules);
        Ok(())
    }
}
