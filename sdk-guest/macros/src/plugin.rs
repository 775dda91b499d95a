//! `plugin!`: exports exactly the interfaces that a plugin has something for, and writes its manifest.
//! Names that would collide are found while compiling.
//! Must not dispatch: the tables it makes are searched by `kennel-sdk`.

use proc_macro2::{Literal, Span, TokenStream};
use quote::quote;
use syn::parse::{Parse, ParseStream};
use syn::punctuated::Punctuated;
use syn::{Error, Ident, Path, Result, Token, bracketed};

use crate::manifest::{self, Asks};

#[derive(Default)]
struct Plugin {
    tools: Vec<Path>,
    resources: Vec<Path>,
    prompts: Vec<Path>,
    completions: Vec<Path>,
    asks: Option<Asks>,
}

impl Parse for Plugin {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let mut plugin = Self::default();
        let mut seen: Vec<Ident> = Vec::new();
        while !input.is_empty() {
            let key: Ident = input.parse()?;
            if seen.contains(&key) {
                return Err(Error::new(key.span(), format!("`{key}` is given twice")));
            }
            input.parse::<Token![:]>()?;
            match key.to_string().as_str() {
                "tools" => plugin.tools = paths(input)?,
                "resources" => plugin.resources = paths(input)?,
                "prompts" => plugin.prompts = paths(input)?,
                "completions" => plugin.completions = paths(input)?,
                "asks" => plugin.asks = Some(input.parse()?),
                other => {
                    return Err(Error::new(
                        key.span(),
                        format!(
                            "a plugin has no `{other}`; it has `tools`, `resources`, `prompts`, `completions` and `asks`"
                        ),
                    ));
                }
            }
            seen.push(key);
            if !input.is_empty() {
                input.parse::<Token![,]>()?;
            }
        }
        Ok(plugin)
    }
}

fn paths(input: ParseStream<'_>) -> Result<Vec<Path>> {
    let content;
    bracketed!(content in input);
    Ok(Punctuated::<Path, Token![,]>::parse_terminated_with(&content, Path::parse_mod_style)?
        .into_iter()
        .collect())
}

