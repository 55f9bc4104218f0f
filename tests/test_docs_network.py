"""Every number in docs/how-a-network-learns.md is what torch's autograd computes; a number that
nothing checks is an error.

How the page is read. A line fenced as `text`, and an inline code span with `=`, is a statement
`SCOPE: part = part = ...`: all parts are evaluated and have to be equal (`≠`: what stands left of
it differs from what stands right). A table whose first column is `name` has one scope a column; a
`formula` holds in every scope that knows its names. Digits anywhere else are an error, unless they
are in the name of a quantity.
"""

import ast
import math
import operator
import re
from functools import cache

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from tests.closure import ROOT

PAGE = ROOT / "docs/how-a-network-learns.md"

# The givens.
EXAMPLES = {"A": ((1.0, 2.0), (3.0, 4.0)), "B": ((5.0, 6.0), (7.0, 8.0))}
START, RATE = 0.5, 0.01
SCOPES = ("A", "B", "both", "A after", "B after", "both after")

W, B, V, C = ["w11", "w12", "w21", "w22"], ["b1", "b2"], ["v11", "v12", "v21", "v22"], ["c1", "c2"]
FUNCTIONS = {"relu": lambda z: max(z, 0.0), "step": lambda z: float(z > 0)}
OPERATORS = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: math.pow,
    ast.USub: operator.neg,
}


def forward(parameters: list[Tensor], inputs: Tensor, targets: Tensor) -> dict[str, Tensor]:
    w, b, v, c = parameters
    z = inputs @ w.T + b
    h = functional.relu(z)
    y = h @ v.T + c
    return {"z": z, "h": h, "y": y, "loss": functional.mse_loss(y, targets)}


def start() -> list[Tensor]:
    return [
        torch.full(shape, START, dtype=torch.float64, requires_grad=True)
        for shape in ((2, 2), (2,), (2, 2), (2,))
    ]


def descended(parameters: list[Tensor]) -> list[Tensor]:
    """One step of torch's gradient descent on both examples."""
    copies = [parameter.detach().clone().requires_grad_() for parameter in parameters]
    optimizer = torch.optim.SGD(copies, lr=RATE)
    forward(copies, *rows("both"))["loss"].backward()
    optimizer.step()
    return [copy.detach().requires_grad_() for copy in copies]


def rows(scope: str) -> tuple[Tensor, Tensor]:
    chosen = EXAMPLES.values() if scope == "both" else [EXAMPLES[scope]]
    inputs, targets = zip(*chosen, strict=True)
    return torch.tensor(inputs, dtype=torch.float64), torch.tensor(targets, dtype=torch.float64)


@cache
def quantities() -> dict[str, dict[str, float]]:
    """For each scope, each named quantity."""
    before = start()
    after = descended(before)
    found = {}
    for scope in SCOPES:
        parameters = after if scope.endswith("after") else before
        found[scope] = scoped(
            scope.split()[0],
            [parameter.detach().clone().requires_grad_() for parameter in parameters],
        )
    for names, values in zip((W, B, V, C), after, strict=True):
        found["both"] |= {
            f"new_{name}": value
            for name, value in zip(names, values.flatten().tolist(), strict=True)
        }
    squares = sum(found["both"][f"g_{name}"] ** 2 for name in W + B + V + C)
    found["both"] |= {"squares": squares, "promised": RATE * squares}
    return found


def scoped(which: str, parameters: list[Tensor]) -> dict[str, float]:
    inputs, targets = rows(which)
    made = forward(parameters, inputs, targets)
    for name in "zhy":
        made[name].retain_grad()
    made["loss"].backward()
    found = {"loss": made["loss"].item(), "rate": RATE}
    for names, tensor in zip((W, B, V, C), parameters, strict=True):
        found |= dict(zip(names, tensor.flatten().tolist(), strict=True))
        found |= {
            f"g_{name}": value
            for name, value in zip(names, tensor.grad.flatten().tolist(), strict=True)
        }
    if which != "both":
        for name, tensor in {
            "x": inputs,
            "t": targets,
            **{name: made[name] for name in "zhy"},
        }.items():
            found |= {
                f"{name}{place}": value for place, value in enumerate(tensor[0].tolist(), start=1)
            }
            if tensor.grad is not None:
                found |= {
                    f"g_{name}{place}": value
                    for place, value in enumerate(tensor.grad[0].tolist(), start=1)
                }
    return found


