"""Judges what ships on the test split: measures, slices, robustness, each with its interval, and a
page to look at it.
"""

import csv
import io
from itertools import combinations
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from duli.base import files, kinds, machine, rooms
from duli.base.errors import DataError
from duli.base.kinds import Kind
from duli.base.params import Params
from duli.base.tasks import Targets
from duli.evaluation.predict import onnx_logits, softmax
from duli.models.shared.restore import restore
from duli.preparation.prepared.parquet import arrays, examples, opened
from duli.reporting.shared.pages import render
from duli.tasks.classification.comparing import paired as compare
from duli.tasks.classification.judging import (
    baseline,
    calibration,
    charts,
    coverage,
    metrics,
    slices,
)
from duli.tasks.classification.judging.judged import Facts, Labels, Model, Shown, Test
from duli.tasks.classification.judging.judges import Judge
from duli.tasks.classification.judging.params import Evaluate
from duli.tasks.classification.judging.slices import Groups

MODELS = Path("models")
PREPARED = Path("data/prepared")
# the network that all variants were made from, and its export as it is
TRAINED, EXPORTED = "torch", "fp32"
GALLERY = 24  # of the worst mistakes
MOST_CLASSES = 20  # that a drawn confusion matrix has room for
# Columns that every data set has, none of which says what an example is of.
COLUMNS = ("id", "split", "label", "content", "sha256")
# Columns of the tables that may have no row.
HEADS = {
    "slices": ("slice", "by", "group", "value", "low", "high", "n"),
    "robustness": ("disturbance", "model", "accuracy", "accuracy_low", "accuracy_high", "examples"),
}


def main() -> None:
    params = Params("params.yaml")
    settings = params.section("evaluate", Evaluate)
    model = _model()
    stats = files.read_json(PREPARED / "stats.json")
    kind = kinds.prepared(files.read_json(PREPARED / "preprocessing.json"))
    targets = rooms.task(params.values["task"], "targets.targets").Targets.prepared(stats)
    test = _split("test", kind, targets)
    judge: Judge = rooms.kind(kind.name, "judging.judge")
    skipped = dict(judge.skipped(model.description))

    probabilities, temperature, export = _probabilities(model, test)
    facts, tables = _measures(model, test, probabilities, settings)
    answers = probabilities[model.shipped].argmax(axis=1)
    found, no_slices = _slices(
        model,
        test,
        answers,
        stats.get("sensitive", []),
        settings,
        {} if "looks" in skipped else judge.looks(test),
    )
    facts = {
        "test_digest": stats["splits"]["test"]["digest"],
        "variant": model.shipped,
        # What rounds: another CPU or library may give other last digits.
        "judged_on": {**machine.cpu(), "versions": machine.versions("onnxruntime", "numpy")},
        **facts,
        "validation_gap": compare.gap(_validated(model), facts["accuracy"]),
        "baseline": _baselines(judge, test, answers, len(stats["classes"])),
        "temperature": temperature,
        "export": export,
        "slices": found,
        "robustness": (
            {} if "corruptions" in skipped else judge.robustness(model, test, settings.robustness)
        ),
        # What was not measured, and why.
        "skipped": {**skipped, **({"slices": no_slices} if no_slices else {})},
    }
    tables |= {"slices": _slice_rows(found), "robustness": _robustness_rows(facts["robustness"])}
    shown = Shown({}, {"mistakes": [], "corruptions": {}})
    if "gallery" not in skipped:
        shown = judge.shown(model, test, facts, settings.robustness.seed)
    page = _page(model, facts, tables, shown, stats["title"])

    for name, rows in tables.items():
        files.write_text(f"reports/{name}.csv", _csv(rows, HEADS.get(name) or tuple(rows[0])))
    with files.atomic("reports/predictions.parquet") as file:
        pq.write_table(_predictions(test, probabilities), file)
    files.write_json("reports/evaluation.json", facts)
    files.write_text("reports/evaluation.html", page)
    _tell(facts)


