"""Earlier versions of a template, to compare with: a folder as it was at a revision of its git repository."""

from __future__ import annotations

import io
import subprocess
import tempfile
import zipfile
from pathlib import Path

from grounded.errors import TemplateError, UsageError
from grounded.prompting.cases import folder_of
from grounded.prompting.loading import load_template
from grounded.prompting.templates import Template

GIT_SECONDS = 60


def load_since(name: str, revision: str) -> Template:
    """A template of a pack's folder as it was at a revision.

    Args:
        name: The path or installed name by which it is loaded now; the pack's folder must lie in a git repository.
        revision: Anything that git takes: a tag, a branch, ``HEAD~3``.

    Raises:
        UsageError: There is no folder, no repository or no such revision, or git is not installed.
        TemplateError: The template was missing or broken then.
    """
    now = load_template(name, copy=True)
    folder = folder_of(name, now)
    if not isinstance(folder, Path) or revision.startswith("-"):
        raise UsageError(f"There is no {revision!r} of {name!r}.", fix="Name a pack's folder, and a revision of git.")
    with tempfile.TemporaryDirectory() as root:
        then = Path(root) / folder.resolve().name
        with zipfile.ZipFile(io.BytesIO(_archive(folder, revision))) as archive:
            archive.extractall(then)
        try:
            return load_template(f"{then}#{now.ref.name.rpartition('/')[2]}", copy=True)
        except TemplateError as error:
            raise TemplateError(f"At {revision}: {error.message}", fix=error.fix) from error


def _archive(folder: Path, revision: str) -> bytes:
    command = ["git", "-C", str(folder), "archive", "--format=zip", revision, "."]
    try:
        done = subprocess.run(command, capture_output=True, timeout=GIT_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise UsageError(f"git cannot be run: {error}.", fix="Install git.") from error
    if done.returncode:
        said = done.stderr.decode("utf-8", "replace").strip().splitlines() or ["it gave no reason"]
        raise UsageError(
            f"git has no {revision!r} of {folder.name!r}: {said[-1]}.", fix="Name a revision in which the folder is."
        )
    return done.stdout
