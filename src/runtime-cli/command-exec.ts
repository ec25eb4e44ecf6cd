import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';

import { OperationalError } from '../errors/operational-error.js';
import { readDocument } from './bundle.js';
import { execInContainer } from './exec-in-container.js';
import { followProgram } from './follow-program.js';
import { parseCount, usage, type ParsedArguments } from './parse-arguments.js';
import type { RuntimeCommand } from './runtime-command.js';
import { openContainer, type RuntimeContext } from './runtime-context.js';
import { TerminalRelay } from './terminal-relay.js';

/** `exec`. */
export const exec: RuntimeCommand = {
  options: {
    process: 'value',
    detach: 'flag',
    tty: 'flag',
    cwd: 'value',
    env: 'values',
    user: 'value',
    'additional-gids': 'values',
    cap: 'values',
    'no-new-privs': 'flag',
    'process-label': 'value',
    apparmor: 'value',
    'pid-file': 'value',
    'console-socket': 'value',
    'preserve-fds': 'value',
    cgroup: 'values',
    'ignore-paused': 'flag',
    'no-subreaper': 'flag',
  },
  aliases: {
    p: 'process',
    d: 'detach',
    t: 'tty',
    e: 'env',
    u: 'user',
    g: 'additional-gids',
    c: 'cap',
  },
  async run(context, args) {
    const [id, ...command] = args.rest;
    const store = openContainer(context, id);
    const detach = args.has('detach');
    using relay = new TerminalRelay();
    const launched = await execInContainer(context, store, {
      process: processOf(context, args, { command, config: store.file('config.json') }),
      pidFile: args.value('pid-file'),
      consoleSocket: args.value('console-socket'),
      preserveFds: parseCount(args.value('preserve-fds'), '--preserve-fds'),
      detach,
      ignorePaused: args.has('ignore-paused'),
      cgroup: args.value('cgroup'),
      onTerminal: (terminal) => {
        relay.take(terminal);
      },
    });
    return detach ? 0 : await followProgram(launched, relay);
  },
};

interface ProcessDocument {
  readonly [key: string]: unknown;
  readonly env?: readonly string[];
  readonly user?: Readonly<Record<string, unknown>>;
  readonly capabilities?: Readonly<Record<string, readonly string[]>>;
}

/** The process to run: a file that the caller made, or the container's own with what the options change. */
function processOf(
  context: RuntimeContext,
  args: ParsedArguments,
  from: { readonly command: readonly string[]; readonly config: string },
): string {
  const file = args.value('process');
  if (file !== undefined) return readDocument(resolve(context.cwd, file));
  if (from.command.length === 0) usage('exec needs a command to run');
  const { process = {} } = JSON.parse(readConfig(from.config)) as { process?: ProcessDocument };
  return JSON.stringify({
    ...process,
    consoleSize: undefined,
    terminal: args.has('tty'),
    args: from.command,
    env: [...(process.env ?? []), ...args.values('env')],
    ...(args.value('cwd') === undefined ? {} : { cwd: args.value('cwd') }),
    ...(args.has('no-new-privs') ? { noNewPrivileges: true } : {}),
    ...(args.value('process-label') === undefined
      ? {}
      : { selinuxLabel: args.value('process-label') }),
    ...(args.value('apparmor') === undefined ? {} : { apparmorProfile: args.value('apparmor') }),
    user: userOf(args, process.user ?? {}),
    capabilities: capabilitiesOf(args.values('cap'), process.capabilities),
  });
}

function readConfig(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    throw new OperationalError('CONTAINER_NOT_FOUND', 'container does not exist', { cause });
  }
}

function userOf(
  args: ParsedArguments,
  own: Readonly<Record<string, unknown>>,
): Readonly<Record<string, unknown>> {
  const user = args.value('user');
  const gids = args.values('additional-gids').flatMap((text) => text.split(','));
  const [uid, gid] = user?.split(':') ?? [];
  return {
    ...own,
    ...(user === undefined ? {} : { uid: parseCount(uid, '--user') }),
    ...(gid === undefined ? {} : { gid: parseCount(gid, '--user') }),
    ...(gids.length === 0
      ? {}
      : { additionalGids: gids.map((text) => parseCount(text, '--additional-gids')) }),
  };
}

function capabilitiesOf(
  names: readonly string[],
  own: ProcessDocument['capabilities'],
): ProcessDocument['capabilities'] {
  if (names.length === 0) return own;
  const added = ['bounding', 'effective', 'permitted'].map((set) => [
    set,
    [...new Set([...(own?.[set] ?? []), ...names])],
  ]);
  return { ...own, ...(Object.fromEntries(added) as Record<string, readonly string[]>) };
}
