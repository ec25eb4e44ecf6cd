import { OperationalError } from '../../src/errors/operational-error.js';

/** Waits for what undoes something; that there is nothing to undo is success. */
export async function unlessMissing(done: Promise<unknown>): Promise<void> {
  try {
    await done;
  } catch (error) {
    if (!(error instanceof OperationalError) || !MISSING.has(error.code)) throw error;
  }
}

const MISSING: ReadonlySet<string> = new Set(['CONTAINER_NOT_FOUND', 'DEPLOYMENT_NOT_FOUND']);
