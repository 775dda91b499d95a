#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::BTreeMap;
use std::path::Path;

use proptest::prelude::*;
use wit::{Host as _, StateError};

use super::store::ENTRY_OVERHEAD;
use super::*;
use crate::grants::{Grants, StateGrant};
use crate::sandbox::capability::test_limits as limits;

fn configured(
    plugin: &str,
    folder: Option<&Path>,
    grant: Option<StateGrant>,
) -> Result<Configured, ConfigureError> {
    let grants = Grants { state: grant, ..Grants::default() };
    let (limits, egress) = (limits(), crate::grants::Egress::default());
    let configure =
        Configure { plugin, grants: &grants, limits: &limits, egress: &egress, state_dir: folder };
    Configured::configure(&configure)
}

fn call(folder: &Path, quota: u64, scope: StateScope, caller: &str) -> Call {
    configured("p", Some(folder), Some(StateGrant { quota, scope })).unwrap().begin(caller, &Arc::default())
}

fn show(error: &StateError) -> String {
    match error {
        StateError::Denied => "denied".into(),
        StateError::Quota(bytes) => format!("quota {bytes}"),
        StateError::Invalid(why) => format!("invalid: {why}"),
        StateError::Failed(why) => format!("failed: {why}"),
    }
}

/// The store as it should be: a map and a sum.
#[derive(Default)]
struct Model {
    entries: BTreeMap<String, Vec<u8>>,
    quota: u64,
}

impl Model {
    fn used(&self) -> u64 {
        self.entries.iter().map(|(k, v)| ENTRY_OVERHEAD + (k.len() + v.len()) as u64).sum()
    }

    fn set(&mut self, key: &str, value: &[u8]) -> bool {
        let before = self.used();
        let old = self.entries.insert(key.to_owned(), value.to_owned());
        if self.used() > self.quota && self.used() > before {
            match old {
                Some(old) => self.entries.insert(key.to_owned(), old),
                None => self.entries.remove(key),
            };
            return false;
        }
        true
    }
}

#[derive(Clone, Debug)]
enum Step {
    Get(String),
    Set(String, Vec<u8>),
    Delete(String),
    List(String, Option<String>, u32),
    Swap(String, Option<Vec<u8>>, Option<Vec<u8>>),
}

fn key() -> impl Strategy<Value = String> {
    prop_oneof![
        prop::sample::select(vec!["a", "a/b", "a/c", "ä", "b", "b\0", "\u{10ffff}", "a/\u{10ffff}x"])
            .prop_map(str::to_owned),
        "[a-c]{1,3}",
    ]
}

fn value() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(any::<u8>(), 0..200)
}

