//! What was decided during one call, counted by rule and bounded: allowed by which rule, denied and why, which hosts.
//! Cheap where a decision is made: a rule's text is made once per plugin and shared. Decides nothing.

use std::sync::Arc;

use serde::ser::SerializeSeq as _;
use serde::{Serialize, Serializer};

/// Different entries of each kind that are kept; more are counted together.
const MOST: usize = 16;
/// Bytes of one entry's text.
const LONGEST: usize = 400;

/// What was decided in a call.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Decisions {
    /// By which rule something was allowed.
    #[serde(skip_serializing_if = "Counted::is_empty", serialize_with = "rules")]
    pub allowed: Counted<Arc<str>>,
    /// What was denied, with the reason.
    #[serde(skip_serializing_if = "Counted::is_empty", serialize_with = "texts")]
    pub denied: Counted<String>,
    /// Hosts to which something was sent, with the port.
    #[serde(skip_serializing_if = "Counted::is_empty", serialize_with = "texts")]
    pub hosts: Counted<String>,
}

/// Texts and how often each came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counted<T> {
    each: Vec<(T, u32)>,
    /// What came when there was no room for another text.
    more: u32,
}

impl<T> Default for Counted<T> {
    fn default() -> Self {
        Self { each: Vec::new(), more: 0 }
    }
}

impl<T> Counted<T> {
    /// Whether nothing came.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.each.is_empty() && self.more == 0
    }

    fn add(&mut self, same: impl Fn(&T) -> bool, new: impl FnOnce() -> T) {
        if let Some((_, times)) = self.each.iter_mut().find(|(known, _)| same(known)) {
            *times = times.saturating_add(1);
        } else if self.each.len() < MOST {
            self.each.push((new(), 1));
        } else {
            self.more = self.more.saturating_add(1);
        }
    }
}

impl Decisions {
    /// Something was allowed by this rule, as `Grants::describe` shows it. Mostly the same rule is the same `Arc`.
    pub fn allow(&mut self, rule: &Arc<str>) {
        self.allowed.add(|known| Arc::ptr_eq(known, rule) || known == rule, || rule.clone());
    }

    /// Something was denied. The text must not hold what a plugin or client could have chosen at will but for names of
    /// hosts and the like: it goes into the audit.
    pub fn deny(&mut self, what: &str) {
        let what = cut(what, LONGEST);
        self.denied.add(|known| known == what, || what.to_owned());
    }

    /// Something was sent to this host and port.
    pub fn reach(&mut self, host: &str) {
        let host = cut(host, LONGEST);
        self.hosts.add(|known| known == host, || host.to_owned());
    }
}

/// At most so many bytes of a text, up to a character's border.
pub(super) fn cut(text: &str, most: usize) -> &str {
    &text[..text.floor_char_boundary(most)]
}

fn rules<S: Serializer>(rules: &Counted<Arc<str>>, serializer: S) -> Result<S::Ok, S::Error> {
    sequence(rules, "rule", |rule| rule, serializer)
}

fn texts<S: Serializer>(texts: &Counted<String>, serializer: S) -> Result<S::Ok, S::Error> {
    sequence(texts, "what", |text| text, serializer)
}

fn sequence<T, S: Serializer>(
    counted: &Counted<T>,
    key: &'static str,
    text: impl Fn(&T) -> &str,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    struct One<'a>(&'static str, Option<&'a str>, u32);
    impl Serialize for One<'_> {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            use serde::ser::SerializeMap as _;
            let mut map = serializer.serialize_map(None)?;
            match self.1 {
                Some(text) => map.serialize_entry(self.0, cut(text, LONGEST))?,
                None => map.serialize_entry("more", &true)?,
            }
            map.serialize_entry("times", &self.2)?;
            map.end()
        }
    }
    let mut list = serializer.serialize_seq(None)?;
    for (each, times) in &counted.each {
        list.serialize_element(&One(key, Some(text(each)), *times))?;
    }
    if counted.more > 0 {
        list.serialize_element(&One(key, None, counted.more))?;
    }
    list.end()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    #[test]
    fn decisions_are_counted_and_bounded() {
        let mut decisions = Decisions::default();
        assert_eq!(serde_json::to_string(&decisions).unwrap(), "{}");
        let rule: Arc<str> = "state, 1MiB, one for all callers".into();
        for _ in 0..3 {
            decisions.allow(&rule);
        }
        decisions.reach("example.org:443");
        for number in 0..40 {
            decisions.deny(&format!("host {number}"));
            decisions.deny("host 1");
        }
        decisions.deny(&"ä".repeat(10_000));
        let text = serde_json::to_string(&decisions).unwrap();
        assert!(text.len() < 2000, "{text}");
        assert!(
            text.contains(r#""allowed":[{"rule":"state, 1MiB, one for all callers","times":3}]"#),
            "{text}"
        );
        assert!(text.contains(r#""hosts":[{"what":"example.org:443","times":1}]"#), "{text}");
        assert!(text.contains(r#"{"what":"host 1","times":41}"#), "{text}");
        assert!(text.contains(r#"{"more":true,"times":25}]"#), "{text}");
    }
}
