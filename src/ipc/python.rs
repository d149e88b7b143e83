//! Node types that are written in Python.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::pool::Pool;
use super::processor::{PythonProcessor, Unused};
use super::spec::{ClassRef, Spec};
use crate::data::{Format, Kind, Kinds, Pts};
use crate::error::{Error, ErrorKind, Problem, Result};
use crate::node::{Execution, Memory, NodeInfo, NodeType, Params, Placement, PortInfo, Processor, Runs};

/// What a class says of itself when it is registered.
#[derive(Debug, Clone, Default)]
pub struct Declared {
    /// What it takes; `Unknown`: anything.
    pub input: Format,
    /// What it gives.
    pub output: Output,
    /// How far it looks ahead.
    pub latency: Option<Pts>,
    /// Whether no frame depends on the one before: frames of one session may go to several workers.
    pub stateless: bool,
    /// Parameters that may change while it runs.
    pub changeable: Vec<String>,
}

/// What a class gives.
#[derive(Debug, Clone, Default)]
pub enum Output {
    /// Nobody knows before it comes.
    #[default]
    Unknown,
    /// What it takes.
    Same,
    /// This.
    Format(Format),
}

/// The parameter that names the class of the node type `Python`.
const CLASS: &str = "class";

/// A node type in Python.
pub struct PythonNode {
    info: NodeInfo,
    params: Params,
    /// `None`: the parameter `class` names it.
    class: Option<ClassRef>,
    declared: Declared,
    placed: Option<Placed>,
}

/// The workers for one set of parameters, if it is for workers, and the instances that nobody has used.
type SeatsOf = (Map<String, Value>, Option<Arc<Pool>>, Arc<Unused>);

/// As a node of a graph.
#[derive(Debug, Clone)]
struct Placed {
    id: String,
    execution: Execution,
    /// For each set of parameters that was built: one, but for checks.
    seats: Arc<std::sync::Mutex<Vec<SeatsOf>>>,
}

impl std::fmt::Debug for PythonNode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PythonNode").field("name", &self.info.name).field("class", &self.class).finish_non_exhaustive()
    }
}

fn kinds(format: &Format) -> Kinds {
    match format.kind() {
        None => Kind::ALL.into_iter().filter(|kind| *kind != Kind::Control).fold(Kinds::only(Kind::Audio), Kinds::and),
        Some(kind) => kind.into(),
    }
}

/// Text that lives as long as the process: names in the registry do. Only what is registered is kept.
fn for_ever(text: &str) -> &'static str {
    Box::leak(text.to_owned().into_boxed_str())
}

impl PythonNode {
    /// A class under a name of its own. `schema` is the JSON schema of its parameters.
    pub fn named(name: &str, description: &str, class: ClassRef, schema: Value, declared: Declared) -> Self {
        let output = match &declared.output {
            Output::Format(format) => kinds(format),
            Output::Same => kinds(&declared.input),
            Output::Unknown => kinds(&Format::Unknown),
        };
        let info = NodeInfo {
            name: for_ever(name),
            aliases: &[],
            category: "python",
            description: for_ever(description),
            inputs: vec![PortInfo::input(kinds(&declared.input)).as_it_comes()],
            outputs: vec![PortInfo::out(output)],
            params: schema,
            cost_ns_per_frame: 0.0,
            memory: Memory::Makes,
        };
        Self { params: Params::new(&info.params), info, class: Some(class), declared, placed: None }
    }

    /// The node type `Python`, whose parameter names the class.
    pub fn by_path() -> Self {
        let schema = json!({
            "type": "object",
            "properties": {
                CLASS: {"type": "string", "description": "The class, as `package.module:Class`. Its module is imported, which runs code."},
                "params": {"type": "object", "description": "What its constructor gets, by name."},
            },
            "required": [CLASS],
            "additionalProperties": false,
        });
        let description = "A class of yours, written in Python. The manifest names code, so it needs `allow_python`.";
        let class = ClassRef { module: String::new(), name: String::new(), file: None, key: None };
        let mut node = Self::named("Python", description, class, schema, Declared::default());
        node.class = None;
        node
    }

    fn class(&self, params: &Map<String, Value>) -> Result<(ClassRef, Map<String, Value>)> {
        if let Some(class) = &self.class {
            return Ok((class.clone(), params.clone()));
        }
        let path = params.get(CLASS).and_then(Value::as_str).unwrap_or_default();
        let class = ClassRef::parse(path).ok_or_else(|| {
            Error::new(ErrorKind::InputValue, format!("`class` is \"{path}\", expected \"package.module:Class\""))
        })?;
        let inner = params.get("params").and_then(Value::as_object).cloned().unwrap_or_default();
        Ok((class, inner))
    }
}

impl NodeType for PythonNode {
    fn info(&self) -> &NodeInfo {
        &self.info
    }

    fn check(&self, params: &Map<String, Value>) -> Vec<Problem> {
        let mut problems = self.params.check(params);
        if problems.is_empty()
            && let Err(error) = self.class(params)
        {
            problems.push(Problem::error("RM0112", format!("/{CLASS}"), error.message()));
        }
        problems
    }

