//! Finds circles among the files of a crate.

use crate::uses::Use;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt;

/// Files that use one another in a circle, the first one in alphabetical order at the beginning.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Circle {
    files: Vec<String>,
    /// The names that cause the step from each file to the next one.
    names: Vec<BTreeSet<String>>,
}

impl Circle {
    /// The circle as `a.rs -> b.rs -> a.rs`.
    pub(crate) fn path(&self) -> String {
        let files: Vec<_> = self.files.iter().chain(self.files.first()).cloned().collect();
        files.join(" -> ")
    }
}

impl fmt::Display for Circle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.path())?;
        let next = self.files.iter().cycle().skip(1);
        for ((from, to), names) in self.files.iter().zip(next).zip(&self.names) {
            let names: Vec<_> = names.iter().map(|name| format!("`{name}`")).collect();
            writeln!(f, "    {from} uses {} of {to}", names.join(", "))?;
        }
        Ok(())
    }
}

/// The shortest circle through each edge: none of them is missed, and there are not more than
/// edges.
pub(crate) fn find(edges: &BTreeSet<Use>) -> BTreeSet<Circle> {
    let mut graph: BTreeMap<&str, BTreeMap<&str, BTreeSet<String>>> = BTreeMap::new();
    for Use { from, to, name } in edges {
        graph.entry(from).or_default().entry(to).or_default().insert(name.clone());
    }
    let mut circles = BTreeSet::new();
    for (from, targets) in &graph {
        for to in targets.keys() {
            if let Some(mut files) = way(&graph, to, from) {
                let first = files.iter().min().copied();
                let at = files.iter().position(|file| Some(*file) == first).unwrap();
                files.rotate_left(at);
                let next = files.iter().cycle().skip(1);
                let names = files.iter().zip(next).map(|(a, b)| graph[a][b].clone()).collect();
                let files = files.into_iter().map(str::to_owned).collect();
                circles.insert(Circle { files, names });
            }
        }
    }
    circles
}

/// The shortest way from one file to another one, both ends included.
fn way<'a>(
    graph: &BTreeMap<&'a str, BTreeMap<&'a str, BTreeSet<String>>>,
    from: &'a str,
    to: &str,
) -> Option<Vec<&'a str>> {
    let mut before = BTreeMap::from([(from, None)]);
    let mut queue = VecDeque::from([from]);
    while let Some(at) = queue.pop_front() {
        if at == to {
            let mut files = vec![at];
            while let Some(Some(previous)) = files.last().map(|last| before[last]) {
                files.push(previous);
            }
            files.reverse();
            return Some(files);
        }
        for next in graph.get(at).into_iter().flat_map(BTreeMap::keys) {
            if !before.contains_key(next) {
                before.insert(next, Some(at));
                queue.push_back(next);
            }
        }
    }
    None
}
