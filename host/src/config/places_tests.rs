#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::os::unix::fs::symlink;
use std::process::Command;

use proptest::prelude::*;

use super::*;
use crate::config::Surroundings;

struct Scratch {
    _folder: tempfile::TempDir,
    root: PathBuf,
    home: Home,
}

/// `user/.kennel` with all its places, `user/docs` beside it, and `srv` elsewhere.
fn scratch() -> Scratch {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().canonicalize().unwrap();
    let home =
        Home::locate(Some(&root.join("user/.kennel")), None, &Surroundings::new(None, |_| None)).unwrap();
    home.create().unwrap();
    fs::write(home.config_file(), "").unwrap();
    fs::create_dir_all(home.state().join("deep/deeper")).unwrap();
    fs::create_dir_all(home.default_plugins()).unwrap();
    fs::create_dir_all(root.join("user/docs/inner")).unwrap();
    fs::create_dir_all(root.join("srv")).unwrap();
    Scratch { _folder: folder, root, home }
}

impl Scratch {
    fn check(&self, dir: &Path) -> Result<(), Conflict> {
        Places::new(&self.home, &self.home.default_plugins()).unwrap().check(dir).unwrap()
    }
}

#[test]
fn folders_that_hold_or_lie_in_a_place_are_refused() {
    let s = scratch();
    let home = s.home.root();
    for free in ["user/docs", "user/docs/inner", "srv", "user/docs/../docs"] {
        assert_eq!(s.check(&s.root.join(free)), Ok(()), "{free}");
    }
    for held in [Path::new("/"), &s.root, &s.root.join("user"), &s.root.join("user/docs/..")] {
        assert!(matches!(s.check(held), Err(Conflict::Holds { .. })), "{}", held.display());
    }
    let inside =
        [home.to_owned(), s.home.state(), s.home.state().join("deep"), s.home.cache(), s.home.approved()];
    for inside in
        inside.iter().chain(&[s.home.audit(), s.home.default_plugins(), home.join("state/../state")])
    {
        assert!(matches!(s.check(inside), Err(Conflict::Inside { .. })), "{}", inside.display());
    }
}

#[test]
fn links_do_not_help() {
    let s = scratch();
    let link = |name: &str, to: &Path| {
        let path = s.root.join(name);
        symlink(to, &path).unwrap();
        path
    };
    for to in [s.root.join("user"), s.home.root().to_owned(), s.home.state(), s.home.state().join("deep")] {
        let once = link(&format!("l{}", to.components().count()), &to);
        let twice = link(&format!("ll{}", to.components().count()), &once);
        assert!(s.check(&once).is_err(), "{}", to.display());
        assert!(s.check(&twice).is_err(), "{}", to.display());
        assert!(s.check(&once.join(".")).is_err(), "{}", to.display());
    }
    // The place itself is a link to somewhere else: what counts is where it leads.
    fs::remove_dir(s.home.cache()).unwrap();
    fs::create_dir(s.root.join("srv/cache")).unwrap();
    symlink(s.root.join("srv/cache"), s.home.cache()).unwrap();
    assert!(matches!(s.check(&s.root.join("srv")), Err(Conflict::Holds { what: "the cache", .. })));
    assert!(matches!(s.check(&s.root.join("srv/cache")), Err(Conflict::Inside { what: "the cache", .. })));
    // Also when it is not there yet.
    fs::remove_dir(s.root.join("srv/cache")).unwrap();
    assert!(matches!(s.check(&s.root.join("srv")), Err(Conflict::Holds { what: "the cache", .. })));
}

#[test]
fn a_configuration_elsewhere_is_kept_too() {
    let s = scratch();
    let config = s.root.join("srv/etc/my.toml");
    let surroundings = Surroundings::new(None, |_| None);
    let home = Home::locate(Some(s.home.root()), Some(&config), &surroundings).unwrap();
    let places = Places::new(&home, &home.default_plugins()).unwrap();
    let refused = places.check(&s.root.join("srv")).unwrap();
    assert!(matches!(refused, Err(Conflict::Holds { what: "the configuration", .. })), "not there yet");
    fs::create_dir(s.root.join("srv/etc")).unwrap();
    fs::create_dir(s.root.join("srv/pub")).unwrap();
    fs::write(&config, "").unwrap();
    let places = Places::new(&home, &home.default_plugins()).unwrap();
    assert!(places.check(&s.root.join("srv/etc")).unwrap().is_err());
    assert_eq!(places.check(&s.root.join("srv/pub")).unwrap(), Ok(()));
}

