"""The section `release` of params.yaml: the name of a release and the promises of its card."""

import keyword
import re
import sys
from typing import Annotated

from pydantic import AfterValidator, Field

from duli.base.params import Section

# What the wheel's package would hide in the customer's environment, besides Python's own modules.
TAKEN = {
    "duli",
    "numpy",
    "onnxruntime",
    "tokenizers",
    "packaging",
    "flatbuffers",
    "google",
    "protobuf",
    "pip",
}


def _name(text: str) -> str:
    if not re.fullmatch(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", text):
        raise ValueError(
            "is no name for a distribution, a command and a package; use a-z, 0-9 and single"
            " hyphens, as in my-digits"
        )
    package = text.replace("-", "_")
    if keyword.iskeyword(package) or package in sys.stdlib_module_names or package in TAKEN:
        raise ValueError(
            "is taken by Python or by a library the release needs; choose another name"
        )
    return text


def _version(text: str) -> str:
    from packaging.version import InvalidVersion, Version

    try:
        normal = str(Version(text))
    except InvalidVersion:
        raise ValueError('is no version by PEP 440; give one like "0.1.0" or "1.0.0rc1"') from None
    if normal != text:
        raise ValueError(f'is not in PEP 440\'s normal form; write "{normal}"')
    return text


def _licence(text: str) -> str:
    from packaging.licenses import InvalidLicenseExpression, canonicalize_license_expression

    try:
        return str(canonicalize_license_expression(text))
    except InvalidLicenseExpression:
        raise ValueError(
            "is no SPDX expression; give one like Apache-2.0 or LicenseRef-Proprietary"
        ) from None


def _line(text: str) -> str:
    if text != text.strip() or not text.isprintable():
        raise ValueError("has to be one line, without tabs, line breaks or blanks around it")
    return text


Line = Annotated[str, Field(min_length=1, max_length=400), AfterValidator(_line)]
Lines = Annotated[tuple[Line, ...], Field(min_length=1, max_length=20)]


class Release(Section):
    """Names the wheel and fills the parts of its card that no measurement can."""

    # of the wheel, its command and (- as _) its package
    name: Annotated[str, Field(max_length=50), AfterValidator(_name)]
    version: Annotated[str, Field(max_length=50), AfterValidator(_version)]
    title: Line  # heading of the model card
    summary: Line  # what package indexes show
    publisher: Line
    # of the release, as an SPDX expression
    licence: Annotated[str, Field(max_length=100), AfterValidator(_licence)]
    intended: Lines  # what it is for
    not_intended: Lines  # what it must not be used for
    limits: Lines  # what is known to go wrong
    example: Line | None = None  # a text for the page to try, where the data are texts
    sign: bool = False  # the folder of the release, with the publisher's key

    @property
    def package(self) -> str:
        """The name to import."""
        return self.name.replace("-", "_")
