//! What wasmtime alone needs for a call: a store, an instance out of the pool, one typed call, the end of both.
//! On the very engine that Kennel's calls run on; without limits, deadline, cancellation, meter or threads.
//! It must not call anything of Kennel's but for that engine and the contract's types.

use kennel::sandbox::contract::{Error, ToolCall, ToolOutcome};
use wasmtime::component::types::ComponentItem;
use wasmtime::component::{Component, ComponentExportIndex, InstancePre, Linker, ResourceTable};
use wasmtime::{Engine, Store};
use wasmtime_wasi::{WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView};

/// Far more than a call burns.
const FUEL: u64 = 1 << 40;

/// What a component that imports WASI needs.
pub struct Wasi {
    ctx: WasiCtx,
    table: ResourceTable,
}

impl Wasi {
    pub fn new() -> Self {
        Self { ctx: WasiCtxBuilder::new().build(), table: ResourceTable::new() }
    }
}

impl WasiView for Wasi {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.ctx, table: &mut self.table }
    }
}

/// A linker with WASI; what a component imports of the contract fails when it is called.
pub fn linker(engine: &Engine, component: &Component) -> Linker<Wasi> {
    let mut linker = Linker::new(engine);
    wasmtime_wasi::p2::add_to_linker_async(&mut linker).unwrap();
    for (name, item) in component.component_type().imports(engine) {
        let ComponentItem::ComponentInstance(interface) = item.ty else { continue };
        if !name.starts_with("kennel:plugin/") {
            continue;
        }
        let mut instance = linker.instance(name).unwrap();
        for (function, item) in interface.exports(engine) {
            if matches!(item.ty, ComponentItem::ComponentFunc(_)) {
                let missing = format!("{function} is not part of the benchmark");
                instance
                    .func_new(function, move |_, _, _, _| Err(wasmtime::Error::msg(missing.clone())))
                    .unwrap();
            }
        }
    }
    linker
}

/// Where a component has the contract's `call-tool`.
pub fn call_tool_of(component: &Component) -> ComponentExportIndex {
    let tools = component.get_export_index(None, "kennel:plugin/tools@0.1.0").unwrap();
    component.get_export_index(Some(&tools), "call-tool").unwrap()
}

/// A plugin's `call-tool`, by wasmtime alone.
pub struct Plugin {
    pre: InstancePre<Wasi>,
    call_tool: ComponentExportIndex,
}

impl Plugin {
    pub fn new(engine: &Engine, wasm: &[u8]) -> Self {
        let component = Component::from_binary(engine, wasm).unwrap();
        let call_tool = call_tool_of(&component);
        let pre = linker(engine, &component).instantiate_pre(&component).unwrap();
        Self { pre, call_tool }
    }

    pub async fn call(&self, call: &ToolCall) -> ToolOutcome {
        let mut store = Store::new(self.pre.engine(), Wasi::new());
        store.set_fuel(FUEL).unwrap();
        let instance = self.pre.instantiate_async(&mut store).await.unwrap();
        let function = instance
            .get_typed_func::<(&ToolCall,), (Result<ToolOutcome, Error>,)>(&mut store, self.call_tool)
            .unwrap();
        function.call_async(&mut store, (call,)).await.unwrap().0.unwrap()
    }
}

/// The smallest component that takes a string and gives it back: no WASI, no allocator, no JSON.
const BARE: &str = r#"(component
    (core module $m
        (memory (export "memory") 2)
        (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 1024))
        (func (export "echo") (param i32 i32) (result i32)
            (i32.store (i32.const 0) (local.get 0))
            (i32.store (i32.const 4) (local.get 1))
            (i32.const 0)))
    (core instance $i (instantiate $m))
    (func (export "echo") (param "text" string) (result string)
        (canon lift (core func $i "echo") (memory (core memory $i "memory"))
            (realloc (core func $i "realloc")))))"#;

/// The smallest component, by wasmtime alone.
pub struct Bare {
    pre: InstancePre<()>,
    echo: ComponentExportIndex,
}

impl Bare {
    pub fn new(engine: &Engine) -> Self {
        let component = Component::from_binary(engine, &kennel_tests::wat_bytes(BARE)).unwrap();
        let echo = component.get_export_index(None, "echo").unwrap();
        let pre = Linker::new(engine).instantiate_pre(&component).unwrap();
        Self { pre, echo }
    }

    pub async fn call(&self, text: &str) -> String {
        let mut store = Store::new(self.pre.engine(), ());
        store.set_fuel(FUEL).unwrap();
        let instance = self.pre.instantiate_async(&mut store).await.unwrap();
        let function = instance.get_typed_func::<(&str,), (String,)>(&mut store, self.echo).unwrap();
        function.call_async(&mut store, (text,)).await.unwrap().0
    }
}