#[test]
fn a_second_name_of_the_configuration_bars_every_grant() {
    let s = scratch();
    let docs = s.root.join("user/docs");
    fs::hard_link(s.home.config_file(), docs.join("notes.txt")).unwrap();
    assert_eq!(s.check(&docs), Err(Conflict::Linked(s.home.config_file().to_owned())));
}

#[test]
fn plugins_folder_and_the_rest_do_not_mix() {
    let s = scratch();
    let mixed = |folder: &Path| {
        Places::new(&s.home, folder).err().map(|e| e.to_string().replace(s.root.to_str().unwrap(), ""))
    };
    assert_eq!(mixed(&s.home.default_plugins()), None);
    assert_eq!(mixed(&s.root.join("srv")), None);
    symlink(s.home.root(), s.root.join("srv/link")).unwrap();
    let said: Vec<_> = [
        s.root.join("user"),
        s.home.root().to_owned(),
        s.root.join("srv/link"),
        s.home.state(),
        s.home.state().join("deep"),
        s.home.approved().join("not-there"),
    ]
    .iter()
    .map(|folder| mixed(folder).unwrap())
    .collect();
    insta::assert_snapshot!(said.join("\n"));
}

/// Runs itself again in a mount namespace of its own, where binds may be made.
#[test]
#[cfg(target_os = "linux")]
fn bind_mounts_do_not_help() {
    const INSIDE: &str = "KENNEL_TEST_BIND_MOUNTS";
    if std::env::var_os(INSIDE).is_none() {
        if !Command::new("unshare").args(["-rm", "true"]).status().is_ok_and(|status| status.success()) {
            eprintln!(
                "not shown: this system lets nobody make a mount namespace (see the tests of `mounts`)"
            );
            return;
        }
        let output = Command::new("unshare")
            .arg("-rm")
            .arg(std::env::current_exe().unwrap())
            .args(["--exact", "config::places::tests::bind_mounts_do_not_help", "--nocapture"])
            .env(INSIDE, "1")
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(
            output.status.success() && text.contains("1 passed"),
            "{text}{}",
            String::from_utf8_lossy(&output.stderr)
        );
        return;
    }
    let s = scratch();
    let bind = |from: &Path, name: &str| {
        let to = s.root.join(name);
        fs::create_dir_all(&to).unwrap();
        assert!(Command::new("mount").arg("--bind").args([from, &to]).status().unwrap().success());
        to
    };
    let user = bind(&s.root.join("user"), "bound/user");
    let home = bind(s.home.root(), "bound/home");
    let deep = bind(&s.home.state().join("deep"), "bound/deep");
    let docs = bind(&s.root.join("user/docs"), "bound/docs");
    assert_eq!(s.check(&docs), Ok(()));
    assert!(s.check(&user).is_err());
    assert!(s.check(&home).is_err());
    assert!(s.check(&deep).is_err());
    assert!(s.check(&deep.join("deeper")).is_err());
    assert!(s.check(&user.join(".kennel/state")).is_err());
    // The folder is innocent, what is mounted in it is not.
    assert!(s.check(&s.root.join("bound")).is_err());
    let inner = s.root.join("user/docs/inner");
    assert_eq!(s.check(&inner), Ok(()));
    bind(&s.home.state().join("deep"), "user/docs/inner");
    assert!(s.check(&s.root.join("user/docs")).is_err());
    assert!(s.check(&inner).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever way a path takes, the answer is that of the folder it ends in.
    #[test]
    fn spelling_does_not_matter(steps in prop::collection::vec(
        prop::sample::select(vec![".", "..", "user", ".kennel", "state", "docs", "inner", "srv", "up", "in"]), 1..8,
    )) {
        let s = scratch();
        symlink("..", s.root.join("user/docs/up")).unwrap();
        symlink(s.home.state(), s.root.join("srv/in")).unwrap();
        let path = steps.iter().fold(s.root.clone(), |path, step| path.join(step));
        if let Ok(real) = path.canonicalize() && real.is_dir() {
            let home = s.home.root();
            let expect = real.starts_with(home) || home.starts_with(&real);
            prop_assert_eq!(s.check(&path).is_err(), expect, "{}", path.display());
        }
    }
}
