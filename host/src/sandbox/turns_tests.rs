#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use proptest::prelude::*;

use super::super::rate::UNBOUNDED;
use super::*;

type Waiting<'a> = Pin<Box<dyn Future<Output = Result<Turn, Busy>> + 'a>>;

fn turns(concurrency: usize, caller_concurrency: usize, queue: usize) -> Arc<Turns> {
    with(concurrency, caller_concurrency, queue, UNBOUNDED, UNBOUNDED)
}

fn with(concurrency: usize, caller: usize, queue: usize, rate: u64, caller_rate: u64) -> Arc<Turns> {
    let limits = Limits {
        concurrency,
        caller_concurrency: caller,
        queue,
        rate,
        caller_rate,
        ..crate::sandbox::capability::test_limits()
    };
    Turns::new(&limits, Instant::now())
}

/// Begins to wait; what is ready at once is in the second part.
fn begin<'a>(turns: &'a Arc<Turns>, caller: &'a str) -> (Waiting<'a>, Option<Result<Turn, Busy>>) {
    let mut waiting: Waiting<'a> = Box::pin(turns.take(caller, Instant::now()));
    let now = poll(&mut waiting);
    (waiting, now)
}

fn poll(waiting: &mut Waiting<'_>) -> Option<Result<Turn, Busy>> {
    match waiting.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(verdict) => Some(verdict),
        Poll::Pending => None,
    }
}

fn taken(turns: &Arc<Turns>, caller: &str) -> Turn {
    begin(turns, caller).1.expect("ready").unwrap()
}

/// Gives turns one at a time and says whose they were.
fn served<'a>(turn: Turn, mut waiting: Vec<(&'a str, Waiting<'a>)>) -> Vec<&'a str> {
    let (mut order, mut turn) = (Vec::new(), Some(turn));
    while !waiting.is_empty() {
        drop(turn.take());
        let at = waiting.iter_mut().position(|(_, waiting)| {
            turn = poll(waiting).map(Result::unwrap);
            turn.is_some()
        });
        order.push(waiting.remove(at.expect("somebody is next")).0);
    }
    order
}

#[test]
fn callers_take_turns_whatever_their_queues() {
    let turns = turns(1, 1, 2_000);
    let running = taken(&turns, "greedy");
    let mut waiting: Vec<_> = (0..1_000).map(|_| ("greedy", begin(&turns, "greedy").0)).collect();
    waiting.extend((0..3).map(|_| ("modest", begin(&turns, "modest").0)));
    waiting.push(("late", begin(&turns, "late").0));
    let order = served(running, waiting);
    assert_eq!(&order[..8], ["greedy", "modest", "late", "greedy", "modest", "greedy", "modest", "greedy"]);
    assert_eq!(order.len(), 1_004);
}

#[test]
fn one_caller_has_no_more_than_its_own_bound() {
    let turns = turns(3, 2, 10);
    let first = taken(&turns, "a");
    let _second = taken(&turns, "a");
    let (mut third, now) = begin(&turns, "a");
    assert!(now.is_none(), "a third of one caller");
    let other = taken(&turns, "b");
    let (mut next, now) = begin(&turns, "b");
    assert!(now.is_none(), "a fourth of all");
    drop(other);
    assert!(poll(&mut third).is_none() && poll(&mut next).is_some_and(|turn| turn.is_ok()));
    drop(first);
    assert!(poll(&mut third).is_some());
}

#[test]
fn a_full_queue_is_not_one_callers() {
    let turns = turns(1, 1, 4);
    let _running = taken(&turns, "greedy");
    let mut queue: Vec<_> = (0..4).map(|_| begin(&turns, "greedy").0).collect();
    assert_eq!(begin(&turns, "greedy").1.unwrap().err(), Some(Busy::Queue(4)));
    let (_modest, now) = begin(&turns, "modest");
    assert!(now.is_none(), "a place was made");
    assert_eq!(poll(&mut queue[3]).unwrap().err(), Some(Busy::Queue(4)), "the last of the longest went");
    assert!(queue[..3].iter_mut().all(|waiting| poll(waiting).is_none()));
    let (_modest, _) = begin(&turns, "modest");
    // Two each: neither may push the other out any more.
    for caller in ["greedy", "modest"] {
        assert_eq!(begin(&turns, caller).1.unwrap().err(), Some(Busy::Queue(4)), "{caller}");
    }
}

#[test]
fn rates_are_of_all_and_of_each() {
    let turns = with(9, 9, 9, 5, 3);
    for _ in 0..3 {
        drop(taken(&turns, "a"));
    }
    let refused = |caller| begin(&turns, caller).1.unwrap().err();
    assert!(matches!(refused("a"), Some(Busy::Rate { key: "caller-rate", .. })));
    drop(taken(&turns, "b"));
    drop(taken(&turns, "b"));
    assert!(matches!(refused("b"), Some(Busy::Rate { key: "rate", .. })));
}

#[test]
fn callers_that_are_gone_are_forgotten() {
    let turns = turns(1, 1, 1);
    let _running = taken(&turns, "kept");
    for number in 0..3 * REMEMBERED {
        drop(begin(&turns, &format!("caller {number}")));
    }
    let state = turns.state();
    assert!(state.callers.len() <= REMEMBERED && state.callers.contains_key("kept"));
    assert!(state.order.is_empty());
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Begin(usize),
    GiveUp(usize),
    End(usize),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (0_usize..4).prop_map(Step::Begin),
        1 => any::<usize>().prop_map(Step::GiveUp),
        2 => any::<usize>().prop_map(Step::End),
    ]
}

proptest! {
    /// Whatever comes, goes and is given up: no bound is passed, nobody waits while there is room, nothing leaks.
    #[test]
    fn bounds_hold_and_nobody_is_forgotten(
        steps in proptest::collection::vec(step(), 1..200),
        concurrency in 1_usize..4,
        own in 1_usize..4,
        queue in 0_usize..6,
    ) {
        let turns = turns(concurrency, own, queue);
        let own = own.min(concurrency);
        let names = ["a", "b", "c", "d"];
        let mut waiting: Vec<(usize, Waiting<'_>)> = Vec::new();
        let mut running: Vec<(usize, Turn)> = Vec::new();
        for step in steps {
            match step {
                Step::Begin(who) => match begin(&turns, names[who]) {
                    (_, Some(Ok(turn))) => running.push((who, turn)),
                    (_, Some(Err(_))) => {}
                    (place, None) => waiting.push((who, place)),
                },
                Step::GiveUp(at) if !waiting.is_empty() => drop(waiting.remove(at % waiting.len())),
                Step::End(at) if !running.is_empty() => drop(running.remove(at % running.len())),
                _ => {}
            }
            // Some give up between being told and hearing it.
            if !matches!(step, Step::GiveUp(_)) {
                waiting.retain_mut(|(who, place)| match poll(place) {
                    None => true,
                    Some(Ok(turn)) => {
                        running.push((*who, turn));
                        false
                    }
                    Some(Err(_)) => false,
                });
                let of = |who: usize| running.iter().filter(|(of, _)| *of == who).count();
                prop_assert!(running.len() <= concurrency && waiting.len() <= queue);
                for who in 0..names.len() {
                    prop_assert!(of(who) <= own);
                    let idle = running.len() < concurrency && of(who) < own;
                    prop_assert!(!(idle && waiting.iter().any(|(of, _)| *of == who)), "somebody waits for nothing");
                }
            }
        }
        waiting.clear();
        running.clear();
        let state = turns.state();
        prop_assert_eq!((state.running, state.waiting, state.order.len()), (0, 0, 0));
    }
}
