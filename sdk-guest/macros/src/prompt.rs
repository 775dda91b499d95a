//! `#[prompt]`: a function over a struct of strings becomes a prompt.
//! Its arguments, their descriptions and whether they must be given come from the struct's schema.
//! Must not build the list of arguments: that is `kennel_sdk::prompt`'s job, at the time of listing.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{ItemFn, Result};

use crate::common::{self, Options};

pub(crate) fn expand(mut options: Options, function: &ItemFn) -> Result<TokenStream> {
    options.no_first("prompt")?;
    let ident = &function.sig.ident;
    let name = options.text("name")?;
    let title = options.expression("title")?;
    let description = options.expression("description")?;
    let icons = options.list("icons")?;
    let meta = options.expression("meta")?;
    options.finish("prompt")?;

    let (name, name_span) = match &name {
        Some(name) => (name.value(), name.span()),
        None => (ident.to_string().trim_start_matches("r#").to_owned(), ident.span()),
    };
    common::checked_name(&name, name_span)?;
    let title = common::optional_text(title);
    let description = match (description, common::doc(&function.attrs)) {
        (Some(expression), _) => common::optional_text(Some(expression)),
        (None, text) => common::optional_text(text),
    };
    let meta = common::optional_text(meta);

    let (arguments, passed) = common::arguments_and_context(function)?;
    let (listed, parse) = match &arguments {
        Some(ty) => (
            quote_spanned!(ty.span()=> ::kennel_sdk::__private::prompt::arguments_of::<#ty>(#name)?),
            Some(quote_spanned!(ty.span()=>
                let arguments: #ty = ::kennel_sdk::__private::prompt::parse_arguments(&call.arguments)?;)),
        ),
        None => (quote!(::std::vec::Vec::new()), None),
    };
    let returned = common::return_type(function);
    let outcome = quote_spanned!(returned.span()=>
        ::kennel_sdk::IntoPromptOutcome::into_prompt_outcome(#ident(#(#passed),*)));
    let stand_in = common::stand_in(function);
    Ok(quote! {
        #stand_in
        #[automatically_derived]
        impl ::kennel_sdk::__private::prompt::Prompt for #ident {
            const NAME: &'static str = #name;

            fn describe() -> ::kennel_sdk::Result<::kennel_sdk::__private::prompt::PromptInfo> {
                ::core::result::Result::Ok(::kennel_sdk::__private::prompt::PromptInfo {
                    name: ::std::string::String::from(#name),
                    title: #title,
                    description: #description,
                    arguments: #listed,
                    icons: ::std::vec![#(#icons),*],
                    meta: #meta,
                })
            }

            #[allow(unused_variables, clippy::redundant_clone, clippy::unit_arg)]
            fn get(
                call: ::kennel_sdk::__private::prompt::PromptCall,
            ) -> ::kennel_sdk::Result<::kennel_sdk::Outcome<::kennel_sdk::PromptResult>> {
                #parse
                let context = ::kennel_sdk::Context::new(call.resumption, call.meta);
                #outcome
            }
        }
    })
}
