//! (h): what counting instructions costs, on real plugins doing real work.
//! The same call of the same component by wasmtime alone, compiled with and without fuel.
//! It must not change anything else between the two.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use kennel::sandbox::contract::{Error, ToolCall, ToolOutcome};
use serde_json::{Value, json};
use wasmtime::component::{Component, ComponentExportIndex, InstancePre, Val};
use wasmtime::{Config, Engine, Store};

use crate::floor::{self, Wasi};
use crate::stats::{Series, table};
use crate::world;

const ROUNDS: usize = 300;
const FUEL: u64 = 1 << 40;

type Kept = Arc<Mutex<HashMap<String, Vec<u8>>>>;

struct Plugin {
    pre: InstancePre<Wasi>,
    call_tool: ComponentExportIndex,
    fuel: bool,
}

impl Plugin {
    fn new(name: &str, fuel: bool) -> Self {
        let mut config = Config::new();
        config.consume_fuel(fuel);
        let engine = Engine::new(&config).unwrap();
        let component = Component::from_binary(&engine, &world::component(name)).unwrap();
        let mut linker = floor::linker(&engine, &component);
        linker.allow_shadowing(true);
        // What these plugins use of the contract, so that their calls do their work.
        let mut host = linker.instance("kennel:plugin/host@0.1.0").unwrap();
        host.func_new("setting", |_, _, _, results| {
            results[0] = Val::Option(None);
            Ok(())
        })
        .unwrap();
        for quiet in ["list-changed", "resource-updated"] {
            host.func_new(quiet, |_, _, _, _| Ok(())).unwrap();
        }
        let kept = Kept::default();
        let mut state = linker.instance("kennel:plugin/state@0.1.0").unwrap();
        let store = kept.clone();
        state
            .func_new("get", move |_, _, params, results| {
                let value = store.lock().unwrap().get(&text(&params[0])).cloned();
                results[0] = ok(Val::Option(value.map(|bytes| Box::new(list(&bytes)))));
                Ok(())
            })
            .unwrap();
        let store = kept.clone();
        state
            .func_new("set", move |_, _, params, results| {
                store.lock().unwrap().insert(text(&params[0]), items(&params[1]));
                results[0] = Val::Result(Ok(None));
                Ok(())
            })
            .unwrap();
        let store = kept.clone();
        state
            .func_new("list", move |_, _, params, results| {
                let (prefix, kept) = (text(&params[0]), store.lock().unwrap());
                let mut keys: Vec<_> = kept.keys().filter(|key| key.starts_with(&prefix)).cloned().collect();
                keys.sort_unstable();
                results[0] = ok(Val::List(keys.into_iter().map(Val::String).collect()));
                Ok(())
            })
            .unwrap();
        state
            .func_new("compare-and-swap", move |_, _, params, results| {
                let mut kept = kept.lock().unwrap();
                let key = text(&params[0]);
                let fits = kept.get(&key).cloned() == bytes(&params[1]);
                if fits {
                    match bytes(&params[2]) {
                        Some(new) => kept.insert(key, new),
                        None => kept.remove(&key),
                    };
                }
                results[0] = ok(Val::Bool(fits));
                Ok(())
            })
            .unwrap();
        let call_tool = floor::call_tool_of(&component);
        Self { pre: linker.instantiate_pre(&component).unwrap(), call_tool, fuel }
    }

    /// Calls a tool in a fresh instance; gives how long the call itself took, and the fuel it burnt.
    async fn call(&self, tool: &str, arguments: &Value) -> (std::time::Duration, u64) {
        let call =
            ToolCall { name: tool.into(), arguments: arguments.to_string(), resumption: None, meta: None };
        let mut store = Store::new(self.pre.engine(), Wasi::new());
        if self.fuel {
            store.set_fuel(FUEL).unwrap();
        }
        let instance = self.pre.instantiate_async(&mut store).await.unwrap();
        let function = instance
            .get_typed_func::<(&ToolCall,), (Result<ToolOutcome, Error>,)>(&mut store, self.call_tool)
            .unwrap();
        let start = Instant::now();
        let outcome = function.call_async(&mut store, (&call,)).await.unwrap().0.unwrap();
        let time = start.elapsed();
        let ToolOutcome::Complete(result) = outcome else { panic!("{tool} asked a question") };
        assert!(!result.is_error, "{tool}: {:?}", result.content);
        (time, FUEL.saturating_sub(store.get_fuel().unwrap_or(FUEL)))
    }
}

fn ok(value: Val) -> Val {
    Val::Result(Ok(Some(Box::new(value))))
}

fn list(bytes: &[u8]) -> Val {
    Val::List(bytes.iter().copied().map(Val::U8).collect())
}

fn text(value: &Val) -> String {
    if let Val::String(text) = value { text.clone() } else { panic!("not a string: {value:?}") }
}

fn bytes(value: &Val) -> Option<Vec<u8>> {
    if let Val::Option(Some(list)) = value { Some(items(list)) } else { None }
}

fn items(list: &Val) -> Vec<u8> {
    let Val::List(items) = list else { panic!("not a list: {list:?}") };
    items.iter().map(|item| if let Val::U8(byte) = item { *byte } else { panic!("not a byte") }).collect()
}

pub fn run() {
    let entities: Vec<_> = (0..200)
        .map(|at| json!({ "name": format!("thing {at}"), "entityType": "thing", "observations": ["it is there", "it is one of many"] }))
        .collect();
    let calls = [
        (
            "time",
            "convert_time",
            json!({ "source_timezone": "Europe/Berlin", "time": "16:30", "target_timezone": "Asia/Tokyo" }),
            None,
        ),
        (
            "memory",
            "search_nodes",
            json!({ "query": "199" }),
            Some(("create_entities", json!({ "entities": entities }))),
        ),
        ("notes", "create_note", json!({ "title": "a note", "content": "what it says ".repeat(100) }), None),
    ];
    let runtime = world::runtime();
    for (name, tool, arguments, before) in calls {
        let plain = Plugin::new(name, false);
        let fuelled = Plugin::new(name, true);
        let mut all = [Series::new("without fuel"), Series::new("with fuel")];
        let mut burnt = 0;
        runtime.block_on(async {
            if let Some((tool, arguments)) = &before {
                plain.call(tool, arguments).await;
                fuelled.call(tool, arguments).await;
            }
            for _ in 0..ROUNDS {
                all[0].add(plain.call(tool, &arguments).await.0);
                let (time, fuel) = fuelled.call(tool, &arguments).await;
                all[1].add(time);
                burnt = fuel;
            }
        });
        table(&format!("(h) {name}, {tool}: {burnt} fuel"), 0, &all);
    }
}
