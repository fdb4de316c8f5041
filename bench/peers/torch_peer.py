"""PyTorch as a contender: reads commands from standard input, one JSON object a line, and answers likewise."""

import base64
import json
import os
import sys
import time

import torch
import torch.nn.functional as F


def decode(text, dtype, shape):
    """Numbers sent as base64 of little-endian 32-bit words."""
    data = bytearray(base64.b64decode(text))
    return torch.frombuffer(data, dtype=dtype).reshape(shape).clone()


class Training:
    """A training step on one batch."""

    def __init__(self, workload, data, device):
        w = workload
        self.workload = w
        steps, batch = w["sequenceLength"], w["batchSize"]
        self.every = w["predict"] == "every"
        self.vocab = w["vocabSize"]
        if w["input"] == "embedding":
            self.x = decode(data["tokens"], torch.int32, [steps, batch]).long().to(device)
        else:
            self.x = decode(data["features"], torch.float32, [steps, batch, w["inputSize"]]).to(device)
        self.targets = decode(data["targets"], torch.int32, [-1]).long().to(device)
        kind = torch.nn.LSTM if w["cell"] == "lstm" else torch.nn.GRU
        self.rnn = kind(w["inputSize"], w["hiddenSize"], w["numLayers"])
        self.parts = torch.nn.ModuleDict({"rnn": self.rnn})
        if w["input"] == "embedding":
            self.parts["embedding"] = torch.nn.Embedding(w["vocabSize"], w["inputSize"])
        if self.vocab > 0:
            self.parts["output"] = torch.nn.Linear(w["hiddenSize"], self.vocab)
        weights = {
            name: decode(tensor["data"], torch.float32, tensor["shape"])
            for name, tensor in data["weights"].items()
        }
        self.parts.load_state_dict(weights)
        self.parts.to(device)
        rate = w["learningRate"]
        # Of a layer's two biases one is trained, as by everybody here.
        for name, parameter in self.parts.named_parameters():
            parameter.requires_grad_("bias_hh" not in name)
        parameters = [p for p in self.parts.parameters() if p.requires_grad]
        if w["optimizer"] == "adam":
            self.optimizer = torch.optim.Adam(parameters, lr=rate, eps=1e-7)
        elif w["optimizer"] == "rmsprop":
            self.optimizer = torch.optim.RMSprop(parameters, lr=rate, alpha=0.9, eps=1e-8)
        else:
            self.optimizer = torch.optim.SGD(parameters, lr=rate)

    def loss(self):
        x = self.parts["embedding"](self.x) if "embedding" in self.parts else self.x
        hidden, _ = self.rnn(x)
        if self.vocab == 0:
            return hidden.square().mean()
        read = hidden if self.every else hidden[-1]
        return F.cross_entropy(self.parts["output"](read).reshape(-1, self.vocab), self.targets)

    def step(self):
        self.optimizer.zero_grad(set_to_none=True)
        loss = self.loss()
        loss.backward()
        if self.workload["clipNorm"] > 0:
            torch.nn.utils.clip_grad_norm_(self.parts.parameters(), self.workload["clipNorm"])
        self.optimizer.step()
        return [loss]


class Ctc:
    """The CTC loss of logits and its gradient."""

    def __init__(self, workload, data, device):
        w = workload
        shape = [w["sequenceLength"], w["batchSize"], w["classes"]]
        self.scores = decode(data["scores"], torch.float32, shape).to(device).requires_grad_()
        self.labels = decode(data["labels"], torch.int32, [w["batchSize"], w["labels"]]).long().to(device)
        self.input_lengths = decode(data["inputLengths"], torch.int32, [-1]).long().to(device)
        self.label_counts = decode(data["labelCounts"], torch.int32, [-1]).long().to(device)

    def step(self):
        self.scores.grad = None
        log_probabilities = F.log_softmax(self.scores, 2)
        loss = F.ctc_loss(log_probabilities, self.labels, self.input_lengths, self.label_counts)
        loss.backward()
        return [loss, self.scores.grad.square().sum()]


def main():
    backend = sys.argv[1]
    device = "cuda" if backend.startswith("cuda") else "cpu"
    torch.set_num_threads(os.cpu_count())
    # Like with like: tensor cores round products to 10 bits unless told not to.
    torch.backends.cudnn.allow_tf32 = backend == "cuda-tf32"
    torch.backends.cuda.matmul.allow_tf32 = backend == "cuda-tf32"
    where = torch.cuda.get_device_name() if device == "cuda" else f"{torch.get_num_threads()} threads"
    description = f"PyTorch {torch.__version__} {backend}, {where}"
    program = None
    for line in sys.stdin:
        command = json.loads(line)
        began = time.perf_counter()
        if command["do"] == "begin":
            workload = command["workload"]
            kind = Training if workload["kind"] == "training" else Ctc
            program = kind(workload, command["data"], device)
        results = []
        for _ in range(command["units"]):
            results = program.step()
        # Reading waits for the device.
        values = [result.item() for result in results]
        if device == "cuda":
            torch.cuda.synchronize()
        milliseconds = (time.perf_counter() - began) * 1000
        answer = {"milliseconds": milliseconds, "values": values, "description": description}
        print(json.dumps(answer), flush=True)


main()
