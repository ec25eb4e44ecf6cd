import { spawn } from 'node:child_process';

/**
 * Runs `body` while holding an exclusive flock on `path`, waiting for it as long as needed. The lock is held by a child
 * whose standard input is our end of a pipe, so it is free again however this process ends.
 */
export async function withFileLock<T>(path: string, body: () => Promise<T>): Promise<T> {
  const holder = spawn('flock', ['--exclusive', path, 'sh', '-c', 'echo held; exec cat'], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const ended = new Promise<void>((resolve) => holder.once('close', resolve));
  await new Promise<void>((resolve, reject) => {
    holder.once('error', reject);
    holder.stdout.once('data', () => {
      resolve();
    });
    holder.once('close', () => {
      reject(new Error(`cannot lock ${path}`));
    });
  });
  try {
    return await body();
  } finally {
    holder.stdin.end();
    await ended;
  }
}
