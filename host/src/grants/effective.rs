//! What a plugin holds: granted ∩ asked, and only for approved bytes. Pure; it reads no file, and it
//! can take away only (the property tests say so).

use std::collections::BTreeMap;
use std::fmt;

use super::{
    Approval, Asked, AskedPlace, AskedSocket, DirectoryGrant, Grants, HostPattern, HttpGrant, HttpPlace,
    PathPrefix, SocketGrant, SocketKind, SocketPlace, StateGrant, StateScope, Trust,
};

/// Something a person granted that the plugin does not get, and why. Shown by `list` and `check`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Withheld {
    /// The grant, as [`Grants::describe`] shows it.
    pub what: String,
    /// Why.
    pub why: String,
}

impl fmt::Display for Withheld {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.what, self.why)
    }
}

/// What a plugin holds in the end.
#[derive(Clone, Debug, PartialEq)]
pub struct Holding {
    /// What its calls get.
    pub grants: Grants,
    /// What was granted and is withheld, with the reason.
    pub withheld: Vec<Withheld>,
    /// Why it holds nothing at all, when it does for want of approval. Then it must not see its settings
    /// either: a stranger's file under a known name gets nothing that was meant for another.
    pub unapproved: Option<String>,
}

/// What a plugin holds: nothing unless it is trusted for development or `approval` says that a person
/// approved these very bytes; then what was granted, as far as it asked.
#[must_use]
pub fn holding(granted: &Grants, asked: Option<&Asked>, trust: Trust, approval: &Approval) -> Holding {
    let unapproved = match (trust, approval) {
        (Trust::Dev, _) | (_, Approval::Approved) => None,
        (Trust::Approved, other) => guarded!("approval", Some(other.to_string()), without None),
    };
    match unapproved {
        Some(reason) => {
            let why = "not approved".to_owned();
            let withheld = granted.describe().into_iter().map(|what| Withheld { what, why: why.clone() });
            Holding { grants: Grants::default(), withheld: withheld.collect(), unapproved: Some(reason) }
        }
        None => {
            let (grants, withheld) = effective(granted, asked);
            Holding { grants, withheld, unapproved: None }
        }
    }
}

/// How the grant `roots` is shown.
const ASK_ROOTS: &str = "to ask which directories the client works in";

