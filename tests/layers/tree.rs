//! The modules of a crate: what each one defines, imports and names.

use std::collections::{BTreeMap, BTreeSet};
use syn::Ident;
use syn::ext::IdentExt;

/// The texts of source files by their paths, such as `umem/mod.rs`.
pub(crate) type Files = BTreeMap<String, String>;

/// A path as it is written: `crate::umem::Frame` has three segments.
pub(crate) type Path = Vec<String>;

/// The modules of a crate; the first one is its root.
#[derive(Default)]
pub(crate) struct Crate {
    pub(crate) modules: Vec<Module>,
    /// Names that each macro of the crate defines where it is called.
    pub(crate) definitions: BTreeMap<String, BTreeSet<String>>,
}

/// A module. An inline `mod x { }` shares the file of the module around it.
pub(crate) struct Module {
    pub(crate) file: String,
    pub(crate) parent: Option<usize>,
    pub(crate) children: BTreeMap<String, usize>,
    /// Names that are defined here, child modules not among them.
    pub(crate) items: BTreeSet<String>,
    pub(crate) imports: Vec<Import>,
    /// Paths in code, also those with a single segment.
    pub(crate) paths: BTreeSet<Path>,
    /// Macros that are called.
    pub(crate) macros: BTreeSet<Path>,
    /// Methods that are called: `x.name()`.
    pub(crate) calls: BTreeSet<String>,
    /// Functions of `impl` blocks, and of traits.
    pub(crate) methods: Vec<Method>,
    /// Macros that are called where items stand.
    pub(crate) expansions: BTreeSet<String>,
    /// The directory of child modules that have a file.
    pub(crate) directory: String,
}

/// An import or a re-export: one name of a `use` declaration.
pub(crate) struct Import {
    pub(crate) path: Path,
    /// The name in this module; `None` for `*`.
    pub(crate) name: Option<String>,
    /// Whether other modules can import it from here.
    pub(crate) public: bool,
}

/// A function of an `impl` block or of a trait.
pub(crate) struct Method {
    pub(crate) name: String,
    /// The type of an inherent `impl`; `None` for a trait, or for the implementation of one.
    pub(crate) of: Option<Path>,
}

impl Crate {
    /// The files that belong to the crate.
    pub(crate) fn files(&self) -> BTreeSet<&str> {
        self.modules.iter().map(|module| module.file.as_str()).collect()
    }

    /// Whether a module is inside of another one.
    pub(crate) fn is_below(&self, module: usize, other: usize) -> bool {
        let mut parent = self.modules[module].parent;
        while let Some(at) = parent {
            if at == other {
                return true;
            }
            parent = self.modules[at].parent;
        }
        false
    }

    /// Adds a module that has nothing in it yet.
    pub(crate) fn add_module(
        &mut self,
        file: String,
        parent: Option<usize>,
        directory: String,
    ) -> usize {
        self.modules.push(Module {
            file,
            parent,
            directory,
            children: BTreeMap::new(),
            items: BTreeSet::new(),
            imports: Vec::new(),
            paths: BTreeSet::new(),
            macros: BTreeSet::new(),
            calls: BTreeSet::new(),
            methods: Vec::new(),
            expansions: BTreeSet::new(),
        });
        self.modules.len() - 1
    }
}

/// A file of unit tests, by the name of its module.
pub(crate) fn is_test_file(module: &str) -> bool {
    module == "tests" || module.ends_with("_tests")
}

/// A name without `r#`.
pub(crate) fn plain(name: &Ident) -> String {
    name.unraw().to_string()
}

/// A path below a directory; the directory of the root has no name.
pub(crate) fn join(directory: &str, name: &str) -> String {
    if directory.is_empty() { name.to_owned() } else { format!("{directory}/{name}") }
}
