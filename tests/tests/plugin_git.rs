//! The plugin `git` through the `kennel` binary, beyond what the comparison with the original covers: that the machine's `git`
//! agrees with what it writes, what it refuses, damaged and hostile repositories, and that each grant is needed.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::path::{Path, PathBuf};
use std::process::Command;

use kennel_tests::grants::{each_is_needed, tool_text};
use kennel_tests::{Client, Home};
use serde_json::{Value, json};

const WHO: &str = "GIT_AUTHOR_NAME = \"Ada\"\nGIT_AUTHOR_EMAIL = \"ada@example.org\"\n\
                   GIT_COMMITTER_NAME = \"Ada\"\nGIT_COMMITTER_EMAIL = \"ada@example.org\"\n";

/// Runs the machine's `git` without its user's settings; gives what it printed.
#[track_caller]
fn git(folder: &Path, args: &[&str]) -> String {
    let output = Command::new("git")
        .args(args)
        .current_dir(folder)
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .envs([("TZ", "UTC"), ("GIT_CONFIG_GLOBAL", "/dev/null"), ("GIT_CONFIG_NOSYSTEM", "1")])
        .envs([("GIT_AUTHOR_NAME", "Grace"), ("GIT_AUTHOR_EMAIL", "grace@example.org")])
        .envs([("GIT_COMMITTER_NAME", "Grace"), ("GIT_COMMITTER_EMAIL", "grace@example.org")])
        .output()
        .expect("git runs");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "git {args:?}: {}{}", text(&output.stdout), text(&output.stderr));
    text(&output.stdout)
}

/// A repository beside a Kennel that has it.
struct Project {
    home: Home,
    folder: PathBuf,
}

impl Project {
    fn new(name: &str) -> Self {
        let home = Home::new(name);
        let folder = home.folder("project");
        git(&folder, &["init", "-q", "-b", "main"]);
        std::fs::write(folder.join("file.txt"), "one\ntwo\n").unwrap();
        git(&folder, &["add", "-A"]);
        git(&folder, &["commit", "-q", "-m", "First"]);
        Self { home, folder }
    }

    fn serve(&self, mode: &str) -> Client {
        self.home.plugin("git");
        let directory = directory(&self.folder, mode);
        let config = format!("[plugins.git]\nprefix = \"\"\n{directory}[plugins.git.env]\n{WHO}");
        self.home.config(&config).approve();
        let client = self.home.serve();
        client.initialize();
        client
    }

    /// A tool's answer, or its failure, for this repository.
    fn call(&self, client: &Client, tool: &str, mut arguments: Value) -> Result<String, String> {
        arguments["repo_path"] = self.folder.to_str().unwrap().into();
        tool_text(client, tool, &arguments)
    }
}

fn directory(folder: &Path, mode: &str) -> String {
    let path = Value::from(folder.to_str().unwrap());
    format!("[[plugins.git.directories]]\npath = {path}\nmode = \"{mode}\"\n")
}

/// One line that does not come from inside.
#[track_caller]
fn is_plain(why: &str) {
    assert!(!why.is_empty() && !why.contains("panicked") && !why.contains("wasm"), "{why}");
}

