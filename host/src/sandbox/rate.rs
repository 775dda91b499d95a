//! So many a minute: a bucket that holds a minute's worth and fills evenly. Pure; the caller brings the time.

use std::time::{Duration, Instant};

/// From this on there is no bound: more than any machine begins in a minute.
pub const UNBOUNDED: u64 = 1_000_000_000;

const MINUTE: Duration = Duration::from_secs(60);

/// A bucket. Kept as the moment at which it is full again, so that nothing runs while nobody calls.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rate {
    /// Time that one takes from the bucket; none when there is no bound.
    each: Option<Duration>,
    full_at: Instant,
}

impl Rate {
    /// At most `a_minute`, all of them at once if need be.
    pub(super) fn new(a_minute: u64, now: Instant) -> Self {
        let each = (a_minute < UNBOUNDED).then(|| {
            let nanos = 60_000_000_000 / a_minute.max(1);
            Duration::from_nanos(nanos)
        });
        Self { each, full_at: now }
    }

    /// Whether one more may begin; else in how long.
    pub(super) fn check(&self, now: Instant) -> Result<(), Duration> {
        let Some(each) = self.each else { return Ok(()) };
        let over = (self.full_at + each).saturating_duration_since(now);
        if over <= MINUTE { Ok(()) } else { Err(over - MINUTE) }
    }

    /// One more began.
    pub(super) fn count(&mut self, now: Instant) {
        if let Some(each) = self.each {
            self.full_at = self.full_at.max(now) + each;
        }
    }

    /// Whether it remembers nothing.
    pub(super) fn is_full(&self, now: Instant) -> bool {
        self.full_at <= now
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_minutes_worth_at_once_and_then_evenly() {
        let start = Instant::now();
        let mut rate = Rate::new(60, start);
        for _ in 0..60 {
            rate.check(start).unwrap();
            rate.count(start);
        }
        assert_eq!(rate.check(start), Err(Duration::from_secs(1)));
        let later = start + Duration::from_secs(1);
        rate.check(later).unwrap();
        rate.count(later);
        assert!(rate.check(later).is_err());
        assert!(!rate.is_full(start + Duration::from_secs(60)));
        assert!(rate.is_full(start + Duration::from_secs(61)));
    }

    #[test]
    fn without_a_bound_nothing_is_counted() {
        let now = Instant::now();
        let mut rate = Rate::new(UNBOUNDED, now);
        rate.count(now);
        assert!(rate.check(now).is_ok() && rate.is_full(now));
    }

    proptest! {
        /// However calls come, no minute sees more than twice the rate: what the bucket held and what flowed in.
        #[test]
        fn no_minute_sees_more_than_twice_the_rate(
            a_minute in 1_u64..50,
            gaps in proptest::collection::vec(0_u64..5_000, 1..300),
        ) {
            let mut now = Instant::now();
            let mut rate = Rate::new(a_minute, now);
            let mut began: Vec<Instant> = Vec::new();
            for gap in gaps {
                now += Duration::from_millis(gap);
                if rate.check(now).is_ok() {
                    rate.count(now);
                    began.push(now);
                }
                let since = began.iter().filter(|at| now.duration_since(**at) < MINUTE).count() as u64;
                prop_assert!(since <= 2 * a_minute, "{since} of {a_minute}");
            }
        }
    }
}
