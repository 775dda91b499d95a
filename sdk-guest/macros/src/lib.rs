//! The macros of `kennel-sdk`: annotated functions become tools, resources, prompts and completions,
//! and `plugin!` exports them and writes the manifest of what the plugin asks for.
//! Must not decide anything at run time: what is generated here only calls into `kennel-sdk`, which
//! documents each macro with examples that compile.

mod common;
mod complete;
mod manifest;
mod plugin;
mod prompt;
mod resource;
mod template;
mod tool;

use proc_macro::TokenStream;

/// Makes a function a tool. See `kennel_sdk::tool`.
#[proc_macro_attribute]
pub fn tool(options: TokenStream, item: TokenStream) -> TokenStream {
    common::attribute(options, item, tool::expand)
}

/// Makes a function a resource or a family of resources. See `kennel_sdk::resource`.
#[proc_macro_attribute]
pub fn resource(options: TokenStream, item: TokenStream) -> TokenStream {
    common::attribute(options, item, resource::expand)
}

/// Makes a function a prompt. See `kennel_sdk::prompt`.
#[proc_macro_attribute]
pub fn prompt(options: TokenStream, item: TokenStream) -> TokenStream {
    common::attribute(options, item, prompt::expand)
}

/// Makes a function propose values for an argument of a prompt or a variable of a template. See
/// `kennel_sdk::complete`.
#[proc_macro_attribute]
pub fn complete(options: TokenStream, item: TokenStream) -> TokenStream {
    common::attribute(options, item, complete::expand)
}

/// Exports a plugin's functions and writes its manifest. See `kennel_sdk::plugin`.
#[proc_macro]
pub fn plugin(input: TokenStream) -> TokenStream {
    plugin::expand(input.into()).unwrap_or_else(syn::Error::into_compile_error).into()
}