def _model() -> Model:
    description = files.read_json(MODELS / "model.json")
    weights = files.verified(
        MODELS / description["weights"]["file"], description["weights"]["sha256"]
    )
    variants, shipped = (
        files.read_json("reports/quantization.json")["variants"],
        files.read_json("reports/choice.json")["variant"],
    )
    onnx = {
        name: files.verified(MODELS / variants[name]["file"], variants[name]["sha256"])
        for name in dict.fromkeys((EXPORTED, shipped))
    }
    return Model(description, restore(description, weights), onnx, shipped)


def _split(name: str, kind: Kind, targets: Targets, rows: NDArray[np.int64] | None = None) -> Test:
    """A split, or some rows of it."""
    with opened(PREPARED / f"{name}.parquet") as file:
        table = file.read()
    if rows is not None:
        table = table.take(pa.array(rows))
    return Test(table, *arrays(table, kind, targets), kind, targets)


def _validated(model: Model) -> Facts:
    """The share of the validation split that what ships answers right."""
    found: Facts = files.read_json("reports/quantization.json")["variants"][model.shipped][
        "validation_accuracy"
    ]
    return found


def _baselines(judge: Judge, test: Test, answers: Labels, classes: int) -> Facts:
    """What simpler models answer to the test split, and how much more often `answers` are right."""
    with opened(PREPARED / "train.parquet") as file:
        labels = file.read(columns=["label"])["label"].to_numpy().astype(np.int64)
    width = int(np.prod(test.inputs.shape[1:]))
    train = _split("train", test.kind, test.targets, baseline.drawn(len(labels), classes, width))
    linear = judge.linear(train, _split("validation", test.kind, test.targets), test)
    simple = {"majority": baseline.majority(labels, len(test.labels)), "linear": linear.answers}
    facts = {
        name: {
            "accuracy": metrics.accuracy(one, test.labels),
            **compare.gain_points(one, answers, test.labels),
        }
        for name, one in simple.items()
    }
    facts["linear"] |= {"examples": linear.examples, "strength": linear.strength}
    return facts


def _probabilities(model: Model, test: Test) -> tuple[dict[str, NDArray[np.float64]], Facts, Facts]:
    """Of every variant on the test split, at the temperature of the one that ships; that
    temperature; and how well the export agrees.
    """
    # It is fitted on validation: nothing is chosen by the test split.
    validation, validation_labels = examples(
        PREPARED / "validation.parquet", test.kind, test.targets
    )
    temperature = calibration.temperature(
        onnx_logits(model.onnx[model.shipped], validation), validation_labels
    )
    scale = temperature.value if temperature.helps else 1.0
    logits = {TRAINED: model.logits_trained(test.inputs)}
    logits |= {name: onnx_logits(content, test.inputs) for name, content in model.onnx.items()}
    probabilities = {name: softmax(one / scale) for name, one in logits.items()}
    export = compare.agreement(logits[EXPORTED], logits[TRAINED])
    return (
        probabilities,
        {"value": scale, "fitted": temperature.value, "gain": temperature.gain},
        export,
    )


def _measures(
    model: Model, test: Test, probabilities: dict[str, NDArray[np.float64]], settings: Evaluate
) -> tuple[Facts, Facts]:
    """Everything that follows from probabilities and labels: the numbers, and the tables behind the
    plots.
    """
    classes, labels, shipped = (
        model.description["classes"],
        test.labels,
        probabilities[model.shipped],
    )
    answers = {name: one.argmax(axis=1) for name, one in probabilities.items()}
    predictions, confidence = answers[model.shipped], shipped.max(axis=1)
    correct = (predictions == labels).astype(np.float64)
    counts = metrics.confusion(predictions, labels, len(classes))
    worst = metrics.worst_mistakes(shipped, labels, GALLERY)
    facts = {
        **metrics.summary(shipped, labels, settings.confidence_threshold, settings.top_k),
        "variants": {
            name: {"accuracy": metrics.accuracy(answers[name], labels)}
            for name in (TRAINED, EXPORTED)
        },
        # What export and quantization changed of the trained model's answers.
        "paired": compare.paired(answers[TRAINED], predictions, labels).points(),
        "wrong": int((predictions != labels).sum()),
        # Lists hold what the page shows and what is no metric: gates and MLflow leave lists out.
        "most_confused": metrics.most_confused(counts, classes),
        "per_class": metrics.per_class(counts, classes),
        "mistakes": [
            {
                "id": test.table["id"][row].as_py(),
                "row": row,
                "label": classes[labels[row]],
                "prediction": classes[predictions[row]],
                "confidence": float(confidence[row]),
                "label_probability": float(shipped[row, labels[row]]),
            }
            for row in worst.tolist()
        ],
    }
    pairs = zip(labels, predictions, strict=True)
    return facts, {
        "confusion": [
            {"label": classes[label], "prediction": classes[prediction]}
            for label, prediction in pairs
        ],
        "per_class": facts["per_class"],
        "reliability": calibration.reliability(confidence, correct),
        "risk_coverage": coverage.curve(confidence, correct),
    }


