"""Writes the model card: what people promise comes from params, every number from the files of the run."""

from collections.abc import Mapping
from typing import Any

from jinja2 import Environment, StrictUndefined, UndefinedError

from duli.errors import DataError
from duli.packaging.params import Release

TEMPLATE = """\
# {{ release.title }}: `{{ release.name }}` {{ release.version }}

{% if signer %}
> **Signed as a folder.** The signature is the file `model.sig` beside this wheel, in the folder that {{ release.publisher }} released; it
> covers every file of that folder. A wheel that comes alone is unsigned, and `{{ release.name }} verify` finds damage, not forgery:
> check the signature before you install the wheel, as is said below under Integrity.
{% else %}
> **UNSIGNED.** No signature vouches for this release. `{{ release.name }} verify` finds damage, not forgery: before you install the
> wheel, compare its SHA-256 with the one {{ release.publisher }} gives you by another way.
{% endif %}

{{ release.summary }}

On {{ evaluation.accuracy.n | count }} test images it has never seen, the model in this wheel (variant `{{ variant }}`) answers
{{ evaluation.accuracy | right }} right: **{{ evaluation.accuracy | percent }}** (95 % interval {{ evaluation.accuracy | interval }}).
The wheel was installed in a bare environment and gave exactly this many right answers again before it was released.

Published by {{ release.publisher }} under {{ release.licence }}.

## What it is for

{% for line in release.intended %}
- {{ line }}
{% endfor %}

## What it is not for

{% for line in release.not_intended %}
- {{ line }}
{% endfor %}

## Use

    pip install {{ wheel_name }}
    {{ release.name }} predict image.png          # also .npy and IDX files, .gz, and - for standard input
    {{ release.name }} predict images.npy --json  # one object a line, with the probabilities of all classes
    {{ release.name }} verify                     # compares every file with the manifest

From Python:

    from {{ release.package }}.predictor import Predictor
    labels, probabilities = Predictor().predict(images)

`images` are pixels 0 to 255 (uint8) as [n, {{ stats.channels }}, {{ stats.height }}, {{ stats.width }}]
{%- if stats.channels == 1 %} or [n, {{ stats.height }}, {{ stats.width }}]{% endif %}. The answers are
{{ stats.classes | length }} classes: {{ stats.classes | join(", ") }}.

## Numbers

| measure | value | 95 % interval | images |
|---|---|---|---|
| accuracy of this wheel, test split | {{ evaluation.accuracy | row }} |
| accuracy of this wheel, validation split | {{ shipped.validation_accuracy | row }} |
| accuracy before export and quantization, test split | {{ evaluation.variants.torch.accuracy | row }} |
| answers given at a probability of at least {{ evaluation.confidence_threshold }} | {{ evaluation.coverage | row }} |
| accuracy of those answers | {{ evaluation.accuracy_of_accepted | row }} |
| macro F1 | {{ evaluation.macro_f1 | ranged }} |
| log loss, nats | {{ evaluation.log_loss | ranged }} |
| calibration error: how far the probabilities are from the share of right answers | {{ evaluation.calibration_error | ranged }} |

## What export and quantization changed

| variant | bytes | accuracy, validation split | 95 % interval | images | at worst lost against fp32 | cost of a prediction | outcome |
|---|---|---|---|---|---|---|---|
{% for name, facts in quantization.variants.items() %}
| {{ name }} | {{ facts.bytes | count }} | {{ facts.validation_accuracy | row }}
{#- #} | {% if facts.paired is defined %}{{ facts.paired.drop_points.high | number }} points{% endif %}
{#- #} | {{ benchmark.variants[name].cost_ratio | number }} | {% if name == variant %}in this wheel
{%- else %}{{ "allowed" if facts.within_bounds else "refused" }}{% endif %} |
{% endfor %}

Of the variants that keep their answers the cheapest ships. {{ benchmark.reason }}

{% for name, reason in quantization.left_out.items() %}
- `{{ name }}` was not made: {{ reason }}
{% endfor %}

{% set paired = evaluation.paired %}
Image by image on {{ paired.n | count }} test images, this wheel lost {{ paired.lost | count }} right answers of the trained model and won
{{ paired.won | count }}: a drop of {{ paired.drop_points.value | number }} points (95 % interval {{ paired.drop_points.low | number }} to
{{ paired.drop_points.high | number }}). The exported graph disagreed with the trained model on
{{ evaluation.export.disagreements | count }} of {{ evaluation.export.n | count }} test images; the largest difference of a probability was
{{ evaluation.export.max_probability_difference | number }}.

## Speed

| variant | latency of one image, one thread: median | p95 | p99 | calls | images/s, one thread | images/s, every core busy | peak memory |
|---|---|---|---|---|---|---|---|
{% for name, facts in benchmark.variants.items() %}
| {{ name }}{{ " (in this wheel)" if name == variant }} | {{ facts.latency_ms.value | number }} ms | {{ facts.latency_ms.p95 | number }} ms
{#- #} | {{ facts.latency_ms.p99 | number }} ms | {{ facts.latency_ms.n | count }} | {{ facts.throughput | rate }}
{#- #} | {{ facts.machine_throughput | rate }} | {{ facts.peak_mb.value | number }} MB |
{% endfor %}

This wheel's model is {{ benchmark.speedup | number }} times as fast as the trained network in PyTorch (one thread, batches of
{{ benchmark.variants[variant].throughput.batch }}), in the same run. Images/s are the most that kept the slowest call in a hundred within
{{ benchmark.slo_ms | number }} ms: medians of rounds in which all took turns; the spread is the range of their middle half over the median.
{% if benchmark.noisy %}
The machine was busy: {{ benchmark.noise | join(" ") }}
{% endif %}
Measured on {{ benchmark.hardware | facts }}; with {{ benchmark.versions | facts }}.
Another machine has other speeds.

## Data

{{ stats.title }}. Licence: {{ stats.licence }}.

| split | images | digest |
|---|---|---|
{% for name, split in stats.splits.items() %}
| {{ name }} | {{ split.examples | count }} | `{{ split.digest }}` |
{% endfor %}

{% if stats.quarantined %}
Taken out and kept apart:
{%- for reason, n in stats.quarantined.items() %} {{ n | count }} for "{{ reason }}"{{ "," if not loop.last }}{% endfor %}.
{% else %}
Nothing had to be taken out.
{% endif %}
The model was fitted to the train split alone; no image of the test split, nor an exact copy of one, is in it.

## Model

Architecture `{{ model.architecture.name }}` with {{ model.weights.parameters | count }} parameters, trained in {{ model.precision }} on
{{ model.device }} with {{ model.versions | facts }}. The scaling of pixels is part of the graph.

## Limits

{% for line in release.limits %}
- {{ line }}
{% endfor %}
- Nothing was measured on images from elsewhere than the data named above, and nothing about groups of people.
- It always answers with one of its classes, also for an image that shows none of them.

## Integrity

| what | SHA-256 |
|---|---|
| the model in this wheel | `{{ shipped.sha256 }}` |
| the weights it was made from | `{{ model.weights.sha256 }}` |
| the source of its architecture | `{{ model.architecture.source_sha256 }}` |

`{{ release.name }} verify` compares every file of the installed package with its manifest and refuses changed, missing and unlisted
ones; so does every `predict`. The wheel's own SHA-256 stands in the `manifest.json` that comes beside it. Not covered: Python's
bytecode caches, and whoever can replace both a file and the manifest.
{% if signer %}

Only the signature finds a forgery. Below, `dist` is the folder you were given, with `model.sig` in it, and `signing.pub` the public key of
{{ release.publisher }}, which you have by another way than this release:

    pip install {{ signer.tool }} pyopenssl
    model_signing verify key dist --no-ignore-git-paths --signature dist/model.sig --public_key signing.pub

It ends with "Verification succeeded" if each file is as it was signed and no other is there. The key ({{ signer.algorithm }}) has the
fingerprint `{{ signer.fingerprint }}`; that of yours is what
`openssl pkey -pubin -in signing.pub -outform DER | sha256sum` prints.
{% endif %}
"""


