#![expect(deprecated)]
#![allow(clippy::unwrap_used, clippy::expect_used)]
use super::*;
use proptest::prelude::*;
use rmcp::model::ListRootsRequest;
use serde_json::json;

fn table(most: usize, most_per_caller: usize) -> Table {
    Table::new(TaskBounds { most, most_per_caller, kept_bytes: 100, ..TaskBounds::default() })
}

fn owner(name: &str) -> Arc<str> {
    name.into()
}

fn question(key: &str) -> Open {
    Open { own_key: key.into(), request: InputRequest::ListRoots(ListRootsRequest::default()) }
}

fn fits() -> Check {
    Box::new(|_, value| if value.is_object() { Ok(()) } else { Err("not an object".into()) })
}

fn status(table: &Table, who: &str, id: &str) -> TaskStatus {
    table.get(who, id).unwrap().status()
}

fn completed(text: &str) -> TaskPayload {
    let mut result = JsonObject::new();
    result.insert("text".into(), text.into());
    TaskPayload::Completed { result }
}

#[test]
fn a_task_is_its_callers_and_nobody_elses() {
    let table = table(9, 9);
    let running = table.reserve(&owner("a")).unwrap();
    let id = running.id.clone();
    assert!(table.get("a", &id).is_err(), "nobody was told of it");
    let seed = running.begin();
    assert_eq!((&*seed.task_id, seed.status), (&*id, TaskStatus::Working));
    let unknown = table.get("a", "no such").unwrap_err();
    for who in ["b", ""] {
        assert_eq!(table.get(who, &id).unwrap_err(), unknown);
        assert_eq!(table.update(who, &id, Answers::new()).unwrap_err(), unknown);
        assert_eq!(table.cancel(who, &id).unwrap_err(), unknown);
    }
    assert_eq!(status(&table, "a", &id), TaskStatus::Working);
    drop(running);
    assert_eq!(table.get("a", &id).unwrap_err(), unknown);
}

#[test]
fn answers_come_in_parts_and_keys_are_never_used_twice() {
    let table = table(9, 9);
    let running = table.reserve(&owner("a")).unwrap();
    let id = running.id.clone();
    running.begin();
    let mut answers = running.ask([question("x"), question("y")], fits());
    let keys = |table: &Table| match table.get("a", &id).unwrap().payload {
        TaskPayload::InputRequired { input_requests } => input_requests.into_keys().collect(),
        _ => vec![],
    };
    assert_eq!(keys(&table), ["1.x", "1.y"]);
    let give = |key: &str, value: Value| table.update("a", &id, Answers::from([(key.to_owned(), value)]));
    give("x", json!({})).unwrap();
    give("2.x", json!({})).unwrap();
    assert_eq!(keys(&table), ["1.x", "1.y"], "those were not asked");
    assert!(give("1.x", json!(5)).unwrap_err().message.contains("1.x"));
    let both = Answers::from([("1.x".to_owned(), json!({})), ("1.y".to_owned(), json!(5))]);
    assert!(table.update("a", &id, both).is_err());
    assert_eq!(keys(&table), ["1.x", "1.y"], "all or none");
    give("1.x", json!({"n": 1})).unwrap();
    assert_eq!(keys(&table), ["1.y"]);
    give("1.x", json!({"n": 2})).unwrap();
    assert!(answers.try_recv().is_err());
    give("1.y", json!({"n": 3})).unwrap();
    let got = answers.try_recv().unwrap();
    assert_eq!(got, Answers::from([("x".to_owned(), json!({"n": 1})), ("y".to_owned(), json!({"n": 3}))]));
    assert_eq!(status(&table, "a", &id), TaskStatus::Working);
    let _again = running.ask([question("x")], fits());
    assert_eq!(keys(&table), ["2.x"]);
    let huge = give("2.x", json!({"n": "x".repeat(MAX_ANSWER)}));
    assert!(huge.unwrap_err().message.contains("longer"));
}

#[test]
fn what_is_over_stays_as_it_is() {
    let table = table(9, 9);
    let running = table.reserve(&owner("a")).unwrap();
    let id = running.id.clone();
    running.begin();
    let mut answers = running.ask([question("x")], fits());
    table.cancel("a", &id).unwrap();
    assert!(running.stopped().is_cancelled());
    assert!(matches!(answers.try_recv(), Err(oneshot::error::TryRecvError::Closed)));
    running.finish(completed("late"), None);
    running.say("late");
    table.cancel("a", &id).unwrap();
    let task = table.get("a", &id).unwrap();
    assert_eq!((task.status(), task.task.status_message), (TaskStatus::Cancelled, None));

    let done = table.reserve(&owner("a")).unwrap();
    done.begin();
    done.say(&"é".repeat(MAX_MESSAGE));
    assert!(table.get("a", &done.id).unwrap().task.status_message.unwrap().len() <= MAX_MESSAGE);
    done.finish(completed("in time"), None);
    table.cancel("a", &done.id).unwrap();
    assert_eq!(table.get("a", &done.id).unwrap().payload, completed("in time"));
}

