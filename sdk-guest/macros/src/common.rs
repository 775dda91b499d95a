//! What the attribute macros share: reading `name = value` options, doc comments and parameters.
//! Every mistake becomes an error at the words that caused it, saying what to write instead.
//! Must not know what any single macro generates.

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, quote};
use syn::ext::IdentExt;
use syn::parse::{Parse, ParseStream, Parser};
use syn::punctuated::Punctuated;
use syn::spanned::Spanned;
use syn::{
    Attribute, Error, Expr, ExprLit, FnArg, Ident, ItemFn, Lit, LitStr, Meta, Pat, Result, Token, Type,
};

/// Runs an attribute macro; a mistake keeps the function in place, so that it alone is reported.
pub(crate) fn attribute(
    options: proc_macro::TokenStream,
    item: proc_macro::TokenStream,
    expand: fn(Options, &ItemFn) -> Result<TokenStream>,
) -> proc_macro::TokenStream {
    let item = TokenStream::from(item);
    let expanded = syn::parse2::<ItemFn>(item.clone())
        .map_err(|error| Error::new(error.span(), format!("this attribute goes on a function: {error}")))
        .and_then(|function| {
            plain(&function)?;
            let options = Options::parse_list.parse2(options.into())?;
            let made = expand(options, &function)?;
            // What a call brings is the function's own: taking it by value is right, and so is a `Result` that
            // a later version may need.
            Ok(quote!(#[allow(clippy::needless_pass_by_value, clippy::unnecessary_wraps)] #function #made))
        });
    match expanded {
        Ok(tokens) => tokens.into(),
        Err(error) => {
            let error = error.into_compile_error();
            quote!(#item #error).into()
        }
    }
}

fn plain(function: &ItemFn) -> Result<()> {
    let signature = &function.sig;
    if let Some(token) = &signature.asyncness {
        return Err(Error::new(
            token.span(),
            "write a plain `fn`: a call runs in an instance of its own and may block",
        ));
    }
    if !signature.generics.params.is_empty() {
        return Err(Error::new(
            signature.generics.span(),
            "this function cannot be generic: the host calls it by name",
        ));
    }
    Ok(())
}

/// The options of an attribute, in the order written. Each is taken out by the macro that knows it;
/// what is left over is an error.
pub(crate) struct Options {
    entries: Vec<(Ident, Option<Expr>)>,
    /// The unnamed string that comes first, as in `#[resource("notes:///{id}")]`.
    pub(crate) first: Option<LitStr>,
    known: Vec<&'static str>,
}

struct Entry(Ident, Option<Expr>);

impl Parse for Entry {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let name = input.call(Ident::parse_any)?;
        if input.peek(Token![=]) {
            input.parse::<Token![=]>()?;
            return Ok(Self(name, Some(input.parse()?)));
        }
        Ok(Self(name, None))
    }
}

impl Options {
    fn parse_list(input: ParseStream<'_>) -> Result<Self> {
        let first = if input.peek(LitStr) {
            let text = input.parse()?;
            if !input.is_empty() {
                input.parse::<Token![,]>()?;
            }
            Some(text)
        } else {
            None
        };
        let mut entries: Vec<(Ident, Option<Expr>)> = Vec::new();
        for Entry(name, value) in Punctuated::<Entry, Token![,]>::parse_terminated(input)? {
            if entries.iter().any(|(other, _)| *other == name) {
                return Err(Error::new(name.span(), format!("`{name}` is given twice")));
            }
            entries.push((name, value));
        }
        Ok(Self { entries, first, known: Vec::new() })
    }

    fn take(&mut self, name: &'static str) -> Option<(Ident, Option<Expr>)> {
        self.known.push(name);
        let place = self.entries.iter().position(|(other, _)| other == name)?;
        Some(self.entries.remove(place))
    }

    /// An option with a value.
    pub(crate) fn expression(&mut self, name: &'static str) -> Result<Option<Expr>> {
        match self.take(name) {
            None => Ok(None),
            Some((_, Some(value))) => Ok(Some(value)),
            Some((ident, None)) => Err(Error::new(ident.span(), format!("write `{name} = …`"))),
        }
    }

    /// An option whose value is a string literal, for what must be known while compiling.
    pub(crate) fn text(&mut self, name: &'static str) -> Result<Option<LitStr>> {
        match self.expression(name)? {
            None => Ok(None),
            Some(Expr::Lit(ExprLit { lit: Lit::Str(text), .. })) => Ok(Some(text)),
            Some(other) => Err(Error::new(other.span(), format!("`{name}` is a string: `{name} = \"…\"`"))),
        }
    }

    /// An option that is a type.
    pub(crate) fn type_named(&mut self, name: &'static str) -> Result<Option<Type>> {
        self.expression(name)?.map(|value| syn::parse2(value.into_token_stream())).transpose()
    }

    /// A switch: `name` alone is true.
    pub(crate) fn switch(&mut self, name: &'static str) -> Option<Expr> {
        self.take(name).map(|(ident, value)| {
            value.unwrap_or_else(|| {
                Expr::Lit(ExprLit {
                    attrs: Vec::new(),
                    lit: Lit::Bool(syn::LitBool::new(true, ident.span())),
                })
            })
        })
    }

    /// A list in brackets; empty when it is not given.
    pub(crate) fn list(&mut self, name: &'static str) -> Result<Vec<Expr>> {
        match self.expression(name)? {
            None => Ok(Vec::new()),
            Some(Expr::Array(array)) => Ok(array.elems.into_iter().collect()),
            Some(other) => Err(Error::new(other.span(), format!("`{name}` is a list: `{name} = […]`"))),
        }
    }

    /// Fails on an option that nobody took.
    pub(crate) fn finish(&self, attribute: &str) -> Result<()> {
        let Some((name, _)) = self.entries.first() else { return Ok(()) };
        let known = self.known.iter().map(|known| format!("`{known}`")).collect::<Vec<_>>().join(", ");
        Err(Error::new(name.span(), format!("#[{attribute}] has no option `{name}`; it has {known}")))
    }

    /// Fails when an unnamed string was given to an attribute that wants none.
    pub(crate) fn no_first(&self, attribute: &str) -> Result<()> {
        match &self.first {
            None => Ok(()),
            Some(text) => Err(Error::new(
                text.span(),
                format!("write which option this is, such as `#[{attribute}(name = …)]`"),
            )),
        }
    }
}

/// The text of a doc comment: one leading blank off each line, paragraphs and line breaks kept.
pub(crate) fn doc(attributes: &[Attribute]) -> Option<String> {
    let mut lines = Vec::new();
    for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident("doc")) {
        if let Meta::NameValue(pair) = &attribute.meta
            && let Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) = &pair.value
        {
            lines.extend(
                text.value()
                    .split('\n')
                    .map(|line| line.strip_prefix(' ').unwrap_or(line).trim_end().to_owned()),
            );
        }
    }
    let text = lines.join("\n").trim().to_owned();
    (!text.is_empty()).then_some(text)
}

