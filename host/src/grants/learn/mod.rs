//! From what a plugin did to the smallest grants that would have sufficed. Pure: what was recorded comes in, grants come
//! out; nothing is proposed that the grants it did it under would not allow.

mod directories;

use std::collections::{BTreeMap, BTreeSet};

use super::{
    CommandGrant, Decision, Grants, HostPattern, HttpGrant, HttpHost, HttpOperation, HttpPlace, Intent,
    PathPrefix, Reason, Rule, SocketGrant, SocketKind, StateGrant, decide, lost,
};

/// Least bytes of a store that are proposed; more are rounded up to a power of two.
const LEAST_STATE: u64 = 4 << 10;

/// Something a plugin tried, and what was decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// What. Files by the path that the plugin sees, without `.` and `..`.
    pub intent: Intent,
    /// Why it was denied; nothing when it was allowed.
    pub denied: Option<Reason>,
    /// How often.
    pub times: u64,
    /// Bytes written, of a file that is written.
    pub bytes: u64,
    /// Whether it went to an address that is not on the public network. Known of sockets only.
    pub private: bool,
}

impl Seen {
    /// Something that was tried once.
    #[must_use]
    pub fn once(intent: Intent, denied: Option<Reason>) -> Self {
        Self { intent, denied, times: 1, bytes: 0, private: false }
    }
}

/// What would have sufficed.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Learned {
    /// All of it. Secrets are never part of it: they are what a person says they are.
    pub grants: Grants,
    /// Each grant alone, with the numbers of what was seen that it covers. None are covered by a variable: a plugin
    /// gets its environment as a whole, so nobody sees which of them it needs.
    pub parts: Vec<(Grants, Vec<usize>)>,
    /// Numbers of what was allowed and no grant could be written for.
    pub left: Vec<usize>,
}

/// The smallest grants within `bounds` that allow everything of `seen` that these allowed.
#[must_use]
pub fn learn(seen: &[Seen], bounds: &Grants) -> Learned {
    let done: Vec<(&Seen, Rule)> =
        seen.iter().filter_map(|one| Some((one, allowed(one, seen, bounds)?))).collect();
    let any = |intent: &Intent| done.iter().any(|(one, _)| one.intent == *intent);
    let stored = done.iter().filter_map(|(one, _)| match one.intent {
        Intent::State(bytes) => Some(bytes),
        _ => None,
    });
    // Each kind by name, so that a new one is not forgotten here.
    let mut grants = Grants {
        directories: directories::learn(&done, &bounds.directories),
        http: http(&done, bounds),
        tcp: sockets(SocketKind::Tcp, &done, bounds),
        udp: sockets(SocketKind::Udp, &done, bounds),
        resolve: Vec::new(),
        env: bounds.env.clone(),
        secrets: Vec::new(),
        state: bounds.state.zip(stored.max()).map(|(bound, bytes)| StateGrant {
            quota: rounded(bytes, LEAST_STATE).min(bound.quota),
            scope: bound.scope,
        }),
        commands: bounds.commands.as_ref().and_then(|bound| {
            let ran: BTreeSet<_> = done.iter().filter_map(|(one, _)| one.intent.command()).collect();
            let only = ran.into_iter().map(str::to_owned).collect::<Vec<_>>();
            (!only.is_empty()).then(|| CommandGrant { folder: bound.folder.clone(), only })
        }),
        elicit: any(&Intent::Elicit),
        sample: any(&Intent::Sample),
        roots: any(&Intent::Roots),
    };
    for (one, _) in &done {
        // A host that a grant names may be looked up.
        if let Intent::Lookup(HttpHost::Name(name)) = &one.intent
            && !decide(&grants, &one.intent.operation()).is_allowed()
        {
            grants.resolve.push(HostPattern::Name(name.clone()));
        }
    }
    let covers = |alone: &Grants, one: &Seen| {
        let operation = one.intent.operation();
        // Of two directories of which one lies in the other the deeper one decides.
        let deepest = match decide(&grants, &operation) {
            Decision::Allowed(Rule::Directory(index)) => {
                alone.directories.first() == grants.directories.get(index)
            }
            other => other.is_allowed(),
        };
        deepest && decide(alone, &operation).is_allowed()
    };
    let numbers = |fits: &dyn Fn(&Seen) -> bool| -> Vec<usize> {
        let numbered = seen.iter().enumerate();
        numbered
            .filter(|(_, one)| allowed(one, seen, bounds).is_some() && fits(one))
            .map(|(n, _)| n)
            .collect()
    };
    let each = grants.each().into_iter().map(|(_, alone)| alone);
    let parts = each.map(|alone| {
        let covered = numbers(&|one| covers(&alone, one));
        (alone, covered)
    });
    let parts = parts.collect();
    let left = numbers(&|one| !decide(&grants, &one.intent.operation()).is_allowed());
    Learned { grants, parts, left }
}

impl Learned {
    /// What of it `held` does not give.
    #[must_use]
    pub fn beyond(&self, held: &Grants) -> Grants {
        let mut beyond = Grants::default();
        for (alone, _) in self.parts.iter().filter(|(alone, _)| !gives(held, alone)) {
            // Each kind by name, so that a new one is not forgotten here.
            let Grants {
                directories,
                http,
                tcp,
                udp,
                resolve,
                env,
                secrets,
                state,
                commands,
                elicit,
                sample,
                roots,
            } = alone.clone();
            beyond.directories.extend(directories);
            beyond.http.extend(http);
            beyond.tcp.extend(tcp);
            beyond.udp.extend(udp);
            beyond.resolve.extend(resolve);
            beyond.env.extend(env);
            beyond.secrets.extend(secrets);
            beyond.state = state.or(beyond.state);
            beyond.commands = commands.or(beyond.commands);
            beyond.elicit |= elicit;
            beyond.sample |= sample;
            beyond.roots |= roots;
        }
        beyond
    }
}

