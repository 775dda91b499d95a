//! Unified diffs, line for line those of npm `diff` 8, which the reference server prints: where several
//! shortest edits exist, clients and tests see the same one. (`similar` finds shortest edits too, but
//! others of them.) Must not touch files.

use std::fmt::Write as _;

/// Unchanged lines around a change.
const CONTEXT: usize = 4;

/// A run of lines that were kept, added or removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Kept,
    Added,
    Removed,
}

/// A run in the chain of runs that a path is made of.
#[derive(Debug, Clone, Copy)]
struct Run {
    kind: Kind,
    count: usize,
    before: Option<usize>,
}

/// How far a path came in the old text, and its last run. Positions are one more than npm `diff`'s.
#[derive(Debug, Clone, Copy)]
struct Path {
    old: isize,
    last: Option<usize>,
}

/// The best paths by diagonal; grows with the distance looked at.
#[derive(Default)]
struct Diagonals {
    below: Vec<Option<Path>>,
    above: Vec<Option<Path>>,
}

impl Diagonals {
    fn place(&mut self, diagonal: isize) -> &mut Option<Path> {
        let list = if diagonal < 0 { &mut self.below } else { &mut self.above };
        let at = diagonal.unsigned_abs();
        if list.len() <= at {
            list.resize(at + 1, None);
        }
        &mut list[at]
    }
}

struct Search<'a> {
    old: &'a [&'a str],
    new: &'a [&'a str],
    runs: Vec<Run>,
}

impl Search<'_> {
    fn push(&mut self, kind: Kind, count: usize, before: Option<usize>) -> Option<usize> {
        self.runs.push(Run { kind, count, before });
        Some(self.runs.len() - 1)
    }

    /// One line more of `kind` behind `path`.
    fn step(&mut self, path: Path, kind: Kind) -> Path {
        let old = path.old + isize::from(kind == Kind::Removed);
        let last = match path.last.and_then(|last| self.runs.get(last)).copied() {
            Some(run) if run.kind == kind => self.push(kind, run.count + 1, run.before),
            _ => self.push(kind, 1, path.last),
        };
        Path { old, last }
    }

    /// Goes along equal lines; gives where it is in the new text.
    fn follow(&mut self, path: &mut Path, diagonal: isize) -> isize {
        let (from, mut new) = (path.old, path.old - diagonal);
        while let (Some(old_line), Some(new_line)) = (line(self.old, path.old), line(self.new, new))
            && old_line == new_line
        {
            path.old += 1;
            new += 1;
        }
        let count = (path.old - from).unsigned_abs();
        if count > 0 {
            path.last = self.push(Kind::Kept, count, path.last);
        }
        new
    }

    /// Myers' search with npm `diff`'s choices among equals, and its rule of not leaving the grid.
    fn run(&mut self) -> Option<usize> {
        let (old_len, new_len) = (length(self.old), length(self.new));
        let mut best = Diagonals::default();
        let mut first = Path { old: 0, last: None };
        let new = self.follow(&mut first, 0);
        if first.old >= old_len && new >= new_len {
            return first.last;
        }
        *best.place(0) = Some(first);
        let (mut lowest, mut highest) = (isize::MIN, isize::MAX);
        for distance in 1..=old_len + new_len {
            let mut diagonal = lowest.max(-distance);
            while diagonal <= highest.min(distance) {
                // Nobody else will look at the one below, so it is taken.
                let remove = best.place(diagonal - 1).take().filter(|path| path.old < old_len);
                let add = (*best.place(diagonal + 1))
                    .filter(|path| (0..new_len).contains(&(path.old - diagonal - 1)));
                let step = match (remove, add) {
                    (Some(remove), Some(add)) if remove.old < add.old => Some((add, Kind::Added)),
                    (Some(remove), _) => Some((remove, Kind::Removed)),
                    (None, Some(add)) => Some((add, Kind::Added)),
                    (None, None) => None,
                };
                if let Some((from, kind)) = step {
                    let mut path = self.step(from, kind);
                    let new = self.follow(&mut path, diagonal);
                    if path.old >= old_len && new >= new_len {
                        return path.last;
                    }
                    if path.old >= old_len {
                        highest = highest.min(diagonal - 1);
                    }
                    if new >= new_len {
                        lowest = lowest.max(diagonal + 1);
                    }
                    *best.place(diagonal) = Some(path);
                } else {
                    *best.place(diagonal) = None;
                }
                diagonal += 2;
            }
        }
        None
    }
}

fn line<'a>(lines: &[&'a str], at: isize) -> Option<&'a str> {
    usize::try_from(at).ok().and_then(|at| lines.get(at)).copied()
}

fn length(lines: &[&str]) -> isize {
    isize::try_from(lines.len()).unwrap_or(isize::MAX)
}

/// The runs that turn `old` into `new`, in order.
fn runs(old: &[&str], new: &[&str]) -> Vec<(Kind, usize)> {
    let mut search = Search { old, new, runs: Vec::new() };
    let mut next = search.run();
    let mut runs = Vec::new();
    while let Some(run) = next.and_then(|at| search.runs.get(at)) {
        runs.push((run.kind, run.count));
        next = run.before;
    }
    runs.reverse();
    runs
}

/// A hunk: where it begins and how long it is, in both texts, and its lines.
#[derive(Default)]
struct Hunk {
    old: (usize, usize),
    new: (usize, usize),
    lines: String,
}

