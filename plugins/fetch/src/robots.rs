//! robots.txt as PyPI's `protego` 0.7 reads it: RFC 9309 with the leniency of real sites (misspelt words, `*` in agents' names).
//! Must not fetch it, nor decide what follows from its being absent: `policy` does.

use url::Url;

/// The rules of one agent, the longest first.
#[derive(Debug, Default)]
struct Group {
    agent: String,
    rules: Vec<Rule>,
}

#[derive(Debug, Clone)]
struct Rule {
    allows: bool,
    pattern: String,
}

/// A parsed robots.txt.
#[derive(Debug)]
pub(crate) struct Robots {
    groups: Vec<Group>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Field {
    Agent,
    Allow,
    Disallow,
    /// Of the whole site, not of a group: `Sitemap`, `Host`.
    Site,
    /// Of a group, and of no matter here.
    Other,
}

fn field(name: &str) -> Option<Field> {
    Some(match name {
        "user-agent" | "useragent" | "user agent" => Field::Agent,
        "allow" => Field::Allow,
        "disallow" | "dissallow" | "dissalow" | "disalow" | "diasllow" | "disallaw" => Field::Disallow,
        "sitemap" | "sitemaps" | "site-map" | "host" => Field::Site,
        "crawl-delay" | "crawl delay" | "request-rate" | "request rate" | "visit-time" | "visit time" => {
            Field::Other
        }
        _ => return None,
    })
}

/// A line's field and value; a field that nobody knows is of no matter, but parts groups.
fn directive(line: &str) -> Option<(Field, String)> {
    let by_colon = line.split_once(':').map(|(name, value)| (name.trim().to_lowercase(), value));
    if let Some((name, value)) = &by_colon {
        let known = field(name);
        if known.is_some() || value.is_empty() || value.starts_with(char::is_whitespace) {
            return Some((known.unwrap_or(Field::Other), value.trim().to_owned()));
        }
    }
    // No colon, or one that belongs to the value: `Sitemap https://…`.
    let words: Vec<&str> = line.split_whitespace().collect();
    for count in 1..=2 {
        let (Some(name), Some(rest)) = (words.get(..count), words.get(count..)) else { break };
        if let Some(known) = field(&name.join(" ").to_lowercase()) {
            return Some((known, rest.join(" ")));
        }
    }
    by_colon.map(|(_, value)| (Field::Other, value.trim().to_owned()))
}

/// The lines of a text as Python's `str.splitlines` parts them.
pub(crate) fn lines(text: &str) -> impl Iterator<Item = &str> {
    let ends = ['\n', '\r', '\u{b}', '\u{c}', '\u{1c}', '\u{1d}', '\u{1e}', '\u{85}', '\u{2028}', '\u{2029}'];
    // `\r\n` makes an empty line here, which nothing hangs on.
    text.split(ends)
}

impl Robots {
    pub(crate) fn parse(text: &str) -> Self {
        let mut groups: Vec<Group> = Vec::new();
        let mut current: Vec<usize> = Vec::new();
        let mut previous = None;
        for line in lines(text) {
            let line = line.split('#').next().unwrap_or_default().trim();
            let Some((field, value)) = (!line.is_empty()).then(|| directive(line)).flatten() else {
                continue;
            };
            if field == Field::Agent && previous.is_some_and(|previous| previous != Field::Agent) {
                current.clear();
            }
            if field != Field::Site {
                previous = Some(field);
            }
            if value.is_empty() {
                continue;
            }
            match field {
                Field::Agent => {
                    let name = value.to_lowercase();
                    let plain = (name != "*" && name.contains('*')).then(|| name.replace('*', ""));
                    for name in [Some(name), plain].into_iter().flatten().filter(|name| !name.is_empty()) {
                        let at = groups.iter().position(|group| group.agent == name).unwrap_or_else(|| {
                            groups.push(Group { agent: name, rules: Vec::new() });
                            groups.len() - 1
                        });
                        if !current.contains(&at) {
                            current.push(at);
                        }
                    }
                }
                Field::Allow | Field::Disallow => {
                    for at in &current {
                        if let Some(group) = groups.get_mut(*at) {
                            group.add(field == Field::Allow, &value);
                        }
                    }
                }
                Field::Site | Field::Other => {}
            }
        }
        for group in &mut groups {
            // The longest rule that fits decides, of equal ones the one that allows.
            let weight = |rule: &Rule| (rule.pattern.chars().count(), rule.allows);
            group.rules.sort_by_key(|rule| std::cmp::Reverse(weight(rule)));
        }
        Self { groups }
    }

