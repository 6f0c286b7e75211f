"""Work that is shared out over forks of this process, or over threads where it cannot fork, or only waits."""
import json
import os

# They wait for the system most of the time, on Windows far longer than what Python does between.
THREADS = 4


def by_processes(shares, work):
    """What each share tells. When it is closed early, what still runs is killed."""
    reading, writing = os.pipe()
    children = []
    for share in shares:
        child = os.fork()
        if child == 0:
            os.close(reading)
            try:  # lines this short are never torn
                work(share, lambda *values: os.write(writing, json.dumps(values).encode("ascii") + b"\n"))
            finally:
                os._exit(0)
        children.append(child)
    os.close(writing)
    is_over = False
    try:
        with os.fdopen(reading, encoding="ascii") as lines:
            for line in lines:
                yield json.loads(line)
        is_over = True
    finally:
        for child in children:
            if not is_over:
                os.kill(child, 9)
            os.waitpid(child, 0)


def cores():
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # macOS
        return os.cpu_count() or 1


def each_by_threads(items, work):
    """Works on each item, several at a time. Once one fails no other is begun, and the first failure is raised."""
    import threading

    left, failures, turn = iter(items), [], threading.Lock()

    def run():
        while not failures:
            with turn:
                item = next(left, left)
            if item is left:
                return
            try:
                work(item)
            except BaseException as failure:
                failures.append(failure)

    threads = [threading.Thread(target=run) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
