//! The contract's types and traits as generated from `wit/`: the imports the sandbox provides and the
//! exports it may find. Holds no behaviour.

#![allow(missing_docs)] // Documented in `wit/`; the generator gives the documents only to some items.

wasmtime::component::bindgen!({
    path: "../wit",
    world: "plugin",
    imports: { default: async | trappable },
    exports: { default: async },
    require_store_data_send: true,
});
