import { spawnSync } from 'node:child_process';

/** How a script ended. */
interface Ended {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/**
 * A runtime as one writes it without thought: in a mount namespace of its own, by path strings below `$root`, with whatever is
 * open (`descriptor` is 3). It is what hostile images are first tried on.
 */
export function naiveRuntime(
  root: string,
  commands: readonly string[],
  descriptor?: number,
): Ended {
  const { status, stdout, stderr } = spawnSync(
    'unshare',
    [
      '--mount',
      '--propagation',
      'private',
      'bash',
      '-c',
      `root=$1\n${commands.join('\n')}`,
      'naive',
      root,
    ],
    {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe', ...(descriptor === undefined ? [] : [descriptor])],
      env: { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' },
      timeout: 30_000,
    },
  );
  return { status, stdout, stderr };
}
