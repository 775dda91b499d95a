//! What was held and no longer is. Pure; ends nothing itself.

use super::{DirectoryGrant, Grants, HostPattern, HttpGrant, PathPrefix, SocketGrant, StateGrant};

/// Everything of `before` that `now` does not give as well, one line each, without paths of the machine: the lines reach
/// the client and its model. Nothing when all that was held still is. What is wider now covers what it was before; a rule that was split in two counts as gone.
#[must_use]
pub fn lost(before: &Grants, now: &Grants) -> Vec<String> {
    // Each kind by name, so that a new one is not forgotten here.
    let Grants { directories, http, tcp, udp, resolve, env, secrets, state, commands, elicit, sample, roots } =
        before;
    let sockets = |before: &[SocketGrant], now: &[SocketGrant]| {
        before.iter().filter(|old| !now.iter().any(|new| new.covers(old))).cloned().collect()
    };
    let gone = Grants {
        directories: directories
            .iter()
            .filter(|old| !now.directories.iter().any(|new| new.covers(old)))
            .cloned()
            .collect(),
        http: http.iter().filter(|old| !now.http.iter().any(|new| new.covers(old))).cloned().collect(),
        tcp: sockets(tcp, &now.tcp),
        udp: sockets(udp, &now.udp),
        resolve: resolve
            .iter()
            .filter(|old| !now.resolve.iter().any(|new| new.covers(old)))
            .cloned()
            .collect(),
        env: env
            .iter()
            .filter(|(name, value)| now.env.get(*name) != Some(value))
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect(),
        secrets: secrets.iter().filter(|old| !now.secrets.contains(old)).cloned().collect(),
        state: state.filter(|old| !now.state.is_some_and(|new| new.covers(*old))),
        commands: commands.clone().filter(|old| !now.commands.as_ref().is_some_and(|new| new.covers(old))),
        elicit: *elicit && !now.elicit,
        sample: *sample && !now.sample,
        roots: *roots && !now.roots,
    };
    let directory = |gone: &DirectoryGrant| format!("directory {}, {}", gone.guest, gone.mode);
    let mut lines = gone.directories.iter().map(directory).collect::<Vec<_>>();
    lines.extend(gone.commands.iter().map(|gone| format!("to run {}", gone.names())));
    lines.extend(Grants { directories: Vec::new(), commands: None, ..gone }.describe());
    lines
}

impl StateGrant {
    /// Whether all that `other` grants is granted by this one too: the same store, and as much in it.
    #[must_use]
    pub fn covers(self, other: Self) -> bool {
        self.scope == other.scope && self.quota >= other.quota
    }
}

impl HttpGrant {
    /// Whether every request that `other` allows is allowed by this one.
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        self.scheme == other.scheme
            && self.host.covers(&other.host)
            && self.port == other.port
            && self.path.covers(&other.path)
            && other.methods.iter().all(|method| self.methods.contains(method))
            && (self.private_addresses || !other.private_addresses)
    }
}

impl SocketGrant {
    /// Whether everywhere that `other` allows to go is allowed by this one.
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        self.host.covers(&other.host)
            && self.port == other.port
            && (self.private_addresses || !other.private_addresses)
    }
}

impl HostPattern {
    /// Whether every host that `other` means is meant by this one.
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        let below =
            |name: &str, suffix: &str| name.strip_suffix(suffix).is_some_and(|rest| rest.ends_with('.'));
        match (self, other) {
            (Self::Below(suffix), Self::Name(name) | Self::Below(name)) if self != other => {
                below(name, suffix)
            }
            _ => self == other,
        }
    }
}

impl PathPrefix {
    /// Whether every path with the prefix `other` has this one.
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        self.fits(other.as_str())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use proptest::prelude::*;

    use super::*;
    use crate::grants::{
        CommandGrant, Decision, DirectoryMode, DiskQuota, HttpOperation, HttpPlace, Intent, Rule,
        SocketPlace, StateScope, decide, parse_resolvable,
    };

    fn http(url: &str, methods: &[&str]) -> HttpGrant {
        let HttpPlace { scheme, host, port, path } = HttpPlace::parse(url).unwrap();
        let methods = methods.iter().map(ToString::to_string).collect();
        HttpGrant { scheme, host, port, methods, path, private_addresses: false }
    }

    prop_compose! {
        fn any_http()(
            url in "http://(\\*\\.|a\\.)?(\\*\\.)?[ab]\\.t(:8)?(/v)?(/w)?".prop_filter("a place", |url| HttpPlace::parse(url).is_ok()),
            methods in proptest::sample::subsequence(vec!["GET", "POST"], 1..3),
        ) -> HttpGrant {
            http(&url, &methods)
        }
    }

    prop_compose! {
        fn any_directory()(
            guest in "/[ab]",
            writes in any::<bool>(),
            bytes in 1..3_u64,
            extensions in proptest::sample::subsequence(vec!["md", "txt"], 0..3),
        ) -> DirectoryGrant {
            DirectoryGrant {
                host: "/srv".into(),
                guest,
                mode: if writes { DirectoryMode::ReadWrite } else { DirectoryMode::ReadOnly },
                quota: DiskQuota { bytes, files: 1 },
                extensions: extensions.iter().map(ToString::to_string).collect(), lock: Default::default(),
            }
        }
    }

