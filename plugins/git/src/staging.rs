//! Staging files, and taking all of it back.
//! Must not change a file of the working tree.

use std::collections::BTreeSet;

use bstr::{BString, ByteSlice as _};
use gix_glob::wildmatch;
use gix_glob::wildmatch::Mode;
use gix_object::Kind;

use crate::access::absolute;
use crate::failure::{Failure, Result};
use crate::ignores::Ignores;
use crate::index::Index;
use crate::repo::Repo;
use crate::trees::{self, FILE, Leaf, SUBMODULE};
use crate::worktree::{State, Worktree, mode};

/// What a caller wants staged: a file, a folder with all in it, or a pattern.
struct Spec<'a> {
    given: &'a str,
    /// From the top of the repository, without `.` and `..`; empty is all of it.
    path: BString,
}

impl<'a> Spec<'a> {
    fn new(given: &'a str, root: &str, command: &str) -> Result<Self> {
        if given.is_empty() {
            // The original looks at the index first.
            return Err(Failure::command(
                &command.replacen("add", "ls-files --stage", 1),
                128,
                "fatal: empty string is not a valid pathspec. please use . instead if you meant to match all paths",
            ));
        }
        if given.contains('\0') {
            return Err(Failure::new("embedded null byte"));
        }
        let whole =
            if given.starts_with('/') { absolute(given) } else { absolute(&format!("{root}/{given}")) };
        let inside = whole.strip_prefix(root).filter(|rest| rest.is_empty() || rest.starts_with('/'));
        let inside = inside
            .ok_or_else(|| Failure::new(format!("Path '{given}' is outside the repository '{root}'")))?;
        if given.starts_with(":(")
            || given.starts_with(":/")
            || given.starts_with(":!")
            || given.starts_with(":^")
        {
            return Err(Failure::new(format!(
                "'{given}' asks for a kind of pattern that this plugin does not know; name files, folders or plain \
                 patterns such as *.txt"
            )));
        }
        Ok(Self { given, path: inside.trim_start_matches('/').into() })
    }

    fn is_pattern(&self) -> bool {
        self.path.find_byteset(b"*?[").is_some()
    }

    fn matches(&self, path: &[u8]) -> bool {
        let path = path.strip_suffix(b"/").unwrap_or(path);
        let within = path
            .strip_prefix(self.path.as_slice())
            .is_some_and(|rest| self.path.is_empty() || rest.is_empty() || rest.starts_with(b"/"));
        within || (self.is_pattern() && wildmatch(self.path.as_bstr(), path.as_bstr(), Mode::empty()))
    }
}

/// `git add`. Gives whether something was staged.
pub(crate) fn add(repo: &Repo, files: &[String]) -> Result<bool> {
    if files.is_empty() {
        return Err(Failure::new(
            "No files provided to stage. Pass one or more paths, or ['.'] to stage everything.",
        ));
    }
    let all = files == ["."];
    let command = if all { "add .".to_owned() } else { format!("add -- {}", files.join(" ")) };
    let worktree = Worktree::of(repo, &command)?;
    let root = repo.worktree(&command)?.to_string_lossy().into_owned();
    let specs: Vec<Spec<'_>> =
        files.iter().map(|file| Spec::new(file, &root, &command)).collect::<Result<_>>()?;
    let mut index = Index::load(repo)?;
    let known: BTreeSet<BString> = index.paths().into_iter().collect();
    let mut ignores = Ignores::of(repo, &worktree)?;
    let unknown = unknown(&specs, &known, &worktree, &mut ignores)?;
    let ignored = ignored(&specs, &known, &unknown, &worktree, &mut ignores, &command)?;

    let wanted = |path: &BString| specs.iter().any(|spec| spec.matches(path));
    let (mut put, mut gone) = (Vec::new(), BTreeSet::new());
    let mut stage = |path: BString, before: u32| -> Result<()> {
        let about = worktree.look(path.as_bstr())?;
        let Some(about) = about else {
            gone.insert(path);
            return Ok(());
        };
        let mode = mode(&about, before);
        let id = if mode == SUBMODULE {
            let Some(id) = worktree.nested(path.as_bstr()) else { return Ok(()) };
            id
        } else {
            repo.objects.write(Kind::Blob, &worktree.read(path.as_bstr())?)?
        };
        put.push((path, Leaf { mode, id }, Some(about)));
        Ok(())
    };
    for entry in index.staged().into_iter().filter(|entry| wanted(&entry.path)) {
        match worktree.state(&entry)? {
            State::Same => {}
            // A folder in a file's place: its files are staged below, the file is not there any more.
            State::Gone | State::Changed(_) => {
                let is_folder = worktree.look(entry.path.as_bstr())?.is_some_and(|about| about.is_dir());
                if is_folder && entry.leaf.mode != SUBMODULE {
                    gone_only(&mut index, &entry.path);
                } else {
                    stage(entry.path, entry.leaf.mode)?;
                }
            }
        }
    }
    for conflict in index.conflicts().into_iter().filter(|conflict| wanted(&conflict.path)) {
        let before = conflict.stages.iter().flatten().next().map_or(FILE, |leaf| leaf.mode);
        stage(conflict.path, before)?;
    }
    for path in unknown.into_iter().filter(|path| wanted(path)) {
        let path = path.strip_suffix(b"/").map_or(path.clone(), BString::from);
        stage(path, FILE)?;
    }
    let changed = !put.is_empty() || !gone.is_empty();
    if changed {
        index.remove(&|path| gone.contains(path));
        index.put(put);
        index.save(repo, &command)?;
    }
    if !ignored.is_empty() {
        return Err(Failure::command(
            &command,
            1,
            &format!(
                "The following paths are ignored by one of your .gitignore files:\n{}\nhint: Use -f if you really \
                 want to add them.\nhint: Disable this message with \"git config advice.addIgnoredFile false\"",
                ignored.join("\n")
            ),
        ));
    }
    Ok(changed)
}