impl Hunk {
    fn push(&mut self, sign: char, lines: &[&str]) {
        for line in lines {
            self.lines.push(sign);
            self.lines.push_str(line);
            if !line.ends_with('\n') {
                self.lines.push_str("\n\\ No newline at end of file\n");
            }
        }
        self.old.1 += if sign == '+' { 0 } else { lines.len() };
        self.new.1 += if sign == '-' { 0 } else { lines.len() };
    }

    fn write(self, out: &mut String) {
        // An empty range names the line before it.
        let start = |(start, length): (usize, usize)| if length == 0 { start } else { start + 1 };
        // Writing to a string does not fail.
        let _ = write!(
            out,
            "@@ -{},{} +{},{} @@\n{}",
            start(self.old),
            self.old.1,
            start(self.new),
            self.new.1,
            self.lines
        );
    }
}

/// The unified diff of two texts under one name.
pub(crate) fn unified(name: &str, old: &str, new: &str) -> String {
    let old: Vec<&str> = old.split_inclusive('\n').collect();
    let new: Vec<&str> = new.split_inclusive('\n').collect();
    let line = "=".repeat(67);
    let mut out = format!("Index: {name}\n{line}\n--- {name}\toriginal\n+++ {name}\tmodified\n");
    let runs = runs(&old, &new);
    let (mut at_old, mut at_new) = (0, 0);
    let mut hunk: Option<Hunk> = None;
    for (index, (kind, count)) in runs.iter().enumerate() {
        let of_old = old.get(at_old..at_old + count).unwrap_or_default();
        let of_new = new.get(at_new..at_new + count).unwrap_or_default();
        match kind {
            Kind::Kept => {
                if let Some(mut open) = hunk.take() {
                    let last = index + 1 == runs.len();
                    if *count <= CONTEXT * 2 && !last {
                        open.push(' ', of_old);
                        hunk = Some(open);
                    } else {
                        open.push(' ', of_old.get(..CONTEXT).unwrap_or(of_old));
                        open.write(&mut out);
                    }
                }
                at_old += count;
                at_new += count;
            }
            Kind::Added | Kind::Removed => {
                let open = hunk.get_or_insert_with(|| {
                    let before = if index == 0 { 0 } else { at_old.min(CONTEXT).min(kept(&runs, index)) };
                    let mut open =
                        Hunk { old: (at_old - before, 0), new: (at_new - before, 0), lines: String::new() };
                    open.push(' ', old.get(at_old - before..at_old).unwrap_or_default());
                    open
                });
                if *kind == Kind::Added {
                    open.push('+', of_new);
                    at_new += count;
                } else {
                    open.push('-', of_old);
                    at_old += count;
                }
            }
        }
    }
    if let Some(open) = hunk {
        open.write(&mut out);
    }
    out
}

/// How many lines the run before `index` kept.
fn kept(runs: &[(Kind, usize)], index: usize) -> usize {
    match index.checked_sub(1).and_then(|before| runs.get(before)) {
        Some((Kind::Kept, count)) => *count,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reads_as_the_reference_prints_it() {
        let head = "Index: f\n===================================================================\n\
                    --- f\toriginal\n+++ f\tmodified\n";
        for (old, new, body) in [
            ("a\n", "a\n", ""),
            ("", "a\n", "@@ -0,0 +1,1 @@\n+a\n"),
            ("a\n", "", "@@ -1,1 +0,0 @@\n-a\n"),
            ("a", "a\n", "@@ -1,1 +1,1 @@\n-a\n\\ No newline at end of file\n+a\n"),
            (
                "1\n2\n3\n4\n5\n6\n7\n8\n9\n",
                "1\n2\n3\n4\n5\nsix\n7\n8\n9\n",
                "@@ -2,8 +2,8 @@\n 2\n 3\n 4\n 5\n-6\n+six\n 7\n 8\n 9\n",
            ),
        ] {
            assert_eq!(unified("f", old, new), format!("{head}{body}"), "{old:?} {new:?}");
        }
    }

    proptest! {
        /// Taking the runs as instructions gives the new text, with as few of them as can be.
        #[test]
        fn the_runs_lead_from_one_text_to_the_other(old in "([abc]\n){0,12}", new in "([abc]\n){0,12}") {
            let old: Vec<&str> = old.split_inclusive('\n').collect();
            let new: Vec<&str> = new.split_inclusive('\n').collect();
            let (mut made, mut at_old, mut at_new, mut edits) = (Vec::new(), 0, 0, 0);
            for (kind, count) in runs(&old, &new) {
                match kind {
                    Kind::Kept => {
                        made.extend_from_slice(&old[at_old..at_old + count]);
                        at_old += count;
                        at_new += count;
                    }
                    Kind::Added => {
                        made.extend_from_slice(&new[at_new..at_new + count]);
                        at_new += count;
                        edits += count;
                    }
                    Kind::Removed => {
                        at_old += count;
                        edits += count;
                    }
                }
            }
            prop_assert_eq!(at_old, old.len());
            prop_assert_eq!(&made, &new);
            prop_assert_eq!(edits, old.len() + new.len() - 2 * common(&old, &new));
        }
    }

    /// The length of the longest common subsequence, by the table.
    fn common(old: &[&str], new: &[&str]) -> usize {
        let mut row = vec![0; new.len() + 1];
        for a in old {
            let mut corner = 0;
            for (at, b) in new.iter().enumerate() {
                let here = if a == b { corner + 1 } else { row[at].max(row[at + 1]) };
                corner = std::mem::replace(&mut row[at + 1], here);
            }
        }
        row[new.len()]
    }
}
