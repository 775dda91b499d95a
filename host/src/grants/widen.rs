//! What a person may be asked about when a plugin was denied something: the smallest grant that makes sense to a
//! person ("this host", "this folder"), never more than the plugin asked for. Pure; asks nobody and gives nothing.

use super::{
    Access, Asked, AskedPlace, Decision, DirectoryMode, Grants, HostPattern, HttpGrant, HttpHost, HttpPlace,
    Intent, PathPrefix, Reason, SocketGrant, SocketKind, SocketPlace, StateGrant, StateScope, decide,
    effective,
};

/// Bytes of a store that nobody wrote a quota for.
const STATE_QUOTA: u64 = 1 << 20;

/// What a plugin would hold if a person said yes.
#[derive(Clone, Debug, PartialEq)]
pub struct Widening {
    /// All of it: what it holds and what comes in addition.
    pub grants: Grants,
    /// What comes in addition, in words for a person. No word of it is the plugin's own choice but for the names of hosts,
    /// which are plain ASCII.
    pub what: String,
}

/// What to ask a person about an operation that was denied to a plugin that holds `held` and asked for `asked`; `None`
/// when it is not for such a question: the plugin did not ask for it, it is held already, or only `kennel.toml` can say it.
///
/// * a request: this host, scheme and port, at the paths asked for; this method, `GET` and `HEAD` together
/// * a file in a folder that may only be read: to write in this folder
/// * a socket: this host and port; a look-up: the one place asked for there, else the look-up
/// * a store: a small one for this caller alone
///
/// What is not on the public network is asked about only where the plugin's asking names that very host.
#[must_use]
pub fn widened(held: &Grants, asked: Option<&Asked>, denied: &Intent) -> Option<Widening> {
    let asked = asked?;
    let Decision::Denied(reason) = decide(held, &denied.operation()) else { return None };
    let (more, what) = match denied {
        Intent::Http(request) => {
            let host = exactly(request.host());
            let methods = match request.method() {
                "GET" | "HEAD" => vec!["GET".to_owned(), "HEAD".to_owned()],
                other => vec![other.to_owned()],
            };
            let grant = HttpGrant {
                scheme: request.scheme(),
                port: request.port(),
                methods,
                path: PathPrefix::new("/")?,
                private_addresses: named(&host, &http_hosts(held, asked))?,
                host,
            };
            // The variables tell which places some asks mean.
            let wanted = Grants { http: vec![grant], env: held.env.clone(), ..Grants::default() };
            let (within, _) = asked_of(&wanted, asked);
            let each: Vec<_> = within.http.iter().map(requests).collect();
            (Grants { http: within.http, ..Grants::default() }, each.join(" and "))
        }
        Intent::File(Access::Write | Access::Directory, _) => {
            let Reason::ReadOnly(index) = reason else { return None };
            let mut grant = held.directories.get(index)?.clone();
            grant.mode = DirectoryMode::ReadWrite;
            let wanted = Grants { directories: vec![grant], ..Grants::default() };
            let (within, _) = asked_of(&wanted, asked);
            let grant = within.directories.into_iter().next()?;
            let what = format!("to write in the folder {}, which it may only read so far", grant.guest);
            let mut grants = held.clone();
            *grants.directories.get_mut(index)? = grant;
            return allowed(Widening { grants, what }, denied);
        }
        Intent::Connect(kind, [host], port) => socket(*kind, exactly(host), *port, asked)?,
        Intent::Lookup(name) => look_up(exactly(name), asked)?,
        Intent::State(_) => {
            let ask = asked.state.as_ref().filter(|_| held.state.is_none())?;
            let quota = ask.quota.unwrap_or(STATE_QUOTA).min(STATE_QUOTA);
            let state = StateGrant { quota, scope: StateScope::Caller };
            let what = format!("to keep data of its own for you, at most {}", super::units::show_size(quota));
            (Grants { state: Some(state), ..Grants::default() }, what)
        }
        Intent::Elicit => flag(|grants| grants.elicit = true, "to ask you questions of its own"),
        Intent::Sample => flag(|grants| grants.sample = true, "to have your client's model write for it"),
        Intent::Roots => flag(|grants| grants.roots = true, "to know which folders your client works in"),
        // Others are not seen as denied, or narrow what a person wrote on purpose.
        Intent::File(..) | Intent::Env(_) | Intent::Secret(..) | Intent::Command(_) => return None,
    };
    let (more, _) = asked_of(&Grants { env: held.env.clone(), ..more }, asked);
    let mut grants = held.clone();
    grants.http.extend(more.http.into_iter().filter(|one| !held.http.contains(one)));
    grants.tcp.extend(more.tcp);
    grants.udp.extend(more.udp);
    grants.resolve.extend(more.resolve);
    grants.state = grants.state.or(more.state);
    grants.elicit |= more.elicit;
    grants.sample |= more.sample;
    grants.roots |= more.roots;
    allowed(Widening { grants, what }, denied)
}