/// One parameter of an annotated function.
pub(crate) struct Parameter {
    pub(crate) name: Option<Ident>,
    pub(crate) ty: Type,
}

impl Parameter {
    /// Whether this is the call's context, by value or by reference.
    pub(crate) fn is_context(&self) -> bool {
        last_segment(dereferenced(&self.ty)).is_some_and(|name| name == "Context")
    }

    /// The context as this parameter wants it, out of a variable `context`.
    pub(crate) fn context(&self) -> TokenStream {
        match &self.ty {
            Type::Reference(_) => quote!(&context),
            _ => quote!(::core::clone::Clone::clone(&context)),
        }
    }
}

/// The parameters of a function.
pub(crate) fn parameters(function: &ItemFn) -> Result<Vec<Parameter>> {
    function
        .sig
        .inputs
        .iter()
        .map(|input| match input {
            FnArg::Receiver(this) => {
                Err(Error::new(this.span(), "write a free function: there is no `self` in a call"))
            }
            FnArg::Typed(typed) => Ok(Parameter {
                name: match &*typed.pat {
                    Pat::Ident(ident) => Some(ident.ident.clone()),
                    _ => None,
                },
                ty: (*typed.ty).clone(),
            }),
        })
        .collect()
}

/// The parameters of a tool or a prompt: at most one for the arguments and one for the context.
pub(crate) fn arguments_and_context(function: &ItemFn) -> Result<(Option<Type>, Vec<TokenStream>)> {
    let mut arguments = None;
    let mut passed = Vec::new();
    let mut context = false;
    for parameter in parameters(function)? {
        if parameter.is_context() {
            if context {
                return Err(Error::new(parameter.ty.span(), "one `Context` is enough"));
            }
            context = true;
            passed.push(parameter.context());
        } else if arguments.is_none() {
            if matches!(parameter.ty, Type::Reference(_)) {
                return Err(Error::new(
                    parameter.ty.span(),
                    "take the arguments by value: `args: MyArguments`",
                ));
            }
            arguments = Some(parameter.ty);
            passed.push(quote!(arguments));
        } else {
            return Err(Error::new(
                parameter.ty.span(),
                "put all arguments into one struct that derives `Deserialize` and `JsonSchema`, \
                 and take that as the only parameter beside `Context`",
            ));
        }
    }
    Ok((arguments, passed))
}

