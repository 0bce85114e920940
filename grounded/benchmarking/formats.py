"""Readers of the published files, one for each format; what the labels mean follows the papers named."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from grounded.benchmarking.reading import Row, rows, text_of, texts_of, wrong


@dataclass(frozen=True, slots=True)
class LabelledClaim:
    """A claim, its sources and what people said of it.

    Attributes:
        data: The set.
        group: What rows that share a source have in common; bootstraps draw groups.
        claim: A sentence, or a whole answer.
        passages: The texts it must rest on.
        is_supported: Whether the sources say all of it.
        question: What it answers, where the set has one.
        gold: Sets of gold sentences, each a set of ``(start, end)`` in ``passages[0]``; any one set decides.
        split: Of its row; empty when only the file says it, or nobody does.
    """

    data: str
    group: str
    claim: str
    passages: tuple[str, ...]
    is_supported: bool
    question: str = ""
    gold: tuple[tuple[tuple[int, int], ...], ...] = ()
    split: str = ""


_MARKER = re.compile(r"\s*(?:\[\d+(?:\s*,\s*\d+)*\])+")
_WEB_HEAD = re.compile(r"\A\[\d+\]\s*(?:\S+\s+)?")
_PASSAGE_HEAD = re.compile(r"^passage \d+:", re.MULTILINE)
_END_OF_TEXT = "</s>"
_LFQA_DOCS = {
    "gpt3_wdoc": "docs-webgpt.json",
    "alpaca_wdoc": "docs-webgpt.json",
    "webgpt": "docs-webgpt.json",
    "gpt3_whudoc": "docs-human.json",
}
"""Which documents the writers of the annotated answers were given; answers written without any are not used."""


def ragtruth(path: Path) -> Iterator[LabelledClaim]:
    """Niu et al. 2024: a response with any marked span is hallucinated, here not supported, as in its Table 4."""
    sources = {}
    for number, row in rows(path.with_name("source_info.jsonl")):
        sources[str(row.get("source_id"))] = _ragtruth_source(row, path.with_name("source_info.jsonl"), number)
    for number, row in rows(path):
        identity = str(row.get("source_id"))
        if identity not in sources:
            raise wrong(path, number, f"names the source {identity!r}, which source_info.jsonl does not hold")
        kind, question, passages = sources[identity]
        labels = row.get("labels")
        if not isinstance(labels, list):
            raise wrong(path, number, "'labels' must be a list")
        answer = text_of(row, "response", path, number)
        if answer.strip():
            split = str(row.get("split", ""))
            yield LabelledClaim(f"ragtruth {kind}", identity, answer, passages, not labels, question, split=split)


def _ragtruth_source(row: Row, path: Path, number: int) -> tuple[str, str, tuple[str, ...]]:
    kind = text_of(row, "task_type", path, number)
    info = row.get("source_info")
    if isinstance(info, str):
        return kind, "", (info,)
    if not isinstance(info, dict):
        raise wrong(path, number, "'source_info' must be a text or an object")
    if isinstance(info.get("passages"), str):
        parts = (part.strip() for part in _PASSAGE_HEAD.split(info["passages"]))
        return kind, str(info.get("question", "")), tuple(part for part in parts if part)
    return kind, "", ("\n".join(_lines_of(info)),)


def _lines_of(value: Any, name: str = "") -> Iterator[str]:
    """Structured data as lines ``path: value``; what is unknown is said to be."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _lines_of(inner, f"{name} {key}".strip())
    elif isinstance(value, list):
        for at, inner in enumerate(value, start=1):
            yield from _lines_of(inner, f"{name} {at}".strip())
    else:
        yield f"{name}: {value if isinstance(value, str) else json.dumps(value)}"


