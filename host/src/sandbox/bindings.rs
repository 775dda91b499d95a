//! The contract as Rust types, generated from `wit/`. Only the sandbox sees these; other rooms use
//! [`crate::catalog`]'s.

wasmtime::component::bindgen!({
    path: "../wit",
    world: "plugin",
    imports: {
        "kennel:plugin/state": async | trappable,
        default: trappable,
    },
    exports: { default: async },
    require_store_data_send: true,
});
