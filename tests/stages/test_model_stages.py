"""evaluate and quantize on real digits and an untrained network, and on poisoned ones."""

import csv
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pyarrow.parquet as pq
import pytest
import torch
from onnx import numpy_helper
from ruamel.yaml import YAML
from safetensors.torch import save
from sklearn.metrics import accuracy_score

from duli.base import files
from duli.base.errors import DataError, GateError
from duli.base.intervals import proportion
from duli.compression import aware, export, int8, int8_dynamic
from duli.evaluation.predict import onnx_logits, torch_logits
from duli.gates import gates
from duli.kinds.image.judging import pictures
from duli.kinds.image.judging.attack import pgd
from duli.kinds.image.judging.corruptions import corrupted
from duli.kinds.image.learning.inputs import Pixels
from duli.kinds.image.reading.examples import Kind
from duli.models import fastconv
from duli.models.shared.restore import restore
from duli.preparation.prepared.parquet import examples
from duli.reporting.shared.pages import lookup
from duli.tasks.classification.judging import calibration
from duli.tasks.classification.targets.targets import Targets
from harness import browser
from harness.clone import make_line
from stages import evaluate, fetch, prepare, quantize
from tests.evaluation.test_attack import to
from tests.exported import whole
from tests.stages.test_report import Page, as_number

