#![allow(clippy::unwrap_used, clippy::expect_used)]
use proptest::prelude::*;

use crate::config::Config;
use crate::config::edit::scratch::Scratch;
use crate::config::edit::{grant, lines};
use crate::grants::learn::gives;
use crate::grants::{
    CommandGrant, DirectoryGrant, DirectoryMode, DiskQuota, Grants, HttpGrant, HttpPlace, PluginName,
    SocketGrant, SocketPlace, StateGrant, StateScope, lost, parse_resolvable,
};

impl Scratch {
    fn grants(&self) -> Grants {
        let config = Config::load(&self.home, &self.surroundings).unwrap();
        config.plugins.get(&plugin()).map(|plugin| plugin.grants.clone()).unwrap_or_default()
    }

    fn grant(&self, grants: &Grants) -> Grants {
        let edit = grant(&self.home, &self.surroundings, &plugin(), grants).unwrap();
        let edited = edit.write().unwrap();
        assert_eq!(edited.now, self.grants());
        edited.now
    }

    fn directory(&self, host: &str, guest: &str, mode: DirectoryMode, extensions: &[&str]) -> DirectoryGrant {
        DirectoryGrant {
            host: self.root.join(host),
            guest: guest.to_owned(),
            mode,
            quota: DiskQuota { bytes: 1 << 20, files: 16 },
            extensions: extensions.iter().map(ToString::to_string).collect(),
            lock: Default::default(),
        }
    }

    fn commands(&self, folder: &str, only: &[&str]) -> CommandGrant {
        CommandGrant { folder: self.root.join(folder), only: only.iter().map(ToString::to_string).collect() }
    }
}

fn plugin() -> PluginName {
    PluginName::new("fs").unwrap()
}

fn http(url: &str, methods: &[&str], private_addresses: bool) -> HttpGrant {
    let HttpPlace { scheme, host, port, path } = HttpPlace::parse(url).unwrap();
    let methods = methods.iter().map(ToString::to_string).collect();
    HttpGrant { scheme, host, port, methods, path, private_addresses }
}

fn socket(to: &str, private_addresses: bool) -> SocketGrant {
    let SocketPlace { host, port } = SocketPlace::parse(to).unwrap();
    SocketGrant { host, port, private_addresses }
}

fn everything(scratch: &Scratch) -> Grants {
    Grants {
        directories: vec![
            scratch.directory("docs", "/docs", DirectoryMode::ReadOnly, &["md", "txt"]),
            scratch.directory("o$ut", "/out", DirectoryMode::ReadWrite, &[]),
        ],
        http: vec![
            http("https://api.example.org/v1/$x", &["GET"], false),
            http("https://intern.example.org", &["POST"], true),
            http("http://127.0.0.1:8080", &["GET"], true),
        ],
        tcp: vec![socket("db.example.org:5432", true), socket("[::1]:1", true)],
        udp: vec![socket("dns.example.org:53", false)],
        resolve: vec![parse_resolvable("other.example.org").unwrap()],
        env: [("LANG".to_owned(), "a$b \"c\"".to_owned())].into(),
        secrets: Vec::new(),
        state: Some(StateGrant { quota: 1 << 16, scope: StateScope::Caller }),
        commands: Some(scratch.commands("out", &["wc"])),
        elicit: true,
        sample: true,
        roots: true,
    }
}

/// What only a grant to write says.
fn without_quotas(mut grants: Grants) -> Grants {
    for grant in grants.directories.iter_mut().filter(|grant| grant.mode == DirectoryMode::ReadOnly) {
        grant.quota = DiskQuota { bytes: 0, files: 0 };
    }
    grants
}

#[test]
fn every_kind_is_written_as_it_is() {
    let scratch = Scratch::new("new-plugins = \"hold\" # mine\n");
    let all = everything(&scratch);
    let now = scratch.grant(&all);
    assert_eq!(without_quotas(now.clone()), without_quotas(all.clone()));
    insta::assert_snapshot!(scratch.text());
    let printed = lines(&plugin(), &all).unwrap().replace(scratch.root.to_str().unwrap(), "~");
    assert_eq!(
        format!("new-plugins = \"hold\" # mine\n\n{printed}"),
        scratch.text(),
        "what is shown is what is written"
    );
    // Again, and nothing is different.
    assert_eq!(scratch.grant(&all), now);
}

