import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate } from 'node:timers/promises';

import fc from 'fast-check';

import { OUTPUT_BYTES, OutputBuffers } from '../../../src/layer/output-buffers.js';

/* Memory of a layer that is done is for the next one: nobody may find another layer's bytes in what he was given. */

/** What a decompressor does next, and, of some pieces, how many steps somebody looks at what came out of it. */
interface Step {
  readonly layer: number;
  readonly bytes: number;
  readonly lookedAt: number;
  readonly ends: 'no' | 'whole' | 'broken';
}

const steps = fc.array(
  fc.record({
    layer: fc.nat(5),
    bytes: fc.oneof(fc.constant(OUTPUT_BYTES), fc.integer({ min: 1, max: OUTPUT_BYTES })),
    lookedAt: fc.nat(6),
    ends: fc.constantFrom('no', 'no', 'no', 'whole', 'broken'),
  } as const),
  { minLength: 20, maxLength: 120 },
);

/** A layer whose every piece is of its own mark, which is looked for again when whoever looked at the piece is done. */
class MarkedLayer {
  readonly #mark: number;
  readonly #desk: Desk;
  readonly #buffers: OutputBuffers;
  #lookedAt = 0;
  #taken = Promise.resolve();

  constructor(mark: number, desk: Desk) {
    this.#mark = mark;
    this.#desk = desk;
    this.#buffers = new OutputBuffers({
      take: (piece) => {
        this.#check(piece);
        if (this.#lookedAt === 0) return;
        const looking = desk.wait(this.#lookedAt).then(() => {
          this.#check(piece);
        });
        this.#taken = Promise.all([this.#taken, looking]).then(() => undefined);
      },
      inUse: () => (this.#lookedAt === 0 ? undefined : this.#taken),
    });
  }

  async fill({ bytes, lookedAt }: Step): Promise<void> {
    this.#lookedAt = lookedAt;
    const waiting = this.#buffers.room();
    this.#desk.hurryUntil(waiting);
    const room = (await waiting).subarray(0, bytes);
    room.fill(this.#mark);
    this.#buffers.give();
    this.#buffers.fill(room.length);
  }

  end(): void {
    this.#buffers.flush();
  }

  #check(piece: Buffer): void {
    if (!piece.equals(Buffer.alloc(piece.length, this.#mark))) this.#desk.mixed.push(this.#mark);
  }
}

/** Those who look at pieces: each is done after so many steps, or sooner where a layer has no memory left. */
class Desk {
  /** Layers in which somebody found bytes of another. */
  readonly mixed: number[] = [];
  #at = 0;
  readonly #waiting: { readonly until: number; readonly done: () => void }[] = [];

  wait(steps: number): Promise<void> {
    return new Promise((done) => {
      this.#waiting.push({ until: this.#at + steps, done });
    });
  }

  step(): void {
    this.#at++;
    this.#wake(({ until }) => until <= this.#at);
  }

  hurryUntil(room: Promise<unknown>): void {
    let has = false;
    void room.then(() => (has = true));
    void setImmediate().then(() => {
      if (!has) this.end();
    });
  }

  end(): void {
    this.#wake(() => true);
  }

  #wake(isDone: (one: { readonly until: number }) => boolean): void {
    for (const one of this.#waiting.splice(0))
      if (isDone(one)) one.done();
      else this.#waiting.push(one);
  }
}

test('OutputBuffers hand nothing out that somebody still looks at, whatever becomes of the layers', async () => {
  await fc.assert(
    fc.asyncProperty(steps, async (all) => {
      const desk = new Desk();
      const layers = new Map<number, MarkedLayer>();
      let marks = 0;
      for (const step of all) {
        const layer = layers.get(step.layer) ?? new MarkedLayer((marks = (marks % 255) + 1), desk);
        layers.set(step.layer, layer);
        await layer.fill(step);
        if (step.ends === 'whole') layer.end();
        if (step.ends !== 'no') layers.delete(step.layer);
        desk.step();
        await Promise.resolve();
      }
      desk.end();
      await setImmediate();
      assert.deepEqual(desk.mixed, []);
    }),
    { numRuns: 25 },
  );
});