TARGETS = Targets([*"0123456789"])
SETTINGS = {"stem": 8, "blocks": [[8], [8]]}


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory, mnist_folder: Path) -> Path:
    """Prepared digits, and a network whose last layer alone was fitted, so that its answers mean
    something.
    """
    folder = make_line(tmp_path_factory.mktemp("template"), mnist_folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        fetch.main()
        prepare.main()
    stats, described = (
        json.loads((folder / f"data/prepared/{name}.json").read_text())
        for name in ("stats", "preprocessing")
    )
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = fastconv.build(
            fastconv.Settings(stem=8, blocks=((8,), (8,))),
            channels=1,
            height=28,
            width=28,
            outputs=10,
        )
    normalisation = described["normalisation"]
    _fit_last_layer(model, folder, normalisation)
    weights = save(model.state_dict())
    files.write_bytes(folder / "models/model.safetensors", weights)
    files.write_json(
        folder / "models/model.json",
        {
            "architecture": {
                "name": "fastconv",
                "settings": SETTINGS,
                "source_sha256": files.sha256(str(fastconv.__file__)),
            },
            "kind": "image",
            "input": {"channels": 1, "height": 28, "width": 28},
            "classes": stats["classes"],
            "outputs": len(stats["classes"]),
            "normalisation": normalisation,
            "weights": {
                "file": "model.safetensors",
                "sha256": files.sha256(weights),
                "parameters": 1,
            },
        },
    )
    return folder


def _fit_last_layer(model: torch.nn.Module, folder: Path, normalisation: dict[str, float]) -> None:
    rows = pq.read_table(folder / "data/prepared/train.parquet", columns=["label", "content"])
    pixels = np.stack([np.frombuffer(content, np.uint8) for content in rows["content"].to_pylist()])
    images = (
        torch.from_numpy(pixels.reshape(-1, 1, 28, 28)).float() / 255 - normalisation["mean"]
    ) / normalisation["std"]
    with torch.no_grad():
        model.train()(images)  # running statistics of the batch normalisation
        features = model[:-1].eval()(images)  # type: ignore[index]
        targets = torch.nn.functional.one_hot(
            torch.from_numpy(rows["label"].to_numpy().astype(np.int64)), 10
        ).float()
        design = torch.cat([features, torch.ones(len(features), 1)], dim=1)
        solution = torch.linalg.solve(
            design.T @ design + 10 * torch.eye(design.shape[1]), design.T @ targets
        )
        model[-1].weight.copy_(10 * solution[:-1].T)  # type: ignore[index]
        model[-1].bias.copy_(10 * solution[-1])  # type: ignore[index]


@pytest.fixture
def made(template: Path, line: Path) -> Path:
    """A line of its own, as `template`."""
    for path in template.rglob("*"):
        if path.is_file() and "raw" not in path.parts:
            (line / path.relative_to(template)).parent.mkdir(parents=True, exist_ok=True)
            (line / path.relative_to(template)).write_bytes(path.read_bytes())
    return line


@pytest.fixture(scope="module")
def exported(template: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """What the stage quantize makes of the template, by path; int8 is chosen, as benchmark would,
    whose times are not needed here.
    """
    with pytest.MonkeyPatch.context() as there:
        folder = tmp_path_factory.mktemp("exported")
        shutil.copytree(template, folder, dirs_exist_ok=True)
        there.chdir(folder)
        quantize.main()
        files.write_json(
            "reports/choice.json", {"variant": "int8", **_shipped(report("quantization"), "int8")}
        )
        made = [
            *Path("models/variants").iterdir(),
            Path("reports/quantization.json"),
            Path("reports/choice.json"),
        ]
        return {str(path): path.read_bytes() for path in made}


def _shipped(quantization: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: quantization["variants"][name][key] for key in ("file", "bytes", "sha256")}


@pytest.fixture
def quantized(made: Path, exported: dict[str, bytes]) -> Path:
    """A line of its own, quantized."""
    for name, content in exported.items():
        files.write_bytes(made / name, content)
    return made


@pytest.fixture(scope="module")
def judged(
    template: Path, exported: dict[str, bytes], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A line that evaluate has run in once; for tests that only look."""
    folder = tmp_path_factory.mktemp("judged")
    shutil.copytree(template, folder, dirs_exist_ok=True)
    for name, content in exported.items():
        files.write_bytes(folder / name, content)
    with pytest.MonkeyPatch.context() as there:
        there.chdir(folder)
        evaluate.main()
    return folder


@pytest.fixture
def evaluated(judged: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """`judged`, as the current folder."""
    monkeypatch.chdir(judged)
    return judged


def report(name: str) -> Any:
    return json.loads(Path(f"reports/{name}.json").read_text())


def test_evaluate_agrees_with_sklearn_and_its_own_tables(evaluated: Path) -> None:
    predictions, facts, shipped = (
        pq.read_table("reports/predictions.parquet"),
        report("evaluation"),
        report("choice")["variant"],
    )
    labels = np.array(predictions["label"])
    probabilities = {
        name: np.array(predictions[name].to_pylist()) for name in ("torch", "fp32", "int8")
    }
    for name, one in probabilities.items():
        assert np.allclose(one.sum(axis=1), 1, atol=1e-5)
        stated = facts["accuracy"] if name == shipped else facts["variants"][name]["accuracy"]
        assert stated["value"] == accuracy_score(labels, one.argmax(axis=1)) > 0.3
    assert facts["variant"] == shipped
    assert facts["export"]["max_probability_difference"] < 1e-4
    assert (facts["export"]["disagreements"], facts["export"]["n"]) == (0, 600)
    answers = {name: one.argmax(axis=1) == labels for name, one in probabilities.items()}
    assert facts["paired"]["drop_points"]["value"] == pytest.approx(
        100 * (answers["torch"].mean() - answers[shipped].mean())
    )
    assert (
        facts["test_digest"]
        == json.loads((evaluated / "data/prepared/stats.json").read_text())["splits"]["test"][
            "digest"
        ]
    )
    validated = report("quantization")["variants"][shipped]["validation_accuracy"]["value"]
    assert facts["validation_gap"]["value"] == pytest.approx(validated - facts["accuracy"]["value"])
    assert (
        facts["validation_gap"]["low"]
        < facts["validation_gap"]["value"]
        < facts["validation_gap"]["high"]
    )
    simple, trained = (
        facts["baseline"],
        pq.read_table("data/prepared/train.parquet", columns=["label"])["label"].to_numpy(),
    )
    assert (
        simple["majority"]["accuracy"]["value"] == (labels == np.bincount(trained).argmax()).mean()
    )
    assert 0.7 < simple["linear"]["accuracy"]["value"] < 0.95
    assert simple["linear"]["examples"] == len(trained)
    for one in simple.values():
        gained = 100 * (facts["accuracy"]["value"] - one["accuracy"]["value"])
        assert one["gain_points"]["value"] == pytest.approx(gained)
    confusion = table("confusion")
    assert [int(row["label"]) for row in confusion] == labels.tolist()
    assert [int(row["prediction"]) for row in confusion] == probabilities[shipped].argmax(
        axis=1
    ).tolist()
    assert (
        sum(int(row["examples"]) for row in table("per_class"))
        == sum(int(row["examples"]) for row in table("reliability"))
        == 600
    )
    assert float(table("risk_coverage")[-1]["accuracy"]) == facts["accuracy"]["value"]
    assert (
        {row["by"] for row in table("slices")}
        <= set(facts["slices"])
        == {"class", "brightness", "thickness", "contrast"}
    )
    assert all(row["slice"] == f"{row['by']}: {row['group']}" for row in table("slices"))
    assert facts["skipped"] == {}


def table(name: str) -> list[dict[str, str]]:
    with Path(f"reports/evaluation/{name}.csv").open() as file:
        return list(csv.DictReader(file))


@pytest.mark.slow
def test_the_temperature_makes_probabilities_of_a_wrong_scale_honest(
    quantized: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last layer of the template was fitted by least squares and scaled at will: its
    probabilities mean nothing yet.
    """
    evaluate.main()
    facts = report("evaluation")
    assert facts["temperature"]["gain"]["low"] > 0
    assert facts["temperature"]["value"] == facts["temperature"]["fitted"] != 1.0
    monkeypatch.setattr(calibration.Temperature, "helps", False)
    evaluate.main()
    plain = report("evaluation")
    assert plain["temperature"]["value"] == 1.0
    assert plain["accuracy"] == facts["accuracy"]
    assert facts["log_loss"]["high"] < plain["log_loss"]["low"]


def test_evaluate_without_a_test_split_says_so_and_judges_nothing(quantized: Path) -> None:
    (quantized / "data/prepared/test.parquet").unlink()
    with pytest.raises(
        DataError,
        match=r"data/prepared/test\.parquet.*`dvc repro`",
    ):
        evaluate.main()
    assert not (quantized / "reports/evaluation.json").exists()


def test_a_column_of_the_data_set_is_a_slice(quantized: Path) -> None:
    path = quantized / "data/prepared/test.parquet"
    rows = pq.read_table(path)
    writer = [
        "first" if index < 450 else "second" if index < 590 else "third" for index in range(600)
    ]
    pq.write_table(rows.append_column("writer", [writer]), path)
    evaluate.main()
    facts = report("evaluation")["slices"]["writer"]
    assert [row["group"] for row in facts["groups"]] == ["first", "second"]
    assert facts["not_judged"] == [{"group": "third", "n": 10}]


def test_corruptions_meet_what_ships_and_the_attack_meets_both(evaluated: Path) -> None:
    facts = report("evaluation")
    found, shipped = (
        facts["robustness"],
        (
            evaluated / f"models/{report('quantization')['variants'][facts['variant']]['file']}"
        ).read_bytes(),
    )
    images, labels = examples(evaluated / "data/prepared/test.parquet", Kind(1, 28, 28), TARGETS)
    rows = np.arange(100) * 6  # of 600, evenly
    for name in ("fog", "rotate"):
        answers = onnx_logits(shipped, corrupted(name, images[rows], 0)).argmax(axis=1)
        assert found["corruptions"][name] == proportion(int((answers == labels[rows]).sum()), 100)
    assert found["clean"]["n"] == found["mean"]["n"] == 100

    description = json.loads((evaluated / "models/model.json").read_text())
    model = restore(description, (evaluated / "models/model.safetensors").read_bytes())
    rows = np.arange(60) * 10
    attacked = pgd(
        model,
        images[rows],
        to(labels[rows]),
        epsilon=40 / 255,
        steps=3,
        seed=0,
        **description["normalisation"],
    )
    both = found["pgd"]["40_of_255"]
    of_torch = torch_logits(whole(model, **description["normalisation"]), attacked).argmax(axis=1)
    assert both["trained"] == proportion(int((of_torch == labels[rows]).sum()), 60)
    assert both["shipped"] == proportion(
        int((onnx_logits(shipped, attacked).argmax(axis=1) == labels[rows]).sum()), 60
    )
    assert both["shipped"]["value"] < found["pgd"]["0_of_255"]["shipped"]["value"]

    named = gates.measures({"evaluation": facts})
    for name in (
        "corruptions.fog.low",
        "mean.low",
        "worst.value",
        "pgd.8_of_255.shipped.high",
        "pgd.8_of_255.trained.n",
    ):
        assert f"evaluation.robustness.{name}" in named
        gates.Gate(measure=f"evaluation.robustness.{name}", min=0.0)
    assert {
        float(row["accuracy"]) for row in table("robustness") if row["disturbance"] == "fog"
    } == {found["corruptions"]["fog"]["value"]}
    assert (
        len({row["disturbance"] for row in table("robustness")})
        == len(table("robustness"))
        == 1 + 15 + 2 * 3
    )


def test_the_gallery_holds_the_surest_mistakes_and_the_page_shows_them(evaluated: Path) -> None:
    facts, predictions = report("evaluation"), pq.read_table("reports/predictions.parquet")
    probabilities, labels = (
        np.array(predictions[facts["variant"]].to_pylist()),
        np.array(predictions["label"]),
    )
    wrong = probabilities.argmax(axis=1) != labels
    assert facts["wrong"] == wrong.sum() > 24
    surest = np.sort(probabilities.max(axis=1)[wrong])[::-1][:24]
    assert [one["confidence"] for one in facts["mistakes"]] == pytest.approx(
        surest.tolist(), abs=1e-6
    )
    for one in facts["mistakes"]:
        row = predictions["id"].to_pylist().index(one["id"])
        assert row == one["row"]
        assert (int(one["label"]), int(one["prediction"])) == (
            labels[row],
            probabilities[row].argmax(),
        )
        assert one["label_probability"] == pytest.approx(probabilities[row, labels[row]], abs=1e-6)
    page = (evaluated / "reports/evaluation.html").read_text()
    images, _ = examples(evaluated / "data/prepared/test.parquet", Kind(1, 28, 28), TARGETS)
    assert page.count("<img") == 1 + 15 + 2 * 24
    assert all(pictures.picture(images[one["row"]]) in page for one in facts["mistakes"])


def test_what_the_network_looked_at_adds_up_to_why_it_preferred_the_answer(
    quantized: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Integrated gradients: a map's sum is how much the image moved the answer's logit further than
    the label's, from black on.
    """
    maps = []
    monkeypatch.setattr(
        pictures, "looked_at", lambda image, contributions: maps.append(contributions) or "data:,"
    )
    evaluate.main()
    images, labels = examples(quantized / "data/prepared/test.parquet", Kind(1, 28, 28), TARGETS)
    description = json.loads((quantized / "models/model.json").read_text())
    model = restore(description, (quantized / "models/model.safetensors").read_bytes())
    for one, contributions in zip(report("evaluation")["mistakes"], maps, strict=True):
        image = images[[one["row"]]]
        logits = torch_logits(
            whole(model, **description["normalisation"]),
            np.concatenate([image, np.zeros_like(image)]),
        )
        moved = logits[0] - logits[1]
        assert contributions.sum() == pytest.approx(
            moved[int(one["prediction"])] - moved[labels[one["row"]]], abs=0.2
        )


def test_every_number_of_the_page_is_a_key_of_the_json(evaluated: Path) -> None:
    page, facts = Page((evaluated / "reports/evaluation.html").read_text()), report("evaluation")
    assert [text for text in page.strays if re.search(r"\d", text.replace("95\xa0%", ""))] == []
    assert len(page.figures) > 250
    for key, value, text in page.figures:
        assert lookup(facts, key) == pytest.approx(value, rel=1e-12), key
        points, text = text.endswith("points"), text.removesuffix(" points")
        shown = as_number(text) * (0.01 if points else 1)
        assert shown == pytest.approx(
            value, rel=0.006, abs=0.006 if "%" in text or points else 1e-12
        ), key
    assert all(link.startswith("data:image/png;base64,") for link in page.links)


@pytest.mark.slow
def test_without_a_mistake_the_gallery_says_so(
    quantized: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The labels of the test split are made to be what the file that ships answers."""
    monkeypatch.setattr("duli.tasks.classification.judging.page.MOST_CLASSES", 9)
    evaluate.main()
    assert "Too many classes to draw" in (quantized / "reports/evaluation.html").read_text()
    answers = np.array(
        pq.read_table("reports/predictions.parquet")[report("evaluation")["variant"]].to_pylist()
    ).argmax(axis=1)
    path = quantized / "data/prepared/test.parquet"
    rows = pq.read_table(path)
    column = rows.schema.get_field_index("label")
    pq.write_table(
        rows.set_column(column, rows.schema.field(column), [answers.astype(np.int16)]), path
    )
    evaluate.main()
    facts, page = report("evaluation"), (quantized / "reports/evaluation.html").read_text()
    assert (
        facts["accuracy"]["value"],
        facts["wrong"],
        facts["mistakes"],
        facts["most_confused"],
    ) == (1.0, 0, [], [])
    assert "every answer on the test split is right" in page


@pytest.mark.slow
def test_the_page_works_in_a_browser_offline(evaluated: Path) -> None:
    requests: list[str] = []
    said: list[str] = []
    with browser.page(width=390, height=844) as page:
        page.on("request", lambda request: requests.append(request.url))
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.goto((evaluated / "reports/evaluation.html").as_uri())
        assert [url for url in requests if not url.startswith("data:")] == [page.url]
        assert said == []
        headings = page.locator("h2").all_inner_texts()
        for heading in (
            "Measures",
            "Which classes are confused",
            "As right as it is sure",
            "What answering more costs",
            "Slices",
            "Spoilt images",
            "Attacked images",
            "The worst mistakes",
        ):
            assert heading in headings
        assert page.locator(".gallery.mistakes > figure").count() == 24
        loaded = page.evaluate(
            "[...document.images].every(image => image.complete && image.naturalWidth > 0 &&"
            " image.alt)"
        )
        assert loaded
        for width in (390, 1280):
            page.set_viewport_size({"width": width, "height": 844})
            assert page.evaluate("document.documentElement.scrollWidth") == width
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
            paper, ink = page.evaluate(
                "[getComputedStyle(document.documentElement).backgroundColor,"
                " getComputedStyle(document.body).color]"
            )
            assert (brightness(paper) > brightness(ink)) == (scheme == "light")


def brightness(colour: str) -> float:
    """Of a colour as a browser gives it: rgb(1, 2, 3)."""
    return sum(map(float, re.findall(r"[\d.]+", colour)[:3]))


@pytest.mark.slow
def test_evaluate_writes_the_same_bytes_each_time(quantized: Path) -> None:
    def written() -> dict[str, bytes]:
        evaluate.main()
        files_made = (path for path in (quantized / "reports").rglob("*") if path.is_file())
        return {path.name: path.read_bytes() for path in files_made}

    assert written() == written()


@pytest.mark.parametrize("stage", [evaluate, quantize])
def test_a_flipped_bit_in_the_weights_is_refused(made: Path, stage: Any) -> None:
    weights = made / "models/model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-5] ^= 1
    weights.write_bytes(bytes(content))
    if stage is evaluate:
        files.write_json("reports/quantization.json", {"variants": {}})
        files.write_json("reports/choice.json", {"variant": "fp32"})
    with pytest.raises(DataError, match="SHA-256"):
        stage.main()
    assert not {*(made / "reports").glob("*")} - {
        made / "reports/quantization.json",
        made / "reports/choice.json",
    }


def vary(line: Path, **knobs: Any) -> None:
    """Turns knobs of the section quantize of a line's params."""
    yaml = YAML()
    params = yaml.load((line / "params.yaml").read_text())
    params["quantize"] |= knobs
    with (line / "params.yaml").open("w") as file:
        yaml.dump(params, file)


def test_quantize_compares_each_with_fp32_on_validation_and_never_reads_test(made: Path) -> None:
    (made / "data/prepared/test.parquet").unlink()
    (made / "models/variants").mkdir()
    (made / "models/variants/old.onnx").touch()
    quantize.main()
    facts = report("quantization")
    examples = json.loads((made / "data/prepared/stats.json").read_text())["splits"]["validation"][
        "examples"
    ]
    assert facts["export"]["disagreements"] == 0
    assert facts["export"]["max_probability_difference"] < 1e-4
    assert [*facts["variants"]] == ["fp32", "int8", "fp16"]
    assert facts["left_out"] == {}
    reference = facts["variants"]["fp32"]
    assert reference["within_bounds"] is True
    assert "paired" not in reference
    assert {path.name for path in (made / "models/variants").iterdir()} == {
        "fp32.onnx",
        "int8.onnx",
        "fp16.onnx",
    }
    for name, variant in facts["variants"].items():
        content = (made / "models" / variant["file"]).read_bytes()
        assert (files.sha256(content), len(content), variant["format"]) == (
            variant["sha256"],
            variant["bytes"],
            name,
        )
        if name != "fp32":
            lost = 100 * (
                reference["validation_accuracy"]["value"] - variant["validation_accuracy"]["value"]
            )
            assert variant["paired"]["drop_points"]["value"] == pytest.approx(lost)
            assert variant["paired"]["n"] == facts["export"]["n"] == examples
            rows = [row for row in facts["by_class"] if row["variant"] == name]
            assert [row["class"] for row in rows] == [*"0123456789"]
            assert sum(row["lost"] for row in rows) == variant["paired"]["lost"]
            assert variant["worst_class"]["drop_points"]["high"] == max(
                row["drop_points"]["high"] for row in rows
            )
    before = {
        name: (made / "models" / name).read_bytes()
        for name in ("variants/fp32.onnx", "variants/int8.onnx", "variants/fp16.onnx")
    }
    quantize.main()
    assert {name: (made / "models" / name).read_bytes() for name in before} == before


def test_a_file_whose_sums_overflow_without_vnni_is_refused_however_well_it_answers(
    made: Path,
) -> None:
    vary(
        made,
        variants=["int8", "int8_full"],
        calibration=["minmax"],
        max_drop=1.0,
        max_class_drop=1.0,
    )
    quantize.main()
    seven, eight = (report("quantization")["variants"][name] for name in ("int8", "int8_full"))
    assert (seven["saturating_pairs"], seven["within_bounds"]) == (0, True)
    assert eight["saturating_pairs"] > 0
    assert eight["within_bounds"] is False
    assert f"{eight['saturating_pairs']:,} pairs" in eight["reason"]
    assert "VNNI" in eight["reason"]


@pytest.mark.slow
def test_all_networks_run_by_themselves_and_are_the_same_each_time(made: Path) -> None:
    names = [
        "aware_int8",
        "int8",
        "int8_dynamic",
        "fp16",
        "sparse_fp32",
        "sparse_int8",
        "narrow_fp16",
        "narrow_int8",
        "distilled_int8",
    ]
    # no interval of so few examples stays within no loss: so aware is made
    vary(made, variants=names, max_drop=0)
    quantize.main()
    facts = report("quantization")
    assert [*facts["variants"]] == ["fp32", *names]
    assert not any(facts["variants"][name]["within_bounds"] for name in names)
    images, _ = examples(made / "data/prepared/validation.parquet", Kind(1, 28, 28), TARGETS)
    content = {
        name: (made / "models/variants" / f"{name}.onnx").read_bytes() for name in facts["variants"]
    }
    for name, one in content.items():
        assert onnx_logits(one, images[:3]).shape == (3, 10), name
    zeros = [
        numpy_helper.to_array(one) == 0
        for one in onnx.load_from_string(content["sparse_fp32"]).graph.initializer
        if len(one.dims) > 1
    ]
    assert sum(one.sum() for one in zeros) / sum(one.size for one in zeros) == pytest.approx(
        0.6, abs=0.02
    )
    assert len(content["narrow_int8"]) < len(content["int8"])
    quantize.main()
    assert {
        name: (made / "models/variants" / f"{name}.onnx").read_bytes() for name in content
    } == content


def test_an_export_that_answers_differently_stops_the_line(
    made: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real: Callable[..., bytes] = export.to_onnx
    monkeypatch.setattr(
        export,
        "to_onnx",
        lambda model, before, example, name: real(
            model, Pixels(0.33, 0.31).exported(), example, name
        ),
    )
    with pytest.raises(GateError, match="disagrees with the trained one"):
        quantize.main()
    assert not list((made / "models").rglob("*.onnx"))


def test_a_broken_int8_variant_is_out_of_bounds(
    made: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(int8, "quantize", poisoned(np.float32(100)))
    quantize.main()
    facts = report("quantization")["variants"]["int8"]
    assert facts["within_bounds"] is False
    assert "more than the allowed" in facts["reason"]


@pytest.mark.parametrize("factor", ["nan", "inf", "0", "-1"])
def test_a_scale_that_is_no_scale_leaves_the_variant_out(
    made: Path, monkeypatch: pytest.MonkeyPatch, factor: str
) -> None:
    vary(made, calibration=["minmax"])
    monkeypatch.setattr(int8, "quantize", poisoned(np.float32(factor)))
    quantize.main()
    facts = report("quantization")
    assert [*facts["variants"]] == ["fp32", "fp16"]
    assert re.search(
        r"read by (Q|Deq)uantizeLinear, has a scale that is broken; look for",
        facts["left_out"]["int8"],
    )
    assert "or take int8 out of quantize.variants" in facts["left_out"]["int8"]
    assert not (made / "models/variants/int8.onnx").exists()
    assert facts["calibration"] is None


def poisoned(factor: np.float32) -> Callable[..., bytes]:
    """The quantizer, and one scale of an activation wrong by `factor`."""
    real: Callable[..., bytes] = int8.quantize

    def quantized(model: bytes, images: Any, calibration: Any) -> bytes:
        proto = onnx.load_from_string(real(model, images, calibration))
        scale = next(
            one
            for one in proto.graph.initializer
            if one.data_type == onnx.TensorProto.FLOAT and one.dims == []
        )
        scale.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(scale) * factor, scale.name))
        return bytes(proto.SerializeToString())

    return quantized


def test_what_a_library_cannot_make_is_left_out_and_named(
    made: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    vary(made, variants=["int8", "int8_dynamic", "fp16"])

    def refused(*_: object) -> bytes:
        raise NotImplementedError("no kernel for Erf")

    def without_kernel(model: bytes) -> bytes:
        """A file that is well formed, with an operator that no runtime has."""
        proto = onnx.load_from_string(model)
        next(node for node in proto.graph.node if node.op_type == "Relu").op_type = "Reluu"
        return bytes(proto.SerializeToString())

    monkeypatch.setattr(int8, "quantize", refused)
    monkeypatch.setattr(int8_dynamic, "quantize", without_kernel)
    quantize.main()
    facts = report("quantization")
    assert [*facts["variants"]] == ["fp32", "fp16"]
    assert "NotImplementedError: no kernel for Erf; take operators" in facts["left_out"]["int8"]
    assert "Reluu" in facts["left_out"]["int8_dynamic"]
    assert all("\n" not in reason for reason in facts["left_out"].values())


def test_a_fine_tune_that_diverges_leaves_its_variants_out(made: Path) -> None:
    vary(
        made,
        variants=["narrow_fp32", "fp16"],
        narrow={"share": 0.5, "epochs": 3, "learning_rate": 10.0},
    )
    yaml = YAML()
    params = yaml.load((made / "params.yaml").read_text())
    params["train"] |= {
        "optimizer": "sgd",
        "warm_up": 0.001,
        "precision": "float32",
        "loss": "mean_squared_error",
    }
    with (made / "params.yaml").open("w") as file:
        yaml.dump(params, file)
    quantize.main()
    facts = report("quantization")
    assert [*facts["variants"]] == ["fp32", "fp16"]
    assert "lower quantize.narrow.learning_rate" in facts["left_out"]["narrow_fp32"]


def test_aware_is_made_only_where_int8_is_out_of_bounds(
    made: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    vary(made, variants=["int8", "aware_int8"], max_drop=1.0, max_class_drop=1.0)
    monkeypatch.setattr(aware, "rounding", lambda _: pytest.fail("made"))
    quantize.main()
    assert report("quantization")["left_out"] == {
        "aware_int8": "not needed: int8 stays within its bounds without it"
    }


def test_a_network_that_onnx_cannot_say_holds_the_line_and_names_the_operator(
    made: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Svd(torch.nn.Module):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return torch.linalg.svdvals(images[:, 0])[:, :10]

    monkeypatch.setattr(quantize, "restore", lambda *_: Svd())
    with pytest.raises(
        GateError,
        match=r"ONNX.*_linalg_svd.*ONNX",
    ) as raised:
        quantize.main()
    assert "\n" not in str(raised.value)
    assert not (made / "models/variants").exists()


def test_calibration_rows_that_miss_a_class_are_refused(
    made: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "duli.tasks.classification.comparing.variants.balanced",
        lambda labels, *_: np.flatnonzero(labels != 3)[:64],
    )
    with pytest.raises(
        DataError,
        match=(r"64.*3.*quantize.calibration_rows"),
    ):
        quantize.main()
    assert not Path("reports/quantization.json").exists()


def test_the_calibration_that_keeps_most_answers_is_taken(
    made: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real: Callable[..., bytes] = int8.quantize

    def made_worse(model: bytes, images: Any, calibration: str) -> bytes:
        """Calibrated on black images, but for one method."""
        return real(model, images if calibration == "percentile" else images * 0, calibration)

    monkeypatch.setattr(int8, "quantize", made_worse)
    quantize.main()
    facts = report("quantization")
    assert facts["calibration"] == "percentile"
    assert facts["calibrations"].keys() == {"minmax", "entropy", "percentile"}
    best = facts["calibrations"]["percentile"]
    assert facts["variants"]["int8"]["paired"] == {
        key: value for key, value in best.items() if key != "logit_error"
    }