#[test]
fn there_is_room_for_so_many_and_results_are_kept_up_to_so_many_bytes() {
    let table = table(3, 2);
    let first = table.reserve(&owner("a")).unwrap();
    first.begin();
    let second = table.reserve(&owner("a")).unwrap();
    second.begin();
    assert_eq!(table.reserve(&owner("a")).err(), Some(NoTask::Caller(2)));
    let _third = table.reserve(&owner("b")).unwrap();
    assert_eq!(table.reserve(&owner("c")).err(), Some(NoTask::All(3)));

    // What is over but was not fetched keeps its place; fetched, it makes room.
    second.finish(completed(&"x".repeat(60)), None);
    assert_eq!(table.reserve(&owner("a")).err(), Some(NoTask::Caller(2)));
    assert_eq!(status(&table, "a", &second.id), TaskStatus::Completed);
    first.finish(completed(&"y".repeat(60)), None);
    let dropped = table.get("a", &first.id).unwrap();
    assert_eq!(dropped.status(), TaskStatus::Failed);
    assert!(dropped.task.status_message.unwrap().contains("dropped"));
    let _next = table.reserve(&owner("a")).unwrap();
    // The oldest of those fetched is the one that went.
    assert!(table.get("a", &first.id).is_err() && first.gone().is_cancelled());
    assert_eq!(status(&table, "a", &second.id), TaskStatus::Completed);
    drop(second);
    assert_eq!(table.lock().bytes, 0);
}

#[tokio::test]
async fn every_change_is_told() {
    let table = table(9, 9);
    let mut changes = table.changes();
    let running = table.reserve(&owner("a")).unwrap();
    running.begin();
    running.say("half");
    running.say("half");
    let _answers = running.ask([question("x")], fits());
    table.update("a", &running.id, Answers::from([("1.x".into(), json!({}))])).unwrap();
    running.finish(completed("x"), None);
    table.cancel("a", &running.id).unwrap();
    let mut told = 0;
    while let Ok(id) = changes.try_recv() {
        assert_eq!(id, running.id);
        told += 1;
    }
    assert_eq!(told, 4);
}

#[derive(Clone, Debug)]
enum Act {
    Reserve(bool),
    Begin(usize),
    Ask(usize),
    Answer(usize, bool),
    Cancel(usize, bool),
    Finish(usize, usize),
    Get(usize),
    Drop(usize),
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        any::<bool>().prop_map(Act::Reserve),
        (0_usize..6).prop_map(Act::Begin),
        (0_usize..6).prop_map(Act::Ask),
        (0_usize..6, any::<bool>()).prop_map(|(at, own)| Act::Answer(at, own)),
        (0_usize..6, any::<bool>()).prop_map(|(at, own)| Act::Cancel(at, own)),
        (0_usize..6, 0_usize..90).prop_map(|(at, bytes)| Act::Finish(at, bytes)),
        (0_usize..6).prop_map(Act::Get),
        (0_usize..6).prop_map(Act::Drop),
    ]
}

proptest! {
    /// Whatever happens in whatever order: never more than there may be, nothing for strangers, the bytes add up,
    /// and what is over stays so.
    #[test]
    fn bounds_hold_in_any_order(acts in proptest::collection::vec(act(), 0..60)) {
        let table = table(5, 3);
        let name = |first: bool| if first { "a" } else { "b" };
        let mut tasks: Vec<(bool, Running, Option<TaskPayload>)> = vec![];
        for act in acts {
            match act {
                Act::Reserve(first) => {
                    if let Ok(running) = table.reserve(&owner(name(first))) {
                        tasks.push((first, running, None));
                    }
                }
                Act::Begin(at) => if let Some((_, running, None)) = tasks.get(at) { drop(running.begin()); },
                Act::Ask(at) => if let Some((_, running, _)) = tasks.get(at) { drop(running.ask([question("k")], fits())); },
                Act::Answer(at, own) => if let Some((first, running, _)) = tasks.get(at) {
                    let known = table.update(name(*first == own), &running.id, Answers::from([("1.k".into(), json!({}))]));
                    prop_assert!(own || known.is_err());
                },
                Act::Cancel(at, own) => if let Some((first, running, _)) = tasks.get(at) {
                    let known = table.cancel(name(*first == own), &running.id);
                    prop_assert!(own || known.is_err());
                },
                Act::Finish(at, bytes) => if let Some((_, running, _)) = tasks.get(at) {
                    running.finish(completed(&"x".repeat(bytes)), None);
                },
                Act::Get(at) => if let Some((first, running, over)) = tasks.get_mut(at) {
                    prop_assert!(table.get(name(!*first), &running.id).is_err());
                    if let Ok(now) = table.get(name(*first), &running.id) {
                        if let Some(before) = over {
                            prop_assert_eq!(&*before, &now.payload);
                        }
                        if now.status().is_terminal() {
                            *over = Some(now.payload);
                        }
                    }
                },
                Act::Drop(at) => if at < tasks.len() { drop(tasks.remove(at)); },
            }
            let kept = table.lock();
            prop_assert!(kept.by_id.len() <= 5);
            for who in ["a", "b"] {
                prop_assert!(kept.by_id.values().filter(|entry| &*entry.owner == who).count() <= 3);
            }
            prop_assert_eq!(kept.bytes, kept.by_id.values().map(|entry| entry.bytes).sum::<usize>());
            prop_assert!(kept.bytes <= 100);
        }
        tasks.clear();
        prop_assert!(table.lock().by_id.is_empty());
    }
}
