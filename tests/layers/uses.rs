//! Resolves paths to the files that define what they name.

use crate::tree::{Crate, Import};
use std::collections::{BTreeMap, BTreeSet};

/// What a name stands for.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Target {
    Module(usize),
    /// An item of a module.
    Item(usize, String),
    /// A method of an item, which may be written in another file than the item.
    Method(usize, String, String),
    /// Something of another crate.
    External,
}

/// A name of one file in another one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Use {
    /// The file that names it.
    pub(crate) from: String,
    /// The file that defines it.
    pub(crate) to: String,
    pub(crate) name: String,
}

/// Everything that the files of a crate use of one another.
#[derive(Default)]
pub(crate) struct Uses {
    /// What counts as an edge between two files: re-exports of what stands below do not.
    pub(crate) edges: BTreeSet<Use>,
    /// Names of modules on the way to an item, with the file of the module that is named. The root
    /// is named where one of its re-exports is used.
    pub(crate) passed: BTreeSet<Use>,
    /// Paths into the crate that lead nowhere: these tests would overlook them.
    pub(crate) unresolved: BTreeSet<String>,
}

impl Uses {
    pub(crate) fn of(tree: &Crate) -> Self {
        let resolver = Resolver::new(tree);
        let mut uses = Self::default();
        for (at, module) in tree.modules.iter().enumerate() {
            for import in &module.imports {
                // What a module re-exports from below it, it does not use.
                let skip = |target| import.public && tree.is_below(target, at);
                uses.add(&resolver, at, at, &import.path, skip);
                if import.name.is_none() {
                    uses.add_glob(&resolver, at, &import.path, skip);
                }
            }
            for path in &module.paths {
                uses.add(&resolver, at, at, path, |_| false);
            }
            for path in &module.macros {
                // A macro is visible in the modules below the one that defines it, too.
                let mut scopes = std::iter::successors(Some(at), |at| tree.modules[*at].parent);
                let defines = |scope: &usize| {
                    !resolver.resolve(*scope, path, &mut Walk::default()).is_empty()
                };
                let scope = if path.len() == 1 { scopes.find(defines) } else { Some(at) };
                if let Some(scope) = scope {
                    uses.add(&resolver, at, scope, path, |_| false);
                }
            }
            for name in &module.calls {
                if let Some((home, file)) = resolver.unique.get(name.as_str()).copied().flatten() {
                    // From other files, the name might be that of a method of another crate.
                    if home == module.file {
                        uses.edge(home, file, format!(".{name}()"));
                    }
                }
            }
        }
        uses
    }

    /// Adds what a path in the module `at` names, as seen from the module `scope`.
    fn add(
        &mut self,
        resolver: &Resolver<'_>,
        at: usize,
        scope: usize,
        path: &[String],
        skip: impl Fn(usize) -> bool,
    ) {
        let tree = resolver.tree;
        let file = &tree.modules[at].file;
        let mut walk = Walk::default();
        let targets = resolver.resolve(scope, path, &mut walk);
        if targets.is_empty() && (is_local(path) || !walk.passed.is_empty()) {
            self.unresolved.insert(format!("{file}: {}", path.join("::")));
        }
        for module in walk.passed {
            self.pass(file, &tree.modules[module].file, path);
        }
        for target in targets {
            let (Target::Item(module, name) | Target::Method(module, name, _)) = &target else {
                continue;
            };
            if skip(*module) {
                continue;
            }
            self.edge(file, &tree.modules[*module].file, name.clone());
            if let Target::Method(_, _, method) = &target {
                let key = (*module, name.clone(), method.clone());
                for other in resolver.methods.get(&key).into_iter().flatten() {
                    self.edge(file, other, format!("{name}::{method}"));
                }
            }
        }
    }

    /// Adds an import of everything that a module has.
    fn add_glob(
        &mut self,
        resolver: &Resolver<'_>,
        at: usize,
        path: &[String],
        skip: impl Fn(usize) -> bool,
    ) {
        let tree = resolver.tree;
        let file = &tree.modules[at].file;
        for target in resolver.resolve(at, path, &mut Walk::default()) {
            if let Target::Module(module) = target {
                self.pass(file, &tree.modules[module].file, path);
                if !skip(module) {
                    self.edge(file, &tree.modules[module].file, format!("{}::*", path.join("::")));
                }
            }
        }
    }

    fn pass(&mut self, from: &str, to: &str, path: &[String]) {
        let name = path.join("::");
        self.passed.insert(Use { from: from.to_owned(), to: to.to_owned(), name });
    }

    fn edge(&mut self, from: &str, to: &str, name: String) {
        if from != to {
            self.edges.insert(Use { from: from.to_owned(), to: to.to_owned(), name });
        }
    }
}

