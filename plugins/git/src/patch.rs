//! Changes as a patch, byte for byte as `git diff` writes it.
//! Must not know where the changes come from.

use bstr::{BStr, BString, ByteSlice as _};
use gix_imara_diff::{Algorithm, Diff, IndentHeuristic, IndentLevel, InternedInput, Token};

use crate::changes::{Change, File, Sides};
use crate::failure::{Result, quoted};
use crate::text::is_binary;

/// The most bytes of a line that heads a piece of a patch.
const LONGEST_HEADING: usize = 80;
/// As many columns as git counts a tab for, where it looks at how lines are indented.
const TAB: u8 = 8;

/// How a patch is written.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Style {
    /// Lines shown around a change.
    pub(crate) context: u32,
    /// Whether there is more than the lines: the names, modes and what it was renamed from.
    pub(crate) headers: bool,
}

/// The patch of some changes.
pub(crate) fn of(changes: &[Change], sides: Sides<'_>, style: Style) -> Result<Vec<u8>> {
    let mut out = Vec::new();
    for change in changes {
        for change in split(change) {
            one(&change, sides, style, &mut out)?;
        }
    }
    Ok(out)
}

/// A change of type is a file that goes and another that comes.
pub(crate) fn split(change: &Change) -> Vec<Change> {
    if !change.is_type_change() {
        return vec![change.clone()];
    }
    vec![
        Change { old: change.old.clone(), new: None, alike: None },
        Change { old: None, new: change.new.clone(), alike: None },
    ]
}

fn one(change: &Change, sides: Sides<'_>, style: Style, out: &mut Vec<u8>) -> Result<()> {
    let bytes = |file: &Option<File>| file.as_ref().map(|file| sides.bytes(file)).transpose();
    let same = match (&change.old, &change.new) {
        (Some(old), Some(new)) => old.leaf.id == new.leaf.id,
        _ => false,
    };
    if style.headers {
        header(change, sides, out)?;
    }
    if same {
        return Ok(());
    }
    let (old, new) = (bytes(&change.old)?.unwrap_or_default(), bytes(&change.new)?.unwrap_or_default());
    if is_binary(&old) || is_binary(&new) {
        let (old, new) = (label(&change.old, "a/", ""), label(&change.new, "b/", ""));
        out.extend_from_slice(format!("Binary files {old} and {new} differ\n").as_bytes());
        return Ok(());
    }
    let lines = hunks(&old, &new, style.context);
    if style.headers && !lines.is_empty() {
        let (old, new) = (label(&change.old, "a/", "\t"), label(&change.new, "b/", "\t"));
        out.extend_from_slice(format!("--- {old}\n+++ {new}\n").as_bytes());
    }
    out.extend_from_slice(&lines);
    Ok(())
}

/// A side's name, or that there is none. A name with a space has a tab after it where lines follow.
fn label(file: &Option<File>, prefix: &str, after_space: &str) -> String {
    let Some(file) = file else { return "/dev/null".to_owned() };
    let tab = if file.path.contains(&b' ') { after_space } else { "" };
    format!("{}{tab}", prefixed(prefix, file.path.as_bstr()))
}

fn prefixed(prefix: &str, path: &BStr) -> String {
    let mut whole = BString::from(prefix);
    whole.extend_from_slice(path);
    quoted(whole.as_bstr())
}

fn header(change: &Change, sides: Sides<'_>, out: &mut Vec<u8>) -> Result<()> {
    let path =
        |file: &Option<File>| file.as_ref().map_or_else(|| change.path().clone(), |file| file.path.clone());
    let (old_path, new_path) = (path(&change.old), path(&change.new));
    let mut text =
        format!("diff --git {} {}\n", prefixed("a/", old_path.as_bstr()), prefixed("b/", new_path.as_bstr()));
    let short = |file: &Option<File>| match file {
        Some(file) => sides.objects.short(&file.leaf.id),
        None => sides.objects.short(&gix_hash::ObjectId::null(gix_hash::Kind::Sha1)),
    };
    let mut mode_at_end = String::new();
    match (&change.old, &change.new) {
        (Some(old), Some(new)) if old.leaf.mode != new.leaf.mode => {
            text.push_str(&format!("old mode {:06o}\nnew mode {:06o}\n", old.leaf.mode, new.leaf.mode));
        }
        (Some(old), Some(_)) => mode_at_end = format!(" {:06o}", old.leaf.mode),
        (None, Some(new)) => text.push_str(&format!("new file mode {:06o}\n", new.leaf.mode)),
        (Some(old), None) => text.push_str(&format!("deleted file mode {:06o}\n", old.leaf.mode)),
        (None, None) => {}
    }
    if let Some(alike) = change.alike {
        text.push_str(&format!(
            "similarity index {alike}%\nrename from {}\nrename to {}\n",
            quoted(old_path.as_bstr()),
            quoted(new_path.as_bstr())
        ));
    }
    let id = |file: &Option<File>| file.as_ref().map(|file| file.leaf.id);
    if id(&change.old) != id(&change.new) {
        text.push_str(&format!("index {}..{}{mode_at_end}\n", short(&change.old)?, short(&change.new)?));
    }
    out.extend_from_slice(text.as_bytes());
    Ok(())
}

