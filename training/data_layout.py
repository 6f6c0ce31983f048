"""Which data set a folder holds, told by its layout: what `data=FOLDER` of a recipe stands for.

Every data set knows its own layout and says so when it is asked how many examples there are; labels are read
for that, media are not.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from studio import catalog
from studio.errors import InputError, StudioError


def dataset(folder: str, recipe: Mapping[str, Any]) -> dict[str, Any]:
    """The table [dataset] for a folder: `recipe`'s own data set where it fits, else the only one that does.

    Options that the recipe names are kept where the data set has them. Raises InputError where none or
    several fit.
    """
    table = dict(recipe.get("dataset") or {})
    medium = str(recipe.get("pipeline", catalog.DEFAULT_PIPELINE)).partition("/")[0]
    fits = [name for name in _names(medium) if _holds(name, folder)]
    if table.get("name") in fits:
        fits = [table["name"]]
    if len(fits) != 1:
        known = "several data sets" if fits else "no data set"
        why = f"{folder!r} has the layout of {known} of {', '.join(fits or _names(medium))}; name one"
        raise InputError("data", folder, why, "dataset.name=NAME dataset.root=FOLDER")
    options = {field.name for field in dataclasses.fields(catalog.load("dataset", fits[0]).Dataset)}
    kept = {name: value for name, value in table.items() if name in options}
    return {**kept, "name": fits[0], "root": folder}


def _names(medium: str) -> list[str]:
    """The data sets of a medium that read a folder."""
    found = []
    for name in catalog.names("dataset"):
        try:
            options = {field.name for field in dataclasses.fields(catalog.load("dataset", name).Dataset)}
        except ImportError:  # drawing libraries are no part of what rendering installs
            continue
        if "root" in options and catalog.dataset_medium(name) == medium:
            found.append(name)
    return found


def _holds(name: str, folder: str) -> bool:
    """A folder of the right layout with wrong lines in it fits: the lines are named when it is used."""
    try:
        return len(catalog.load("dataset", name).Dataset(root=folder)) > 0
    except InputError as error:
        return error.field != "dataset.root"
    except StudioError:
        return True
