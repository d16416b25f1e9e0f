//! Reads the files of a crate into a tree of modules.

use crate::conditions::is_for_tests;
use crate::tokens;
use crate::tree::{Crate, Files, Import, Method, Module, Path, is_test_file, join, plain};
use std::collections::BTreeSet;
use syn::visit::{self, Visit};
use syn::{Attribute, Expr, Ident, ImplItem, Item, Macro, UseTree, Visibility};

/// Reads the crate whose root is the file `root`. Panics at a file that is missing or cannot be
/// parsed, and at a `#[path]`, which would hide where a module is.
pub(crate) fn read(files: &Files, root: &str) -> Crate {
    let mut tree = Crate::default();
    read_file(&mut tree, files, root.to_owned(), None);
    for module in &mut tree.modules {
        for name in &module.expansions {
            module.items.extend(tree.definitions.get(name).into_iter().flatten().cloned());
        }
    }
    tree
}

/// Adds the module of a file, and those below it.
fn read_file(tree: &mut Crate, files: &Files, file: String, parent: Option<usize>) -> usize {
    let text = files.get(&file).unwrap_or_else(|| panic!("there is no file {file}"));
    let parsed = syn::parse_file(text).unwrap_or_else(|error| panic!("{file}: {error}"));
    let (directory, name) = file.rsplit_once('/').unwrap_or(("", &file));
    let stem = name.strip_suffix(".rs").unwrap();
    let directory = match stem {
        "lib" | "main" | "mod" => directory.to_owned(),
        _ => join(directory, stem),
    };
    let module = tree.add_module(file, parent, directory);
    Reader { tree, files, module, in_body: false, self_type: None }.visit_file(&parsed);
    module
}

/// Reads the syntax tree of one module.
struct Reader<'a> {
    tree: &'a mut Crate,
    files: &'a Files,
    module: usize,
    /// Inside a function: items defined there are no names of the module.
    in_body: bool,
    /// What `Self` is.
    self_type: Option<Path>,
}

impl Reader<'_> {
    fn here(&mut self) -> &mut Module {
        &mut self.tree.modules[self.module]
    }

    fn define(&mut self, name: &Ident) {
        if !self.in_body {
            self.here().items.insert(plain(name));
        }
    }

    fn child(&mut self, item: &syn::ItemMod) {
        assert!(
            !item.attrs.iter().any(|attribute| attribute.path().is_ident("path")),
            "{}: mod {} has a #[path]",
            self.here().file,
            item.ident
        );
        let name = plain(&item.ident);
        let directory = self.here().directory.clone();
        if let Some((_, items)) = &item.content {
            // Modules for different machines may have one name.
            let known = self.here().children.get(&name).copied();
            let module = known.unwrap_or_else(|| {
                let file = self.here().file.clone();
                self.tree.add_module(file, Some(self.module), join(&directory, &name))
            });
            self.here().children.insert(name, module);
            let outer = std::mem::replace(&mut self.module, module);
            items.iter().for_each(|item| self.visit_item(item));
            self.module = outer;
        } else if !is_test_file(&name) {
            let file = join(&directory, &format!("{name}.rs"));
            let file = if self.files.contains_key(&file) {
                file
            } else {
                join(&directory, &format!("{name}/mod.rs"))
            };
            let module = read_file(self.tree, self.files, file, Some(self.module));
            self.here().children.insert(name, module);
        }
    }

    fn import(&mut self, tree: &UseTree, prefix: &[String], public: bool) {
        let with = |ident: &Ident| {
            let mut path = prefix.to_vec();
            if ident != "self" || path.is_empty() {
                path.push(plain(ident));
            }
            path
        };
        let (path, name) = match tree {
            UseTree::Path(path) => return self.import(&path.tree, &with(&path.ident), public),
            UseTree::Group(group) => {
                return group.items.iter().for_each(|tree| self.import(tree, prefix, public));
            }
            UseTree::Name(name) => (with(&name.ident), with(&name.ident).pop()),
            UseTree::Rename(rename) => (with(&rename.ident), Some(plain(&rename.rename))),
            UseTree::Glob(_) => (prefix.to_vec(), None),
        };
        self.here().imports.push(Import { path, name, public });
    }

    fn path(&mut self, mut path: Path) {
        if let (Some("Self"), Some(of)) = (path.first().map(String::as_str), &self.self_type) {
            path.splice(..1, of.iter().cloned());
        }
        self.here().paths.insert(path);
    }

    /// Adds what the tokens of a macro name, and returns what they define.
    fn tokens(&mut self, mac: &Macro) -> BTreeSet<String> {
        let found = tokens::read(mac);
        found.paths.into_iter().for_each(|path| self.path(path));
        self.here().calls.extend(found.calls);
        found.definitions
    }

    /// Reads a macro that is defined or called where items stand.
    fn item_macro(&mut self, item: &syn::ItemMacro) {
        let defined = self.tokens(&item.mac);
        if let Some(name) = &item.ident {
            self.here().items.insert(plain(name));
            self.tree.definitions.entry(plain(name)).or_default().extend(defined);
            return;
        }
        let name = segments(&item.mac.path);
        self.here().expansions.extend(name.last().cloned());
        self.here().macros.insert(name);
        if !self.in_body {
            self.here().items.extend(defined);
        }
    }
}

