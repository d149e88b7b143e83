"""One entry of a pipeline's node list."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, cast

from remotemedia.errors import InputTypeError

__all__ = ["NAME", "PARAMS", "Node", "make_node", "node_of"]

NAME = "__remotemedia_node__"
"""Where a class that `remotemedia.node` has decorated keeps the name of its node type."""
PARAMS = "__remotemedia_params__"
"""Where an object of such a class keeps what its constructor got."""


@dataclass(frozen=True)
class Node:
    """A node of a pipeline: its type, its parameters and, if wanted, its name.

    Made by the builders of `remotemedia.nodes`; `remotemedia.Pipeline` takes a list of them.

    Parameters
    ----------
    node_type : str
        The name of the node type, such as ``"AudioResample"``.
    params : Mapping[str, object]
        The parameters by name, as they stand in the manifest.
    id : str, optional
        The name of the node in the manifest; made from its type when left out.
    execution : Mapping[str, object], optional
        How it runs: see `with_execution`.
    """

    node_type: str
    params: Mapping[str, object] = field(default_factory=dict, hash=False)
    id: str | None = None
    execution: Mapping[str, object] | None = field(default=None, hash=False)

    def with_execution(self, **execution: object) -> Node:
        """Return the same node with settings of how it runs, as they stand in the manifest.

        Examples
        --------
        >>> import remotemedia as rm
        >>> node = rm.nodes.Python(class_="my_app.nodes:Recognizer").with_execution(placement="process", workers=2)
        >>> node.to_dict()["execution"]
        {'placement': 'process', 'workers': 2}
        """
        return replace(self, execution={**(self.execution or {}), **execution})

    def to_dict(self, id: str | None = None) -> dict[str, object]:
        """Return the node as it stands in a manifest; ``id`` is used when the node has no name of its own."""
        name = self.id if self.id is not None else id
        entry: dict[str, object] = {} if name is None else {"id": name}
        entry["node_type"] = self.node_type
        if self.params:
            entry["params"] = dict(self.params)
        if self.execution:
            entry["execution"] = dict(self.execution)
        return entry


def node_of(value: object) -> Node | None:
    """Return the node that a decorated class, or an object of one, stands for; None for anything else.

    Raises
    ------
    InputTypeError
        For what looks like one, with what to write instead.
    """
    if isinstance(value, Node):
        return value
    class_: Any = value if isinstance(value, type) else type(value)
    # Not one that a base class has: the node of that name is another one.
    name = vars(class_).get(NAME)
    if name is None:
        if callable(getattr(class_, "process", None)) and not isinstance(value, Mapping):
            raise InputTypeError(f"the class {class_.__qualname__} is no node yet; decorate it with @remotemedia.node")
        builder = getattr(value, "__name__", None)
        if callable(value) and getattr(value, "__module__", "") == "remotemedia.nodes":
            raise InputTypeError(f"{builder} is what makes a node; call it: remotemedia.nodes.{builder}(...)")
        return None
    if value is class_:
        return Node(name)
    params = getattr(value, "__dict__", {}).get(PARAMS, vars(class_).get(PARAMS))
    if params is None:
        raise InputTypeError(
            f"the parameters of this {class_.__qualname__} are not known, as it keeps nothing that its class does not "
            f'name; write {{"node_type": "{name}", "params": {{...}}}}'
        )
    return Node(name, cast("Mapping[str, object]", params))


def make_node(node_type: str, id: str | None = None, /, **params: object) -> Node:
    """Build a node; parameters that are None are left out, so that the node's own default holds."""
    return Node(node_type, {name: value for name, value in params.items() if value is not None}, id)
