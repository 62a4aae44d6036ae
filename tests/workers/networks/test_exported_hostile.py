"""Archives that somebody wrote to do harm, or that are none: refused, and nothing in them was run."""

import io
import json
import pickle
import random
import zipfile
from pathlib import Path

import pytest
import torch
from torch import nn

from service.errors import Invalid
from tests.workers.networks.exporting import (
    BATCH,
    CONSTANTS,
    PROGRAM,
    WEIGHTS,
    archive,
    entries_of,
    load_unconfined,
    network,
    pack,
    spoil,
)
from workers.networks import exported
from workers.networks.exported import ExportedArchive
from workers.networks.exported_archive import write_clean

CPU = torch.device("cpu")


class Touch:
    """Creates a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


@pytest.fixture(scope="module")
def data():
    return archive(network())


@pytest.fixture
def trace(tmp_path):
    """A file that is there if something ran."""
    yield tmp_path / "ran"
    assert not (tmp_path / "ran").exists()


@pytest.fixture
def opened(tmp_path, monkeypatch):
    monkeypatch.setattr(exported, "load_confined", load_unconfined)

    def run(content):
        (tmp_path / "net.pt2").write_bytes(content)
        return ExportedArchive().open(tmp_path / "net.pt2", CPU)

    return run


@pytest.fixture
def refused(opened, trace):
    def run(content, match):
        with pytest.raises(Invalid, match=match) as caught:
            opened(content)
        assert caught.value.errors[0]["pointer"] == "/weights"

    return run


def graph_of(program):
    return program["graph_module"]["graph"]


def first_weight(config):
    return next(iter(config["config"].values()))


def call_of(expression):
    """Code for sympy to evaluate, as a size."""
    return {"as_expr": {"expr_str": expression, "hint": None}}


def test_pickled_weights_are_refused(refused, data, trace):
    content = pickle.dumps(Touch(trace))
    for entry, folder in ((WEIGHTS, "weights/weight_0"), (CONSTANTS, "constants/tensor_0")):
        bad = spoil(
            data,
            entry,
            change=lambda config: first_weight(config).update(use_pickle=True),
            entries={f"data/{folder}": content},
        )
        refused(bad, "pickled")


def test_sample_inputs_are_never_read(opened, data, trace):
    x = torch.rand(2, 3, 8, 8)
    bad = spoil(data, entries={"data/sample_inputs/model.pt": pickle.dumps(Touch(trace))})
    assert torch.equal(opened(bad)(x), opened(data)(x))


@pytest.mark.parametrize(
    "name",
    [
        "data/constants/custom_obj_0",
        "data/constants/opaque_obj_0",
        "data/constants/model.pt",
        "data/weights/model.pt",
        "data/aotinductor/model/model.so",
        "data/executorch/model.pte",
        "models/other.json",
        "../model.json",
        "data/weights/../../../../etc/passwd",
        "data/weights/",
        "version",
        "serialized_state_dict.pt",
    ],
)
def test_entries_that_no_plain_network_has_are_refused(refused, data, trace, name):
    refused(pack(entries_of(data) | {name: pickle.dumps(Touch(trace))}), "is not one that torch.export.save writes")


@pytest.mark.parametrize("path", ["custom_obj_0", "opaque_obj_0", "../weights/weight_0", "/etc/passwd", "tensor_0\n"])
def test_payloads_of_other_names_are_refused(refused, data, path):
    refused(spoil(data, CONSTANTS, change=lambda config: first_weight(config).update(path_name=path)), "no plain name")


@pytest.mark.parametrize(
    "expression",
    [
        "__import__('pathlib').Path('{trace}').touch()",
        "Symbol('s77', positive=True, integer=True).__class__",
        "Mul(Integer(2), open('{trace}', 'w'))",
        "Symbol('open')",
        "Pow(Integer(9), Pow(Integer(9), Integer(9)))",
        "Integer(" + "9" * 400 + ")",
        "#",
        "Mul(#, Integer(2))",
        "Add(" * 5000 + ")" * 5000,
        "",
    ],
)
def test_shapes_that_would_be_evaluated_are_refused(refused, data, trace, expression):
    size = call_of(expression.replace("{trace}", str(trace)))
    refused(spoil(data, change=lambda p: graph_of(p)["tensor_values"]["x"]["sizes"].append(size)), "no plain size")
    refused(spoil(data, change=lambda p: graph_of(p)["sym_int_values"].update(more=size)), "no plain size")


@pytest.mark.parametrize(
    "target",
    [
        "torch.ops.aten.from_file.default",
        "torch.ops.aten.save.default",
        "torch.ops.aten.empty.memory_format",
        "torch.ops.aten.as_strided.default",
        "torch.ops.aten.set_.source_Tensor",
        "torch.ops.aten.relu.out",
        "torch.ops.aten.mul.left_t",
        "torch.ops.aten.add.str",
        "torch.ops.aten.relu.nothing",
        "torch.ops.aten.relu.default.__class__",
        "torch.ops.aten._schema.default",
        "torch.ops.prim.Print.default",
        "torch.ops.higher_order.cond",
        "torch.ops.profiler._record_function_enter.default",
        "torch.load",
        "torch.hub.load",
        "_operator.attrgetter",
        "_operator.methodcaller",
        "_operator.pow",
        "math.factorial",
        "#namespace:operator",
        "os.system",
        "",
    ],
)
def test_unknown_operators_are_refused(refused, data, target):
    refused(spoil(data, change=lambda p: graph_of(p)["nodes"][0].update(target=target)), "not among the operators")


def test_arithmetic_on_what_is_no_size_is_refused(refused, data):
    node = {
        "target": "_operator.mul",
        "inputs": [{"name": "a", "arg": {"as_string": "a"}}, {"name": "b", "arg": {"as_int": 10**12}}],
        "outputs": [{"as_sym_int": {"as_name": "much"}}],
        "metadata": {},
    }
    refused(spoil(data, change=lambda p: graph_of(p)["nodes"].insert(0, node)), "what is no size")


@pytest.mark.parametrize(
    "argument",
    [
        {"as_operator": "torch.load"},
        {"as_custom_obj": {"name": "o", "class_fqn": "__torch__.torch.classes.C"}},
        {"as_graph": {"name": "g", "graph": {}}},
        {"as_string_to_argument": {}},
        {"as_string": "'''); import os"},
        {"as_int": "1"},
        {"as_int": True},
        {"as_int": 2**70},
        {"as_float": "open"},
        {"as_ints": [1, [2]]},
        {"as_tensor": {"name": "x", "class": "y"}},
        {"as_tensor": {}},
        {"as_layout": 1},
        {"as_none": True, "as_int": 1},
        {"as_nothing": True},
        {},
        [],
        None,
    ],
)
def test_arguments_of_other_kinds_are_refused(refused, data, argument):
    refused(spoil(data, change=lambda p: graph_of(p)["nodes"][0]["inputs"][0].update(arg=argument)), "not usable")


@pytest.mark.parametrize("name", ["x): import os #", "x\nimport os", "ä", "lambda", "a.b", "", "x" * 300])
def test_names_that_would_become_code_are_refused(refused, data, name):
    refused(spoil(data, change=lambda p: graph_of(p)["nodes"][0].update(name=name)), "no plain name")
    refused(spoil(data, change=lambda p: graph_of(p)["inputs"][0]["as_tensor"].update(name=name)), "no plain name")
    refused(spoil(data, change=lambda p: graph_of(p)["tensor_values"].update({name: meta_of(p)})), "no plain name")


def meta_of(program):
    return graph_of(program)["tensor_values"]["x"]


@pytest.mark.parametrize("path", ['a"b', "a..b", "forward", "block.__class__", "_modules.x", "a.graph", "a.b@c", "a b"])
def test_paths_that_would_reach_into_modules_are_refused(refused, data, path):
    def in_signature(program):
        program["graph_module"]["signature"]["input_specs"][0]["parameter"]["parameter_name"] = path

    def in_stack(program):
        graph_of(program)["nodes"][0]["metadata"]["nn_module_stack"] = f"L__self__,,net.Net;L__self__a,{path},net.A"

    refused(spoil(data, change=in_signature), "no plain name|name that every module")
    refused(spoil(data, change=in_stack), "no plain name|name that every module")
    refused(spoil(data, change=lambda p: p["graph_module"]["module_call_graph"][1].update(fqn=path)), "name")


def test_what_only_describes_is_left_out(opened, data, trace):
    code = f"__import__('pathlib').Path({str(trace)!r}).touch()"

    def change(program):
        module = program["graph_module"]
        program["guards_code"], program["torch_version"] = [code], code
        module["metadata"], module["treespec_namedtuple_fields"] = {"custom": code}, {code: {"field_names": [code]}}
        root = module["module_call_graph"][0]["signature"]
        root["forward_arg_names"], root["in_spec"], root["out_spec"] = [code], code, code
        graph_of(program)["nodes"][0]["metadata"] |= {"stack_trace": code, "source_fn_stack": code, "from_node": code}

    x = torch.rand(2, 3, 8, 8)
    assert torch.equal(opened(spoil(data, change=change))(x), opened(data)(x))


def test_tensors_may_not_claim_more_than_is_stored(refused, data):
    changes = [
        {"sizes": [{"as_int": 10**12}], "strides": [{"as_int": 0}]},
        {"sizes": [{"as_int": 2}], "strides": [{"as_int": 10**9}]},
        {"sizes": [], "strides": [], "storage_offset": {"as_int": 10**9}},
        {"sizes": [{"as_int": -1}], "strides": [{"as_int": 1}]},
        {"sizes": [{"as_int": 1}], "strides": [{"as_int": -1}]},
        {"sizes": [{"as_int": 1}], "strides": []},
        {"sizes": [call_of("Symbol('s77')")], "strides": [{"as_int": 1}]},
    ]
    for change in changes:
        bad = spoil(data, WEIGHTS, change=lambda config, c=change: first_weight(config)["tensor_meta"].update(c))
        refused(bad, "claims more|shape")
    refused(spoil(data, entries={"data/weights/weight_0": b""}), "claims more")


def test_zip_bombs_are_refused(refused, data):
    refused(pack(entries_of(data) | {"extra/zeros": b"0" * 10**7}, zipfile.ZIP_DEFLATED), "compressed or encrypted")
    overlapping = bytearray(pack({"extra/zeros": b"0" * 100, "extra/more": b"0" * 100}))
    start = overlapping.rindex(b"PK\x01\x02")
    overlapping[start + 20 : start + 28] = (10**9).to_bytes(4, "little") * 2
    refused(bytes(overlapping), "overlap|damaged")


def test_entries_of_one_name_are_refused(refused, data):
    file = io.BytesIO(data)
    with zipfile.ZipFile(file, "a") as target, pytest.warns(UserWarning, match="Duplicate"):
        target.writestr(target.namelist()[0], b"other")
    refused(file.getvalue(), "is not one that")


def test_truncated_and_damaged_archives_are_refused(refused, opened, data):
    for length in (0, 3, 30, len(data) // 2, len(data) - 1):
        refused(data[:length], "cut off or damaged")
    dice = random.Random(0)
    for _ in range(60):
        damaged = bytearray(data)
        damaged[dice.randrange(len(data))] ^= 1 << dice.randrange(8)
        try:
            opened(bytes(damaged))
        except Invalid:
            continue


def test_other_files_are_refused(refused):
    file = io.BytesIO()
    torch.save(network().state_dict(), file)
    refused(file.getvalue(), "is not one that torch.export.save writes")
    refused(random.Random(0).randbytes(5000), "cut off or damaged")
    refused(pack({}), "has no entry")
    refused(pack({"archive_format": b"pt2"}), "has no entry")


@pytest.mark.parametrize(
    ("entry", "content"),
    [("archive_version", b"1"), ("archive_version", b"0" * 10**6), ("archive_format", b"pt3"), ("byteorder", b"big")],
)
def test_archives_of_other_versions_are_refused(refused, data, entry, content):
    refused(spoil(data, entries={entry: content}), f"its {entry} is not")


@pytest.mark.parametrize("version", [{"major": 7, "minor": 0}, {"major": 8, "minor": 999}, {"major": "8"}, {}, None])
def test_programs_of_other_schemas_are_refused(refused, data, version):
    refused(spoil(data, change=lambda p: p.update(schema_version=version)), "schema version")


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b"null", b"[" * 10**5, b'{"config": []}', b"\xff\xfe", b"9" * 5000]
)
def test_what_is_no_json_of_the_schema_is_refused(refused, data, content):
    for entry in (PROGRAM, WEIGHTS, CONSTANTS):
        refused(pack(entries_of(data) | {entry: content}), "exported archive")


def test_programs_that_contradict_themselves_are_refused(refused, data):
    def forget(program):
        graph_of(program)["nodes"][0]["inputs"][0]["arg"] = {"as_tensor": {"name": "nowhere"}}

    refused(spoil(data, change=forget), "does not load")
    refused(spoil(data, change=lambda p: graph_of(p)["nodes"].append(graph_of(p)["nodes"][0])), "does not load")
    refused(spoil(data, change=lambda p: p["graph_module"]["module_call_graph"].clear()), "does not load")
    refused(spoil(data, change=lambda p: graph_of(p)["tensor_values"].pop("x")), "float32 images")


class Two(nn.Module):
    def forward(self, x, y=None):
        return x if y is None else x + y, x


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (lambda: archive(network(), dynamic=None), "batches of every size"),
        (lambda: archive(network(), dynamic=[{0: torch.export.Dim("batch", min=2)}]), "batches of every size"),
        (lambda: archive(network(), dynamic=[{0: torch.export.Dim("batch", max=8)}]), "batches of every size"),
        (lambda: archive(network().train()), "training mode|its own buffers"),
        (lambda: archive(nn.Dropout().train()), "training mode"),
        (lambda: archive(Two(), *[torch.zeros(2, 3, 8, 8)] * 2, dynamic=[BATCH, BATCH]), "one tensor and return one"),
        (lambda: archive(Two()), "one tensor and return one"),
        (lambda: archive(nn.ReLU(), torch.zeros(2, 3)), "float32 images"),
        (lambda: archive(nn.ReLU(), torch.zeros(2, 3, 8, 8, dtype=torch.float16)), "float32 images"),
    ],
)
def test_networks_that_were_exported_otherwise_are_told_how_to(refused, make, match):
    refused(make(), f"(?s){match}.*dynamic_shapes")


def test_the_copy_that_is_loaded_holds_nothing_else(data):
    clean = io.BytesIO()
    write_clean(io.BytesIO(spoil(data, entries={"extra/notes": b"hello"})), clean)
    entries = entries_of(clean.getvalue())
    assert entries["data/sample_inputs/model.pt"] == b""
    assert not {name for name in entries if name.startswith(("extra", ".data/serial"))}
    assert json.loads(entries[PROGRAM])["verifiers"] == ["TRAINING"]