def _slices(
    model: Model,
    test: Test,
    predictions: Labels,
    sensitive: list[str],
    settings: Evaluate,
    looks: dict[str, NDArray[np.float64]],
) -> tuple[Facts, dict[str, str]]:
    """The slices of the test split, judged, the sensitive ones first; and why others could not be
    cut.
    """
    cut: dict[str, Groups | str] = {
        name: _cut(test.table[name], settings.slices.quantiles) for name in sensitive
    }
    for one, other in combinations(sensitive, 2):
        first, second = cut[one], cut[other]
        if not isinstance(first, str) and not isinstance(second, str):
            _add(cut, f"{one}_x_{other}", slices.crossed(first, second))
    marked = list(cut)
    _add(
        cut,
        "class",
        slices.by_value([model.description["classes"][label] for label in test.labels]),
    )
    for name, values in looks.items():
        _add(cut, name, slices.by_quantile(values, settings.slices.quantiles))
    for name in test.table.column_names:
        if name not in (*COLUMNS, *test.kind.statistics.names) and name not in sensitive:
            _add(cut, name, _cut(test.table[name], settings.slices.quantiles))
    groups = {name: one for name, one in cut.items() if not isinstance(one, str)}
    reasons = {name: one for name, one in cut.items() if isinstance(one, str)}
    return (
        slices.judged(groups, predictions, test.labels, settings.slices.min_examples, marked),
        reasons,
    )


def _cut(column: pa.ChunkedArray, parts: int) -> Groups | str:
    """Groups of a column of the data set: by quantile where it holds numbers, else by value."""
    if pa.types.is_floating(column.type) or pa.types.is_integer(column.type):
        return slices.by_quantile(column.cast(pa.float64()).to_numpy(), parts)
    return slices.by_value(column.to_pylist())


def _add(cut: dict[str, Groups | str], name: str, groups: Groups | str) -> None:
    if name in cut:
        raise DataError(
            f"two slices are called '{name}', one of them after a column of the data set; rename"
            " that in duli/datasets/"
        )
    cut[name] = groups


def _slice_rows(found: Facts) -> list[Facts]:
    return [
        {"slice": f"{by}: {row['group']}", "by": by, **row}
        for by, facts in found.items()
        for row in facts["groups"]
    ]


def _robustness_rows(found: Facts) -> list[Facts]:
    """One row for each way in which the images were spoilt or attacked, and one for them as they
    are.
    """
    if not found:
        return []
    spoilt = {"none": found["clean"], **found["corruptions"]}
    rows = [(name, "shipped", score) for name, score in spoilt.items()]
    rows += [
        (f"pgd {size}, {which}", which, score)
        for size, both in found.get("pgd", {}).items()
        for which, score in both.items()
    ]
    return [
        {
            "disturbance": name.replace("_", " "),
            "model": which,
            "accuracy": score["value"],
            "accuracy_low": score["low"],
            "accuracy_high": score["high"],
            "examples": score["n"],
        }
        for name, which, score in rows
    ]


