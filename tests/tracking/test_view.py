import json

from duli.tasks.classification import task
from duli.tracking.client.store import Store
from duli.tracking.headline import measures
from duli.tracking.logged import view

MEASURES = measures(task)


def test_the_view_has_the_headline_as_columns_and_is_written_once(store: Store) -> None:
    client = store.client()
    experiment_id = store.experiment(client, "digits")
    view.save(client, experiment_id, "digits", MEASURES, task.SCORE.key)
    kept = client.get_experiment(experiment_id).tags[view.TAG]
    envelope = json.loads(kept)
    assert envelope["name"] == "digits: releases"
    assert isinstance(envelope["createdAt"], int)
    state = json.loads(envelope["state"])
    assert state["selectedColumns"] == [
        "tags.`duli.verdict`",
        *(f"metrics.`{name}`" for name in MEASURES),
    ]
    assert {
        chart["xaxis"]["key"] for chart in state["compareRunCharts"] if chart["type"] == "SCATTER"
    } <= set(MEASURES)
    assert {chart["metricSectionId"] for chart in state["compareRunCharts"]} == {
        part["uuid"] for part in state["compareRunSections"]
    }
    view.save(client, experiment_id, "digits", MEASURES, task.SCORE.key)
    assert client.get_experiment(experiment_id).tags[view.TAG] == kept


def test_links_name_the_view_and_both_runs() -> None:
    assert (
        view.table("7")
        == "/#/experiments/7/runs?viewStateShareKey=duli-releases&workflowType=machine_learning"
    )
    assert view.charts("7").endswith("&compareRunsMode=CHART")
    assert "runs=%5B%22a%22%2C%20%22b%22%5D&experiments=%5B%227%22%5D" in view.compare(
        "7", ["a", "b"]
    )


def test_six_runs_in_a_row_have_six_colours() -> None:
    colours = [view.colour(None)]
    while len(colours) < 7:
        colours.append(view.colour(colours[-1]))
    assert len(set(colours[:6])) == 6
    assert colours[6] == colours[0] == view.colour("#ffffff")
