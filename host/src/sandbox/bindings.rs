//! The contract's types and traits as generated from `wit/`: the imports the sandbox provides and the
//! exports it may find. Holds no behaviour.

#![allow(missing_docs)] // Documented in `wit/`; the generator gives the documents only to some items.

wasmtime::component::bindgen!({
    path: "../wit",
    world: "plugin",
    imports: {
        // Each of these does its work at once; only the store has to wait for a disk.
        "kennel:plugin/host": trappable,
        default: async | trappable,
    },
    exports: { default: async },
    require_store_data_send: true,
    // Definitions are kept in the cache as JSON.
    additional_derives: [PartialEq, serde::Serialize, serde::Deserialize],
});
