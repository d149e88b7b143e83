"""One entry of a pipeline's node list."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

__all__ = ["Node", "make_node"]


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


def make_node(node_type: str, id: str | None = None, /, **params: object) -> Node:
    """Build a node; parameters that are None are left out, so that the node's own default holds."""
    return Node(node_type, {name: value for name, value in params.items() if value is not None}, id)
