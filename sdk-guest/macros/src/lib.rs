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

/// `#[tool]`
#[proc_macro_attribute]
pub fn tool(options: TokenStream, item: TokenStream) -> TokenStream {
    common::attribute(options, item, tool::expand)
}

/// `#[resource]`
#[proc_macro_attribute]
pub fn resource(options: TokenStream, item: TokenStream) -> TokenStream {
    common::attribute(options, item, resource::expand)
}

/// `#[prompt]`
#[proc_macro_attribute]
pub fn prompt(options: TokenStream, item: TokenStream) -> TokenStream {
    common::attribute(options, item, prompt::expand)
}

/// `#[complete]`
#[proc_macro_attribute]
pub fn complete(options: TokenStream, item: TokenStream) -> TokenStream {
    common::attribute(options, item, complete::expand)
}

/// `plugin!`
#[proc_macro]
pub fn plugin(input: TokenStream) -> TokenStream {
    plugin::expand(input.into()).unwrap_or_else(syn::Error::into_compile_error).into()
}