#[test]
fn git_itself_agrees_with_what_was_written() {
    let project = Project::new("git-agrees");
    let client = project.serve("read-write");
    let call = |tool: &str, arguments: Value| project.call(&client, tool, arguments).unwrap();
    // More files than one tree has, some of which sort differently as folders.
    for name in ["a.txt", "a/b.txt", "a-b/c.txt", "z/y/x/deep.txt", "sp ace.txt", "Zürich.txt"] {
        let path = project.folder.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, name).unwrap();
    }
    std::os::unix::fs::symlink("a.txt", project.folder.join("link")).unwrap();
    assert_eq!(call("git_add", json!({ "files": ["."] })), "Files staged successfully");
    assert_eq!(git(&project.folder, &["status", "--porcelain"]).lines().count(), 7);
    let said = call("git_commit", json!({ "message": "Many\n\nfiles" }));
    let id = git(&project.folder, &["rev-parse", "HEAD"]);
    assert_eq!(said, format!("Changes committed successfully with hash {}", id.trim()));
    assert_eq!(git(&project.folder, &["status", "--porcelain"]), "");
    assert_eq!(
        git(&project.folder, &["log", "-1", "--format=%an <%ae> %cn %B"]).trim(),
        "Ada <ada@example.org> Ada Many\n\nfiles"
    );
    // Its log and its trees are sound.
    assert!(git(&project.folder, &["reflog", "-1"]).contains("Many"));
    git(&project.folder, &["fsck", "--strict", "--full"]);

    call("git_create_branch", json!({ "branch_name": "other" }));
    assert_eq!(call("git_checkout", json!({ "branch_name": "other" })), "Switched to branch 'other'");
    assert_eq!(git(&project.folder, &["branch", "--show-current"]), "other\n");
    call("git_checkout", json!({ "branch_name": "HEAD~1" }));
    assert!(!project.folder.join("z").exists(), "empty folders go with their files");
    assert_eq!(git(&project.folder, &["status", "--porcelain"]), "");
    // git finds the way back by the log that was written.
    git(&project.folder, &["checkout", "-q", "-"]);
    assert_eq!(git(&project.folder, &["branch", "--show-current"]), "other\n");
    assert_eq!(std::fs::read_link(project.folder.join("link")).unwrap(), Path::new("a.txt"));
    call("git_checkout", json!({ "branch_name": "main~1" }));
    call("git_checkout", json!({ "branch_name": "main" }));
    // What a sandbox makes of a link, and takes for it.
    assert_eq!(std::fs::read_to_string(project.folder.join("link")).unwrap(), "a.txt");
    assert!(call("git_status", json!({})).ends_with("nothing to commit, working tree clean"));
    git(&project.folder, &["fsck", "--strict", "--full"]);
}

#[test]
fn packs_are_read_with_their_changes() {
    let project = Project::new("git-packs");
    let lines = |changed: usize| -> String {
        (0..2000).map(|n| format!("line {n} {}\n", if n < changed { "new" } else { "old" })).collect()
    };
    for changed in 0..12 {
        std::fs::write(project.folder.join("long.txt"), lines(changed * 10)).unwrap();
        git(&project.folder, &["add", "-A"]);
        git(&project.folder, &["commit", "-q", "-m", &format!("Change {changed}")]);
    }
    git(&project.folder, &["repack", "-adfq", "--depth=50"]);
    let chains = git(&project.folder, &["verify-pack", "-v", &pack(&project.folder)]);
    assert!(chains.contains("chain length = 5"), "the test wants changes upon changes: {chains}");
    let client = project.serve("read-only");
    for changed in 0..12 {
        let revision = format!("HEAD~{}:long.txt", 11 - changed);
        let shown = project.call(&client, "git_show", json!({ "revision": revision })).unwrap();
        assert_eq!(shown, lines(changed * 10), "{revision}");
    }
    let log = project.call(&client, "git_log", json!({ "max_count": 100 })).unwrap();
    assert_eq!(log.matches("Commit: ").count(), 13);
}

fn pack(folder: &Path) -> String {
    let mut packs = std::fs::read_dir(folder.join(".git/objects/pack")).unwrap().flatten();
    let pack = packs.find(|entry| entry.path().extension().is_some_and(|extension| extension == "idx"));
    pack.expect("there is a pack").path().to_str().unwrap().to_owned()
}

#[test]
fn a_damaged_repository_gives_one_line() {
    let project = Project::new("git-damaged");
    git(&project.folder, &["repack", "-adq"]);
    let client = project.serve("read-write");
    let index = PathBuf::from(pack(&project.folder));
    let packed = index.with_extension("pack");
    let head = git(&project.folder, &["rev-parse", "HEAD"]);
    let loose = project.folder.join(".git/objects").join(&head[..2]);
    type Damage = Box<dyn Fn(Vec<u8>) -> Vec<u8>>;
    let damaged: [(&Path, Damage); 7] = [
        (&packed, Box::new(|bytes| bytes[..40].to_vec())),
        (&packed, Box::new(|bytes| bytes.iter().map(|byte| byte ^ 0x5a).collect())),
        (&index, Box::new(|bytes| bytes[..100].to_vec())),
        (
            &index,
            Box::new(|mut bytes| {
                bytes.truncate(8 + 256 * 4);
                bytes.fill(0xff);
                bytes
            }),
        ),
        (&project.folder.join(".git/index"), Box::new(|bytes| bytes[..20].to_vec())),
        (&project.folder.join(".git/HEAD"), Box::new(|_| b"ref: refs/heads/../../../etc/passwd\n".to_vec())),
        (&project.folder.join(".git/config"), Box::new(|_| b"[core\nnonsense".to_vec())),
    ];
    for (path, damage) in &damaged {
        let whole = std::fs::read(path).unwrap();
        let mut permissions = std::fs::metadata(path).unwrap().permissions();
        #[allow(clippy::permissions_set_readonly_false)]
        permissions.set_readonly(false);
        std::fs::set_permissions(path, permissions).unwrap();
        std::fs::write(path, damage(whole.clone())).unwrap();
        let why = project.call(&client, "git_status", json!({})).expect_err(&format!("{}", path.display()));
        is_plain(&why);
        std::fs::write(path, whole).unwrap();
    }
    assert!(project.call(&client, "git_status", json!({})).is_ok());
    // A loose object that is none, and one that unpacks to more than it may.
    std::fs::create_dir_all(&loose).unwrap();
    let place = loose.join(&head.trim()[2..]);
    std::fs::write(&place, "no zlib").unwrap();
    is_plain(&project.call(&client, "git_log", json!({})).unwrap_err());
    std::fs::remove_file(&place).unwrap();
    assert!(project.call(&client, "git_log", json!({})).is_ok());
}

