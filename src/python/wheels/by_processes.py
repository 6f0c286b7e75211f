"""Work that is shared out over forks of this process."""
import json
import os


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