pub(crate) fn expand(input: TokenStream) -> Result<TokenStream> {
    let plugin: Plugin = syn::parse2(input)?;
    let Plugin { tools, resources, prompts, completions, asks } = &plugin;
    if tools.is_empty() && resources.is_empty() && prompts.is_empty() && completions.is_empty() {
        return Err(Error::new(
            Span::call_site(),
            "name what the plugin offers, as in `plugin! { tools: [hello] }`",
        ));
    }
    let variable = |name: &str| std::env::var(name).unwrap_or_default();
    let manifest = manifest::json(
        &variable("CARGO_PKG_NAME"),
        &variable("CARGO_PKG_VERSION"),
        &variable("CARGO_PKG_DESCRIPTION"),
        asks.as_ref(),
    )?;
    let length = manifest.len();
    let bytes = Literal::byte_string(manifest.as_bytes());

    let mut exports = Vec::new();
    if !tools.is_empty() {
        exports.push(quote! {
            const TOOLS: &[::kennel_sdk::__private::tool::Entry] =
                &[#(::kennel_sdk::__private::tool::Entry::of::<#tools>()),*];
            const _: () = ::kennel_sdk::__private::tool::assert_distinct(TOOLS);

            impl ::kennel_sdk::__private::bindings::tools::exports::kennel::plugin::tools::Guest for Plugin {
                fn list_tools() -> ::core::result::Result<
                    ::std::vec::Vec<::kennel_sdk::__private::tool::ToolInfo>,
                    ::kennel_sdk::__private::WitError,
                > {
                    ::kennel_sdk::__private::tool::list(TOOLS)
                }

                fn call_tool(
                    call: ::kennel_sdk::__private::tool::ToolCall,
                ) -> ::core::result::Result<
                    ::kennel_sdk::__private::tool::WitToolOutcome,
                    ::kennel_sdk::__private::WitError,
                > {
                    ::kennel_sdk::__private::tool::call(TOOLS, call)
                }
            }
            ::kennel_sdk::__private::bindings::tools::export_tools!(Plugin with_types_in ::kennel_sdk::__private::bindings::tools);
        });
    }
    if !resources.is_empty() {
        exports.push(quote! {
            const RESOURCES: &[::kennel_sdk::__private::resource::Entry] =
                &[#(::kennel_sdk::__private::resource::Entry::of::<#resources>()),*];

            impl ::kennel_sdk::__private::bindings::resources::exports::kennel::plugin::resources::Guest for Plugin {
                fn list_resources() -> ::core::result::Result<
                    ::std::vec::Vec<::kennel_sdk::ResourceInfo>,
                    ::kennel_sdk::__private::WitError,
                > {
                    ::kennel_sdk::__private::resource::list_all(RESOURCES)
                }

                fn list_templates() -> ::core::result::Result<
                    ::std::vec::Vec<::kennel_sdk::__private::resource::ResourceTemplate>,
                    ::kennel_sdk::__private::WitError,
                > {
                    ::kennel_sdk::__private::resource::templates(RESOURCES)
                }

                fn read_resource(
                    call: ::kennel_sdk::__private::resource::ResourceCall,
                ) -> ::core::result::Result<
                    ::kennel_sdk::__private::resource::WitReadOutcome,
                    ::kennel_sdk::__private::WitError,
                > {
                    ::kennel_sdk::__private::resource::read(RESOURCES, call)
                }

                fn subscribe(
                    uri: ::std::string::String,
                ) -> ::core::result::Result<(), ::kennel_sdk::__private::WitError> {
                    ::kennel_sdk::__private::resource::subscribe(RESOURCES, &uri)
                }

                fn unsubscribe(
                    uri: ::std::string::String,
                ) -> ::core::result::Result<(), ::kennel_sdk::__private::WitError> {
                    ::kennel_sdk::__private::resource::subscribe(RESOURCES, &uri)
                }
            }
            ::kennel_sdk::__private::bindings::resources::export_resources!(Plugin with_types_in ::kennel_sdk::__private::bindings::resources);
        });
    }
    if !prompts.is_empty() {
        exports.push(quote! {
            const PROMPTS: &[::kennel_sdk::__private::prompt::Entry] =
                &[#(::kennel_sdk::__private::prompt::Entry::of::<#prompts>()),*];
            const _: () = ::kennel_sdk::__private::prompt::assert_distinct(PROMPTS);

            impl ::kennel_sdk::__private::bindings::prompts::exports::kennel::plugin::prompts::Guest for Plugin {
                fn list_prompts() -> ::core::result::Result<
                    ::std::vec::Vec<::kennel_sdk::__private::prompt::PromptInfo>,
                    ::kennel_sdk::__private::WitError,
                > {
                    ::kennel_sdk::__private::prompt::list(PROMPTS)
                }

                fn get_prompt(
                    call: ::kennel_sdk::__private::prompt::PromptCall,
                ) -> ::core::result::Result<
                    ::kennel_sdk::__private::prompt::WitPromptOutcome,
                    ::kennel_sdk::__private::WitError,
                > {
                    ::kennel_sdk::__private::prompt::get(PROMPTS, call)
                }
            }
            ::kennel_sdk::__private::bindings::prompts::export_prompts!(Plugin with_types_in ::kennel_sdk::__private::bindings::prompts);
        });
    }
    if !completions.is_empty() {
        exports.push(quote! {
            const COMPLETIONS: &[::kennel_sdk::__private::completion::Entry] =
                &[#(::kennel_sdk::__private::completion::Entry::of::<#completions>()),*];

            impl ::kennel_sdk::__private::bindings::completion::exports::kennel::plugin::completion::Guest for Plugin {
                fn complete(
                    call: ::kennel_sdk::__private::completion::CompletionCall,
                ) -> ::core::result::Result<::kennel_sdk::Completions, ::kennel_sdk::__private::WitError> {
                    ::kennel_sdk::__private::completion::complete(COMPLETIONS, &call)
                }
            }
            ::kennel_sdk::__private::bindings::completion::export_completion!(Plugin with_types_in ::kennel_sdk::__private::bindings::completion);
        });
    }
    Ok(quote! {
        const _: () = {
            struct Plugin;
            #(#exports)*

            // Read by the host without running the plugin. Only a component has such sections.
            #[cfg(target_arch = "wasm32")]
            #[allow(unsafe_code)]
            #[used]
            #[unsafe(link_section = "kennel:manifest")]
            static MANIFEST: [u8; #length] = *#bytes;
        };
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    fn expanded(input: &str) -> Result<String> {
        expand(input.parse().unwrap()).map(|tokens| tokens.to_string())
    }

    #[test]
    fn only_what_is_named_is_exported() {
        let text = expanded("tools: [a, m::b]").unwrap();
        assert!(text.contains("export_tools"));
        for other in ["export_resources", "export_prompts", "export_completion"] {
            assert!(!text.contains(other), "{other}");
        }
        assert!(text.contains("kennel:manifest"));
    }

    #[test]
    fn mistakes_say_what_to_write() {
        for (input, says) in [
            ("", "name what the plugin offers"),
            ("asks: { elicit: true }", "name what the plugin offers"),
            ("tool: [a]", "a plugin has no `tool`; it has `tools`"),
            ("tools: [a], tools: [b]", "given twice"),
        ] {
            let error = expanded(input).unwrap_err().to_string();
            assert!(error.contains(says), "{input}: {error}");
        }
    }
}