/// What one resolution has seen.
#[derive(Default)]
struct Walk {
    /// Names that are being looked up, against imports that lead to themselves.
    active: BTreeSet<(usize, String)>,
    /// Modules that the path names.
    passed: BTreeSet<usize>,
    /// Inside of an import that the path leads through.
    in_import: bool,
}

struct Resolver<'a> {
    tree: &'a Crate,
    /// The files of inherent methods, by the module and the name of their type.
    methods: BTreeMap<(usize, String, String), BTreeSet<&'a str>>,
    /// Names of methods that are only defined in one file, for a type of another file: the name
    /// alone says which method it is. The file of the type comes first.
    unique: BTreeMap<&'a str, Option<(&'a str, &'a str)>>,
}

impl<'a> Resolver<'a> {
    fn new(tree: &'a Crate) -> Self {
        let mut resolver = Self { tree, methods: BTreeMap::new(), unique: BTreeMap::new() };
        let (mut methods, mut unique) = (BTreeMap::new(), BTreeMap::new());
        for (at, module) in tree.modules.iter().enumerate() {
            for method in &module.methods {
                let targets = match &method.of {
                    Some(of) => resolver.resolve(at, of, &mut Walk::default()),
                    None => BTreeSet::new(),
                };
                let owner = targets.into_iter().find_map(|target| match target {
                    Target::Item(module, name) => Some((module, name)),
                    _ => None,
                });
                let file = module.file.as_str();
                let here = owner
                    .as_ref()
                    .map(|(home, _)| (tree.modules[*home].file.as_str(), file))
                    .filter(|(home, file)| home != file);
                let known = unique.entry(method.name.as_str()).or_insert(here);
                if *known != here {
                    *known = None;
                }
                if let Some((home, name)) = owner {
                    let key = (home, name, method.name.clone());
                    methods.entry(key).or_insert_with(BTreeSet::new).insert(file);
                }
            }
        }
        (resolver.methods, resolver.unique) = (methods, unique);
        resolver
    }

    /// What a path in a module names; nothing for a path into another crate.
    fn resolve(&self, module: usize, path: &[String], walk: &mut Walk) -> BTreeSet<Target> {
        let modules = &self.tree.modules;
        let mut found = BTreeSet::from([Target::Module(module)]);
        for (at, segment) in path.iter().enumerate() {
            let mut next = BTreeSet::new();
            for target in found {
                match target {
                    Target::Module(_) if segment == "crate" => {
                        next.insert(Target::Module(0));
                    }
                    Target::Module(module) if segment == "self" => {
                        next.insert(Target::Module(module));
                    }
                    Target::Module(module) if segment == "super" => {
                        next.extend(modules[module].parent.map(Target::Module));
                    }
                    Target::Module(module) => {
                        let names = self.lookup(module, segment, walk);
                        let through_root = module == 0
                            && at > 0
                            && names.iter().any(|name| !matches!(name, Target::Module(_)));
                        if !walk.in_import {
                            walk.passed.extend(through_root.then_some(0));
                            walk.passed.extend(names.iter().filter_map(|name| match name {
                                Target::Module(module) => Some(*module),
                                _ => None,
                            }));
                        }
                        next.extend(names);
                    }
                    Target::Item(module, name) => {
                        next.insert(Target::Method(module, name, segment.clone()));
                    }
                    other @ (Target::Method(..) | Target::External) => {
                        next.insert(other);
                    }
                }
            }
            found = next;
        }
        found
    }

    /// What a name stands for in a module: an item, a child module, or an import.
    fn lookup(&self, at: usize, name: &str, walk: &mut Walk) -> BTreeSet<Target> {
        let mut found = BTreeSet::new();
        if !walk.active.insert((at, name.to_owned())) {
            return found;
        }
        let module = &self.tree.modules[at];
        if module.items.contains(name) {
            found.insert(Target::Item(at, name.to_owned()));
        }
        found.extend(module.children.get(name).copied().map(Target::Module));
        let outer = std::mem::replace(&mut walk.in_import, true);
        let named = |import: &&Import| import.name.as_deref() == Some(name);
        for import in module.imports.iter().filter(named) {
            let targets = self.resolve(at, &import.path, walk);
            if targets.is_empty() && !is_local(&import.path) {
                found.insert(Target::External);
            }
            found.extend(targets);
        }
        if found.is_empty() {
            for import in module.imports.iter().filter(|import| import.name.is_none()) {
                for target in self.resolve(at, &import.path, walk) {
                    if let Target::Module(module) = target {
                        found.extend(self.lookup(module, name, walk));
                    }
                }
            }
        }
        walk.in_import = outer;
        walk.active.remove(&(at, name.to_owned()));
        found
    }
}

/// Whether a path begins in this crate, by its first word.
fn is_local(path: &[String]) -> bool {
    path.first().is_some_and(|first| ["crate", "self", "super"].contains(&first.as_str()))
}
