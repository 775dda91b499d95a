//! The contract's Rust types and import functions, generated from `wit/`, one export at a time.
//! The host looks at what a component really exports, so each exported interface has a world of its
//! own and an export macro that `plugin!` calls only when it is needed.
//! Must not hold logic: what is written by hand here is which world goes where.
#![allow(missing_docs, unreachable_pub, unsafe_code, clippy::all, clippy::pedantic)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::undocumented_unsafe_blocks)]

/// Types, imports and the exported interface `tools`.
pub mod tools {
    wit_bindgen::generate!({
        path: "../wit",
        world: "exports-tools",
        pub_export_macro: true,
        export_macro_name: "export_tools",
        default_bindings_module: "kennel_sdk::__private::bindings::tools",
        type_section_suffix: "kennel-tools",
        runtime_path: "kennel_sdk::__private::wit_bindgen::rt",
        generate_all,
    });
}

/// The exported interface `resources`, over the types of [`tools`].
pub mod resources {
    wit_bindgen::generate!({
        path: "../wit",
        world: "exports-resources",
        pub_export_macro: true,
        export_macro_name: "export_resources",
        default_bindings_module: "kennel_sdk::__private::bindings::resources",
        type_section_suffix: "kennel-resources",
        runtime_path: "kennel_sdk::__private::wit_bindgen::rt",
        with: {
            "kennel:plugin/types@0.1.0": crate::bindings::tools::kennel::plugin::types,
            "kennel:plugin/host@0.1.0": crate::bindings::tools::kennel::plugin::host,
            "kennel:plugin/state@0.1.0": crate::bindings::tools::kennel::plugin::state,
            "kennel:plugin/commands@0.1.0": crate::bindings::tools::kennel::plugin::commands,
        },
    });
}

/// The exported interface `prompts`, over the types of [`tools`].
pub mod prompts {
    wit_bindgen::generate!({
        path: "../wit",
        world: "exports-prompts",
        pub_export_macro: true,
        export_macro_name: "export_prompts",
        default_bindings_module: "kennel_sdk::__private::bindings::prompts",
        type_section_suffix: "kennel-prompts",
        runtime_path: "kennel_sdk::__private::wit_bindgen::rt",
        with: {
            "kennel:plugin/types@0.1.0": crate::bindings::tools::kennel::plugin::types,
            "kennel:plugin/host@0.1.0": crate::bindings::tools::kennel::plugin::host,
            "kennel:plugin/state@0.1.0": crate::bindings::tools::kennel::plugin::state,
            "kennel:plugin/commands@0.1.0": crate::bindings::tools::kennel::plugin::commands,
        },
    });
}

/// The exported interface `completion`, over the types of [`tools`].
pub mod completion {
    wit_bindgen::generate!({
        path: "../wit",
        world: "exports-completion",
        pub_export_macro: true,
        export_macro_name: "export_completion",
        default_bindings_module: "kennel_sdk::__private::bindings::completion",
        type_section_suffix: "kennel-completion",
        runtime_path: "kennel_sdk::__private::wit_bindgen::rt",
        with: {
            "kennel:plugin/types@0.1.0": crate::bindings::tools::kennel::plugin::types,
            "kennel:plugin/host@0.1.0": crate::bindings::tools::kennel::plugin::host,
            "kennel:plugin/state@0.1.0": crate::bindings::tools::kennel::plugin::state,
            "kennel:plugin/commands@0.1.0": crate::bindings::tools::kennel::plugin::commands,
        },
    });
}