def evaluate(text: str, scope: str) -> float:
    """An arithmetic expression of numbers and quantities; raises `KeyError` for a name,
    `SyntaxError` for anything else unknown.
    """

    def of(node: ast.expr) -> float:
        match node:
            case ast.Constant(value=int() | float() as value):
                return float(value)
            case ast.Name(id=name):
                return quantities()[scope][name]
            case ast.UnaryOp(op=sign, operand=operand):
                return OPERATORS[type(sign)](of(operand))
            case ast.BinOp(left=left, op=sign, right=right):
                return OPERATORS[type(sign)](of(left), of(right))
            case ast.Call(func=ast.Name(id=name), args=[argument]):
                return FUNCTIONS[name](of(argument))
        raise SyntaxError(ast.unparse(node))

    return of(ast.parse(text.strip(), mode="eval").body)


def equal(one: float, other: float) -> bool:
    return math.isclose(one, other, rel_tol=0, abs_tol=1e-9)


def wrong_in_statement(statement: str) -> list[str]:
    scope, colon, claim = statement.partition(":")
    if not colon or scope not in SCOPES or "=" not in claim:
        return [f"no statement: {statement}"]
    try:
        sides = [[evaluate(part, scope) for part in side.split("=")] for side in claim.split("≠")]
    except (KeyError, SyntaxError, ArithmeticError, ValueError) as error:
        return [f"cannot be evaluated: {statement} ({error!r})"]
    values = [value for side in sides for value in side[1:]]
    if not all(equal(side[0], value) for side in sides for value in side[1:]) or not values:
        return [f"not equal: {statement} ({sides})"]
    return (
        [f"equal after all: {statement}"]
        if any(equal(sides[0][0], other[0]) for other in sides[1:])
        else []
    )


def cells(row: str) -> list[str]:
    return [cell.strip() for cell in row.strip().strip("|").split("|")]


def wrong_in_row(columns: list[str], row: str) -> list[str]:
    values = dict(zip(columns, cells(row), strict=True))
    name, formula = values.pop("name"), values.pop("formula", "").replace("\\*", "*")
    wrong, applied = [], not formula
    for scope, printed in values.items():
        if not printed:
            continue
        if name not in quantities()[scope] or not re.fullmatch(r"-?\d+(\.\d+)?", printed):
            wrong.append(f"{scope} has no {name} = {printed}")
            continue
        if not equal(float(printed), quantities()[scope][name]):
            wrong.append(f"{scope}: {name} is {quantities()[scope][name]!r}, not {printed}")
        if formula:
            try:
                value = evaluate(formula, scope)
            except KeyError:
                continue
            except (SyntaxError, ArithmeticError, ValueError) as error:
                return [f"cannot be evaluated: {formula} ({error!r})"]
            applied = True
            if not equal(value, quantities()[scope][name]):
                wrong.append(f"{scope}: {formula} is {value!r}, not {name}")
    return wrong if applied else [*wrong, f"no column knows the names of {formula}"]


def unchecked(text: str) -> list[str]:
    """The numbers of a text where there should be none."""
    known = set().union(*quantities().values())
    names = re.findall(r"[A-Za-z_]\w*", text)
    rest = re.sub(r"[A-Za-z_]\w*", " ", text)
    strange = [
        name for name in names if any(sign.isnumeric() for sign in name) and name not in known
    ]
    return [
        f"nothing checks {one} in: {text.strip()}"
        for one in [*strange, *(sign for sign in rest if sign.isnumeric())]
    ]


def mistakes(page: str) -> list[str]:
    found: list[str] = []
    fence: str | None = None
    columns: list[str] = []
    for line in page.splitlines():
        if line.startswith("```"):
            fence = line[3:] if fence is None else None
            found += unchecked(line)
        elif fence == "text":
            found += wrong_in_statement(line)
        elif fence is None and line.startswith("| name |"):
            columns = cells(line)
            found += [
                f"no such scope: {name}" for name in columns[1:] if name not in (*SCOPES, "formula")
            ]
        elif columns and line.startswith("|---"):
            pass
        elif columns and line.startswith("|"):
            found += wrong_in_row(columns, line)
        else:
            columns = []
            spans = [
                span for span in re.findall(r"`([^`]*)`", line) if fence is None and "=" in span
            ]
            found += [wrong for span in spans for wrong in wrong_in_statement(span)]
            for span in spans:
                line = line.replace(f"`{span}`", "")
            found += unchecked(line)
    return found