    fn negotiate(&self, _: &Map<String, Value>, inputs: &[Format]) -> Result<Vec<Format>> {
        let input = inputs.first().cloned().unwrap_or_default();
        Ok(vec![self.declared.output_for(&input)?])
    }

    fn build(&self, params: &Map<String, Value>) -> Result<Box<dyn Processor>> {
        let (class, inner) = self.class(params)?;
        let (id, execution) = self.placed.as_ref().map_or_else(
            || (self.info.name.to_owned(), Execution::default()),
            |placed| (placed.id.clone(), placed.execution.clone()),
        );
        let spec = Arc::new(Spec { node: id, class, params: inner, execution });
        let (pool, unused) = self.placed.as_ref().map(|placed| placed.seats(params, &spec)).unwrap_or_default();
        Ok(Box::new(PythonProcessor::new(spec, pool, unused, self.declared.clone())))
    }

    fn runs(&self) -> Runs {
        match &self.placed {
            Some(placed) if placed.execution.placement == Placement::Process => Runs::Elsewhere,
            _ => Runs::InPython,
        }
    }

    fn runs_code(&self) -> bool {
        self.class.is_none()
    }

    fn retire(&self) {
        if let Some(placed) = &self.placed {
            placed.retire();
        }
    }

    fn placed(&self, id: &str, execution: &Execution) -> Result<Option<Arc<dyn NodeType>>> {
        if execution.placement == Placement::Process
            && let Some(class) = &self.class
            && (class.module == "__main__" && class.file.is_none() || class.name.contains("<locals>"))
        {
            let text = format!(
                "the class `{}` was defined in a notebook, at a prompt or in a function: a worker cannot import it",
                class.name
            );
            return Err(Error::new(ErrorKind::Unsupported, text).hint("put it into a module, a file of its own"));
        }
        Ok(Some(Arc::new(Self {
            info: self.info.clone(),
            params: Params::new(&self.info.params),
            class: self.class.clone(),
            declared: self.declared.clone(),
            placed: Some(Placed { id: id.to_owned(), execution: execution.clone(), seats: Arc::default() }),
        })))
    }
}

impl Placed {
    fn retire(&self) {
        // Never waits: a forked child may find the lock taken for ever.
        let all = self.seats.try_lock().map(|all| all.clone()).unwrap_or_default();
        for (_, pool, unused) in all {
            unused.close();
            if let Some(pool) = pool {
                pool.retire();
            }
        }
    }

    fn seats(&self, params: &Map<String, Value>, spec: &Arc<Spec>) -> (Option<Arc<Pool>>, Arc<Unused>) {
        let mut all = self.seats.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some((_, pool, unused)) = all.iter().find(|(of, ..)| of == params) {
            return (pool.clone(), unused.clone());
        }
        let pool = (self.execution.placement == Placement::Process).then(|| Pool::new(spec.clone()));
        let unused = Arc::new(Unused::default());
        all.push((params.clone(), pool.clone(), unused.clone()));
        (pool, unused)
    }
}

impl Declared {
    /// Checks what a node has given.
    ///
    /// # Errors
    /// `Format` when it is not what was declared.
    pub fn check_output(&self, is: &Format) -> Result<()> {
        let Output::Format(declared) = &self.output else { return Ok(()) };
        let differs = is.kind() != declared.kind()
            || declared.sample_rate_hz().is_some_and(|rate| is.sample_rate_hz() != Some(rate))
            || declared.channels().is_some_and(|channels| is.channels() != Some(channels));
        if differs {
            return Err(Error::new(
                ErrorKind::Format,
                format!("the node gives {is}, expected {declared}, as it declares"),
            )
            .hint("return what rm.node(output=...) says, or change that"));
        }
        Ok(())
    }

    /// What comes out of this input.
    ///
    /// # Errors
    /// `Format` when the node does not take it.
    pub fn output_for(&self, input: &Format) -> Result<Format> {
        let wants = &self.input;
        let differs = |what: &str, is: Option<u32>, wanted: Option<u32>, fix: &str| match (is, wanted) {
            (Some(is), Some(wanted)) if is != wanted => {
                Err(Error::new(ErrorKind::Format, format!("{what} is {is}, expected {wanted}")).hint(fix.to_owned()))
            }
            _ => Ok(()),
        };
        if let (Some(is), Some(wanted)) = (input.kind(), wants.kind())
            && is != wanted
            && !(is == Kind::Array && wanted == Kind::Audio)
        {
            return Err(Error::new(ErrorKind::Format, format!("the input is {is}, expected {wanted}")));
        }
        let rate = wants.sample_rate_hz();
        let fix = format!("put an AudioResample with target_rate {} before it", rate.unwrap_or(0));
        differs("sample_rate_hz", input.sample_rate_hz(), rate, &fix)?;
        let channels = wants.channels().map(u32::from);
        let fix = format!("put an AudioChannels with channels {} before it", channels.unwrap_or(0));
        differs("channels", input.channels().map(u32::from), channels, &fix)?;
        Ok(match &self.output {
            Output::Unknown => Format::Unknown,
            Output::Same => input.clone(),
            Output::Format(format) => format.clone(),
        })
    }
}
