"""The MLflow pages worth opening: the releases as rows with the headline as columns, their charts, two of them compared.

MLflow 3.17 opens an experiment on a page for language models and hides all metrics. What its button "Share view" keeps,
an experiment tag that a link names, opens the table as wanted: `mlflow.sharedViewState.<key>` holds
{"name", "createdAt", "updatedAt" (ms), "state": text}, where the text is the page's state as JSON (plain, or
"deflate;" and the base64 of its zlib stream), and `runs?viewStateShareKey=<key>` opens it. `workflowType` leaves the
pages for language models out of the menu.
"""

import json
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

if TYPE_CHECKING:
    from mlflow import MlflowClient

KEY = "duli-releases"
TAG = f"mlflow.sharedViewState.{KEY}"
VERDICT = "duli.verdict"
MODE = "workflowType=machine_learning"
HOME = f"/#/experiments?{MODE}"
MODELS = f"/#/models?{MODE}"


def save(client: "MlflowClient", experiment_id: str, name: str, metrics: Iterable[str]) -> None:
    """Keeps the view of the experiment's runs with `metrics` as columns; writes only what changed."""
    experiment = client.get_experiment(experiment_id)
    value = json.dumps(
        {
            "name": f"{name}: releases",
            "createdAt": experiment.creation_time,
            "updatedAt": experiment.creation_time,
            "state": json.dumps(_state(list(metrics))),
        }
    )
    if experiment.tags.get(TAG) != value:
        client.set_experiment_tag(experiment_id, TAG, value)


def table(experiment_id: str) -> str:
    """Path of the runs table with the headline columns."""
    return f"/#/experiments/{experiment_id}/runs?viewStateShareKey={KEY}&{MODE}"


def charts(experiment_id: str) -> str:
    """Path of the same runs as charts."""
    return f"{table(experiment_id)}&compareRunsMode=CHART"


def compare(experiment_id: str, run_ids: Sequence[str]) -> str:
    """Path of a comparison of runs, side by side."""
    runs, experiments = quote(json.dumps(list(run_ids))), quote(json.dumps([experiment_id]))
    return f"/#/compare-runs?runs={runs}&experiments={experiments}&{MODE}"


def run(experiment_id: str, run_id: str) -> str:
    """Path of one run."""
    return f"/#/experiments/{experiment_id}/runs/{run_id}?{MODE}"


def _state(metrics: list[str]) -> dict[str, Any]:
    columns = [f"tags.`{VERDICT}`", *(f"metrics.`{metric}`" for metric in metrics)]
    return {
        "searchFilter": "",
        "orderByKey": "attributes.start_time",
        "orderByAsc": False,
        "startTime": "ALL",
        "lifecycleFilter": "Active",
        "modelVersionFilter": "All Runs",
        "datasetsFilter": [],
        "selectedColumns": columns,
        "columnOrder": columns,
        "columnWidths": {f"metrics.`{metric}`": _pixels(metric) for metric in metrics},
        "runsHiddenMode": "SHOW_ALL",
        "viewMaximized": True,
        "runListHidden": False,
        "hideEmptyCharts": True,
        "groupBy": None,
        "groupsExpanded": {},
        "useGroupedValuesInCharts": True,
        "isAccordionReordered": True,
        "globalLineChartConfig": {"xAxisKey": "step", "lineSmoothness": 0, "selectedXAxisMetricKey": ""},
        **_charts(metrics),
    }


def _pixels(title: str) -> int:
    """A width that lets a dozen columns stand on one screen."""
    return min(max(20 + 63 * len(title) // 10, 76), 150)


def _charts(metrics: list[str]) -> dict[str, Any]:
    """One bar chart per headline metric, then the curves of the training; MLflow itself puts all other metrics below them."""
    sections = [("headline", "Headline"), ("curves", "Training")]
    bars: list[dict[str, Any]] = [
        {"type": "BAR", "metricSectionId": "headline", "metricKey": metric, "displayName": metric} for metric in metrics
    ]
    lines: list[dict[str, Any]] = [
        {
            "type": "LINE",
            "metricSectionId": "curves",
            "metricKey": metric,
            "selectedMetricKeys": [metric],
            "lineSmoothness": 0,
            "scaleType": "linear",
            "xAxisKey": "step",
            "xAxisScaleType": "linear",
            "selectedXAxisMetricKey": "",
            "yAxisKey": "metric",
            "yAxisExpressions": [],
            "range": {},
            "ignoreOutliers": False,
            "useGlobalXaxisKey": True,
            "useGlobalLineSmoothing": True,
        }
        for metric in ("curves/train_loss", "curves/validation_loss", "curves/validation_accuracy")
    ]
    return {
        "compareRunCharts": [
            {"uuid": f"duli-{index}", "runsCountToCompare": 20, "deleted": False, "isGenerated": False, **chart}
            for index, chart in enumerate(bars + lines)
        ],
        "compareRunSections": [
            {"uuid": key, "name": name, "display": True, "isReordered": True, "deleted": False, "isGenerated": False}
            for key, name in sections
        ],
    }
