"""The ONNX graph of a six-layer BERT-like embedder, written node by node from its weights with numpy and onnx.

The input ``input_ids`` has shape ``(1, tokens)``, int64, tokens <= ``window``; the output ``embedding`` has shape
``(1, 384)``, float32, unit length. Pooling and the L2 norm are part of the graph. One call embeds one
text: there is no padding and so no mask, which lets onnxruntime use its faster attention, and the scale of
integer activations never depends on other texts.

Ways to hold the twenty-four weight matrices and to multiply by them (``Arithmetic``):

* ``fp32``: as published.
* ``weight_only``: int8 per output channel, made float32 again by DequantizeLinear.
* ``tensor``: int8 per output channel; activations to uint8 with one scale for the whole text, which
  onnxruntime fuses into one operator.
* ``smooth``: the same after each input channel was divided by a constant by which its weights are multiplied, so
  that channels with outliers do not take the whole range (Xiao et al., "SmoothQuant", ICML 2023, equation 4).
* ``token``: int8 per output channel; activations to uint8 with one scale for each token.
* ``blocks``: 8 bits in blocks of 32 with MatMulNBits, activations to int8 in the same blocks.

Integer weights use ``WEIGHT_LIMIT`` levels on each side of zero. 64 keeps ``255 * 64 * 2`` below 32768, so
that the instruction which adds two neighbouring products in 16 bits (every x86 CPU without VNNI) cannot
saturate.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

Arithmetic = Literal["fp32", "weight_only", "tensor", "smooth", "token", "blocks"]
Pooling = Literal["mean", "first"]
Weights = dict[str, NDArray[np.float32]]

LAYERS = 6
HEADS = 12
HIDDEN = 384
WINDOW_TOKENS = 256
NORM_EPSILON = 1e-12
WEIGHT_LIMIT = 64
BLOCK = 32
ZERO_POINT = 128
OPSET = 17
SMOOTHING = 0.7
"""How much of the range of activations moves into the weights. 0.65 to 0.8 give a cosine of 0.992 to 0.995 to
float32 for granite-embedding-30m, 0.5 gives 0.966 and no smoothing 0.958."""
CONTRIB = "com.microsoft"


class GraphBuilder:
    """Collects nodes and initializers; every method returns the name of the tensor it makes."""

    def __init__(
        self,
        weights: Weights,
        arithmetic: Arithmetic,
        *,
        window: int = WINDOW_TOKENS,
        activations: Weights | None = None,
    ) -> None:
        self.weights = weights
        self.arithmetic = arithmetic
        self.window = window
        self.activations = activations or {}
        self.linear_inputs: dict[str, str] = {}
        self.nodes: list[onnx.NodeProto] = []
        self.initializers: list[onnx.TensorProto] = []
        self._count = 0

    def constant(self, name: str, value: NDArray[np.generic]) -> str:
        """Add an initializer once."""
        if all(existing.name != name for existing in self.initializers):
            self.initializers.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def node(self, operator: str, *inputs: str, domain: str = "", outputs: int = 1, **attributes: Any) -> str:
        """Add a node; returns its first output, the others are that name with ``.1``, ``.2``."""
        self._count += 1
        name = f"{operator}_{self._count}"
        names = [name if index == 0 else f"{name}.{index}" for index in range(outputs)]
        self.nodes.append(helper.make_node(operator, inputs, names, name=name, domain=domain, **attributes))
        return name

    def linear(self, x: str, name: str, weight: NDArray[np.float32], bias: NDArray[np.float32]) -> str:
        """``x @ weight + bias`` in the chosen arithmetic; ``weight`` has shape ``(inputs, outputs)``."""
        self.linear_inputs[name] = x
        product = getattr(self, f"_{self.arithmetic}")(x, name, weight)
        return self.node("Add", product, self.constant(f"{name}.bias", bias))

    def _fp32(self, x: str, name: str, weight: NDArray[np.float32]) -> str:
        return self.node("MatMul", x, self.constant(f"{name}.weight", weight))

    def _weight_only(self, x: str, name: str, weight: NDArray[np.float32]) -> str:
        levels, scale = quantise_columns(weight)
        inputs = self.constant(f"{name}.levels", levels), self.constant(f"{name}.scale", scale)
        return self.node("MatMul", x, self.node("DequantizeLinear", *inputs, axis=1))

    def _tensor(self, x: str, name: str, weight: NDArray[np.float32]) -> str:
        levels, scale = quantise_columns(weight)
        whole = self.node("DynamicQuantizeLinear", x, outputs=3)
        product = self.node("MatMulInteger", whole, self.constant(f"{name}.levels", levels), f"{whole}.2")
        both = self.node("Mul", f"{whole}.1", self.constant(f"{name}.scale", scale))
        return self.node("Mul", self.node("Cast", product, to=TensorProto.FLOAT), both)

    def _smooth(self, x: str, name: str, weight: NDArray[np.float32]) -> str:
        largest = self.activations[name]
        scale = largest**SMOOTHING / np.abs(weight).max(axis=1) ** (1 - SMOOTHING)
        scale = np.maximum(scale, 1e-5)
        scale = (scale / np.exp(np.log(scale).mean())).astype(np.float32)
        even = self.node("Mul", x, self.constant(f"{name}.smooth", 1 / scale))
        return self._tensor(even, name, weight * scale[:, None])

    def _token(self, x: str, name: str, weight: NDArray[np.float32]) -> str:
        levels, scale = quantise_columns(weight)
        zero = self.constant("zero_point", np.array(ZERO_POINT, np.uint8))
        bytes_, token_scale = self._token_bytes(x)
        product = self.node("MatMulInteger", bytes_, self.constant(f"{name}.levels", levels), zero)
        scaled = self.node("Mul", self.node("Cast", product, to=TensorProto.FLOAT), token_scale)
        return self.node("Mul", scaled, self.constant(f"{name}.scale", scale))

    def _token_bytes(self, x: str) -> tuple[str, str]:
        """``x`` as uint8 around 128 and the scale of each token."""
        largest = self.node("ReduceMax", self.node("Abs", x), axes=[-1], keepdims=1)
        floor = self.constant("smallest", np.array(1e-9, np.float32))
        largest = self.node("Max", largest, floor)
        scale = self.node("Mul", largest, self.constant("1/127", np.array(1 / 127, np.float32)))
        shifted = self.node(
            "Add", self.node("Div", x, scale), self.constant("128.5", np.array(ZERO_POINT + 0.5, np.float32))
        )
        # The cast cuts off towards zero, so adding 128.5 first rounds to the nearest level.
        return self.node("Cast", shifted, to=TensorProto.UINT8), scale

    def _blocks(self, x: str, name: str, weight: NDArray[np.float32]) -> str:
        inputs, outputs = weight.shape
        blocks = weight.T.reshape(outputs, inputs // BLOCK, BLOCK)
        scale = np.abs(blocks).max(axis=2) / (2 * WEIGHT_LIMIT - 1)
        levels = np.rint(blocks / scale[..., None]) + ZERO_POINT
        return self.node(
            "MatMulNBits",
            x,
            self.constant(f"{name}.levels", levels.astype(np.uint8)),
            self.constant(f"{name}.scale", scale.reshape(-1).astype(np.float32)),
            domain=CONTRIB,
            K=inputs,
            N=outputs,
            bits=8,
            block_size=BLOCK,
            accuracy_level=4,
        )

    def norm(self, x: str, name: str) -> str:
        """Layer normalisation with the parameters called ``name``."""
        gamma = self.constant(f"{name}.weight", self.weights[f"{name}.weight"])
        beta = self.constant(f"{name}.bias", self.weights[f"{name}.bias"])
        return self.node("LayerNormalization", x, gamma, beta, axis=-1, epsilon=NORM_EPSILON)

    def embeddings(self) -> str:
        """Word, position and segment embeddings, normalised."""
        table = self.weights["embeddings.word_embeddings.weight"]
        if self.arithmetic == "fp32":
            words = self.node("Gather", self.constant("words", table), "input_ids")
        else:
            # Looked up, never multiplied by activations: the whole int8 range is safe.
            scale = np.abs(table).max(axis=1, keepdims=True) / 127
            levels = np.rint(table / scale).astype(np.int8)
            rows = self.node("Gather", self.constant("words.levels", levels), "input_ids")
            row_scale = self.node("Gather", self.constant("words.scale", scale.astype(np.float32)), "input_ids")
            words = self.node("Mul", self.node("Cast", rows, to=TensorProto.FLOAT), row_scale)
        places = self.weights["embeddings.position_embeddings.weight"][: self.window]
        # One text is one segment, so its embedding is the same in every place.
        places = places + self.weights["embeddings.token_type_embeddings.weight"][0]
        length = self.node("Gather", self.node("Shape", "input_ids"), self.constant("1", np.array([1])))
        first = self.constant("0", np.array([0]))
        used = self.node("Slice", self.constant("places", places), first, length, first)
        return self.norm(self.node("Add", words, used), "embeddings.LayerNorm")

    def attention(self, x: str, prefix: str) -> str:
        """Self-attention and its output projection."""
        names = [f"{prefix}.attention.self.{part}" for part in ("query", "key", "value")]
        weight = np.concatenate([self.weights[f"{name}.weight"] for name in names]).T
        bias = np.concatenate([self.weights[f"{name}.bias"] for name in names])
        joint = self.linear(x, f"{prefix}.qkv", weight, bias)
        parts = self.node("Split", joint, self.constant("thirds", np.array([HIDDEN] * 3)), outputs=3, axis=-1)
        mixed = self.node("MultiHeadAttention", parts, f"{parts}.1", f"{parts}.2", domain=CONTRIB, num_heads=HEADS)
        name = f"{prefix}.attention.output.dense"
        return self.linear(mixed, name, self.weights[f"{name}.weight"].T, self.weights[f"{name}.bias"])

    def layer(self, x: str, prefix: str) -> str:
        """One encoder layer."""
        attended = self.node("Add", x, self.attention(x, prefix))
        x = self.norm(attended, f"{prefix}.attention.output.LayerNorm")
        wide, narrow = f"{prefix}.intermediate.dense", f"{prefix}.output.dense"
        inner = self.linear(x, wide, self.weights[f"{wide}.weight"].T, self.weights[f"{wide}.bias"])
        inner = self.node("Gelu", inner, domain=CONTRIB)
        outer = self.linear(inner, narrow, self.weights[f"{narrow}.weight"].T, self.weights[f"{narrow}.bias"])
        return self.norm(self.node("Add", x, outer), f"{prefix}.output.LayerNorm")

    def pool(self, x: str, pooling: Pooling) -> str:
        """One vector of unit length: the first token's, or the sum, as the division of a mean cancels in the norm."""
        if pooling == "first":
            x = self.node("Gather", x, self.constant("0", np.array([0])), axis=1)
        total = self.node("ReduceSum", x, self.constant("1", np.array([1])), keepdims=0)
        return self.node("LpNormalization", total, axis=-1, p=2)


