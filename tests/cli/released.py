"""A release line with a tiny model, whose releases are packed, logged and promoted for real."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from duli.base import files
from duli.evaluation.predict import onnx_logits, softmax
from duli.gates import gates
from duli.preparation.cleaning.summary import digest
from duli.tracking.client import store as stores
from stages import package, track
from stages.track import ASSUMPTIONS, PAGES, PARETO
from tests.packaging import tiny

PROMOTION = {"not_worse_by": 0.02, "better_by": None, "seed_noise": 0.0, "require_signature": False}
N = 300
Product = tuple[bytes, int, str]  # the model, the shift of its test split, the name
PACKED: dict[Product, dict[Path, bytes]] = {}


class Line:
    """A folder with params, data, and an MLflow store of its own."""

    def __init__(self, folder: Path, migrated: Path) -> None:
        self.folder = folder
        self.environment = {"DVC_ROOT": str(folder)}
        self.store = stores.locate(self.environment, folder)
        assert self.store.database is not None
        self.store.database.parent.mkdir(parents=True)
        shutil.copyfile(migrated, self.store.database)
        (folder / ".dvc").mkdir()
        self.gate: dict[str, Any] = {"measure": "business.accuracy", "min": 0.0}
        (folder / "champion.json").write_text('{"champion": null}\n')

    def release(
        self,
        *,
        bias: float = 0.0,
        shift: int = 0,
        verdict_min: float = 0.0,
        price: float = 1.0,
        sign: bool = False,
    ) -> int:
        """Makes and logs a release of the model with this bias, tested on images that begin at
        `shift`; gives its model version.
        """
        facts = tiny.write_line(self.folder, tiny.model(bias=bias), n=N)
        test = _test(shift)
        images = np.frombuffer(b"".join(test["content"].to_pylist()), np.uint8).reshape(
            -1, *tiny.SHAPE
        )
        labels = np.array(test["label"].to_pylist())
        probabilities = softmax(onnx_logits(tiny.model(bias=bias), images) / 0.5).astype(np.float32)
        right = int((probabilities.argmax(axis=1) == labels).sum())
        facts = tiny.evidence(tiny.model(bias=bias), right, N)
        facts["stats"]["splits"]["test"]["digest"] = facts["evaluation"]["test_digest"] = digest(
            test
        )
        tiny.rewrite(self.folder, facts)
        pq.write_table(test, self.folder / "data/prepared/test.parquet")
        self.gate = {"measure": "business.accuracy", "min": verdict_min}
        self.params(PROMOTION, sign=sign)
        self._pack((tiny.model(bias=bias), shift, str(tiny.RELEASE["name"])), sign=sign)
        self._reports(probabilities, labels, right / N, price)
        logged = track.record(Path(), self.environment)
        files.write_json(self.folder / "reports/release_run.json", {"run_id": logged.run_id})
        return logged.version

    def _pack(self, product: Product, *, sign: bool) -> None:
        """Packs the release; without a signature the same product gives the same files, which are
        made once.
        """
        dist = self.folder / "dist"
        if sign or product not in PACKED:
            package.main()
            packed = {
                path.relative_to(dist): path.read_bytes()
                for path in dist.rglob("*")
                if path.is_file()
            }
            if not sign:
                PACKED[product] = packed
        else:
            shutil.rmtree(dist, ignore_errors=True)
            for path, content in PACKED[product].items():
                files.write_bytes(dist / path, content)

    def params(self, promotion: dict[str, Any], *, sign: bool = False) -> None:
        (self.folder / "params.yaml").write_text(
            json.dumps(
                {
                    "kind": "image",
                    "task": "classification",
                    "release": {**tiny.RELEASE, "sign": sign},
                    "promotion": promotion,
                    "gates": {"require": {"accuracy": self.gate}},
                },
                ensure_ascii=False,
            )
        )

    def aliases(self) -> dict[str, int]:
        model = self.store.client().get_registered_model("bright-row")
        return {alias: int(version) for alias, version in model.aliases.items()}

    def champion(self) -> Any:
        return json.loads((self.folder / "champion.json").read_text())

    def log(self) -> list[Any]:
        path = self.folder / "promotions.jsonl"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def _reports(self, probabilities: Any, labels: Any, accuracy: float, price: float) -> None:
        reports = self.folder / "reports"
        flat = pa.array(probabilities.ravel())
        columns = {
            "id": pa.array([f"image {index}" for index in range(N)]),
            "label": pa.array(labels, pa.int16()),
        }
        columns["int8"] = pa.FixedSizeListArray.from_arrays(flat, probabilities.shape[1])
        pq.write_table(pa.table(columns), reports / "predictions.parquet")
        business = {
            "unit_cost_usd_per_million": {"value": price},
            "gross_margin": {"value": 0.5},
            "accuracy": {"value": accuracy},
        }
        judged = gates.summary(
            gates.judge(
                {"accuracy": gates.Gate.model_validate(self.gate)},
                gates.measures({"business": business}),
            )
        )
        files.write_json(reports / "business.json", business)
        files.write_json(reports / "gates.json", judged)
        files.write_json(reports / "validation.json", {"success": True})
        files.write_json(reports / "train.json", {"parameters": 9})
        files.write_json(reports / "resources/train.json", {"started": 1.0, "seconds": 2.0})
        for name in ("reports/evaluation/per_class.csv", PARETO, ASSUMPTIONS, *PAGES):
            files.write_text(self.folder / name, f"{name} {accuracy} {price}\n")
        files.write_text(self.folder / "models/history.csv", "step,train_loss\n1,0.5\n")
        files.write_bytes(self.folder / "models/model.safetensors", b"weights")


def _test(shift: int) -> pa.Table:
    """Another test split for each `shift`."""
    chosen = np.roll(tiny.images(N + shift), -shift, axis=0)[:N]
    columns = {
        "id": [f"image {index}" for index in range(N)],
        "label": pa.array([(index + shift) % 3 for index in range(N)], pa.int16()),
        "content": pa.array([image.tobytes() for image in chosen], pa.binary()),
        "height": pa.array([tiny.SHAPE[1]] * N, pa.int16()),
        "width": pa.array([tiny.SHAPE[2]] * N, pa.int16()),
    }
    return pa.table(columns)
