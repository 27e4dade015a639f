"""What cannot be ported: every offence with its file, its line, and what to do."""

import ast
from typing import NamedTuple

from flaxnets.port.author import File


class Offence(NamedTuple):
    """One thing that cannot be ported."""

    file: str
    line: int
    what: str
    text: str  # the line as it stands there
    remedy: str

    def __str__(self) -> str:
        text = f": {self.text}" if self.text else ""
        return f"{self.file}:{self.line}: {self.what}{text}: {self.remedy}"


class Unsupported(ValueError):
    """A network cannot be ported. ``str`` has all offences, a line each.

    Attributes:
        offences: what was found, in the order of the files' lines.
    """

    def __init__(self, offences: list[Offence]) -> None:
        self.offences = sorted(set(offences), key=lambda each: (each.file, each.line))
        super().__init__("\n".join(map(str, self.offences)))


class Offences:
    """What was found so far; nothing is ported where there is one."""

    def __init__(self) -> None:
        self.found: list[Offence] = []

    def at(self, file: File, node: ast.AST | int, what: str, remedy: str) -> None:
        """An offence of a node of the author's source, or of a line."""
        line = node if isinstance(node, int) else getattr(node, "lineno", 1)
        self.found.append(Offence(file.name, line, what, file.line(line), remedy))

    def nowhere(self, what: str, remedy: str) -> None:
        """An offence of a network that has no source of its own."""
        self.found.append(Offence("the network", 0, what, "", remedy))

    def settle(self) -> None:
        """Raises ``Unsupported`` if there is one."""
        if self.found:
            raise Unsupported(self.found)
