"""AdamW with two bytes of state a weight, stepped inside the backward pass, so that no two gradients live at once.

optimizer = AdamInBackward(model.parameters(), lr=1e-5)
loss.backward()         # every weight is updated as soon as its gradient is known, and the gradient is freed
optimizer.step()        # counts the step

States are kept in blocks of 256 with one float32 scale each, as in "8-bit Optimizers via Block-wise Quantization" (Dettmers
et al. 2022), but on a logarithmic scale: the first moment as sign and 127 levels, eight to the binary order; the square root
of the second as 255 levels, sixteen to the order, rounded stochastically, because its change a step is smaller than a level.
It never falls below the lowest level, so that a small denominator cannot blow up a step. Weights in bfloat16 are rounded
stochastically too: a step of 1e-5 is below half the distance of neighbouring values and would be lost otherwise.

Gradients cannot be clipped by their common norm (it is not known yet) nor accumulated over several batches.
"""

import math
from collections import deque
from collections.abc import Iterable
from typing import Any

import torch

BLOCK = 256
"""Weights that share a scale."""
IN_FLIGHT = 4
"""Weights whose states may be on their way at once."""
ROWS = 16
"""Blocks that one program of the GPU works on."""


class AdamInBackward(torch.optim.Optimizer):  # type: ignore[misc]
    """AdamW whose step is taken by the backward pass.

    Args:
        params: weights, in bfloat16 or float32.
        lr: learning rate; schedulers may change it between steps.
        betas: decay of both moments; 0.95 as for Llama 2 (Touvron et al. 2023), since states of 8 bits forget slowly.
        eps: added to the denominator.
        weight_decay: decoupled, as in AdamW.
        is_offloaded: keep the states in pinned memory of the host and stream them through the GPU beside the backward
            pass: two bytes a weight less on the GPU, for the time that the bus takes.
        seed: of the rounding.
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-5,
        *,
        betas: tuple[float, float] = (0.9, 0.95),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        is_offloaded: bool = False,
        seed: int = 0,
    ) -> None:
        defaults = {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay, "num_steps": 0, "seed": seed}
        super().__init__(params, defaults)
        self._is_offloaded = is_offloaded and torch.cuda.is_available()
        self._stream = torch.cuda.Stream() if self._is_offloaded else None
        self._in_flight: deque[Any] = deque()
        self._stepped: set[int] = set()
        self._place = {
            id(weight): (number, at)
            for number, group in enumerate(self.param_groups)
            for at, weight in enumerate(group["params"])
            if weight.requires_grad
        }
        self._hooks = [
            weight.register_post_accumulate_grad_hook(self._update)
            for group in self.param_groups
            for weight in group["params"]
            if weight.requires_grad
        ]

    def step(self, closure: Any = None) -> None:
        """Count the step that the backward pass took."""
        if self._stream is not None:
            torch.cuda.current_stream().wait_stream(self._stream)
        self._stepped.clear()
        for group in self.param_groups:
            group["num_steps"] += 1

    def detach(self) -> None:
        """Step no more."""
        for hook in self._hooks:
            hook.remove()

    def state_dict(self) -> dict[str, Any]:
        """Return states as they are written into a checkpoint, which is broken if weights are, however finite the last loss.

        Raises:
            RuntimeError: if weights are no numbers any more.
        """
        weights = (weight for group in self.param_groups for weight in group["params"])
        if not all(bool(torch.isfinite(weight).all()) for weight in weights):
            raise RuntimeError("weights are no numbers any more; lower the learning rate, or look for damaged rows")
        states: dict[str, Any] = super().state_dict()
        return states

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Load states as they were written: torch would turn the codes into the precision of the weights."""
        super().load_state_dict(state_dict)
        weights = [weight for group in self.param_groups for weight in group["params"]]
        numbers = [number for group in state_dict["param_groups"] for number in group["params"]]
        for weight, number in zip(weights, numbers, strict=True):
            if number in state_dict["state"]:
                self.state[weight] = {
                    name: self._placed(tensor, weight) for name, tensor in state_dict["state"][number].items()
                }

    def _placed(self, tensor: Any, weight: Any) -> Any:
        return tensor.cpu().pin_memory() if self._is_offloaded else tensor.to(weight.device)

    def _states(self, weight: Any) -> dict[str, Any]:
        states: dict[str, Any] = self.state[weight]
        if not states:
            size, num_blocks = weight.numel(), -(-weight.numel() // BLOCK)
            where = {"device": "cpu", "pin_memory": True} if self._is_offloaded else {"device": weight.device}
            for name in ("first", "second"):
                states[name] = torch.zeros(size, dtype=torch.uint8, **where)
                states[f"{name}_scale"] = torch.zeros(num_blocks, dtype=torch.float32, **where)
        return states

    @torch.no_grad()  # type: ignore[untyped-decorator]
    def _update(self, weight: Any) -> None:
        if id(weight) in self._stepped:
            raise RuntimeError("two backward passes in one step: gradients cannot be accumulated when Adam steps in them")
        self._stepped.add(id(weight))
        if self._stream is None:
            self._step_weight(weight, self._states(weight))
        else:
            self._stream_weight(weight)
        weight.grad = None

    def _stream_weight(self, weight: Any) -> None:
        assert self._stream is not None
        host = self._states(weight)
        self._stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(self._stream):
            weight.grad.record_stream(self._stream)
            states = {name: tensor.to(weight.device, non_blocking=True) for name, tensor in host.items()}
            self._step_weight(weight, states)
            for name, tensor in states.items():
                host[name].copy_(tensor, non_blocking=True)
            self._in_flight.append(self._stream.record_event())
        if len(self._in_flight) > IN_FLIGHT:  # without waiting here, gradients of the whole model would queue up
            self._in_flight.popleft().synchronize()

    def _step_weight(self, weight: Any, states: dict[str, Any]) -> None:
        number, at = self._place[id(weight)]
        group = self.param_groups[number]  # loading a state exchanges the groups
        step = group["num_steps"] + 1
        beta1, beta2 = group["betas"]
        numbers = (
            group["lr"],
            1.0 - group["lr"] * group["weight_decay"],
            beta1,
            beta2,
            1.0 - beta1**step,
            math.sqrt(1.0 - beta2**step),
            group["eps"],
            (group["seed"] * 7919 + step * 104729 + at * 1299709) % 2**31,
        )
        if weight.is_cuda:
            _launch(weight, states, numbers)
        else:
            step_in_torch(weight, states, *numbers)


def _launch(weight: Any, states: dict[str, Any], numbers: tuple[Any, ...]) -> None:
    from training.kernels.triton_kernels import adam_8bit

    size = weight.numel()
    assert weight.is_contiguous()
    adam_8bit[(-(-size // (BLOCK * ROWS)),)](
        weight,
        weight.grad.contiguous(),
        states["first"],
        states["second"],
        states["first_scale"],
        states["second_scale"],
        size,
        *numbers,
        IS_ROUNDED=weight.dtype == torch.bfloat16,
        ROWS=ROWS,
        BLOCK=BLOCK,
        num_warps=8,
    )


def step_in_torch(
    weight: Any,
    states: dict[str, Any],
    lr: float,
    decay: float,
    beta1: float,
    beta2: float,
    correction1: float,
    correction2: float,
    eps: float,
    seed: int,
) -> None:
    """The step of `triton_kernels.adam_8bit` in plain torch; the arguments are the kernel's."""
    size = weight.numel()
    gradient = _blocks(weight.grad.reshape(-1).float())
    first = decode_first(_blocks(states["first"]), states["first_scale"])
    root = decode_root(_blocks(states["second"]), states["second_scale"])
    first = beta1 * first + (1.0 - beta1) * gradient
    root = (beta2 * root.square() + (1.0 - beta2) * gradient.square()).sqrt()
    new = _blocks(weight.reshape(-1).float())
    new = new * decay - lr * (first / correction1) / (root / correction2 + eps)
    noise = _noise(new.numel(), seed, weight.device).view_as(new)
    if weight.dtype == torch.bfloat16:
        bits = new.contiguous().view(torch.int32).long() + (noise & 0xFFFF)
        new = (bits & ~0xFFFF).to(torch.int32).view(torch.float32)
    weight.copy_(new.reshape(-1)[:size].view_as(weight))
    for name, (codes, scale) in {"first": encode_first(first), "second": encode_root(root, noise >> 16)}.items():
        states[name].copy_(codes.reshape(-1)[:size])
        states[f"{name}_scale"].copy_(scale)


def decode_first(codes: Any, scale: Any) -> Any:
    """Return first moments [blocks, 256] of their codes."""
    magnitude = (codes & 127).float()
    value = torch.where(magnitude == 0, 0.0, scale[:, None] * torch.exp2((magnitude - 127) / 8))
    return torch.where(codes >= 128, -value, value)


def decode_root(codes: Any, scale: Any) -> Any:
    """Return square roots of second moments [blocks, 256] of their codes."""
    return torch.where(codes == 0, 0.0, scale[:, None] * torch.exp2((codes.float() - 255) / 16))


def encode_first(first: Any) -> tuple[Any, Any]:
    """Return codes and scales of first moments [blocks, 256], to the nearest level; what is below the lowest is 0."""
    largest = first.abs().amax(1)
    level = torch.floor(127.5 + 8 * torch.log2(first.abs() / largest.clamp(min=1e-38)[:, None] + 1e-30))
    return (level.clamp(0, 127) + 128 * (first < 0)).to(torch.uint8), largest


def encode_root(root: Any, noise: Any) -> tuple[Any, Any]:
    """Return codes and scales of roots [blocks, 256], rounded up with the probability that keeps the mean."""
    largest = root.amax(1)
    exact = 255 + 16 * torch.log2(root / largest.clamp(min=1e-38)[:, None] + 1e-30)
    lower = torch.floor(exact)
    share = (torch.exp2((exact - lower) / 16) - 1) / (2 ** (1 / 16) - 1)
    return (lower + (noise < share * 65536)).clamp(1, 255).to(torch.uint8), largest


def _blocks(flat: Any) -> Any:
    return torch.nn.functional.pad(flat, (0, -flat.numel() % BLOCK)).view(-1, BLOCK)


def _noise(size: int, seed: int, device: Any) -> Any:
    """32 random bits an element as int64: a hash of its place (the finaliser of MurmurHash3), the same on every device."""
    low = 0xFFFFFFFF
    noise = (torch.arange(size, device=device) * 2654435761 & low) ^ seed
    noise = _times((noise ^ (noise >> 16)), 2246822507)
    noise = _times((noise ^ (noise >> 13)), 3266489909)
    return noise ^ (noise >> 16)


def _times(number: Any, factor: int) -> Any:
    """Multiply modulo 2**32 without overflowing int64."""
    high, low = number >> 16, number & 0xFFFF
    return ((high * factor & 0xFFFF) * 65536 + low * factor) & 0xFFFFFFFF
