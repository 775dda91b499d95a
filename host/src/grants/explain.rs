//! Says of an operation whether it may be done, by which grant as it was written, and when it may not, what is missing:
//! the grant, the approval, or the plugin's own asking. Uses the same decision as the running host; reads no file.

use super::{
    Approval, Asked, Decision, Grants, Intent, Naming, Operation, Reason, Rule, Trust, decide, effective,
    holding,
};

/// A grant by where it stands under `[plugins.NAME]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GrantKey {
    /// `directories`, from 0.
    Directory(usize),
    /// `http`, from 0.
    Http(usize),
    /// `tcp`, from 0.
    Tcp(usize),
    /// `udp`, from 0.
    Udp(usize),
    /// `resolve`, from 0.
    Resolve(usize),
    /// `env`.
    Env(String),
    /// `secrets`, from 0.
    Secret(usize),
    /// `state`.
    State,
    /// `commands`.
    Commands,
    /// `elicit`.
    Elicit,
    /// `sample`.
    Sample,
    /// `roots`.
    Roots,
}

/// One grant as it was written, and what of it the plugin gets.
#[derive(Clone, Debug, PartialEq)]
pub struct Share {
    /// Where it stands.
    pub key: GrantKey,
    /// What it says, as [`Grants::describe`] has it.
    pub granted: String,
    /// What of it is held; empty for nothing.
    pub held: Vec<String>,
    /// Why not all of it is held.
    pub withheld: Option<String>,
}

/// Whether an operation may be done and why.
#[derive(Clone, Debug, PartialEq)]
pub struct Explanation {
    /// Whether it may.
    pub allowed: bool,
    /// The grant that allows it, or that comes nearest.
    pub by: Option<GrantKey>,
    /// Why not; nothing when it may.
    pub why: Option<String>,
    /// Whether a person granted it and the plugin does not get it all the same.
    pub withheld: bool,
}

impl GrantKey {
    /// The keys that lead to it, from `[plugins.NAME]` on; a number is a place in a list.
    #[must_use]
    pub fn path(&self) -> (&str, Option<KeyStep<'_>>) {
        match self {
            Self::Directory(index) => ("directories", Some(KeyStep::Nth(*index))),
            Self::Http(index) => ("http", Some(KeyStep::Nth(*index))),
            Self::Tcp(index) => ("tcp", Some(KeyStep::Nth(*index))),
            Self::Udp(index) => ("udp", Some(KeyStep::Nth(*index))),
            Self::Resolve(index) => ("resolve", Some(KeyStep::Nth(*index))),
            Self::Env(name) => ("env", Some(KeyStep::Name(name))),
            Self::Secret(index) => ("secrets", Some(KeyStep::Nth(*index))),
            Self::State => ("state", None),
            Self::Commands => ("commands", None),
            Self::Elicit => ("elicit", None),
            Self::Sample => ("sample", None),
            Self::Roots => ("roots", None),
        }
    }

    /// The grant of a rule.
    fn of(rule: Rule, operation: &Operation<'_>) -> Self {
        match rule {
            Rule::Directory(index) => Self::Directory(index),
            Rule::Http(index) | Rule::Lookup { by: Naming::Http(index), .. } => Self::Http(index),
            Rule::Tcp(index) | Rule::Lookup { by: Naming::Tcp(index), .. } => Self::Tcp(index),
            Rule::Udp(index) | Rule::Lookup { by: Naming::Udp(index), .. } => Self::Udp(index),
            Rule::Lookup { by: Naming::Resolve(index), .. } => Self::Resolve(index),
            Rule::Secret(index) => Self::Secret(index),
            Rule::Env => match operation {
                Operation::Env(name) => Self::Env((*name).to_owned()),
                _ => Self::Env(String::new()),
            },
            Rule::State => Self::State,
            Rule::Commands => Self::Commands,
            Rule::Elicit => Self::Elicit,
            Rule::Sample => Self::Sample,
            Rule::Roots => Self::Roots,
        }
    }
}

/// The second step of a [`GrantKey`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyStep<'a> {
    /// A place in a list, from 0.
    Nth(usize),
    /// A key of a table.
    Name(&'a str),
}

impl Grants {
    /// Each grant alone.
    #[must_use]
    pub fn each(&self) -> Vec<(GrantKey, Self)> {
        // Each kind by name, so that a new one is not forgotten here.
        let Self {
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
        } = self;
        let none = Self::default;
        let mut all = Vec::new();
        for (index, grant) in directories.iter().enumerate() {
            all.push((GrantKey::Directory(index), Self { directories: vec![grant.clone()], ..none() }));
        }
        for (index, grant) in http.iter().enumerate() {
            all.push((GrantKey::Http(index), Self { http: vec![grant.clone()], ..none() }));
        }
        for (index, grant) in tcp.iter().enumerate() {
            all.push((GrantKey::Tcp(index), Self { tcp: vec![grant.clone()], ..none() }));
        }
        for (index, grant) in udp.iter().enumerate() {
            all.push((GrantKey::Udp(index), Self { udp: vec![grant.clone()], ..none() }));
        }
        for (index, host) in resolve.iter().enumerate() {
            all.push((GrantKey::Resolve(index), Self { resolve: vec![host.clone()], ..none() }));
        }
        for (name, value) in env {
            let env = [(name.clone(), value.clone())].into();
            all.push((GrantKey::Env(name.clone()), Self { env, ..none() }));
        }
        for (index, grant) in secrets.iter().enumerate() {
            all.push((GrantKey::Secret(index), Self { secrets: vec![grant.clone()], ..none() }));
        }
        all.extend(state.map(|grant| (GrantKey::State, Self { state: Some(grant), ..none() })));
        all.extend(
            commands
                .iter()
                .map(|grant| (GrantKey::Commands, Self { commands: Some(grant.clone()), ..none() })),
        );
        all.extend(elicit.then(|| (GrantKey::Elicit, Self { elicit: true, ..none() })));
        all.extend(sample.then(|| (GrantKey::Sample, Self { sample: true, ..none() })));
        all.extend(roots.then(|| (GrantKey::Roots, Self { roots: true, ..none() })));
        all
    }
}