fn gone_only(index: &mut Index, path: &BString) {
    index.remove(&|other| other == path);
}

/// Files that are not in the index and that may be wanted.
fn unknown(
    specs: &[Spec<'_>],
    known: &BTreeSet<BString>,
    worktree: &Worktree<'_>,
    ignores: &mut Ignores<'_>,
) -> Result<Vec<BString>> {
    let mut found = Vec::new();
    for spec in specs {
        let about = if spec.is_pattern() { None } else { worktree.look(spec.path.as_bstr())? };
        if spec.path.is_empty() || about.as_ref().is_none_or(std::fs::Metadata::is_dir) {
            return ignores.unknown(known, true);
        }
        if !known.contains(&spec.path) && !ignores.ignored(spec.path.as_bstr(), false)? {
            found.push(spec.path.clone());
        }
    }
    Ok(found)
}

/// What was named and is ignored. A name that stands for nothing at all is an error.
fn ignored(
    specs: &[Spec<'_>],
    known: &BTreeSet<BString>,
    unknown: &[BString],
    worktree: &Worktree<'_>,
    ignores: &mut Ignores<'_>,
    command: &str,
) -> Result<Vec<String>> {
    let mut ignored = Vec::new();
    for spec in specs {
        if spec.path.is_empty()
            || known.iter().any(|path| spec.matches(path))
            || unknown.iter().any(|path| spec.matches(path))
        {
            continue;
        }
        let about = if spec.is_pattern() { None } else { worktree.look(spec.path.as_bstr())? };
        let Some(about) = about else {
            let why = format!("fatal: pathspec '{}' did not match any files", spec.given);
            return Err(Failure::command(command, 128, &why));
        };
        if ignores.ignored(spec.path.as_bstr(), about.is_dir())? {
            ignored.push(spec.path.to_string());
        }
    }
    Ok(ignored)
}

/// Makes the index what `HEAD` is.
pub(crate) fn reset(repo: &Repo) -> Result<()> {
    let Some(tree) = repo.head_tree()? else {
        return Err(Failure::command("read-tree HEAD", 128, "fatal: Not a valid object name HEAD"));
    };
    let leaves = trees::leaves(&repo.objects, Some(&tree))?;
    let mut index = Index::load(repo)?;
    let staged = index.staged();
    let same: BTreeSet<BString> = staged
        .into_iter()
        .filter(|entry| !entry.announced && leaves.get(&entry.path) == Some(&entry.leaf))
        .map(|entry| entry.path)
        .collect();
    index.remove(&|path| !same.contains(path));
    let others = leaves.into_iter().filter(|(path, _)| !same.contains(path));
    index.put(others.map(|(path, leaf)| (path, leaf, None)).collect());
    index.save(repo, "read-tree HEAD")
}
