"""What an exported program may call: operators of `torch.ops.aten` that compute on their arguments and nothing else.

None reads or writes files (`from_file`, `save`), draws at random, returns memory that was never written (`empty`), or
trusts its caller about bounds (`_unsafe_index`, `as_strided`).
"""

import torch

_LAYERS = """
    adaptive_avg_pool1d adaptive_avg_pool2d adaptive_max_pool2d avg_pool1d avg_pool2d batch_norm conv1d conv2d
    conv3d conv_transpose1d conv_transpose2d convolution dropout embedding feature_dropout group_norm instance_norm
    layer_norm linear local_response_norm max_pool1d max_pool2d max_pool2d_with_indices
    _native_batch_norm_legit_no_training native_group_norm native_layer_norm pixel_shuffle pixel_unshuffle rms_norm
    scaled_dot_product_attention upsample_bicubic2d upsample_bilinear2d upsample_nearest2d
"""
_ACTIVATIONS = """
    celu elu gelu glu hardsigmoid hardswish hardtanh leaky_relu log_sigmoid log_softmax _log_softmax mish prelu relu
    relu6 selu sigmoid silu softmax _softmax softplus softshrink tanh threshold
"""
_ARITHMETIC = """
    abs add addcdiv addcmul addmm baddbmm bmm ceil clamp clamp_max clamp_min clip cos cumsum div dot einsum erf exp
    expm1 floor floor_divide fmod log log1p log2 matmul maximum minimum mm mul neg outer pow reciprocal remainder
    round rsqrt rsub sign sin sqrt square sub true_divide trunc
"""
_REDUCTIONS = """
    all amax amin any argmax argmin linalg_vector_norm logsumexp max mean min norm prod std std_mean sum topk var
    var_mean
"""
_LOGIC = """
    bitwise_and bitwise_not bitwise_or eq ge gt isinf isnan le logical_and logical_not logical_or lt masked_fill ne
    where
"""
_SHAPES = """
    alias broadcast_to cat channel_shuffle chunk clone constant_pad_nd contiguous copy detach_ detach expand
    expand_as flatten flip gather index index_select lift_fresh_copy movedim mT narrow numpy_T pad permute repeat
    repeat_interleave reshape reshape_as _reshape_copy roll select slice split split_with_sizes squeeze stack
    swapaxes sym_numel sym_size sym_stride t tile to _to_copy transpose tril triu type_as unbind unflatten
    _unsafe_view unsqueeze view view_as
"""
_CONSTANTS = """
    arange fill full full_like linspace meshgrid new_full new_ones new_zeros ones ones_like scalar_tensor zero zeros
    zeros_like
"""
ATEN = frozenset((_LAYERS + _ACTIVATIONS + _ARITHMETIC + _REDUCTIONS + _LOGIC + _SHAPES + _CONSTANTS).split())
"""Operators by name; those that work in place (`relu_`) go with them."""
_COMPARISONS = {"_operator.eq", "_operator.ge", "_operator.gt", "_operator.le", "_operator.lt", "_operator.ne"}
_SUMS = {"_operator.add", "_operator.floordiv", "_operator.mod", "_operator.mul", "_operator.neg", "_operator.sub"}
_CONVERSIONS = {"_operator.truediv", "torch.sym_float", "torch.sym_int", "torch.sym_max", "torch.sym_min"}
SCALAR = frozenset(_COMPARISONS | _SUMS | _CONVERSIONS)
"""Arithmetic on sizes."""


def is_known(target: str) -> bool:
    """Whether a node may call what its target names."""
    match target.split("."):
        case ["torch", "ops", "aten", name, overload]:
            return (name in ATEN or name.removesuffix("_") in ATEN) and _is_safe(name, overload)
    return target in SCALAR


def _is_safe(name: str, overload: str) -> bool:
    """Whether an overload exists and yields tensors or sizes: others of the same name work on lists and strings."""
    packet = getattr(torch.ops.aten, name, None)
    if packet is None or overload not in packet.overloads():
        return False
    signature = getattr(packet, overload)._schema
    written = any(argument.is_out for argument in signature.arguments)
    tensors = all("Tensor" in str(result.type) for result in signature.returns)
    return not written and (tensors or name.startswith("sym_"))