def wice(path: Path) -> Iterator[LabelledClaim]:
    """Kamoi et al. 2023: only ``supported`` counts; a partially supported claim is not."""
    for number, row in rows(path):
        evidence = texts_of(row, "evidence", path, number)
        spans, position = [], 0
        for sentence in evidence:
            spans.append((position, position + len(sentence)))
            position += len(sentence) + 1
        try:
            gold = tuple(tuple(spans[at] for at in chosen) for chosen in row["supporting_sentences"] if chosen)
        except (TypeError, IndexError) as error:
            raise wrong(path, number, "'supporting_sentences' must be lists of numbers of evidence") from error
        yield LabelledClaim(
            data="wice",
            group=evidence[0] if evidence else "",
            claim=text_of(row, "claim", path, number),
            passages=("\n".join(evidence),),
            is_supported=text_of(row, "label", path, number) == "supported",
            gold=gold,
        )


def lfqa(path: Path) -> Iterator[LabelledClaim]:
    """Chen et al. 2023: a sentence is supported when most of its annotators say so; partly is not."""
    documents = _LFQA_DOCS.get(path.stem.removeprefix("annotations-"))
    if documents is None:
        return
    place = path.parent.parent / "docs" / documents
    given: dict[str, tuple[str, ...]] = {}
    for number, row in rows(place):
        docs = row.get("docs")
        if not isinstance(docs, list) or not all(isinstance(each, dict) for each in docs):
            raise wrong(place, number, "'docs' must be a list of objects")
        given[_plain(text_of(row, "question", place, number))] = tuple(str(each.get("text", "")) for each in docs)
    for number, row in rows(path):
        question = text_of(row, "question", path, number)
        passages = given.get(_plain(question), ())
        judged = row.get("annotations")
        if not isinstance(judged, list) or not all(isinstance(each, dict) for each in judged):
            raise wrong(path, number, "'annotations' must be a list of objects")
        for each in judged if passages else ():
            labels = texts_of(each, "labels", path, number)
            claim = _MARKER.sub("", text_of(each, "answer", path, number).replace(_END_OF_TEXT, "")).strip()
            if claim and labels:
                most = 2 * sum(label == "supported" for label in labels) > len(labels)
                yield LabelledClaim("lfqa", question, claim, passages, most, question)


def expertqa(path: Path) -> Iterator[LabelledClaim]:
    """Malaviya et al. 2024: only complete support counts; claims without evidence or judgement are left out."""
    for number, row in rows(path):
        question = text_of(row, "question", path, number)
        for claim in _expert_claims(row, path, number):
            if claim.get("support") not in ("Complete", "Partial", "Incomplete"):
                continue
            text = claim.get("claim_string", claim.get("claim"))
            if not isinstance(text, str):
                raise wrong(path, number, "a claim must have a text")
            found = texts_of(claim, "evidence", path, number) if claim.get("evidence") else ()
            passages = tuple(kept for each in found if (kept := _WEB_HEAD.sub("", each).strip()))
            if passages and text.strip():
                right = claim["support"] == "Complete"
                yield LabelledClaim("expertqa", question, _MARKER.sub("", text).strip(), passages, right, question)


def _expert_claims(row: Row, path: Path, number: int) -> Iterator[Row]:
    if "answers" not in row:
        yield row
        return
    answers = row["answers"]
    if not isinstance(answers, dict):
        raise wrong(path, number, "'answers' must be an object")
    for answer in answers.values():
        claims = answer.get("claims") if isinstance(answer, dict) else None
        yield from (claim for claim in claims or () if isinstance(claim, dict))


def aggrefact(path: Path) -> Iterator[LabelledClaim]:
    """Tang et al. 2024 (LLM-AggreFact): ``label`` 1 is supported; every ``dataset`` is a set of its own."""
    for number, row in rows(path):
        label = str(row.get("label")).strip()
        if label not in ("0", "1", "0.0", "1.0", "True", "False"):
            raise wrong(path, number, f"'label' must be 0 or 1, not {label!r}")
        document = text_of(row, "doc", path, number)
        yield LabelledClaim(
            data=str(row.get("dataset") or path.stem),
            group=document,
            claim=text_of(row, "claim", path, number),
            passages=(document,),
            is_supported=label in ("1", "1.0", "True"),
            split="",
        )


def _plain(text: str) -> str:
    return " ".join(text.split())
