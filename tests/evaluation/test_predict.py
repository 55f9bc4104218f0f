"""A session for judging takes no more threads than a container's quota feeds."""

import onnxruntime
import pytest

from duli.base import machine
from duli.evaluation.predict import onnx_logits
from tests.packaging import tiny


@pytest.mark.parametrize(("quota", "threads"), [(0.5, 1), (None, 0)])
def test_threads_follow_the_quota(
    monkeypatch: pytest.MonkeyPatch, quota: float | None, threads: int
) -> None:
    made: list[int] = []
    real = onnxruntime.InferenceSession

    def session(
        content: bytes, options: onnxruntime.SessionOptions, providers: list[str]
    ) -> object:
        made.append(options.intra_op_num_threads)
        return real(content, options, providers)

    monkeypatch.setattr(onnxruntime, "InferenceSession", session)
    monkeypatch.setattr(machine, "cpu_quota", lambda *_: quota)
    assert onnx_logits(tiny.model(), tiny.images(4)).argmax(axis=1).tolist() == [0, 1, 2, 0]
    assert made == [threads]
