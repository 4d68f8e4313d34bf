"""Texts that drive a regular expression to its worst, made from the expression itself."""

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import product
from re import _compiler, _constants, _parser  # the standard library has no public parser of patterns
from typing import Any, NamedTuple

Node = tuple[Any, Any]

_LONG = 40
"""Repeats of up to so many count as unbounded: such as {1,64}, several of which may be nested."""

_COMMON = "a0 -,.:;/_\"'<(\n\x00éZ＿あ\u00a0٣\t"
_FAILING = "\x00"
_MOST_PAIRED = 7
_REPEATS = (_constants.MAX_REPEAT, _constants.MIN_REPEAT, _constants.POSSESSIVE_REPEAT)
_SIGNS = (_constants.LITERAL, _constants.NOT_LITERAL, _constants.IN, _constants.ANY)


class Attack(NamedTuple):
    """A family of texts: ``start``, then ``pump`` again and again, then ``end``."""

    start: str
    pump: str
    end: str

    def text(self, length: int) -> str:
        """Return the text of about this many characters."""
        return self.start + self.pump * max(1, length // len(self.pump)) + self.end


class Loop(NamedTuple):
    """A repeat without a (small) bound, what leads to it, the texts it may repeat, and what must follow."""

    start: str
    signs: str
    bodies: tuple[str, ...]
    rest: str


def attacks(pattern: re.Pattern[Any]) -> list[Attack]:
    """Return the families of texts for a pattern: for each of its loops, and runs of each class of its characters."""
    return list(dict.fromkeys(_Attacker(pattern).attacks()))


class _Attacker:
    def __init__(self, pattern: re.Pattern[Any]) -> None:
        source = pattern.pattern
        self._flags = pattern.flags & ~re.DEBUG
        self._tree = _parser.parse(source, self._flags)
        self._is_bytes = isinstance(source, bytes)
        self._known: dict[str, str] = {}
        self.alphabet = self._alphabet()

    def attacks(self) -> Iterator[Attack]:
        loops = list(self._loops(list(self._tree), "", ""))
        ends = ["", *self.alphabet]
        for sign, end in product(self.alphabet, ("", _FAILING, "\n")):
            yield Attack("", sign, end)
        inner = "".join(dict.fromkeys("".join(loop.signs for loop in loops)))
        for pair in product(inner[: 2 * _MOST_PAIRED], repeat=2):
            yield Attack("", "".join(pair), "")
        for loop in loops:
            for sign, end in product(loop.signs, ends):
                yield Attack(loop.start, sign, end)
            for sign in loop.signs:
                yield Attack("", loop.start + sign, "")
            pairs = map("".join, product(loop.signs[:_MOST_PAIRED], repeat=2))
            starts = filter(None, (loop.start,))
            for pump, end in product((*loop.bodies, *pairs, *starts), dict.fromkeys(("", _FAILING, loop.rest))):
                yield Attack(loop.start, pump, end)
            for body in loop.bodies:
                yield Attack("", loop.start + body, "")

    def _alphabet(self) -> str:
        """Return one character of each kind that the pattern tells apart."""
        atoms = [self._matcher(node) for node in self._atoms(list(self._tree))]
        word = re.compile(rb"\w") if self._is_bytes else re.compile(r"\w", self._flags & re.ASCII)
        atoms.append(word)
        found: dict[tuple[bool, ...], str] = {}
        for sign in dict.fromkeys([*_COMMON, *self._mentioned(list(self._tree))]):
            given: Any = sign
            if self._is_bytes:
                if ord(sign) > 255:
                    continue
                given = sign.encode("latin-1")
            found.setdefault(tuple(bool(atom.match(given)) for atom in atoms), sign)
        return "".join(found.values())

    def _matcher(self, node: Node) -> re.Pattern[Any]:
        sub = _parser.SubPattern(self._tree.state, [node])
        compiled: re.Pattern[Any] = _compiler.compile(sub, self._flags)
        return compiled

    def _atoms(self, nodes: Sequence[Node]) -> Iterator[Node]:
        for node in nodes:
            if node[0] in _SIGNS:
                yield node
            for inner in _inside(node):
                yield from self._atoms(inner)

    def _mentioned(self, nodes: Sequence[Node]) -> Iterator[str]:
        """Yield the characters that are named, and the ends and neighbours of ranges."""
        for op, value in self._atoms(nodes):
            for kind, given in value if op is _constants.IN else [(op, value)]:
                if kind in (_constants.LITERAL, _constants.NOT_LITERAL):
                    yield from {chr(given), chr(given).swapcase()[:1]}
                elif kind is _constants.RANGE:
                    low, high = given
                    yield from {chr(low), chr(high), chr((low + high) // 2)}

    def _signs(self, nodes: Sequence[Node]) -> str:
        """Return one character of each kind that any of the atoms inside matches."""
        found: dict[str, None] = {}
        for node in self._atoms(nodes):
            atom = self._matcher(node)
            found |= dict.fromkeys(sign for sign in self.alphabet if self._fits(atom, sign))
        return "".join(found)

    def _fits(self, atom: re.Pattern[Any], sign: str) -> bool:
        given: Any = sign.encode("latin-1") if self._is_bytes else sign
        return atom.match(given) is not None

    def _loops(self, nodes: list[Node], start: str, rest: str) -> Iterator[Loop]:
        for place, node in enumerate(nodes):
            before = start + self._example(nodes[:place])
            after = self._example(nodes[place + 1 :]) + rest
            op, value = node
            if op in _REPEATS and value[1] >= _LONG:
                body = list(value[2])
                yield Loop(before, self._signs(body), tuple(filter(None, self._examples(body))), after)
            for inner in _inside(node):
                yield from self._loops(inner, before, after)

    def _examples(self, nodes: list[Node]) -> Iterator[str]:
        """Yield texts that the nodes match: the shortest, one with every optional part, one of each alternative."""
        yield self._example(nodes)
        yield self._example(nodes, more=1)
        for place, (op, value) in enumerate(nodes):
            if op is _constants.SUBPATTERN:
                variants: Iterable[str] = self._examples(list(value[3]))
            elif op is _constants.BRANCH:
                variants = (text for choice in value[1] for text in self._examples(list(choice)))
            else:
                continue
            for text in variants:
                yield self._example(nodes[:place]) + text + self._example(nodes[place + 1 :])

    def _example(self, nodes: Iterable[Node], *, more: int = 0) -> str:
        """Return a text that the nodes match, but for their conditions; ``more`` repeats than needed, if it may be."""
        return "".join(self._one(node, more) for node in nodes)

    def _one(self, node: Node, more: int) -> str:
        op, value = node
        if op is _constants.LITERAL:
            return chr(value)
        if op in _SIGNS:
            key = repr(node)
            if key not in self._known:
                atom = self._matcher(node)
                self._known[key] = next((sign for sign in self.alphabet if self._fits(atom, sign)), "")
            return self._known[key]
        if op in _REPEATS:
            low, high, body = value
            return self._example(body, more=more) * min(low + more, high, 100)
        if op is _constants.BRANCH:
            return min((self._example(choice, more=more) for choice in value[1]), key=len)
        if op is _constants.SUBPATTERN:
            return self._example(value[3], more=more)
        if op is _constants.ATOMIC_GROUP:
            return self._example(value, more=more)
        if op is _constants.ASSERT and value[0] < 0:
            return self._example(value[1])
        return ""


def _inside(node: Node) -> Iterator[list[Node]]:
    """Yield the sequences of nodes within a node."""
    op, value = node
    if op in _REPEATS:
        yield list(value[2])
    elif op is _constants.SUBPATTERN:
        yield list(value[3])
    elif op is _constants.BRANCH:
        yield from map(list, value[1])
    elif op in (_constants.ASSERT, _constants.ASSERT_NOT):
        yield list(value[1])
    elif op is _constants.ATOMIC_GROUP:
        yield list(value)
    elif op is _constants.GROUPREF_EXISTS:
        yield from (list(choice) for choice in value[1:] if choice is not None)
