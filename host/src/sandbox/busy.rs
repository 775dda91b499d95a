//! Why a call does not begin now though nothing is wrong with it. The words are here; the deciding is in `turns` and
//! `health`.

use std::fmt;
use std::time::Duration;

use super::error::seconds;

/// Why a call does not begin now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Busy {
    /// So many wait already.
    Queue(usize),
    /// More in a minute than `limits.KEY` says.
    Rate {
        /// `rate` or `caller-rate`.
        key: &'static str,
        /// When there is room again.
        again: Duration,
    },
    /// It fails again and again and sits out.
    SitsOut(SitsOut),
}

/// A plugin that sits out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SitsOut {
    /// `trapped` or `panicked`.
    pub how: &'static str,
    /// How often.
    pub times: usize,
    /// Within this time.
    pub window: Duration,
    /// For so long from the moment this was asked.
    pub left: Duration,
}

impl fmt::Display for Busy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Queue(waiting) => {
                write!(f, "busy: {waiting} calls are waiting already; try again later")
            }
            Self::Rate { key, again } => write!(
                f,
                "busy: more calls in a minute than `limits.{key}` in kennel.toml allows it; try again in {}",
                upward(*again)
            ),
            Self::SitsOut(out) => write!(f, "busy: it {out}; try again then"),
        }
    }
}

impl fmt::Display for SitsOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { how, times, window, left } = self;
        write!(f, "{how} {times} times in {} and sits out for {}", seconds(*window), upward(*left))
    }
}

/// In whole seconds: whoever waits so long does not come too early.
fn upward(time: Duration) -> String {
    seconds(Duration::from_secs(time.as_millis().div_ceil(1_000).max(1) as u64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_when_to_come_again() {
        let out = SitsOut {
            how: "trapped",
            times: 5,
            window: Duration::from_secs(10),
            left: Duration::from_millis(3_001),
        };
        let lines = [
            Busy::Queue(7).to_string(),
            Busy::Rate { key: "caller-rate", again: Duration::from_millis(20) }.to_string(),
            Busy::SitsOut(out).to_string(),
        ];
        insta::assert_snapshot!(lines.join("\n"));
    }
}