impl<'ast> Visit<'ast> for Reader<'_> {
    fn visit_item(&mut self, item: &'ast Item) {
        if is_for_tests(attributes(item)) {
            return;
        }
        match item {
            Item::Const(item) => self.define(&item.ident),
            Item::Enum(item) => self.define(&item.ident),
            Item::Fn(item) => self.define(&item.sig.ident),
            Item::Static(item) => self.define(&item.ident),
            Item::Struct(item) => self.define(&item.ident),
            Item::Trait(item) => self.define(&item.ident),
            Item::TraitAlias(item) => self.define(&item.ident),
            Item::Type(item) => self.define(&item.ident),
            Item::Union(item) => self.define(&item.ident),
            Item::Mod(item) => return self.child(item),
            Item::Use(item) => {
                if item.leading_colon.is_none() {
                    let public = !matches!(item.vis, Visibility::Inherited);
                    self.import(&item.tree, &[], public);
                }
                return;
            }
            Item::Macro(item) => return self.item_macro(item),
            _ => {}
        }
        visit::visit_item(self, item);
    }

    fn visit_item_impl(&mut self, item: &'ast syn::ItemImpl) {
        let of = match &*item.self_ty {
            syn::Type::Path(ty) if ty.qself.is_none() => Some(segments(&ty.path)),
            _ => None,
        };
        for inner in &item.items {
            if let ImplItem::Fn(function) = inner {
                if !is_for_tests(&function.attrs) {
                    let of = if item.trait_.is_some() { None } else { of.clone() };
                    self.here().methods.push(Method { name: plain(&function.sig.ident), of });
                }
            }
        }
        let outer = std::mem::replace(&mut self.self_type, of);
        visit::visit_item_impl(self, item);
        self.self_type = outer;
    }

    fn visit_impl_item(&mut self, item: &'ast ImplItem) {
        let attributes = match item {
            ImplItem::Const(item) => &item.attrs,
            ImplItem::Fn(item) => &item.attrs,
            ImplItem::Type(item) => &item.attrs,
            ImplItem::Macro(item) => &item.attrs,
            _ => &Vec::new(),
        };
        if !is_for_tests(attributes) {
            visit::visit_impl_item(self, item);
        }
    }

    fn visit_trait_item_fn(&mut self, item: &'ast syn::TraitItemFn) {
        self.here().methods.push(Method { name: plain(&item.sig.ident), of: None });
        visit::visit_trait_item_fn(self, item);
    }

    fn visit_field(&mut self, field: &'ast syn::Field) {
        if !is_for_tests(&field.attrs) {
            visit::visit_field(self, field);
        }
    }

    fn visit_local(&mut self, local: &'ast syn::Local) {
        if !is_for_tests(&local.attrs) {
            visit::visit_local(self, local);
        }
    }

    fn visit_block(&mut self, block: &'ast syn::Block) {
        let outer = std::mem::replace(&mut self.in_body, true);
        visit::visit_block(self, block);
        self.in_body = outer;
    }

    fn visit_expr(&mut self, expression: &'ast Expr) {
        let attributes = match expression {
            Expr::Block(expression) => &expression.attrs,
            Expr::Call(expression) => &expression.attrs,
            Expr::If(expression) => &expression.attrs,
            Expr::Macro(expression) => &expression.attrs,
            Expr::MethodCall(expression) => &expression.attrs,
            Expr::Unsafe(expression) => &expression.attrs,
            _ => &Vec::new(),
        };
        if !is_for_tests(attributes) {
            visit::visit_expr(self, expression);
        }
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        if path.leading_colon.is_none() {
            self.path(segments(path));
        }
        visit::visit_path(self, path);
    }

    fn visit_expr_method_call(&mut self, call: &'ast syn::ExprMethodCall) {
        self.here().calls.insert(plain(&call.method));
        visit::visit_expr_method_call(self, call);
    }

    fn visit_macro(&mut self, mac: &'ast Macro) {
        self.here().macros.insert(segments(&mac.path));
        self.tokens(mac);
    }

    // What an attribute or a visibility names is no use of it.
    fn visit_attribute(&mut self, _: &'ast Attribute) {}
    fn visit_visibility(&mut self, _: &'ast Visibility) {}
}

fn attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(item) => &item.attrs,
        Item::Enum(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Macro(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Static(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Trait(item) => &item.attrs,
        Item::Type(item) => &item.attrs,
        Item::Union(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        _ => &[],
    }
}

fn segments(path: &syn::Path) -> Path {
    path.segments.iter().map(|segment| plain(&segment.ident)).collect()
}