def test_every_number_is_right() -> None:
    assert mistakes(PAGE.read_text(encoding="utf-8")) == []


def test_the_givens_are_on_the_page() -> None:
    page = PAGE.read_text(encoding="utf-8")
    for place, name in enumerate(("x1", "x2", "t1", "t2")):
        given = [sum(example, ())[place] for example in EXAMPLES.values()]
        assert f"| {name} | {given[0]:.0f} | {given[1]:.0f} |" in page
    assert f"rate = {RATE}" in page


def test_all_weights_are_on_the_page() -> None:
    """Of each weight and bias: its gradient for A, B and both, and its value after the step."""
    page = PAGE.read_text(encoding="utf-8")
    for name in W + B + V + C:
        assert re.search(rf"^\| g_{name} \|[^|]+(\| -?\d+\.\d+ ){{3}}\|$", page, re.MULTILINE), name
        assert re.search(rf"^\| new_{name} \|[^|]+\| \d+\.\d+ \|$", page, re.MULTILINE), name


def test_any_changed_number_is_seen() -> None:
    """Each number of the page in turn is made wrong; none gets by."""
    page = PAGE.read_text(encoding="utf-8")
    numbers = list(re.finditer(r"(?<![\w.])\d+(\.\d+)?", page))
    assert len(numbers) > 100
    for number in numbers:
        changed = f"{page[: number.start()]}{float(number[0]) + 0.001:.7f}{page[number.end() :]}"
        assert mistakes(changed), page[
            page.rfind("\n", 0, number.start()) + 1 : page.find("\n", number.end())
        ]


@pytest.mark.parametrize(
    ("added", "said"),
    [
        ("The loss is then about 0.36.", "nothing checks"),
        ("The loss is then `0.3610146`.", "nothing checks"),
        ("The loss falls by ¾ or 3² or x².", "nothing checks"),
        ("A weight `w13` there is not.", "nothing checks w13"),
        ("- 2.5", "nothing checks"),
        ("# Step 2", "nothing checks"),
        ("<!-- 7 -->", "nothing checks"),
        ("```\n3\n```", "nothing checks"),
        ("| what | how many |\n|---|---|\n| weights | 12 |", "nothing checks"),
        ("It is `A: z1 = 2.5`.", "not equal"),
        ("It is `A: z1 ≠ h1 = 2.0`.", "equal after all"),
        ("It is `z1 = 2.0`.", "no statement"),
        ("```text\nA: z1 is 2.0\n```", "no statement"),
        ("```text\nA: z3 = 2.0\n```", "cannot be evaluated"),
        ("| name | A |\n|---|---|\n| z1 | 2.5 |", "not 2.5"),
        ("| name | A |\n|---|---|\n| z1 | 2.0 or 2.5 |", "has no z1"),
        ("| name | both |\n|---|---|\n| z1 | 2.0 |", "has no z1"),
        ("| name | C |\n|---|---|", "no such scope"),
        ("| name | formula | A |\n|---|---|---|\n| z1 | w11*x1 + b1 | 2.0 |", "not z1"),
        ("| name | formula | both |\n|---|---|---|\n| loss | y1 - t1 | 1.25 |", "no column knows"),
    ],
)
def test_any_added_number_is_seen(added: str, said: str) -> None:
    found = mistakes(f"{PAGE.read_text(encoding='utf-8')}\n{added}\n")
    assert found
    assert said in found[0]


def test_equal_units_stay_equal_and_random_ones_part() -> None:
    """What the page says of the equal start, over a hundred steps."""
    equal_start, random_start = (
        start(),
        [torch.rand(p.shape, generator=torch.Generator().manual_seed(0)).double() for p in start()],
    )
    for _ in range(100):
        equal_start, random_start = descended(equal_start), descended(random_start)
    w, b, v, _ = equal_start
    assert torch.equal(w[0], w[1])
    assert torch.equal(b[0], b[1])
    assert torch.equal(v[:, 0], v[:, 1])
    assert not torch.equal(v[0], v[1])
    assert (random_start[0][0] - random_start[0][1]).abs().min() > 0.01


def test_the_code_the_page_points_at_is_there() -> None:
    pointers = re.findall(r"\| `([^`]+)` \| `([\w/]+\.py)` \|", PAGE.read_text(encoding="utf-8"))
    assert len(pointers) >= 7
    for code, file in pointers:
        assert code in (ROOT / file).read_text(encoding="utf-8"), (
            f"{file} has no {code} any more; correct the last table of {PAGE.name}"
        )
