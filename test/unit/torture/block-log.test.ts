import assert from 'node:assert/strict';
import { test } from 'node:test';

import { parseBlockLog, SECTOR_BYTES } from '../../torture/power/block-log.js';

const FLUSH = 1n;
const DISCARD = 4n;

function entry(sector: number, sectors: number, flags = 0n): Buffer {
  const header = Buffer.alloc(SECTOR_BYTES);
  header.writeBigUInt64LE(BigInt(sector), 0);
  header.writeBigUInt64LE(BigInt(sectors), 8);
  header.writeBigUInt64LE(flags, 16);
  const length = flags === DISCARD ? 0 : sectors * SECTOR_BYTES;
  return Buffer.concat([header, Buffer.alloc(length, sector)]);
}

function logOf(entries: readonly Buffer[], count = entries.length): Buffer {
  const head = Buffer.alloc(SECTOR_BYTES);
  head.writeBigUInt64LE(0x006a_7366_7773_6872n, 0);
  head.writeBigUInt64LE(1n, 8);
  head.writeBigUInt64LE(BigInt(count), 16);
  head.writeUInt32LE(SECTOR_BYTES, 24);
  return Buffer.concat([head, ...entries]);
}

test('parseBlockLog() reads writes, flushes and discards in their order', () => {
  const log = parseBlockLog(
    logOf([entry(8, 2), entry(0, 0, FLUSH), entry(64, 9, DISCARD), entry(1, 1)]),
  );
  assert.deepEqual(
    log.map(({ sector, sectors, isFlush, data }) => [sector, sectors, isFlush, data?.length]),
    [
      [8, 2, false, 1024],
      [0, 0, true, undefined],
      [64, 9, false, undefined],
      [1, 1, false, 512],
    ],
  );
  assert.deepEqual(log[0]?.data, Buffer.alloc(1024, 8));
  assert.deepEqual(
    log.map(({ end }) => end),
    [2048, 2560, 3072, 4096],
  );
});

test('parseBlockLog() refuses what is no log, or ends too early', () => {
  assert.throws(() => parseBlockLog(Buffer.alloc(1024)), /no log/);
  assert.throws(() => parseBlockLog(logOf([entry(0, 4)]).subarray(0, 1500)), /too early/);
});
