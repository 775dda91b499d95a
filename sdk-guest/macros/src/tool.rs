//! `#[tool]`: a function over a struct of arguments becomes a tool.
//! The name comes from the function, the description from its doc comment, the schemas from its
//! types; options override each of them.
//! Must not build JSON Schema: that is `kennel_sdk::schema`'s job, at the time of listing.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Error, Expr, ItemFn, Result};

use crate::common::{self, Options};

pub(crate) fn expand(mut options: Options, function: &ItemFn) -> Result<TokenStream> {
    options.no_first("tool")?;
    let ident = &function.sig.ident;
    let name = options.text("name")?;
    let title = options.expression("title")?;
    let description = options.expression("description")?;
    let read_only = options.switch("read_only");
    let destructive = options.switch("destructive");
    let idempotent = options.switch("idempotent");
    let open_world = options.switch("open_world");
    let task = options.text("task")?;
    let input_schema = options.expression("input_schema")?;
    let output_schema = options.expression("output_schema")?;
    let output = options.type_named("output")?;
    let icons = options.list("icons")?;
    let meta = options.expression("meta")?;
    options.finish("tool")?;

    let (name, name_span) = match &name {
        Some(name) => (name.value(), name.span()),
        None => (ident.to_string().trim_start_matches("r#").to_owned(), ident.span()),
    };
    common::checked_name(&name, name_span)?;

    let description = match (description, common::doc(&function.attrs)) {
        (Some(expression), _) => quote!(::std::string::ToString::to_string(&#expression)),
        (None, Some(text)) => quote!(::std::string::String::from(#text)),
        (None, None) => {
            return Err(Error::new(
                ident.span(),
                format!("say what `{name}` does in a doc comment above it: the model chooses tools by it"),
            ));
        }
    };

    let (arguments, passed) = common::arguments_and_context(function)?;
    let input = match (&input_schema, &arguments) {
        (Some(schema), _) => quote!(::std::string::ToString::to_string(&#schema)),
        (None, Some(ty)) => {
            quote_spanned!(ty.span()=> ::kennel_sdk::__private::schema::arguments::<#ty>(#name)?)
        }
        (None, None) => quote!(::kennel_sdk::__private::schema::no_arguments()),
    };
    let returned = common::return_type(function);
    let output = match (output_schema, output) {
        (Some(_), Some(ty)) => {
            return Err(Error::new(ty.span(), "give either `output = Type` or `output_schema = …`"));
        }
        (Some(schema), None) => {
            quote!(::core::option::Option::Some(::std::string::ToString::to_string(&#schema)))
        }
        (None, Some(ty)) => quote_spanned!(ty.span()=>
            ::core::option::Option::Some(::kennel_sdk::__private::schema::output::<#ty>(#name)?)),
        (None, None) => quote_spanned!(returned.span()=>
            <#returned as ::kennel_sdk::IntoToolOutcome>::output_schema(#name)?),
    };
    let parse = arguments.as_ref().map(|ty| {
        quote_spanned!(ty.span()=>
            let arguments: #ty = ::kennel_sdk::__private::tool::parse_arguments(&call.arguments)?;)
    });
    let outcome = quote_spanned!(returned.span()=>
        ::kennel_sdk::IntoToolOutcome::into_tool_outcome(#ident(#(#passed),*)));

    let hint = |value: &Option<Expr>| match value {
        Some(value) => quote!(::core::option::Option::Some(#value)),
        None => quote!(::core::option::Option::None),
    };
    let annotations =
        if [&read_only, &destructive, &idempotent, &open_world].iter().all(|hint| hint.is_none()) {
            quote!(::core::option::Option::None)
        } else {
            let (read_only, destructive) = (hint(&read_only), hint(&destructive));
            let (idempotent, open_world) = (hint(&idempotent), hint(&open_world));
            quote!(::core::option::Option::Some(::kennel_sdk::__private::tool::ToolAnnotations {
                read_only: #read_only,
                destructive: #destructive,
                idempotent: #idempotent,
                open_world: #open_world,
            }))
        };
    let task = match &task {
        None => quote!(Forbidden),
        Some(text) => match text.value().as_str() {
            "forbidden" => quote!(Forbidden),
            "optional" => quote!(Optional),
            "required" => quote!(Required),
            other => {
                return Err(Error::new(
                    text.span(),
                    format!("`task` is \"forbidden\", \"optional\" or \"required\", not \"{other}\""),
                ));
            }
        },
    };
    let title = common::optional_text(title);
    let meta = common::optional_text(meta);
    let stand_in = common::stand_in(function);
    Ok(quote! {
        #stand_in
        #[automatically_derived]
        impl ::kennel_sdk::__private::tool::Tool for #ident {
            const NAME: &'static str = #name;

            fn describe() -> ::kennel_sdk::Result<::kennel_sdk::__private::tool::ToolInfo> {
                ::core::result::Result::Ok(::kennel_sdk::__private::tool::ToolInfo {
                    name: ::std::string::String::from(#name),
                    title: #title,
                    description: #description,
                    input_schema: #input,
                    output_schema: #output,
                    annotations: #annotations,
                    icons: ::std::vec![#(#icons),*],
                    task_support: ::kennel_sdk::__private::tool::TaskSupport::#task,
                    meta: #meta,
                })
            }

            #[allow(unused_variables, clippy::redundant_clone, clippy::unit_arg)]
            fn call(
                call: ::kennel_sdk::__private::tool::ToolCall,
            ) -> ::kennel_sdk::Result<::kennel_sdk::Outcome<::kennel_sdk::ToolResult>> {
                #parse
                let context = ::kennel_sdk::Context::new(call.resumption, call.meta);
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
            ("", "fn f() {}", "say what `f` does in a doc comment"),
            ("nam = \"x\"", "/// D\nfn f() {}", "#[tool] has no option `nam`; it has `name`, `title`"),
            ("name = \"a b\"", "/// D\nfn f() {}", "`a b` cannot be a name"),
            ("name = x", "/// D\nfn f() {}", "`name` is a string"),
            ("title", "/// D\nfn f() {}", "write `title = …`"),
            ("read_only, read_only", "/// D\nfn f() {}", "`read_only` is given twice"),
            ("\"x\"", "/// D\nfn f() {}", "write which option this is"),
            ("task = \"maybe\"", "/// D\nfn f() {}", "not \"maybe\""),
            ("output = T, output_schema = S", "/// D\nfn f() {}", "give either"),
            ("icons = x", "/// D\nfn f() {}", "`icons` is a list"),
            ("", "/// D\nfn f(a: A, b: B) {}", "put all arguments into one struct"),
            ("", "/// D\nfn f(a: &A) {}", "take the arguments by value"),
            ("", "/// D\nfn f(a: Context, b: &Context) {}", "one `Context` is enough"),
            ("", "/// D\nfn f(&self) {}", "write a free function"),
            ("", "/// D\nasync fn f() {}", "write a plain `fn`"),
            ("", "/// D\nfn f<T>(a: T) {}", "cannot be generic"),
        ] {
            let error = failure(expand, options, function);
            assert!(error.contains(says), "{options} {function}: {error}");
        }
    }
}