    prop_compose! {
        fn any_socket()(to in "(\\*\\.)?[ab]\\.t:[89]", private_addresses in any::<bool>()) -> SocketGrant {
            let SocketPlace { host, port } = SocketPlace::parse(&to).unwrap();
            SocketGrant { host, port, private_addresses }
        }
    }

    prop_compose! {
        fn grants()(
            directories in proptest::collection::vec(any_directory(), 0..2),
            http in proptest::collection::vec(any_http(), 0..3),
            env in proptest::collection::btree_map("[AB]", "[xy]", 0..2),
            state in proptest::option::of((1..4_u64, any::<bool>())),
            tcp in proptest::collection::vec(any_socket(), 0..2),
            udp in proptest::collection::vec(any_socket(), 0..2),
            resolve in proptest::collection::vec("[ab]\\.t", 0..2),
            commands in proptest::option::of(proptest::sample::subsequence(vec!["wc", "cut"], 0..3)),
            flags in any::<[bool; 3]>(),
        ) -> Grants {
            let scope = |shared| if shared { StateScope::Plugin } else { StateScope::Caller };
            let state = state.map(|(quota, shared)| StateGrant { quota, scope: scope(shared) });
            let [elicit, sample, roots] = flags;
            let resolve = resolve.iter().map(|name| parse_resolvable(name).unwrap()).collect();
            let secrets = Vec::new();
            let commands = commands.map(|only| CommandGrant {
                folder: "/srv".into(),
                only: only.iter().map(ToString::to_string).collect(),
            });
            Grants { directories, http, tcp, udp, resolve, env, secrets, state, commands, elicit, sample, roots }
        }
    }

    fn operations() -> Vec<Intent> {
        let mut all: Vec<Intent> = [
            "env A", "env B", "state 1B", "state 2B", "state 3B", "run wc", "run cut", "run sort", "elicit",
            "sample", "roots",
        ]
        .iter()
        .map(|text| text.parse().unwrap())
        .collect();
        for host in ["a.t", "b.t", "c.b.t"] {
            all.push(format!("resolve {host}").parse().unwrap());
            for port in [8, 9] {
                all.extend(["tcp", "udp"].map(|word| format!("{word} {host}:{port}").parse().unwrap()));
            }
        }
        for path in ["/a/x.md", "/a/x.txt", "/a/x", "/b/x.md"] {
            all.extend(["read", "write", "list"].map(|word| format!("{word} {path}").parse().unwrap()));
        }
        for host in ["a.t", "b.t", "a.a.t", "c.b.t", "a.t:8", "c.b.t:8"] {
            for path in ["", "/v", "/v/w", "/w"] {
                all.extend(["GET", "POST"].map(|m| format!("{m} http://{host}{path}").parse().unwrap()));
            }
        }
        all
    }

    proptest! {
        /// When nothing is lost, everything that was allowed still is.
        #[test]
        fn nothing_lost_means_nothing_denied(before in grants(), now in grants()) {
            prop_assert_eq!(lost(&before, &before), Vec::<String>::new());
            if lost(&before, &now).is_empty() {
                for intent in operations() {
                    let was = decide(&before, &intent.operation()).is_allowed();
                    prop_assert!(!was || decide(&now, &intent.operation()).is_allowed(), "{}", intent);
                }
            }
        }

        /// Whatever is added, nothing is lost; whatever is taken away is told.
        #[test]
        fn widening_loses_nothing_and_taking_is_told(grants in grants(), more in any_http(), take in 0..11_usize) {
            let mut wider = grants.clone();
            wider.http.insert(0, more);
            wider.elicit = true;
            if let Some(state) = &mut wider.state {
                state.quota += 1;
            }
            for directory in &mut wider.directories {
                directory.mode = DirectoryMode::ReadWrite;
                directory.extensions.clear();
            }
            prop_assert_eq!(lost(&grants, &wider), Vec::<String>::new());

            let mut narrower = grants.clone();
            let had = match take {
                0 => std::mem::take(&mut narrower.directories).len(),
                1 => std::mem::take(&mut narrower.http).len(),
                2 => std::mem::take(&mut narrower.env).len(),
                3 => usize::from(narrower.state.take().is_some()),
                4 => usize::from(std::mem::take(&mut narrower.elicit)),
                5 => usize::from(std::mem::take(&mut narrower.sample)),
                6 => std::mem::take(&mut narrower.tcp).len(),
                7 => std::mem::take(&mut narrower.udp).len(),
                8 => std::mem::take(&mut narrower.resolve).len(),
                9 => usize::from(narrower.commands.take().is_some()),
                _ => usize::from(std::mem::take(&mut narrower.roots)),
            };
            prop_assert_eq!(lost(&grants, &narrower).len(), had);
        }
    }

    #[test]
    fn a_request_that_went_on_is_one_that_is_covered() {
        let wide = Grants { http: vec![http("http://*.b.t", &["GET"])], ..Grants::default() };
        let Intent::Http(request) = "GET http://c.b.t/v".parse().unwrap() else { panic!("no request") };
        let operation: &HttpOperation = &request;
        let decision = decide(&wide, &crate::grants::Operation::Http(operation));
        assert_eq!(decision, Decision::Allowed(Rule::Http(0)));
        let narrow = Grants { http: vec![http("http://c.b.t", &["GET"])], ..Grants::default() };
        assert_eq!(lost(&wide, &narrow).len(), 1);
        assert_eq!(lost(&narrow, &wide).len(), 0);
    }
}
