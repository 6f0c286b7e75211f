/**
 * Source of an algorithm that misbehaves as `user_params` asks: `sleep_ms`, `wait_for` (path: until the file
 * is there), `exit` (code), `exit_once` (path of a flag
 * file: dies the first time only), `hang_once` (likewise, sleeps a minute), `error_once` (raises the first time only),
 * `raise`, `data` (given back as result data), `grow_mb`, `spin_ms` (burns the CPU), `log` (path: one line
 * `<pid> <request number>` for each call). Its answer tells the pid of its process, how many calls it has had, the
 * first pixel and what it was asked to `echo`. Needs `name`, `version` and `pids` only for get_info().
 */
export function steeredAlgorithm(o: { extra?: string; onImport?: string } = {}): string {
  return `import os
import sys
import time

from procvision_algorithm_sdk import BaseAlgorithm, read_image_from_shared_memory

${o.onImport ?? ''}


def first_time(flag):
    try:
        os.close(os.open(flag, os.O_CREAT | os.O_EXCL))
        return True
    except FileExistsError:
        return False


class Algorithm(BaseAlgorithm):
    calls = 0
    kept = []

    def get_info(self):
        return {"name": "sample", "version": "1.0.0", "supported_pids": ["A01"], "steps": []}

    def pre_execute(self, *args):
        return self.execute(*args)

    def execute(self, step_index, pid, session, user_params, shared_mem_id, image_meta):
        asked = user_params or {}
        self.calls += 1
        image = bytes(read_image_from_shared_memory(shared_mem_id, image_meta))
        if "log" in asked:
            with open(asked["log"], "a") as file:
                file.write("%d %s\\n" % (os.getpid(), asked.get("echo")))
        if "sleep_ms" in asked:
            time.sleep(asked["sleep_ms"] / 1000)
        while "wait_for" in asked and not os.path.exists(asked["wait_for"]):
            time.sleep(0.005)
        if "spin_ms" in asked:
            until = time.process_time() + asked["spin_ms"] / 1000
            while time.process_time() < until:
                pass
        if "grow_mb" in asked:
            self.kept.append(bytearray(os.urandom(1)) * (asked["grow_mb"] << 20))
        if "exit" in asked or ("exit_once" in asked and first_time(asked["exit_once"])):
            sys.stderr.write("the lamp fell off\\n")
            sys.stderr.flush()
            os._exit(asked.get("exit", 7))
        if "hang_once" in asked and first_time(asked["hang_once"]):
            time.sleep(60)
        if "raise" in asked or ("error_once" in asked and first_time(asked["error_once"])):
            raise ValueError(asked.get("raise", "not this time"))
        data = {"result_status": "OK", "debug": {"worker_pid": os.getpid(), "calls": self.calls,
                "first": list(image[:3]), "echo": asked.get("echo"), "session": session.id}}
        data.update(asked.get("data") or {})
        return {"status": "OK", "message": "", "data": data}
${o.extra ?? ''}
`;
}