/// `granted` ∩ `asked`; all of `granted` for a plugin without a manifest, which cannot ask.
#[must_use]
pub fn effective(granted: &Grants, asked: Option<&Asked>) -> (Grants, Vec<Withheld>) {
    let Some(asked) = guarded!("asked", asked, without None) else {
        return (granted.clone(), Vec::new());
    };
    let mut withheld = Vec::new();
    let mut withhold = |what: String, why: &str| withheld.push(Withheld { what, why: why.to_owned() });

    let mut directories = Vec::new();
    for grant in &granted.directories {
        match &asked.directories {
            None => withhold(grant.to_string(), "the plugin does not ask for directories"),
            Some(ask) => {
                let mode = grant.mode.min(ask.mode);
                if mode != grant.mode {
                    withhold(grant.to_string(), "the plugin asks to read only");
                }
                directories.push(DirectoryGrant { mode, ..grant.clone() });
            }
        }
    }

    let mut http: Vec<HttpGrant> = Vec::new();
    let (asks, unusable) = http_asks(asked, &granted.env);
    for (name, why) in unusable {
        withhold(format!("HTTP to the URL in {name}"), &why);
    }
    for grant in &granted.http {
        let parts = within_all(grant, &asks);
        if parts.is_empty() {
            withhold(grant.to_string(), "the plugin does not ask for it");
        } else if !parts.contains(grant) {
            let only: Vec<_> = parts.iter().map(ToString::to_string).collect();
            withhold(grant.to_string(), &format!("the plugin asks only for {}", only.join(", ")));
        }
        http.extend(parts.into_iter().filter(|part| !http.contains(part)).collect::<Vec<_>>());
    }

    let tcp = sockets(SocketKind::Tcp, &granted.tcp, &asked.tcp, &mut withhold);
    let udp = sockets(SocketKind::Udp, &granted.udp, &asked.udp, &mut withhold);
    let mut resolve: Vec<HostPattern> = Vec::new();
    for grant in &granted.resolve {
        let narrow = |ask: &Option<HostPattern>| match ask {
            None => Some(grant.clone()),
            Some(ask) => both_hosts(grant, ask),
        };
        let parts: Vec<_> = asked.resolve.iter().filter_map(|ask| narrow(&ask.host)).collect();
        if !parts.contains(grant) {
            let only: Vec<_> = parts.iter().map(ToString::to_string).collect();
            withhold(lookup(grant), &only_these(&only));
        }
        keep(&mut resolve, grant, parts);
    }

    let mut env = BTreeMap::new();
    for (name, value) in &granted.env {
        if asked.env_names().any(|asked| asked == name) {
            env.insert(name.clone(), value.clone());
        } else {
            withhold(format!("environment variable {name}"), "the plugin does not ask for it");
        }
    }

    let mut secrets = Vec::new();
    for grant in &granted.secrets {
        if asked.secrets.iter().any(|asked| asked.name == grant.name) {
            secrets.push(grant.clone());
        } else {
            withhold(grant.to_string(), "the plugin does not ask for a secret of this name");
        }
    }

    let state = match (granted.state, &asked.state) {
        (None, _) => None,
        (Some(grant), None) => {
            withhold(grant.to_string(), "the plugin does not ask for a store");
            None
        }
        (Some(grant), Some(ask)) => {
            let quota = ask.quota.map_or(grant.quota, |most| most.min(grant.quota));
            let shared = grant.scope == StateScope::Plugin && ask.scope == StateScope::Plugin;
            let scope = if shared { StateScope::Plugin } else { StateScope::Caller };
            let held = StateGrant { quota, scope };
            if held != grant {
                withhold(grant.to_string(), &format!("the plugin asks only for {held}"));
            }
            Some(held)
        }
    };

    let commands = match (&granted.commands, &asked.commands) {
        (Some(grant), None) => {
            withhold(grant.to_string(), "the plugin does not ask for commands");
            None
        }
        (grant, _) => grant.clone(),
    };

    if granted.elicit && !asked.elicit {
        withhold("to ask the person".to_owned(), "the plugin does not ask for it");
    }
    if granted.sample && !asked.sample {
        withhold("to ask the client's model".to_owned(), "the plugin does not ask for it");
    }
    if granted.roots && !asked.roots {
        withhold(ASK_ROOTS.to_owned(), "the plugin does not ask for it");
    }
    let elicit = granted.elicit && asked.elicit;
    let sample = granted.sample && asked.sample;
    let roots = granted.roots && asked.roots;
    let held =
        Grants { directories, http, tcp, udp, resolve, env, secrets, state, commands, elicit, sample, roots };
    (held, withheld)
}

/// The parts of granted sockets that the plugin asks for.
fn sockets(
    kind: SocketKind,
    granted: &[SocketGrant],
    asked: &[AskedSocket],
    withhold: &mut impl FnMut(String, &str),
) -> Vec<SocketGrant> {
    let mut held: Vec<SocketGrant> = Vec::new();
    for grant in granted {
        let narrow = |ask: &AskedSocket| match &ask.place {
            None => Some(grant.clone()),
            Some(place) if place.port == grant.port => {
                both_hosts(&grant.host, &place.host).map(|host| SocketGrant { host, ..grant.clone() })
            }
            Some(_) => None,
        };
        let parts: Vec<_> = asked.iter().filter_map(narrow).collect();
        if !parts.contains(grant) {
            let only: Vec<_> = parts.iter().map(|part| socket(kind, part)).collect();
            withhold(socket(kind, grant), &only_these(&only));
        }
        keep(&mut held, grant, parts);
    }
    held
}

/// Adds the parts of a grant to what is held, or the whole of it when one part is the whole.
fn keep<T: Clone + PartialEq>(held: &mut Vec<T>, grant: &T, parts: Vec<T>) {
    let parts = if parts.contains(grant) { vec![grant.clone()] } else { parts };
    for part in parts {
        if !held.contains(&part) {
            held.push(part);
        }
    }
}

fn only_these(parts: &[String]) -> String {
    match parts {
        [] => "the plugin does not ask for it".to_owned(),
        parts => format!("the plugin asks only for {}", parts.join(", ")),
    }
}

