/**
 * A signal to "process" -1 goes to every process of the machine, to 0 to the whole group of the test runner, and to 1 to what
 * started the machine: a test whose worker is not there, and that defaults to such a number, would stop all else.
 */
const kill = process.kill.bind(process);
process.kill = (pid, signal) => {
  if (Math.abs(pid) > 1) return kill(pid, signal);
  throw new Error(`process.kill(${pid}) in a test: the process that was meant is not there`);
};