fn step() -> impl Strategy<Value = Step> {
    let prefix = prop_oneof![Just(String::new()), key()];
    prop_oneof![
        key().prop_map(Step::Get),
        (key(), value()).prop_map(|(k, v)| Step::Set(k, v)),
        key().prop_map(Step::Delete),
        (prefix, prop::option::of(key()), 0u32..6).prop_map(|(p, a, n)| Step::List(p, a, n)),
        (key(), prop::option::of(Just(vec![1])), prop::option::of(Just(vec![1])))
            .prop_map(|(k, e, n)| Step::Swap(k, e, n)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn behaves_like_a_map_with_a_quota(steps in prop::collection::vec(step(), 1..60), quota in 0u64..2_000) {
        let folder = tempfile::tempdir().unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut real = call(folder.path(), quota, StateScope::Plugin, "");
            let mut model = Model { quota, ..Model::default() };
            for step in steps {
                match step {
                    Step::Get(k) => {
                        let got = real.get(k.clone()).await.unwrap().unwrap();
                        assert_eq!(got.as_ref(), model.entries.get(&k));
                    }
                    Step::Set(k, v) => {
                        let got = real.set(k.clone(), v.clone()).await.unwrap();
                        if model.set(&k, &v) {
                            got.unwrap();
                        } else {
                            assert!(matches!(got, Err(StateError::Quota(q)) if q == quota));
                        }
                    }
                    Step::Delete(k) => {
                        let got = real.delete(k.clone()).await.unwrap().unwrap();
                        assert_eq!(got, model.entries.remove(&k).is_some());
                    }
                    Step::List(prefix, after, limit) => {
                        let got = real.list(prefix.clone(), after.clone(), limit).await.unwrap().unwrap();
                        let want: Vec<String> = model.entries.keys()
                            .filter(|k| k.starts_with(&prefix))
                            .filter(|k| after.as_ref().is_none_or(|a| k.as_bytes() > a.as_bytes()))
                            .take(limit as usize).cloned().collect();
                        assert_eq!(got, want);
                    }
                    Step::Swap(k, expected, new) => {
                        let got = real.compare_and_swap(k.clone(), expected.clone(), new.clone()).await.unwrap();
                        if model.entries.get(&k) != expected.as_ref() {
                            assert!(!got.unwrap());
                        } else {
                            let fits = match &new {
                                Some(v) => model.set(&k, v),
                                None => { model.entries.remove(&k); true }
                            };
                            if fits { assert!(got.unwrap()) } else { assert!(matches!(got, Err(StateError::Quota(_)))) }
                        }
                    }
                }
            }
            // The count in the file is the sum of what is in it, whatever happened.
            let db = rusqlite::Connection::open(folder.path().join("p.sqlite"));
            if let Ok(db) = db
                && let Ok(used) = db.query_row("SELECT used FROM meta", [], |row| row.get::<_, i64>(0))
            {
                assert_eq!(used.unsigned_abs(), model.used());
            }
        });
    }
}

#[tokio::test]
async fn without_a_grant_everything_is_denied() {
    let folder = tempfile::tempdir().unwrap();
    let unused = folder.path().join("unused");
    let mut call = configured("p", Some(&unused), None).unwrap().begin("", &Arc::default());
    assert!(matches!(call.get("k".into()).await.unwrap(), Err(StateError::Denied)));
    assert!(matches!(call.set("k".into(), vec![]).await.unwrap(), Err(StateError::Denied)));
    assert!(matches!(call.delete("k".into()).await.unwrap(), Err(StateError::Denied)));
    assert!(matches!(call.list(String::new(), None, 9).await.unwrap(), Err(StateError::Denied)));
    assert!(matches!(call.compare_and_swap("k".into(), None, None).await.unwrap(), Err(StateError::Denied)));
    assert!(!unused.exists());
    let grant = StateGrant { quota: 1, scope: StateScope::Plugin };
    let mut call = configured("p", None, Some(grant)).unwrap().begin("", &Arc::default());
    assert!(matches!(call.get("k".into()).await.unwrap(), Err(StateError::Denied)));
}

#[tokio::test]
async fn nothing_is_opened_before_the_first_use_and_others_cannot_read_it() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("state");
    let mut call = call(&folder, 1 << 20, StateScope::Plugin, "");
    assert!(!folder.exists());
    call.set("k".into(), vec![7; 100]).await.unwrap().unwrap();
    #[cfg(unix)]
    for file in std::fs::read_dir(&folder).unwrap() {
        use std::os::unix::fs::PermissionsExt as _;
        let file = file.unwrap();
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600, "{:?}", file.file_name());
    }
}

