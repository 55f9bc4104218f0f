"""Moves the alias `champion`: one promoter at a time, only from the champion it decided against,
and never by half.
"""

import contextlib
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from duli.base.errors import DuliError, GateError
from duli.tracking.champion import Champions, Record
from duli.tracking.client.store import Store
from duli.tracking.releases import of_model

if TYPE_CHECKING:
    from mlflow import MlflowClient

CHAMPION, PREVIOUS = "champion", "previous"


def move(
    store: Store,
    name: str,
    *,
    expected: Record | None,
    to: Champions,
    versions: Mapping[str, int],
    read: Callable[[], Champions],
    write: Callable[[], None],
) -> None:
    """Makes `to.champion` the champion of the model `name`, and `to.previous` the one before it.

    `expected` is the champion that the decision was made against; `read` gives what champion.json
    says now, `write` makes it say `to` and logs it. `versions` are the model versions of releases
    in this store (release -> version): a release that it does not hold has no alias. champion.json
    is the truth and is written last; a crash before that leaves aliases that the next call, or
    `follow`, puts right.

    Raises `GateError` if somebody else was faster, and `DuliError` where MLflow's champion is
    neither the expected nor the new one.
    """
    assert to.champion is not None
    client = store.client()
    with store.locked():
        current = read()
        if _identity(current.champion) != _identity(expected):
            faster, compared = (
                record.label if record else "nothing" for record in (current.champion, expected)
            )
            raise GateError(
                f"{faster} became the champion of {name} meanwhile, and this decision was against"
                f" {compared}; nothing was changed: look at it and promote again"
            )
        before = of_model(client, name)
        after = aliases(to, versions)
        _not_elsewhere(
            store,
            name,
            before.get(CHAMPION),
            aliases(current, versions).get(CHAMPION),
            after.get(CHAMPION),
        )
        try:
            _point(client, name, after)
            found = of_model(client, name)
            if any(found.get(alias) != after.get(alias) for alias in (CHAMPION, PREVIOUS)):
                raise DuliError(
                    f"MLflow does not keep the aliases of {name} as they were set ({found});"
                    " nothing was promoted"
                )
            write()
        except BaseException:
            with contextlib.suppress(Exception):  # the error that led here is the one to be told
                if _identity(read().champion) == _identity(current.champion):
                    _point(client, name, before)
            raise


def follow(
    store: Store,
    name: str,
    versions: Callable[[], Mapping[str, int]],
    read: Callable[[], Champions],
    *,
    shared: bool = False,
) -> Champions:
    """Brings the aliases of the model `name` into agreement with what `read` gives, and returns
    that: a promotion may have been killed, or have come by git.

    In the repository's own database champion.json decides. In a store that others use too nothing
    is moved, and only what is missing set, unless `shared` says that champion.json decides there as
    well. `versions` is asked while nobody promotes, so that it knows all that `read` can name.
    """
    client = store.client()
    with store.locked():
        champions = read()
        found, meant = of_model(client, name), aliases(champions, versions())
        if (store.own or shared or CHAMPION not in found) and any(
            found.get(alias) != meant.get(alias) for alias in (CHAMPION, PREVIOUS)
        ):
            _point(client, name, meant)
        return champions


def aliases(champions: Champions, versions: Mapping[str, int]) -> dict[str, int]:
    """The versions that the two aliases have to point at; without those that the store does not
    hold.
    """
    records = {CHAMPION: champions.champion, PREVIOUS: champions.previous}
    return {
        alias: versions[record.release]
        for alias, record in records.items()
        if record and record.release in versions
    }


def _not_elsewhere(
    store: Store, name: str, alias: int | None, expected: int | None, new: int | None
) -> None:
    if not store.own and alias not in (expected, new, None):
        raise DuliError(
            f"MLflow says that version {alias} is the champion of {name}, and champion.json says"
            f" {expected or 'none of its versions'}; `git pull`: somebody may have promoted it; if"
            " not, promote it or set the alias back in MLflow, then try again"
        )


def _point(client: "MlflowClient", name: str, meant: Mapping[str, int]) -> None:
    """Sets both aliases to what is meant, and removes the one for which nothing is."""
    for alias in (PREVIOUS, CHAMPION):
        if alias in meant:
            client.set_registered_model_alias(name, alias, str(meant[alias]))
        elif alias in of_model(client, name):
            client.delete_registered_model_alias(name, alias)


def _identity(record: Record | None) -> str | None:
    return record.release if record else None