#[test]
fn a_repository_leads_nowhere_else() {
    let project = Project::new("git-outside");
    let outside = project.home.folder("outside");
    git(&outside, &["init", "-q", "-b", "main"]);
    std::fs::write(outside.join("secret.txt"), "a secret\n").unwrap();
    git(&outside, &["add", "-A"]);
    git(&outside, &["commit", "-q", "-m", "Secret"]);
    let secret = git(&outside, &["rev-parse", "HEAD"]);
    let client = project.serve("read-write");
    let inner = project.folder.join("inner");
    std::fs::create_dir(&inner).unwrap();
    let place = outside.join(".git").display().to_string();
    // A repository elsewhere by a `.git` file, by a link, by a worktree's folder, by borrowed objects.
    std::fs::write(inner.join(".git"), format!("gitdir: {place}\n")).unwrap();
    let of_inner = |tool: &str| tool_text(&client, tool, &json!({ "repo_path": inner.to_str().unwrap() }));
    is_plain(&of_inner("git_log").unwrap_err());
    std::fs::write(inner.join(".git"), "gitdir: ../../outside/.git\n").unwrap();
    is_plain(&of_inner("git_log").unwrap_err());
    std::fs::remove_file(inner.join(".git")).unwrap();
    std::os::unix::fs::symlink(&place, inner.join(".git")).unwrap();
    is_plain(&of_inner("git_log").unwrap_err());
    std::fs::write(project.folder.join(".git/objects/info/alternates"), format!("{place}/objects\n"))
        .unwrap();
    let why = project.call(&client, "git_show", json!({ "revision": secret.trim() })).unwrap_err();
    assert!(why.contains("could not be resolved"), "{why}");
    std::fs::remove_file(project.folder.join(".git/objects/info/alternates")).unwrap();

    // A link in the working tree is stored as a link, never as what it leads to.
    std::os::unix::fs::symlink("../outside/secret.txt", project.folder.join("link")).unwrap();
    let _ = project.call(&client, "git_add", json!({ "files": ["link"] }));
    let staged = project.call(&client, "git_diff_staged", json!({})).unwrap();
    assert!(!staged.contains("a secret"), "{staged}");
    // And a checkout writes through none.
    git(&project.folder, &["checkout", "-q", "-b", "folder"]);
    std::fs::create_dir(project.folder.join("way")).unwrap();
    std::fs::write(project.folder.join("way/file.txt"), "written\n").unwrap();
    git(&project.folder, &["add", "way"]);
    git(&project.folder, &["commit", "-q", "-m", "Way"]);
    git(&project.folder, &["checkout", "-q", "main"]);
    std::os::unix::fs::symlink(&outside, project.folder.join("way")).unwrap();
    is_plain(&project.call(&client, "git_checkout", json!({ "branch_name": "folder" })).unwrap_err());
    assert!(!outside.join("file.txt").exists());
}