/// The type that a function returns.
pub(crate) fn return_type(function: &ItemFn) -> Type {
    match &function.sig.output {
        syn::ReturnType::Default => syn::parse_quote!(()),
        syn::ReturnType::Type(_, ty) => (**ty).clone(),
    }
}

/// `T` out of `&T`, or the type itself.
pub(crate) fn dereferenced(ty: &Type) -> &Type {
    match ty {
        Type::Reference(reference) => &reference.elem,
        other => other,
    }
}

/// The last name of a path type.
pub(crate) fn last_segment(ty: &Type) -> Option<String> {
    match ty {
        Type::Path(path) => path.path.segments.last().map(|segment| segment.ident.to_string()),
        _ => None,
    }
}

/// `T` out of `Outer<T>`, going by the outer type's last name.
pub(crate) fn inside<'a>(ty: &'a Type, outer: &str) -> Option<&'a Type> {
    let Type::Path(path) = ty else { return None };
    let segment = path.path.segments.last()?;
    if segment.ident != outer {
        return None;
    }
    let syn::PathArguments::AngleBracketed(generics) = &segment.arguments else { return None };
    match generics.args.first()? {
        syn::GenericArgument::Type(inner) => Some(inner),
        _ => None,
    }
}

/// Checks a name of a tool or prompt where it is known while compiling.
pub(crate) fn checked_name(name: &str, span: Span) -> Result<()> {
    let fits = (1..=64).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-');
    if fits {
        return Ok(());
    }
    Err(Error::new(span, format!("`{name}` cannot be a name: use 1 to 64 of a-z, A-Z, 0-9, `_` and `-`")))
}

/// `Some(text)` or `None` as an `Option<String>`.
pub(crate) fn optional_text(value: Option<impl ToTokens>) -> TokenStream {
    match value {
        Some(value) => quote!(::core::option::Option::Some(::std::string::ToString::to_string(&#value))),
        None => quote!(::core::option::Option::None),
    }
}

/// The type that stands for an annotated function: its namesake in the type namespace, so that it
/// travels with the function through `use` and paths.
pub(crate) fn stand_in(function: &ItemFn) -> TokenStream {
    let visibility = &function.vis;
    let name = &function.sig.ident;
    quote! {
        #[doc(hidden)]
        #[allow(non_camel_case_types, missing_docs, unreachable_pub, clippy::empty_structs_with_brackets)]
        #visibility struct #name {}
    }
}

/// The message with which an expansion fails; for tests.
#[cfg(test)]
pub(crate) fn failure(
    expand: fn(Options, &ItemFn) -> Result<TokenStream>,
    options: &str,
    function: &str,
) -> String {
    let run = || {
        let function: ItemFn = syn::parse_str(function)?;
        plain(&function)?;
        expand(Options::parse_list.parse_str(options)?, &function)
    };
    match run() {
        Ok(made) => format!("expanded to {made}"),
        Err(error) => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    #[test]
    fn paragraphs_of_a_doc_comment_are_kept() {
        let function: ItemFn = syn::parse_str("/// One.\n///\n/// Two\n///   indented.\nfn f() {}").unwrap();
        assert_eq!(doc(&function.attrs).unwrap(), "One.\n\nTwo\n  indented.");
        let function: ItemFn = syn::parse_str("#[doc = \"\"] fn f() {}").unwrap();
        assert_eq!(doc(&function.attrs), None);
    }
}