fn socket(kind: SocketKind, grant: &SocketGrant) -> String {
    let place = SocketPlace { host: grant.host.clone(), port: grant.port };
    let private = if grant.private_addresses { ", private addresses too" } else { "" };
    format!("{kind} {place}{private}")
}

fn lookup(host: &HostPattern) -> String {
    format!("to look up {host}")
}

/// One place with methods that a plugin asks for; `None` is any place.
struct HttpAsk<'a> {
    place: Option<HttpPlace>,
    methods: &'a [String],
}

type Unusable<'a> = Vec<(&'a str, String)>;

fn http_asks<'a>(asked: &'a Asked, env: &BTreeMap<String, String>) -> (Vec<HttpAsk<'a>>, Unusable<'a>) {
    let mut asks = Vec::new();
    let mut unusable = Vec::new();
    for http in &asked.http {
        let methods = http.methods.as_slice();
        match &http.place {
            Some(AskedPlace::Any) => asks.push(HttpAsk { place: None, methods }),
            Some(AskedPlace::At(place)) => asks.push(HttpAsk { place: Some(place.clone()), methods }),
            None => {}
        }
        // The person chose the value, and the grant still bounds where it may point.
        if let Some(name) = &http.url_from_env
            && let Some(value) = env.get(name)
        {
            match HttpPlace::parse(value) {
                Ok(place) => asks.push(HttpAsk { place: Some(place), methods }),
                Err(error) => unusable.push((name.as_str(), error.to_string())),
            }
        }
    }
    (asks, unusable)
}

/// The parts of `grant` that any ask covers; the grant itself when one covers all of it.
fn within_all(grant: &HttpGrant, asks: &[HttpAsk<'_>]) -> Vec<HttpGrant> {
    let mut parts: Vec<HttpGrant> = Vec::new();
    for part in asks.iter().filter_map(|ask| ask.within(grant)) {
        match parts.iter_mut().find(|other| other.host == part.host && other.path == part.path) {
            // Methods stay in the order of the grant, so that equal parts are equal values.
            Some(other) => {
                let methods = grant.methods.iter();
                let both = methods.filter(|m| other.methods.contains(m) || part.methods.contains(m));
                other.methods = both.cloned().collect();
            }
            None => parts.push(part),
        }
    }
    if parts.contains(grant) { vec![grant.clone()] } else { parts }
}

impl HttpAsk<'_> {
    /// The part of `grant` that this ask covers.
    fn within(&self, grant: &HttpGrant) -> Option<HttpGrant> {
        let methods: Vec<_> = grant.methods.iter().filter(|m| self.methods.contains(m)).cloned().collect();
        if methods.is_empty() {
            return None;
        }
        let (host, path) = match &self.place {
            None => (grant.host.clone(), grant.path.clone()),
            Some(place) if place.scheme != grant.scheme || place.port != grant.port => return None,
            Some(place) => (both_hosts(&grant.host, &place.host)?, both_paths(&grant.path, &place.path)?),
        };
        Some(HttpGrant { host, path, methods, ..grant.clone() })
    }
}

pub(super) fn both_hosts(a: &HostPattern, b: &HostPattern) -> Option<HostPattern> {
    use HostPattern::{Below, Name};
    let below = |name: &str, suffix: &str| name.strip_suffix(suffix).is_some_and(|rest| rest.ends_with('.'));
    let narrower = match (a, b) {
        _ if a == b => a,
        (Name(name), Below(suffix)) if below(name, suffix) => a,
        (Below(suffix), Name(name)) if below(name, suffix) => b,
        (Below(name), Below(suffix)) if below(name, suffix) => a,
        (Below(suffix), Below(name)) if below(name, suffix) => b,
        _ => return None,
    };
    Some(narrower.clone())
}

pub(super) fn both_paths(a: &PathPrefix, b: &PathPrefix) -> Option<PathPrefix> {
    let (short, long) = if a.as_str().len() <= b.as_str().len() { (a, b) } else { (b, a) };
    let rest = long.as_str().strip_prefix(short.as_str().trim_end_matches('/'))?;
    (rest.is_empty() || rest.starts_with('/')).then(|| long.clone())
}