#[test]
fn one_writer_at_a_time() {
    let project = Project::new("git-lock");
    let client = project.serve("read-write");
    std::fs::write(project.folder.join("new.txt"), "new\n").unwrap();
    let lock = project.folder.join(".git/index.lock");
    std::fs::write(&lock, "").unwrap();
    let why = project.call(&client, "git_add", json!({ "files": ["new.txt"] })).unwrap_err();
    assert!(why.contains("index.lock': File exists"), "{why}");
    assert!(lock.exists(), "the lock is another's");
    std::fs::remove_file(&lock).unwrap();
    assert!(project.call(&client, "git_add", json!({ "files": ["new.txt"] })).is_ok());
    assert!(!lock.exists(), "and ours goes");
    let lock = project.folder.join(".git/refs/heads/main.lock");
    std::fs::write(&lock, "").unwrap();
    let before = git(&project.folder, &["rev-parse", "HEAD"]);
    is_plain(&project.call(&client, "git_commit", json!({ "message": "New" })).unwrap_err());
    assert_eq!(git(&project.folder, &["rev-parse", "HEAD"]), before);
    std::fs::remove_file(&lock).unwrap();
    assert!(project.call(&client, "git_commit", json!({ "message": "New" })).is_ok());
}

#[test]
fn read_only_is_read_only() {
    let project = Project::new("git-read-only");
    let client = project.serve("read-only");
    std::fs::write(project.folder.join("file.txt"), "changed\n").unwrap();
    for (tool, arguments) in [
        ("git_status", json!({})),
        ("git_diff_unstaged", json!({})),
        ("git_log", json!({})),
        ("git_show", json!({ "revision": "HEAD" })),
        ("git_branch", json!({ "branch_type": "all" })),
    ] {
        project.call(&client, tool, arguments).unwrap();
    }
    for (tool, arguments) in [
        ("git_add", json!({ "files": ["file.txt"] })),
        ("git_create_branch", json!({ "branch_name": "x" })),
        ("git_checkout", json!({ "branch_name": "main" })),
        ("git_reset", json!({})),
    ] {
        is_plain(&project.call(&client, tool, arguments).expect_err(tool));
    }
    assert_eq!(git(&project.folder, &["status", "--porcelain"]), " M file.txt\n");
}

#[test]
fn hooks_are_not_passed_over_in_silence() {
    let project = Project::new("git-hooks");
    let client = project.serve("read-write");
    std::fs::write(project.folder.join(".git/hooks/pre-commit"), "#!/bin/sh\nexit 1\n").unwrap();
    std::fs::write(project.folder.join("new.txt"), "new\n").unwrap();
    project.call(&client, "git_add", json!({ "files": ["new.txt"] })).unwrap();
    let said = project.call(&client, "git_commit", json!({ "message": "New" })).unwrap();
    assert!(said.contains("Not run") && said.contains("pre-commit"), "{said}");
}

#[test]
fn each_grant_is_needed() {
    let home = Home::new("git-grants");
    let root = home.folder("projects");
    let variables = [
        ("GIT_AUTHOR_NAME", "Ada"),
        ("GIT_AUTHOR_EMAIL", "ada@example.org"),
        ("GIT_AUTHOR_DATE", "1700000000 +0200"),
        ("GIT_COMMITTER_NAME", "Charles"),
        ("GIT_COMMITTER_EMAIL", "charles@example.org"),
        ("GIT_COMMITTER_DATE", "1700000100 +0000"),
    ];
    let mut grants: Vec<(&str, String)> =
        variables.iter().map(|(name, value)| (*name, format!("env.{name} = \"{value}\""))).collect();
    grants.push(("grant this plugin a directory", directory(&root, "read-write")));
    let grants: Vec<(&str, &str)> = grants.iter().map(|(word, piece)| (*word, piece.as_str())).collect();
    let next = std::cell::Cell::new(0);
    each_is_needed("git", "", &grants, |client| {
        next.set(next.get() + 1);
        let folder = root.join(next.get().to_string());
        std::fs::create_dir(&folder).unwrap();
        git(&folder, &["init", "-q", "-b", "main"]);
        std::fs::write(folder.join("file.txt"), "one\n").unwrap();
        let repo = folder.to_str().unwrap();
        tool_text(client, "git_add", &json!({ "repo_path": repo, "files": ["."] }))?;
        tool_text(client, "git_commit", &json!({ "repo_path": repo, "message": "x" }))?;
        let header = git(&folder, &["cat-file", "commit", "HEAD"]);
        // Without a date it is now, which is no failure of the plugin's: what is said about it is the test's.
        for (line, name) in [
            ("author Ada <ada@example.org> 1700000000 +0200", "GIT_AUTHOR_DATE"),
            ("committer Charles <charles@example.org> 1700000100 +0000", "GIT_COMMITTER_DATE"),
        ] {
            if !header.lines().any(|other| other == line) {
                return Err(format!("{name} is not in {header}"));
            }
        }
        Ok(())
    });
}
