import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';

/** What is typed, after which words of the program, and what is done before. */
export type Answer = readonly [prompt: string, typed: string, meanwhile?: () => Promise<void>];

/** Runs a program on a terminal of its own (script(1)), and gives what a person saw. */
export async function onScriptTerminal(
  argv: readonly string[],
  answers: readonly Answer[],
): Promise<{ readonly status: number | null; readonly seen: string }> {
  const command = argv.map((word) => `'${word}'`).join(' ');
  const child = spawn('script', ['--quiet', '--return', '--command', command, '/dev/null']);
  const waiting = [...answers];
  let seen = '';
  child.stdout.on('data', (bytes: Buffer) => {
    seen += bytes.toString();
    const [next] = waiting;
    if (next === undefined || !seen.endsWith(next[0])) return;
    waiting.shift();
    const [, typed, meanwhile] = next;
    void (meanwhile?.() ?? Promise.resolve()).then(() => child.stdin.write(typed));
  });
  const status = await new Promise<number | null>((resolve) => child.once('close', resolve));
  assert.deepEqual(waiting, [], `it did not ask: ${seen}`);
  return { status, seen };
}