/// As much of it as the plugin asked for.
fn asked_of(wanted: &Grants, asked: &Asked) -> (Grants, Vec<super::Withheld>) {
    guarded!("ask-asked", effective(wanted, Some(asked)), without(wanted.clone(), Vec::new()))
}

/// Whether it helps at all: a question whose answer changes nothing is not asked.
fn allowed(widening: Widening, denied: &Intent) -> Option<Widening> {
    decide(&widening.grants, &denied.operation()).is_allowed().then_some(widening)
}

fn flag(set: impl FnOnce(&mut Grants), what: &str) -> (Grants, String) {
    let mut grants = Grants::default();
    set(&mut grants);
    (grants, what.to_owned())
}

fn socket(kind: SocketKind, host: HostPattern, port: u16, asked: &Asked) -> Option<(Grants, String)> {
    let asks = match kind {
        SocketKind::Tcp => &asked.tcp,
        SocketKind::Udp => &asked.udp,
    };
    let hosts: Vec<_> = asks.iter().filter_map(|ask| Some(ask.place.as_ref()?.host.clone())).collect();
    let what = format!("{kind} connections to {}", SocketPlace { host: host.clone(), port });
    let grant = vec![SocketGrant { private_addresses: named(&host, &hosts)?, host, port }];
    let grants = match kind {
        SocketKind::Tcp => Grants { tcp: grant, ..Grants::default() },
        SocketKind::Udp => Grants { udp: grant, ..Grants::default() },
    };
    Some((grants, what))
}

/// A name is looked up in order to go there: when one place there is asked for, that is the question.
fn look_up(name: HostPattern, asked: &Asked) -> Option<(Grants, String)> {
    let at = |kind, asks: &[super::AskedSocket]| -> Vec<(SocketKind, u16)> {
        let places = asks.iter().filter_map(|ask| ask.place.as_ref());
        places.filter(|place| place.host.covers(&name)).map(|place| (kind, place.port)).collect()
    };
    let mut places = at(SocketKind::Tcp, &asked.tcp);
    places.extend(at(SocketKind::Udp, &asked.udp));
    if let [(kind, port)] = places.as_slice() {
        return socket(*kind, name, *port, asked);
    }
    let what = format!("to look up the addresses of {name}");
    Some((Grants { resolve: vec![name], ..Grants::default() }, what))
}

fn exactly(host: &HttpHost) -> HostPattern {
    match host {
        HttpHost::Name(name) => HostPattern::Name(name.clone()),
        HttpHost::Address(address) => HostPattern::Address(*address),
    }
}

/// Whether a host is one that is not on the public network; `None` when it is and no ask names it.
fn named(host: &HostPattern, asks: &[HostPattern]) -> Option<bool> {
    let private = host.names_private();
    if guarded!("ask-private", private && !asks.contains(host)) { None } else { Some(private) }
}

/// The hosts that asks of HTTP name.
fn http_hosts(held: &Grants, asked: &Asked) -> Vec<HostPattern> {
    let mut hosts = Vec::new();
    for ask in &asked.http {
        if let Some(AskedPlace::At(place)) = &ask.place {
            hosts.push(place.host.clone());
        }
        let value = ask.url_from_env.as_ref().and_then(|name| held.env.get(name));
        if let Some(place) = value.and_then(|value| HttpPlace::parse(value).ok()) {
            hosts.push(place.host);
        }
    }
    hosts
}

fn requests(grant: &HttpGrant) -> String {
    let HttpGrant { scheme, host, port, methods, path, private_addresses } = grant;
    let (scheme, host, port, path) = (*scheme, host.clone(), *port, path.clone());
    let private = if *private_addresses { ", which is not on the public network" } else { "" };
    format!("{} requests to {}{private}", methods.join(" and "), HttpPlace { scheme, host, port, path })
}

#[cfg(test)]
#[path = "widen_tests.rs"]
mod tests;