#[test]
fn what_is_there_is_widened_and_keeps_what_it_was() {
    let scratch = Scratch::new(
        "[[plugins.fs.directories]] # first\npath = \"~/docs\"\nas = \"/docs\"\nextensions = [\"md\"] # words\n\n\
         [[plugins.fs.directories]]\npath = \"~/o$$ut\"\nas = \"/out\"\n\n\
         [[plugins.fs.http]]\nurl = \"https://API.example.org/\" # theirs\n\n\
         [plugins.fs.state]\nquota = \"4KiB\"\nscope = \"plugin\" # shared\n",
    );
    let before = scratch.grants();
    let more = Grants {
        directories: vec![
            scratch.directory("docs", "/docs", DirectoryMode::ReadWrite, &["txt"]),
            scratch.directory("o$ut", "/out", DirectoryMode::ReadOnly, &["csv"]),
            scratch.directory("docs/in", "/docs/in", DirectoryMode::ReadOnly, &[]),
        ],
        http: vec![http("https://api.example.org", &["POST"], true)],
        state: Some(StateGrant { quota: 1 << 16, scope: StateScope::Caller }),
        ..Grants::default()
    };
    let now = scratch.grant(&more);
    assert_eq!(lost(&Grants { directories: Vec::new(), ..before.clone() }, &now), Vec::<String>::new());
    assert!(gives(&now, &Grants { http: more.http, ..Grants::default() }));
    insta::assert_snapshot!(scratch.text());
}

proptest! {
    // Each works on files, with all that makes them last.
    #![proptest_config(ProptestConfig::with_cases(32))]

    /// Whatever is granted beside whatever is there, the file then gives both.
    #[test]
    fn both_are_given(
        first in any::<[bool; 9]>(),
        second in any::<[bool; 9]>(),
        writes in any::<bool>(),
        extensions in proptest::sample::subsequence(vec!["md", "txt"], 0..3),
        quota in 1..4_u64,
    ) {
        let scratch = Scratch::new("");
        let mut all = everything(&scratch);
        let some = |all: &Grants, which: [bool; 9]| {
            let take = |wanted: bool| if wanted { usize::MAX } else { 0 };
            Grants {
                directories: all.directories.iter().take(take(which[0])).cloned().collect(),
                http: all.http.iter().take(take(which[1])).cloned().collect(),
                tcp: all.tcp.iter().take(take(which[2])).cloned().collect(),
                udp: all.udp.iter().take(take(which[3])).cloned().collect(),
                resolve: all.resolve.iter().take(take(which[4])).cloned().collect(),
                state: all.state.filter(|_| which[5]),
                elicit: which[6],
                roots: which[7],
                commands: all.commands.clone().filter(|_| which[8]),
                ..Grants::default()
            }
        };
        let before = scratch.grant(&some(&all, first));
        all.directories[0].mode = if writes { DirectoryMode::ReadWrite } else { DirectoryMode::ReadOnly };
        all.directories[0].extensions = extensions.iter().map(ToString::to_string).collect();
        all.http[0].methods = vec!["PUT".to_owned()];
        if let Some(state) = &mut all.state {
            state.quota = quota << 16;
        }
        let wanted = some(&all, second);
        let now = scratch.grant(&wanted);
        let each = |grants: &Grants| grants.each().into_iter().map(|(_, alone)| alone).collect::<Vec<_>>();
        for alone in each(&wanted) {
            prop_assert!(gives(&now, &alone), "{:?} is not given by {}", alone, scratch.text());
        }
        // What became wider has a quota of its own.
        for alone in each(&before).into_iter().filter(|alone| alone.state.is_none() && (alone.directories.is_empty() || !writes)) {
            prop_assert!(gives(&now, &alone), "{:?} is lost by {}", alone, scratch.text());
        }
    }
}
