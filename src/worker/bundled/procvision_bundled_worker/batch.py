"""Several calls in one message: `{"type": "batch", "calls": [call, …]}`. Each is answered by a frame of its own, as if it had come
alone. With `"more": true` the message goes on in the next frame, which may bring no call: the host writes the next pictures in
the meantime.

An algorithm with `execute_batch(items)` gets all of them at once, for a device that takes many pictures in the time of one. It
names each answer by the `item` that it is for: answers that are too few, too many, or not at the place of their item could be
verdicts on each other's pictures, so none of them is passed on.
"""
import time

from . import frames, tracing
from .answers import answer_to, error, failure, frame_of, result, with_metrics
from .delivery import FrameMissing, report_of

# The answer of a call that took less time waits for the next: to wake the host for each takes as long as such a call.
FAST_SECONDS = 0.0002


class Disorder(Exception):
    """What execute_batch gave cannot be told apart."""


def run(channel, message, adapter, memory, pictures, waiting):
    """`waiting`: calls of earlier parts of the message. Gives those that wait for the next part."""
    calls = waiting + [call for call in message.get("calls") or [] if isinstance(call, dict)]
    more = message.get("more") is True
    if not (adapter.takes_batches and all(is_execute(call) for call in calls)):
        one_by_one(channel, calls, adapter, memory, pictures, more)
        return []
    if more:
        return calls
    if len(calls) > 1:
        together(channel, calls, adapter, memory, pictures)
    else:
        one_by_one(channel, calls, adapter, memory, pictures, False)
    return []


def is_execute(call):
    """Of the phase that execute_batch is for."""
    return ((call.get("data") or {}).get("phase") or "execute") == "execute"


def one_by_one(channel, calls, adapter, memory, pictures, more):
    for call in calls:
        started = time.perf_counter()
        answer = answer_to(call, adapter, memory, pictures)
        frames.end_call()
        is_fast = time.perf_counter() - started < FAST_SECONDS
        channel.answer(frame_of(channel, answer), is_fast and (more or call is not calls[-1]))


def together(channel, calls, adapter, memory, pictures):
    reports = frames.begin_all(calls)
    tracing.enter(calls[0])
    started = time.perf_counter_ns()
    answers = answers_of(calls, adapter, pictures)
    milliseconds = (time.perf_counter_ns() - started) // 1000 / len(calls) / 1000
    made = []
    for call, report, answer in zip(calls, reports, answers):
        fault = pictures.fault_of(call)
        if answer is None and fault is None:
            fault = "it was to be read together with a picture that cannot be read: %s" % pictures.fault
        if fault is not None:
            answer, report = error(call.get("request_id") or "", fault, "1007"), report_of(fault=fault)
        made.append(with_metrics(answer, report, milliseconds, memory, pictures))
    frames.end_call()  # before the first answer: the host may then write the next picture there
    for answer in made:
        channel.answer(frame_of(channel, answer), answer is not made[-1])


def answers_of(calls, adapter, pictures):
    """An answer for each call; None for one whose picture is lost, which the algorithm does not see, and for all where it is
    the algorithm that finds out: the host sends each again by itself."""
    items, places = [], []
    try:
        for place, call in enumerate(calls):
            item = item_of(call, len(items), adapter, pictures)
            if item is not None:
                items.append(item)
                places.append(place)
        given = adapter.call_batch(items) if items else []
        check_order(given, len(items))
        answers = [None] * len(calls)
        for place, answer, item in zip(places, given, items):
            call = calls[place]
            answers[place] = result(call.get("request_id") or "", answer, adapter.added(call.get("data") or {}))
        return answers
    except Disorder as fault:
        return [error(call.get("request_id") or "", str(fault), "1000") for call in calls]
    except Exception as fault:
        if isinstance(fault, FrameMissing) and pictures.fault is not None:
            return [None] * len(calls)
        return [failure(call.get("request_id") or "", fault) for call in calls]


def item_of(call, number, adapter, pictures):
    if pictures.fault_of(call) is not None:
        return None
    try:
        item = adapter.item(call.get("data") or {}, call.get("request_id") or "")
    except FrameMissing:
        return None  # noted by who reads
    item["item"] = number
    if isinstance(call.get("traceparent"), str):
        item["traceparent"] = call["traceparent"]
    return item


def check_order(given, count):
    if not isinstance(given, (list, tuple)):
        raise Disorder("execute_batch gave %s, not a list with an answer for each of its %d items" % (type(given).__name__, count))
    if len(given) != count:
        raise Disorder("execute_batch gave %d answers for %d items: none of them is a verdict" % (len(given), count))
    for place, answer in enumerate(given):
        if not isinstance(answer, dict):
            raise Disorder("execute_batch gave %s as its answer %d, not a dict" % (type(answer).__name__, place))
        if answer.get("item") != place:
            raise Disorder("execute_batch gave an answer with item %r at place %d: each answer must bring the item of its own "
                           "picture, in the order of the items" % (answer.get("item"), place))
