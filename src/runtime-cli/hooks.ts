import { spawn } from 'node:child_process';

import { quote } from '../base/escape-text.js';
import { OperationalError } from '../errors/operational-error.js';
import type { ObjectReader } from '../oci/object-reader.js';
import { HOOK_NAMES, type HookName } from '../oci/runtime-config.js';

/** One program to run at a point of a container's life. */
export interface Hook {
  readonly path: string;
  readonly args: readonly string[];
  readonly env: readonly string[];
  readonly timeoutSeconds: number | undefined;
}

/** All hooks of a container. */
export type Hooks = Readonly<Record<HookName, readonly Hook[]>>;

/** Most output of a hook that is kept for the message if it fails. */
const MAX_OUTPUT_BYTES = 4096;

/**
 * Parses `hooks` of a config.json.
 *
 * @throws {@link OperationalError} RUNTIME_CONFIG_INVALID
 */
export function parseHooks(reader: ObjectReader): Hooks {
  return Object.fromEntries(
    HOOK_NAMES.map((name) => [name, reader.objects(name).map(parseHook)]),
  ) as unknown as Hooks;
}

function parseHook(reader: ObjectReader): Hook {
  const path = reader.requiredString('path');
  if (!path.startsWith('/')) reader.refuse('path', 'is not an absolute path');
  const args = reader.strings('args');
  return {
    path,
    args: args.length === 0 ? [path] : args,
    env: reader.strings('env'),
    timeoutSeconds: reader.integer('timeout', { min: 1, max: 86_400 }),
  };
}

/** A program with its arguments, as it is to be run for a hook. */
export interface HookCommand {
  readonly file: string;
  readonly argv0: string;
  readonly args: readonly string[];
  readonly env: NodeJS.ProcessEnv;
  /** Descriptors beside the three, from 3 on. */
  readonly descriptors?: readonly number[];
}

/** The command of a hook that runs in the runtime's own namespaces. */
export function hookCommand(hook: Hook): HookCommand {
  const [argv0 = hook.path, ...args] = hook.args;
  const env = Object.fromEntries(
    hook.env.map((entry) => {
      const equals = entry.indexOf('=');
      return equals < 0 ? [entry, ''] : [entry.slice(0, equals), entry.slice(equals + 1)];
    }),
  );
  return { file: hook.path, argv0, args, env };
}

/**
 * Runs one hook: the state on its standard input, its output kept only for the message if it fails.
 *
 * @throws {@link OperationalError} PROGRAM_FAILED if it does not end with 0 in its time
 */
export async function runHook(
  command: HookCommand,
  about: {
    readonly name: string;
    /** Of the hook: what is run may be a launcher that enters the container first. */
    readonly path: string;
    readonly state: string;
    readonly timeoutSeconds: number | undefined;
  },
): Promise<void> {
  const child = spawn(command.file, command.args, {
    argv0: command.argv0,
    env: command.env,
    stdio: ['pipe', 'pipe', 'pipe', ...(command.descriptors ?? [])],
  });
  let output = '';
  const keep = (chunk: Buffer): void => {
    output = (output + chunk.toString('utf8')).slice(-MAX_OUTPUT_BYTES);
  };
  child.stdout?.on('data', keep);
  child.stderr?.on('data', keep);
  child.stdin?.on('error', () => undefined); // a hook that does not read its state is not a failure
  child.stdin?.end(about.state);
  const timer =
    about.timeoutSeconds === undefined
      ? undefined
      : setTimeout(() => {
          child.kill('SIGKILL');
        }, about.timeoutSeconds * 1000);
  const problem = await new Promise<string | undefined>((resolve) => {
    child.once('error', (error) => {
      resolve(error.message);
    });
    // Its end counts, not that of what it left running with its output.
    child.once('exit', (status, signal) => {
      if (status === 0) resolve(undefined);
      else resolve(signal === null ? `exit status ${status ?? 0}` : `it died of ${signal}`);
    });
  });
  clearTimeout(timer);
  child.stdout?.destroy();
  child.stderr?.destroy();
  if (problem === undefined) return;
  const why = child.killed ? `it took longer than ${about.timeoutSeconds ?? 0} s` : problem;
  const said = output.trim() === '' ? '' : `, it said ${quote(output.trim())}`;
  throw new OperationalError(
    'PROGRAM_FAILED',
    `error running ${about.name} hook ${quote(about.path)}: ${why}${said}`,
  );
}
