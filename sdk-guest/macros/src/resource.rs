//! `#[resource]`: a function over the variables of a URI template becomes a family of resources; one
//! over a URI without variables becomes one resource.
//! Must not match URIs at run time; it checks that parameters and variables fit while compiling.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Error, ItemFn, LitStr, Result};

use crate::common::{self, Options, Parameter};
use crate::template::{self, Part};

pub(crate) fn expand(mut options: Options, function: &ItemFn) -> Result<TokenStream> {
    let ident = &function.sig.ident;
    let Some(text) = options.first.take() else {
        return Err(Error::new(
            ident.span(),
            "begin with the URI or template: `#[resource(\"notes:///{id}\")]`",
        ));
    };
    let name = options.text("name")?;
    let title = options.expression("title")?;
    let description = options.expression("description")?;
    let mime = options.expression("mime")?;
    let list = options.expression("list")?;
    let annotations = options.expression("annotations")?;
    let size = options.expression("size")?;
    let icons = options.list("icons")?;
    let meta = options.expression("meta")?;
    options.finish("resource")?;

    let parts = template::parse(&text.value()).map_err(|error| Error::new(text.span(), error))?;
    if !matches!(parts.first(), Some(Part::Literal(start)) if start.contains(':')) {
        return Err(Error::new(text.span(), "a URI begins with a scheme, as in `notes:///{id}`"));
    }
    let fixed = template::variables(&parts).next().is_none();
    if fixed && list.is_some() {
        return Err(Error::new(
            text.span(),
            "this URI has no variables and is listed as it is; leave `list` out",
        ));
    }
    if !fixed && size.is_some() {
        return Err(Error::new(
            text.span(),
            "`size` belongs to a single resource; give it in the entries of `list`",
        ));
    }
    let parameters = common::parameters(function)?;
    every_variable_has_a_parameter(&text, &parts, &parameters)?;

    let mut reads = Vec::new();
    for parameter in &parameters {
        if parameter.is_context() {
            reads.push(parameter.context());
            continue;
        }
        let variable = matching_variable(&text, &parts, parameter)?;
        let (name, ty) = (&variable.name, &parameter.ty);
        reads.push(if let Some(inner) = common::inside(ty, "Option") {
            quote_spanned!(ty.span()=> ::kennel_sdk::__private::resource::optional::<#inner>(&values, #name)?)
        } else if let Some(inner) = common::inside(ty, "Vec") {
            quote_spanned!(ty.span()=> ::kennel_sdk::__private::resource::list::<#inner>(&values, #name)?)
        } else {
            quote_spanned!(ty.span()=> ::kennel_sdk::__private::resource::single::<#ty>(&values, #name)?)
        });
    }
    let static_parts = parts.iter().map(|part| static_part(part, &parameters));

    let name =
        name.map_or_else(|| ident.to_string().trim_start_matches("r#").to_owned(), |name| name.value());
    let title = common::optional_text(title);
    let description = match (description, common::doc(&function.attrs)) {
        (Some(expression), _) => common::optional_text(Some(expression)),
        (None, text) => common::optional_text(text),
    };
    let mime_type = common::optional_text(mime.as_ref());
    let meta = common::optional_text(meta);
    let annotations = match annotations {
        Some(value) => quote!(::core::option::Option::Some(#value)),
        None => quote!(::core::option::Option::None),
    };
    let size = match size {
        Some(value) => quote!(::core::option::Option::Some(#value)),
        None => quote!(::core::option::Option::None),
    };
    let listed = match (&list, fixed) {
        (Some(list), _) => {
            quote_spanned!(list.span()=> ::kennel_sdk::__private::resource::listed(#list()))
        }
        (None, true) => quote!(::core::result::Result::Ok(::std::vec![::kennel_sdk::ResourceInfo {
            uri: ::std::string::String::from(#text),
            name: ::std::string::String::from(#name),
            title: #title,
            description: #description,
            mime_type: #mime_type,
            size: #size,
            annotations: #annotations,
            icons: ::std::vec![#(#icons),*],
            meta: #meta,
        }])),
        (None, false) => quote!(::core::result::Result::Ok(::std::vec::Vec::new())),
    };
    let described = if fixed {
        quote!(::core::option::Option::None)
    } else {
        quote!(::core::option::Option::Some(::kennel_sdk::__private::resource::ResourceTemplate {
            uri_template: ::std::string::String::from(#text),
            name: ::std::string::String::from(#name),
            title: #title,
            description: #description,
            mime_type: #mime_type,
            annotations: #annotations,
            icons: ::std::vec![#(#icons),*],
            meta: #meta,
        }))
    };
    let returned = common::return_type(function);
    let outcome = quote_spanned!(returned.span()=>
        ::kennel_sdk::IntoReadOutcome::into_read_outcome(#ident(#(#reads),*), &uri, #mime_type));
    let stand_in = common::stand_in(function);
    Ok(quote! {
        #stand_in
        #[automatically_derived]
        impl ::kennel_sdk::__private::resource::Resource for #ident {
            const TEMPLATE: ::kennel_sdk::__private::template::Template =
                ::kennel_sdk::__private::template::Template { text: #text, parts: &[#(#static_parts),*] };

            fn describe() -> ::core::option::Option<::kennel_sdk::__private::resource::ResourceTemplate> {
                #described
            }

            fn list() -> ::kennel_sdk::Result<::std::vec::Vec<::kennel_sdk::ResourceInfo>> {
                #listed
            }

            #[allow(unused_variables, clippy::redundant_clone, clippy::unit_arg)]
            fn read(
                call: ::kennel_sdk::__private::resource::ResourceCall,
                values: ::kennel_sdk::__private::template::Values,
            ) -> ::kennel_sdk::Result<::kennel_sdk::Outcome<::std::vec::Vec<::kennel_sdk::ResourceContents>>> {
                let uri = call.uri;
                let context = ::kennel_sdk::Context::new(call.resumption, call.meta);
                #outcome
            }
        }
    })
}

fn every_variable_has_a_parameter(text: &LitStr, parts: &[Part], parameters: &[Parameter]) -> Result<()> {
    for variable in template::variables(parts) {
        let has = parameters
            .iter()
            .any(|parameter| parameter.name.as_ref().is_some_and(|name| *name == variable.name));
        if !has {
            return Err(Error::new(
                text.span(),
                format!(
                    "the variable `{0}` needs a parameter: add `{0}: String` to the function",
                    variable.name
                ),
            ));
        }
    }
    Ok(())
}

fn matching_variable<'a>(
    text: &LitStr,
    parts: &'a [Part],
    parameter: &Parameter,
) -> Result<&'a template::Variable> {
    let name = parameter.name.as_ref().map(ToString::to_string).unwrap_or_default();
    template::variables(parts).find(|variable| variable.name == name).ok_or_else(|| {
        Error::new(
            parameter.ty.span(),
            format!(
                "`{}` has no variable `{name}`; a parameter is a variable of the template or a `Context`",
                text.value()
            ),
        )
    })
}

fn static_part(part: &Part, parameters: &[Parameter]) -> TokenStream {
    let (operator, variables) = match part {
        Part::Literal(text) => return quote!(::kennel_sdk::__private::template::Part::Literal(#text)),
        Part::Expression { operator, variables } => (operator, variables),
    };
    let operator = match operator {
        '+' => quote!(Reserved),
        '#' => quote!(Fragment),
        '.' => quote!(Label),
        '/' => quote!(Path),
        ';' => quote!(PathParameter),
        '?' => quote!(Query),
        '&' => quote!(QueryContinuation),
        _ => quote!(Simple),
    };
    let variables = variables.iter().map(|variable| {
        let (name, explode) = (&variable.name, variable.explode);
        // A variable may be missing only where the function can say so.
        let optional = parameters.iter().any(|parameter| {
            parameter.name.as_ref().is_some_and(|ident| ident == name)
                && matches!(common::last_segment(&parameter.ty).as_deref(), Some("Option" | "Vec"))
        });
        quote!(::kennel_sdk::__private::template::Variable { name: #name, explode: #explode, optional: #optional })
    });
    quote!(::kennel_sdk::__private::template::Part::Expression {
        operator: ::kennel_sdk::__private::template::Operator::#operator,
        variables: &[#(#variables),*],
    })
}

#[cfg(test)]
mod tests {
    use super::expand;
    use crate::common::failure;

    #[test]
    fn mistakes_say_what_to_write() {
        for (options, function, says) in [
            ("", "fn f() {}", "begin with the URI or template"),
            ("\"notes/{id}\"", "fn f(id: String) {}", "begins with a scheme"),
            ("\"n:///{id}\"", "fn f() {}", "add `id: String` to the function"),
            ("\"n:///{id}\"", "fn f(id: String, other: u8) {}", "has no variable `other`"),
            ("\"n:///{id\"", "fn f() {}", "without its `}`"),
            ("\"n:///x\", list = l", "fn f() {}", "leave `list` out"),
            ("\"n:///{id}\", size = 3", "fn f(id: String) {}", "belongs to a single resource"),
            ("\"n:///x\", mim = \"m\"", "fn f() {}", "#[resource] has no option `mim`"),
        ] {
            let error = failure(expand, options, function);
            assert!(error.contains(says), "{options} {function}: {error}");
        }
    }
}