#[tokio::test]
async fn bounds_of_keys_values_and_lists() {
    let home = tempfile::tempdir().unwrap();
    let mut call = call(home.path(), 1 << 30, StateScope::Plugin, "");
    for bad in [String::new(), "x".repeat(MAX_KEY + 1)] {
        assert!(matches!(call.get(bad.clone()).await.unwrap(), Err(StateError::Invalid(_))));
        assert!(matches!(call.set(bad.clone(), vec![]).await.unwrap(), Err(StateError::Invalid(_))));
        assert!(matches!(call.delete(bad.clone()).await.unwrap(), Err(StateError::Invalid(_))));
        assert!(matches!(call.compare_and_swap(bad, None, None).await.unwrap(), Err(StateError::Invalid(_))));
    }
    let longest = "x".repeat(MAX_KEY);
    call.set(longest.clone(), vec![1; MAX_VALUE]).await.unwrap().unwrap();
    assert_eq!(call.get(longest).await.unwrap().unwrap().unwrap().len(), MAX_VALUE);
    let over = call.set("k".into(), vec![1; MAX_VALUE + 1]).await.unwrap().unwrap_err();
    insta::assert_snapshot!(show(&over), @"invalid: the value has 1048577 bytes; at most 1048576 are possible");
    for n in 0..MAX_LIST + 5 {
        call.set(format!("n{n:05}"), vec![]).await.unwrap().unwrap();
    }
    let all = call.list("n".into(), None, u32::MAX).await.unwrap().unwrap();
    assert_eq!(all.len(), MAX_LIST as usize);
    let rest = call.list("n".into(), all.last().cloned(), 100).await.unwrap().unwrap();
    assert_eq!(rest, ["n01000", "n01001", "n01002", "n01003", "n01004"]);
}

#[tokio::test]
async fn callers_do_not_see_each_other_but_share_the_quota() {
    let home = tempfile::tempdir().unwrap();
    let quota = 2 * (ENTRY_OVERHEAD + 32 + 1 + 10);
    let mut ann = call(home.path(), quota, StateScope::Caller, "ann");
    let mut bob = call(home.path(), quota, StateScope::Caller, "bob");
    let mut nobody = call(home.path(), quota, StateScope::Caller, "");
    ann.set("k".into(), vec![1; 10]).await.unwrap().unwrap();
    assert_eq!(bob.get("k".into()).await.unwrap().unwrap(), None);
    assert_eq!(nobody.list(String::new(), None, 10).await.unwrap().unwrap(), Vec::<String>::new());
    bob.set("k".into(), vec![2; 10]).await.unwrap().unwrap();
    assert!(matches!(nobody.set("k".into(), vec![3; 10]).await.unwrap(), Err(StateError::Quota(_))));
    assert_eq!(ann.get("k".into()).await.unwrap().unwrap(), Some(vec![1; 10]));
}

#[tokio::test]
async fn a_lowered_quota_lets_the_plugin_make_room() {
    let home = tempfile::tempdir().unwrap();
    let mut wide = call(home.path(), 10_000, StateScope::Plugin, "");
    wide.set("a".into(), vec![0; 1000]).await.unwrap().unwrap();
    wide.set("b".into(), vec![0; 1000]).await.unwrap().unwrap();
    let mut narrow = call(home.path(), 500, StateScope::Plugin, "");
    assert!(matches!(narrow.set("c".into(), vec![]).await.unwrap(), Err(StateError::Quota(500))));
    narrow.set("a".into(), vec![0; 900]).await.unwrap().unwrap();
    assert!(narrow.delete("b".into()).await.unwrap().unwrap());
}

