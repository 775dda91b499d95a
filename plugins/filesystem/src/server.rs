//! One call's view of the files: what was granted and what was set, and each tool's work under both.
//! Must not know how a result is shaped: that is the tools' matter, in `lib`.

use crate::access::Access;
use crate::arguments::{Edit, ListWithSizes, Move, ReadText, Search, SortBy, Tree, Write};
use crate::edit;
use crate::failure::Failure;
use crate::info::{self, Existence};
use crate::settings::Settings;
use crate::{list, read, write};

/// What was granted and what was set.
#[derive(Debug, Clone)]
pub(crate) struct Server {
    pub(crate) access: Access,
    pub(crate) settings: Settings,
}

impl Server {
    /// Of the call we are in.
    pub(crate) fn of_this_call() -> kennel_sdk::Result<Self> {
        Ok(Self { access: Access::granted(), settings: Settings::load()? })
    }

    /// The real path of a file whose contents may be read or written.
    fn file(&self, path: &str) -> Result<String, Failure> {
        let valid = self.access.validate(path)?;
        self.settings.check_extension(&valid)?;
        Ok(valid)
    }

    /// Whether both the settings and the grant let something be changed there.
    fn check_writable(&self, path: &str) -> Result<(), Failure> {
        self.settings.check_writable(path)?;
        self.access.check_writable(path)
    }

    pub(crate) fn read(&self, args: &ReadText) -> Result<String, Failure> {
        let path = self.file(&args.path)?;
        let limit = self.settings.max_file_size;
        // As in JavaScript, no lines at all is as good as not said.
        let said = |lines: Option<f64>| lines.filter(|lines| *lines != 0.0);
        match (said(args.head), said(args.tail)) {
            (Some(_), Some(_)) => {
                Err(Failure::refused("Cannot specify both head and tail parameters simultaneously"))
            }
            (None, Some(lines)) => read::tail(&path, lines, limit),
            (Some(lines), None) => read::head(&path, lines, limit),
            (None, None) => read::text(&path, limit),
        }
    }

    /// The real path and the bytes.
    pub(crate) fn read_bytes(&self, path: &str) -> Result<(String, Vec<u8>), Failure> {
        let path = self.file(path)?;
        let bytes = read::bytes(&path, self.settings.max_file_size)?;
        Ok((path, bytes))
    }

    pub(crate) fn read_several(&self, paths: &[String]) -> String {
        let one = |path: &String| {
            let text = self.file(path).and_then(|file| read::text(&file, self.settings.max_file_size));
            match text {
                Ok(text) => format!("{path}:\n{text}\n"),
                Err(error) => format!("{path}: Error - {error}"),
            }
        };
        paths.iter().map(one).collect::<Vec<_>>().join("\n---\n")
    }

    pub(crate) fn write(&self, args: &Write) -> Result<String, Failure> {
        let path = self.file(&args.path)?;
        self.check_writable(&path)?;
        self.settings.check_size(&path, args.content.len())?;
        write::whole(&path, &args.content)?;
        Ok(format!("Successfully wrote to {}", args.path))
    }

    pub(crate) fn edit(&self, args: Edit) -> Result<String, Failure> {
        let path = self.file(&args.path)?;
        if !args.dry_run {
            self.check_writable(&path)?;
        }
        let before = edit::plain_line_ends(&read::text(&path, self.settings.max_file_size)?);
        let edits: Vec<_> =
            args.edits.into_iter().map(|edit| edit::Edit { old: edit.old, new: edit.new }).collect();
        let after = edit::apply(&before, &edits)?;
        self.settings.check_size(&path, after.len())?;
        let diff = edit::fenced_diff(&path, &before, &after);
        if !args.dry_run {
            write::replace(&path, &after)?;
        }
        Ok(diff)
    }

    pub(crate) fn create_directory(&self, path: &str) -> Result<String, Failure> {
        let valid = self.access.validate(path)?;
        self.check_writable(&valid)?;
        write::directory(&valid)?;
        Ok(format!("Successfully created directory {path}"))
    }

    pub(crate) fn list(&self, path: &str) -> Result<String, Failure> {
        list::plain(&self.access.validate(path)?)
    }

    pub(crate) fn list_with_sizes(&self, args: &ListWithSizes) -> Result<String, Failure> {
        list::with_sizes(&self.access.validate(&args.path)?, args.sort_by == SortBy::Size)
    }

    pub(crate) fn tree(&self, args: &Tree) -> Result<String, Failure> {
        list::tree(&self.access, &args.path, &args.exclude)
    }

    pub(crate) fn rename(&self, args: &Move) -> Result<String, Failure> {
        let source = self.access.validate(&args.source)?;
        let destination = self.access.validate(&args.destination)?;
        self.check_writable(&source)?;
        self.check_writable(&destination)?;
        // A file must not come to read otherwise by another name; a directory has no extension to speak of.
        if !std::fs::metadata(&source).is_ok_and(|found| found.is_dir()) {
            self.settings.check_extension(&source)?;
            self.settings.check_extension(&destination)?;
        }
        write::rename(&source, &destination)?;
        Ok(format!("Successfully moved {} to {}", args.source, args.destination))
    }

