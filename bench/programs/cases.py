"""SpiffWorkflow: cases of as many steps as a whole import has documents, a third of them side by side; in memory, unsigned.

Told: the cases a second of each round.
"""

import io
import json
import sys
import time

from SpiffWorkflow import TaskState
from SpiffWorkflow.bpmn import BpmnWorkflow
from SpiffWorkflow.bpmn.parser import BpmnParser

BPMN = "http://www.omg.org/spec/BPMN/20100524/MODEL"


def process(steps):
    """Ten steps at once after the first, then the others one after the other."""
    side, nodes, flows = steps // 3, [], []

    def flow(a, b):
        flows.append(f'<sequenceFlow id="f{len(flows)}" sourceRef="{a}" targetRef="{b}"/>')

    nodes.append(
        '<startEvent id="start"/><parallelGateway id="fork"/><parallelGateway id="join"/><endEvent id="end"/>'
    )
    nodes.extend(f'<manualTask id="s{n}" name="s{n}"/>' for n in range(steps))
    flow("start", "s0")
    flow("s0", "fork")
    for n in range(1, side + 1):
        flow("fork", f"s{n}")
        flow(f"s{n}", "join")
    before = "join"
    for n in range(side + 1, steps):
        flow(before, f"s{n}")
        before = f"s{n}"
    flow(before, "end")
    body = "".join(nodes + flows)
    return (
        f'<definitions xmlns="{BPMN}" targetNamespace="x"><process id="import" isExecutable="true">{body}</process>'
        "</definitions>"
    )


def main(steps, cases, rounds):
    parser = BpmnParser()
    parser.add_bpmn_io(io.BytesIO(process(steps).encode()))
    spec = parser.get_spec("import")
    rates = []
    for _ in range(rounds):
        begun = time.perf_counter()
        for _ in range(cases):
            case = BpmnWorkflow(spec)
            case.do_engine_steps()
            done = 0
            while not case.is_completed():
                case.get_next_task(state=TaskState.READY, manual=True).run()
                case.do_engine_steps()
                done += 1
            if done != steps:
                raise SystemExit(f"{done} steps were done, not {steps}")
        rates.append(cases / (time.perf_counter() - begun))
    print(json.dumps(rates))


main(*map(int, sys.argv[1:4]))