def _page(model: Model, facts: Facts, tables: Facts, shown: Shown, title: str) -> str:
    """reports/evaluation.html: the numbers of evaluation.json, charts of the tables, and what can
    be shown of the examples.
    """
    classes, found = model.description["classes"], facts["robustness"]
    place = {name: index for index, name in enumerate(classes)}
    pairs = np.array(
        [(place[row["label"]], place[row["prediction"]]) for row in tables["confusion"]]
    )
    counts = metrics.confusion(pairs[:, 1], pairs[:, 0], len(classes)).tolist()
    accepted = facts["accuracy_of_accepted"]
    drawn: Facts = {
        "confusion": charts.confusion(counts, classes) if len(classes) <= MOST_CLASSES else None,
        "reliability": charts.reliability(tables["reliability"]),
        "risk_coverage": charts.risk_coverage(
            tables["risk_coverage"],
            (facts["coverage"]["value"], 1 - accepted["value"]) if accepted["n"] else None,
        ),
        "slices": _slice_charts(facts),
        **shown.charts,
    }
    if found:
        drawn["corruptions"] = charts.scores(
            [_score(name.replace("_", " "), score) for name, score in found["corruptions"].items()],
            "share of right answers",
            "corruptions",
            start=0,
            reference=found["clean"]["value"],
            ranked=True,
        )
    return render(
        "tasks/classification/judging/evaluation.html.j2",
        facts=facts,
        charts=drawn,
        pictures=shown.pictures,
        kind=model.description["kind"],
        title=title,
        architecture=model.description["architecture"]["name"],
    )


def _slice_charts(facts: Facts) -> dict[str, str]:
    """A chart for each property with groups that were judged, all with the same axis."""
    scores = {
        by: [_score(row["group"], row) for row in found["groups"]]
        for by, found in facts["slices"].items()
    }
    start = charts.start([score for rows in scores.values() for score in rows])
    whole = facts["accuracy"]["value"]
    return {
        by: charts.scores(
            rows, "share of right answers", f"slice-{by}", start=start, reference=whole
        )
        for by, rows in scores.items()
        if rows
    }


def _score(label: str, score: Facts) -> charts.Score:
    return charts.Score(label, score["value"], score["low"], score["high"])


def _tell(facts: Facts) -> None:
    accuracy, error, temperature = (
        facts["accuracy"],
        facts["calibration_error"],
        facts["temperature"],
    )
    print(f"{facts['variant']}: accuracy {_told(accuracy)}")
    print(
        f"calibration error {error['value']:.4f} ({error['low']:.4f} to {error['high']:.4f}) at"
        f" temperature {temperature['value']:.3f}"
    )
    for name, one in facts["baseline"].items():
        gain = one["gain_points"]
        print(
            f"{name}: accuracy {_told(one['accuracy'])}; {gain['value']:+.2f} points over it"
            f" ({gain['low']:+.2f} to {gain['high']:+.2f})"
        )
    for by, found in facts["slices"].items():
        if worst := found.get("worst"):
            print(f"weakest by {by}: {worst['group']}, {_told(worst)}")
    if found := facts["robustness"]:
        print(
            f"spoilt examples: accuracy {_told(found['mean'])} on average, {_told(found['worst'])}"
            f" under {found['worst']['name']}"
        )
    for name, reason in facts["skipped"].items():
        print(f"left out: {name}: {reason}")
    print("the page is reports/evaluation.html")


def _told(score: Facts) -> str:
    return f"{score['value']:.2%} ({score['low']:.2%} to {score['high']:.2%}, n = {score['n']:,})"


def _predictions(test: Test, probabilities: dict[str, NDArray[np.float64]]) -> pa.Table:
    """Id, label and the probabilities of every variant, from which its answers and all comparisons
    follow.
    """
    columns = {"id": test.table["id"], "label": pa.array(test.labels, pa.int16())}
    for name, one in probabilities.items():
        columns[name] = pa.FixedSizeListArray.from_arrays(
            pa.array(one.astype(np.float32).ravel()), one.shape[1]
        )
    return pa.table(columns)


def _csv(rows: list[Facts], head: tuple[str, ...]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=head, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()
