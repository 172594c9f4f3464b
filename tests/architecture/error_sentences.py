"""The sentences that errors can say, found in the source of the four packages without running it (for test_error_words).

1. Classes of the HometoneError tree take a message and a hint. So do, by and by, functions that hand a parameter of theirs on to one of
   these: `damaged(what)`. A parameter inside a longer sentence takes a part of one.
2. What is given to them is followed to its words: literals, f-strings (values become `{0}`, `{1}`), choices, sums, constants of the module,
   names that were assigned in the function, attributes that the class was made with, what a function of the module returns.
3. Tables of pairs, a message and a hint, are read whole.
4. What cannot be followed is a value: names, numbers, lists.
"""

import ast
import itertools
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path
from typing import Final

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("shared/hometone_shared", "keys/hometone_keys", "client/hometone_client", "server/hometone_server")
HOLE: Final = "\0"
MOST_FORMS: Final = 24
"""Of one sentence with choices in it; above, the choices are values."""
WORDED = {"hint", "message", "otherwise", "told", "what", "why"}
"""Parameters that are words, by the names they go by here; `name`, `path`, `kind` are values."""
ALSO_TAKING = {"refusal": {"message", "hint"}, "SpokenCode": {"name"}, "Words": {"kind", "instead"}}
"""Answers of the gateway, which laptops show; what codes and devices for sound are called."""


Function = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda


@dataclass(frozen=True)
class Source:
    """One module, and who stands around what in it."""

    path: Path
    tree: ast.Module
    parents: Mapping[ast.AST, ast.AST]

    def around(self, node: ast.AST) -> Iterator[ast.AST]:
        while node in self.parents:
            node = self.parents[node]
            yield node

    @cached_property
    def returned(self) -> Mapping[str, list[ast.expr]]:
        """What the functions with a name return."""
        found: dict[str, list[ast.expr]] = defaultdict(list)
        for each in ast.walk(self.tree):
            if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef):
                found[each.name] += [inner.value for inner in ast.walk(each) if isinstance(inner, ast.Return) and inner.value is not None]
        return found


def sources() -> Iterator[Source]:
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            tree = ast.parse(path.read_text(encoding="utf-8"))
            yield Source(path, tree, {child: node for node in ast.walk(tree) for child in ast.iter_child_nodes(node)})


