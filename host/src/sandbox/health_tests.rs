#![allow(clippy::unwrap_used, clippy::expect_used)]

use super::*;
use proptest::prelude::*;

const MS: Duration = Duration::from_millis(1);

/// Traps without a pause from `now` until it sits out; the moment and for how long.
fn trap_until_out(health: &Health, now: &mut Instant) -> Duration {
    for _ in 0..TRAPS {
        assert_eq!(health.check(*now), Ok(()));
        *now += MS;
        if let Some(out) = health.ended(Ending::Trapped, *now) {
            assert_eq!((out.how, out.times), ("trapped", TRAPS));
            return out.left;
        }
    }
    panic!("{TRAPS} traps in a row and it goes on");
}

#[test]
fn each_time_out_is_twice_as_long_and_bounded() {
    let health = Health::default();
    let mut now = Instant::now();
    let mut times = Vec::new();
    for _ in 0..12 {
        let time = trap_until_out(&health, &mut now);
        assert_eq!(health.check(now).unwrap_err().left, time);
        assert!(health.check(now + time - MS).is_err());
        now += time;
        assert_eq!(health.check(now), Ok(()), "it is over when it was said to be");
        times.push(time.as_secs());
    }
    assert_eq!(times, [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300]);
    // As long in good order and it begins anew.
    now += LONGEST;
    assert_eq!(trap_until_out(&health, &mut now), FIRST);
}

#[test]
fn calls_in_flight_do_not_add_and_it_is_told_once() {
    let health = Health::default();
    let mut now = Instant::now();
    let time = trap_until_out(&health, &mut now);
    for _ in 0..100 {
        assert_eq!(health.ended(Ending::Trapped, now), None);
    }
    assert_eq!(health.check(now).unwrap_err().left, time);
    now += time;
    assert_eq!(trap_until_out(&health, &mut now), 2 * time);
}

#[test]
fn panics_count_apart_and_milder() {
    let health = Health::default();
    let mut now = Instant::now();
    for round in 0..5 {
        for _ in 1..PANICS {
            assert_eq!(health.ended(Ending::Panicked, now), None);
        }
        for _ in 1..TRAPS {
            assert_eq!(health.ended(Ending::Trapped, now), None, "round {round}");
        }
        let out = health.ended(Ending::Panicked, now).unwrap();
        assert_eq!((out.how, out.times, out.left), ("panicked", PANICS, FIRST));
        now += WINDOW;
    }
}

#[test]
fn a_person_lifts_it() {
    let health = Health::default();
    let mut now = Instant::now();
    trap_until_out(&health, &mut now);
    health.lift();
    assert_eq!(health.check(now), Ok(()));
    assert_eq!(trap_until_out(&health, &mut now), FIRST);
}

proptest! {
    /// However calls that may begin end: no window sees more traps than it takes, and who traps more rarely than that
    /// never sits out.
    #[test]
    fn traps_in_a_window_are_bounded(
        gaps in proptest::collection::vec((0_u64..4_000, proptest::sample::select(vec![
            Ending::Orderly, Ending::Panicked, Ending::Trapped, Ending::Trapped,
        ])), 1..400),
    ) {
        let health = Health::default();
        let mut now = Instant::now();
        let mut traps: Vec<Instant> = Vec::new();
        for (gap, ending) in gaps {
            now += Duration::from_millis(gap);
            if health.check(now).is_err() {
                continue;
            }
            let said = health.ended(ending, now);
            if ending == Ending::Trapped {
                traps.push(now);
            }
            let recent = traps.iter().filter(|at| now.duration_since(**at) < WINDOW).count();
            // Sitting out ends before the window does the first times: 1 s and 2 s and 4 s within ten.
            prop_assert!(recent <= 4 * TRAPS, "{recent}");
            prop_assert!(said.is_none() || recent >= TRAPS);
        }
    }
}