/// Whether `held` gives all that `wanted`, one grant alone, would give.
#[must_use]
pub fn gives(held: &Grants, wanted: &Grants) -> bool {
    let directories = wanted.directories.iter();
    let mut directories =
        directories.map(|new| held.directories.iter().any(|old| directories::holds(old, new)));
    let others = Grants { directories: Vec::new(), ..wanted.clone() };
    directories.all(|held| held) && lost(&others, held).is_empty()
}

/// By which bound something was allowed that was not refused later: what a name stands for is seen only when it is
/// dialled.
fn allowed(one: &Seen, seen: &[Seen], bounds: &Grants) -> Option<Rule> {
    let refused = || {
        matches!(one.intent, Intent::Http(_))
            && seen.iter().any(|other| other.denied.is_some() && other.intent == one.intent)
    };
    match decide(bounds, &one.intent.operation()) {
        Decision::Allowed(rule) if one.denied.is_none() && !refused() => Some(rule),
        _ => None,
    }
}

/// Up to the next power of two, and no less than `least`.
fn rounded(count: u64, least: u64) -> u64 {
    count.max(least).checked_next_power_of_two().unwrap_or(u64::MAX)
}

fn pattern(host: &HttpHost) -> HostPattern {
    match host {
        HttpHost::Name(name) => HostPattern::Name(name.clone()),
        HttpHost::Address(address) => HostPattern::Address(*address),
    }
}

/// For each method of a scheme, host and port, under one bound, the deepest path above all requests; methods with the same
/// path are one grant.
fn http(done: &[(&Seen, Rule)], bounds: &Grants) -> Vec<HttpGrant> {
    let mut by_method: BTreeMap<_, (&HttpOperation, Vec<&str>, bool)> = BTreeMap::new();
    for (one, rule) in done {
        let (Intent::Http(request), Rule::Http(index)) = (&one.intent, rule) else { continue };
        // What a name stands for is not recorded, so what the person said of its addresses stays as it is.
        let private = bounds.http.get(*index).is_some_and(|bound| bound.private_addresses);
        let path: Vec<_> = request.path().split('/').skip(1).collect();
        let key = (*index, request.scheme(), request.host().to_string(), request.port(), request.method());
        match by_method.get_mut(&key) {
            Some((_, above, any)) => {
                above.truncate(common(above, &path));
                *any |= private;
            }
            None => {
                by_method.insert(key, (request, path, private));
            }
        }
    }
    let mut grants: Vec<HttpGrant> = Vec::new();
    for (request, above, private_addresses) in by_method.into_values() {
        let Some(HttpPlace { scheme, host, port, path }) = place(request, above) else { continue };
        let methods = vec![request.method().to_owned()];
        let grant = HttpGrant { scheme, host, port, methods, path, private_addresses };
        match grants
            .iter_mut()
            .find(|other| HttpGrant { methods: grant.methods.clone(), ..(*other).clone() } == grant)
        {
            Some(same) => same.methods.extend(grant.methods),
            None => grants.push(grant),
        }
    }
    grants
}

/// The deepest place at or above this path that reads back, once written, as the same; none when not even the host does.
fn place(request: &HttpOperation, mut path: Vec<&str>) -> Option<HttpPlace> {
    let (scheme, host, port) = (request.scheme(), pattern(request.host()), request.port());
    loop {
        while path.last() == Some(&"") {
            path.pop();
        }
        let place = PathPrefix::new(&format!("/{}", path.join("/")))
            .map(|path| HttpPlace { scheme, host: host.clone(), port, path })
            .filter(|place| HttpPlace::parse(&place.to_string()).as_ref() == Ok(place));
        if place.is_some() || path.pop().is_none() {
            return place;
        }
    }
}

fn sockets(kind: SocketKind, done: &[(&Seen, Rule)], bounds: &Grants) -> Vec<SocketGrant> {
    let mut grants: Vec<SocketGrant> = Vec::new();
    for (one, rule) in done {
        let (Intent::Connect(of, [host], port), Rule::Tcp(index) | Rule::Udp(index)) = (&one.intent, rule)
        else {
            continue;
        };
        let held = match kind {
            SocketKind::Tcp => &bounds.tcp,
            SocketKind::Udp => &bounds.udp,
        };
        let Some(bound) = held.get(*index).filter(|_| *of == kind) else { continue };
        let host = pattern(host);
        let private = bound.private_addresses && (one.private || host.names_private());
        match grants.iter_mut().find(|grant| grant.host == host && grant.port == *port) {
            Some(grant) => grant.private_addresses |= private,
            None => grants.push(SocketGrant { host, port: *port, private_addresses: private }),
        }
    }
    grants
}

/// How many parts two paths begin with that are the same.
fn common(one: &[&str], other: &[&str]) -> usize {
    one.iter().zip(other).take_while(|(a, b)| a == b).count()
}

#[cfg(test)]
mod tests;
