//! Which class of Python a node is, and which interpreter runs it.

use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};

use serde_json::{Map, Value, json};

use crate::error::{Error, ErrorKind, Result};
use crate::node::Execution;

/// A class: where it is found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClassRef {
    /// The module, as it is imported.
    pub module: String,
    /// The class in the module: `Name`, or `Outer.Inner`.
    pub name: String,
    /// The file of a program that was started as a script: its module has no name of its own.
    pub file: Option<String>,
    /// Which of the classes of that name this process means: a name may be used again.
    pub key: Option<String>,
}

impl ClassRef {
    /// From `package.module:Class`.
    pub fn parse(text: &str) -> Option<Self> {
        let (module, name) = text.split_once(':')?;
        let is_path = |path: &str| {
            path.split('.').all(|part| {
                !part.is_empty()
                    && !part.starts_with(|c: char| c.is_ascii_digit())
                    && part.chars().all(|c| c == '_' || c.is_alphanumeric())
            })
        };
        let fine = is_path(module) && is_path(name);
        fine.then(|| Self { module: module.to_owned(), name: name.to_owned(), file: None, key: None })
    }

    /// As the other side reads it.
    pub fn to_json(&self) -> Value {
        json!({"module": self.module, "name": self.name, "file": self.file, "key": self.key})
    }
}

/// A node in a manifest.
#[derive(Debug)]
pub struct Spec {
    /// Its id.
    pub node: String,
    /// Its class.
    pub class: ClassRef,
    /// What its constructor gets.
    pub params: Map<String, Value>,
    /// How it runs.
    pub execution: Execution,
}

/// What starts a worker.
#[derive(Debug, Clone)]
pub struct Interpreter {
    /// The program.
    pub executable: PathBuf,
    /// The flags that this process was started with.
    pub flags: Vec<String>,
    /// Where modules are looked for.
    pub sys_path: Vec<String>,
}

/// The interpreter of this process, if there is one.
static OURS: RwLock<Option<Arc<Interpreter>>> = RwLock::new(None);

/// Says which interpreter this process is.
pub fn set_interpreter(interpreter: Interpreter) {
    *OURS.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(interpreter));
}

impl Interpreter {
    /// Whether this process is an interpreter.
    pub fn is_here() -> bool {
        OURS.read().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    /// The interpreter for the workers of a node.
    ///
    /// # Errors
    /// `WorkerStart` when there is none.
    pub fn of(spec: &Spec) -> Result<Self> {
        let ours = OURS.read().unwrap_or_else(PoisonError::into_inner).clone();
        match (&spec.execution.python, ours) {
            // Another interpreter has modules of its own; ours may not fit it.
            (Some(python), _) => Ok(Self { executable: python.into(), flags: Vec::new(), sys_path: Vec::new() }),
            (None, Some(ours)) => Ok((*ours).clone()),
            (None, None) => Err(Error::new(ErrorKind::WorkerStart, "this process has no Python interpreter")
                .at_node(&spec.node)
                .hint("name one in `execution.python`")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_class_is_named_by_module_and_name() {
        let class = ClassRef::parse("my_app.nodes:Outer.Inner").unwrap();
        assert_eq!((class.module.as_str(), class.name.as_str()), ("my_app.nodes", "Outer.Inner"));
        for wrong in ["", "module", "module:", ":Class", "a.b.Class", "os:system()", "a..b:C", "../x:C", "1a:C"] {
            assert_eq!(ClassRef::parse(wrong), None, "{wrong}");
        }
    }
}