    /// Whether the agent may fetch the URL.
    pub(crate) fn allows(&self, url: &Url, agent: &str) -> bool {
        if url.path() == "/robots.txt" {
            return true;
        }
        let agent = agent.trim().to_lowercase();
        let mut best: Option<(usize, &Group)> = None;
        for group in &self.groups {
            let score = group.fits(&agent);
            // Of equal ones the first.
            if score > best.map_or(0, |(score, _)| score) {
                best = Some((score, group));
            }
        }
        let Some((_, group)) = best else { return true };
        let path = comparable_path(url);
        group.rules.iter().find(|rule| fits(&rule.pattern, &path)).is_none_or(|rule| rule.allows)
    }
}

impl Group {
    /// How well it fits an agent: the length of its name, 1 for `*`, 0 for not at all. The name has to begin where a word does.
    fn fits(&self, agent: &str) -> usize {
        if self.agent == "*" {
            return 1;
        }
        let begins_word = |at: usize| {
            let before = agent.get(..at).and_then(|head| head.chars().next_back());
            !before.is_some_and(|before| before.is_alphanumeric() || "-_".contains(before))
        };
        let found = agent.match_indices(&self.agent).any(|(at, _)| begins_word(at));
        if found { self.agent.chars().count() } else { 0 }
    }