def render(
    release: Release,
    wheel_name: str,
    *,
    stats: Mapping[str, Any],
    model: Mapping[str, Any],
    evaluation: Mapping[str, Any],
    quantization: Mapping[str, Any],
    benchmark: Mapping[str, Any],
    choice: Mapping[str, Any],
    signer: Mapping[str, str] | None,
) -> str:
    """The card in Markdown, from the contents of the run's JSON files; raises `DataError` where a number is missing.

    `signer` says whose signature the folder gets that the wheel and the card lie in, None that it gets none.
    """
    environment = Environment(undefined=StrictUndefined, trim_blocks=True, keep_trailing_newline=True, autoescape=False)  # noqa: S701
    environment.filters |= FILTERS
    variant = choice["variant"]
    try:
        return environment.from_string(TEMPLATE).render(
            release=release,
            wheel_name=wheel_name,
            signer=signer,
            variant=variant,
            shipped=quantization["variants"][variant],
            stats=stats,
            model=model,
            evaluation=evaluation,
            quantization=quantization,
            benchmark=benchmark,
        )
    except (UndefinedError, KeyError) as error:
        raise DataError(f"the model card lacks a fact: {error}; run `dvc repro`, which makes the run's files anew") from None


def _right(share: Mapping[str, Any]) -> str:
    return _count(round(share["value"] * share["n"]))


def _percent(share: Mapping[str, Any]) -> str:
    return f"{share['value']:.2%}".replace("%", " %")


def _interval(share: Mapping[str, Any]) -> str:
    return f"{share['low']:.2%} to {share['high']:.2%}".replace("%", " %")


def _row(share: Mapping[str, Any]) -> str:
    return f"{_percent(share)} | {_interval(share)} | {_count(share['n'])}"


def _ranged(measure: Mapping[str, Any]) -> str:
    return f"{_number(measure['value'])} | {_number(measure['low'])} to {_number(measure['high'])} | {_count(measure['n'])}"


def _rate(measure: Mapping[str, Any]) -> str:
    return f"{measure['value']:,.0f} (spread {measure['spread']:.1%})".replace("%", " %")


def _count(value: int) -> str:
    return f"{int(value):,}"


def _number(value: float) -> str:
    return f"{float(value):.4g}"


def _facts(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {' '.join(map(str, value)) if isinstance(value, list) else value}" for name, value in values.items())


FILTERS = {
    "right": _right,
    "percent": _percent,
    "interval": _interval,
    "row": _row,
    "ranged": _ranged,
    "rate": _rate,
    "count": _count,
    "number": _number,
    "facts": _facts,
}