    pub(crate) fn search(&self, args: &Search) -> Result<String, Failure> {
        let root = self.access.validate(&args.path)?;
        let found = list::search(&self.access, &root, &args.pattern, &args.exclude)?;
        Ok(if found.is_empty() { "No matches found".to_owned() } else { found.join("\n") })
    }

    pub(crate) fn info(&self, path: &str) -> Result<String, Failure> {
        info::lines(&self.access.validate(path)?)
    }

    pub(crate) fn exists(&self, path: &str) -> Result<Existence, Failure> {
        info::existence(&self.access.validate(path)?)
    }

    pub(crate) fn allowed_directories(&self) -> String {
        format!("Allowed directories:\n{}", self.access.directories().join("\n"))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use crate::arguments::OneEdit;
    use crate::paths::join;
    use proptest::prelude::*;
    use std::fs;

    fn server(settings: Settings) -> (tempfile::TempDir, String, Server) {
        let folder = tempfile::tempdir().unwrap();
        let base = folder.path().canonicalize().unwrap().to_str().unwrap().to_owned();
        fs::write(join(&base, "a.txt"), "one\ntwo\n").unwrap();
        let access = Access::new([(base.clone(), true)]);
        (folder, base, Server { access, settings })
    }

    fn edit(dry_run: bool) -> Edit {
        let edits = vec![OneEdit { old: "two".into(), new: "2".into() }];
        Edit { path: "a.txt".into(), edits, dry_run }
    }

    fn read(path: &str, head: Option<f64>, tail: Option<f64>) -> ReadText {
        ReadText { path: path.into(), head, tail }
    }

    #[test]
    fn a_dry_run_changes_nothing_and_shows_the_same() {
        let (_folder, base, server) = server(Settings::default());
        let shown = server.edit(edit(true)).unwrap();
        assert_eq!(fs::read_to_string(join(&base, "a.txt")).unwrap(), "one\ntwo\n");
        assert_eq!(server.edit(edit(false)).unwrap(), shown);
        assert_eq!(fs::read_to_string(join(&base, "a.txt")).unwrap(), "one\n2\n");
        assert!(shown.ends_with("@@ -1,2 +1,2 @@\n one\n-two\n+2\n```\n\n"), "{shown}");
    }

    #[test]
    fn head_and_tail_exclude_each_other_and_nought_is_not_said() {
        let (_folder, _, server) = server(Settings::default());
        assert_eq!(server.read(&read("a.txt", Some(0.0), Some(2.0))).unwrap(), "two\n");
        assert_eq!(
            server.read(&read("a.txt", Some(1.0), Some(1.0))).unwrap_err().to_string(),
            "Cannot specify both head and tail parameters simultaneously"
        );
    }

    #[test]
    fn read_only_refuses_every_change_but_not_a_dry_run() {
        let (_folder, base, server) = server(Settings { read_only: true, ..Settings::default() });
        let moved = Move { source: "a.txt".into(), destination: "b.txt".into() };
        let write = Write { path: "a.txt".into(), content: String::new() };
        for refused in [
            server.edit(edit(false)),
            server.rename(&moved),
            server.write(&write),
            server.create_directory("d"),
        ] {
            assert!(refused.unwrap_err().to_string().starts_with("Access denied - read-only: "));
        }
        assert!(server.edit(edit(true)).is_ok());
        assert_eq!(list::plain(&base).unwrap(), "[FILE] a.txt");
    }

    #[test]
    fn a_move_does_not_get_around_the_extensions() {
        let allowed_extensions = Some(vec![".txt".to_owned()]);
        let (_folder, base, server) = server(Settings { allowed_extensions, ..Settings::default() });
        fs::write(join(&base, "secret.key"), "x").unwrap();
        for (source, destination) in [("secret.key", "b.txt"), ("a.txt", "a.key")] {
            let moved = Move { source: source.into(), destination: destination.into() };
            assert!(server.rename(&moved).unwrap_err().to_string().contains("\".key\" not allowed"));
        }
        assert!(server.read(&read("secret.key", None, Some(1.0))).is_err());
        assert!(server.read_bytes("secret.key").is_err());
        assert!(server.read_several(&["secret.key".into()]).contains("Error - Access denied"));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        /// However a file is read or written, no more than the limit passes.
        #[test]
        fn the_largest_size_holds(length in 0_usize..40, limit in 0_u64..40, lines in 1_u8..6) {
            let (_folder, base, server) = server(Settings { max_file_size: limit, ..Settings::default() });
            let text = "ab\n".repeat(20)[..length].to_owned();
            fs::write(join(&base, "a.txt"), &text).unwrap();
            prop_assert_eq!(server.read(&read("a.txt", None, None)).is_ok(), length as u64 <= limit);
            for (head, tail) in [(Some(lines.into()), None), (None, Some(lines.into()))] {
                if let Ok(text) = server.read(&read("a.txt", head, tail)) {
                    prop_assert!(text.len() as u64 <= limit);
                }
            }
            let write = Write { path: "b.txt".into(), content: text };
            prop_assert_eq!(server.write(&write).is_ok(), length as u64 <= limit);
            prop_assert_eq!(fs::exists(join(&base, "b.txt")).unwrap(), length as u64 <= limit);
        }
    }
}