@dataclass(eq=False)
class Collector:
    """Finds the sentences; `taking` grows until nothing new hands on a parameter.

    Attributes:
        modules: All of the source.
        taking: What is called -> its parameters that are (a part of) a sentence.
        found: Template -> where.
    """

    modules: list[Source]
    taking: dict[str, set[str]] = field(default_factory=dict)
    found: dict[str, str] = field(default_factory=dict)
    classes: list[ast.ClassDef] = field(default_factory=list)
    functions: list[ast.FunctionDef] = field(default_factory=list)

    def run(self) -> dict[str, str]:
        self.taking = {name: set(parameters) for name, parameters in ALSO_TAKING.items()}
        nodes = [(module, node) for module in self.modules for node in ast.walk(module.tree)]
        self.classes = [node for _, node in nodes if isinstance(node, ast.ClassDef)]
        self.functions = [node for _, node in nodes if isinstance(node, ast.FunctionDef)]
        calls = [(module, node) for module, node in nodes if isinstance(node, ast.Call)]
        bases = {each.name: {ast.unparse(base).rpartition(".")[2] for base in each.bases} for each in self.classes}
        family = {"HometoneError"}
        while more := {name for name, above in bases.items() if above & family} - family:
            family |= more
        self.taking |= {name: {"message", "hint"} for name in family}
        for each in self.classes:
            if each.name in family - {"HometoneError"} and any(
                isinstance(item, ast.FunctionDef) and item.name == "__init__" for item in each.body
            ):
                self.taking[each.name] = set()  # found by what it hands to `super().__init__`
        before = -1
        while before != (before := sum(map(len, self.taking.values()))):
            for module, call in calls:
                self._read(module, call)
        for module, table in ((module, node) for module, node in nodes if isinstance(node, ast.Dict)):
            pairs = [each.elts for each in table.values if isinstance(each, ast.Tuple) and len(each.elts) == len(("message", "hint"))]
            if pairs and len(pairs) == len([key for key in table.keys if key is not None]):
                for given in itertools.chain(*pairs):
                    for words in self._words(module, given):
                        if " " in words.strip():
                            self._note(words, f"{module.path.relative_to(ROOT)}:{given.lineno}")
        return self.found

    def _read(self, module: Source, call: ast.Call) -> None:
        name = call.func.id if isinstance(call.func, ast.Name) else call.func.attr if isinstance(call.func, ast.Attribute) else ""
        if name == "__init__":
            owner = next(each for each in module.around(call) if isinstance(each, ast.ClassDef))
            name = next((ast.unparse(each).rpartition(".")[2] for each in owner.bases), "")
        for parameter in self.taking.get(name, set()).copy():
            for given in self._given(call, name, parameter):
                for words in self._words(module, given):
                    self._note(words, f"{module.path.relative_to(ROOT)}:{given.lineno}")

    def _given(self, call: ast.Call, name: str, parameter: str) -> Iterator[ast.expr]:
        yield from (each.value for each in call.keywords if each.arg == parameter)
        orders = {tuple(order) for order in self._orders(name)}
        for order in orders:
            if parameter in order and order.index(parameter) < len(call.args):
                yield call.args[order.index(parameter)]

    @cache  # noqa: B019 - lives as long as the test
    def _orders(self, name: str) -> list[list[str]]:
        """Positional parameters of whatever has that name."""
        orders = []
        for each in self.classes:
            if each.name == name:
                made = next((item for item in each.body if isinstance(item, ast.FunctionDef) and item.name == "__init__"), None)
                fields = [item.target.id for item in each.body if isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name)]
                orders.append(_positional(made) if made else fields or ["message"])
        orders += [_positional(each) for each in self.functions if each.name == name]
        return orders

    def _note(self, words: str, where: str) -> None:
        text = words.strip(HOLE + " ")
        if any(letter.isalpha() for letter in text.replace(HOLE, "")):
            count = itertools.count()
            self.found.setdefault(re.sub(f"{HOLE}+", lambda _: f"{{{next(count)}}}", words), where)

    def _words(self, module: Source, node: ast.expr | None, depth: int = 0) -> set[str]:
        if node is None or depth > 12:
            return {HOLE}
        deeper = lambda inner: self._words(module, inner, depth + 1)  # noqa: E731
        match node:
            case ast.Constant(value=str(text)):
                return {text}
            case ast.Constant(value=None):
                return set()
            case ast.JoinedStr(values=parts):
                forms = [deeper(part) for part in parts]
                return self._joined(module, parts, forms)
            case ast.FormattedValue(value=value, format_spec=None, conversion=-1):
                return deeper(value)
            case ast.IfExp(body=yes, orelse=no):
                return deeper(yes) | deeper(no)
            case ast.BoolOp(values=values):
                return set().union(*map(deeper, values))
            case ast.BinOp(left=left, op=ast.Add(), right=right):
                return self._joined(module, [left, right], [deeper(left), deeper(right)])
            case ast.Name(id=name):
                return self._of_name(module, node, name, depth)
            case ast.Attribute(value=ast.Name(id="self"), attr=name):
                return self._of_attribute(module, node, name, depth)
            case ast.Call(func=ast.Name(id=name)) | ast.Call(func=ast.Attribute(value=ast.Name(id="self"), attr=name)):
                return set().union(*map(deeper, module.returned.get(name, []))) or {HOLE}
            case ast.Call(func=ast.Attribute(attr="replace" | "rstrip", value=inner)):
                return deeper(inner)
            case ast.Call(func=ast.Attribute(attr="get", value=table), args=[_, otherwise]):
                return deeper(ast.Subscript(table, ast.Constant(0))) | deeper(otherwise)
            case ast.Subscript(value=ast.Dict(values=values)):
                return set().union(*(deeper(each) for each in values))
            case ast.Subscript(value=ast.Name(id=name)):
                table = _constant(module, name)
                return set().union(*(deeper(each) for each in table.values)) if isinstance(table, ast.Dict) else {HOLE}
        return {HOLE}

    def _joined(self, module: Source, parts: list[ast.expr], forms: list[set[str]]) -> set[str]:
        size = 1
        for form in forms:
            size *= len(form)
        if size > MOST_FORMS:
            where = f"{module.path.relative_to(ROOT)}:{parts[0].lineno}"
            for form in (form for form in forms if len(form) > 1):
                for words in form:
                    self._note(words, where)
            forms = [form if len(form) == 1 else {HOLE} for form in forms]
        return {"".join(each) for each in itertools.product(*forms)}

    def _of_name(self, module: Source, node: ast.AST, name: str, depth: int) -> set[str]:
        for function in (each for each in module.around(node) if isinstance(each, Function)):
            if assigned := _assigned(function, name):
                return set().union(*(self._words(module, each, depth + 1) for each in assigned))
            arguments = function.args
            if name in {each.arg for each in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)}:
                if isinstance(function, ast.Lambda) or name not in WORDED:
                    return {HOLE}
                owner = module.parents[function]
                called = owner.name if isinstance(owner, ast.ClassDef) and function.name == "__init__" else function.name
                self.taking.setdefault(called, set()).add(name)
                return {HOLE}
        constant = _constant(module, name)
        return self._words(module, constant, depth + 1) if constant is not None else self._imported(module, name, depth)

    def _imported(self, module: Source, name: str, depth: int) -> set[str]:
        for each in ast.walk(module.tree):
            if isinstance(each, ast.ImportFrom) and any((alias.asname or alias.name) == name for alias in each.names):
                for other in self.modules:
                    if ".".join(other.path.relative_to(ROOT).with_suffix("").parts[1:]) == each.module and (
                        constant := _constant(other, name)
                    ):
                        return self._words(other, constant, depth + 1)
        return {HOLE}

    def _of_attribute(self, module: Source, node: ast.AST, name: str, depth: int) -> set[str]:
        owner = next((each for each in module.around(node) if isinstance(each, ast.ClassDef)), None)
        if owner is None:
            return {HOLE}
        for item in owner.body:
            if isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name) and item.target.id == name and name in WORDED:
                self.taking.setdefault(owner.name, set()).add(name)
            if isinstance(item, ast.FunctionDef) and item.name == name:  # a property
                returned = [each.value for each in ast.walk(item) if isinstance(each, ast.Return)]
                return set().union(*(self._words(module, each, depth + 1) for each in returned)) or {HOLE}
        given = [
            each.value
            for each in ast.walk(owner)
            if isinstance(each, ast.Assign) and any(ast.unparse(target) == f"self.{name}" for target in each.targets)
        ]
        return set().union(*(self._words(module, each, depth + 1) for each in given)) or {HOLE}


