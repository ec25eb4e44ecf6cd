import { quote } from '../base/escape-text.js';
import { AsyncScope } from '../base/scope.js';
import { OperationalError } from '../errors/operational-error.js';
import type { ContainerRecord, ContainerStore } from './container-record.js';
import { createContainer, type CreateOptions } from './create-container.js';
import { destroyContainer } from './destroy-container.js';
import { followProgram } from './follow-program.js';
import { parseCount, type OptionTable, type ParsedArguments } from './parse-arguments.js';
import type { RuntimeCommand } from './runtime-command.js';
import { openContainer, type RuntimeContext } from './runtime-context.js';
import { findOrSalvage } from './salvage-record.js';
import { startContainer } from './start-container.js';
import { TerminalRelay } from './terminal-relay.js';

const CREATE_OPTIONS: OptionTable = {
  bundle: 'value',
  'pid-file': 'value',
  'console-socket': 'value',
  'preserve-fds': 'value',
  'no-pivot': 'flag',
  'no-new-keyring': 'flag',
  'no-subreaper': 'flag',
};
const ALIASES = { b: 'bundle' };

function createOptions(args: ParsedArguments, detach: boolean): CreateOptions {
  return {
    bundle: args.value('bundle') ?? '.',
    pidFile: args.value('pid-file'),
    consoleSocket: args.value('console-socket'),
    preserveFds: parseCount(args.value('preserve-fds'), '--preserve-fds'),
    noPivot: args.has('no-pivot'),
    noNewKeyring: args.has('no-new-keyring'),
    detach,
  };
}

/** `create`. */
export const create: RuntimeCommand = {
  options: CREATE_OPTIONS,
  aliases: ALIASES,
  async run(context, args) {
    await createContainer(context, openContainer(context, onlyId(args)), createOptions(args, true));
    return 0;
  },
};

/** `start`. */
export const start: RuntimeCommand = {
  options: {},
  async run(context, args) {
    await startContainer(context, openContainer(context, onlyId(args)));
    return 0;
  },
};

/** `run`. */
export const run: RuntimeCommand = {
  options: { ...CREATE_OPTIONS, detach: 'flag', keep: 'flag' },
  aliases: { ...ALIASES, d: 'detach' },
  async run(context, args) {
    const store = openContainer(context, onlyId(args));
    const detach = args.has('detach');
    using relay = new TerminalRelay();
    const { launched } = await createContainer(context, store, {
      ...createOptions(args, detach),
      onTerminal: (terminal) => {
        relay.take(terminal);
      },
    });
    await using undo = new AsyncScope();
    undo.defer(() => destroy(context, store, true));
    await startContainer(context, store);
    undo.commit();
    if (detach) return 0;
    const status = await followProgram(launched, relay);
    if (!args.has('keep')) await destroy(context, store, true);
    return status;
  },
};

/**
 * `delete`: of what has stopped (runtime-spec runtime.md, "Delete"). runc and crun kill the process of a created container
 * and take it away all the same; engines that mean that say `--force`, or kill first, as containerd's client does.
 */
export const remove: RuntimeCommand = {
  options: { force: 'flag' },
  aliases: { f: 'force' },
  async run(context, args) {
    await destroy(context, openContainer(context, onlyId(args)), args.has('force'));
    return 0;
  },
};

/** Deletes a container; one that is not there is nothing that must be forced. */
async function destroy(
  context: RuntimeContext,
  store: ContainerStore,
  force: boolean,
): Promise<void> {
  try {
    await store.exclusively(async () => {
      // Under the lock, or a start could come between the look and the end of what then runs.
      const record = force ? findOrSalvage(context, store) : store.read();
      if (!force && record !== undefined) refuseLive(store, record);
      // A runtime that was killed before it described the container had made nothing else.
      if (record === undefined) await store.remove();
      else await destroyContainer(context, store, record);
    });
  } catch (error) {
    const isGone = error instanceof OperationalError && error.code === 'CONTAINER_NOT_FOUND';
    if (!(isGone && force)) throw error;
  }
}

/** @throws {@link OperationalError} BUSY */
function refuseLive(store: ContainerStore, record: ContainerRecord): void {
  const status = store.status(record);
  if (status === 'stopped') return;
  throw new OperationalError(
    'BUSY',
    `cannot delete container ${quote(store.id)} that is not stopped: ${status}`,
  );
}

function onlyId(args: ParsedArguments): string | undefined {
  if (args.rest.length > 1) {
    throw new OperationalError('USAGE', 'expected one argument, the container id');
  }
  return args.rest[0];
}
