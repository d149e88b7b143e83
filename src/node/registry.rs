//! The nodes that a manifest can name.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;
use std::sync::Arc;

use serde_json::{Value, json};

use super::processor::Typed;
use super::{NodeInfo, NodeType, PortInfo, TypedNode};
use crate::data::Kinds;
use crate::error::{Error, ErrorKind, Result};
use crate::words::letters;

/// Node types by name and alias.
#[derive(Clone, Default)]
pub struct Registry {
    types: BTreeMap<&'static str, Arc<dyn NodeType>>,
    aliases: HashMap<&'static str, &'static str>,
    /// The names of those that may be replaced.
    replaceable: HashSet<&'static str>,
}

impl Registry {
    /// Adds a node type with a parameter struct.
    ///
    /// # Errors
    /// `InputValue` when its name or an alias is taken.
    pub fn add(&mut self, node: impl TypedNode) -> Result<()> {
        self.add_type(Arc::new(Typed::new(node)))
    }

    /// Adds any node type.
    ///
    /// # Errors
    /// `InputValue` when its name or an alias is taken.
    pub fn add_type(&mut self, node: Arc<dyn NodeType>) -> Result<()> {
        let info = node.info();
        let (name, aliases) = (info.name, info.aliases);
        for taken in std::iter::once(&name).chain(aliases) {
            let Some(other) = self.find(taken) else { continue };
            let other = other.info();
            let text = if other.name == *taken {
                format!("the node name `{taken}` is taken: there is a node of category `{}` with it", other.category)
            } else {
                format!("the node name `{taken}` is taken: it is an older name of the node `{}`", other.name)
            };
            return Err(Error::new(ErrorKind::InputValue, text).hint("give it another name"));
        }
        self.types.insert(name, node);
        self.aliases.extend(aliases.iter().map(|alias| (*alias, name)));
        Ok(())
    }

    /// Adds a node type of a user's, in place of one that was added in this way before under its name.
    ///
    /// # Errors
    /// `InputValue` when another node has the name.
    pub fn replace(&mut self, node: Arc<dyn NodeType>) -> Result<()> {
        let name = node.info().name;
        if self.replaceable.contains(name) {
            self.types.remove(name);
        }
        self.add_type(node)?;
        self.replaceable.insert(name);
        Ok(())
    }

    /// The node type of a name or an older name.
    pub fn find(&self, name: &str) -> Option<&Arc<dyn NodeType>> {
        self.types.get(name).or_else(|| self.types.get(self.aliases.get(name)?))
    }

    /// The name of the node type that is meant when case, `_` and `-` do not matter, by its name or an older one.
    pub fn spelt_otherwise(&self, name: &str) -> Option<&'static str> {
        if name.len() > 64 {
            return None;
        }
        let wanted = letters(name);
        let is_meant = |kind: &&Arc<dyn NodeType>| {
            let info = kind.info();
            std::iter::once(&info.name).chain(info.aliases).any(|known| letters(known) == wanted)
        };
        self.types.values().find(is_meant).map(|kind| kind.info().name)
    }

    /// All node types, by name.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<dyn NodeType>> {
        self.types.values()
    }

    /// All names and older names.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        self.types.keys().copied().chain(self.types.values().flat_map(|kind| kind.info().aliases.iter().copied()))
    }

    /// Everything the nodes say of themselves, as JSON: the source of documentation and of the typed builders.
    pub fn catalog(&self) -> Value {
        self.iter().map(|node| entry(node.info())).collect()
    }
}

fn entry(info: &NodeInfo) -> Value {
    let ports = |ports: &[PortInfo]| -> Value {
        ports.iter().map(|port| json!({"name": port.name, "kinds": kinds(port.kinds)})).collect()
    };
    json!({
        "name": info.name,
        "aliases": info.aliases,
        "category": info.category,
        "description": info.description,
        "inputs": ports(&info.inputs),
        "outputs": ports(&info.outputs),
        "params": info.params,
        "cost_ns_per_frame": info.cost_ns_per_frame,
    })
}

fn kinds(kinds: Kinds) -> Vec<&'static str> {
    kinds.iter().map(crate::data::Kind::name).collect()
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.types.keys()).finish()
    }
}
