//! `#[complete]`: a function proposes values for one argument of a prompt or one variable of a template.
//! It is found by what it completes, so nothing is listed.
//! Must not filter or cut proposals: the function knows which fit, the host bounds how many pass.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Error, ItemFn, Result};

use crate::common::{self, Options};

pub(crate) fn expand(mut options: Options, function: &ItemFn) -> Result<TokenStream> {
    options.no_first("complete")?;
    let ident = &function.sig.ident;
    let prompt = options.text("prompt")?;
    let template = options.text("template")?;
    let argument = options.text("argument")?;
    options.finish("complete")?;

    let of = match (prompt, template) {
        (Some(name), None) => quote!(::kennel_sdk::__private::completion::Of::Prompt(#name)),
        (None, Some(text)) => quote!(::kennel_sdk::__private::completion::Of::Template(#text)),
        _ => {
            return Err(Error::new(
                ident.span(),
                "say what is completed: `#[complete(prompt = \"…\", argument = \"…\")]` or \
                 `#[complete(template = \"…\", argument = \"…\")]`",
            ));
        }
    };
    let Some(argument) = argument else {
        return Err(Error::new(ident.span(), "say which argument or variable it is for: `argument = \"…\"`"));
    };
    let parameters = common::parameters(function)?;
    let passed = match parameters.len() {
        1 => quote!(value),
        2 => quote!(value, settled),
        _ => {
            return Err(Error::new(
                function.sig.inputs.span(),
                "take what was typed, `value: &str`, and, if wanted, what was settled before, `settled: &Settled`",
            ));
        }
    };
    let returned = common::return_type(function);
    let outcome = quote_spanned!(returned.span()=>
        ::kennel_sdk::IntoCompletions::into_completions(#ident(#passed)));
    let stand_in = common::stand_in(function);
    Ok(quote! {
        #stand_in
        #[automatically_derived]
        impl ::kennel_sdk::__private::completion::Completion for #ident {
            const OF: ::kennel_sdk::__private::completion::Of = #of;
            const ARGUMENT: &'static str = #argument;

            #[allow(unused_variables)]
            fn complete(
                value: &str,
                settled: &::kennel_sdk::Settled,
            ) -> ::kennel_sdk::Result<::kennel_sdk::Completions> {
                #outcome
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::expand;
    use crate::common::failure;

    #[test]
    fn mistakes_say_what_to_write() {
        for (options, function, says) in [
            ("", "fn f(value: &str) {}", "say what is completed"),
            (
                "prompt = \"p\", template = \"t\", argument = \"a\"",
                "fn f(value: &str) {}",
                "say what is completed",
            ),
            ("prompt = \"p\"", "fn f(value: &str) {}", "say which argument"),
            ("prompt = \"p\", argument = \"a\"", "fn f() {}", "take what was typed"),
        ] {
            let error = failure(expand, options, function);
            assert!(error.contains(says), "{options} {function}: {error}");
        }
    }
}