/// The pieces of a patch with their headings.
fn hunks(old: &[u8], new: &[u8], context: u32) -> Vec<u8> {
    let input = InternedInput::new(old, new);
    let mut diff = Diff::compute(Algorithm::Myers, &input);
    diff.postprocess_with_heuristic(
        &input,
        IndentHeuristic::new(|token: Token| {
            IndentLevel::for_ascii_line(input.interner[token].iter().copied(), TAB)
        }),
    );
    let line = |tokens: &[Token], at: u32| -> &[u8] {
        tokens.get(at as usize).map_or(&[][..], |token| input.interner[*token])
    };
    let old_lines = u32::try_from(input.before.len()).unwrap_or(u32::MAX);
    let all: Vec<_> = diff.hunks().collect();
    let mut out = Vec::new();
    let mut rest = all.as_slice();
    while let Some(first) = rest.first() {
        // What lies so near that its lines around would meet is one piece.
        let near = context.saturating_mul(2);
        let mut count = 1;
        while let (Some(this), Some(next)) = (rest.get(count - 1), rest.get(count)) {
            if next.before.start - this.before.end > near {
                break;
            }
            count += 1;
        }
        let (these, others) = rest.split_at(count);
        rest = others;
        let Some(last) = these.last() else { break };
        let lead = first.before.start.min(context);
        let tail = (old_lines - last.before.end).min(context);
        let (old_start, new_start) = (first.before.start - lead, first.after.start - lead);
        let (old_end, new_end) = (last.before.end + tail, last.after.end + tail);
        out.extend_from_slice(
            format!("@@ -{} +{} @@", range(old_start, old_end), range(new_start, new_end)).as_bytes(),
        );
        let above = (0..old_start).rev().map(|at| line(&input.before, at));
        if let Some(heading) = above.into_iter().find_map(heading) {
            out.push(b' ');
            out.extend_from_slice(heading);
        }
        out.push(b'\n');
        let mut at = old_start;
        for hunk in these {
            (at..hunk.before.start).for_each(|at| push(&mut out, b' ', line(&input.before, at)));
            hunk.before.clone().for_each(|at| push(&mut out, b'-', line(&input.before, at)));
            hunk.after.clone().for_each(|at| push(&mut out, b'+', line(&input.after, at)));
            at = hunk.before.end;
        }
        (at..old_end).for_each(|at| push(&mut out, b' ', line(&input.before, at)));
    }
    out
}

/// `start,count` of lines from zero, as a patch counts them.
fn range(start: u32, end: u32) -> String {
    match end - start {
        0 => format!("{start},0"),
        1 => (start + 1).to_string(),
        count => format!("{},{count}", start + 1),
    }
}

/// A line that may head a piece, without the spaces at its end: it starts like a name.
fn heading(line: &[u8]) -> Option<&[u8]> {
    let first = line.first()?;
    if !first.is_ascii_alphabetic() && *first != b'_' && *first != b'$' {
        return None;
    }
    Some(line.get(..LONGEST_HEADING).unwrap_or(line).trim_end_with(|c| c.is_ascii_whitespace()))
}

fn push(out: &mut Vec<u8>, sign: u8, line: &[u8]) {
    out.push(sign);
    out.extend_from_slice(line);
    if line.last() != Some(&b'\n') {
        out.extend_from_slice(b"\n\\ No newline at end of file\n");
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    fn patch(old: &str, new: &str, context: u32) -> String {
        String::from_utf8(hunks(old.as_bytes(), new.as_bytes(), context)).unwrap()
    }

    #[test]
    fn pieces_are_counted_and_headed() {
        assert_eq!(patch("", "a\nb\n", 3), "@@ -0,0 +1,2 @@\n+a\n+b\n");
        assert_eq!(patch("a\n", "", 3), "@@ -1 +0,0 @@\n-a\n");
        assert_eq!(patch("a", "a\n", 3), "@@ -1 +1 @@\n-a\n\\ No newline at end of file\n+a\n");
        assert_eq!(
            patch("f() {\n 1\n 2\n 3\n}\n", "f() {\n 1\n 2\n 4\n}\n", 1),
            "@@ -3,3 +3,3 @@ f() {\n 2\n- 3\n+ 4\n }\n"
        );
        assert_eq!(
            patch("f() {\n 1\n 2\n 3\n}\n", "f() {\n 1\n 2\n 4\n}\n", 0),
            "@@ -4 +4 @@ f() {\n- 3\n+ 4\n"
        );
    }

    #[test]
    fn near_changes_are_one_piece() {
        let old = "1\n2\n3\n4\n5\n6\n7\n8\n9\n";
        let new = "x\n2\n3\n4\n5\n6\n7\n8\ny\n";
        assert_eq!(patch(old, new, 3).matches("@@ -").count(), 2);
        assert_eq!(patch(old, new, 4).matches("@@ -").count(), 1);
        assert_eq!(patch(old, new, u32::MAX).matches("@@ -").count(), 1);
    }
}
