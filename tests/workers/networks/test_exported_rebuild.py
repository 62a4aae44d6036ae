"""Plain forms that a child under a stranger's control might hand back: refused, and nothing in them was run."""

import io
import json

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import nn

from service.errors import Invalid
from tests.workers.networks.exporting import BATCH, archive, network
from workers.networks.exported_modules import ExportedNetwork, Of, Plan, Size
from workers.networks.exported_plain import extract
from workers.networks.exported_rebuild import LONGEST, rebuild

CPU = torch.device("cpu")


def plain_of(module, *images, dynamic=(BATCH,)):
    return extract(io.BytesIO(archive(module, *images, dynamic=dynamic)), io.BytesIO())


@pytest.fixture(scope="module")
def data():
    return plain_of(network())


@pytest.fixture
def rebuilt(tmp_path, data):
    """Build a plain form, its program changed before."""

    def run(change=lambda _: None, data=data):
        (tmp_path / "plain").write_bytes(data)
        with safe_open(tmp_path / "plain", "pt") as content:
            program = json.loads(content.metadata()["program"])
            tensors = {name: content.get_tensor(name).clone() for name in content.keys()}  # noqa: SIM118
        change(program)
        save_file(tensors, tmp_path / "changed", {"program": json.dumps(program)})
        return rebuild(tmp_path / "changed", CPU)

    return run


@pytest.fixture
def refused(rebuilt):
    def run(change, match="not usable"):
        with pytest.raises(Invalid, match=match) as caught:
            rebuilt(change)
        assert caught.value.errors[0]["pointer"] == "/weights"

    return run


def first_step(program, does="call_function", path="block"):
    return next(step for step in program["modules"][path]["steps"] if step["does"] == does)


def test_what_was_not_changed_is_the_network(rebuilt):
    x = torch.randn(3, 3, 8, 8)
    assert torch.equal(rebuilt()(x), network()(x))


@pytest.mark.parametrize(
    "target",
    [
        "os.system",
        "builtins.eval",
        "_operator.attrgetter",
        "_operator.getitem",
        "torch.load",
        "torch.ops.aten.from_file.default",
        "torch.ops.aten.relu.default.__class__",
        "torch.ops.aten.as_strided.default",
        "",
        None,
        7,
        [],
    ],
)
def test_unknown_operators_are_refused(refused, target):
    refused(lambda program: first_step(program).update(target=target))


@pytest.mark.parametrize(
    ("does", "target"),
    [
        ("get_attr", "weight"),
        ("get_attr", "forward"),
        ("get_attr", "conv.weight.data"),
        ("get_attr", "__class__"),
        ("get_attr", "..weight"),
        ("call_module", "stem"),
        ("call_module", ""),
        ("call_module", "forward"),
        ("call_module", "conv.weight"),
        ("call_method", "numpy"),
        ("placeholder", "x"),
        (None, None),
    ],
)
def test_steps_that_lead_nowhere_are_refused(refused, does, target):
    refused(lambda program: first_step(program, "call_module").update(does=does, target=target))


@pytest.mark.parametrize("name", ["x): import os #", "a.b", "lambda x", "", "x" * 300, "é", 7, None])
def test_names_that_are_not_plain_are_refused(refused, name):
    refused(lambda program: first_step(program).update(name=name))
    refused(lambda program: program["modules"][""].update(inputs=[name]))
    refused(lambda program: program["modules"]["block.conv"]["tensors"].update({str(name) + "!": {}}))


@pytest.mark.parametrize(
    "path", ["a b", "forward", "__class__", "_modules", "_plan", "a..b", "no.such", "graph", "a@b"]
)
def test_modules_of_other_names_are_refused(refused, path):
    refused(lambda program: program["modules"].update({path: {"tensors": {}}}))


@pytest.mark.parametrize(
    "argument",
    [
        {"of": "nowhere"},
        {"of": ["x"]},
        {"text": "'''); import os"},
        {"dtype": "nn"},
        {"dtype": "load"},
        {"memory_format": "float32"},
        {"layout": "sparse_coo"},
        {"device": "cuda"},
        {"float": "open"},
        {"slice": [1, 2]},
        {"tuple": 1},
        {"of": "x", "text": "y"},
        {},
        "text",
    ],
)
def test_arguments_that_are_not_plain_are_refused(refused, argument):
    refused(lambda program: first_step(program).update(args=[argument]))
    refused(lambda program: first_step(program).update(args=[[{"tuple": [argument]}]]))
    refused(lambda program: program["modules"]["block"].update(returns=argument))