    fn add(&mut self, allows: bool, pattern: &str) {
        if pattern.contains('$') {
            self.add(allows, &pattern.replace('$', "%24"));
        }
        let pattern = comparable_pattern(pattern);
        if pattern.is_empty() {
            return;
        }
        let index = pattern.strip_suffix("index.html").filter(|folder| allows && folder.ends_with('/'));
        let folder = index.map(|folder| Rule { allows, pattern: format!("{folder}$") });
        self.rules.push(Rule { allows, pattern });
        self.rules.extend(folder);
    }
}

/// Whether a pattern with `*` and a final `$` fits a path. Time grows with the product of their lengths at most.
fn fits(pattern: &str, path: &str) -> bool {
    let (body, to_the_end) = match pattern.strip_suffix('$') {
        Some(body) => (body, true),
        None => (pattern, false),
    };
    let mut parts = body.split('*');
    let Some(mut rest) = parts.next().and_then(|first| path.strip_prefix(first)) else { return false };
    let mut last: Option<&str> = None;
    for part in parts {
        // The part before: the first place where it stands will do.
        if let Some(before) = last.replace(part) {
            let Some((_, after)) = rest.split_once(before) else { return false };
            rest = after;
        }
    }
    match (last, to_the_end) {
        (None, true) => rest.is_empty(),
        (None, false) => true,
        (Some(last), true) => rest.ends_with(last),
        (Some(last), false) => rest.contains(last),
    }
}

/// Path and query with every escape spelled one way.
fn comparable_path(url: &Url) -> String {
    let query = url.query().map(|query| format!("?{query}")).unwrap_or_default();
    let path = respelled(&format!("{}{query}", url.path()), "/%", "/%=");
    if path.starts_with('/') { path } else { format!("/{path}") }
}

fn comparable_pattern(pattern: &str) -> String {
    let absolute = pattern.starts_with("https://") || pattern.starts_with("http://");
    let pattern = if absolute { format!("/{pattern}") } else { pattern.to_owned() };
    match pattern.strip_suffix('$') {
        Some(body) => respelled(body, "/%*", "/%*=") + "$",
        None => respelled(&pattern, "/%*", "/%*="),
    }
}

/// Decodes all escapes but those of the characters in `kept`, and encodes all but what needs none and what is in `plain`.
fn respelled(text: &str, kept: &str, plain: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('%') {
        bytes.extend_from_slice(before.as_bytes());
        let code = after.get(..2).filter(|code| code.bytes().all(|byte| byte.is_ascii_hexdigit()));
        match code.and_then(|code| u8::from_str_radix(code, 16).ok()) {
            Some(byte) => {
                if kept.as_bytes().contains(&byte) {
                    bytes.extend_from_slice(format!("%{byte:02X}").as_bytes());
                } else {
                    bytes.push(byte);
                }
                rest = after.get(2..).unwrap_or_default();
            }
            None => {
                bytes.push(b'%');
                rest = after;
            }
        }
    }
    bytes.extend_from_slice(rest.as_bytes());
    let mut out = String::with_capacity(bytes.len());
    for byte in String::from_utf8_lossy(&bytes).bytes() {
        let character = char::from(byte);
        if byte.is_ascii_alphanumeric()
            || "_.-~".contains(character)
            || (byte.is_ascii() && plain.contains(character))
        {
            out.push(character);
        } else {
            out += &format!("%{byte:02X}");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    const AGENT: &str =
        "ModelContextProtocol/1.0 (Autonomous; +https://github.com/modelcontextprotocol/servers)";

    fn allows(robots: &str, path: &str) -> bool {
        Robots::parse(robots).allows(&Url::parse(&format!("http://h{path}")).unwrap(), AGENT)
    }

    #[test]
    fn the_longest_rule_decides() {
        let robots = "User-agent: *\nDisallow: /a\nAllow: /a/b\nDisallow: /a/b/c$\nDisallow: /*.pdf$\nDisallow: /q?x=*&secret";
        for (path, allowed) in [
            ("/", true),
            ("/a", false),
            ("/abc", false),
            ("/a/b", true),
            ("/a/b/c", false),
            ("/a/b/cd", true),
            ("/x.pdf", false),
            ("/x.pdf?y", true),
            ("/q?x=1", true),
            ("/q?x=1&secret", false),
            ("/%61", false),
            ("/robots.txt", true),
        ] {
            assert_eq!(allows(robots, path), allowed, "{path}");
        }
    }

    #[test]
    fn the_agent_that_fits_best_decides() {
        for (agents, allowed) in [
            ("User-agent: other\nDisallow: /", true),
            ("User-agent: *\nDisallow: /", false),
            ("User-agent: *\nDisallow: /\nUser-agent: modelcontextprotocol\nAllow: /", true),
            ("user-agent: ModelContextProtocol\nuser-agent: other\ndisallow: /", false),
            ("User-agent: ContextProtocol\nDisallow: /", true),
            ("User-agent: autonomous\nDisallow: /", false),
            ("User-agent: model*\nDisallow: /", false),
            ("User agent *\nDissalow /", false),
            ("Disallow: /", true),
            ("User-agent: *\nDisallow:", true),
            ("User-agent: *\nSitemap: x\nDisallow: /", false),
            ("User-agent: other\nCrawl-delay: 1\nUser-agent: *\nDisallow: /", false),
            // It begins a word of the agent's, "Autonomous", as well as `*` fits, and stands first.
            ("User-agent: a\nCrawl-delay: 1\nUser-agent: *\nDisallow: /", true),
            ("User-agent: other # *\nDisallow: /", true),
        ] {
            assert_eq!(allows(agents, "/x"), allowed, "{agents}");
        }
    }

    #[test]
    fn escapes_are_compared_by_what_they_stand_for() {
        let robots = "User-agent: *\nDisallow: /ü\nDisallow: /b%2fc\nDisallow: /d$e\nAllow: /f/index.html\nDisallow: /f";
        for (path, allowed) in [
            ("/%C3%BC", false),
            ("/b/c", true),
            ("/b%2Fc", false),
            ("/d$e", false),
            ("/f/", true),
            ("/f/x", false),
        ] {
            assert_eq!(allows(robots, path), allowed, "{path}");
        }
    }

    #[test]
    fn long_patterns_take_their_time_and_no_more() {
        let robots = format!("User-agent: *\nDisallow: /{}b", "a*".repeat(5_000));
        assert!(allows(&robots, &format!("/{}", "a".repeat(5_000))));
    }
}
