//! Which items are compiled for tests only, by their `#[cfg]`.

use syn::Attribute;

/// Whether an item with these attributes is compiled only for tests.
pub(crate) fn is_for_tests(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("cfg")
            && attribute.parse_args().is_ok_and(|condition| holds(&condition) == Some(false))
    })
}

/// The value of a `cfg` condition outside of tests; `None` if it depends on other things.
fn holds(condition: &syn::Meta) -> Option<bool> {
    let path = condition.path();
    let syn::Meta::List(list) = condition else {
        return (path.is_ident("test") || path.is_ident("doctest")).then_some(false);
    };
    let parser = syn::punctuated::Punctuated::<syn::Meta, syn::Token![,]>::parse_terminated;
    let parts = list.parse_args_with(parser).ok()?;
    let values: Vec<_> = parts.iter().map(holds).collect();
    if path.is_ident("not") {
        values.first()?.map(|value| !value)
    } else {
        // `all` is false as soon as one part is; `any` is true as soon as one part is.
        let decides = path.is_ident("any");
        if values.contains(&Some(decides)) {
            Some(decides)
        } else if values.contains(&None) {
            None
        } else {
            Some(!decides)
        }
    }
}
