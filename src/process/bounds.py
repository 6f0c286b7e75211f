"""What a worker does to itself before anything of a package is in its reach: mounts of its own, limits, rights.

Executed by contain.py in the worker's process. `in_force` notes what is in force.
"""
import os
import sys

DIE_WITH_PARENT, DROP_FROM_BOUNDING_SET, NO_NEW_PRIVILEGES = 1, 24, 38  # prctl(2)
READ_ANYWHERE = 2  # CAP_DAC_READ_SEARCH: a store of another user stays readable to a host that is root
SCRATCH_VARIABLES = {"HOME": "home", "TMPDIR": "tmp", "NUMBA_CACHE_DIR": "numba", "MPLCONFIGDIR": "matplotlib",
                     "XDG_CACHE_HOME": "cache"}


def bind(order, system, spaces, in_force):
    if spaces:
        mount_proc(order, system, in_force)
    if order.get("network") == "none" and order.get("insist") and in_force.get("network") != "none":
        refuse(order, "policy.network is 'none', and this system gives the worker no network namespace (%s). Run the host as "
               "root, allow user namespaces, or deny the network from outside and set policy.network to 'host'"
               % "; ".join(in_force["missing"]))
    raise_oom_score(order, in_force)
    apply_limits(order.get("limits") or {}, in_force)
    if order.get("serve") and spaces and os.getuid() == 0 and not order.get("uid"):
        order["stand_in_for_root"](in_force)
    give_up_rights(order, system, in_force)
    if order.get("root"):
        os.chdir(order["root"])  # the folder of before may be written to
    if in_force.get("scratch"):
        use_scratch(order, in_force["scratch"]["folder"])
    if system and not system.prctl(DIE_WITH_PARENT, 9):  # after the change of user, which takes it away
        in_force["missing"].append("the kernel does not tie the worker to its keeper")


def refuse(order, text):
    if order.get("log"):
        order["log"].give_back()  # this process ends before the host has opened its pipe
    sys.stderr.write(text + "\n")
    sys.stderr.flush()
    os._exit(78)


def mount_proc(order, system, in_force):
    if not system.mount("proc", "/proc", "proc", 2 | 4 | 8):
        in_force["missing"].append("/proc shows the processes outside: the system lets this user mount no other")
        return
    if os.getuid() == 0 and not order.get("uid"):
        for point in ("/proc/sys", "/proc/sysrq-trigger"):
            if os.path.exists(point) and system.mount(point, point, None, 4096):
                system.mount(None, point, None, 32 | 4096 | 1 | 2 | 4 | 8)


def use_scratch(order, scratch):
    for name, folder in SCRATCH_VARIABLES.items():
        if name in order["scratch"].get("kept", ()):
            continue
        path = os.path.join(scratch, folder)
        try:
            os.mkdir(path, 0o700)
        except FileExistsError:
            pass  # a fork server has made it
        os.environ[name] = path


def raise_oom_score(order, in_force):
    wanted = order.get("oom_score_adj")
    try:
        with open("/proc/self/oom_score_adj", "r+b", 0) as file:
            own = int(file.read(16))
            if wanted is not None and wanted > own:
                file.seek(0)
                file.write(b"%d" % wanted)
                own = wanted
            in_force["oomScoreAdj"] = own
    except (OSError, ValueError):
        pass  # not Linux


def apply_limits(limits, in_force):
    if not limits:
        return
    import resource

    for name in ("cpus", "processes"):
        if limits.get(name) is not None:
            in_force["missing"].append("policy.resources.%s is without effect: a job object of Windows bounds it, here a cgroup "
                                       "of the host's service" % name)

    for name, kind in (("address_space_bytes", resource.RLIMIT_AS), ("open_files", resource.RLIMIT_NOFILE)):
        if limits.get(name) is not None:
            most = resource.getrlimit(kind)[1]
            wanted = limits[name] if most == resource.RLIM_INFINITY else min(limits[name], most)
            resource.setrlimit(kind, (wanted, wanted))
    if limits.get("nice"):
        os.nice(limits["nice"])


def give_up_rights(order, system, in_force):
    """What a limit, a mount or a mode forbids would not bind a process with these rights."""
    uid, gid = order.get("uid"), order.get("gid")
    if system:
        for capability in range(64):
            if capability != READ_ANYWHERE and not system.prctl(DROP_FROM_BOUNDING_SET, capability):
                break  # the kernel has no such one, or does not let this process
    if uid is not None or gid is not None:
        os.setgroups([])
        if gid is not None:
            os.setresgid(gid, gid, gid)
        if uid is not None:
            os.setresuid(uid, uid, uid)
    if system:
        in_a_namespace = in_force.get("user") or in_force.get("stand_in")
        header = (0x20080522).to_bytes(4, sys.byteorder) + bytes(4)  # _LINUX_CAPABILITY_VERSION_3, this process
        for kept in (1 << READ_ANYWHERE, 0) if os.getuid() == 0 and not in_a_namespace else (0,):
            sets = kept.to_bytes(4, sys.byteorder) * 2 + bytes(16)  # effective, permitted, inheritable; twice 32 bits
            in_force["capabilities"] = system.call("capset", header, sets) == 0
            if in_force["capabilities"]:
                break
        in_force["capabilities"] &= system.prctl(NO_NEW_PRIVILEGES, 1)
