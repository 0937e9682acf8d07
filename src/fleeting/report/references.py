"""The works that a paragraph on methods cites, and how text, Markdown and LaTeX cite them.

A text names a work as ``[[key]]``.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal, get_args

Style = Literal["text", "markdown", "latex", "bibtex"]
STYLES: tuple[Style, ...] = get_args(Style)

WORKS: dict[str, tuple[str, str, dict[str, str]]] = {
    "ekman1978": (
        "Ekman and Friesen, 1978",
        "book",
        {
            "author": "Ekman, Paul and Friesen, Wallace V.",
            "title": "Facial Action Coding System",
            "publisher": "Consulting Psychologists Press",
            "year": "1978",
        },
    ),
    "farneback2003": (
        "Farnebäck, 2003",
        "inproceedings",
        {
            "author": 'Farneb{\\"a}ck, Gunnar',
            "title": "Two-frame motion estimation based on polynomial expansion",
            "booktitle": "Scandinavian Conference on Image Analysis",
            "year": "2003",
        },
    ),
    "kroeger2016": (
        "Kroeger et al., 2016",
        "inproceedings",
        {
            "author": "Kroeger, Till and Timofte, Radu and Dai, Dengxin and Van Gool, Luc",
            "title": "Fast optical flow using dense inverse search",
            "booktitle": "European Conference on Computer Vision",
            "year": "2016",
        },
    ),
    "li2019": (
        "Li et al., 2019",
        "article",
        {
            "author": "Li, Qiuyu and Yu, Jun and Kurihara, T. and Zhang, Haiyan and Zhan, Shu",
            "title": "Deep convolutional neural network with optical flow for facial micro-expression recognition",
            "journal": "Journal of Circuits, Systems and Computers",
            "volume": "29",
            "number": "1",
            "year": "2019",
        },
    ),
    "xia2021": (
        "Xia and Wang, 2021",
        "inproceedings",
        {
            "author": "Xia, Bin and Wang, Shangfei",
            "title": "Micro-expression recognition enhanced by macro-expression from spatial-temporal domain",
            "booktitle": "International Joint Conference on Artificial Intelligence",
            "year": "2021",
        },
    ),
    "yan2013": (
        "Yan et al., 2013",
        "article",
        {
            "author": "Yan, Wen-Jing and Wu, Qi and Liang, Jing and Chen, Yu-Hsin and Fu, Xiaolan",
            "title": "How fast are the leaked facial expressions: the duration of micro-expressions",
            "journal": "Journal of Nonverbal Behavior",
            "volume": "37",
            "year": "2013",
        },
    ),
    "zach2007": (
        "Zach et al., 2007",
        "inproceedings",
        {
            "author": "Zach, Christopher and Pock, Thomas and Bischof, Horst",
            "title": "A duality based approach for realtime {TV-L1} optical flow",
            "booktitle": "DAGM Symposium on Pattern Recognition",
            "year": "2007",
        },
    ),
    "zhu2022": (
        "Zhu and Chen, 2022",
        "article",
        {
            "author": "Zhu, Weijie and Chen, Ying",
            "title": "Micro-expression recognition convolutional network based on dual-stream temporal-domain "
            "information interaction",
            "journal": "Journal of Frontiers of Computer Science and Technology",
            "volume": "16",
            "number": "4",
            "pages": "950--958",
            "year": "2022",
            "doi": "10.3778/j.issn.1673-9418.2011039",
        },
    ),
}
"""By key: how a text cites the work, its kind in BibTeX, and its fields."""

SOFTWARE = "fleeting"
_MARK = re.compile(r" ?\[\[(\w+)\]\]")
_LATEX = {sign: f"\\{sign}" for sign in "%&_#${}"} | {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
}


def render(text: str, style: Style) -> str:
    """Return a text with its citations in one style."""
    if style == "latex":
        text = re.sub("|".join(map(re.escape, _LATEX)), lambda found: _LATEX[found[0]], text)
        return _MARK.sub(lambda found: rf"~\cite{{{found[1]}}}", text)
    if style == "markdown":
        return _MARK.sub(r" [@\1]", text)
    return _MARK.sub(lambda found: f" ({_cited(found[1])})", text)


def bibtex(text: str, *, versions: Sequence[str]) -> str:
    """Return the entries of all works that a text cites, in the order of their keys."""
    keys = sorted(dict.fromkeys(_MARK.findall(text)))
    return "\n\n".join(_entry(key, versions) for key in keys)


def _cited(key: str) -> str:
    return "The Fleeting developers" if key == SOFTWARE else WORKS[key][0]


def _entry(key: str, versions: Sequence[str]) -> str:
    kind, fields = ("software", _software(versions)) if key == SOFTWARE else WORKS[key][1:]
    lines = ",\n".join(f"  {name} = {{{value}}}" for name, value in fields.items())
    return f"@{kind}{{{key},\n{lines}\n}}"


def _software(versions: Sequence[str]) -> dict[str, str]:
    return {
        "author": "{The Fleeting developers}",
        "title": "Fleeting: spotting and recognition of facial micro-expressions",
        "version": ", ".join(versions),
        "license": "MIT",
    }
