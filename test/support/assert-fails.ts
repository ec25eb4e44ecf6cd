import assert from 'node:assert/strict';

import type { ErrorCode } from '../../src/errors/catalogue.js';
import { OperationalError } from '../../src/errors/operational-error.js';

/** Asserts that `body` fails with the given code, as an error that a user can meet, and gives that error back. */
export async function assertFails(code: ErrorCode, body: () => unknown): Promise<OperationalError> {
  try {
    await body();
  } catch (error) {
    assert.ok(error instanceof OperationalError, `expected ${code}, got ${String(error)}`);
    assert.equal(error.code, code, error.message);
    return error;
  }
  throw new assert.AssertionError({ message: `expected ${code}, but nothing failed` });
}