@pytest.mark.parametrize(
    "change",
    [{"tensor": 999}, {"tensor": "../0"}, {"kind": "code"}, {"order": [0, 0, 0, 0]}, {"order": "0123"}, {"more": 1}],
    ids=str,
)
def test_tensors_that_are_not_there_are_refused(refused, change):
    refused(lambda program: program["modules"]["block.conv"]["tensors"]["weight"].update(change))


@pytest.mark.parametrize("size", [None, "8", {"symbol": "s"}, {"symbol": "s", "least": 1, "most": "8"}])
def test_sizes_that_are_none_are_refused(refused, size):
    refused(lambda program: program.update(takes=[size]))


@pytest.mark.parametrize("program", [None, [], {}, {"modules": {}}, {"modules": {"": {}}}, {"modules": 3, "takes": []}])
def test_programs_of_other_forms_are_refused(tmp_path, program):
    save_file({}, tmp_path / "plain", {"program": json.dumps(program)})
    with pytest.raises(Invalid, match="not usable"):
        rebuild(tmp_path / "plain", CPU)


def test_programs_that_are_no_json_are_refused(tmp_path):
    for metadata in ({"program": "["}, {"program": "[" * 10**5}, {}, None):
        save_file({}, tmp_path / "plain", metadata)
        with pytest.raises(Invalid, match="not usable"):
            rebuild(tmp_path / "plain", CPU)


def test_arithmetic_is_on_numbers_only(rebuilt):
    def multiply(program):
        root = program["modules"][""]
        size = {"name": "n", "does": "call_function", "options": {}, "target": "_operator.mul", "args": [[1], 10**12]}
        root["steps"].insert(0, size)

    with pytest.raises(TypeError, match="no size"):
        rebuilt(multiply)(torch.zeros(1, 3, 8, 8))


def test_modules_that_call_each_other_without_end_are_refused(refused):
    def nest(program):
        path = "block"
        for depth in range(20):
            inner = {"does": "call_module", "target": "m", "args": [], "options": {}}
            last = depth == 19
            steps = [] if last else [inner | {"name": f"step{n}"} for n in range(3)]
            path = f"{path}.m"
            program["modules"][path] = {"tensors": {}, "inputs": [], "steps": steps, "returns": None}

    refused(nest, f"more than {LONGEST} steps")

    def deepen(program):
        for depth in range(1, 40):
            program["modules"][".".join("m" * depth)] = {"tensors": {}, "inputs": [], "steps": [], "returns": None}

    refused(deepen, "within each other")


def test_sizes_are_checked_as_they_were_exported(rebuilt):
    free = [{0: BATCH[0], 2: torch.export.Dim("height", max=32), 3: torch.export.Dim("width", max=32)}]
    found = rebuilt(data=plain_of(nn.ReLU(), torch.zeros(2, 3, 8, 8), dynamic=free))
    assert found(torch.ones(1, 3, 12, 16)).shape == (1, 3, 12, 16)
    for shape in [(1, 3, 36, 12), (1, 3, 12, 33), (1, 4, 8, 8), (3, 8, 8)]:
        with pytest.raises(ValueError, match="it was exported for images of the sizes"):
            found(torch.ones(shape))


def test_sizes_of_one_symbol_are_equal():
    size = Size("side", 1, None)
    network = ExportedNetwork(Plan(["x"], [], Of("x")), [size, size])
    assert network(torch.ones(7, 7)).shape == (7, 7)
    with pytest.raises(ValueError, match="any, any"):
        network(torch.ones(7, 9))


@pytest.mark.filterwarnings("ignore:No complete tensor found")  # torch's exporter on dimensions in another order
def test_tensors_keep_their_strides(rebuilt):
    net = nn.Conv2d(3, 3, 3).to(memory_format=torch.channels_last).eval()
    weight = rebuilt(data=plain_of(net)).get_parameter("weight")
    assert weight.stride() == net.weight.stride()
    assert torch.equal(weight, net.weight)