/// Several pools stand for several processes: they share nothing but the file.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn several_hosts_lose_no_update_and_keep_the_quota() {
    let home = tempfile::tempdir().unwrap();
    let (hosts, rounds) = (4, 50);
    let tasks: Vec<_> = (0..hosts)
        .map(|_| {
            let mut call = call(home.path(), 1 << 20, StateScope::Plugin, "");
            tokio::spawn(async move {
                for _ in 0..rounds {
                    loop {
                        let old = call.get("n".into()).await.unwrap().unwrap();
                        let n = old.as_deref().map_or(0, |b| u64::from_le_bytes(b.try_into().unwrap()));
                        let new = Some((n + 1).to_le_bytes().to_vec());
                        if call.compare_and_swap("n".into(), old, new).await.unwrap().unwrap() {
                            break;
                        }
                    }
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    let mut call = call(home.path(), 1 << 20, StateScope::Plugin, "");
    let n = call.get("n".into()).await.unwrap().unwrap().unwrap();
    assert_eq!(u64::from_le_bytes(n.try_into().unwrap()), hosts * rounds);

    // The same with a quota that only some of the writes fit in.
    let fits = 7u64;
    let quota = (ENTRY_OVERHEAD + 1 + 8) + fits * (ENTRY_OVERHEAD + 5 + 100);
    let tasks: Vec<_> = (0..hosts)
        .map(|host| {
            let mut call = self::call(home.path(), quota, StateScope::Plugin, "");
            tokio::spawn(async move {
                let mut done = 0u64;
                for n in 0..10 {
                    match call.set(format!("{host}-{n:03}"), vec![0; 100]).await.unwrap() {
                        Ok(()) => done += 1,
                        Err(StateError::Quota(_)) => {}
                        Err(other) => panic!("{}", show(&other)),
                    }
                }
                done
            })
        })
        .collect();
    let mut done = 0;
    for task in tasks {
        done += task.await.unwrap();
    }
    assert_eq!(done, fits);
}

#[tokio::test]
async fn damage_and_missing_rights_are_told_without_paths() {
    let home = tempfile::tempdir().unwrap();
    std::fs::write(home.path().join("p.sqlite"), vec![b'?'; 8192]).unwrap();
    let mut broken = call(home.path(), 1 << 20, StateScope::Plugin, "");
    let error = broken.get("k".into()).await.unwrap().unwrap_err();
    insta::assert_snapshot!(show(&error), @"failed: the store is damaged; the host's log says more");
    // A repaired file works without a restart.
    std::fs::remove_file(home.path().join("p.sqlite")).unwrap();
    broken.set("k".into(), vec![1]).await.unwrap().unwrap();

    let file = home.path().join("a file");
    std::fs::write(&file, "").unwrap();
    let mut nowhere = call(&file.join("state"), 1 << 20, StateScope::Plugin, "");
    let error = nowhere.set("k".into(), vec![]).await.unwrap().unwrap_err();
    insta::assert_snapshot!(show(&error), @"failed: the store cannot be opened or written; the host's log says more");

    let later = home.path().join("later");
    call(&later, 1 << 20, StateScope::Plugin, "").set("k".into(), vec![]).await.unwrap().unwrap();
    rusqlite::Connection::open(later.join("p.sqlite"))
        .unwrap()
        .pragma_update(None, "user_version", 9)
        .unwrap();
    let error = call(&later, 1 << 20, StateScope::Plugin, "").get("k".into()).await.unwrap().unwrap_err();
    insta::assert_snapshot!(show(&error), @"failed: the store has layout 9, which this host does not know");
}

#[cfg(unix)]
#[tokio::test]
async fn a_link_in_place_of_the_file_is_not_followed() {
    let home = tempfile::tempdir().unwrap();
    let other = home.path().join("other.sqlite");
    std::fs::write(&other, "").unwrap();
    std::os::unix::fs::symlink(&other, home.path().join("p.sqlite")).unwrap();
    let mut call = call(home.path(), 1 << 20, StateScope::Plugin, "");
    assert!(matches!(call.set("k".into(), vec![]).await.unwrap(), Err(StateError::Failed(_))));
    assert_eq!(std::fs::metadata(&other).unwrap().len(), 0);
}

#[test]
fn a_name_that_is_no_file_name_is_refused() {
    for bad in ["", "..", "a/b", "a.b", &"x".repeat(65)] {
        let grant = StateGrant { quota: 1, scope: StateScope::Plugin };
        assert!(configured(bad, Some(Path::new("x")), Some(grant)).is_err(), "{bad:?}");
    }
}

#[tokio::test]
async fn trips_and_bytes_are_charged() {
    let home = tempfile::tempdir().unwrap();
    let counters = Arc::new(Counters::default());
    let grant = StateGrant { quota: 1 << 20, scope: StateScope::Plugin };
    let mut call = configured("p", Some(home.path()), Some(grant)).unwrap().begin("", &counters);
    call.set("key".into(), vec![0; 1000]).await.unwrap().unwrap();
    assert_eq!(counters.take_due(), TRIP + 1003);
    call.get("key".into()).await.unwrap().unwrap();
    assert_eq!(counters.take_due(), TRIP + 1003);
}
