"""Puts this process into a job object of its own (Windows): what it starts is in the job too and cannot leave it, the system
ends all of it when this process ends, however it ends, and the limits of the policy bind it.

Executed by launcher.py before anything of a package is in its reach. Windows 8 and later: a job within a job, since a
host, a service manager or Python's own `Scripts\\python.exe` may have made one around this process.
"""
import os

# winnt.h
CPU_RATE_ENABLE, CPU_RATE_HARD_CAP, CPU_RATE = 0x1, 0x4, 15
ACTIVE_PROCESS, PRIORITY_CLASS, PROCESS_MEMORY, NO_CRASH_DIALOG, KILL_ON_CLOSE = 0x8, 0x20, 0x100, 0x400, 0x2000
EXTENDED_LIMITS = 9
SYNCHRONIZE, QUERY_LIMITED = 0x100000, 0x1000
HIGH, ABOVE_NORMAL, BELOW_NORMAL, IDLE = 0x80, 0x8000, 0x4000, 0x40
ALREADY_EXISTS, INVALID_PARAMETER = 183, 87  # the second: what OpenProcess says of an id that no process has
ONCE, FOREVER = 0x8, 0xFFFFFFFF


def enter_job(order):
    """Gives `{"pid", "bounds"}` for the host's parseReport (containment.ts)."""
    missing = []
    bounds = {"processes": False, "missing": missing}
    limits = {name: value for name, value in (order.get("limits") or {}).items() if value is not None}
    if "open_files" in limits:
        missing.append("policy.resources.openFiles is without effect: Windows has no such limit")
    if (order.get("scratch") or {}).get("bytes") is not None:
        missing.append("policy.resources.scratchBytes is without effect: Windows has no such limit")
    try:
        kernel = Kernel()
    except Exception as fault:  # a Python that was built without ctypes
        missing.append("the worker has no job object: this Python cannot call the system (%s)" % fault)
        return {"pid": os.getpid(), "bounds": bounds}
    try:
        job, unranked = kernel.make_job(limits)
    except OSError as fault:
        missing.append("the worker has no job object: %s" % fault)
        return {"pid": os.getpid(), "bounds": bounds}
    if unranked:
        missing.append("policy.resources.nice %s: %s" % unranked)
    bounds["processes"] = True
    if "cpus" in limits:
        refusal = kernel.limit_cpu(job, limits["cpus"])
        if refusal:
            missing.append("policy.resources.cpus is without effect: %s" % refusal)
    if not kernel.end_with(order["host"], job):
        missing.append("the system does not tell the worker of its host's death: it ends when its input ends")
    return {"pid": os.getpid(), "bounds": bounds}


def priority_of(nice):
    """The class nearest to a niceness; the real-time class would stop the machine."""
    if nice >= 15:
        return IDLE
    if nice > 0:
        return BELOW_NORMAL
    return HIGH if nice <= -15 else ABOVE_NORMAL