def quantise_columns(weight: NDArray[np.float32]) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """int8 levels within ±``WEIGHT_LIMIT`` and one scale per column."""
    scale = np.abs(weight).max(axis=0) / WEIGHT_LIMIT
    return np.rint(weight / scale).astype(np.int8), scale.astype(np.float32)


def build(
    weights: Weights,
    arithmetic: Arithmetic,
    *,
    name: str = "all-MiniLM-L6-v2",
    pooling: Pooling = "mean",
    window: int = WINDOW_TOKENS,
    activations: Weights | None = None,
    tapped: bool = False,
) -> onnx.ModelProto:
    """The whole model; ``tapped`` adds the input of every weight matrix, by the matrix's name, to its outputs."""
    graph = GraphBuilder(weights, arithmetic, window=window, activations=activations)
    x = graph.embeddings()
    for index in range(LAYERS):
        x = graph.layer(x, f"encoder.layer.{index}")
    graph.nodes.append(helper.make_node("Identity", [graph.pool(x, pooling)], ["embedding"], name="embedding"))
    outputs = [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, [1, HIDDEN])]
    if tapped:
        for matrix, tensor in graph.linear_inputs.items():
            graph.nodes.append(helper.make_node("Identity", [tensor], [f"tap.{matrix}"]))
            outputs.append(helper.make_tensor_value_info(f"tap.{matrix}", TensorProto.FLOAT, None))
    made = helper.make_graph(
        graph.nodes,
        name,
        [helper.make_tensor_value_info("input_ids", TensorProto.INT64, [1, "tokens"])],
        outputs,
        graph.initializers,
    )
    opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid(CONTRIB, 1)]
    return helper.make_model(made, opset_imports=opsets, ir_version=8, producer_name="grounded")
