import { closeSync, unlinkSync, writeSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';

import { quote } from '../base/escape-text.js';
import { AsyncScope } from '../base/scope.js';
import { OperationalError } from '../errors/operational-error.js';
import type { ContainerStore } from './container-record.js';
import { destroyContainer } from './destroy-container.js';
import { runHooks, runHooksToTheEnd } from './run-hooks.js';
import type { RuntimeContext } from './runtime-context.js';
import { isAwaited, openStartPipe } from './start-pipe.js';

/** How long between two looks whether the program has begun: it takes some tenths of a millisecond. */
const POLL_MS = 1;
/** Longest wait for the program to begin; what it is loaded from may be slow. */
const BEGIN_TIMEOUT_MS = 30_000;

/**
 * Starts a container that was created (runtime-spec runtime.md, "Start"): startContainer hooks, the program, poststart
 * hooks. A startContainer hook that fails ends the container.
 *
 * @throws {@link OperationalError} CONTAINER_NOT_FOUND, CONTAINER_NOT_RUNNING, PROGRAM_FAILED
 */
export async function startContainer(
  context: RuntimeContext,
  store: ContainerStore,
): Promise<void> {
  await store.exclusively(() => start(context, store));
}

async function start(context: RuntimeContext, store: ContainerStore): Promise<void> {
  const record = store.read();
  const status = store.status(record);
  if (status !== 'created') {
    throw new OperationalError(
      'CONTAINER_NOT_RUNNING',
      status === 'stopped'
        ? `cannot start a container that has stopped: ${quote(store.id)}`
        : `cannot start a container in the ${status} state: ${quote(store.id)}`,
    );
  }
  await using undo = new AsyncScope();
  undo.defer(() => destroyContainer(context, store, record));
  await runHooks('startContainer', { context, record, status, folder: store.path });
  undo.commit();
  await letGo(store);
  await runHooksToTheEnd('poststart', {
    context,
    record,
    status: 'running',
    folder: store.path,
  });
}

/**
 * The byte that the process waits for; it has begun when nobody reads the pipe any more.
 *
 * @throws {@link OperationalError} PROGRAM_FAILED if that takes too long
 */
async function letGo(store: ContainerStore): Promise<void> {
  const pipe = openStartPipe(store.startPipe);
  if (pipe === undefined) {
    throw new OperationalError(
      'CONTAINER_NOT_RUNNING',
      `cannot start ${quote(store.id)}: its process has ended`,
    );
  }
  writeSync(pipe, '.');
  closeSync(pipe);
  for (let left = BEGIN_TIMEOUT_MS; isAwaited(store.startPipe); left -= POLL_MS) {
    if (left <= 0) {
      throw new OperationalError(
        'PROGRAM_FAILED',
        `the program of ${quote(store.id)} has not begun within ${BEGIN_TIMEOUT_MS / 1000} seconds`,
      );
    }
    await delay(POLL_MS);
  }
  unlinkSync(store.startPipe);
}