class Kernel:
    def __init__(self):
        import ctypes

        self.c = ctypes
        self.calls = ctypes.WinDLL("kernel32", use_last_error=True)
        self.handle, self.size = ctypes.c_void_p, ctypes.c_size_t

    def call(self, name, result, *arguments):
        """`arguments`: pairs of type and value."""
        function = getattr(self.calls, name)
        function.restype, function.argtypes = result, [kind for kind, _ in arguments]
        return function(*(value for _, value in arguments))

    def limits_of(self, limits):
        c = self.c

        class Basic(c.Structure):
            _fields_ = [("process_time", c.c_int64), ("job_time", c.c_int64), ("flags", c.c_uint32),
                        ("least", c.c_size_t), ("most", c.c_size_t), ("processes", c.c_uint32),
                        ("affinity", c.c_size_t), ("priority", c.c_uint32), ("scheduling", c.c_uint32)]

        class Extended(c.Structure):
            _fields_ = [("basic", Basic), ("io", c.c_uint64 * 6), ("process_memory", c.c_size_t),
                        ("job_memory", c.c_size_t), ("peak_process", c.c_size_t), ("peak_job", c.c_size_t)]

        extended = Extended()
        extended.basic.flags = KILL_ON_CLOSE | NO_CRASH_DIALOG
        if "address_space_bytes" in limits:
            extended.basic.flags |= PROCESS_MEMORY
            extended.process_memory = min(limits["address_space_bytes"], self.size(-1).value)
        if "processes" in limits:
            extended.basic.flags |= ACTIVE_PROCESS
            extended.basic.processes = limits["processes"]
        if limits.get("nice"):
            extended.basic.flags |= PRIORITY_CLASS
            extended.basic.priority = priority_of(limits["nice"])
        return extended

    def make_job(self, limits):
        """The only lasting handle of the job: it is closed when this process ends, and the job ends with it. By its name the host
        reads the figures of the job (windows-calls.ts); a name that is taken is somebody else's."""
        c = self.c
        job = self.new_job("procvision-worker-%d" % os.getpid()) or self.new_job(None)
        if not job:
            raise c.WinError(c.get_last_error())
        extended, unranked = self.limits_of(limits), None
        fault = self.set_limits(job, extended)
        if fault and extended.basic.flags & PRIORITY_CLASS:
            # To set it for a job takes SE_INC_BASE_PRIORITY_NAME, which a service account has not. All else binds without it.
            unranked = self.rank(extended.basic.priority, fault)
            extended.basic.flags &= ~PRIORITY_CLASS
            fault = self.set_limits(job, extended)
        if fault:
            raise fault
        # -1 stands for this process itself.
        if not self.call("AssignProcessToJobObject", c.c_int, (self.handle, job), (self.handle, -1)):
            raise c.WinError(c.get_last_error())
        return job, unranked

    def set_limits(self, job, extended):
        """Gives the fault, if there is one."""
        c = self.c
        if self.call("SetInformationJobObject", c.c_int, (self.handle, job), (c.c_int, EXTENDED_LIMITS),
                     (self.handle, c.addressof(extended)), (c.c_uint32, c.sizeof(extended))):
            return None
        return c.WinError(c.get_last_error())

    def rank(self, priority, refusal):
        """Gives this process the class that its job could not have. What it starts inherits one below normal, no other
        (CreateProcess). Gives what is missing and why, if anything is."""
        c = self.c
        if not self.call("SetPriorityClass", c.c_int, (self.handle, -1), (c.c_uint32, priority)):
            return "is without effect", c.WinError(c.get_last_error())
        return None if priority in (BELOW_NORMAL, IDLE) else ("is for the worker alone, not for what it starts", refusal)

    def limit_cpu(self, job, cpus):
        """The share of all processors in 1/10,000 (JOBOBJECT_CPU_RATE_CONTROL_INFORMATION); gives the fault, if there is one."""
        c = self.c
        rate = max(1, min(10000, round(10000 * cpus / (os.cpu_count() or 1))))
        control = (c.c_uint32 * 2)(CPU_RATE_ENABLE | CPU_RATE_HARD_CAP, rate)
        if self.call("SetInformationJobObject", c.c_int, (self.handle, job), (c.c_int, CPU_RATE),
                     (self.handle, c.addressof(control)), (c.c_uint32, c.sizeof(control))):
            return None
        return c.WinError(c.get_last_error())

    def new_job(self, name):
        c = self.c
        c.set_last_error(0)
        job = self.call("CreateJobObjectW", self.handle, (self.handle, None), (c.c_wchar_p, name))
        if job and c.get_last_error() == ALREADY_EXISTS:
            self.call("CloseHandle", c.c_int, (self.handle, job))
            return None
        return job

    def end_with(self, host, job):
        """Ends the job with the process of that id. A thread of the system waits for it, and calls the system itself: Python may
        be held up by a library that keeps the interpreter to itself. `TerminateJobObject(job, code)` fits what such a wait
        calls: `WAITORTIMERCALLBACK(context, hasTimedOut)`."""
        c = self.c
        process = self.call("OpenProcess", self.handle, (c.c_uint32, SYNCHRONIZE | QUERY_LIMITED), (c.c_int, 0),
                            (c.c_uint32, host))
        if not process:
            if c.get_last_error() == INVALID_PARAMETER:
                os._exit(1)  # it died before that
            return False
        if self.started(process) > self.started(-1):
            os._exit(1)  # it died before that, and its id is another's
        wait = self.handle()
        end = c.cast(self.calls.TerminateJobObject, self.handle)
        return bool(self.call("RegisterWaitForSingleObject", c.c_int, (self.handle, c.addressof(wait)),
                              (self.handle, process), (self.handle, end), (self.handle, job),
                              (c.c_uint32, FOREVER), (c.c_uint32, ONCE)))

    def started(self, process):
        """When it started, in 100 ns since 1601; 0 where the system does not tell."""
        times = (self.c.c_uint64 * 4)()
        pointers = [(self.handle, self.c.addressof(times) + 8 * index) for index in range(4)]
        return times[0] if self.call("GetProcessTimes", self.c.c_int, (self.handle, process), *pointers) else 0
