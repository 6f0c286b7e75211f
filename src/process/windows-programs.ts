import path from 'node:path';

/**
 * Path of a program of Windows itself. By its name alone the system looks for it in the current folder first, where a
 * package or a user may have put another of that name.
 */
export function windowsProgram(name: string, env: NodeJS.ProcessEnv = process.env): string {
  const root = variable(env, 'SystemRoot') ?? variable(env, 'windir') ?? 'C:\\Windows';
  return path.win32.join(root, 'System32', name);
}

/** Where the installers of Python put the launcher `py`, for all users and for one user; the installer prefers the first. */
export function pyLauncherPlaces(env: NodeJS.ProcessEnv = process.env): string[] {
  const root = variable(env, 'SystemRoot') ?? variable(env, 'windir') ?? 'C:\\Windows';
  const own = variable(env, 'LOCALAPPDATA');
  return [
    path.win32.join(root, 'py.exe'),
    ...(own === undefined
      ? []
      : [
          path.win32.join(own, 'Programs', 'Python', 'Launcher', 'py.exe'),
          path.win32.join(own, 'Microsoft', 'WindowsApps', 'py.exe'),
        ]),
  ];
}

/** Value of a variable, whatever the case of its name. What is no absolute path is none: it would lead to the current folder. */
function variable(env: NodeJS.ProcessEnv, name: string): string | undefined {
  const key = Object.keys(env).find((one) => one.toUpperCase() === name.toUpperCase());
  const value = key === undefined ? undefined : env[key];
  return value !== undefined && path.win32.isAbsolute(value) ? value : undefined;
}