/// What of one grant the plugin gets. Variables stand by, because an ask may be for the URL in one.
fn held_of(alone: &Grants, all: &Grants, asked: Option<&Asked>) -> (Grants, Option<String>) {
    let with_env = Grants { env: all.env.clone(), ..alone.clone() };
    let (mut held, withheld) = effective(&with_env, asked);
    held.env.retain(|name, _| alone.env.contains_key(name));
    let what = alone.describe();
    let why =
        withheld.into_iter().find(|withheld| what.contains(&withheld.what)).map(|withheld| withheld.why);
    (held, why)
}

/// Every grant as it was written, and what of it the plugin gets.
#[must_use]
pub fn shares(granted: &Grants, asked: Option<&Asked>, trust: Trust, approval: &Approval) -> Vec<Share> {
    let unapproved = holding(granted, asked, trust, approval).unapproved;
    let share = |(key, alone): (GrantKey, Grants)| {
        let (held, why) = match &unapproved {
            Some(_) => (Grants::default(), Some("not approved".to_owned())),
            None => held_of(&alone, granted, asked),
        };
        Share { key, granted: alone.describe().join(", "), held: held.describe(), withheld: why }
    };
    granted.each().into_iter().map(share).collect()
}

/// Whether the plugin may do it, being granted this, asking for that, and approved or not.
#[must_use]
pub fn explain(
    granted: &Grants,
    asked: Option<&Asked>,
    trust: Trust,
    approval: &Approval,
    intent: &Intent,
) -> Explanation {
    let operation = intent.operation();
    let holding = holding(granted, asked, trust, approval);
    if let Intent::Secret(_, request) = intent
        && let Decision::Denied(Reason::Http(_)) = decide(&holding.grants, &operation)
    {
        // The secret waits for the request itself.
        return explain(granted, asked, trust, approval, &Intent::Http(request.clone()));
    }
    let reason = match decide(&holding.grants, &operation) {
        Decision::Allowed(rule) => {
            let by = source(granted, asked, &holding.grants, rule, &operation);
            return Explanation { allowed: true, by, why: None, withheld: false };
        }
        Decision::Denied(reason) => reason,
    };
    match decide(granted, &operation) {
        Decision::Allowed(rule) => {
            let key = GrantKey::of(rule, &operation);
            let why = holding.unapproved.unwrap_or_else(|| {
                let shares = shares(granted, asked, trust, approval);
                let share = shares.into_iter().find(|share| share.key == key);
                let why = share.and_then(|share| share.withheld).unwrap_or_else(|| reason.to_string());
                format!("it was granted, but {why}")
            });
            Explanation { allowed: false, by: Some(key), why: Some(why), withheld: true }
        }
        Decision::Denied(reason) => {
            let by = match reason {
                Reason::ReadOnly(index) | Reason::Extension(index) => Some(GrantKey::Directory(index)),
                Reason::Exposed(index) | Reason::Audience(index, _) => Some(GrantKey::Secret(index)),
                Reason::Quota(_) => Some(GrantKey::State),
                Reason::Command => Some(GrantKey::Commands),
                _ => None,
            };
            Explanation { allowed: false, by, why: Some(reason.to_string()), withheld: false }
        }
    }
}

/// The grant, as written, that gives what `rule` of the held grants allows.
fn source(
    granted: &Grants,
    asked: Option<&Asked>,
    held: &Grants,
    rule: Rule,
    operation: &Operation<'_>,
) -> Option<GrantKey> {
    let gives = |alone: &Grants| {
        let (part, _) = held_of(alone, granted, asked);
        match rule {
            Rule::Directory(index) => {
                held.directories.get(index).is_some_and(|one| part.directories.contains(one))
            }
            Rule::Http(index) => held.http.get(index).is_some_and(|one| part.http.contains(one)),
            Rule::Tcp(index) => held.tcp.get(index).is_some_and(|one| part.tcp.contains(one)),
            Rule::Udp(index) => held.udp.get(index).is_some_and(|one| part.udp.contains(one)),
            Rule::Secret(index) => held.secrets.get(index).is_some_and(|one| part.secrets.contains(one)),
            _ => decide(&part, operation).is_allowed(),
        }
    };
    granted.each().into_iter().find(|(_, alone)| gives(alone)).map(|(key, _)| key)
}

#[cfg(test)]
#[path = "explain_tests.rs"]
mod tests;