def _positional(function: ast.FunctionDef) -> list[str]:
    names = [each.arg for each in (*function.args.posonlyargs, *function.args.args)]
    return names[1:] if names[:1] in (["self"], ["cls"]) else names


def _constant(module: Source, name: str) -> ast.expr | None:
    for each in module.tree.body:
        targets = each.targets if isinstance(each, ast.Assign) else [each.target] if isinstance(each, ast.AnnAssign) else []
        if any(isinstance(target, ast.Name) and target.id == name for target in targets):
            return each.value  # type: ignore[attr-defined,no-any-return]
    return None


def _assigned(function: Function, name: str) -> list[ast.expr]:
    """What a function gives to a name of its own."""
    values: list[ast.expr] = []
    for each in ast.walk(function):
        pairs: list[tuple[ast.expr, ast.expr]] = []
        if isinstance(each, ast.Assign):
            pairs = [(target, each.value) for target in each.targets]
        elif isinstance(each, ast.AnnAssign | ast.NamedExpr) and each.value is not None:
            pairs = [(each.target, each.value)]
        elif isinstance(each, ast.For | ast.comprehension) and isinstance(each.iter, ast.Tuple | ast.List):
            pairs = [(each.target, value) for value in each.iter.elts]
        elif isinstance(each, ast.For) and isinstance(each.iter, ast.Call) and ast.unparse(each.iter).endswith(".items()"):
            of = ast.unparse(each.iter).removesuffix(".items()")
            tables = [inner.value for inner in ast.walk(function) if isinstance(inner, ast.Assign) and ast.unparse(inner.targets[0]) == of]
            items = [zip(table.keys, table.values, strict=True) for table in tables if isinstance(table, ast.Dict)]
            pairs = [(each.target, ast.Tuple([key, value])) for key, value in itertools.chain(*items) if key is not None]
        for target, value in pairs:
            if isinstance(target, ast.Name) and target.id == name:
                values.append(value)
            elif isinstance(target, ast.Tuple):
                at = next((at for at, inner in enumerate(target.elts) if isinstance(inner, ast.Name) and inner.id == name), None)
                if at is not None:
                    values += [
                        inner.elts[at] for inner in ast.walk(value) if isinstance(inner, ast.Tuple) and len(inner.elts) == len(target.elts)
                    ]
    return values
