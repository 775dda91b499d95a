//! Who commits, and when: the environment's `GIT_AUTHOR_*` and `GIT_COMMITTER_*`, else the repository's settings.
//! Must not guess a name: a sandbox does not know whose machine it is on.

use bstr::BString;
use gix_actor::Signature;
use gix_date::Time;

use crate::dates;
use crate::failure::{Failure, Result, repr};
use crate::repo::Repo;

/// Whose part in a commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    Author,
    Committer,
}

impl Part {
    fn variable(self, what: &str) -> Option<String> {
        let part = match self {
            Self::Author => "AUTHOR",
            Self::Committer => "COMMITTER",
        };
        std::env::var(format!("GIT_{part}_{what}")).ok()
    }
}

/// Who takes this part in a commit.
pub(crate) fn of(repo: &Repo, part: Part) -> Result<Signature> {
    let value = |variable: &str, key: &str| {
        let found = part.variable(variable).or_else(|| repo.setting(key)).filter(|value| !value.is_empty());
        let value = found.ok_or_else(|| {
            Failure::new(format!(
                "nobody is said to commit: set {key} in the repository (`git config {key} …`), or grant \
                 GIT_AUTHOR_{variable} and GIT_COMMITTER_{variable} in [plugins.git.env] of kennel.toml"
            ))
        })?;
        if value.contains(['<', '>', '\n']) {
            return Err(Failure::new(format!(
                "Commit identity {} must not contain '<', '>' or a line feed",
                repr(&value)
            )));
        }
        Ok(BString::from(value))
    };
    Ok(Signature {
        name: value("NAME", "user.name")?,
        email: value("EMAIL", "user.email")?,
        time: time(part)?,
    })
}

fn time(part: Part) -> Result<Time> {
    let Some(text) = part.variable("DATE").filter(|text| !text.is_empty()) else {
        return Ok(Time { seconds: dates::now().timestamp().as_second(), offset: 0 });
    };
    let (seconds, offset) = dates::exact_with_offset(&text).ok_or_else(|| {
        Failure::new(format!("Unsupported date format or type: {text}, type=<class 'str'>"))
    })?;
    Ok(Time { seconds, offset })
}

/// Who writes into a log that does not go into a commit: nobody when it is not known.
pub(crate) fn of_log(repo: &Repo) -> Signature {
    of(repo, Part::Committer).unwrap_or_else(|_| Signature {
        name: BString::from("unknown"),
        email: BString::from("unknown"),
        time: Time { seconds: dates::now().timestamp().as_second(), offset: 0 },
    })
}