impl Grants {
    /// One line for each thing granted; nothing for a plugin that holds nothing. Values of environment
    /// variables are not shown.
    #[must_use]
    pub fn describe(&self) -> Vec<String> {
        let mut lines: Vec<_> = self.directories.iter().map(ToString::to_string).collect();
        lines.extend(self.http.iter().map(ToString::to_string));
        lines.extend(self.tcp.iter().map(|grant| socket(SocketKind::Tcp, grant)));
        lines.extend(self.udp.iter().map(|grant| socket(SocketKind::Udp, grant)));
        lines.extend(self.resolve.iter().map(lookup));
        lines.extend(self.env.keys().map(|name| format!("environment variable {name}")));
        lines.extend(self.secrets.iter().map(ToString::to_string));
        lines.extend(self.state.iter().map(ToString::to_string));
        lines.extend(self.commands.iter().map(ToString::to_string));
        lines.extend(self.elicit.then(|| "to ask the person".to_owned()));
        lines.extend(self.sample.then(|| "to ask the client's model".to_owned()));
        lines.extend(self.roots.then(|| ASK_ROOTS.to_owned()));
        lines
    }
}

impl Asked {
    /// One line for each thing asked for, with the reason the plugin gives.
    #[must_use]
    pub fn describe(&self) -> Vec<String> {
        let mut lines = Vec::new();
        let mut line = |what: String, why: Option<&str>| {
            lines.push(match why {
                Some(why) if !why.is_empty() => format!("{what}, {why:?}"),
                _ => what,
            });
        };
        if let Some(ask) = &self.directories {
            line(format!("directories, {}", ask.mode), ask.why.as_deref());
        }
        for ask in &self.http {
            let place = ask.place.as_ref().map(|place| match place {
                AskedPlace::Any => "any place you grant".to_owned(),
                AskedPlace::At(place) => place.to_string(),
            });
            let variable = ask.url_from_env.as_ref().map(|name| format!("the URL in {name}"));
            let to: Vec<_> = place.into_iter().chain(variable).collect();
            line(format!("HTTP {} {}", ask.methods.join(","), to.join(" or ")), ask.why.as_deref());
        }
        for ask in &self.env {
            line(format!("environment variable {}", ask.name), ask.why.as_deref());
        }
        for ask in &self.secrets {
            line(format!("secret {}", ask.name), ask.why.as_deref());
        }
        if let Some(ask) = &self.state {
            let quota = ask.quota.map(|q| format!("{}, ", super::units::show_size(q))).unwrap_or_default();
            line(format!("state, {quota}{}", ask.scope), ask.why.as_deref());
        }
        for ask in &self.settings {
            line(format!("setting {}", ask.name), ask.why.as_deref());
        }
        for (kind, asks) in [(SocketKind::Tcp, &self.tcp), (SocketKind::Udp, &self.udp)] {
            for ask in asks {
                let place =
                    ask.place.as_ref().map_or("to any place you grant".to_owned(), ToString::to_string);
                line(format!("{kind} {place}"), ask.why.as_deref());
            }
        }
        for ask in &self.resolve {
            let name = ask.host.as_ref().map_or("any name you grant".to_owned(), ToString::to_string);
            line(format!("to look up {name}"), ask.why.as_deref());
        }
        if let Some(ask) = &self.commands {
            line("to run commands of a folder".to_owned(), ask.why.as_deref());
        }
        if self.elicit {
            line("to ask the person".to_owned(), None);
        }
        if self.sample {
            line("to ask the client's model".to_owned(), None);
        }
        if self.roots {
            line(ASK_ROOTS.to_owned(), None);
        }
        lines
    }
}

impl fmt::Display for HttpGrant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { scheme, host, port, methods, path, private_addresses } = self;
        let (scheme, host, port, path) = (*scheme, host.clone(), *port, path.clone());
        write!(f, "HTTP {} {}", methods.join(","), HttpPlace { scheme, host, port, path })?;
        if *private_addresses { f.write_str(", private addresses too") } else { Ok(()) }
    }
}

impl fmt::Display for StateScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Plugin => "one for all callers",
            Self::Caller => "one for each caller",
        })
    }
}

impl fmt::Display for StateGrant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "state, {}, {}", super::units::show_size(self.quota), self.scope)
    }
}

#[cfg(test)]
#[path = "effective_tests.rs"]
mod tests;
